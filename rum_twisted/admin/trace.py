"""Where memory is taken: a window of tracing, short, and only when asked for.

While it lasts, Python remembers the line of every piece of memory that is taken. That
makes each taking about four times as dear, and costs some 80 bytes for each piece that
is kept: so a window ends by itself, after its time or when it has become too large.
"""

import tracemalloc
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.control.lines import Refused
from rum_twisted.terms.units import Seconds

__all__ = ["COST", "LONGEST_WINDOW", "Trace"]

LONGEST_WINDOW: Final = Seconds(600.0)
MOST_FRAMES: Final = 5
LARGEST: Final = 16 << 20  # bytes of notes; reading them takes 0.3 s, and as much again
_CHECK: Final = Seconds(1.0)
COST: Final = (
    "Until the window ends, what allocates is up to four times as slow, and each piece "
    "of memory that is kept costs some 80 bytes more with one frame, 16 more with each "
    "further one. It ends by itself after its time, or when its notes take 16 MB. To "
    "read the notes holds everybody up for up to 0.3 s."
)


class Trace:
    """One window at a time.

    Args:
        clock: ends it.

    Invariant: while Python traces because of this, its end is scheduled.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._end: IDelayedCall | None = None
        self._begun = 0.0
        self._checks = LoopingCall(self._check)
        self._checks.clock = clock

    @override
    def __repr__(self) -> str:
        return f"<Trace: {'on' if self.is_on else 'off'}>"

    @property
    def is_on(self) -> bool:
        """Tell whether a window is open."""
        return self._end is not None

    def start(self, seconds: Seconds, frames: int) -> Mapping[str, Any]:
        """Open a window.

        Args:
            seconds: until it ends by itself; at most `LONGEST_WINDOW`.
            frames: lines of the stack that are kept for each piece.

        Raises:
            Refused: one is open, or the bounds are not kept.
        """
        if not 0 < seconds <= LONGEST_WINDOW:
            raise Refused(f"seconds {seconds:g}: due up to {LONGEST_WINDOW:g}")
        if not 1 <= frames <= MOST_FRAMES:
            raise Refused(f"frames {frames}: due 1 to {MOST_FRAMES}")
        if self.is_on or tracemalloc.is_tracing():
            raise Refused("memory is being traced already: stop that first")
        tracemalloc.start(frames)
        self._begun = self._clock.seconds()
        self._end = self._clock.callLater(seconds, self._finish, "its time is over")
        self._checks.start(_CHECK, now=False)
        self.log.info(
            "memory is traced for {seconds:g} s, {frames} frames each",
            seconds=seconds,
            frames=frames,
        )
        return {"seconds": seconds, "frames": frames, "cost": COST}

    def stop(self) -> None:
        """Close the window; its notes are gone.

        Raises:
            Refused: none is open.
        """
        if not self.is_on:
            raise Refused("no memory is being traced")
        self._finish("stopped")

    def close(self) -> None:
        """Close the window if one is open: the server goes down."""
        if self.is_on:
            self._finish("the server goes down")

    def top(self, most: int) -> Mapping[str, Any]:
        """Return the lines that took most of what is kept since the start.

        Raises:
            Refused: no window is open, or its notes are too many.
        """
        if not self.is_on:
            raise Refused("no memory is being traced: start that first")
        notes = tracemalloc.get_tracemalloc_memory()
        if notes > LARGEST:
            self._finish("its notes are too many")
            raise Refused(f"the notes took {notes} bytes: the window was closed")
        snapshot = tracemalloc.take_snapshot()
        own = tracemalloc.Filter(inclusive=False, filename_pattern=tracemalloc.__file__)
        found = snapshot.filter_traces((own,)).statistics("traceback")
        traced, peak = tracemalloc.get_traced_memory()
        return {
            "seconds": round(self._clock.seconds() - self._begun, 1),
            "traced": traced,
            "peak": peak,
            "notes": notes,
            "lines": [
                {
                    "bytes": each.size,
                    "count": each.count,
                    "stack": [
                        _place(frame.filename, frame.lineno) for frame in each.traceback
                    ],
                }
                for each in found[:most]
            ],
        }

    def _check(self) -> None:
        if tracemalloc.get_tracemalloc_memory() > LARGEST:
            self._finish("its notes are too many")

    def _finish(self, reason: str) -> None:
        tracemalloc.stop()
        end, self._end = self._end, None
        if end is not None and end.active():
            end.cancel()
        if self._checks.running:
            self._checks.stop()
        self.log.info("memory is traced no more: {reason}", reason=reason)


def _place(path: str, line: int) -> str:
    parts = PurePath(path)
    return f"{parts.parent.name}/{parts.name}:{line}"
