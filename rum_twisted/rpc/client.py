"""XClient: the way to a service that other processes play.

Asking for a client is free. All clients of a service are one: they share what they
know of its instances, one channel for each endpoint, the retry budget, the breakers
and one watch; what a caller gets is a counted reference. So the careless line, the
one that asks for a client at every call and never closes it, costs nothing: a
reference that is dropped is given back, and the log says once where that line is.

When the last reference has been given back, channels stay open for a while; whoever
asks for one client after the other does not connect anew each time.
"""

import sys
from collections.abc import Callable, Iterator
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar

from google.protobuf.message import Message
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.rpc.calling import Line, ServiceClient, Tools
from rum_twisted.rpc.channels import LEAVE_GRACE, STOP_GRACE, Channels, Limits
from rum_twisted.rpc.errors import ClientClosed, TooManyServices
from rum_twisted.rpc.interfaces import IInstances, IRules
from rum_twisted.rpc.method import Method
from rum_twisted.rpc.metrics import CallMetrics
from rum_twisted.rpc.options import CallOptions, usual_options
from rum_twisted.rpc.target import Metadata
from rum_twisted.rpc.tls import TlsFiles
from rum_twisted.terms.measure import Measure, Measuring
from rum_twisted.terms.metric import Family
from rum_twisted.terms.units import Seconds

if TYPE_CHECKING:
    from rum_twisted.rpc.tracing import Tracing

__all__ = ["XClient", "XClients"]

A = TypeVar("A", bound=Message)

LINGER: Final = Seconds(30.0)  # between the last reference and the end of a connection
SWEEP_INTERVAL: Final = Seconds(1.0)
MOST_AT_ONE_LINE: Final = 100  # open references; who has more has forgotten to close
MOST_SERVICES: Final = 100  # there are a handful; more are slips
_CALL: Final = 27_000  # bytes of a call that is under way, most of them gRPC's
_CLIENT: Final = 150  # bytes of a reference
_CHANNEL: Final = 60_000  # bytes of a channel, most of them not Python's
MOST_LINES: Final = 1000  # that are told of; a program has not so many


class XClient:
    """A reference to the client of a service; see the module.

    Made by `XClients.client`. Given back by `close`, or at the end of a ``with``.
    """

    __slots__ = ("__weakref__", "_line", "_service", "_tracing")

    def __init__(
        self, service: ServiceClient, line: Line, tracing: "Tracing | None" = None
    ) -> None:
        self._tracing = tracing
        self._service: ServiceClient | None = service
        self._line = line

    @override
    def __repr__(self) -> str:
        service = self._service
        return f"<XClient {'closed' if service is None else service.name}>"

    def __enter__(self) -> "XClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        service = self._service
        if service is not None:
            # Any thread may run this, at any moment: the next sweep does the rest.
            service.dropped.append(self._line)

    async def call(
        self,
        method: Method[Any, A],
        request: Any,
        *,
        timeout: float | None = None,
        key: str = "",
        who: str = "",
        metadata: Metadata | None = None,
    ) -> A:
        """Call a method of the service; to be awaited in asyncio code.

        Args:
            method: what is called.
            request: of the method's kind.
            timeout: for all attempts together, in seconds; by default that of the
                options. A call that is being served has no longer than its own.
            key: what is asked for; decides who is asked, if the service is called
                by `SelectMode.CONSISTENT_HASH`.
            who: the member on whose behalf it is called, by his CID; decides whether
                a new version is asked, where a traffic rule has one tried. Without
                it ``key`` does, and without both each call is for itself.
            metadata: goes along with every attempt.

        Raises:
            RpcError: it has failed; or `NoInstance`.
            ClientClosed: this client was closed before.
        """
        service = self._service
        if service is None:
            raise ClientClosed("this client was closed before")
        tracing = self._tracing
        if tracing is None:
            return await service.call(method, request, timeout, key, who, metadata)
        with tracing.client(service.name, method.path, metadata) as more:
            return await service.call(method, request, timeout, key, who, more)

    def version_for(self, who: str) -> str:
        """Return the version that is tried with a member; "": he has any of the others.

        Args:
            who: as for `call`.
        """
        return "" if self._service is None else self._service.version_for(who)

    def close(self) -> None:
        """Give the reference back; closing twice does no harm."""
        service, self._service = self._service, None
        if service is not None:
            self._line.open -= 1
            service.give_back()


