"""Who is at a prompt: a few at a time, and nobody keeps others out by doing nothing."""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.terms.units import Seconds

__all__ = ["IDLE", "MOST_OPERATORS", "Seated", "Seats"]

MOST_OPERATORS: Final = 4  # at the same time, at each door
IDLE: Final = Seconds(600.0)  # without a line; from then on he makes room if need be


class Seated(Protocol):
    """One operator's connection."""

    @property
    def is_known(self) -> bool:
        """Whether he has shown who he is; until then he makes room for anybody."""

    def abort(self) -> None:
        """End the connection at once."""


class Seats:
    """The operators at one door.

    Args:
        now: tells the time, in seconds.

    Invariant: there are never more than `MOST_OPERATORS`.
    """

    log = Logger()

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._used: dict[Seated, float] = {}  # when each did something last

    @override
    def __repr__(self) -> str:
        return f"<Seats: {len(self)} of {MOST_OPERATORS}>"

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._used)

    def __iter__(self) -> Iterator[Seated]:
        """Go through them; they may leave meanwhile."""
        return iter(tuple(self._used))

    def take(self, one: Seated) -> bool:
        """Let somebody in, if there is room or somebody can make some."""
        if len(self._used) >= MOST_OPERATORS and not self._make_room():
            return False
        self._used[one] = self._now()
        return True

    def use(self, one: Seated) -> None:
        """Note that somebody does something."""
        if one in self._used:
            self._used[one] = self._now()

    def leave(self, one: Seated) -> None:
        """Note that somebody has gone; a second time changes nothing."""
        self._used.pop(one, None)

    def _make_room(self) -> bool:
        """Hang up on a stranger, else on whoever has been idle for too long."""
        one = min(self._used, key=lambda each: (each.is_known, self._used[each]))
        idle = self._now() - self._used[one]
        if one.is_known and idle < IDLE:
            return False
        self.log.info(
            "manhole: {operator} makes room for another after {seconds:.0f} s",
            operator=one,
            seconds=idle,
        )
        self.leave(one)
        one.abort()
        return True
