"""Asks several sources for one thing: in their order, but without waiting for long.

The first source is asked. If it fails, or has nothing, the next one is asked at once;
if it only takes its time, the next one is asked besides it. The first find counts,
and whoever is still asked then is given up.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.terms.units import Seconds

__all__ = ["first_find"]

T = TypeVar("T")
Ask = Callable[[], "Deferred[T | None]"]


def first_find(
    asks: "Iterable[Ask[T]]", next_after: Seconds, clock: IReactorTime
) -> "Deferred[T | None]":
    """Return the first find of some that are asked for the same thing.

    Args:
        asks: one for each source, in their order; a Deferred that fires with
            ``None`` or fails tells that there is nothing to be had from it.
        next_after: how long one may take before the next is asked as well; 0 asks
            all of them at once.
        clock: tells when that is.

    Returns:
        a Deferred that fires with the find, or with ``None`` when all have
        answered. Cancelling it gives all of them up.
    """
    return _Asking(asks, next_after, clock).begin()


class _Asking(Generic[T]):
    """One question to many.

    Invariant: while ``_result`` has not fired, somebody is asked.
    """

    def __init__(
        self, asks: "Iterable[Ask[T]]", next_after: Seconds, clock: IReactorTime
    ) -> None:
        self._waiting = deque(asks)
        self._next_after = next_after
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self._asked: list[Deferred[T | None]] = []
        self._is_over = False
        self._result: Deferred[T | None] = Deferred(lambda _: self._end())

    @override
    def __repr__(self) -> str:
        return f"<_Asking: {len(self._asked)} asked, {len(self._waiting)} not yet>"

    def begin(self) -> "Deferred[T | None]":
        """Ask the first."""
        self._ask_next()
        return self._result

    def _ask_next(self) -> None:
        """Ask one more; end if there is nobody left, neither to ask nor asked."""
        self._stop_timer()
        if not self._waiting:
            if not self._asked:
                self._end()
                self._result.callback(None)
            return
        asked = self._waiting.popleft()()
        self._asked.append(asked)
        asked.addBoth(self._take, asked)
        if not self._is_over and self._waiting and self._timer is None:
            self._timer = self._clock.callLater(self._next_after, self._ask_next)

    def _take(self, answer: "T | Failure | None", asked: "Deferred[T | None]") -> None:
        """Take one answer."""
        self._asked.remove(asked)
        if self._is_over:
            return
        if answer is None or isinstance(answer, Failure):
            self._ask_next()
            return
        self._end()
        self._result.callback(answer)

    def _end(self) -> None:
        self._is_over = True
        self._stop_timer()
        self._waiting.clear()
        for asked in tuple(self._asked):
            asked.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
