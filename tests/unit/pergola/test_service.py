"""The front as a service: it listens, looks after connections, and goes down."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from unittest import SkipTest

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.pergola.connections import SWEPT_AT_ONCE, Connections
from rum_twisted.pergola.factory import FSDFactory
from rum_twisted.pergola.fanout import Fanout
from rum_twisted.pergola.protocol import FSDProtocol
from rum_twisted.pergola.service import CannotStart, PergolaService
from rum_twisted.terms.units import Seconds
from rum_twisted.world.roster import Roster
from tests.support.builders import make_limits, make_network
from tests.support.server import pilot_logon

TAKEN_PORT = 6810
WIND_INTERVAL = Seconds(70.0)


class Reactor(MemoryReactorClock):
    """A reactor on whose machine one port is taken."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: list[int] = []  # ports

    @override
    def listenTCP(
        self,
        port: int,
        factory: IProtocolFactory,
        backlog: int = 50,
        interface: str = "",
    ) -> object:
        """Listen, unless the port is taken."""
        if port == TAKEN_PORT:
            error = OSError(98, "Address already in use")
            raise CannotListenError(interface, port, error)
        listening = super().listenTCP(port, factory, backlog, interface)
        listening.stopListening = lambda: self.closed.append(port)
        return listening


class ServiceTestCase(SynchronousTestCase):
    """A front that is not started."""

    @override
    def setUp(self) -> None:
        """Build it."""
        self.reactor = Reactor()
        self.cores: list[float | None] = []  # answers to how much we may use
        self.service = self.build(("tcp:6809",))

    def build(self, endpoints: Sequence[str]) -> PergolaService:
        """Return a front that listens on ``endpoints``."""
        roster = Roster()
        fanout = Fanout(self.reactor, float, Seconds(0.05), roster)
        self.connections = Connections(self.reactor, 10)
        self.factory = FSDFactory(
            make_network(roster=roster, delivery=fanout),
            fanout,
            make_limits(),
            self.connections,
        )
        return PergolaService(
            self.reactor,
            endpoints,
            self.factory,
            wind_delta_interval=WIND_INTERVAL,
            cores=self.cores_allowed,
            random=Random(7),  # noqa: S311 - for the wind
        )

    def cores_allowed(self) -> float | None:
        """Return how much of a core we may use."""
        return self.cores.pop(0) if self.cores else None

    def connect(self, callsign: str = "") -> tuple[FSDProtocol, StringTransport]:
        """Return a new connection, perhaps of a pilot who is on."""
        protocol, transport = self.factory.buildProtocol(None), StringTransport()
        protocol.makeConnection(transport)
        if callsign:
            protocol.dataReceived(pilot_logon(callsign).encode() + b"\r\n")
        transport.clear()
        return protocol, transport

    def pass_time(self, seconds: int) -> None:
        """Let time pass, a second at a time."""
        self.reactor.pump([1.0] * seconds)


