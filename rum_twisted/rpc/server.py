"""The gRPC endpoint of this process, where others call the roles it plays.

Besides those, every endpoint has gRPC's own health service and reflection, so that
the usual tools (``grpcurl``, ``grpc_health_probe``) work.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

import grpc
import grpc.aio
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.rpc.bridge import deferred
from rum_twisted.rpc.channels import Limits
from rum_twisted.rpc.health_service import HEALTH, Health
from rum_twisted.rpc.metrics import CallMetrics
from rum_twisted.rpc.reflection import Reflection
from rum_twisted.rpc.servicing import IServicer, UnderWay, handlers_of
from rum_twisted.rpc.tls import TlsFiles, server_credentials
from rum_twisted.terms.measure import Measure, Measuring
from rum_twisted.terms.metric import Family
from rum_twisted.terms.units import Seconds

if TYPE_CHECKING:
    from rum_twisted.rpc.tracing import Tracing

__all__ = ["CannotServe", "RpcServer", "ServerSettings"]

_LIMITS: Final = Limits()
_LONGEST_CALL: Final = Seconds(60.0)  # a logon may wait for its database for 45
_CALL: Final = 27_000  # bytes of a call that is under way, most of them gRPC's
_DRAIN: Final = Seconds(5.0)


class CannotServe(Exception):
    """The endpoint cannot be opened; its text says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where and how this process is called.

    Raises:
        CannotServe: it would be open to others without protection.
    """

    listen: str = "127.0.0.1:0"  # host:port; IPv6 in brackets; port 0: any
    tls: TlsFiles | None = None
    allow_plaintext: bool = False  # beyond this machine, without TLS
    limits: Limits = _LIMITS
    longest_call: Seconds = _LONGEST_CALL
    most_calls: int = 1000  # at the same time; others read RESOURCE_EXHAUSTED
    drain: Seconds = _DRAIN  # for calls under way when we stop, and then to be put away

    def __post_init__(self) -> None:
        """Refuse to be open to everybody."""
        if self.tls is None and not self.allow_plaintext and not self._is_local:
            raise CannotServe(
                f"services.listen {self.listen!r}: due is an address of this machine "
                "alone (127.0.0.1, [::1]), or TLS (services.tls_cert and tls_key), "
                "or services.allow_plaintext = true"
            )

    @property
    def _is_local(self) -> bool:
        host = self.listen.rpartition(":")[0].strip("[]")
        if host == "localhost":
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False


class _Tasks(grpc.aio.ServerInterceptor):
    """The tasks in which gRPC has calls answered, whatever they ask.

    gRPC's own ``stop()`` returns while they still put away calls whose callers have
    hung up.
    """

    def __init__(self) -> None:
        self._open: set[asyncio.Task[Any]] = set()

    @override
    def __repr__(self) -> str:
        return f"<_Tasks: {len(self._open)} open>"

    @override
    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails],
            Awaitable["grpc.RpcMethodHandler[Any, Any] | None"],
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Take note of a call's task; gRPC calls this in it."""
        task = asyncio.current_task()
        assert task is not None, "a coroutine of gRPC's"
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        return await continuation(handler_call_details)

    async def ended(self, patience: Seconds) -> int:
        """Wait until all have ended; return how many still have not."""
        if not self._open:
            return 0
        _, left = await asyncio.wait(self._open, timeout=patience)
        return len(left)


