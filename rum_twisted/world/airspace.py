"""Who is within a range, without asking everybody.

This is where a server's time goes: 1,500 aircraft that report every five seconds
are 300 reports a second with 1,499 possible receivers each. The essay:

**Cells.** The sphere of radius 1 is cut by a cubic grid, and whoever reports from
the same little cube, is of the same kind and has ranges of about the same size
stands in the same `Cell`. Cubes know neither poles nor an antimeridian. The edge
of the cubes grows with the range: a pilot on the apron, heard for 10 miles, stands
in a cube of 7 miles; one at cruise level, heard for 290, in one of 170.

**Three answers.** For a report from a place ``v``, a cell is judged as a whole by
the distance from ``v`` to the middle of its cube. Whoever stands in it is at most
half a diagonal away from that middle, and his range lies between the bounds of his
`Band`. So either *all* of the cell's members are certainly in range, or certainly
*none*, or each must be asked: only the cells around the limit are. Where many
gather, nearly every cell is all in or all out, and a report costs a few dozen
comparisons however many receivers there are. Straight lines through the sphere are
compared (chords, squared), because they need no arc cosine.

**Blocks.** Cells are filed by coarse blocks, so that a report looks only at the
blocks around it: what it costs does not depend on who is online elsewhere.

**The answer is exact.** A member who is asked is judged by the dot product of the
two unit vectors against the cosine of the limit, which is the classic formula
without its arc cosine. Rounding is settled in favor of being in range, by a slack
that is less than a foot where it is widest. The tests compare with the plain
formula of `visibility.is_in_range`, over poles, antimeridian, equal places and
limits met to the mile.

An `Airspace` does not know what its owner keeps about a client, nor what he does
with a cell: both are opaque to it (`Spot.owner`, `Cell.feed`).
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, product
from math import floor, sqrt
from sys import getsizeof
from typing import Final, Generic, TypeVar

from typing_extensions import override

from rum_twisted.terms.identity import ClientKind
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.place import Position
from rum_twisted.world.geodesy import (
    HALF_CIRCLE,
    MILES_PER_RADIAN,
    chord_of,
    cosine_of,
    unit_vector,
)
from rum_twisted.world.visibility import RULES, Channel, Rule, reach

__all__ = ["Airspace", "Band", "Cell", "Spot"]

T = TypeVar("T")
F = TypeVar("F")

_SLACK: Final = 1e-15  # of a dot product: what rounding may cost
_MARGIN: Final = 1e-12  # of a squared chord, when a whole cell is judged
_BLOCK: Final = 0.25  # edge of a block, in radii: about 860 NM
_FEW_BLOCKS: Final = 9  # so few are gone through faster than looked up
_EDGE: Final = 2 / 3  # of a cube, in ranges: smaller asks fewer, but has more cells
_SMALLEST_EDGE: Final = 10  # NM; a range below it counts as this
_BOUNDS: Final = (0, 1, 12, 16, 23, 32, 45, 64, 90, 128, 181, 256, 362, 512)
"""Where bands of ranges begin, in NM; each is about 1.4 times the one before it."""

_MEMORY: Final = 4096  # how many limits are remembered, of all bands together
_MANY: Final = 64  # unplaced clients in a cell; more get another one
_SPOT: Final = 190  # bytes: the object, its numbers, its place in a list
_CELL: Final = 520  # bytes: the object, its numbers, list, feed and places in tables
_LIMIT: Final = 230  # bytes: a remembered limit
_HALF_DIAGONAL: Final = sqrt(3.0) / 2.0

Key = tuple[int, int, int]  # of a cube or a block of the grid
BandKey = tuple[ClientKind, int, int]
Limits = tuple[float, float, float]
"""How the cells of a band are judged for a sender.

The squared chord up to which all members are in range, the one beyond which none is
(both to the middle of the cube; negative: never), and the chord within which cells
must be looked at.
"""


class Spot(Generic[T, F]):
    """One client's place in the airspace."""

    __slots__ = ("cell", "index", "kind", "owner", "radio", "sight", "x", "y", "z")

    def __init__(self, owner: T, kind: ClientKind, cell: "Cell[T, F]") -> None:
        self.owner = owner
        self.kind = kind
        self.x = self.y = self.z = 0.0
        self.radio = 0  # NM, see Client.radio_range
        self.sight = 0  # NM, see Client.visual_range
        self.cell = cell
        self.index = -1  # in cell.members


