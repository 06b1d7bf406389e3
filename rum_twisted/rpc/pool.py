"""Targets that may be asked for the same calls, and who of them is asked.

Without a traffic rule, all targets of a service are one pool; with one, the new
version is a pool of its own.
"""

from collections.abc import Sequence

from typing_extensions import override

from rum_twisted.rpc.breaker import BreakerState
from rum_twisted.rpc.selection import Selector
from rum_twisted.rpc.target import Target
from rum_twisted.terms.units import Seconds

__all__ = ["Pool"]


class Pool:
    """Some targets of one service.

    Invariant: ``able`` are those with a closed breaker, ``broken`` the others.

    Args:
        selector: picks one of several.
    """

    def __init__(self, selector: Selector) -> None:
        self._selector = selector
        self._targets: list[Target] = []
        self.able: list[Target] = []
        self.broken: list[Target] = []

    @override
    def __repr__(self) -> str:
        return f"<Pool: {len(self.able)} able, {len(self.broken)} broken>"

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._targets)

    def change(self, targets: list[Target]) -> None:
        """Take note of who there is."""
        self._targets = targets
        self._selector.change(targets)
        self.sort_out()

    def sort_out(self) -> None:
        """Part the targets by their breakers."""
        closed = BreakerState.CLOSED
        self.able = [each for each in self._targets if each.breaker.state is closed]
        self.broken = [
            each for each in self._targets if each.breaker.state is not closed
        ]

    def choose(self, key: str, now: Seconds, tried: Sequence[Target]) -> Target | None:
        """Return one who has not been tried; ``None`` if there is none."""
        able = self.able
        if self.broken:
            due = [each for each in self.broken if each.breaker.admits(now)]
            able = able + due
        if tried:
            able = [each for each in able if each not in tried]
        if len(able) > 1:
            return self._selector.select(able, key, now)
        return able[0] if able else None
