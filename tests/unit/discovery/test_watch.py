"""A copy of what stands in etcd, second by second."""

from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.discovery.codec import decode, encode
from rum_twisted.discovery.errors import EtcdCompacted, EtcdUnavailable, WatchEnded
from rum_twisted.discovery.interfaces import (
    LARGEST_LISTING,
    Listing,
    Put,
    RegistryState,
)
from rum_twisted.discovery.keys import instance_key
from rum_twisted.discovery.watch import CHECK_INTERVAL, GRACE, Follower
from rum_twisted.terms.instance import InstanceState
from rum_twisted.terms.units import Seconds
from tests.support.fabric import chance
from tests.support.instances import Told, make_instance
from tests.support.memory_etcd import MemoryEtcd, MemoryStore

PATIENCE = Seconds(10.0)
PREFIX = "/rum/services/"


class FollowerTests(SynchronousTestCase):
    """One process that reads, on an etcd in memory."""

    @override
    def setUp(self) -> None:
        """Make everything; nothing is started."""
        self.clock = Clock()
        self.store = MemoryStore(self.clock)
        self.etcd = MemoryEtcd(self.clock, self.store)
        self.etcd.start()
        self.told = Told()
        self.troubles: list[Exception] = []
        self.follower = Follower(
            self.etcd,
            self.clock,
            chance(),
            prefix=PREFIX,
            decode=partial(decode, "/rum"),
            changed=self.told,
            patience=PATIENCE,
            troubled=self.troubles.append,
        )
        self.addCleanup(self.follower.stop)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in small steps."""
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)

    def put(self, name: str, **fields: object) -> None:
        """List an instance."""
        instance = make_instance(name, **fields)
        key = instance_key("/rum", instance)
        self.store.change((Put(key=key, value=encode(instance)),), ())

    def delete(self, name: str) -> None:
        """Take one off the list."""
        self.store.change((), (f"{PREFIX}passport/{name}",))

    def test_told_at_once_what_is_there(self) -> None:
        """The first listing is told without a wait."""
        self.put("a")
        self.follower.start()
        self.assertEqual(self.told.names, ["a"])
        self.assertIs(self.follower.state, RegistryState.LIVE)
        self.assertEqual(self.follower.watches, 1)

    def test_changes_are_told(self) -> None:
        """Who comes, changes and goes is told, within the twentieth of a second."""
        self.follower.start()
        self.put("a")
        self.pass_time(0.1)
        self.assertEqual(self.told.names, ["a"])
        self.put("a", weight=7)
        self.pass_time(0.1)
        assert self.told.last
        self.assertEqual(self.told.last[0].weight, 7)
        self.delete("a")
        self.pass_time(0.1)
        self.assertEqual(self.told.last, ())

    def test_many_changes_are_told_together(self) -> None:
        """Five hundred who start at once make one change, not five hundred."""
        self.follower.start()
        for number in range(500):
            self.put(f"a-{number}")
        self.pass_time(0.1)
        self.assertEqual(len(self.told.times), 2)
        self.assertEqual(len(self.told.last or ()), 500)

    def test_what_was_known_stays_while_etcd_is_away(self) -> None:
        """An outage of an hour takes nobody off the list."""
        self.put("a")
        self.follower.start()
        self.store.cut()
        self.pass_time(3600)
        self.assertEqual(self.told.names, ["a"])
        self.assertIs(self.follower.state, RegistryState.AWAY)

    def test_resumes_without_reading_values_again(self) -> None:
        """After a cut in which nothing has changed, only keys are listed."""
        self.put("a")
        self.follower.start()
        self.store.end_watches(EtcdUnavailable("cut"))
        self.pass_time(1)
        self.assertIs(self.follower.state, RegistryState.LIVE)
        self.assertEqual(len(self.told.times), 1)
        self.put("b")
        self.pass_time(0.1)
        self.assertEqual(self.told.names, ["a", "b"])

    def test_what_was_missed_is_known_after_a_cut(self) -> None:
        """Who came, changed or went meanwhile is seen, compacted or not."""
        for name in ("a", "b", "c"):
            self.put(name)
        self.follower.start()
        self.store.cut()
        self.put("a", weight=7)
        self.delete("b")
        self.put("d")
        self.store.compact()
        self.store.mend()
        self.pass_time(6)
        self.assertEqual(self.told.names, ["a", "b", "c", "d"])  # still patient
        self.pass_time(PATIENCE)
        self.assertEqual(self.told.names, ["a", "c", "d"])
        assert self.told.last
        self.assertEqual(self.told.last[0].weight, 7)

    def test_every_end_of_a_watch_is_lived_through(self) -> None:
        """A cut, a compaction, an end by etcd: another watch, nothing missed."""
        self.follower.start()
        for number, end in enumerate(
            (
                EtcdUnavailable("cut"),
                EtcdCompacted(5),
                WatchEnded("etcd has ended the watch: permission denied"),
            )
        ):
            self.store.end_watches(end)
            self.put(f"a-{number}")
            self.pass_time(1)
            self.assertEqual(len(self.told.last or ()), number + 1, end)
            self.assertEqual(len(self.store.watches), 1)

    def test_watch_that_ends_each_time_does_not_spin(self) -> None:
        """An etcd that ends each watch at once is asked at most twice a second."""
        self.follower.start()
        before = self.store.watches_opened
        for _ in range(600):
            self.store.end_watches(WatchEnded("ended"))
            self.clock.advance(0.1)
        self.assertLessEqual(self.store.watches_opened - before, 120)
        self.assertLessEqual(len(self.troubles), 120)

    def test_outage_does_not_spin(self) -> None:
        """In ten minutes without etcd, trials stay below one a second."""
        self.follower.start()
        self.store.cut()
        before = self.store.requests
        self.pass_time(600)
        self.assertLessEqual(self.store.requests - before, 600)
        self.assertGreaterEqual(self.store.requests - before, 100)

    def test_silent_watch_is_found_out(self) -> None:
        """A watch that tells nothing any more is noticed within some minutes."""
        self.put("a")
        self.follower.start()
        self.store.is_silent = True
        self.put("b")
        self.delete("a")
        self.pass_time(CHECK_INTERVAL + GRACE + 1)
        self.pass_time(2 * PATIENCE)
        self.assertEqual(self.told.names, ["b"])
        self.assertIsInstance(self.troubles[-1], WatchEnded)

    def test_watch_that_is_only_slow_is_left_alone(self) -> None:
        """What comes within the grace is no reason for another watch."""
        self.follower.start()
        opened = self.store.watches_opened
        for _ in range(100):
            self.store.is_silent = True
            self.put("a", weight=self.store.revision)
            self.pass_time(GRACE - 1)
            self.store.is_silent = False
            self.store.tell()
            self.pass_time(0.1)
        self.assertEqual(self.store.watches_opened, opened)

    def test_etcd_with_an_older_revision_has_lost_its_data(self) -> None:
        """An etcd that came back empty is read anew, though the watch is up."""
        for _ in range(20):
            self.put("a", weight=self.store.revision)
        self.follower.start()
        self.store.wipe()
        self.put("b")
        self.pass_time(6)
        self.assertEqual(self.told.names, ["a", "b"])
        self.pass_time(PATIENCE)
        self.assertEqual(self.told.names, ["b"])

    def test_who_registers_again_in_time_was_never_gone(self) -> None:
        """After a loss of data, listeners see no gap."""
        self.put("a")
        self.follower.start()
        self.store.wipe()
        self.pass_time(PATIENCE / 2)
        self.put("a")
        self.pass_time(3 * PATIENCE)
        self.assertNotIn((), self.told.times)
        self.assertEqual(self.told.names, ["a"])

    def test_who_drains_leaves_at_once(self) -> None:
        """Patience is for those who were lost, not for those who say goodbye."""
        self.put("a", state=InstanceState.DRAINING)
        self.follower.start()
        self.follower.be_patient()
        self.delete("a")
        self.pass_time(0.1)
        self.assertEqual(self.told.last, ())

    def test_garbage_is_passed_over(self) -> None:
        """What is no instance is logged, and harms nobody."""
        self.put("a")
        for key, value in (
            (f"{PREFIX}passport/b", b"garbage"),
            (f"{PREFIX}nonsense", b"{}"),
            (f"{PREFIX}passport/c", b"\xff"),
        ):
            self.store.change((Put(key=key, value=value),), ())
        self.follower.start()
        self.assertEqual(self.told.names, ["a"])
        self.put("b")  # what was garbage becomes an instance
        self.pass_time(0.1)
        self.assertEqual(self.told.names, ["a", "b"])
        self.store.change((Put(key=f"{PREFIX}passport/b", value=b"again"),), ())
        self.pass_time(0.1)
        self.assertEqual(self.told.names, ["a"])
        self.pass_time(10 * CHECK_INTERVAL)
        self.assertEqual(self.store.watches_opened, 1)

    def test_number_of_entries_has_a_bound(self) -> None:
        """One entry past it, what was known stays, and the operator is told."""
        self.put("a")
        self.follower.start()
        for number in range(LARGEST_LISTING):
            key = f"{PREFIX}passport/x-{number}"
            self.store.entries[key] = self.store.entries[f"{PREFIX}passport/a"]
        self.store.end_watches(EtcdUnavailable("cut"))
        self.pass_time(1)
        self.assertEqual(self.told.names, ["a"])
        self.assertIn("10000", str(self.troubles[-1]))

    def test_stopping_leaves_nothing(self) -> None:
        """No watch, no timer, and nothing is told any more."""
        self.put("a")
        self.follower.start()
        self.put("b")
        self.successResultOf(self.follower.stop())
        self.assertEqual(self.store.watches, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        times = len(self.told.times)
        self.put("c")
        self.pass_time(10)
        self.assertEqual(len(self.told.times), times)

    def test_stopping_in_every_state(self) -> None:
        """Waiting, listing, watching or checking: it ends."""
        self.put("a")
        for prepare in (
            lambda: None,
            lambda: setattr(self.store, "is_away", True),  # listing
            self.store.mend,
            lambda: setattr(self.store, "is_refusing", True),  # waiting
            self.store.mend,
        ):
            prepare()
            self.follower.start()
            self.pass_time(1)
            self.successResultOf(self.follower.stop())
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertIs(self.follower.state, RegistryState.STOPPED)

    def test_listener_that_fails_does_not_end_it(self) -> None:
        """Our own mistake is logged, and following goes on."""

        def fail(_: object) -> None:
            raise ZeroDivisionError

        follower = Follower(
            self.etcd,
            self.clock,
            chance(),
            prefix=PREFIX,
            decode=partial(decode, "/rum"),
            changed=fail,
            patience=PATIENCE,
        )
        follower.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.pass_time(1)
        self.assertEqual(follower.watches, 1)
        self.flushLoggedErrors(ZeroDivisionError)
        self.successResultOf(follower.stop())

    def test_etcd_that_stands_still_makes_patient(self) -> None:
        """All leases end as etcd goes on, and nobody vanishes for it."""
        self.put("a")
        self.follower.start()
        self.store.is_away = True
        self.pass_time(30)
        self.store.mend()
        self.delete("a")
        self.pass_time(1)
        self.assertEqual(self.told.names, ["a"])
        self.put("a")
        self.pass_time(30)
        self.assertNotIn((), self.told.times)

    def test_etcd_that_does_not_answer_for_long(self) -> None:
        """A watch over a dead connection is given up, without gRPC's help."""
        self.put("a")
        self.follower.start()
        self.store.is_away = True
        self.pass_time(3 * PATIENCE)
        self.assertIs(self.follower.state, RegistryState.AWAY)
        self.assertEqual(self.told.names, ["a"])
        self.store.mend()
        self.put("b")
        self.pass_time(6)
        self.assertIs(self.follower.state, RegistryState.LIVE)
        self.assertEqual(self.told.names, ["a", "b"])

    def test_cancel_that_is_lost(self) -> None:
        """An answer that comes in the moment of the end does not keep it alive."""

        class LateEtcd(MemoryEtcd):
            """One whose requests cannot be cancelled any more."""

            @override
            def get_prefix(
                self, prefix: str, *, keys_only: bool = False
            ) -> Deferred[Listing]:
                """Answer as if cancelled too late."""
                listing = self.store.revision
                return Deferred(
                    lambda late: late.callback(Listing(revision=listing, entries=()))
                )

        etcd = LateEtcd(self.clock, self.store)
        etcd.start()
        follower = Follower(
            etcd,
            self.clock,
            chance(),
            prefix=PREFIX,
            decode=partial(decode, "/rum"),
            changed=self.told,
            patience=PATIENCE,
        )
        follower.start()
        self.successResultOf(follower.stop())
        self.assertEqual(self.store.watches, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.told.times, [])

    def test_death_is_told_at_once_otherwise(self) -> None:
        """While etcd is well, who vanishes is taken off the list at once."""
        self.put("a")
        self.follower.start()
        self.pass_time(300)
        self.delete("a")
        self.pass_time(0.1)
        self.assertEqual(self.told.last, ())
