"""What a write costs, as the last minute has shown it.

Turns lie as far apart as they are dear (`rum_twisted.pergola.fanout`). What one turn
has cost says little about the next: while hashes share the core and its cache, the same
lines take a quarter to a third more of its time, and now and then twice as much. If
reports waited longer for that, those who fly would feel every logon. So a turn is
judged by its number of writes, at the price that they have had for a while. A price
that stays as it is now is believed in the end, and one that has leapt is believed in
part as soon as it has lasted for a moment.

Writes that a slow client does not take are not counted; what they cost is.
"""

from typing import Final

from typing_extensions import override

from rum_twisted.terms.units import Seconds

__all__ = ["Price"]

HALF_LIFE: Final = Seconds(40.0)
"""After this time what a write has cost counts half. A storm takes 20 to 30 s."""

MOMENT: Final = Seconds(0.5)
"""The same of what it costs just now: a few turns of a crowd, and dozens of a few."""

TRUST: Final = 4 / 3
"""How many times dearer or cheaper than usual writes may be, to be judged as usual.

So turns that have got dearer take at most so many times their share of the core.
"""


class _Mean:
    """The mean cost of a write, where old ones count less and less."""

    __slots__ = ("_at", "_cost", "_half_life", "_writes")

    def __init__(self, half_life: Seconds, now: float) -> None:
        self._half_life = half_life
        self._at = now
        self._cost = 0.0  # CPU seconds
        self._writes = 0.0

    @property
    def value(self) -> float:
        """CPU seconds a write; 0 before the first."""
        return self._cost / self._writes if self._writes else 0.0

    def add(self, writes: int, cost: float, now: float) -> None:
        kept = 0.5 ** (max(0.0, now - self._at) / self._half_life)
        self._at = now
        self._cost = self._cost * kept + cost
        self._writes = self._writes * kept + writes


class Price:
    """What a write usually costs.

    Args:
        now: seconds, by the clock that `judge` gets.
    """

    __slots__ = ("_recent", "_usual")

    def __init__(self, now: float) -> None:
        self._usual = _Mean(HALF_LIFE, now)
        self._recent = _Mean(MOMENT, now)

    @override
    def __repr__(self) -> str:
        return f"<Price: {self._usual.value * 1e6:.1f} us a write>"

    def judge(self, writes: int, cost: float, now: float) -> float:
        """Take note of a turn, and return what it should have cost, in CPU seconds.

        Args:
            writes: how many there were.
            cost: what they took, in CPU seconds.
            now: the time, in seconds.
        """
        if not writes:
            return cost
        self._usual.add(writes, cost, now)
        self._recent.add(writes, cost, now)
        recent = self._recent.value
        return min(max(self._usual.value, recent / TRUST), recent * TRUST) * writes
