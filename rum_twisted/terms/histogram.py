"""How often something was how large: plain counts, for whoever may want to look.

Counting costs a moment, and nothing is computed before somebody asks. Another thread
may read while counts go up: each list is copied in one step.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from typing_extensions import override

__all__ = ["SECONDS", "Histogram"]

SECONDS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Limits for waits: the shortest turn takes 4 ms, and nobody waits 10 s for a line."""


class Histogram:
    """Counts by buckets.

    Args:
        limits: the upper limit of each bucket, ascending; one more is above them all.

    Invariant: there is one more bucket than limits, whatever is counted.
    """

    __slots__ = ("buckets", "limits", "sum")

    def __init__(self, limits: Sequence[float] = SECONDS) -> None:
        self.limits = tuple(limits)
        self.buckets = [0] * (len(self.limits) + 1)
        self.sum = 0.0

    @override
    def __repr__(self) -> str:
        return f"<Histogram: {self.count} counted>"

    @property
    def count(self) -> int:
        """How many were counted."""
        return sum(self.buckets)

    def observe(self, value: float) -> None:
        """Count one."""
        self.sum += value
        self.buckets[bisect_left(self.limits, value)] += 1

    def observe_since(self, times: Sequence[float], now: float) -> None:
        """Count what has passed since each of some times.

        Args:
            times: ascending; mostly so close to each other that one bucket has all.
            now: on the same clock.
        """
        if not times:
            return
        limits, buckets = self.limits, self.buckets
        self.sum += len(times) * now - sum(times)
        longest = bisect_left(limits, now - times[0])
        if longest == bisect_left(limits, now - times[-1]):
            buckets[longest] += len(times)
            return
        for time in times:
            buckets[bisect_left(limits, now - time)] += 1
