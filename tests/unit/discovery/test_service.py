"""The discovery client, and which one the settings ask for."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rum_twisted.config import DiscoverySettings
from rum_twisted.discovery.choose import CannotDiscover, make_discovery
from rum_twisted.discovery.etcd import EtcdRegistry
from rum_twisted.discovery.interfaces import RegistryState
from rum_twisted.discovery.memory import MemoryRegistry
from rum_twisted.discovery.service import DiscoveryClient
from rum_twisted.rpc.interfaces import IInstances, IWatch
from rum_twisted.terms.units import Seconds
from tests.support.fabric import chance
from tests.support.instances import Told, make_instance
from tests.support.memory_etcd import MemoryEtcd, MemoryStore


class DiscoveryClientTests(SynchronousTestCase):
    """The one client of a process."""

    def make(self) -> tuple[DiscoveryClient, MemoryStore, Clock]:
        """Return a client on an etcd in memory, with that and its clock."""
        clock = Clock()
        store = MemoryStore(clock)
        registry = EtcdRegistry(
            MemoryEtcd(clock, store),
            clock,
            chance(),
            base_path="/rum",
            ttl=Seconds(10.0),
        )
        return DiscoveryClient(registry), store, clock

    def test_is_what_calls_are_made_with(self) -> None:
        """It has what clients of services ask for."""
        client, _, _ = self.make()
        self.assertTrue(verifyObject(IInstances, client, tentative=True))
        watch = client.watch("passport", Told())
        self.assertTrue(verifyObject(IWatch, watch, tentative=True))

    def test_name(self) -> None:
        """It is found in the tree of services."""
        self.assertEqual(self.make()[0].name, "discovery")

    def test_nothing_is_asked_before_the_start(self) -> None:
        """Making it, asking it and registering with it opens nothing."""
        client, store, clock = self.make()
        client.register(make_instance())
        client.watch("passport", Told())
        self.assertEqual(client.instances("passport"), ())
        self.assertEqual(store.requests, 0)
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_starts_and_stops_twice(self) -> None:
        """Each second time does nothing, and nothing is left at the end."""
        client, store, clock = self.make()
        client.register(make_instance())
        client.instances("passport")
        self.successResultOf(client.stopService())
        for _ in range(2):
            client.startService()
            client.startService()
            clock.advance(0)
            self.assertEqual(len(store.watches), 1)
            self.successResultOf(client.stopService())
            self.successResultOf(client.stopService())
            self.assertEqual((store.watches, store.leases), ([], {}))
            self.assertEqual(clock.getDelayedCalls(), [])

    def test_reads_only_when_asked(self) -> None:
        """A process that asks nobody opens no watch; the first question does."""
        client, store, clock = self.make()
        client.startService()
        clock.advance(0)
        self.assertEqual(store.watches, [])
        client.instances("passport")
        clock.advance(0)
        self.assertEqual(len(store.watches), 1)
        self.successResultOf(client.stopService())

    def test_who_watches_is_told(self) -> None:
        """An instance that another process lists is told and found."""
        client, store, clock = self.make()
        told = Told()
        client.watch("passport", told)
        client.startService()
        other = DiscoveryClient(
            EtcdRegistry(
                MemoryEtcd(clock, store),
                clock,
                chance(),
                base_path="/rum",
                ttl=Seconds(10.0),
            )
        )
        other.startService()
        other.register(make_instance("b"))
        clock.advance(0.1)
        self.assertEqual(told.names, ["b"])
        self.assertEqual([each.name for each in client.instances("passport")], ["b"])
        self.assertEqual(client.services(), ("passport",))
        self.successResultOf(other.deregister())
        clock.advance(0.1)
        self.assertEqual(told.last, ())
        for each in (client, other):
            self.successResultOf(each.stopService())

    def test_ten_thousand_askers_cost_etcd_nothing(self) -> None:
        """Listeners that nobody stops are counted here, and unknown to etcd."""
        client, store, clock = self.make()
        client.startService()
        client.instances("passport")
        clock.advance(0)
        requests, timers = store.requests, len(clock.getDelayedCalls())
        for _ in range(10_000):
            client.watch("passport", Told())
            client.instances("weather")
        self.assertEqual(store.requests, requests)
        self.assertEqual(len(store.watches), 1)
        self.assertEqual(len(clock.getDelayedCalls()), timers)
        self.assertEqual(client.watches, 10_000)
        self.successResultOf(client.stopService())

    def test_health(self) -> None:
        """An operator reads how it stands with etcd, and why."""
        client, store, clock = self.make()
        self.assertIs(client.health.state, RegistryState.STOPPED)
        client.startService()
        client.register(make_instance())
        client.instances("passport")
        self.assertIs(client.health.state, RegistryState.CONNECTING)
        clock.advance(0)
        health = client.health
        self.assertIs(health.state, RegistryState.LIVE)
        self.assertTrue(health.is_registered)
        self.assertEqual((health.watches, health.leases, health.writes), (1, 1, 1))
        store.cut()
        clock.advance(1)
        health = client.health
        self.assertIs(health.state, RegistryState.AWAY)
        self.assertTrue(health.trouble)
        self.successResultOf(client.stopService())

    def test_starting_while_it_is_stopping(self) -> None:
        """It is opened again when it is closed; both ends are told."""
        client, store, clock = self.make()
        client.register(make_instance())
        client.instances("passport")
        client.startService()
        store.is_away = True
        first = client.stopService()
        client.startService()
        self.assertNoResult(first)
        second = client.stopService()
        client.startService()
        client.register(make_instance("b"))
        store.mend()
        for _ in range(60):
            clock.advance(0.1)
        self.successResultOf(first)
        self.successResultOf(second)
        for _ in range(120):
            clock.advance(0.1)
            store.expire()
        self.assertEqual(list(store.entries), ["/rum/services/passport/b"])
        self.assertEqual(len(store.watches), 1)
        self.successResultOf(client.stopService())
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_trouble_is_told_once_and_its_end_too(self) -> None:
        """Of an outage the log has one warning, and one line when it is over."""
        client, store, clock = self.make()
        events: list[dict[str, Any]] = []
        publisher: Any = globalLogPublisher
        publisher.addObserver(events.append)
        self.addCleanup(publisher.removeObserver, events.append)
        client.register(make_instance())
        client.instances("passport")
        client.startService()
        clock.advance(0)
        self.assertEqual(client.health.trouble, "")
        store.cut()
        for _ in range(600):
            clock.advance(0.1)
        self.assertNotEqual(client.health.trouble, "")
        store.mend()
        for _ in range(100):
            clock.advance(0.1)
        self.assertEqual(client.health.trouble, "")
        lines = [formatEvent(event) for event in events]
        ours = [line for line in lines if line and line.startswith("etcd:")]
        self.assertEqual(ours, ["etcd: cut; trying again", "etcd: all is well again"])
        self.successResultOf(client.stopService())

    def test_repr_is_one_line(self) -> None:
        """The manhole shows what it is."""
        client, _, _ = self.make()
        self.assertNotIn("\n", repr(client))
        self.assertIn("0 instances", repr(client))


class ChoiceTests(SynchronousTestCase):
    """What the settings ask for."""

    def make(self, **settings: Any) -> DiscoveryClient:
        """Return what is made for these settings."""
        return make_discovery(DiscoverySettings(**settings), Clock(), chance())

    def test_memory(self) -> None:
        """By default a process knows itself alone."""
        self.assertIn(MemoryRegistry.__name__, repr(self.make()))

    def test_static(self) -> None:
        """A list of instances is there from the start."""
        client = self.make(
            backend="static",
            endpoints=("passport=10.0.0.1:7001", "passport=10.0.0.2:7001"),
        )
        client.startService()
        self.assertEqual(
            [each.address for each in client.instances("passport")],
            ["10.0.0.1:7001", "10.0.0.2:7001"],
        )
        self.successResultOf(client.stopService())

    def test_etcd(self) -> None:
        """The lean connection is used; nothing is opened for being made."""
        client = self.make(
            backend="etcd", endpoints=("etcd1:2379", "etcd2:2379"), client="lean"
        )
        self.assertIn("LeanEtcd etcd", repr(client))

    def test_lists_that_do_not_fit_their_backend(self) -> None:
        """An operator is told which entry, and what is due."""
        for backend, entry in (("static", "10.0.0.1:7001"), ("etcd", "a=b:2379")):
            with self.assertRaises(CannotDiscover) as caught:
                self.make(backend=backend, endpoints=(entry,))
            self.assertIn(entry, str(caught.exception))
            self.assertIn("discovery.endpoints", str(caught.exception))

    def test_a_certificate_without_its_key(self) -> None:
        """Half of what proves who we are is told before anything starts."""
        with self.assertRaises(CannotDiscover):
            self.make(backend="etcd", tls_cert=Path("/cert.pem"))

    def test_the_password_is_not_shown(self) -> None:
        """It stands in no line about the client, nor about the settings."""
        settings = DiscoverySettings(backend="etcd", user="rum", password="hush-hush")
        client = make_discovery(settings, Clock(), chance())
        self.assertNotIn("hush", repr(client))
        self.assertNotIn("hush", repr(settings))


class ImportTests(SynchronousTestCase):
    """What is not asked for costs no memory."""

    def test_without_etcd_there_is_no_grpc(self) -> None:
        """A process that knows itself alone loads neither grpc nor protobuf."""
        program = (
            "import sys, random\n"
            "from twisted.internet.task import Clock\n"
            "from rum_twisted.config import DiscoverySettings\n"
            "from rum_twisted.discovery.choose import make_discovery\n"
            "make_discovery(DiscoverySettings(), Clock(), random.Random())\n"
            "print([name for name in ('grpc', 'google.protobuf', 'automat')"
            " if name in sys.modules])\n"
        )
        done = subprocess.run(  # noqa: S603 - our own text
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        self.assertEqual(done.stdout.strip(), "[]")

    def test_lean_connection_does_without_the_library(self) -> None:
        """Whoever uses the lean connection need not have aioetcd3."""
        program = (
            "import sys\n"
            "import rum_twisted.discovery.etcd_lean\n"
            "print('aioetcd3' in sys.modules, 'aiogrpc' in sys.modules)\n"
        )
        done = subprocess.run(  # noqa: S603 - our own text
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        self.assertEqual(done.stdout.strip(), "False False")
