"""Clients of services: shared, counted, and noticed when they are dropped."""

import gc
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface.verify import verifyObject

from rum_twisted.rpc.bridge import deferred
from rum_twisted.rpc.calling import MOST_INSTANCES
from rum_twisted.rpc.client import (
    LINGER,
    MOST_AT_ONE_LINE,
    MOST_SERVICES,
    XClient,
    XClients,
)
from rum_twisted.rpc.errors import ClientClosed, Code, NoInstance, TooManyServices
from rum_twisted.rpc.generated import weather_pb2 as pb2
from rum_twisted.rpc.interfaces import IInstances
from rum_twisted.rpc.metrics import MOST_SERIES
from rum_twisted.rpc.options import CallOptions
from rum_twisted.rpc.tls import TlsError, TlsFiles
from rum_twisted.rpc.weather import METAR
from rum_twisted.terms.instance import InstanceState
from rum_twisted.terms.measure import Measure
from tests.support.fabric import ListedInstances, chance, make_instance
from tests.support.loop import LoopTestCase


class ClientsCase(LoopTestCase):
    """Clients of ``weather``, with one instance that is never called here."""

    options = CallOptions()

    @override
    def setUp(self) -> None:
        """Start."""
        super().setUp()
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.instances = ListedInstances(make_instance())
        self.clients = XClients(
            self.instances, self.clock, chance(), options=lambda _: self.options
        )
        self.clients.startService()
        self.addCleanup(lambda: self.successResultOf(self.clients.stopService()))

    def call(self, client: XClient) -> Deferred[pb2.MetarResponse]:
        """Ask for a report."""
        return deferred(client.call(METAR, pb2.StationRequest()), self.loop)

    def fails_with(self, kind: type[Exception], client: XClient) -> Exception:
        """Check that a call fails so; return how."""
        outcome = self.outcome_of(self.call(client))
        assert isinstance(outcome, Failure)
        outcome.trap(kind)
        error = outcome.value
        assert isinstance(error, kind)
        return error

    @property
    def held(self) -> int:
        """How many endpoints are held."""
        return len(self.clients.channels)


class SharingTests(ClientsCase):
    """All clients of a service are one."""

    def test_asking_again_costs_a_reference(self) -> None:
        """A hundred clients have one watch and one endpoint."""
        kept = [self.clients.client("weather") for _ in range(100)]
        self.assertEqual((len(self.instances.watches), self.held), (1, 1))
        for client in kept:
            client.close()
        self.assertEqual((len(self.instances.watches), self.held), (1, 1))

    def test_each_service_has_its_own(self) -> None:
        """What is known of one service does not serve for another."""
        with self.clients.client("weather"), self.clients.client("passport"):
            self.assertEqual(len(self.instances.watches), 2)

    def test_everything_goes_some_time_after_the_last_close(self) -> None:
        """Not at once: the next one who asks does not connect anew."""
        self.clients.client("weather").close()
        self.clock.pump([1.0] * int(LINGER - 1))
        self.assertEqual((len(self.instances.watches), self.held), (1, 1))
        self.clock.pump([1.0] * 2)
        self.assertEqual((len(self.instances.watches), self.held), (0, 0))

    def test_use_in_between_keeps_everything(self) -> None:
        """Whoever asks every few seconds has the same connection all day."""
        for _ in range(20):
            with self.clients.client("weather"):
                (watch,) = self.instances.watches
            self.clock.pump([1.0] * 10)
            self.assertEqual(self.instances.watches, [watch])

    def test_one_left_open_keeps_everything(self) -> None:
        """Others' closing takes nothing from who has not closed."""
        kept = self.clients.client("weather")
        self.clients.client("weather").close()
        self.clock.pump([1.0] * int(2 * LINGER))
        self.assertEqual(self.held, 1)
        kept.close()

    def test_closing_twice_counts_once(self) -> None:
        """A second close takes nobody else's reference."""
        kept, other = self.clients.client("weather"), self.clients.client("weather")
        other.close()
        other.close()
        self.clock.pump([1.0] * int(2 * LINGER))
        self.assertEqual(self.held, 1)
        kept.close()

    def test_closed_client_is_of_no_use(self) -> None:
        """Whoever calls with it is told."""
        client = self.clients.client("weather")
        client.close()
        self.assertEqual(repr(client), "<XClient closed>")
        self.fails_with(ClientClosed, client)

    def test_stopping_ends_all(self) -> None:
        """No watch and no endpoint is left, and clients that are still held fail."""
        client = self.clients.client("weather")
        self.successResultOf(self.clients.stopService())
        self.assertEqual((len(self.instances.watches), self.held), (0, 0))
        self.fails_with(ClientClosed, client)
        self.assertRaises(ClientClosed, self.clients.client, "weather")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        client.close()

    def test_starting_and_stopping_twice_does_no_harm(self) -> None:
        """Neither does starting again."""
        self.clients.startService()
        for _ in range(2):
            self.successResultOf(self.clients.stopService())
        self.clients.startService()
        with self.clients.client("weather"):
            self.assertEqual((len(self.instances.watches), self.held), (1, 1))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_bad_certificate_is_told_at_the_start(self) -> None:
        """The setting and the file are named."""
        files = TlsFiles(ca=Path("/nowhere/ca.pem"))
        clients = XClients(self.instances, self.clock, chance(), tls=files)
        error = self.assertRaises(TlsError, clients.startService)
        self.assertIn(
            "tls_ca /nowhere/ca.pem: cannot be read: No such file", str(error)
        )
        self.assertRaises(TlsError, TlsFiles, cert=Path("cert.pem"))


