"""How late the reactor is, and which line holds it up.

The reactor ticks. A thread beside it sees when a tick is overdue, looks at what the
reactor's own thread is doing at that very moment, and looks again while it lasts: so
the answer is there while the server stands still, and it is kept when it goes on.
"""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from types import FrameType
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from typing_extensions import override

from rum_twisted.terms.histogram import Histogram
from rum_twisted.terms.units import Seconds

__all__ = ["LagWatch", "Lateness", "Stall", "stack_of"]

TICK: Final = Seconds(0.1)
LATE: Final = Seconds(0.05)  # a tick so much overdue is looked into
_LOOK: Final = Seconds(0.05)
MOST_STALLS: Final = 20  # that are kept: the slowest
MOST_RECENT: Final = 20  # and the last ones, whatever they took
DEEPEST: Final = 40  # frames of a stack
MOST_LINES: Final = 8  # that one stall is seen in
_STOP_WITHIN: Final = 2.0  # seconds

Frames = Callable[[int], FrameType | None]
"""Returns what a thread is doing, by its ident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """A time in which the reactor did one thing only."""

    at: Seconds  # since the epoch, when it began
    seconds: Seconds  # until it went on, or until now
    line: str  # where it was when it was looked at most often
    stack: tuple[str, ...]  # there, the innermost last
    lines: tuple[tuple[str, int], ...]  # where it was, and in how many looks


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late the ticks were in some time."""

    longest: Seconds
    mean: Seconds


class _Sighting:
    """What is seen of a stall while it lasts."""

    def __init__(self, begun: float) -> None:
        self.begun = begun
        self.looks: dict[str, int] = {}
        self.stacks: dict[str, tuple[str, ...]] = {}

    def add(self, stack: tuple[str, ...]) -> None:
        line = stack[-1] if stack else "?"
        if line not in self.looks:
            if len(self.looks) >= MOST_LINES:
                return
            self.stacks[line] = stack
        self.looks[line] = self.looks.get(line, 0) + 1

    def stall(self, at: float, now: float) -> Stall:
        lines = sorted(dict(self.looks).items(), key=lambda item: -item[1])
        line = lines[0][0] if lines else "?"
        return Stall(
            at=Seconds(at),
            seconds=Seconds(now - self.begun),
            line=line,
            stack=self.stacks.get(line, ()),
            lines=tuple(lines),
        )


class LagWatch(Service):
    """Watches the reactor, from within and from beside it.

    Args:
        clock: the reactor; it is the one that is watched.
        now: tells the seconds since the epoch.
        monotonic: tells seconds to both threads.
        frame_of: returns what a thread is doing.
        look_every: between two looks of the thread; a test that looks by itself has
            it wait.

    Invariant: `MOST_STALLS` of the slowest and `MOST_RECENT` of the last stalls are
    kept.
    """

    name = "lag"

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], Seconds],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        frame_of: Frames | None = None,
        look_every: Seconds = _LOOK,
    ) -> None:
        self._clock = clock
        self._now = now
        self._monotonic = monotonic
        self._frame_of = frame_of or _frame_of
        self._look_every = look_every
        self._tick: IDelayedCall | None = None
        self._due: float | None = None  # when the next tick is; None: not watched
        self._thread_id = 0  # the reactor's
        self._sighting: _Sighting | None = None
        self._slowest: list[Stall] = []
        self._recent: list[Stall] = []
        self.lateness = Histogram()  # of all ticks since the start
        self._longest = 0.0
        self._sum = 0.0
        self._ticks = 0
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    @override
    def __repr__(self) -> str:
        return f"<LagWatch: {self.overdue:.3f} s late, {len(self._slowest)} stalls>"

    @override
    def startService(self) -> None:
        """Begin to watch when the reactor runs."""
        super().startService()
        if self._tick is not None:
            return
        self._stop.clear()
        self._tick = self._clock.callLater(0, self._begin)

    @override
    def stopService(self) -> None:
        """Watch no more; the thread has ended when this returns."""
        super().stopService()
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        self._due = None
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(_STOP_WITHIN)

    @property
    def is_watching(self) -> bool:
        """Tell whether the reactor has begun to run."""
        return self._due is not None

    @property
    def overdue(self) -> Seconds:
        """How late the reactor is just now; for any thread."""
        due = self._due
        return Seconds(0.0 if due is None else max(0.0, self._monotonic() - due))

    @property
    def current(self) -> Stall | None:
        """What holds the reactor up just now; for any thread."""
        sighting = self._sighting
        if sighting is None or sighting.begun != self._due:
            return None  # it has just gone on
        now = self._monotonic()
        return sighting.stall(self._now() - (now - sighting.begun), now)

    def slowest(self) -> tuple[Stall, ...]:
        """Return the slowest stalls since the start, the slowest first."""
        return tuple(self._slowest)

    def recent(self) -> tuple[Stall, ...]:
        """Return the last stalls, the latest first."""
        return tuple(reversed(self._recent))

    def stack(self) -> tuple[str, ...]:
        """Return what the reactor's thread does just now; for any thread."""
        return stack_of(self._frame_of(self._thread_id))

    def take_lateness(self) -> Lateness:
        """Return how late ticks were since this was called last."""
        mean = self._sum / self._ticks if self._ticks else 0.0
        found = Lateness(Seconds(max(self._longest, self.overdue)), Seconds(mean))
        self._longest = self._sum = 0.0
        self._ticks = 0
        return found

    def look(self) -> None:
        """Look whether a tick is overdue; the thread does so again and again."""
        due = self._due
        if due is None or self._monotonic() - due < LATE:
            return
        stack = self.stack()
        if self._due != due:  # it went on while we looked
            return
        sighting = self._sighting
        if sighting is None or sighting.begun != due:
            sighting = self._sighting = _Sighting(due)
        sighting.add(stack)

    def _begin(self) -> None:
        self._thread_id = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="lag", daemon=True)
        self._schedule()
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(self._look_every):
            self.look()

    def _schedule(self) -> None:
        self._due = self._monotonic() + TICK
        self._tick = self._clock.callLater(TICK, self._note_tick)

    def _note_tick(self) -> None:
        due = self._due
        now = self._monotonic()
        assert due is not None, "a tick is due while it is scheduled"
        late = max(0.0, now - due)
        self.lateness.observe(late)
        self._longest = max(self._longest, late)
        self._sum += late
        self._ticks += 1
        sighting, self._sighting = self._sighting, None
        if sighting is not None and sighting.begun == due:
            self._keep(sighting.stall(self._now() - late, now))
        self._schedule()

    def _keep(self, stall: Stall) -> None:
        self._recent = [*self._recent, stall][-MOST_RECENT:]
        slowest = [*self._slowest, stall]
        slowest.sort(key=lambda each: -each.seconds)
        self._slowest = slowest[:MOST_STALLS]


def stack_of(frame: FrameType | None) -> tuple[str, ...]:
    """Return a stack's lines, the innermost last, e.g. ``pergola/outbox.py:88 settle``.

    Only the innermost frames of a deep one; no values, so no secrets.
    """
    lines: list[str] = []
    while frame is not None and len(lines) < DEEPEST:
        path = PurePath(frame.f_code.co_filename)
        place = f"{path.parent.name}/{path.name}:{frame.f_lineno}"
        lines.append(f"{place} {frame.f_code.co_name}")
        frame = frame.f_back
    return tuple(reversed(lines))


def _frame_of(ident: int) -> FrameType | None:
    frames: dict[int, Any] = sys._current_frames()  # noqa: SLF001 - documented
    return frames.get(ident)
