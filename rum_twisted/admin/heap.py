"""The live heap, as an operator asks for it: everything here is a value for JSON.

`rumctl heap`, HTTP and the dump show what is made here, so that they cannot disagree.
Methods whose names end in ``_now`` answer at once, and may be called by a thread beside
the reactor's while that stands still; the others take turns with everybody else.
"""

import gc
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import (
    CooperativeTask,
    Cooperator,
    SchedulerStopped,
    TaskFinished,
)
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.admin import process
from rum_twisted.admin.census import WALK, Census, Comparable, Kind, Tally, name_of
from rum_twisted.admin.lag import LagWatch, Stall, stack_of
from rum_twisted.admin.owners import Owner, Owners
from rum_twisted.admin.process import Collections
from rum_twisted.admin.sampler import Sample, Sampler
from rum_twisted.admin.who import Search, find
from rum_twisted.control.lines import Refused
from rum_twisted.terms.units import Seconds

__all__ = ["Heap", "Sources", "owner_facts"]

MOST_LINES: Final = 200  # of any list that is asked for
_DEFAULT_LINES: Final = 20
_MINUTE: Final = 60  # seconds
_DIGITS: Final = 6  # of seconds: microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the facts come from."""

    owners: Owners
    sampler: Sampler
    lag: LagWatch
    collections: Collections
    roots: Mapping[str, object]  # where ways down to an object begin


@dataclass(frozen=True, slots=True)
class _Mark:
    """A moment to compare with."""

    at: Seconds
    types: Mapping[str, tuple[int, int]]  # count and bytes
    owners: Mapping[str, tuple[int, int]]
    is_sample: bool = False  # then it has the top types only