class CarelessLineTests(ClientsCase):
    """The line that asks for a client at every call and never closes it."""

    def careless(self, times: int) -> None:
        """Be that line."""
        for _ in range(times):
            self.clients.client("weather")

    def careful(self, times: int) -> None:
        """Be the line that it should be."""
        for _ in range(times):
            with self.clients.client("weather"):
                pass

    def warnings(self, events: list[Any]) -> list[str]:
        """Return the places that the log warns of."""
        return [
            event["place"] for event in events if event["log_level"] is LogLevel.warn
        ]

    def test_rpcx_637_discovery_made_in_a_loop_costs_nothing(self) -> None:
        """10,000 clients that nobody closes leave one watch and no reference."""
        with capturedLogs():
            self.careless(10_000)
            self.clients.sweep()
        self.assertEqual((len(self.instances.watches), self.held), (1, 1))
        self.assertIn(" 0 references", repr(self.clients.services[0]))
        self.clock.pump([1.0] * int(LINGER + 1))
        self.assertEqual((len(self.instances.watches), self.held), (0, 0))

    def test_the_line_is_named_once(self) -> None:
        """The log has its file and number, not ten thousand times."""
        with capturedLogs() as events:
            self.careless(10_000)
            self.clients.sweep()
            self.careless(10)
            self.clients.sweep()
        (place,) = self.warnings(list(events))
        file, _, line = place.rpartition(":")
        self.assertEqual(file, __file__)
        text = Path(__file__).read_text("utf-8").splitlines()[int(line) - 1]
        self.assertEqual(text.strip(), 'self.clients.client("weather")')

    def test_careful_line_is_not_named(self) -> None:
        """Nobody is warned of what was closed."""
        with capturedLogs() as events:
            self.careful(10_000)
            self.clients.sweep()
        self.assertEqual(self.warnings(list(events)), [])

    def test_line_that_keeps_them_all_is_named(self) -> None:
        """Clients in a list, never closed, are noticed while they are held."""
        with capturedLogs() as events:
            kept = [self.clients.client("weather") for _ in range(MOST_AT_ONE_LINE)]
            self.assertEqual(self.warnings(list(events)), [])
            kept += [self.clients.client("weather") for _ in range(MOST_AT_ONE_LINE)]
            kept += [
                self.clients.client("weather") for _ in range(MOST_AT_ONE_LINE + 1)
            ]
        self.assertEqual(len(self.warnings(list(events))), 1)
        for client in kept:
            client.close()

    def test_clients_in_a_cycle_are_noticed_when_they_are_collected(self) -> None:
        """An object that holds a client and itself is freed by the collector only."""
        holder: list[Any] = [self.clients.client("weather")]
        holder.append(holder)
        del holder
        with capturedLogs() as events:
            gc.collect()
            self.clock.pump([1.0] * 2)
        self.assertEqual(len(self.warnings(list(events))), 1)


class GarbageTests(ClientsCase):
    """Names and keys that come from outside."""

    def test_rpcx_441_made_up_services_leave_nothing(self) -> None:
        """Ten thousand different names have a bounded number of watches."""
        with capturedLogs():
            for number in range(10_000):
                self.clients.client(f"weather-{number}")
        self.assertEqual(len(self.instances.watches), MOST_SERVICES)

    def test_services_in_use_are_never_ended_for_others(self) -> None:
        """Whoever asks for one too many is told so."""
        kept = [self.clients.client(f"{number}") for number in range(MOST_SERVICES)]
        error = self.assertRaises(TooManyServices, self.clients.client, "weather")
        self.assertIn(f"'weather': clients of {MOST_SERVICES} services", str(error))
        self.assertEqual(len(self.instances.watches), MOST_SERVICES)
        kept.pop().close()
        self.clients.client("weather").close()
        for client in kept:
            client.close()


