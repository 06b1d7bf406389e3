"""The console as a service: it listens, and lets in as many as there is room for.

Where there is no room, a stranger goes for whoever comes: who holds the most
connections without the password loses the oldest of them. So nobody can keep an
operator out by connecting, and one who has given the password is never put out.

Source: docs/console.md, "Bounds".
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.console.complaints import Complaints
from rum_twisted.console.interfaces import Server
from rum_twisted.console.protocol import ConsoleProtocol
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.units import Seconds

__all__ = ["ConsoleCounts", "ConsoleFactory", "ConsoleService"]

NO_MEASURES: Final[Mapping[str, Callable[[], Measure]]] = MappingProxyType({})
_BACKLOG: Final = 256  # connections that wait to be accepted
_ACCEPTS_AT_A_TIME: Final = 4  # left alone, Twisted takes ever more while they come
_CONNECTION: Final = 6000  # bytes of an idle one, with its transport


@dataclass(frozen=True, slots=True)
class ConsoleCounts:
    """How many connections there are, and were since the start."""

    current: int
    total: int
    peak: int


class ConsoleFactory(ServerFactory):
    """Makes the protocol of each connection.

    Args:
        server: what may be asked.
        clock: times them.
        most: connections at the same time.
        idle_timeout: for which an operator may say nothing.

    Invariant: at most ``most`` are open.
    """

    noisy = False

    def __init__(
        self, server: Server, clock: IReactorTime, *, most: int, idle_timeout: Seconds
    ) -> None:
        self._server = server
        self._clock = clock
        self._most = most
        self._idle_timeout = idle_timeout
        self.complaints = Complaints(clock)
        self.open: dict[ConsoleProtocol, str] = {}  # and where it comes from
        self.port: Any = None  # of TCP, once it is open
        self.total = 0  # connections so far
        self.peak = 0  # the most at a time
        self._leaving: set[ConsoleProtocol] = set()  # put out, and not gone yet
        self._all_gone: Deferred[None] | None = None

    @override
    def buildProtocol(self, addr: IAddress | None) -> ConsoleProtocol | None:
        """Return the protocol of a new connection; ``None`` hangs up."""
        if self.port is not None:
            self.port.numberAccepts = _ACCEPTS_AT_A_TIME
        address = str(getattr(addr, "host", ""))
        if len(self.open) >= self._most and not self._make_room():
            self.complaints.note("connections refused", address)
            return None
        protocol = ConsoleProtocol(
            self._server, self._clock, self.complaints, self._idle_timeout, self._forget
        )
        self.open[protocol] = address
        self.total += 1
        self.peak = max(self.peak, len(self.open))
        return protocol

    def _make_room(self) -> bool:
        """Put a stranger out; tell whether there was one."""
        strangers = {
            protocol: address
            for protocol, address in self.open.items()
            if not protocol.console.is_authorized
        }
        if not strangers:
            return False
        (busiest, _), *_ = Counter(strangers.values()).most_common(1)
        oldest = next(one for one, address in strangers.items() if address == busiest)
        self.complaints.note("connections put out for others", busiest)
        self._put_out(oldest)
        return True

    def put_all_out(self) -> Deferred[None]:
        """End all connections; the Deferred fires when none is left."""
        self.complaints.tell()
        for protocol in tuple(self.open):
            self._put_out(protocol)
        if not self._leaving:
            return succeed(None)
        self._all_gone = Deferred()
        return self._all_gone

    def _put_out(self, protocol: ConsoleProtocol) -> None:
        del self.open[protocol]
        self._leaving.add(protocol)
        protocol.abort()

    def _forget(self, protocol: ConsoleProtocol) -> None:
        self.open.pop(protocol, None)
        self._leaving.discard(protocol)
        if self._all_gone is not None and not self._leaving:
            all_gone, self._all_gone = self._all_gone, None
            all_gone.callback(None)


class ConsoleService(Service):
    """Listens for operators.

    A server does its work without it: where it cannot listen, the log says so.

    Args:
        place: the address and the port to listen on.
        server: what may be asked.
        reactor: listens, and is the clock.
        most: connections at the same time.
        idle_timeout: for which an operator may say nothing.
        measures: tell of memory that is kept for the console.
    """

    log = Logger()

    def __init__(
        self,
        place: tuple[str, int],
        server: Server,
        reactor: Any,
        *,
        most: int,
        idle_timeout: Seconds,
        measures: Mapping[str, Callable[[], Measure]] = NO_MEASURES,
    ) -> None:
        self.setName("console")
        self._measures = measures
        self._host, self._number = place
        self._server = server
        self._reactor = reactor
        self._most = most
        self._factory = ConsoleFactory(
            server, reactor, most=most, idle_timeout=idle_timeout
        )
        self._port: Any = None  # IListeningPort of TCP, once there is one

    @override
    def __repr__(self) -> str:
        return f"<ConsoleService {self.address or 'closed'}: {len(self._factory.open)}>"

    @property
    def address(self) -> str:
        """Where it listens, as ``host:port``; empty: nowhere."""
        if self._port is None:
            return ""
        place = self._port.getHost()
        return f"{place.host}:{place.port}"

    @override
    def privilegedStartService(self) -> None:
        """Listen, while the process may still use low ports."""
        super().privilegedStartService()
        self._listen()

    @override
    def startService(self) -> None:
        """Keep the log's last lines, and listen, if that is not done yet."""
        if self.running:
            return
        super().startService()
        self._server.log.start()
        if self._port is None:
            self._listen()
        if not ip_address(self._host).is_loopback:
            self.log.warn(
                "console.listen {host}: the console speaks in plain text, the password "
                "too; keep it from strangers",
                host=self._host,
            )

    @override
    def stopService(self) -> Deferred[None]:
        """Close the port and every connection."""
        if not self.running:
            return succeed(None)
        super().stopService()
        self._server.log.stop()
        port, self._port = self._port, None
        self._factory.port = None
        closed: Deferred[Any] = succeed(None)
        if port is not None:
            closed = maybeDeferred(port.stopListening)
        return closed.addCallback(lambda _: self._factory.put_all_out())

    @property
    def counts(self) -> ConsoleCounts:
        """How many connections there are, and were."""
        factory = self._factory
        return ConsoleCounts(len(factory.open), factory.total, factory.peak)

    def measures(self) -> dict[str, Callable[[], Measure]]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {
            "console": self.measure,
            "recent log": self._server.log.measure,
            **self._measures,
        }

    def measure(self) -> Measure:
        """Tell what the connections take, and the commands that wait."""
        protocols = tuple(self._factory.open)
        waiting = sum(protocol.waiting for protocol in protocols)
        return Measure(
            count=len(protocols),
            bytes=len(protocols) * _CONNECTION + waiting,
            bound=self._most,
        )

    def _listen(self) -> None:
        try:
            self._port = self._reactor.listenTCP(
                self._number,
                self._factory,
                backlog=_BACKLOG,
                interface=self._host,
            )
            self._factory.port = self._port
        except CannotListenError as error:
            reason = error.socketError
            self.log.warn(
                "console.listen {host}:{port} cannot be opened: {trouble}; there is no "
                "console",
                host=self._host,
                port=self._number,
                trouble=getattr(reason, "strerror", None) or str(reason),
            )
