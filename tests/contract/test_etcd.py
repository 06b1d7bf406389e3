"""What every connection to etcd promises, on a real etcd; and that one in memory."""

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SkipTest
from typing_extensions import override
from zope.interface.verify import verifyObject

from rum_twisted.discovery.errors import (
    EtcdCompacted,
    EtcdError,
    EtcdUnavailable,
    LeaseLost,
)
from rum_twisted.discovery.interfaces import Change, Entry, IEtcd, Put, Transaction
from rum_twisted.terms.units import Seconds
from tests.support.etcd_case import (
    CLOCK,
    REQUEST_TIMEOUT,
    EtcdTestCase,
    shared_etcd,
    until,
)
from tests.support.memory_etcd import MemoryEtcd

TTL = Seconds(60.0)  # no lease ends by itself, however slow the machine is
NO_LEASE = 424242


class Contract:
    """Keeps the suite itself out of the test loader's sight."""

    class EtcdTests(EtcdTestCase):
        """The promises of `IEtcd`; each test has a prefix of its own."""

        def make_etcd_connection(self) -> Any:
            """Return a connection that is not started."""
            raise NotImplementedError

        async def compact(self, revision: int) -> None:
            """Let etcd forget what is older."""
            raise NotImplementedError

        @override
        def setUp(self) -> None:
            """Connect."""
            super().setUp()
            self.prefix = f"/{self.id()}/"
            self.etcd = self.make_etcd_connection()
            self.etcd.start()
            self.addCleanup(self.etcd.stop)
            self.told: list[Change] = []

        def take(self, changes: tuple[Change, ...]) -> None:
            """Note what a watch tells."""
            self.told.extend(changes)

        async def begin_watch(self, from_revision: int) -> Deferred[None]:
            """Return a watch that etcd has taken up."""
            ready: list[bool] = []
            watch: Deferred[None] = self.etcd.watch(
                self.prefix, from_revision, self.take, lambda: ready.append(True)
            )
            await until(lambda: ready, "the watch is up")
            return watch

        async def end_watch(self, watch: Deferred[None]) -> None:
            """End a watch, which fails with CancelledError and nothing else."""
            watch.cancel()
            try:
                await watch
            except CancelledError:
                return
            self.fail("the watch ended without an error")

        async def failure_of(self, request: Deferred[Any]) -> EtcdError:
            """Return what a request fails with."""
            try:
                answer = await request
            except EtcdError as error:
                return error
            raise AssertionError(f"it did not fail but returned {answer!r}")

        def test_interface_is_whole(self) -> None:
            """A connection has every method of the interface."""
            self.assertTrue(verifyObject(IEtcd, self.etcd))

        async def test_what_is_put_can_be_read(self) -> None:
            """A key is read as it was written, with its revision."""
            revision = await self.etcd.put(self.prefix + "a", b"\x00\xffvalue")
            entry = await self.etcd.get(self.prefix + "a")
            self.assertEqual(
                entry,
                Entry(
                    key=self.prefix + "a",
                    value=b"\x00\xffvalue",
                    revision=revision,
                    lease=0,
                ),
            )

        async def test_key_that_is_not_there_is_none(self) -> None:
            """Reading what nobody wrote is no error."""
            self.assertIsNone(await self.etcd.get(self.prefix + "none"))

        async def test_prefix_lists_what_is_below_it_and_no_more(self) -> None:
            """A neighbor whose name only begins alike is not listed."""
            await self.etcd.put(self.prefix + "b", b"2")
            await self.etcd.put(self.prefix + "a", b"1")
            await self.etcd.put(self.prefix[:-1] + "0", b"neighbor")
            listing = await self.etcd.get_prefix(self.prefix)
            self.assertEqual(
                [(entry.key, entry.value) for entry in listing.entries],
                [(self.prefix + "a", b"1"), (self.prefix + "b", b"2")],
            )
            last = await self.etcd.put(self.prefix + "c", b"3")
            self.assertLess(listing.revision, last)

        async def test_long_listing_is_whole(self) -> None:
            """Of many keys, none is missing and none comes twice."""
            due = [f"{self.prefix}{number:04d}" for number in range(250)]
            for first in range(0, 250, 50):
                puts = tuple(
                    Put(key=key, value=b"x") for key in due[first : first + 50]
                )
                await self.etcd.transaction(Transaction(puts=puts))
            for count in (250, 200, 101, 100, 99, 0):
                for key in due[count:]:
                    await self.etcd.delete(key)
                listing = await self.etcd.get_prefix(self.prefix)
                found = [entry.key for entry in listing.entries]
                self.assertEqual(found, due[:count])
                due = due[:count]

        async def test_keys_can_be_listed_without_values(self) -> None:
            """A listing of keys has their revisions, but costs no values."""
            revision = await self.etcd.put(self.prefix + "a", b"long")
            listing = await self.etcd.get_prefix(self.prefix, keys_only=True)
            self.assertEqual(
                listing.entries,
                (Entry(key=self.prefix + "a", value=b"", revision=revision, lease=0),),
            )

        async def test_deleting_tells_whether_it_was_there(self) -> None:
            """The second of two deletions finds nothing."""
            await self.etcd.put(self.prefix + "a", b"1")
            self.assertTrue(await self.etcd.delete(self.prefix + "a"))
            self.assertFalse(await self.etcd.delete(self.prefix + "a"))
            self.assertIsNone(await self.etcd.get(self.prefix + "a"))

        async def test_transaction_changes_all_at_once(self) -> None:
            """Of one transaction, every change has the same revision."""
            await self.etcd.put(self.prefix + "old", b"1")
            listing = await self.etcd.get_prefix(self.prefix)
            watch = await self.begin_watch(listing.revision + 1)
            done = await self.etcd.transaction(
                Transaction(
                    puts=(
                        Put(key=self.prefix + "a", value=b"1"),
                        Put(key=self.prefix + "b", value=b"2"),
                    ),
                    deletes=(self.prefix + "old",),
                )
            )
            self.assertTrue(done)
            await until(lambda: len(self.told) >= 3, "three changes")
            self.assertEqual(len({change.revision for change in self.told}), 1)
            await self.end_watch(watch)

        async def test_transaction_keeps_to_its_condition(self) -> None:
            """Of two who write only what they have read, the second is refused."""
            key = self.prefix + "a"
            first = Transaction(only_if=((key, 0),), puts=(Put(key=key, value=b"1"),))
            self.assertTrue(await self.etcd.transaction(first))
            self.assertFalse(await self.etcd.transaction(first))
            entry = await self.etcd.get(key)
            second = Transaction(only_if=((key, entry.revision),), deletes=(key,))
            self.assertTrue(await self.etcd.transaction(second))
            self.assertIsNone(await self.etcd.get(key))

        async def test_keys_go_with_their_lease(self) -> None:
            """Revoking a lease deletes what was bound to it."""
            grant = await self.etcd.grant(TTL)
            self.assertGreaterEqual(grant.ttl, TTL)
            await self.etcd.put(self.prefix + "a", b"1", grant.lease)
            entry = await self.etcd.get(self.prefix + "a")
            self.assertEqual(entry.lease, grant.lease)
            await self.etcd.revoke(grant.lease)
            self.assertIsNone(await self.etcd.get(self.prefix + "a"))

        async def test_lease_can_be_renewed_many_times(self) -> None:
            """Each renewal tells how long the lease lives now."""
            grant = await self.etcd.grant(TTL)
            for _ in range(3):
                self.assertGreaterEqual(await self.etcd.renew(grant.lease), TTL)
            await self.etcd.revoke(grant.lease)

        async def test_lease_that_is_not_there_is_lost(self) -> None:
            """Renewing it, or writing under it, says so; revoking it does not mind."""
            error = await self.failure_of(self.etcd.renew(NO_LEASE))
            self.assertIsInstance(error, LeaseLost)
            put = self.etcd.put(self.prefix + "a", b"1", NO_LEASE)
            self.assertIsInstance(await self.failure_of(put), LeaseLost)
            write = self.etcd.transaction(
                Transaction(
                    puts=(Put(key=self.prefix + "a", value=b"1", lease=NO_LEASE),)
                )
            )
            self.assertIsInstance(await self.failure_of(write), LeaseLost)
            await self.etcd.revoke(NO_LEASE)

        async def test_renewing_goes_on_after_a_loss(self) -> None:
            """One lease that is lost does not disturb another."""
            grant = await self.etcd.grant(TTL)
            await self.failure_of(self.etcd.renew(NO_LEASE))
            self.assertGreaterEqual(await self.etcd.renew(grant.lease), TTL)
            await self.etcd.revoke(grant.lease)

        async def test_watch_tells_changes_in_order(self) -> None:
            """Puts and deletions come in the order in which they were made."""
            listing = await self.etcd.get_prefix(self.prefix)
            watch = await self.begin_watch(listing.revision + 1)
            await self.etcd.put(self.prefix + "a", b"1")
            await self.etcd.put(self.prefix + "a", b"2")
            await self.etcd.delete(self.prefix + "a")
            await until(lambda: len(self.told) >= 3, "three changes")
            self.assertEqual(
                [change.entry and change.entry.value for change in self.told],
                [b"1", b"2", None],
            )
            self.assertEqual({change.key for change in self.told}, {self.prefix + "a"})
            revisions = [change.revision for change in self.told]
            self.assertEqual(revisions, sorted(set(revisions)))
            await self.end_watch(watch)

        async def test_watch_begins_in_the_past(self) -> None:
            """Nothing is lost between a listing and the watch behind it."""
            listing = await self.etcd.get_prefix(self.prefix)
            for value in (b"1", b"2", b"3"):
                await self.etcd.put(self.prefix + "a", value)
            watch = await self.begin_watch(listing.revision + 1)
            await until(lambda: len(self.told) >= 3, "three changes")
            await self.end_watch(watch)

        async def test_watch_tells_nothing_of_neighbors(self) -> None:
            """Only what is below the prefix is told."""
            listing = await self.etcd.get_prefix(self.prefix)
            watch = await self.begin_watch(listing.revision + 1)
            await self.etcd.put(self.prefix[:-1] + "0", b"neighbor")
            await self.etcd.put(self.prefix + "a", b"ours")
            await until(lambda: self.told, "a change")
            self.assertEqual([change.key for change in self.told], [self.prefix + "a"])
            await self.end_watch(watch)

        async def test_watch_behind_a_compaction_says_so(self) -> None:
            """Who asks for what etcd has forgotten is told, and does not wait."""
            first = await self.etcd.put(self.prefix + "a", b"1")
            for value in (b"2", b"3"):
                last = await self.etcd.put(self.prefix + "a", value)
            await self.compact(last)
            watch = self.etcd.watch(self.prefix, first, self.take)
            error = await self.failure_of(watch)
            assert isinstance(error, EtcdCompacted), repr(error)
            self.assertGreater(error.revision, first)

        async def test_watch_that_is_cancelled_tells_no_more(self) -> None:
            """After the end nothing is told, and the rest goes on."""
            listing = await self.etcd.get_prefix(self.prefix)
            watch = await self.begin_watch(listing.revision + 1)
            await self.end_watch(watch)
            await self.etcd.put(self.prefix + "a", b"1")
            self.assertEqual(self.told, [])

        async def test_many_watches_come_and_go(self) -> None:
            """A hundred watches in turn leave nothing; the next one works."""
            listing = await self.etcd.get_prefix(self.prefix)
            for _ in range(100):
                await self.end_watch(await self.begin_watch(listing.revision + 1))
            watch = await self.begin_watch(listing.revision + 1)
            await self.etcd.put(self.prefix + "a", b"1")
            await until(lambda: self.told, "a change")
            await self.end_watch(watch)

        async def test_stopping_ends_everything(self) -> None:
            """Watches and requests end; later ones are refused; twice is fine."""
            listing = await self.etcd.get_prefix(self.prefix)
            watch = await self.begin_watch(listing.revision + 1)
            over: list[Any] = []
            watch.addErrback(over.append)
            await self.etcd.stop()
            self.assertEqual(len(over), 1)
            over[0].trap(CancelledError)
            error = await self.failure_of(self.etcd.get(self.prefix))
            self.assertIsInstance(error, EtcdUnavailable)
            await self.etcd.stop()

        async def test_can_be_started_again(self) -> None:
            """A connection that was stopped works again after a new start."""
            await self.etcd.put(self.prefix + "a", b"1")
            await self.etcd.stop()
            self.etcd.start()
            self.assertIsNotNone(await self.etcd.get(self.prefix + "a"))

    class RealEtcdTests(EtcdTests):
        """The same, with one real etcd for all tests of a class."""

        @override
        def setUp(self) -> None:
            """See that etcd is there."""
            self.server = shared_etcd()
            super().setUp()

        @override
        async def compact(self, revision: int) -> None:
            """Let etcd forget what is older."""
            self.server.control("compact", str(revision))

        async def test_nobody_there_is_unavailable(self) -> None:
            """Without an etcd a request fails in bounded time, and says where."""
            await self.etcd.stop()
            other = self.make_etcd()
            self.etcd = self.connect(other.endpoint)
            self.etcd.start()
            self.addCleanup(self.etcd.stop)
            for request in (
                self.etcd.get("a"),
                self.etcd.grant(TTL),
                self.etcd.renew(NO_LEASE),
                self.etcd.watch("a", 1, self.take),
            ):
                error = await self.failure_of(request)
                self.assertIsInstance(error, EtcdUnavailable)

        def connect(self, *endpoints: str) -> Any:
            """Return a connection to others."""
            raise NotImplementedError

        @override
        def make_etcd_connection(self) -> Any:
            """Return a connection to the real etcd."""
            return self.connect(self.server.endpoint)

        async def test_watches_leave_nothing_at_etcd(self) -> None:
            """After a watch, etcd counts as many watchers as before it: none."""

            def watchers() -> float:
                return self.server.metric("etcd_debugging_mvcc_watcher_total")

            # Those of other tests are gone, too, as soon as etcd has noticed.
            await until(lambda: watchers() == 0, "none at first")
            listing = await self.etcd.get_prefix(self.prefix)
            watch = await self.begin_watch(listing.revision + 1)
            self.assertEqual(watchers(), 1)
            await self.end_watch(watch)
            await until(lambda: watchers() == 0, "none in the end")