class Cell(Generic[T, F]):
    """Clients of one kind with similar ranges in one cube of the grid.

    Invariants: every member's ``cell`` is this one and ``members[index]`` is he; a
    cell without members is in no index.
    """

    __slots__ = ("band", "feed", "key", "members", "square", "x2", "y2", "z2")

    def __init__(self, band: "Band[T, F] | None", key: Key, feed: F) -> None:
        self.band = band  # None: its members have not said where they are
        self.key = key
        self.feed = feed
        self.members: list[Spot[T, F]] = []
        edge = band.edge if band else 0.0
        x, y, z = ((part + 0.5) * edge for part in key)
        # |v - c|² is |v|² + |c|² - 2 v·c; the parts of it that do not depend on v:
        self.square = 1.0 + x * x + y * y + z * z
        self.x2, self.y2, self.z2 = 2.0 * x, 2.0 * y, 2.0 * z

    @override
    def __repr__(self) -> str:
        """Tell where it is, and how many are in it."""
        return f"<Cell {self.key} of {self.band!r}: {len(self.members)} members>"

    def admit(self, spot: Spot[T, F]) -> None:
        """Take a member up."""
        spot.cell = self
        spot.index = len(self.members)
        self.members.append(spot)

    def dismiss(self, spot: Spot[T, F]) -> None:
        """Let a member go; the last one takes his place in the list."""
        last = self.members.pop()
        if last is not spot:
            self.members[spot.index] = last
            last.index = spot.index


class Band(Generic[T, F]):
    """All cells of one kind of client and one size of ranges, with their index.

    Invariants: every cell is in ``cells`` under its key and in the one block that
    holds its middle; ranges of all members lie between the bounds.
    """

    __slots__ = ("blocks", "cells", "edge", "half", "key", "kind", "radio", "sight")

    def __init__(
        self,
        key: BandKey,
        kind: ClientKind,
        radio: tuple[int, int],
        sight: tuple[int, int],
    ) -> None:
        self.key = key  # in Airspace
        self.kind = kind
        self.radio = radio  # NM, lowest and highest
        self.sight = sight
        lowest = sight[0] if kind is ClientKind.CONTROLLER else radio[0]
        miles = max(_SMALLEST_EDGE, lowest) * _EDGE
        self.edge = miles / MILES_PER_RADIAN  # of a cube, in radii
        self.half = self.edge * _HALF_DIAGONAL
        self.cells: dict[Key, Cell[T, F]] = {}
        self.blocks: dict[Key, dict[Key, Cell[T, F]]] = {}

    @override
    def __repr__(self) -> str:
        """Tell the bounds and how many cells there are."""
        bounds = f"radio={self.radio} sight={self.sight}"
        return f"<Band {self.kind.value} {bounds}: {len(self.cells)} cells>"

    def key_of(self, x: float, y: float, z: float) -> Key:
        """Return the key of the cube that holds a point."""
        edge = self.edge
        return floor(x / edge), floor(y / edge), floor(z / edge)

    def add(self, cell: Cell[T, F]) -> None:
        """Index a cell."""
        self.cells[cell.key] = cell
        self.blocks.setdefault(self._block_of(cell), {})[cell.key] = cell

    def remove(self, cell: Cell[T, F]) -> None:
        """Strike a cell off."""
        del self.cells[cell.key]
        block_key = self._block_of(cell)
        block = self.blocks[block_key]
        del block[cell.key]
        if not block:
            del self.blocks[block_key]

    def near(self, x: float, y: float, z: float, radius: float) -> Iterable[Cell[T, F]]:
        """Return the cells whose middle may be within ``radius``, and some others."""
        blocks = self.blocks
        if len(blocks) < _FEW_BLOCKS:
            return self.cells.values()
        spans = [
            range(floor((part - radius) / _BLOCK), floor((part + radius) / _BLOCK) + 1)
            for part in (x, y, z)
        ]
        if len(spans[0]) * len(spans[1]) * len(spans[2]) > len(blocks):
            return self.cells.values()
        found = [blocks[key] for key in product(*spans) if key in blocks]
        return chain.from_iterable(block.values() for block in found)

    def limits(self, rule: Rule, sender_radio: int) -> Limits:
        """Return how to judge this band's cells for a sender."""
        low = reach(rule, sender_radio, self.radio[0], self.sight[0])
        high = reach(rule, sender_radio, self.radio[1], self.sight[1])
        sure = chord_of(low) - self.half
        if low >= HALF_CIRCLE:
            sure = 4.0  # a chord is 2 at most: everybody, wherever he is
        far = chord_of(high) + self.half
        return (
            sure * sure - _MARGIN if sure > 0.0 else -1.0,
            far * far + _MARGIN if high >= 0 else -1.0,
            far,
        )

    def _block_of(self, cell: Cell[T, F]) -> Key:
        return (
            floor(cell.x2 / 2.0 / _BLOCK),
            floor(cell.y2 / 2.0 / _BLOCK),
            floor(cell.z2 / 2.0 / _BLOCK),
        )


