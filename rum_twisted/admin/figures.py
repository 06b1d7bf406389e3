"""What is counted about the process itself, for programs that watch."""

import platform
from collections.abc import Iterator
from typing import Final

from rum_twisted import __version__
from rum_twisted.admin.cgroup import MemoryGroup, throttled
from rum_twisted.admin.lag import LagWatch
from rum_twisted.admin.owners import Owners
from rum_twisted.admin.process import Collections, threads
from rum_twisted.admin.readiness import Readiness
from rum_twisted.terms.metric import Family
from twisted import __version__ as twisted_version

__all__ = ["ProcessFigures"]

_GENERATIONS: Final = ("youngest", "middle", "oldest")


class ProcessFigures:
    """The reactor, the collector, memory by owner, and what this process is.

    Args:
        lag: watches the reactor.
        collections: counts what the garbage collector does.
        owners: tell what they keep.
        group: is what the container allows.
        readiness: tells whether the process can take new work.
        roles: of this process.
    """

    def __init__(
        self,
        *,
        lag: LagWatch,
        collections: Collections,
        owners: Owners,
        group: MemoryGroup,
        readiness: Readiness,
        roles: tuple[str, ...],
    ) -> None:
        self._lag = lag
        self._collections = collections
        self._owners = owners
        self._group = group
        self._readiness = readiness
        self._roles = roles

    def families(self) -> Iterator[Family]:
        """Yield what is counted; see `Metered`."""
        yield self._readiness.family()
        yield Family(
            "rum_build_info",
            "gauge",
            "What runs here; always 1.",
            {(__version__, platform.python_version(), twisted_version): 1},
            ("version", "python", "twisted"),
        )
        roles = dict.fromkeys(self._roles, 1)
        yield Family.by(
            "role", "rum_role_info", "gauge", "What this process plays; 1.", roles
        )
        yield Family.single(
            "rum_threads", "gauge", "Threads that Python knows of.", threads()
        )
        yield from self._reactor()
        yield from self._collector()
        yield from self._memory()

    def _reactor(self) -> Iterator[Family]:
        yield Family.single(
            "rum_reactor_late_seconds",
            "histogram",
            "How late the reactor came to a tick; there are ten a second.",
            self._lag.lateness,
        )
        yield Family.single(
            "rum_reactor_overdue_seconds",
            "gauge",
            "How late the reactor is just now; grows while it stands still.",
            self._lag.overdue,
        )

    def _collector(self) -> Iterator[Family]:
        collections = self._collections
        runs = dict(zip(_GENERATIONS, tuple(collections.runs), strict=True))
        yield Family.by(
            "generation",
            "rum_gc_runs",
            "counter",
            "Runs of the garbage collector.",
            runs,
        )
        yield Family.single(
            "rum_gc_pause_seconds",
            "counter",
            "Seconds for which everybody waited for the garbage collector.",
            collections.pause,
        )
        yield Family.single(
            "rum_gc_longest_pause_seconds",
            "gauge",
            "The longest of these pauses since the start.",
            collections.longest,
        )
        yield Family.single(
            "rum_gc_collected_objects",
            "counter",
            "Unreachable objects that the garbage collector has freed.",
            collections.collected,
        )

    def _memory(self) -> Iterator[Family]:
        things: dict[str, float] = {}
        kept: dict[str, float] = {}
        bounds: dict[str, float] = {}
        for owner in self._owners.table():
            name, measure = owner.name, owner.measure
            things[name] = things.get(name, 0) + measure.count
            kept[name] = kept.get(name, 0) + measure.bytes
            if measure.bound is not None:
                bounds[name] = bounds.get(name, 0) + measure.bound
        text = "How many things an owner of memory keeps."
        yield Family.by("owner", "rum_owner_things", "gauge", text, things)
        text = "How many of these an owner may keep, where there is such a bound."
        yield Family.by("owner", "rum_owner_things_limit", "gauge", text, bounds)
        text = "Memory that an owner answers for, estimated."
        yield Family.by("owner", "rum_owner_bytes", "gauge", text, kept)
        yield from self._container()

    def _container(self) -> Iterator[Family]:
        use, stood = self._group.look(), throttled()
        values: dict[str, float] = {}
        if use is not None:
            values = {"used": use.used, "working": use.working}
            if use.limit is not None:
                values["limit"] = use.limit
        text = "Memory of the control group: used, without what the kernel drops first"
        yield Family.by(
            "kind",
            "rum_group_memory_bytes",
            "gauge",
            f"{text} (working), and the limit.",
            values,
        )
        yield Family.single(
            "rum_group_throttled_seconds",
            "counter",
            "Seconds for which the control group stood still for its CPU limit.",
            0.0 if stood is None else stood.seconds,
        )
