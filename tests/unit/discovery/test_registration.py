"""What a process is listed with, second by second."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.discovery.codec import encode
from rum_twisted.discovery.registration import CHECK_INTERVAL, Registration
from rum_twisted.terms.units import Seconds
from tests.support.fabric import chance
from tests.support.instances import make_instance
from tests.support.memory_etcd import MemoryEtcd, MemoryStore

TTL = Seconds(9.0)
KEY = "/rum/services/passport/a-1"


class RegistrationTests(SynchronousTestCase):
    """One process, on an etcd in memory."""

    @override
    def setUp(self) -> None:
        """Make everything; nothing is started."""
        self.clock = Clock()
        self.store = MemoryStore(self.clock)
        self.etcd = MemoryEtcd(self.clock, self.store)
        self.etcd.start()
        self.troubles: list[Exception] = []
        self.registration = Registration(
            self.etcd,
            self.clock,
            chance(),
            base_path="/rum",
            ttl=TTL,
            troubled=self.troubles.append,
        )

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in small steps."""
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)
            self.store.expire()

    def test_nothing_to_list_takes_no_lease(self) -> None:
        """Whoever only reads costs etcd nothing here."""
        self.registration.start()
        self.pass_time(60)
        self.assertEqual(self.store.requests, 0)
        self.assertFalse(self.registration.is_registered)

    def test_listed_under_the_lease(self) -> None:
        """The entry goes when the process goes."""
        self.registration.start()
        self.registration.register(make_instance())
        entry = self.store.entries[KEY]
        self.assertEqual(entry.value, encode(make_instance()))
        self.assertEqual([entry.lease], list(self.store.leases))
        self.assertTrue(self.registration.is_registered)

    def test_value_is_written_once_in_half_an_hour(self) -> None:
        """Keeping alive writes nothing: renewals cost etcd no memory."""
        self.registration.start()
        self.registration.register(make_instance())
        self.pass_time(1800)
        self.assertEqual(self.store.writes, 1)
        self.assertEqual(self.store.granted, 1)

    def test_change_is_written_once(self) -> None:
        """Saying the same again writes nothing."""
        self.registration.start()
        for weight in (1, 1, 2, 2, 2):
            self.registration.register(make_instance(weight=weight))
        self.assertEqual(self.store.writes, 2)

    def test_roles_are_written_together(self) -> None:
        """A process with three roles costs one lease and one revision."""
        for service in ("passport", "weather", "plugin"):
            self.registration.register(make_instance(service=service))
        before = self.store.revision
        self.registration.start()
        self.assertEqual(self.store.revision, before + 1)
        self.assertEqual(self.registration.leases, 1)
        self.assertEqual(self.registration.registrations, 1)

    def test_changes_while_etcd_is_away(self) -> None:
        """Of all changes meanwhile, only the last one is written."""
        self.registration.start()
        self.registration.register(make_instance())
        self.store.is_refusing = True
        for weight in range(50):
            self.registration.register(make_instance(weight=weight))
            self.pass_time(0.1)
        self.store.mend()
        self.pass_time(6)
        self.assertEqual(self.store.writes, 2)
        self.assertEqual(
            self.store.entries[KEY].value, encode(make_instance(weight=49))
        )
        self.assertTrue(self.troubles)

    def test_change_while_a_write_is_under_way(self) -> None:
        """It follows when the first one is answered."""
        self.registration.start()
        self.registration.register(make_instance())
        self.store.is_away = True
        self.registration.register(make_instance(weight=1))
        self.registration.register(make_instance(weight=2))
        self.pass_time(1)
        self.store.mend()
        self.pass_time(10)
        self.assertEqual(self.store.entries[KEY].value, encode(make_instance(weight=2)))
        self.assertEqual(self.store.writes, 2)

    def test_deleted_by_hand(self) -> None:
        """Somebody has deleted our key: it is written again within a minute."""
        self.registration.start()
        self.registration.register(make_instance())
        self.pass_time(1)
        self.store.change((), (KEY,))
        self.pass_time(CHECK_INTERVAL + 1)
        self.assertIn(KEY, self.store.entries)
        self.assertEqual(self.store.writes, 2)

    def test_lease_that_is_lost_while_writing(self) -> None:
        """Etcd has lost our lease, and a write finds that out: all is written anew."""
        self.registration.start()
        self.registration.register(make_instance())
        self.store.end_lease(next(iter(self.store.leases)))
        self.registration.register(make_instance(weight=1))
        self.pass_time(2)
        self.assertEqual(self.store.entries[KEY].value, encode(make_instance(weight=1)))
        self.assertEqual(list(self.store.leases), [self.store.entries[KEY].lease])

    def test_stopping_leaves_nothing(self) -> None:
        """No key, no lease, no timer; and later answers change nothing."""
        self.registration.start()
        self.registration.register(make_instance())
        self.pass_time(100)
        self.successResultOf(self.registration.stop())
        self.assertEqual((self.store.entries, self.store.leases), ({}, {}))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopping_in_bounded_time(self) -> None:
        """An etcd that stands still cannot keep a process from ending."""
        self.registration.start()
        self.registration.register(make_instance())
        self.store.is_away = True
        stopped = self.registration.stop()
        self.pass_time(self.etcd.request_timeout + 0.2)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_registering_while_leaving(self) -> None:
        """Whoever comes back while he leaves is listed in the end."""
        self.registration.start()
        self.registration.register(make_instance())
        self.store.is_away = True
        leaving = self.registration.deregister()
        self.registration.register(make_instance(weight=1))
        self.store.mend()
        self.pass_time(self.etcd.request_timeout + 0.2)
        self.successResultOf(leaving)
        self.pass_time(TTL * 2)
        self.assertEqual(self.store.entries[KEY].value, encode(make_instance(weight=1)))
        self.assertEqual(len(self.store.leases), 1)
