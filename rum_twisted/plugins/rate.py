"""How often something may happen."""

from collections.abc import Callable
from threading import Lock

from typing_extensions import override

__all__ = ["Rate"]


class Rate:
    """Lets so many pass in a second, and twice as many at once after a quiet moment.

    Any thread may ask: a plugin's does, before it bothers the reactor.

    Args:
        per_second: how many.
        seconds: tells the time that passes.
    """

    __slots__ = ("_burst", "_left", "_lock", "_per_second", "_seconds", "_when")

    def __init__(self, per_second: float, seconds: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = 2.0 * per_second
        self._left = self._burst
        self._seconds = seconds
        self._when: float | None = None
        self._lock = Lock()

    @override
    def __repr__(self) -> str:
        return f"<Rate: {self._left:.0f} of {self._per_second:g}/s left>"

    def admits(self) -> bool:
        """Tell whether one more may pass; if so, it has."""
        with self._lock:
            now = self._seconds()
            if self._when is not None:
                gained = max(now - self._when, 0.0) * self._per_second
                self._left = min(self._left + gained, self._burst)
            self._when = now
            if self._left < 1.0:
                return False
            self._left -= 1.0
            return True
