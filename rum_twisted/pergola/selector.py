"""A few sockets at a time, so that a storm of some delays nobody else.

An event loop asks which sockets are ready, handles all of them, and looks at its
timers only then. When a thousand clients log on, or vanish, at the same moment, that
takes hundreds of milliseconds, in which no turn ends and no position is written.
"""

from bisect import bisect
from selectors import EpollSelector, SelectorKey
from typing import Final

from typing_extensions import override

__all__ = ["FairSelector"]

_AT_A_TIME: Final = 8
"""Sockets handled before timers are due; of a storm, each takes 0.2 to 0.5 ms.

Asking for the ready ones again takes 0.4 ms for a thousand. With 64 at a time a turn
that was due waited for 14 ms.
"""

_REGULARS: Final = 4
"""Of these, how many are for those who have been connected longest.

When a thousand log on or leave, those who fly already hardly wait for them.
"""


class FairSelector(EpollSelector):
    """Tells of so many ready sockets at most: some old ones, and the rest in turn.

    Whatever the others do, one that stays ready is told of before any but the old ones
    is told of twice.
    """

    _last = -1  # number of the socket that was told of last in its turn

    @override
    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Wait for sockets; those that are not told of stay ready for the next time.

        Args:
            timeout: seconds; ``None``: as long as it takes.
        """
        ready = super().select(timeout)
        count = len(ready)
        if count <= _AT_A_TIME:
            return ready
        # The system gives the lowest free number to a new socket, so low numbers are
        # those who have been here for long.
        ready.sort(key=_number)
        regulars, others = ready[:_REGULARS], ready[_REGULARS:]
        # Not always the same: a few that are always ready must not hide the rest.
        begin = bisect(others, self._last, key=_number)
        in_turn = (others[begin:] + others[:begin])[: _AT_A_TIME - _REGULARS]
        self._last = _number(in_turn[-1])
        return regulars + in_turn


def _number(ready: tuple[SelectorKey, int]) -> int:
    return ready[0].fd
