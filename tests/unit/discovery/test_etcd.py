"""Who registers and reads: what comes first, turn by turn."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.discovery.etcd import HEAD_START, EtcdRegistry
from rum_twisted.discovery.interfaces import RegistryState
from rum_twisted.terms.units import Seconds
from tests.support.fabric import chance
from tests.support.instances import Told, make_instance
from tests.support.memory_etcd import MemoryEtcd, MemoryStore


class _Store(MemoryStore):
    """Notes how many watches had to be told of the end of each lease."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.told_of_ends: list[int] = []

    @override
    def end_lease(self, lease: int) -> None:
        self.told_of_ends.append(len(self.watches))
        super().end_lease(lease)


class HeadStartTests(SynchronousTestCase):
    """A process that is listed before it looks who else is there."""

    @override
    def setUp(self) -> None:
        """Make everything; nothing is started."""
        self.clock = Clock()
        self.store = _Store(self.clock)
        self.told = Told()
        self.registry = EtcdRegistry(
            MemoryEtcd(self.clock, self.store),
            self.clock,
            chance(),
            base_path="/rum",
            ttl=Seconds(10.0),
        )

    def start(self) -> None:
        """Read and register in one turn, in the order in which processes do."""
        self.registry.start(self.told)
        self.registry.follow()
        self.registry.register(make_instance())

    def end(self) -> None:
        """Stop, and check that nothing is left."""
        self.store.mend()
        self.successResultOf(self.registry.stop())
        self.assertEqual((self.store.watches, self.store.leases), ([], {}))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_listed_first(self) -> None:
        """The first that it reads has itself in it: nobody is told of it later."""
        self.start()
        self.clock.advance(0)
        self.assertIs(self.registry.health().state, RegistryState.LIVE)
        self.clock.advance(1)
        self.assertEqual([len(each) for each in self.told.times], [1])
        self.end()

    def test_who_only_reads_waits_for_nothing(self) -> None:
        """It reads in the next turn."""
        self.registry.start(self.told)
        self.registry.follow()
        self.assertEqual(self.store.requests, 0)
        self.assertIs(self.registry.health().state, RegistryState.CONNECTING)
        self.clock.advance(0)
        self.assertIs(self.registry.health().state, RegistryState.LIVE)
        self.assertEqual(self.told.last, ())
        self.end()

    def test_who_is_listed_waits_for_nothing(self) -> None:
        """It may begin to read much later."""
        self.registry.start(self.told)
        self.registry.register(make_instance())
        self.clock.advance(2)
        self.registry.follow()
        self.clock.advance(0)
        self.assertEqual(self.told.names, ["a-1"])
        self.end()

    def test_slow_registration(self) -> None:
        """It is waited for, but not for long: the others have to be known."""
        self.store.is_away = True
        self.start()
        self.clock.advance(0)
        self.clock.advance(HEAD_START - 0.01)
        self.assertEqual(self.store.requests, 1)  # for a lease
        self.clock.advance(0.01)
        self.assertEqual(self.store.requests, 2)
        self.end()

    def test_failed_registration(self) -> None:
        """It is not waited for: it may be that we may read, but not write."""
        self.store.is_refusing = True
        self.start()
        self.assertEqual(self.store.requests, 2)  # for a lease, and a listing
        self.clock.advance(0)
        self.assertEqual(self.store.requests, 2)
        self.end()

    def test_registration_taken_back(self) -> None:
        """Nothing is waited for any more."""
        self.store.is_away = True
        self.start()
        self.clock.advance(0)
        self.assertEqual(self.store.requests, 1)
        self.registry.deregister()
        self.assertEqual(self.store.requests, 2)
        self.end()

    def test_asked_twice(self) -> None:
        """Whoever asks again while we wait does not make us wait longer."""
        self.store.is_away = True
        self.start()
        self.clock.advance(0)
        self.clock.advance(HEAD_START - 0.01)
        self.registry.follow()
        self.clock.advance(0.01)
        self.assertEqual(self.store.requests, 2)
        self.store.mend()
        for _ in range(10):
            self.clock.advance(1)
        self.assertEqual(self.store.watches_opened, 1)
        self.registry.follow()
        self.assertIs(self.registry.health().state, RegistryState.LIVE)
        self.clock.advance(0)
        self.assertEqual(self.store.watches_opened, 1)
        self.end()

    def test_stopped_meanwhile(self) -> None:
        """Then nothing is read."""
        self.store.is_away = True
        self.start()
        self.clock.advance(0)
        self.end()
        self.assertEqual(self.store.requests, 1)
        self.assertIs(self.registry.health().state, RegistryState.STOPPED)

    def test_ends_without_being_told_of_it(self) -> None:
        """Where many end at the same instant, none of them is told of the others."""
        self.start()
        self.clock.advance(0)
        self.end()
        self.assertEqual(self.store.told_of_ends, [0])
