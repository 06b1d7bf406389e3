"""The hour before an incident: a sample a minute, in memory that never grows.

Each sample has the process as a whole, each owner's count and bytes, and the types that
take most. Besides, once a second there is a `Pulse`, so cheap that it costs nothing,
for whoever guards the server's limits.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isnan, nan
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import CooperativeTask, Cooperator, LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.admin import process
from rum_twisted.admin.census import Comparable, Population, Tally
from rum_twisted.admin.cgroup import MemoryGroup, throttled
from rum_twisted.admin.lag import LagWatch
from rum_twisted.admin.owners import MOST_OWNERS, Owner, Owners
from rum_twisted.admin.process import Collections
from rum_twisted.admin.ring import Ring
from rum_twisted.terms.units import Seconds

__all__ = ["GAUGES", "MINUTES", "Pulse", "Sample", "Sampler"]

INTERVAL: Final = Seconds(60.0)
PULSE_INTERVAL: Final = Seconds(1.0)
MINUTES: Final = 90
TOP_TYPES: Final = 24
MOST_NAMES: Final = 256  # of types that were ever among the top; others lose their name
_NAMELESS: Final = "(a type without a name here)"
_MANY: Final = "(more owners)"
_OF_OWNER: Final = 2  # numbers: count, bytes
_OF_TYPE: Final = 3  # numbers: the name's, count, bytes

GAUGES: Final = (
    "at",  # seconds since the epoch; all others are of that moment
    "rss",  # bytes
    "pss",
    "group_used",
    "group_working",
    "group_limit",
    "cpu_s",  # so far, as everything that only grows
    "throttled_times",
    "throttled_s",
    "gc_runs_0",
    "gc_runs_1",
    "gc_runs_2",
    "gc_pause_s",
    "gc_longest_s",
    "gc_uncollectable",
    "lag_longest_s",  # since the sample before
    "lag_mean_s",
    "files",
    "threads",
    "tasks",  # asyncio's
    "deferreds",  # without a result
    "objects",
    "object_bytes",
    "sample_cpu_s",  # what the sample before cost
    "guard_memory",  # rungs that the guard has reached
    "guard_cpu",
)
"""What is known of the process as a whole, in the order in which it is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What changes fast and costs nothing to look at."""

    at: Seconds  # since the epoch
    rss: int | None  # bytes
    used: int | None  # by the group, without what the kernel drops first
    limit: int | None
    lag: Seconds  # the longest since the pulse before
    throttled_s: Seconds  # so far


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment of the last hour and a half."""

    gauges: dict[str, float | None]
    owners: dict[str, tuple[int, int]]  # count and bytes
    types: dict[str, tuple[int, int]]


