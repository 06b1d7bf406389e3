"""What a write costs, as the last minute has shown it.

Turns lie as far apart as they are dear (`rum_twisted.pergola.fanout`). What one turn
has cost says little about the next: while hashes share the core and its cache, the same
lines take a quarter to a third more of its time, and now and then twice as much. If
reports waited longer for that, those who fly would feel every logon. So a turn is
judged by its number of writes, at the mean price of the last minute. The turns of the
last second are judged together: what they should have cost stays within `TRUST` of
what they did cost. So a single dear turn passes, and a price that has leapt is
believed in part as soon as it is more than chance.

Both means decay exponentially. Writes that a slow client does not take are not counted;
what they cost is.
"""

from typing import Final

from typing_extensions import override

from rum_twisted.terms.units import Seconds

__all__ = ["Price"]

HALF_LIFE: Final = Seconds(40.0)
"""After this time what a write has cost counts half. A storm takes 20 to 30 s."""

MOMENT: Final = Seconds(0.5)
"""After this time what turns have cost together counts half."""

TRUST: Final = 4 / 3
"""How many times dearer or cheaper than usual turns may be, to be judged as usual.

So turns that have got dearer take at most so many times their share of the core.
"""


class Price:
    """What a write usually costs.

    Args:
        now: seconds, by the clock that `judge` gets.
    """

    __slots__ = ("_at", "_cost", "_judged", "_recent_cost", "_writes")

    def __init__(self, now: float) -> None:
        self._at = now
        self._cost = 0.0  # CPU seconds
        self._writes = 0.0
        self._recent_cost = 0.0  # CPU seconds, of turns with writes
        self._judged = 0.0  # what those should have cost

    @override
    def __repr__(self) -> str:
        price = self._cost / self._writes if self._writes else 0.0
        return f"<Price: {price * 1e6:.1f} us a write>"

    def judge(self, writes: int, cost: float, now: float) -> float:
        """Take note of a turn, and return what it should have cost, in CPU seconds.

        Args:
            writes: how many there were.
            cost: what they took, in CPU seconds.
            now: the time, in seconds.
        """
        if not writes:
            return cost
        passed = max(0.0, now - self._at)
        self._at = now
        kept: float = 0.5 ** (passed / HALF_LIFE)
        self._cost = self._cost * kept + cost
        self._writes = self._writes * kept + writes
        usual = self._cost / self._writes * writes
        kept = 0.5 ** (passed / MOMENT)
        self._recent_cost = self._recent_cost * kept + cost
        judged = self._judged * kept
        least = max(0.0, self._recent_cost / TRUST - judged)
        most = max(0.0, self._recent_cost * TRUST - judged)
        mine = min(max(usual, least), most)
        self._judged = judged + mine
        return mine
