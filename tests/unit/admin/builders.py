"""An admin room on a clock that stands still, without threads or sockets."""

from collections.abc import Sequence
from types import FrameType
from typing import Any

from twisted.internet.task import Clock

from rum_twisted.admin.cgroup import MemoryGroup
from rum_twisted.admin.heap import Heap, Sources
from rum_twisted.admin.lag import LagWatch
from rum_twisted.admin.owners import Owners
from rum_twisted.admin.process import Collections
from rum_twisted.admin.sampler import Sampler
from rum_twisted.terms.units import Seconds

NOON = 1_795_262_400.0  # 2026-11-21 12:00 UTC
NEVER = Seconds(3600.0)  # until the thread looks: the tests do so


class Room:
    """Everything that looks at this process; time goes on with `pass_time` only.

    Args:
        frame: what the reactor's thread is found doing.
    """

    def __init__(self, frame: FrameType | None = None) -> None:
        self.clock = Clock()
        self.frame = frame
        self.late = 0.0  # seconds by which the reactor lags behind
        self.owners = Owners()
        self.lag = LagWatch(
            self.clock,
            self.now,
            monotonic=lambda: self.clock.seconds() + self.late,
            frame_of=lambda ident: self.frame,
            look_every=NEVER,
        )
        self.collections = Collections()
        self.sampler = Sampler(
            self.clock,
            self.now,
            owners=self.owners,
            lag=self.lag,
            collections=self.collections,
            group=MemoryGroup(),
        )
        self.roots: dict[str, object] = {"room": self}
        self.heap = Heap(
            self.clock,
            self.now,
            Sources(
                owners=self.owners,
                sampler=self.sampler,
                lag=self.lag,
                collections=self.collections,
                roots=self.roots,
            ),
        )

    def now(self) -> Seconds:
        """Return the seconds since the epoch."""
        return Seconds(NOON + self.clock.seconds() + self.late)

    def work(self) -> None:
        """Let everything that takes turns come to its end, in no time."""
        for _ in range(100_000):
            if not any(call.getTime() <= self.clock.seconds() for call in self._calls):
                return
            self.clock.advance(0)
        raise AssertionError("it does not come to an end")

    def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass, and what is due be done."""
        end = self.clock.seconds() + seconds
        while self.clock.seconds() < end:
            self.clock.advance(min(step, end - self.clock.seconds()))
            self.work()

    @property
    def _calls(self) -> Sequence[Any]:
        return self.clock.getDelayedCalls()