class Airspace(Generic[T, F]):
    """Where everybody is, and who is within whose range.

    Args:
        make_feed: makes what a new cell's ``feed`` is.

    Invariants: every spot that was added and not removed is in exactly one cell;
    one that was placed is in the cell of its band and cube.
    """

    def __init__(self, make_feed: Callable[[], F]) -> None:
        self._make_feed = make_feed
        self._bands: dict[BandKey, Band[T, F]] = {}
        self._limits: dict[tuple[BandKey, Rule, int], Limits] = {}
        self._nowhere: dict[ClientKind, list[Cell[T, F]]] = {
            kind: [] for kind in ClientKind
        }
        # By limit in miles: the dot product from which on somebody is in range.
        self._least_cosines = array(
            "d", (cosine_of(miles) - _SLACK for miles in range(2 * HALF_CIRCLE + 1))
        )

    @override
    def __repr__(self) -> str:
        """Tell how many cells there are."""
        cells = sum(len(band.cells) for band in self._bands.values())
        return f"<Airspace of {len(self._bands)} bands, {cells} cells>"

    def add(self, owner: T, kind: ClientKind) -> Spot[T, F]:
        """Take up a client who has not said where he is: nobody is in his range."""
        cells = self._nowhere[kind]
        if not cells or len(cells[-1].members) >= _MANY:
            cells.append(Cell(None, (0, 0, len(cells)), self._make_feed()))
        spot = Spot(owner, kind, cells[-1])
        spot.cell.admit(spot)
        return spot

    def remove(self, spot: Spot[T, F]) -> None:
        """Forget a client."""
        cell = spot.cell
        cell.dismiss(spot)
        if cell.members:
            return
        if cell.band is None:
            self._nowhere[spot.kind].remove(cell)
        else:
            cell.band.remove(cell)
            self._drop_if_empty(cell.band)

    def place(
        self, spot: Spot[T, F], position: Position, radio: int, sight: int
    ) -> None:
        """Put a client where he says he is.

        Args:
            spot: what `add` gave.
            position: his latest position.
            radio: his radio range, NM.
            sight: his visual range, NM; negative: he sees nobody.
        """
        spot.x, spot.y, spot.z = x, y, z = unit_vector(position)
        spot.radio = min(radio, HALF_CIRCLE)  # nothing is farther away
        spot.sight = min(sight, HALF_CIRCLE)
        band = self._band_of(spot)
        key = band.key_of(x, y, z)
        if spot.cell.band is band and spot.cell.key == key:
            return
        self.remove(spot)
        cell = band.cells.get(key)
        if cell is None:
            cell = Cell(band, key, self._make_feed())
            band.add(cell)
            self._bands[band.key] = band
        cell.admit(spot)

    def measure(self) -> Measure:
        """Tell what the index takes: spots, cells and tables; feeds are not counted."""
        cells = list(self.cells())
        spots = sum(len(cell.members) for cell in cells)
        tables = getsizeof(self._least_cosines) + getsizeof(self._limits)
        return Measure(
            count=spots,
            bytes=spots * _SPOT
            + len(cells) * _CELL
            + len(self._limits) * _LIMIT
            + tables,
        )

    def shrink(self) -> int:
        """Forget the limits that are remembered; return how many bytes they took."""
        freed = len(self._limits) * _LIMIT
        self._limits.clear()
        return freed

    def cells(self) -> Iterator[Cell[T, F]]:
        """Go through all cells, those of the unplaced first."""
        for cells in self._nowhere.values():
            yield from cells
        for band in self._bands.values():
            yield from band.cells.values()

    def within(
        self, spot: Spot[T, F], channel: Channel
    ) -> tuple[list[Cell[T, F]], list[Spot[T, F]]]:
        """Find who receives what a placed client sends on ``channel``.

        Returns:
            the cells whose members are all in range (the sender's own cell may be
            among them), and single spots in range of other cells. The sender
            himself is not among the single ones.
        """
        whole: list[Cell[T, F]] = []
        single: list[Spot[T, F]] = []
        x, y, z, radio = spot.x, spot.y, spot.z, spot.radio
        for band in self._bands.values():
            rule = RULES[channel, spot.kind, band.kind]
            sure, far, radius = self._limits_of(band, rule, radio)
            if far < 0.0:
                continue
            for cell in band.near(x, y, z, radius):
                chord = cell.square - (x * cell.x2 + y * cell.y2 + z * cell.z2)
                if chord <= sure:
                    whole.append(cell)
                elif chord <= far:
                    single += self._ask(spot, rule, cell)
        return whole, single

    def _limits_of(self, band: Band[T, F], rule: Rule, radio: int) -> Limits:
        """Remember and return `Band.limits`."""
        if rule is Rule.RECEIVERS_SIGHT:
            radio = 0  # of no consequence, and one entry instead of hundreds
        key = (band.key, rule, radio)
        limits = self._limits.get(key)
        if limits is None:
            if len(self._limits) >= _MEMORY:
                self._limits.clear()
            limits = self._limits[key] = band.limits(rule, radio)
        return limits

    def _ask(self, spot: Spot[T, F], rule: Rule, cell: Cell[T, F]) -> list[Spot[T, F]]:
        """Return those members of ``cell`` who are in range, the sender not counted.

        One list comprehension for each rule: this is done for every member of a
        cell near the limit, and a call for each would cost as much again.
        """
        x, y, z, radio = spot.x, spot.y, spot.z, spot.radio
        least = self._least_cosines
        members = cell.members
        match rule:
            case Rule.SUM_OF_RADIOS:
                found = [
                    one
                    for one in members
                    if x * one.x + y * one.y + z * one.z >= least[radio + one.radio]
                ]
            case Rule.LARGER_RADIO:
                found = [
                    one
                    for one in members
                    if x * one.x + y * one.y + z * one.z
                    >= least[radio if radio > one.radio else one.radio]
                ]
            case Rule.SENDERS_RADIO:
                enough = least[radio]
                found = [
                    one
                    for one in members
                    if x * one.x + y * one.y + z * one.z >= enough
                ]
            case Rule.RECEIVERS_SIGHT:
                found = [
                    one
                    for one in members
                    if x * one.x + y * one.y + z * one.z >= least[one.sight]
                ]
        if cell is spot.cell and spot in found:
            found.remove(spot)
        return found

    def _band_key(self, spot: Spot[T, F]) -> BandKey:
        if spot.kind is ClientKind.PILOT:
            return spot.kind, bisect_right(_BOUNDS, spot.radio), 0
        # A controller's radio range is one of a handful, his sight is his choice.
        return spot.kind, bisect_right(_BOUNDS, spot.sight), spot.radio

    def _band_of(self, spot: Spot[T, F]) -> Band[T, F]:
        """Return the band of a spot's ranges, a new one where there is none yet."""
        key = self._band_key(spot)
        band = self._bands.get(key)
        if band is not None:
            return band
        kind, number, radio = key
        bounds = (-1, -1)
        if number == len(_BOUNDS):
            bounds = (_BOUNDS[-1], HALF_CIRCLE)
        elif number > 0:
            bounds = (_BOUNDS[number - 1], _BOUNDS[number] - 1)
        if kind is ClientKind.PILOT:
            return Band(key, kind, radio=bounds, sight=(0, 0))
        return Band(key, kind, radio=(radio, radio), sight=bounds)

    def _drop_if_empty(self, band: Band[T, F]) -> None:
        """Forget a band without cells, so that odd ranges leave nothing behind."""
        if not band.cells:
            del self._bands[band.key]
