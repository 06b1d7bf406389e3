"""Times small pieces of code, in microseconds for each call."""

import timeit
from collections.abc import Callable
from typing import Final

__all__ = ["microseconds"]

_REPEATS: Final = 5


def microseconds(act: Callable[[], object]) -> float:
    """Return how long a call of ``act`` takes: the best of several tries.

    The best, not the mean: what else the machine does can only make it slower.
    """
    timer = timeit.Timer(act)
    number, _ = timer.autorange()
    return min(timer.repeat(_REPEATS, max(1, number // 2))) / max(1, number // 2) * 1e6