class Heap:
    """Answers what the heap is made of.

    Args:
        clock: the reactor.
        now: tells the seconds since the epoch.
        sources: where the facts come from.
    """

    def __init__(
        self, clock: IReactorTime, now: Callable[[], Seconds], sources: Sources
    ) -> None:
        self._now = now
        self._sources = sources
        self._mark: _Mark | None = None
        self._turns = Cooperator(
            terminationPredicateFactory=lambda: lambda: True,  # one step a turn
            scheduler=lambda step: clock.callLater(0, step),
        )

    @override
    def __repr__(self) -> str:
        return f"<Heap: {'marked' if self._mark else 'not marked'}>"

    def start(self) -> None:
        """Let work be done; it is from the beginning, until `stop`."""
        self._turns.start()

    def stop(self) -> None:
        """End all work: the server goes down, and who waits is told so."""
        self._turns.stop()

    def count(self, method: str | None = None) -> Deferred[Tally]:
        """Count all objects, in slices.

        Args:
            method: the census's; ``None``: by list where that is short.
        """
        population = self._sources.sampler.population
        if method is None:
            census = population.census(leaves=True)
        else:
            census = Census(method=method)
        return self._counted(census)

    def census(self, most: int = _DEFAULT_LINES) -> Deferred[dict[str, Any]]:
        """Return those types that take most."""
        return self.count().addCallback(_tally_facts, most)

    def census_now(
        self, most: int = _DEFAULT_LINES, *, leaves: bool = False
    ) -> dict[str, Any]:
        """Return the same, without letting anybody have a turn.

        Args:
            most: how many types.
            leaves: count texts, bytes and numbers too; it takes four times as long.
        """
        return _tally_facts(self._count_now(leaves=leaves), most)

    def owners_now(self) -> dict[str, Any]:
        """Return the owners' table, and the process beside it."""
        table = self._sources.owners.table()
        return {
            "at": self._now(),
            "rss": process.rss(),
            "bytes": sum(owner.measure.bytes for owner in table),
            "owners": [owner_facts(owner) for owner in table],
        }

    def set_mark(self) -> Deferred[dict[str, Any]]:
        """Remember this moment, for `growth`."""
        # However many there are by then: what is compared is counted alike.
        return self.count(WALK).addCallback(self._keep_mark)

    def growth(self, minutes: int | None = None) -> Deferred[dict[str, Any]]:
        """Return what has grown, by type and by owner, the most first.

        Args:
            minutes: since when; a sample of then is compared with. ``None``: since
                the mark.

        Raises:
            Refused: there is no mark, or no sample.
        """
        if minutes is None:
            if self._mark is None:
                raise Refused("no moment was marked: name minutes, or mark one first")
            mark = self._mark
            return self.count(WALK).addCallback(self._growth_since, mark)
        # A sample has no texts, bytes and numbers; neither has what it is compared to.
        mark = self._sampled(minutes)
        census = Comparable(self._sources.sampler.population)
        counted = self._in_slices(census.steps())
        return counted.addCallback(lambda _: self._growth_since(census.tally(), mark))

    def growth_now(self, minutes: int) -> dict[str, Any]:
        """Return the same, without letting anybody have a turn.

        Raises:
            Refused: there is no sample.
        """
        mark = self._sampled(minutes)
        census = Comparable(self._sources.sampler.population)
        for _ in census.steps():
            pass
        return self._growth_since(census.tally(), mark)

    def who(self, kind: str, number: int = -1) -> Deferred[dict[str, Any]]:
        """Return who keeps an object alive.

        Args:
            kind: its type, as the census names it.
            number: which one; -1 is the newest.

        Raises:
            Refused: there is none.
        """
        target = find(kind, number)
        if target is None:
            raise Refused(
                f"{kind}: no object number {number} of this type, or all are older "
                "than the start; heap census has the names"
            )
        return self.who_keeps(target)

    def who_keeps(self, target: object) -> Deferred[dict[str, Any]]:
        """Return who keeps this very object alive."""
        facts = {"type": name_of(type(target)), "bytes": sys.getsizeof(target, 0)}
        search = Search(target, self._sources.roots)
        del target  # what waits for the answer is no holder of it
        looked = self._in_slices(search.steps())
        return looked.addCallback(
            lambda _: {**facts, "path": search.path, "chains": search.chains}
        )

    def collector_now(self) -> dict[str, Any]:
        """Return what the garbage collector does."""
        return self._sources.collections.facts()

    def collect(self) -> dict[str, Any]:
        """Have the collector look at everything now, and tell what went."""
        before = process.rss()
        found = gc.collect()
        return {"unreachable": found, "rss_before": before, "rss": process.rss()}

    def lag_now(self) -> dict[str, Any]:
        """Return how late the reactor is, and the stalls that are known."""
        lag = self._sources.lag
        current = lag.current
        return {
            "late_s": round(lag.overdue, _DIGITS),
            "current": None if current is None else _stall_facts(current),
            "slowest": [_stall_facts(stall) for stall in lag.slowest()],
            "recent": [_stall_facts(stall) for stall in lag.recent()],
        }

    def stacks_now(self) -> dict[str, list[str]]:
        """Return what each thread does just now, by its name."""
        frames = sys._current_frames()  # noqa: SLF001 - documented
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        return {
            f"{names.get(ident, 'thread')} {ident}": list(stack_of(frame))
            for ident, frame in frames.items()
        }

    def samples_now(self, minutes: int | None = None) -> dict[str, Any]:
        """Return the samples of the last ``minutes``, or all, the oldest first."""
        samples = self._sources.sampler.samples()
        if minutes is not None:
            samples = samples[-minutes:] if minutes > 0 else []
        return {"samples": [asdict(sample) for sample in samples]}

    def _counted(self, census: Census) -> Deferred[Tally]:
        return self._in_slices(census.steps()).addCallback(lambda _: self._end(census))

    def _count_now(self, *, leaves: bool) -> Tally:
        census = self._sources.sampler.population.census(leaves=leaves)
        for _ in census.steps():
            pass
        return self._end(census)

    def _end(self, census: Census) -> Tally:
        tally = census.tally()
        self._sources.sampler.population.learn(tally)
        return tally

    def _in_slices(self, steps: Iterator[None]) -> Deferred[Any]:
        task = self._turns.cooperate(steps)
        waiting: Deferred[Any] = Deferred(partial(_give_up, task))
        task.whenDone().addBoth(_pass_on, waiting)
        return waiting

    def _keep_mark(self, tally: Tally) -> dict[str, Any]:
        self._mark = _Mark(self._now(), _by_name(tally.kinds), self._owner_sums())
        return {"at": self._mark.at, "objects": tally.objects, "bytes": tally.bytes}

    def _owner_sums(self) -> dict[str, tuple[int, int]]:
        sums: dict[str, tuple[int, int]] = {}
        for owner in self._sources.owners.table():
            count, size = sums.get(owner.name, (0, 0))
            measure = owner.measure
            sums[owner.name] = (count + measure.count, size + measure.bytes)
        return sums

    def _sampled(self, minutes: int) -> _Mark:
        """Return the sample that was taken ``minutes`` ago, or the oldest there is."""
        since = self._now() - minutes * _MINUTE
        samples = self._sources.sampler.samples()
        if not samples:
            raise Refused("no sample was taken yet; there is one each minute")
        earlier = [sample for sample in samples if _time_of(sample) <= since]
        sample = earlier[-1] if earlier else samples[0]
        return _Mark(_time_of(sample), sample.types, sample.owners, is_sample=True)

    def _growth_since(self, tally: Tally, mark: _Mark) -> dict[str, Any]:
        types = _by_name(tally.kinds)
        if mark.is_sample:
            # Of a type that is not among its top ones it is known what it had at most.
            most = min((size for _, size in mark.types.values()), default=0)
            types = {
                name: (count, size)
                for name, (count, size) in types.items()
                if name in mark.types or size > most
            }
        return {
            "since": mark.at,
            "seconds": round(self._now() - mark.at, 1),
            "owners": _differences(mark.owners, self._owner_sums()),
            "types": _differences(mark.types, types),
        }


