"""Servers on real sockets within the test's own process, and clients to call them.

Tests of this room are integration tests: they run on whatever reactor trial was given.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.assembly import RumService, build_services
from rum_twisted.config import load
from rum_twisted.pergola.protocol import FSDProtocol
from rum_twisted.pergola.service import PergolaService

__all__ = ["PASSWORD", "Caller", "FrontTestCase", "SecureCaller", "reactor"]

C = TypeVar("C", bound="Caller")

reactor: Any = installed_reactor  # its type depends on which one it is

PASSWORD: Final = "secret"
_ACCOUNTS: Final = f"1000001 {PASSWORD} 1\n1000005 {PASSWORD} 5\n"
_HOST: Final = "127.0.0.1"
_END: Final = b"\r\n"
_RESERVE: Final = "/dev/null"  # Twisted opens it once, for when descriptors run out
_BETWEEN_LOOKS: Final = 0.01  # seconds


@implementer(IPushProducer)
class Caller(Protocol):
    """A client's end of a connection: what he reads comes in lines."""

    def __init__(self) -> None:
        self.callsign = ""
        self.raw = b""  # all that came, as it came
        self.reason: Failure | None = None  # why the connection ended
        self._begun = b""
        self._lines: list[str] = []
        self._waiting: list[Deferred[None]] = []
        self._is_full = False
        self.transport: Any

    # What Twisted calls.

    @override
    def connectionMade(self) -> None:
        """Begin; the transport tells when it cannot take more."""
        self.transport.registerProducer(self, streaming=True)

    @override
    def dataReceived(self, data: bytes) -> None:
        """Take bytes."""
        self.raw += data
        self.take(data)

    @override
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note the end."""
        self.reason = reason
        self._tell()

    def pauseProducing(self) -> None:
        """Note that the server does not take what is said."""
        self._is_full = True

    def resumeProducing(self) -> None:
        """Note that it has taken everything."""
        self._is_full = False
        self._tell()

    def stopProducing(self) -> None:
        """Note nothing: `connectionLost` tells."""

    # What tests call.

    def say(self, *lines: str) -> None:
        """Send lines, in one write."""
        self.send(b"".join(line.encode("latin-1") + _END for line in lines))

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.transport.write(data)

    def log_on(self, callsign: str) -> None:
        """Ask to come online as a pilot, or, with ``_``, as a controller."""
        self.callsign = callsign
        if "_" in callsign:
            self.say(f"#AA{callsign}:SERVER:Ann:1000005:{PASSWORD}:5:9")
        else:
            self.say(f"#AP{callsign}:SERVER:1000001:{PASSWORD}:1:9:2:Joe")

    def fly(self, number: int, latitude: float = 50.0) -> None:
        """Report a position; ``number`` stands in the field of the ground speed."""
        self.say(f"@N:{self.callsign}:2000:1:{latitude}:8.0:35000:{number}:0:0")

    def stop_reading(self) -> None:
        """Read nothing from now on; the kernel takes some 100 kB all the same."""
        self.transport.pauseProducing()

    def read_on(self) -> None:
        """Read again."""
        self.transport.resumeProducing()

    async def line(self) -> str:
        """Return the next line.

        Raises:
            EOFError: the connection ended before.
        """
        while not self._lines:
            if self.reason is not None:
                raise EOFError(self.reason.getErrorMessage())
            await self.change()
        return self._lines.pop(0)

    async def until(self, begin: str) -> list[str]:
        """Return the lines up to the next one that begins with ``begin``."""
        lines = [await self.line()]
        while not lines[-1].startswith(begin):
            lines.append(await self.line())
        return lines

    async def sync(self) -> list[str]:
        """Return what is read until all that was said has been handled."""
        self.say(f"$PI{self.callsign}:SERVER:sync")
        return (await self.until("$POserver:"))[:-1]

    async def end(self) -> list[str]:
        """Return what is read until the connection ends."""
        while self.reason is None:
            await self.change()
        lines, self._lines = self._lines, []
        return lines

    async def sent(self) -> None:
        """Return when the server's kernel has taken all that was said."""
        while self._is_full and self.reason is None:
            await self.change()

    def change(self) -> Deferred[None]:
        """Return a Deferred that fires when something happens here."""
        change: Deferred[None] = Deferred()
        self._waiting.append(change)
        return change

    def take(self, data: bytes) -> None:
        """Cut plain bytes into lines."""
        *lines, self._begun = (self._begun + data).split(_END)
        self._lines += [line.decode("latin-1") for line in lines]
        self._tell()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(None)


