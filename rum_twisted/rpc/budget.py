"""A budget for second attempts, so that they cannot multiply load.

When a service is overloaded, every caller who tries again makes it worse. So second
attempts are paid from a purse: each call puts a tenth of a coin in, each second
attempt takes a whole one out. While all is well the purse is full; when every call
fails, a tenth of the calls are repeated and no more.
"""

from typing import Final

from typing_extensions import override

from rum_twisted.terms.units import Seconds

__all__ = ["FULL_PURSE", "RetryBudget"]

FULL_PURSE: Final = 100.0
"""About as many calls as may be under way when an instance dies: all are repeated."""

COINS_PER_SECOND: Final = 1.0  # for services that are hardly ever called


class RetryBudget:
    """How many second attempts may still be made.

    Invariant: between 0 and `FULL_PURSE` coins are in the purse.

    Args:
        ratio: coins that each call adds; 0 to 1.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._coins = FULL_PURSE
        self._filled_at = Seconds(0.0)
        self.refused = 0  # second attempts that were not made for want of a coin

    @override
    def __repr__(self) -> str:
        return f"<RetryBudget: {self._coins:.1f} left, {self.refused} refused>"

    def deposit(self) -> None:
        """Add what a call adds."""
        if self._coins < FULL_PURSE:
            self._coins = min(self._coins + self._ratio, FULL_PURSE)

    def withdraw(self, now: Seconds) -> bool:
        """Pay for a second attempt, if that can be paid; tell whether it was."""
        passed = max(now - self._filled_at, 0.0)
        self._coins = min(self._coins + passed * COINS_PER_SECOND, FULL_PURSE)
        self._filled_at = now
        if self._coins < 1:
            self.refused += 1
            return False
        self._coins -= 1
        return True