class RpcServer(Service):
    """Answers the calls of other processes.

    Args:
        settings: where and how.
        servicers: who answers.
        clock: the reactor.
    """

    log = Logger()
    name = "server"

    def __init__(
        self,
        settings: ServerSettings,
        servicers: Sequence[IServicer],
        clock: IReactorTime,
    ) -> None:
        self._settings = settings
        self._servicers = tuple(servicers)
        self._clock = clock
        self._server: grpc.aio.Server | None = None
        self._health = Health(())
        self._tasks = _Tasks()
        self._starting: Deferred[None] = succeed(None)
        self.metrics = CallMetrics()
        self.tracing: Tracing | None = None  # of calls, from the start on
        self.address = ""  # host:port, with the port that was opened
        self.under_way = UnderWay()

    @override
    def __repr__(self) -> str:
        names = ", ".join(servicer.name for servicer in self._servicers)
        return f"<RpcServer {self.address or 'closed'}: {names}>"

    def measures(self) -> dict[str, Measuring]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {
            "served calls": self._measure_calls,
            "served figures": self.metrics.measure,
        }

    def _measure_calls(self) -> Measure:
        count = self.under_way.count
        return Measure(
            count=count, bytes=count * _CALL, bound=self._settings.most_calls
        )

    def families(self) -> Iterator[Family]:
        """Yield what is counted of calls; see `Metered`."""
        yield from self.metrics.families("server")
        under_way, names = self.under_way, ("service", "method")
        yield Family(
            "rum_rpc_server_streams",
            "gauge",
            "Streams that others have open to this process.",
            dict(under_way.streams),
            names,
        )
        yield Family(
            "rum_rpc_server_streams_begun",
            "counter",
            "Streams that others have ever opened.",
            dict(under_way.streams_begun),
            names,
        )

    def unready(self) -> str:
        """Tell why others cannot call; see `Needed`."""
        return "" if self.address else "other processes cannot call yet, or any more"

    @override
    def startService(self) -> None:
        """Open the endpoint.

        Raises:
            CannotServe: it is taken, or no address.
            TlsError: a certificate cannot be used.
        """
        if self.running:
            return
        server = self._make()
        self.address = self._open(server)
        super().startService()
        self._server = server
        self._starting = deferred(server.start())
        self._starting.addErrback(
            lambda failure: self.log.failure("gRPC endpoint not opened", failure)
        )
        self.log.info("gRPC endpoint {address} is open", address=self.address)

    @override
    def stopService(self) -> Deferred[None]:
        """Take no more calls; the Deferred fires when those under way have ended."""
        super().stopService()
        server, self._server = self._server, None
        self.address = ""
        if server is None:
            return succeed(None)
        return self._starting.addCallback(lambda _: deferred(self._drain(server)))

    async def _drain(self, server: grpc.aio.Server) -> None:
        self._health.end()
        await server.stop(self._settings.drain)
        left = await self._tasks.ended(self._settings.drain)
        if left:
            self.log.warn("{left} calls have outlived their endpoint", left=left)

    def _make(self) -> grpc.aio.Server:
        settings = self._settings
        server = grpc.aio.server(
            interceptors=(self._tasks,),
            options=_options(settings.limits),
            maximum_concurrent_rpcs=settings.most_calls,
        )
        for servicer in self._servicers:
            handlers = handlers_of(
                servicer,
                self._clock,
                settings.longest_call,
                self.metrics,
                self.under_way,
                self.tracing,
            )
            server.add_generic_rpc_handlers((handlers,))
        names = [servicer.name for servicer in self._servicers]
        self._health = Health(names)
        server.add_generic_rpc_handlers(
            (self._health.handlers, Reflection((*names, HEALTH)))
        )
        return server

    def _open(self, server: grpc.aio.Server) -> str:
        listen = self._settings.listen
        tls = self._settings.tls
        try:
            if tls is None:
                port = server.add_insecure_port(listen)
            else:
                port = server.add_secure_port(listen, server_credentials(tls))
        except RuntimeError as error:
            # gRPC's own text tells of variables of its environment only.
            raise CannotServe(
                f"services.listen {listen!r}: cannot be opened: the port is taken, or "
                "the address is not this machine's"
            ) from error
        return f"{listen.rpartition(':')[0]}:{port}"


def _options(limits: Limits) -> list[tuple[str, Any]]:
    """Return gRPC's options of a server.

    Source: gRPC's documentation of ``grpc/impl/channel_arg_names.h``.
    """
    keepalive_ms = int(limits.keepalive * 1000)
    return [
        ("grpc.max_receive_message_length", limits.message),
        ("grpc.max_send_message_length", limits.message),
        ("grpc.keepalive_time_ms", keepalive_ms),
        ("grpc.keepalive_timeout_ms", int(limits.keepalive_timeout * 1000)),
        # Of the two, gRPC 1.85 heeds this one; its own default is a minute.
        ("grpc.http2.ping_timeout_ms", int(limits.keepalive_timeout * 1000)),
        # Clients ask as often as we do; by default, that would be an offense.
        ("grpc.http2.min_ping_interval_without_data_ms", keepalive_ms // 2),
        # Two processes on one port would share its calls without anybody's wish.
        ("grpc.so_reuseport", 0),
    ]