class SecureCaller(Caller):
    """A client who speaks TLS, and keeps what an eavesdropper would read."""

    def __init__(self) -> None:
        super().__init__()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # nobody has signed it but itself
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing)
        self._unsaid = b""

    @override
    def connectionMade(self) -> None:
        """Begin the handshake."""
        super().connectionMade()
        self._go_on()

    @override
    def dataReceived(self, data: bytes) -> None:
        """Take encrypted bytes."""
        self.raw += data
        self._incoming.write(data)
        self._go_on()

    @override
    def send(self, data: bytes) -> None:
        """Send bytes, as soon as the handshake is over."""
        self._unsaid += data
        self._go_on()

    def _go_on(self) -> None:
        try:
            self._tls.do_handshake()
            if self._unsaid:
                self._tls.write(self._unsaid)
                self._unsaid = b""
            while data := self._tls.read(65_536):
                self.take(data)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass  # more is to come, or nothing more
        self.transport.write(self._outgoing.read())


class FrontTestCase(TestCase):
    """A server, started in the test; afterwards nothing of it is left."""

    timeout = 240  # seconds; nothing here takes as long

    @override
    async def setUp(self) -> None:  # type: ignore[override]  # trial takes both
        """Remember what is there before."""
        await deferLater(reactor, 0)  # from here on, the reactor has what it needs
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.callers: list[Caller] = []
        before = _possessions()
        self.addCleanup(self._assert_nothing_is_left, before)
        self.addCleanup(self._stop)
        self.root: RumService | None = None

    @property
    def pergola(self) -> PergolaService:
        """The front of the server."""
        assert self.root is not None, "serve() makes it"
        service = self.root.getServiceNamed("pergola")
        assert isinstance(service, PergolaService)
        return service

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.pergola.addresses[0].rpartition(":")[2])

    def build(
        self, *settings: str, listen: str = "tcp:0:interface=127.0.0.1"
    ) -> RumService:
        """Build a server; see ``--set`` for the settings."""
        accounts = self.folder / "accounts.txt"
        accounts.write_text(_ACCOUNTS, "ascii")
        config = load(
            overrides=(
                f'data_dir="{self.folder}"',
                f'accounts.cert_file="{accounts}"',
                f'pergola.listen=["{listen}"]',
                'pergola.http=""',
                *settings,
            )
        )
        return build_services(config, reactor, lambda line: None, on_terminal=False)

    def serve(
        self, *settings: str, listen: str = "tcp:0:interface=127.0.0.1"
    ) -> RumService:
        """Start a server; it is stopped after the test."""
        self.root = self.build(*settings, listen=listen)
        self.root.privilegedStartService()
        self.root.startService()
        return self.root

    async def connect(self) -> Caller:
        """Return the client's end of a new connection."""
        return await self._connected(Caller())

    async def connect_encrypted(self) -> SecureCaller:
        """Return the client's end of a new connection to an encrypted port."""
        return await self._connected(SecureCaller())

    async def _connected(self, caller: C) -> C:
        endpoint = TCP4ClientEndpoint(reactor, _HOST, self.port)
        await connectProtocol(endpoint, caller)
        self.callers.append(caller)
        return caller

    async def log_on(self, callsign: str, *, latitude: float | None = None) -> Caller:
        """Return the end of somebody who is on, and has read the greeting."""
        caller = await self.connect()
        caller.log_on(callsign)
        await caller.until("#TMserver:")
        if latitude is not None:
            caller.fly(0, latitude)
            await caller.sync()
        return caller

    def connection_of(self, callsign: str) -> FSDProtocol:
        """Return the server's end of somebody's connection."""
        for connection in self.pergola.connections.open:
            assert isinstance(connection, FSDProtocol)
            if connection.session.name == callsign:
                return connection
        raise LookupError(callsign)

    async def eventually(self, is_so: Callable[[], bool]) -> None:
        """Return when something is so; the test's own time limit is the bound."""
        while not is_so():
            await deferLater(reactor, _BETWEEN_LOOKS)

    async def _stop(self) -> None:
        if self.root is not None:
            await self.root.stopService()
        for caller in self.callers:
            caller.transport.abortConnection()
            await caller.end()

    async def _assert_nothing_is_left(self, before: set[object]) -> None:
        """Assert that no socket, thread or task is left; trial looks for timers."""
        deadline = reactor.seconds() + 30.0
        while _possessions() - before and reactor.seconds() < deadline:
            await deferLater(reactor, _BETWEEN_LOOKS)
        self.assertEqual(_possessions() - before, set())


def _possessions() -> set[object]:
    """Return all that the process has and must give back."""
    loop = getattr(reactor, "_asyncioEventloop", None)
    return {
        *reactor.getReaders(),
        *reactor.getWriters(),
        *threading.enumerate(),
        *(asyncio.all_tasks(loop) if loop is not None else ()),
        *_descriptors(),
    }


def _descriptors() -> set[str]:
    """Return the open files and sockets, by number and kind."""
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # it was open only for this look
            target = str(path.readlink())
            if target != _RESERVE:
                found.add(f"{path.name} {target}")
    return found