class LeanEtcdTests(Contract.RealEtcdTests):
    """The lean connection."""

    @override
    def connect(self, *endpoints: str) -> Any:
        """Return a lean connection."""
        from rum_twisted.discovery.access import EtcdAccess  # noqa: PLC0415
        from rum_twisted.discovery.etcd_lean import LeanEtcd  # noqa: PLC0415

        access = EtcdAccess(endpoints=endpoints, request_timeout=REQUEST_TIMEOUT)
        return LeanEtcd(access)


class Aioetcd3EtcdTests(Contract.RealEtcdTests):
    """The connection by way of aioetcd3."""

    @override
    def connect(self, *endpoints: str) -> Any:
        """Return a connection that uses aioetcd3."""
        from rum_twisted.discovery.access import EtcdAccess  # noqa: PLC0415

        try:
            from rum_twisted.discovery.etcd_aioetcd3 import (  # noqa: PLC0415
                Aioetcd3Etcd,
            )
        except ImportError as error:
            raise SkipTest(str(error)) from error
        access = EtcdAccess(endpoints=endpoints, request_timeout=REQUEST_TIMEOUT)
        return Aioetcd3Etcd(access)


class MemoryEtcdTests(Contract.EtcdTests):
    """The etcd in memory that unit tests use."""

    @override
    def make_etcd_connection(self) -> Any:
        """Return a connection to an empty store."""
        return MemoryEtcd(CLOCK)

    @override
    async def compact(self, revision: int) -> None:
        """Let the store forget its history."""
        self.etcd.store.compact()
