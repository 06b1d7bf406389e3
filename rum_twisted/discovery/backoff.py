"""How long to wait before the next trial, so that a thousand do not come at once."""

from random import Random
from typing import Final

from typing_extensions import override

from rum_twisted.terms.units import Seconds

__all__ = ["Backoff"]

_GROWTH: Final = 1.6
_SPREAD: Final = 0.5  # each wait is shortened by up to this share, by chance


class Backoff:
    """Waits that grow, up to a bound, and differ by chance.

    Args:
        random: the chance.
        first: the longest first wait.
        longest: no wait is longer.
    """

    def __init__(
        self,
        random: Random,
        *,
        first: Seconds = Seconds(0.2),  # noqa: B008 - a number
        longest: Seconds = Seconds(5.0),  # noqa: B008
    ) -> None:
        self._random = random
        self._first = first
        self._longest = longest
        self._next = first

    @override
    def __repr__(self) -> str:
        return f"<Backoff: {self._next:.1f} s next>"

    def wait(self) -> Seconds:
        """Return how long to wait now, and make the next wait longer."""
        due = self._next
        self._next = Seconds(min(due * _GROWTH, self._longest))
        return Seconds(due * (1.0 - _SPREAD * self._random.random()))

    def reset(self) -> None:
        """Begin anew: it has worked."""
        self._next = self._first