class XClients(Service):
    """The clients of all services, and everything that they hold.

    Args:
        instances: tells who plays a service.
        clock: the reactor.
        random: for choices and pauses.
        options: how a service is called, by its name.
        limits: of every channel.
        tls: certificates; ``None``: without TLS.
        rules: tells which calls go to new versions; ``None``: none do.
    """

    log = Logger()
    name = "clients"

    def __init__(  # noqa: PLR0913 - what it stands on
        self,
        instances: IInstances,
        clock: IReactorTime,
        random: Random,
        *,
        options: Callable[[str], CallOptions] = usual_options,
        limits: Limits | None = None,
        tls: TlsFiles | None = None,
        rules: IRules | None = None,
    ) -> None:
        self.metrics = CallMetrics()
        self.tracing: Tracing | None = None  # of clients that are made from now on
        self._clock = clock
        self._options = options
        self.channels = Channels(limits or Limits(), tls)
        self._tools = Tools(
            instances=instances,
            channels=self.channels,
            metrics=self.metrics,
            random=random,
            now=self._now,
            log=self.log,
            rules=rules,
        )
        self._services: dict[str, ServiceClient] = {}
        self._lines: dict[tuple[str, int], Line] = {}
        self._sweeps: LoopingCall | None = None

    @override
    def __repr__(self) -> str:
        return f"<XClients: {len(self._services)} services, {self.channels!r}>"

    @override
    def startService(self) -> None:
        """Read the certificates; from now on there are clients.

        Raises:
            TlsError: a certificate cannot be used.
        """
        if self.running:
            return
        self.channels.prepare()
        super().startService()
        self._sweeps = LoopingCall(self._sweep_now_and_then)
        self._sweeps.clock = self._clock
        self._sweeps.start(SWEEP_INTERVAL, now=False).addErrback(
            lambda reason: self.log.failure("clients: sweeps ended", reason)
        )

    @override
    def stopService(self) -> Deferred[None]:
        """End all calls; the Deferred fires when every channel is closed."""
        super().stopService()
        if self._sweeps is not None:
            self._sweeps.stop()
            self._sweeps = None
        self.channels.hurry()
        for service in self._services.values():
            service.close(STOP_GRACE)
        self._services.clear()
        return self.channels.closed()

    @property
    def services(self) -> tuple[ServiceClient, ...]:
        """What clients share, for each service that is in use."""
        return tuple(self._services.values())

    def measures(self) -> dict[str, Measuring]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {
            "clients": self._measure_clients,
            "channels": self._measure_channels,
            "calls": self._measure_calls,
            "call figures": self.metrics.measure,
        }

    def families(self) -> Iterator[Family]:
        """Yield what is counted of calls; see `Metered`."""
        return self.metrics.families("client")

    def client(self, service: str) -> XClient:
        """Return the client of a service; to be closed when it is needed no more.

        Args:
            service: its name, e.g. ``passport``.

        Raises:
            ClientClosed: this has not been started.
            TooManyServices: all of `MOST_SERVICES` others are in use.
        """
        if not self.running:
            raise ClientClosed(f"{service}: the clients have not been started")
        shared = self._services.get(service)
        if shared is None:
            shared = self._begin(service)
        elif shared.dropped:
            self._take_back(shared)
        frame = sys._getframe(1)  # noqa: SLF001 - the one way to know who asks
        line = self._line(frame.f_code.co_filename, frame.f_lineno)
        line.open += 1
        if line.open > MOST_AT_ONE_LINE:
            self._tell(
                line,
                "{place} has {count} clients of {service} open; due is one, kept or"
                " closed after use",
                service,
            )
        shared.references += 1
        return XClient(shared, line, self.tracing)

    def _measure_clients(self) -> tuple[Measure, ...]:
        """Tell of the clients that are open, by the line that asked for them."""
        return tuple(
            Measure(count=line.open, bytes=line.open * _CLIENT, made_at=line.place)
            for line in tuple(self._lines.values())
            if line.open
        )

    def _measure_calls(self) -> Measure:
        count = self.channels.calls
        return Measure(count=count, bytes=count * _CALL)

    def _measure_channels(self) -> Measure:
        count = len(self.channels)
        return Measure(count=count, bytes=count * _CHANNEL)

    def _begin(self, service: str) -> ServiceClient:
        if len(self._services) >= MOST_SERVICES:
            self._make_room(service)
        shared = ServiceClient(service, self._options(service), self._tools)
        shared.open()
        self._services[service] = shared
        return shared

    def _make_room(self, service: str) -> None:
        """End the client that has not been used for longest, lingering or not."""
        for each in self.services:
            self._take_back(each)
        unused = [each for each in self.services if each.references == 0]
        if not unused:
            raise TooManyServices(
                f"{service!r}: clients of {MOST_SERVICES} services are open already"
            )
        oldest = min(unused, key=lambda each: each.unused_since)
        del self._services[oldest.name]
        oldest.close(LEAVE_GRACE)

    def sweep(self) -> None:
        """Take back what was dropped, and close what nobody has used for long."""
        now = self._clock.seconds()
        for name, service in list(self._services.items()):
            self._take_back(service)
            if service.references == 0 and now - service.unused_since >= LINGER:
                del self._services[name]
                service.close(LEAVE_GRACE)

    def _sweep_now_and_then(self) -> None:
        try:
            self.sweep()
        except Exception:  # noqa: BLE001 - one bad sweep must not end all later ones
            self.log.failure("clients: not swept")

    def _now(self) -> Seconds:
        return Seconds(self._clock.seconds())

    def _take_back(self, service: ServiceClient) -> None:
        dropped = service.dropped
        while dropped:
            line = dropped.popleft()
            line.open -= 1
            service.give_back()
            self._tell(
                line,
                "{place} asked for a client of {service} and dropped it un-closed;"
                " close it, or use `with`",
                service.name,
            )

    def _line(self, file: str, number: int) -> Line:
        """Return the record of a line of a program."""
        line = self._lines.get((file, number))
        if line is None:
            line = Line(f"{file}:{number}")
            if len(self._lines) < MOST_LINES:
                self._lines[file, number] = line
        return line

    def _tell(self, line: Line, message: str, service: str) -> None:
        """Tell of a careless line, once."""
        if not line.is_told:
            line.is_told = True
            self.log.warn(message, place=line.place, count=line.open, service=service)