class Sampler(Service):
    """Takes samples, and keeps the last `MINUTES` of them.

    Args:
        clock: the reactor.
        now: tells the seconds since the epoch.
        owners: who is asked.
        lag: tells how late the reactor is.
        collections: counts what the collector does.
        group: the control group.

    Invariant: the memory that it takes is the same after the first sample as ever.
    """

    log = Logger()
    name = "sampler"

    def __init__(
        self,
        clock: IReactorTime,
        now: Callable[[], Seconds],
        *,
        owners: Owners,
        lag: LagWatch,
        collections: Collections,
        group: MemoryGroup,
    ) -> None:
        self._clock = clock
        self._now = now
        self._owners = owners
        self._lag = lag
        self._collections = collections
        self._group = group
        self._gauges = Ring(MINUTES, len(GAUGES))
        self._kept_owners = Ring(MINUTES, MOST_OWNERS * _OF_OWNER)
        self._kept_types = Ring(MINUTES, TOP_TYPES * _OF_TYPE)
        self._owner_names: list[str] = []
        self._type_names: list[str] = []
        self._cost = 0.0  # CPU seconds of the last sample
        self._lag_of_minute = 0.0
        self._lag_means: list[float] = []
        self._watchers: list[Callable[[Pulse], None]] = []
        self.pulse: Pulse | None = None  # the last one
        self.tally: Tally | None = None  # the last census
        self.population = Population()
        # How many rungs the guard has reached, of memory and of CPU; he tells.
        self.guard_levels: Callable[[], tuple[float | None, float | None]] = _unguarded
        self._samples = LoopingCall(self._begin)
        self._pulses = LoopingCall(self._beat)
        for loop in (self._samples, self._pulses):
            loop.clock = clock
        self._turns = Cooperator(
            terminationPredicateFactory=lambda: lambda: True,  # one step a turn
            scheduler=lambda step: clock.callLater(0, step),
            started=False,
        )
        self._sampling: CooperativeTask[Iterator[None]] | None = None

    @override
    def __repr__(self) -> str:
        return f"<Sampler: {len(self._gauges)} samples, {self.bytes} bytes>"

    @property
    def bytes(self) -> int:
        """What the rings take, from the start."""
        return sum(
            ring.bytes for ring in (self._gauges, self._kept_owners, self._kept_types)
        )

    def watch(self, watcher: Callable[[Pulse], None]) -> None:
        """Have somebody told of each pulse."""
        self._watchers.append(watcher)

    @override
    def startService(self) -> None:
        """Take a sample now, and one each minute."""
        super().startService()
        if self._samples.running:
            return
        self._collections.start()
        self._turns.start()
        self._samples.start(INTERVAL)
        self._pulses.start(PULSE_INTERVAL, now=False)

    @override
    def stopService(self) -> None:
        """Take no more; those that were taken stay."""
        super().stopService()
        for loop in (self._samples, self._pulses):
            if loop.running:
                loop.stop()
        if self._sampling is not None:
            self._sampling.stop()
            self._sampling = None
        self._turns.stop()
        self._collections.stop()

    def samples(self) -> list[Sample]:
        """Return the samples, the oldest first; for any thread."""
        owners, types = self._kept_owners.rows(), self._kept_types.rows()
        return [
            Sample(self._named(row), self._owners_of(mine), self._types_of(its))
            for row, mine, its in zip(self._gauges.rows(), owners, types, strict=False)
        ]

    def _beat(self) -> None:
        try:
            self._take_pulse()
        except Exception:  # noqa: BLE001 - the loop must go on
            self.log.failure("the pulse of the process cannot be taken")

    def _take_pulse(self) -> None:
        lateness = self._lag.take_lateness()
        self._lag_of_minute = max(self._lag_of_minute, lateness.longest)
        self._lag_means.append(lateness.mean)
        group = self._group.look()
        stood = throttled()
        pulse = self.pulse = Pulse(
            at=self._now(),
            rss=process.rss(),
            used=None if group is None else group.working,
            limit=None if group is None else group.limit,
            lag=lateness.longest,
            throttled_s=Seconds(0.0 if stood is None else stood.seconds),
        )
        for watcher in self._watchers:
            watcher(pulse)

    def _begin(self) -> None:
        if self._sampling is not None:  # a minute was not enough
            return
        self._sampling = self._turns.cooperate(self._sample())
        self._sampling.whenDone().addBoth(self._end)

    def _end(self, outcome: object) -> None:
        self._sampling = None
        if isinstance(outcome, Failure) and self.running:
            self.log.failure("a sample was not taken", outcome)

    def _sample(self) -> Iterator[None]:
        cost = 0.0
        census = Comparable(self.population)
        steps = census.steps()
        while True:
            begun = process.cpu_seconds()
            is_done = next(steps, steps) is steps
            cost += process.cpu_seconds() - begun
            if is_done:
                break
            yield
        begun = process.cpu_seconds()
        self.tally = tally = census.tally()
        self._gauges.push([_number(value) for value in self._look(tally)])
        self._kept_owners.push(self._numbers_of(self._owners.table()))
        self._kept_types.push(self._numbers_of_types(tally))
        self._cost = cost + process.cpu_seconds() - begun

    def _look(self, tally: Tally) -> tuple[float | None, ...]:
        """Return the gauges in their order."""
        group, stood = self._group.look(), throttled()
        means, self._lag_means = self._lag_means, []
        longest, self._lag_of_minute = self._lag_of_minute, 0.0
        gc = self._collections
        return (
            self._now(),
            process.rss(),
            process.pss(),
            *(
                (None, None, None)
                if group is None
                else (group.used, group.working, group.limit)
            ),
            process.cpu_seconds(),
            *((None, None) if stood is None else (stood.times, stood.seconds)),
            *gc.runs,
            gc.pause,
            gc.longest,
            gc.uncollectable,
            longest,
            sum(means) / len(means) if means else 0.0,
            process.open_files(),
            process.threads(),
            _tasks(),
            tally.waiting_deferreds,
            tally.objects + tally.frozen,
            tally.bytes,
            self._cost,
            *self.guard_levels(),
        )

    def _numbers_of(self, table: Sequence[Owner]) -> list[float]:
        numbers = [nan] * (MOST_OWNERS * _OF_OWNER)
        for owner in table:
            place = self._place_of(owner.name) * _OF_OWNER
            # Of what is made in many places, the sum is kept.
            for number, value in enumerate((owner.measure.count, owner.measure.bytes)):
                before = numbers[place + number]
                numbers[place + number] = value if isnan(before) else before + value
        return numbers

    def _place_of(self, name: str) -> int:
        with suppress(ValueError):
            return self._owner_names.index(name)
        if len(self._owner_names) == MOST_OWNERS - 1:
            name = _MANY
        if len(self._owner_names) < MOST_OWNERS:
            self._owner_names.append(name)
        return len(self._owner_names) - 1

    def _numbers_of_types(self, tally: Tally) -> list[float]:
        numbers: list[float] = []
        for kind in tally.kinds[:TOP_TYPES]:
            if kind.name not in self._type_names and len(self._type_names) < MOST_NAMES:
                self._type_names.append(kind.name)
            known = kind.name in self._type_names
            number = self._type_names.index(kind.name) if known else -1
            numbers += (number, kind.count, kind.bytes)
        return numbers

    def _named(self, row: Sequence[float]) -> dict[str, float | None]:
        return {
            name: None if isnan(value) else value
            for name, value in zip(GAUGES, row, strict=True)
        }

    def _owners_of(self, row: Sequence[float]) -> dict[str, tuple[int, int]]:
        return {
            name: (int(row[2 * place]), int(row[2 * place + 1]))
            for place, name in enumerate(tuple(self._owner_names))
            if not isnan(row[2 * place])
        }

    def _types_of(self, row: Sequence[float]) -> dict[str, tuple[int, int]]:
        names = tuple(self._type_names)
        found = {}
        for begin in range(0, len(row), _OF_TYPE):
            number, count, size = row[begin : begin + _OF_TYPE]
            if isnan(number):
                break
            name = names[int(number)] if number >= 0 else _NAMELESS
            found[name] = (int(count), int(size))
        return found


def _unguarded() -> tuple[None, None]:
    """Return what is known of a guard where there is none."""
    return None, None


def _number(value: Any) -> float:
    return nan if value is None else float(value)


def _tasks() -> int | None:
    """Return how many asyncio tasks there are; ``None`` on another reactor."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:  # no loop runs here
        return None
