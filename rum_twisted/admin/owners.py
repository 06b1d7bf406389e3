"""Memory by owner: everybody who keeps something that grows, under a name.

Types tell what the heap is made of (``dict``, ``bytes``), owners tell whose it is. An
owner is asked when somebody wants to know, by whatever thread: each answers from plain
attributes, in a moment.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final
from weakref import WeakKeyDictionary

from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.terms.measure import NOTHING, Measure, Measuring
from rum_twisted.terms.units import Seconds

__all__ = ["Makings", "Owner", "Owners", "place_of_call"]

MOST_OWNERS: Final = 64  # a role has some twenty
MOST_PLACES: Final = 16  # lines of one kind of thing that are told apart
MOST_FOLLOWED: Final = 10_000  # things of one kind whose age and line are known
_TRIES: Final = 3
_ELSEWHERE: Final = "(elsewhere)"


@dataclass(frozen=True, slots=True)
class Owner:
    """One line of the table."""

    name: str
    measure: Measure
    trouble: str = ""  # why it could not be measured


class Owners:
    """The list of owners.

    Invariant: names are different, and at most `MOST_OWNERS`.
    """

    log = Logger()

    def __init__(self) -> None:
        self._measuring: dict[str, Measuring] = {}
        self._makings: dict[str, Makings] = {}
        self._troubled: set[str] = set()  # the log knows

    @override
    def __repr__(self) -> str:
        return f"<Owners: {len(self._measuring)}, {len(self._makings)} followed>"

    def register(self, name: str, measure: Measuring) -> None:
        """Take an owner up.

        Args:
            name: as the operator reads it.
            measure: tells what it keeps.

        Raises:
            ValueError: the name is taken, or there are too many.
        """
        self._check(name)
        self._measuring[name] = measure

    def follow(self, name: str, size: int, clock: Callable[[], float]) -> "Makings":
        """Return what takes note of each thing of a kind that is made here and there.

        Args:
            name: of the kind.
            size: of each thing with all that belongs to it, bytes.
            clock: seconds on any scale, for their age.

        Raises:
            ValueError: the name is taken, or there are too many.
        """
        self._check(name)
        makings = self._makings[name] = Makings(size, clock)
        return makings

    def table(self) -> tuple[Owner, ...]:
        """Ask all owners; those who keep most come first."""
        found = [
            *(
                owner
                for name, measure in tuple(self._measuring.items())
                for owner in self._ask(name, measure)
            ),
            *self._places(),
        ]
        found.sort(key=lambda owner: -owner.measure.bytes)
        return tuple(found)

    def _check(self, name: str) -> None:
        if name in self._measuring or name in self._makings:
            raise ValueError(f"owner {name!r}: there is one of this name")
        if len(self._measuring) + len(self._makings) >= MOST_OWNERS:
            raise ValueError(f"owner {name!r}: there are {MOST_OWNERS} already")

    def _places(self) -> Iterator[Owner]:
        for name, makings in tuple(self._makings.items()):
            for measure in makings.measures():
                yield Owner(name, measure)

    def _ask(self, name: str, measure: Measuring) -> tuple[Owner, ...]:
        try:
            found = _steadily(measure)
        except Exception as error:  # noqa: BLE001 - one owner may not hide the others
            if name not in self._troubled:
                self._troubled.add(name)
                self.log.failure("memory of {owner} cannot be measured", owner=name)
            return (Owner(name, NOTHING, repr(error)),)
        measures = (found,) if isinstance(found, Measure) else found
        return tuple(Owner(name, each) for each in measures)


def _steadily(measure: Measuring) -> Measure | tuple[Measure, ...]:
    """Measure what another thread may be changing."""
    for _ in range(_TRIES - 1):
        try:
            return measure()
        except RuntimeError:  # "changed size during iteration"
            continue
    return measure()


class Makings:
    """Things of one kind that are alive, by the line that made them.

    A leak of clients or channels shows here as one line with a growing count. Nothing
    is kept alive by it.

    Args:
        size: of each, bytes.
        clock: seconds on any scale.

    Invariant: at most `MOST_FOLLOWED` are followed; more are counted as made
    elsewhere, until they are gone.
    """

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._followed: WeakKeyDictionary[object, tuple[str, float]] = (
            WeakKeyDictionary()
        )
        self.missed = 0  # things that could not be followed any more

    def note(self, thing: object, made_at: str | None = None) -> None:
        """Take note of a thing that has just been made.

        Args:
            thing: takes weak references, and is equal to nothing but itself.
            made_at: the line; by default the one that called whoever calls this.
        """
        if len(self._followed) >= MOST_FOLLOWED:
            self.missed += 1
            return
        place = place_of_call(2) if made_at is None else made_at
        self._followed[thing] = (place, self._clock())

    def measures(self) -> tuple[Measure, ...]:
        """Return what is alive, line by line, the most first."""
        now = self._clock()
        counts: dict[str, int] = {}
        oldest: dict[str, float] = {}
        for place, made in list(self._followed.values()):
            if place not in counts and len(counts) >= MOST_PLACES:
                place = _ELSEWHERE  # noqa: PLW2901 - one line for all the others
            counts[place] = counts.get(place, 0) + 1
            oldest[place] = max(oldest.get(place, 0.0), now - made)
        ranked = sorted(counts.items(), key=lambda item: -item[1])
        return tuple(
            Measure(
                count=count,
                bytes=count * self._size,
                oldest_s=Seconds(oldest[place]),
                made_at=place,
            )
            for place, count in ranked
        )


def place_of_call(depth: int) -> str:
    """Return file and line of a caller, e.g. ``weather.py:52``.

    Args:
        depth: 1 for whoever calls the function that calls this.
    """
    try:
        frame = sys._getframe(depth + 1)  # noqa: SLF001 - the inspect module takes 1 ms
    except ValueError:
        return _ELSEWHERE
    path = PurePath(frame.f_code.co_filename)
    return f"{path.parent.name}/{path.name}:{frame.f_lineno}"
