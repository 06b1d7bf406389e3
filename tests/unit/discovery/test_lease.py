"""The lease of a process, second by second."""

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.discovery.errors import AccessDenied, EtcdUnavailable
from rum_twisted.discovery.interfaces import Grant
from rum_twisted.discovery.lease import Lease
from rum_twisted.terms.units import Seconds
from tests.support.fabric import chance
from tests.support.memory_etcd import MemoryEtcd, MemoryStore

TTL = Seconds(9.0)


class LeaseTests(SynchronousTestCase):
    """One lease, on an etcd in memory."""

    @override
    def setUp(self) -> None:
        """Make everything; nothing is started."""
        self.clock = Clock()
        self.store = MemoryStore(self.clock)
        self.etcd = MemoryEtcd(self.clock, self.store)
        self.etcd.start()
        self.held: list[int] = []
        self.gone = 0
        self.troubles: list[Exception] = []
        self.lease = Lease(
            self.etcd,
            self.clock,
            TTL,
            chance(),
            held=self.held.append,
            gone=self.note_gone,
            troubled=self.troubles.append,
        )

    def note_gone(self) -> None:
        """Count a loss."""
        self.gone += 1

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in small steps."""
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)
            self.store.expire()

    def test_nothing_happens_before_the_start(self) -> None:
        """Whoever needs no lease takes none."""
        self.pass_time(60)
        self.assertEqual(self.store.granted, 0)
        self.assertEqual(self.lease.lease, 0)

    def test_taken_at_the_start(self) -> None:
        """One lease is taken, and who needs it is told."""
        self.lease.start()
        self.assertEqual(self.held, [self.lease.lease])
        self.assertEqual(list(self.store.leases), self.held)

    def test_started_twice_is_started_once(self) -> None:
        """A second start takes no second lease, in whatever state the first is."""
        self.store.is_refusing = True
        self.lease.start()
        self.lease.start()
        self.store.mend()
        self.pass_time(1)
        self.lease.start()
        self.pass_time(10)
        self.lease.start()
        self.assertEqual(self.store.granted, 1)

    def test_kept_alive(self) -> None:
        """It lives for an hour, on about one request in a third of its life."""
        self.lease.start()
        before = self.store.requests
        self.pass_time(3600)
        self.assertEqual(self.store.granted, 1)
        self.assertEqual(self.gone, 0)
        self.assertLessEqual(self.store.requests - before, 3600 / (TTL / 3) * 1.15)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_two_lost_renewals_do_no_harm(self) -> None:
        """An outage shorter than the lease is not even noticed by others."""
        self.lease.start()
        self.pass_time(2)
        self.store.is_refusing = True
        self.pass_time(5)
        self.store.mend()
        self.pass_time(60)
        self.assertEqual(self.store.granted, 1)
        self.assertEqual(self.gone, 0)
        self.assertIsInstance(self.troubles[0], EtcdUnavailable)

    def test_etcd_that_stands_still_does_no_harm(self) -> None:
        """A renewal without an answer is given up in time for another."""
        self.lease.start()
        self.pass_time(1)
        self.store.is_away = True
        self.pass_time(4)
        self.store.mend()
        self.pass_time(60)
        self.assertEqual(self.store.granted, 1)
        self.assertEqual(self.gone, 0)

    def test_lost_after_a_long_outage_and_taken_anew_once(self) -> None:
        """When etcd says that it is gone, another is taken, and only one."""
        self.lease.start()
        first = self.lease.lease
        self.store.is_refusing = True
        self.pass_time(3 * TTL)
        self.assertEqual(self.gone, 0)  # we cannot know yet
        self.store.mend()
        self.pass_time(TTL / 3)
        self.assertEqual(self.gone, 1)
        self.assertNotEqual(self.lease.lease, first)
        self.pass_time(120)
        self.assertEqual(self.store.granted, 2)
        self.assertEqual(list(self.store.leases), [self.lease.lease])

    def test_outage_does_not_spin(self) -> None:
        """In ten minutes without etcd, trials stay below one a second."""
        self.store.is_refusing = True
        self.lease.start()
        self.pass_time(600)
        self.assertLessEqual(self.store.requests, 600)
        self.assertGreaterEqual(self.store.requests, 100)
        self.store.mend()
        self.pass_time(5)
        self.assertNotEqual(self.lease.lease, 0)

    def test_lease_that_is_lost_each_time_does_not_spin(self) -> None:
        """An etcd that loses every lease at once is asked for few."""
        lease = Lease(
            self.etcd,
            self.clock,
            TTL,
            chance(),
            held=lambda _: lease.lost(),
            gone=self.note_gone,
            troubled=self.troubles.append,
        )
        lease.start()
        self.pass_time(60)
        self.assertLessEqual(self.store.granted, 30)

    def test_stopping_revokes(self) -> None:
        """Etcd holds nothing of ours afterwards, and no timer is left."""
        self.lease.start()
        self.assertIsNone(self.successResultOf(self.lease.stop()))
        self.assertEqual(self.store.leases, {})
        self.assertEqual(self.lease.lease, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopping_in_every_state(self) -> None:
        """Wherever it stands, it ends, and can be started again."""
        steps: list[Callable[[], object]] = [
            lambda: None,  # idle
            self.lease.start,  # held
        ]
        for step in steps:
            step()
            self.successResultOf(self.lease.stop())
        self.store.is_away = True  # granting
        self.lease.start()
        self.successResultOf(self.lease.stop())
        self.store.mend()
        self.store.is_refusing = True  # waiting
        self.lease.start()
        self.successResultOf(self.lease.stop())
        self.store.mend()
        self.lease.start()  # renewing
        self.store.is_away = True
        self.pass_time(3.2)
        stopped = self.lease.stop()
        self.assertNoResult(stopped)
        self.pass_time(self.etcd.request_timeout + 0.2)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopping_twice(self) -> None:
        """Both are told of the end, also of one that is under way."""
        self.lease.start()
        self.store.is_away = True
        first, second = self.lease.stop(), self.lease.stop()
        self.assertNoResult(first)
        self.pass_time(self.etcd.request_timeout + 0.2)
        self.successResultOf(first)
        self.successResultOf(second)

    def test_our_own_mistake_is_logged(self) -> None:
        """An error that no etcd makes is told with its traceback, and tried again."""

        class BrokenEtcd(MemoryEtcd):
            """An etcd with a bug."""

            @override
            def grant(self, ttl: Seconds) -> Deferred[Grant]:
                deferred: Deferred[Grant] = Deferred()
                deferred.errback(ZeroDivisionError())
                return deferred

        etcd = BrokenEtcd(self.clock, self.store)
        lease = Lease(
            etcd,
            self.clock,
            TTL,
            chance(),
            held=self.held.append,
            gone=self.note_gone,
            troubled=self.troubles.append,
        )
        lease.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        lease.stop()

    def test_refusal_is_told_and_tried_again(self) -> None:
        """A password that is not known yet may be known later."""

        class ClosedEtcd(MemoryEtcd):
            """An etcd that lets nobody in."""

            @override
            def grant(self, ttl: Seconds) -> Deferred[Grant]:
                deferred: Deferred[Grant] = Deferred()
                deferred.errback(AccessDenied("no"))
                return deferred

        lease = Lease(
            ClosedEtcd(self.clock, self.store),
            self.clock,
            TTL,
            chance(),
            held=self.held.append,
            gone=self.note_gone,
            troubled=self.troubles.append,
        )
        lease.start()
        self.assertIsInstance(self.troubles[0], AccessDenied)
        self.pass_time(60)
        self.assertLessEqual(len(self.troubles), 60)
        lease.stop()

    def test_repr(self) -> None:
        """One line says which."""
        self.assertEqual(repr(self.lease), "<Lease: none>")
        self.lease.start()
        self.assertEqual(repr(self.lease), f"<Lease {self.lease.lease:x}>")
