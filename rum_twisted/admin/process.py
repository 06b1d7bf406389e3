"""What the kernel and Python tell of this process as a whole; cheap to ask.

Source: Linux, proc(5).
"""

import gc
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

__all__ = ["Collections", "cpu_seconds", "open_files", "pss", "rss", "threads"]

_SELF: Final = Path("/proc/self")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_KB: Final = 1024


def rss() -> int | None:
    """Return how much of this process is in memory, in bytes."""
    try:
        return int((_SELF / "statm").read_text("ascii").split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return None


def pss() -> int | None:
    """Return the same, what is shared counted by its share; costs 1 ms."""
    try:
        text = (_SELF / "smaps_rollup").read_text("ascii")
    except (OSError, ValueError):
        return None
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name == "Pss":
            return int(rest.split()[0]) * _KB
    return None


def open_files() -> int | None:
    """Return how many descriptors are open."""
    try:
        return len(os.listdir(_SELF / "fd")) - 1  # noqa: PTH208 - one is for looking
    except OSError:
        return None


def threads() -> int:
    """Return how many threads Python knows of."""
    return threading.active_count()


def cpu_seconds() -> float:
    """Return the CPU time of this process so far."""
    return time.process_time()


class Collections:
    """Counts what the garbage collector does, and how long everybody waits for it.

    Invariant: it listens to the collector between `start` and `stop` only.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._begun = 0.0
        self.pause = 0.0  # seconds in all
        self.longest = 0.0  # seconds
        self.runs = [0, 0, 0]  # by generation
        self.collected = 0
        self.uncollectable = 0

    @override
    def __repr__(self) -> str:
        return f"<Collections: {self.runs}, longest {self.longest:.4f} s>"

    def start(self) -> None:
        """Listen; a second time changes nothing."""
        if self._listen not in gc.callbacks:
            gc.callbacks.append(self._listen)

    def stop(self) -> None:
        """Listen no more."""
        if self._listen in gc.callbacks:
            gc.callbacks.remove(self._listen)

    def facts(self) -> dict[str, Any]:
        """Return everything that is known of the collector, for JSON."""
        return {
            "runs": list(self.runs),
            "pause_s": round(self.pause, 6),
            "longest_s": round(self.longest, 6),
            "collected": self.collected,
            "uncollectable": self.uncollectable,
            "thresholds": list(gc.get_threshold()),
            "counts": list(gc.get_count()),
            "frozen": gc.get_freeze_count(),
            "allocated_blocks": sys.getallocatedblocks(),
        }

    def _listen(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._begun = self._clock()
            return
        took = self._clock() - self._begun
        self.pause += took
        self.longest = max(self.longest, took)
        self.runs[info["generation"]] += 1
        self.collected += info["collected"]
        self.uncollectable += info["uncollectable"]
