"""A console on a whole server in memory, and an operator's end of a connection."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.testing import StringTransport
from twisted.logger import LogPublisher
from twisted.python.failure import Failure

from rum_twisted.accounts.certfile import CertFileAccounts
from rum_twisted.accounts.throttle import Limits, Throttle
from rum_twisted.console.help import HelpFile
from rum_twisted.console.interfaces import Identity, Refresh, Server
from rum_twisted.console.password import FilePassword, ThrottledPassword
from rum_twisted.console.protocol import ConsoleProtocol
from rum_twisted.console.recent import RecentLog
from rum_twisted.console.service import ConsoleFactory
from rum_twisted.pergola.overview import Overview
from rum_twisted.session.interfaces import IWeather
from rum_twisted.terms.units import Seconds
from rum_twisted.weather.memory import MemoryWeather
from rum_twisted.weather.profiles import ProfiledWeather, ProfileFile
from tests.support.builders import NOON, REPORTS
from tests.support.server import MemoryServer

__all__ = ["ADDRESS", "PASSWORD", "MemoryConsole", "Operator"]

PASSWORD: Final = "sesame"
ADDRESS: Final = "192.0.2.7"
IDENT: Final = "FSDA"
_PROMPT: Final = f"{IDENT}> "


class MemoryConsole:
    """A console without sockets.

    Args:
        folder: for its files; it must exist.
        weather: the reports behind the profiles.
        most: connections at the same time.
        failures: wrong passwords that cost no wait.
    """

    def __init__(
        self,
        folder: Path,
        *,
        weather: IWeather | None = None,
        most: int = 16,
        failures: int = 5,
    ) -> None:
        self.profiles = ProfileFile(folder / "profiles.json", lambda: NOON)
        self.profiles.startService()
        self.weather = ProfiledWeather(
            MemoryWeather(REPORTS) if weather is None else weather,
            self.profiles,
            lambda: NOON,
        )
        self.fsd = MemoryServer(weather=self.weather)
        self.clock = self.fsd.clock
        self.overview = Overview(
            self.fsd.connections, self.fsd.fanout, self.fsd.network.tally
        )
        (folder / "cert.txt").write_text("1000001 pw01 1\n1000005 pw05 5\n", "ascii")
        self.certificates = CertFileAccounts(
            folder / "cert.txt", self.clock, Seconds(60.0)
        )
        self.certificates.startService()
        (folder / "password.txt").write_text(f"{PASSWORD}\n", "ascii")
        self.publisher = LogPublisher()
        self.log = RecentLog(self.publisher)
        self.log.start()
        self.refreshed = Refresh.BEGUN
        self.answers: dict[str, Iterable[str]] = {}
        throttle = Throttle(
            Limits(
                free_per_cid=failures, free_per_address=failures, longest=Seconds(900.0)
            )
        )
        self.server = Server(
            identity=Identity(
                ident=IDENT,
                name="Example server",
                email="admin@example.org",
                hostname="fsd.example.org",
                location="Loopback",
                product="Rum FSD server 1.2.3",
                version="1.2.3",
                has_weather=True,
            ),
            network=self.fsd.network,
            front=self.overview,
            password=ThrottledPassword(
                FilePassword(folder / "password.txt").verify, throttle, self.clock
            ),
            certificates=self.certificates,
            profiles=self.profiles,
            refresh=lambda: self.refreshed,
            log=self.log,
            help=HelpFile(folder / "help.txt"),
            figures=lambda: [("system.boottime", 1)],
            memory=self._answer("memory"),
            guard=self._answer("guard"),
            services=self._answer("services"),
        )
        self.factory = ConsoleFactory(
            self.server, self.clock, most=most, idle_timeout=Seconds(500.0)
        )

    def _answer(self, name: str) -> Callable[[], Iterable[str]]:
        return lambda: self.answers.get(name, [f"the {name}"])

    def connect(self, address: str = ADDRESS) -> "Operator":
        """Return an operator's end of a new connection."""
        protocol = self.factory.buildProtocol(IPv4Address("TCP", address, 1234))
        assert protocol is not None, "refused"
        return Operator(self, protocol, address)

    def authorized(self) -> "Operator":
        """Return the end of an operator who has given the password."""
        operator = self.connect()
        operator.read()
        operator.ask(f"pwd {PASSWORD}")
        return operator

    def stop(self) -> None:
        """Leave no timer behind."""
        self.certificates.stopService()
        self.log.stop()


class Operator:
    """One end of a connection.

    Args:
        console: at the other end.
        protocol: of the connection.
        address: where he is.
    """

    def __init__(
        self, console: MemoryConsole, protocol: ConsoleProtocol, address: str
    ) -> None:
        self._console = console
        self.protocol = protocol
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", address, 1234))
        protocol.makeConnection(self.transport)

    @property
    def is_closed(self) -> bool:
        """Whether the server has closed, or cut, the connection."""
        return bool(self.transport.disconnecting)

    @property
    def is_paused(self) -> bool:
        """Whether the server takes nothing for now."""
        return bool(self.transport.producerState == "paused")

    def feed(self, data: bytes) -> None:
        """Send bytes as they are, and let the server do what it wants to."""
        self.protocol.dataReceived(data)
        self.turn()

    def turn(self, seconds: float = 0.0) -> None:
        """Let time pass."""
        self._console.clock.advance(seconds)
        while any(
            call.getTime() <= self._console.clock.seconds()
            for call in self._console.clock.getDelayedCalls()
        ):
            self._console.clock.advance(0)

    def read(self) -> str:
        """Return what came since the last time, as it came."""
        data: bytes = self.transport.value()
        self.transport.clear()
        return data.decode("latin-1")

    def ask(self, *commands: str) -> list[str]:
        """Send commands, and return the lines of their answers, without prompts.

        Raises:
            AssertionError: what came is no whole answer, with a prompt behind it.
        """
        self.turn(0.1)  # a stranger's pace
        self.feed("".join(f"{command}\r\n" for command in commands).encode("latin-1"))
        self.turn(0.1 * len(commands))
        text = self.read()
        if self.is_closed:
            return text.split("\r\n")[:-1]
        if not text.endswith(_PROMPT):
            raise AssertionError(f"no prompt behind {text!r}")
        return text.removesuffix(_PROMPT).split("\r\n")[:-1]

    def end_input(self) -> None:
        """Say no more, and still listen."""
        assert IHalfCloseableProtocol.providedBy(self.protocol)
        self.protocol.readConnectionLost()
        self.turn()

    def hang_up(self) -> None:
        """Close the connection."""
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.turn()