def size_of_file_table() -> int:
    """Return for how many open files the kernel has room in this process."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("FDSize:")[2].split()[0])


def list_open_files() -> set[str]:
    """Return the numbers of the files that this process has open, and one more."""
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


class ListeningTests(ServiceTestCase):
    """Where it listens."""

    def test_before_privileges_are_given_up(self) -> None:
        """Low ports are opened in time, and once only."""
        self.service.privilegedStartService()
        self.service.startService()
        self.assertEqual([args[0] for args in self.reactor.tcpServers], [6809])

    def test_without_that_step(self) -> None:
        """A service that is only started listens as well."""
        self.service.startService()
        self.assertEqual([args[0] for args in self.reactor.tcpServers], [6809])

    def test_a_storm_fits_into_the_backlog(self) -> None:
        """Hundreds may wait to be accepted, unless the operator says otherwise."""
        self.build(("tcp:6809", "tcp:6811:backlog=7")).startService()
        backlogs = [args[2] for args in self.reactor.tcpServers]
        self.assertGreater(backlogs[0], 1000)
        self.assertEqual(backlogs[1], 7)

    def test_a_port_that_is_taken(self) -> None:
        """The operator reads which one it is, and why."""
        service = self.build((f"tcp:{TAKEN_PORT}:interface=127.0.0.1",))
        error = self.assertRaises(CannotStart, service.privilegedStartService)
        self.assertEqual(
            str(error),
            f"cannot listen on tcp:{TAKEN_PORT}:interface=127.0.0.1: "
            "Address already in use",
        )

    def test_one_bad_endpoint_closes_the_others(self) -> None:
        """It listens everywhere or nowhere."""
        service = self.build(("tcp:6809", "tcp:6811", f"tcp:{TAKEN_PORT}"))
        self.assertRaises(CannotStart, service.privilegedStartService)
        self.assertEqual(self.reactor.closed, [6809, 6811])
        self.assertEqual(service.addresses, [])

    def test_an_endpoint_that_cannot_be_built(self) -> None:
        """A key file that is gone is told in the same way, and closes the others."""
        service = self.build(("tcp:6809", "ssl:6811:privateKey=/nowhere/key.pem"))
        error = self.assertRaises(CannotStart, service.privilegedStartService)
        self.assertIn("cannot listen on ssl:6811:privateKey=", str(error))
        self.assertIn("No such file", str(error))
        self.assertEqual(self.reactor.closed, [6809])

    def test_the_table_of_files_has_room(self) -> None:
        """It need not grow later, when many come at once: that takes a while."""
        limits = getrlimit(RLIMIT_NOFILE)
        self.connections.max_clients = size_of_file_table()
        if limits[1] <= self.connections.max_clients:
            raise SkipTest("this process may not open so many files")
        self.addCleanup(setrlimit, RLIMIT_NOFILE, limits)
        before = list_open_files()
        self.service.startService()
        self.assertGreater(size_of_file_table(), self.connections.max_clients)
        self.assertLessEqual(list_open_files(), before)

    def test_where_it_listens(self) -> None:
        """It can tell, as long as it does."""
        self.assertEqual(self.service.addresses, [])
        self.service.startService()
        self.assertEqual(self.service.addresses, ["0.0.0.0:6809"])
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.service.addresses, [])

    def test_repr(self) -> None:
        """The manhole shows where, and to how many."""
        self.assertIn("tcp:6809", repr(self.service))
        self.assertIn("0 open", repr(self.service))


class UpkeepTests(ServiceTestCase):
    """What it does as long as it runs."""

    @override
    def setUp(self) -> None:
        """Start it."""
        super().setUp()
        self.service.startService()

    def test_it_looks_after_connections(self) -> None:
        """Who is silent for too long reads the warning within two seconds."""
        _, transport = self.connect()
        self.pass_time(int(make_limits().login_timeout) + 2)
        self.assertEqual(transport.value(), b"# Timeout\r\n")
        self.assertTrue(transport.disconnecting)

    def test_it_looks_after_many(self) -> None:
        """Who comes after hundreds of others is warned within two seconds, too."""
        self.connections.max_clients = 5 * SWEPT_AT_ONCE
        transports = [self.connect()[1] for _ in range(5 * SWEPT_AT_ONCE)]
        timeout = make_limits().login_timeout
        self.reactor.pump([0.1] * int(10 * (timeout + 2)))
        self.assertEqual(
            {transport.value() for transport in transports}, {b"# Timeout\r\n"}
        )

    def test_one_bad_round(self) -> None:
        """One whose socket cannot be dropped ends neither the round nor the next."""
        gone, _ = self.connect()
        gone.transport.abortConnection = None
        self.connections.dismiss(gone)
        _, transport = self.connect()
        self.pass_time(int(make_limits().login_timeout) + 2)
        self.assertEqual(transport.value(), b"# Timeout\r\n")
        self.assertTrue(self.flushLoggedErrors(TypeError))

    def test_one_bad_check_among_many(self) -> None:
        """Whoever comes after him is looked after in the same second."""
        self.connections.max_clients = 5 * SWEPT_AT_ONCE
        protocols, transports = zip(
            *(self.connect() for _ in range(3 * SWEPT_AT_ONCE)), strict=True
        )
        protocols[SWEPT_AT_ONCE + 50].check = None
        self.reactor.pump([0.1] * int(10 * (make_limits().login_timeout + 2)))
        warned = sum(bool(transport.value()) for transport in transports)
        self.assertEqual(warned, len(transports) - 1)
        self.assertTrue(self.flushLoggedErrors(TypeError))

    def test_it_stops_in_the_middle_of_a_round(self) -> None:
        """No go comes after that."""
        self.connections.max_clients = 5 * SWEPT_AT_ONCE
        for _ in range(3 * SWEPT_AT_ONCE):
            self.connect()
        self.reactor.pump([0.5, 0.5, 0.0])
        self.assertGreater(self.connections.unswept, 0)
        self.service.stopService()
        self.reactor.pump([1.0, 1.0, 1.0])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_it_stops_looking(self) -> None:
        """No timer is left when it has gone down, and it can start again."""
        self.pass_time(2)
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.service.startService()
        _, transport = self.connect()
        self.pass_time(int(make_limits().login_timeout) + 2)
        self.assertEqual(transport.value(), b"# Timeout\r\n")

    def test_one_bad_sweep(self) -> None:
        """It is logged, and the next one takes place."""
        bad, _ = self.connect()
        bad.check = None  # type: ignore[assignment]
        self.pass_time(2)
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 2)

    def test_the_wind_changes(self) -> None:
        """Everybody is told a change, within a moment of its time."""
        transports = [self.connect(callsign)[1] for callsign in ("KLM1", "KLM2")]
        self.pass_time(1)
        for transport in transports:
            transport.clear()
        self.pass_time(int(WIND_INTERVAL) + 1)
        first, second = (transport.value() for transport in transports)
        self.assertEqual(first, second)
        name, everybody, speed, direction = first.decode().split(":")
        self.assertEqual((name, everybody), ("#DLSERVER", "*"))
        self.assertIn(int(speed), range(-5, 6))
        self.assertIn(int(direction), range(-10, 11))

    def test_it_follows_the_limit_of_the_machine(self) -> None:
        """A limit that is set later is noticed; one that cannot be read is logged."""
        self.cores += [0.5]
        self.pass_time(11)
        self.assertEqual(self.cores, [])


class StoppingTests(ServiceTestCase):
    """How it goes down."""

    @override
    def setUp(self) -> None:
        """Start it."""
        super().setUp()
        self.service.startService()

    def test_with_nobody_there(self) -> None:
        """It is over at once, and nothing is left."""
        self.successResultOf(self.service.stopService())
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.reactor.closed, [6809])

    def test_a_service_that_never_started(self) -> None:
        """Stopping it is harmless."""
        self.successResultOf(self.build(("tcp:6809",)).stopService())

    def test_clients_are_told(self) -> None:
        """They read why, and are disconnected; it waits for their sockets."""
        protocol, transport = self.connect("KLM1")
        stopped = self.service.stopService()
        self.assertEqual(
            transport.value(), b"#TMserver:KLM1:The server is going down.\r\n"
        )
        self.assertTrue(transport.disconnecting)
        self.assertNoResult(stopped)
        protocol.connectionLost()
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_they_do_not_read_of_each_other(self) -> None:
        """A thousand departures would be a million lines."""
        transports = [self.connect(f"KLM{number}")[1] for number in range(5)]
        self.reactor.advance(1.0)
        for transport in transports:
            transport.clear()
        self.service.stopService()
        self.reactor.advance(0.5)
        for transport in transports:
            self.assertEqual(transport.value().count(b"\n"), 1)

    def test_a_client_who_does_not_hang_up(self) -> None:
        """After a second his socket is dropped."""
        protocol, transport = self.connect("KLM1")
        stopped = self.service.stopService()
        self.assertFalse(transport.disconnected)
        self.reactor.advance(1.0)
        self.assertTrue(transport.disconnected)
        self.assertNoResult(stopped)
        protocol.connectionLost()
        self.assertIsNone(self.successResultOf(stopped))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_a_client_who_does_not_read(self) -> None:
        """He is not waited for any longer."""
        protocol, transport = self.connect("KLM1")
        protocol.outbox.pauseProducing()
        stopped = self.service.stopService()
        self.reactor.advance(1.0)
        self.assertTrue(transport.disconnected)
        protocol.connectionLost()
        self.successResultOf(stopped)

    def test_a_stranger(self) -> None:
        """Who has not logged on is disconnected without a word."""
        protocol, transport = self.connect()
        stopped = self.service.stopService()
        self.assertTrue(transport.disconnecting)
        self.assertEqual(transport.value(), b"")
        protocol.connectionLost()
        self.successResultOf(stopped)

    def test_twice(self) -> None:
        """It can be started again, serves as before, and leaves nothing again."""
        for callsign in ("KLM1", "KLM2"):
            protocol, transport = self.connect(callsign)
            self.pass_time(int(WIND_INTERVAL) + 1)
            self.assertEqual(transport.value().count(b"#DL"), 1)
            stopped = self.service.stopService()
            protocol.connectionLost()
            self.successResultOf(stopped)
            self.assertEqual(self.reactor.getDelayedCalls(), [])
            self.service.startService()
        self.successResultOf(self.service.stopService())
