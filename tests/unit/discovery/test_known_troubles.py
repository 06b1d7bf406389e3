"""The troubles that users of other discoveries have met, one test for each.

Each test is named after what had happened, and its docstring says who met it. They
run on an etcd in memory, whose requests, watches and leases are counted.
"""

from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.discovery.codec import LONGEST_VALUE, encode
from rum_twisted.discovery.errors import WatchEnded
from rum_twisted.discovery.etcd import EtcdRegistry
from rum_twisted.discovery.interfaces import Put
from rum_twisted.discovery.keys import instance_key
from rum_twisted.discovery.service import DiscoveryClient
from rum_twisted.terms.instance import Instance, InstanceState
from rum_twisted.terms.units import Seconds
from tests.support.instances import Told, make_instance
from tests.support.memory_etcd import MemoryEtcd, MemoryStore

TTL = Seconds(10.0)
SERVICES = "/rum/services/"


class KnownTroubleTests(SynchronousTestCase):
    """None of them can happen here."""

    @override
    def setUp(self) -> None:
        """Make the store that all processes share."""
        self.clock = Clock()
        self.store = MemoryStore(self.clock)

    def process(self, seed: int = 1) -> DiscoveryClient:
        """Return the discovery client of another process, started."""
        client = self.make(seed)
        client.startService()
        self.addCleanup(client.stopService)
        return client

    def make(self, seed: int = 1) -> DiscoveryClient:
        """Return one that is not started."""
        return DiscoveryClient(
            EtcdRegistry(
                MemoryEtcd(self.clock, self.store),
                self.clock,
                Random(seed),  # noqa: S311 - the same each time
                base_path="/rum",
                ttl=TTL,
            )
        )

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in small steps; leases end when it is time."""
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)
            if not self.store.is_away:
                self.store.expire()

    def assert_nothing_left(self) -> None:
        """Check that neither etcd nor the clock holds anything of ours."""
        self.assertEqual((self.store.watches, self.store.leases), ([], {}))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_discovery_created_in_a_loop(self) -> None:
        """Ten thousand who ask for the instances make one watch and no lease.

        Source: rpcx issue 637: memory full, by a discovery for each call.
        """
        client = self.process()
        for _ in range(10_000):
            client.watch("passport", Told())
            client.instances("passport")
        self.clock.advance(0)
        self.assertEqual(len(self.store.watches), 1)
        self.assertEqual(self.store.granted, 0)
        self.assertEqual(self.store.requests, 2)  # a listing and a watch
        self.successResultOf(client.stopService())
        self.assert_nothing_left()

    def test_work_left_when_etcd_is_down(self) -> None:
        """A client that never reached etcd ends, and leaves nothing.

        Source: rpcx issue 578: goroutines stayed, and closing did not help.
        """
        self.store.is_refusing = True
        client = self.process()
        client.register(make_instance())
        client.instances("passport")
        self.pass_time(30)
        self.successResultOf(client.stopService())
        self.assert_nothing_left()

    def test_closing_left_the_watch(self) -> None:
        """Whoever stops watching is forgotten, and is told nothing more.

        Source: rpcx issues 186, 189, 658: the watch outlived the client.
        """
        client = self.process()
        told = Told()
        for _ in range(1000):
            client.watch("passport", told).stop()
        self.assertEqual(client.watches, 0)
        self.process().register(make_instance())
        self.pass_time(1)
        self.assertEqual(told.times, [])

    def test_change_dropped_because_the_listener_was_slow(self) -> None:
        """However fast changes come, what is told last is how things are.

        Source: rpcx issue 189: "channel is full and this change has been dropped".
        """
        client, other = self.process(), self.process()
        told = Told()
        client.watch("passport", told)
        for weight in range(1, 1001):
            other.register(make_instance(weight=weight))
        self.pass_time(1)
        assert told.last
        self.assertEqual(told.last[0].weight, 1000)
        self.assertLess(len(told.times), 10)

    def test_closed_at_once(self) -> None:
        """A client that is stopped as soon as it was started leaves nothing.

        Source: rpcx issues 441, 741: a reader stayed after a quick close.
        """
        for is_away in (False, True):
            self.store.is_away = is_away
            for _ in range(100):
                client = self.process()
                client.register(make_instance())
                client.instances("passport")
                stopped = client.stopService()
                self.pass_time(0 if not is_away else 6)
                self.successResultOf(stopped)
            self.store.mend()
            self.assert_nothing_left()

    def test_garbage_keys_opened_connections(self) -> None:
        """Keys that are no instances become none, and cost no request.

        Source: rpcx issue 496: a connection leaked for each garbage key.
        """
        client = self.process()
        self.assertEqual(client.instances("passport"), ())
        self.clock.advance(0)
        requests = self.store.requests
        puts = [
            Put(key=f"{SERVICES}{name}", value=value)
            for number in range(500)
            for name, value in (
                (f"passport/{number}", b"garbage"),
                (f"passport/{number}/x", encode(make_instance())),
                (f"{number}", b""),
            )
        ]
        self.store.change(tuple(puts), ())
        self.pass_time(1)
        self.assertEqual(client.services(), ())
        self.assertEqual(self.store.requests, requests)

    def test_watching_again_spins_when_the_service_is_gone(self) -> None:
        """While nobody plays a service, and etcd is away, we are nearly idle.

        Source: rpcx issue 374: a core at 100 % for a service that was gone.
        """
        client = self.process()
        client.watch("nobody", Told())
        self.store.cut()
        before = self.store.requests
        self.pass_time(60)
        self.assertLessEqual(self.store.requests - before, 30)

    def test_outage_longer_than_the_lease(self) -> None:
        """After an outage of three leases an instance is listed again, once.

        Source: rpcx issues 420 and 734: "requested lease not found", for ever.
        """
        listed, seeing = self.process(), self.process(2)
        listed.register(make_instance())
        seeing.instances("passport")
        self.store.cut()
        self.pass_time(3 * TTL)
        self.store.mend()
        self.pass_time(2 * TTL)
        self.assertEqual(len(seeing.instances("passport")), 1)
        self.assertEqual(listed.health.registrations, 2)
        self.assertEqual(len(self.store.leases), 1)
        self.pass_time(600)
        self.assertEqual(listed.health.registrations, 2)

    def test_late_renewal_unregisters(self) -> None:
        """A renewal that comes late, again and again, takes nobody off the list.

        Source: rpcx-etcd issue 23: under load an instance lost its entry.
        """
        listed, seeing = self.process(), self.process(2)
        listed.register(make_instance())
        told = Told()
        seeing.watch("passport", told)
        self.pass_time(1)
        for _ in range(50):
            self.store.is_away = True  # a renewal is lost, and found lost later
            self.pass_time(TTL * 0.3)
            self.store.mend()
            self.pass_time(TTL * 0.7)
        self.assertNotIn((), told.times)
        self.assertEqual(listed.health.registrations, 1)

    def test_two_leases_alternate(self) -> None:
        """When a lease is lost, there is one new lease, and it stays.

        Source: rpcx-etcd issue 27: two leases took turns, and so did the entry.
        """
        listed = self.process()
        listed.register(make_instance())
        self.store.end_lease(next(iter(self.store.leases)))
        self.pass_time(TTL)
        leases = list(self.store.leases)
        self.assertEqual(len(leases), 1)
        self.pass_time(3600)
        self.assertEqual(list(self.store.leases), leases)
        self.assertEqual(self.store.granted, 2)
        self.assertEqual(self.store.writes, 2)

    def test_loop_without_end_on_a_closed_watch(self) -> None:
        """A watch that etcd ends at once, each time, costs a request now and then.

        Source: rpcx-etcd issues 33 and 35.
        """
        client = self.process()
        client.instances("passport")
        before = self.store.watches_opened
        for _ in range(600):
            self.store.end_watches(WatchEnded("closed"))
            self.clock.advance(0.1)
        self.assertLessEqual(self.store.watches_opened - before, 120)

    def test_registered_twice(self) -> None:
        """Registering again is no second entry; nor is starting again.

        Source: rpcx-etcd issue 36.
        """
        listed = self.process()
        for _ in range(10):
            listed.register(make_instance())
        self.assertEqual(len(self.store.entries), 1)
        self.assertEqual((self.store.writes, self.store.granted), (1, 1))
        self.successResultOf(listed.stopService())
        listed.startService()
        listed.register(make_instance())
        self.assertEqual(len(self.store.entries), 1)
        self.assertEqual(len(self.store.leases), 1)

    def test_connection_for_each_service(self) -> None:
        """A process that plays and watches many services has one watch, one lease.

        Source: rpcx-etcd issue 40: a mode with a single etcd was added in 2024.
        """
        client = self.process()
        for number in range(50):
            client.register(make_instance(service=f"service-{number}"))
            client.watch(f"service-{number}", Told())
        self.pass_time(1)
        self.assertEqual((len(self.store.watches), self.store.granted), (1, 1))
        self.assertEqual(len(client.services()), 50)

    def test_dead_instance_stays_selectable(self) -> None:
        """Who ends cleanly is gone at once; who is killed, within the lease's time.

        Source: rpcx issue 144. That nobody calls it meanwhile is up to the caller.
        """
        seeing, ending, killed = (self.process(seed) for seed in (1, 2, 3))
        seeing.instances("passport")
        ending.register(make_instance("ending"))
        killed.register(make_instance("killed"))
        self.pass_time(1)
        self.assertEqual(len(seeing.instances("passport")), 2)
        self.successResultOf(ending.stopService())
        self.pass_time(0.1)
        self.assertEqual(self.names(seeing), ["killed"])
        lease = next(iter(self.store.leases))
        self.store.end_lease(lease)  # as after its time
        self.pass_time(0.1)
        self.assertEqual(self.names(seeing), [])

    def test_length_field_allocates_without_bound(self) -> None:
        """A value that is too long is passed over, unread.

        Source: rpcx issues 210 and 775: 1.8 GB for a wrong length.
        """
        client = self.process()
        key = instance_key("/rum", make_instance())
        value = encode(make_instance()).ljust(LONGEST_VALUE + 1)
        self.store.change((Put(key=key, value=value),), ())
        self.assertEqual(client.instances("passport"), ())

    def test_clients_and_watches_not_closed(self) -> None:
        """A hundred processes that come and go leave etcd as it was.

        Source: etcd issues 6134 and 7360, confd issue 615, etcdadm-controller
        issue 42.
        """
        for seed in range(100):
            client = self.process(seed)
            client.register(make_instance(f"a-{seed}"))
            client.watch("passport", Told())
            self.pass_time(0.1)
            self.successResultOf(client.stopService())
        self.assert_nothing_left()
        self.assertEqual(self.store.entries, {})

    def test_lease_lost_after_a_network_fault(self) -> None:
        """A fault of any length, at any time: in the end everybody is listed.

        Source: kitex registry-etcd issue 11, dubbo-go issue 688, RabbitMQ issue
        17404: never registered again.
        """
        random = Random(7)  # noqa: S311 - the same each time
        processes = [self.process(seed) for seed in range(5)]
        for number, process in enumerate(processes):
            process.register(make_instance(f"a-{number}"))
            process.instances("passport")
        for _ in range(40):
            self.pass_time(random.uniform(0, 15))
            match random.randrange(4):
                case 0:
                    self.store.cut()
                case 1:
                    self.store.is_away = True
                case 2:
                    self.store.wipe()
                case _:
                    for lease in list(self.store.leases):
                        self.store.end_lease(lease)
            self.pass_time(random.uniform(0, 25))
            self.store.mend()
        self.pass_time(60)
        due = [f"a-{number}" for number in range(5)]
        for process in processes:
            self.assertEqual(self.names(process), due)
            self.assertTrue(process.health.is_registered)
        self.assertEqual(len(self.store.leases), 5)
        self.assertEqual(len(self.store.watches), 5)

    def test_drained_instance_is_called_for_a_while(self) -> None:
        """Whoever drains is told as such before he goes, and goes at once.

        Source: rpcx's "state=inactive", read by its clients only at times.
        """
        seeing, leaving = self.process(), self.process(2)
        seeing.instances("passport")
        leaving.register(make_instance())
        leaving.register(make_instance(state=InstanceState.DRAINING))
        self.pass_time(0.1)
        found: tuple[Instance, ...] = seeing.instances("passport")
        self.assertIs(found[0].state, InstanceState.DRAINING)
        self.successResultOf(leaving.deregister())
        self.pass_time(0.1)
        self.assertEqual(seeing.instances("passport"), ())

    def names(self, client: DiscoveryClient) -> list[str]:
        """Return who plays passport."""
        return [each.name for each in client.instances("passport")]
