"""What an operator sees of a running server: put together for any role."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from twisted.application.service import MultiService
from typing_extensions import override

from rum_twisted.admin.cgroup import MemoryGroup
from rum_twisted.admin.dump import Dumps
from rum_twisted.admin.exposition import Exposition
from rum_twisted.admin.figures import ProcessFigures
from rum_twisted.admin.heap import Heap, Sources
from rum_twisted.admin.http import Page, WatchServer
from rum_twisted.admin.lag import LagWatch
from rum_twisted.admin.owners import Owners
from rum_twisted.admin.process import Collections
from rum_twisted.admin.questions import HeapCommands, Pages
from rum_twisted.admin.readiness import Readiness
from rum_twisted.admin.sampler import Sampler
from rum_twisted.admin.status import Status
from rum_twisted.config import endpoints
from rum_twisted.control.server import Command
from rum_twisted.terms.measure import Measure, Measured
from rum_twisted.terms.metric import Metered
from rum_twisted.terms.readiness import Needed
from rum_twisted.terms.units import Seconds

__all__ = ["Admin", "build_admin"]

DUMPS: Final = "dumps"  # the folder, in the data folder


class Admin(MultiService):
    """The services that look at this process.

    They are started first and stopped last: a start and an end that hang are worth
    seeing, too.

    Args:
        reactor: is watched.
        now: tells the seconds since the epoch.
        data_dir: where dumps are written, in a folder of their own.
        roles: of this process.
    """

    def __init__(
        self,
        reactor: Any,
        now: Callable[[], Seconds],
        data_dir: Path,
        roles: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.setName("admin")
        self._reactor = reactor
        self.now = now
        self.owners = Owners()
        self.lag = LagWatch(reactor, now)
        self.collections = Collections()
        group = MemoryGroup()
        self.sampler = Sampler(
            reactor,
            now,
            owners=self.owners,
            lag=self.lag,
            collections=self.collections,
            group=group,
        )
        self.roots: dict[str, object] = {}  # where ways down to an object begin
        self.heap = Heap(
            reactor,
            now,
            Sources(
                owners=self.owners,
                sampler=self.sampler,
                lag=self.lag,
                collections=self.collections,
                roots=self.roots,
            ),
        )
        self.dumps = Dumps(data_dir / DUMPS, self.heap, now)
        self._heap_commands = HeapCommands(self.heap, now, reactor)
        self.readiness = Readiness(self.lag)
        self.status = Status(self.readiness, now, roles)
        self.exposition = Exposition(reactor.callFromThread)
        self.exposition.add(
            ProcessFigures(
                lag=self.lag,
                collections=self.collections,
                owners=self.owners,
                group=group,
                readiness=self.readiness,
                roles=roles,
            ).families
        )
        self.pages: dict[str, Page] = {
            **Pages(self.heap, self.lag, now).pages,
            "/health/ready": self.readiness.page,
            "/metrics": self.exposition.page,
            "/status.json": self.status.page,
        }
        self.lag.setServiceParent(self)
        self.sampler.setServiceParent(self)
        self.owners.register("admin", self._measure)

    @override
    def __repr__(self) -> str:
        return f"<Admin: {self.owners!r}>"

    @property
    def commands(self) -> Mapping[str, Command]:
        """What may be asked over the control socket, by name."""
        return self._heap_commands.commands

    def watch(self, *parts: object) -> None:
        """Look at everything that tells of itself among ``parts``.

        What keeps memory becomes an owner, what counts is on the page of metrics, and
        what the process cannot do without is asked whether it is ready.

        Raises:
            ValueError: two have a name in common.
        """
        for part in dict.fromkeys(parts):
            if isinstance(part, Measured):
                for name, measure in part.measures().items():
                    self.owners.register(name, measure)
            if isinstance(part, Metered):
                self.exposition.add(part.families)
            if isinstance(part, Needed):
                name = getattr(part, "name", None) or type(part).__name__
                self.readiness.need(name, part)

    def listen(self, host: str, port: int) -> WatchServer:
        """Answer over HTTP while this runs; pages may be added until it starts."""
        server = WatchServer(host, port, self.pages, self._reactor.callFromThread)
        server.setServiceParent(self)
        return server

    @override
    def startService(self) -> None:
        """Look, from now on."""
        self.heap.start()
        super().startService()

    @override
    def stopService(self) -> Any:
        """Look no more; a census under way and a window of tracing end."""
        self._heap_commands.close()
        self.heap.stop()
        return super().stopService()

    def _measure(self) -> Measure:
        return Measure(count=len(self.sampler.samples()), bytes=self.sampler.bytes)


def build_admin(
    reactor: Any,
    now: Callable[[], Seconds],
    *,
    data_dir: Path,
    http: str,
    roles: tuple[str, ...] = (),
) -> Admin:
    """Return the services that look at this process.

    Args:
        reactor: is watched.
        now: tells the seconds since the epoch.
        data_dir: where dumps are written, in a folder of their own.
        http: where questions are answered over HTTP, e.g. ``tcp:6810``; empty:
            nowhere.
        roles: of this process.

    Raises:
        UnfitDescription: ``http`` is no such place.
    """
    admin = Admin(reactor, now, data_dir, roles)
    if http:
        admin.listen(*endpoints.host_and_port(http))
    return admin