class InstanceTests(ClientsCase):
    """Whom a client may ask."""

    options = CallOptions(group="trial")

    def addresses(self) -> list[str]:
        """Return who may be asked."""
        return sorted(self.clients.channels.addresses)

    def test_list_keeps_its_promises(self) -> None:
        """The tests' own list is a full `IInstances`."""
        self.assertTrue(verifyObject(IInstances, self.instances))

    def test_nobody_is_a_clear_answer(self) -> None:
        """Without an instance, a call fails at once and says why."""
        with self.clients.client("passport") as client:
            error = self.fails_with(NoInstance, client)
        self.assertIn("passport: no instance is known", str(error))
        (series,) = self.clients.metrics.snapshot()
        self.assertEqual(series.codes, {Code.UNAVAILABLE: 1})

    def test_only_willing_ones_of_our_group_are_asked(self) -> None:
        """Not those who drain, stand aside, weigh nothing or are of another group."""
        with self.clients.client("weather"):
            self.assertEqual(self.addresses(), [])
            self.instances.change(
                make_instance("a", "h:1", group="trial"),
                make_instance("b", "h:2", group="trial", state=InstanceState.DRAINING),
                make_instance("c", "h:3", group="trial", state=InstanceState.INACTIVE),
                make_instance("d", "h:4", group="trial", weight=0),
                make_instance("e", "h:5", group="other"),
                make_instance("f", "h:6"),
            )
            self.assertEqual(self.addresses(), ["h:1"])

    def test_changes_are_taken_up(self) -> None:
        """Endpoints come and go with the instances; those who stay are not touched."""
        with self.clients.client("weather"):
            first = make_instance("a", "h:1", group="trial")
            self.instances.change(first)
            self.instances.change(first, make_instance("b", "h:2", group="trial"))
            self.assertEqual(self.addresses(), ["h:1", "h:2"])
            self.instances.change(make_instance("a", "h:3", group="trial"))
            self.assertEqual(self.addresses(), ["h:3"])
            self.instances.change()
            self.assertEqual(self.addresses(), [])

    def test_two_services_at_one_address_share_a_channel(self) -> None:
        """A process that plays two roles is connected to once."""
        self.instances.change(
            make_instance("a", "h:1", group="trial"),
            make_instance("a", "h:1", group="trial", service="passport"),
        )
        with self.clients.client("weather"), self.clients.client("passport"):
            self.assertEqual(self.addresses(), ["h:1"])

    def test_no_more_instances_than_the_bound(self) -> None:
        """A registry gone mad costs a bounded number of connections, and is told."""
        many = [
            make_instance(f"{number}", f"h:{number + 1}", group="trial")
            for number in range(MOST_INSTANCES + 1)
        ]
        with self.clients.client("weather"), capturedLogs() as events:
            self.instances.change(*many[:-1])
            self.assertEqual(len(events), 0)
            self.instances.change(*many)
            self.instances.change(*many)
            self.assertEqual(len(self.addresses()), MOST_INSTANCES)
        self.assertEqual(len(events), 1)


class OptionTests(SynchronousTestCase):
    """How clients are called."""

    def test_every_service_has_its_own_way(self) -> None:
        """The options are asked for once, by the name of the service."""
        asked: list[str] = []

        def options(service: str) -> CallOptions:
            asked.append(service)
            return CallOptions()

        clients = XClients(ListedInstances(), Clock(), chance(), options=options)
        clients.startService()
        for service in ("weather", "passport", "weather"):
            clients.client(service).close()
        self.successResultOf(clients.stopService())
        self.assertEqual(asked, ["weather", "passport"])


class MeasureTests(ClientsCase):
    """What an operator sees of clients."""

    def test_each_line_that_asks_is_named(self) -> None:
        """With the clients that it has open, and not those it gave back."""
        kept = [self.clients.client("weather") for _ in range(3)]  # one line
        other = self.clients.client("weather")
        found = self.clients.measures()["clients"]()
        assert isinstance(found, tuple)
        self.assertEqual([measure.count for measure in found], [3, 1])
        for measure in found:
            self.assertIn("test_client.py:", measure.made_at)
        other.close()
        for client in kept:
            client.close()
        self.assertEqual(self.clients.measures()["clients"](), ())

    def test_calls(self) -> None:
        """None is under way; what was counted of them has a bound."""
        measures = self.clients.measures()
        for name, bound in (("calls", None), ("call figures", MOST_SERIES + 1)):
            found = measures[name]()
            assert isinstance(found, Measure)
            self.assertEqual((found.count, found.bound), (0, bound))

    def test_channels(self) -> None:
        """Those that are held."""
        client = self.clients.client("weather")
        found = self.clients.measures()["channels"]()
        assert isinstance(found, Measure)
        self.assertEqual(found.count, 1)
        client.close()
