"""Who is let in, and who goes for others."""

from pathlib import Path

from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.console.complaints import INTERVAL
from rum_twisted.console.service import ConsoleService
from rum_twisted.terms.units import Seconds
from tests.support.console import PASSWORD, MemoryConsole

MOST = 16
MANY = 1000  # connections of somebody who only holds them


class RoomTests(SynchronousTestCase):
    """A console that is full."""

    @override
    def setUp(self) -> None:
        """Start it."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.console = MemoryConsole(self.folder, most=MOST)
        self.addCleanup(self.console.stop)

    def test_a_thousand_connections(self) -> None:
        """So many are never open, and an operator comes in all the same."""
        with capturedLogs() as events:
            operator = self.console.authorized()
            strangers = [self.console.connect("198.51.100.9") for _ in range(MANY)]
            self.assertEqual(len(self.console.factory.open), MOST)
            late = self.console.connect()
            late.read()
            self.assertEqual(late.ask(f"pwd {PASSWORD}"), ["Password correct."])
            self.assertEqual(operator.ask("pos 1 2"), ["Position set"])
            self.assertEqual(
                sum(not stranger.is_closed for stranger in strangers), MOST - 2
            )
            operator.turn(INTERVAL)
        told = [text for text in map(formatEvent, events) if "console: 9" in text]
        self.assertEqual(len(told), 1, told)
        self.assertIn("connections put out for others within 60 s", told[0])

    def test_the_address_that_has_most_gives_way(self) -> None:
        """Not a stranger who came first, and may be about to type the password."""
        first = self.console.connect()
        for _ in range(MOST):
            self.console.connect("198.51.100.9")
        self.assertFalse(first.is_closed)

    def test_a_house_full_of_operators(self) -> None:
        """Who has given the password is never put out: the next one is refused."""
        operators = [self.console.authorized() for _ in range(MOST)]
        late = self.console.factory.buildProtocol(IPv4Address("TCP", "192.0.2.8", 1))
        self.assertIsNone(late)
        for operator in operators:
            self.assertFalse(operator.is_closed)
        operators[0].hang_up()
        self.console.connect()


class ServiceTests(SynchronousTestCase):
    """The port."""

    @override
    def setUp(self) -> None:
        """Make a console and a reactor."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.console = MemoryConsole(self.folder)
        self.addCleanup(self.console.stop)
        self.reactor = MemoryReactorClock()

    def service(self, host: str = "127.0.0.1") -> ConsoleService:
        """Return a service at port 3010."""
        return ConsoleService(
            (host, 3010),
            self.console.server,
            self.reactor,
            most=MOST,
            idle_timeout=Seconds(500.0),
        )

    def test_starting_and_stopping_twice(self) -> None:
        """It listens once, and leaves nothing behind."""
        service = self.service()
        service.privilegedStartService()
        for _ in range(2):
            service.startService()
        self.assertEqual(len(self.reactor.tcpServers), 1)
        self.assertEqual(service.measure().bound, MOST)
        for _ in range(2):
            self.successResultOf(service.stopService())
        self.assertEqual(service.address, "")
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_open_to_others(self) -> None:
        """It is told that the password is plain text; on loopback it is not."""
        for host, is_told in (("0.0.0.0", True), ("127.0.0.1", False)):  # noqa: S104
            with capturedLogs() as events:
                service = self.service(host)
                service.startService()
                self.successResultOf(service.stopService())
            texts = "".join(map(formatEvent, events))
            self.assertEqual("in plain text" in texts, is_told, host)