def owner_facts(owner: Owner) -> dict[str, Any]:
    """Return a line of the owners' table for JSON; what is not known is left out."""
    measure = owner.measure
    facts: dict[str, Any] = {
        "name": owner.name,
        "count": measure.count,
        "bytes": measure.bytes,
        "bound": measure.bound,
        "bytes_bound": measure.bytes_bound,
        "oldest_s": None if measure.oldest_s is None else round(measure.oldest_s, 1),
        "made_at": measure.made_at or None,
        "trouble": owner.trouble or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _give_up(task: CooperativeTask[Any], waiting: Deferred[Any]) -> None:
    """End work that nobody waits for any more."""
    with suppress(TaskFinished):
        task.stop()


def _pass_on(result: object, waiting: Deferred[Any]) -> None:
    """Tell who waits that the work has ended; if it was stopped, he did that."""
    if isinstance(result, Failure):
        if result.check(SchedulerStopped):
            waiting.errback(Refused("the server goes down"))
        elif not result.check(TaskFinished):
            waiting.errback(result)
    else:
        waiting.callback(None)


def _time_of(sample: Sample) -> Seconds:
    return Seconds(sample.gauges["at"] or 0.0)


def _by_name(kinds: Sequence[Kind]) -> dict[str, tuple[int, int]]:
    return {kind.name: (kind.count, kind.bytes) for kind in kinds}


def _differences(
    before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]
) -> list[dict[str, Any]]:
    """Return what differs, those that grew most first."""
    found: list[tuple[int, dict[str, Any]]] = []
    for name in {**before, **after}:
        count, size = after.get(name, (0, 0))
        old_count, old_size = before.get(name, (0, 0))
        if (count, size) != (old_count, old_size):
            facts = {
                "name": name,
                "count": count - old_count,
                "bytes": size - old_size,
                "now_count": count,
                "now_bytes": size,
            }
            found.append((size - old_size, facts))
    found.sort(key=lambda each: -each[0])
    return [facts for _, facts in found[:MOST_LINES]]


def _tally_facts(tally: Tally, most: int) -> dict[str, Any]:
    return {
        "method": tally.method,
        "objects": tally.objects,
        "bytes": tally.bytes,
        "frozen": tally.frozen,
        "waiting_deferreds": tally.waiting_deferreds,
        "types": [asdict(kind) for kind in tally.top(min(most, MOST_LINES))],
    }


def _stall_facts(stall: Stall) -> dict[str, Any]:
    return {
        "at": stall.at,
        "seconds": round(stall.seconds, _DIGITS),
        "line": stall.line,
        "stack": list(stall.stack),
        "lines": [{"line": line, "looks": looks} for line, looks in stall.lines],
    }
