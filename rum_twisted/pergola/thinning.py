"""Fewer position reports for those who are far away, while the server is short of room.

At rest nothing of this is in the way of a report: the fan-out asks the airspace itself
who is in sight. While reports are thinned it asks a `Thinning` instead, which leaves
some receivers out:

- Whoever reports more than once in ``near_interval`` is told once: nothing moves five
  times a second.
- Pilots who are farther away than ``near`` are told once in ``far_interval``.
- Controllers are told as those who are near: to work traffic they need all of it.

A report is passed on in its order, or not at all. So each receiver reads of each sender
what he would have read otherwise, with gaps: no text overtakes a position, and nobody
who has left comes back. What was left out is made good by the next report that is not:
clients report every few seconds, whether they move or not.
"""

from collections.abc import Callable
from typing import Final

from typing_extensions import override

from rum_twisted.pergola.outbox import Feed, Outbox
from rum_twisted.terms.identity import ClientKind
from rum_twisted.terms.pace import Pace
from rum_twisted.world.airspace import Airspace, Cell, Spot
from rum_twisted.world.geodesy import chord_of
from rum_twisted.world.visibility import Channel

__all__ = ["Thinning"]

_Cell = Cell[Outbox, Feed]
_Spot = Spot[Outbox, Feed]

_ALMOST: Final = 0.9  # of an interval: clients' clocks and the network's are not exact


class Thinning:
    """Says who receives a report, in place of the airspace.

    Args:
        airspace: says who is in sight.
        seconds: the clock.
        pace: how often.

    Invariant: times are kept for those only who have reported since it began and are
    still on.
    """

    def __init__(
        self,
        airspace: Airspace[Outbox, Feed],
        seconds: Callable[[], float],
        pace: Pace,
    ) -> None:
        self._airspace = airspace
        self._seconds = seconds
        self._near_interval = pace.near_interval * _ALMOST
        self._far_interval = pace.far_interval * _ALMOST
        self._near = chord_of(pace.near)
        # By sender: when those who are near, and when all, were told last.
        self._told: dict[_Spot, tuple[float, float]] = {}
        self.kept_back = 0  # reports that not all in sight were told

    @override
    def __repr__(self) -> str:
        return f"<Thinning of {len(self._told)}: {self.kept_back} reports kept back>"

    def within(self, spot: _Spot, channel: Channel) -> tuple[list[_Cell], list[_Spot]]:
        """Return who receives what a client reports just now; see `Airspace.within`."""
        now = self._seconds()
        near, everybody = self._told.get(spot, (float("-inf"), float("-inf")))
        if now - near < self._near_interval:
            self.kept_back += 1
            return [], []
        whole, single = self._airspace.within(spot, channel)
        if now - everybody >= self._far_interval:
            self._told[spot] = (now, now)
            return whole, single
        self._told[spot] = (now, everybody)
        self.kept_back += 1
        return (
            [cell for cell in whole if self._may_be_near(spot, cell)],
            [other for other in single if self._is_near(spot, other)],
        )

    def forget(self, spot: _Spot) -> None:
        """Forget a client who leaves."""
        self._told.pop(spot, None)

    def _may_be_near(self, spot: _Spot, cell: _Cell) -> bool:
        """Tell whether a cell holds controllers, or reaches into what is near."""
        band = cell.band
        if band is None or band.kind is ClientKind.CONTROLLER:
            return True
        reach = self._near + band.half
        x, y, z = spot.x, spot.y, spot.z
        chord = cell.square - (x * cell.x2 + y * cell.y2 + z * cell.z2)
        return chord <= reach * reach

    def _is_near(self, spot: _Spot, other: _Spot) -> bool:
        if other.kind is ClientKind.CONTROLLER:
            return True
        dot = spot.x * other.x + spot.y * other.y + spot.z * other.z
        return 2.0 - 2.0 * dot <= self._near * self._near
