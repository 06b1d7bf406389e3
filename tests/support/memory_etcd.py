"""An etcd in memory, for tests that turn the clock by hand.

It keeps what real ones keep (revisions, leases, history), and can be brought into the
troubles that real ones get into. `tests.contract.test_etcd` holds it to what the real
connections do.
"""

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.discovery.errors import (
    EtcdCompacted,
    EtcdError,
    EtcdUnavailable,
    LeaseLost,
    TooManyInstances,
)
from rum_twisted.discovery.interfaces import (
    LARGEST_LISTING,
    Change,
    Entry,
    Grant,
    IEtcd,
    Listing,
    Put,
    Take,
    Transaction,
)
from rum_twisted.terms.units import Seconds

__all__ = ["MemoryEtcd", "MemoryStore"]


@dataclass(slots=True, kw_only=True)
class _Lease:
    ttl: Seconds
    ends: float


@dataclass(eq=False, slots=True, kw_only=True)
class _Watch:
    prefix: str
    next_revision: int
    take: Take
    ended: Deferred[None]


class MemoryStore:
    """What the connections of several processes share.

    Args:
        clock: ends leases.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self.clock = clock
        self.is_away = False  # every request waits for ever
        self.is_refusing = False  # every request fails at once
        self.is_silent = False  # watches are told nothing
        self.writes = 0
        self.requests = 0
        self.watches_opened = 0
        self.wipe()

    def wipe(self) -> None:
        """Lose everything, as if restarted with an empty folder."""
        self.revision = 1
        self.oldest = 1
        self.entries: dict[str, Entry] = {}
        self.history: list[tuple[Change, ...]] = []
        self.leases: dict[int, _Lease] = {}
        self.granted = getattr(self, "granted", 0)
        self.watches: list[_Watch] = getattr(self, "watches", [])
        self.end_watches(EtcdUnavailable("restarted"))

    def end_watches(self, reason: EtcdError) -> None:
        """End every watch, in the way of ``reason``."""
        watches, self.watches = self.watches, []
        for watch in watches:
            watch.ended.errback(reason)

    def cut(self) -> None:
        """Be out of reach, until `mend`."""
        self.is_refusing = True
        self.end_watches(EtcdUnavailable("cut"))

    def mend(self) -> None:
        """Be within reach again."""
        self.is_refusing = self.is_away = False

    def compact(self) -> None:
        """Forget the history."""
        self.oldest = self.revision + 1
        self.history.clear()

    def expire(self) -> None:
        """End the leases whose time has come."""
        now = self.clock.seconds()
        for lease in [key for key, it in self.leases.items() if it.ends <= now]:
            self.end_lease(lease)

    def end_lease(self, lease: int) -> None:
        """End a lease with its keys."""
        del self.leases[lease]
        self.change(
            (), tuple(key for key, it in self.entries.items() if it.lease == lease)
        )

    def change(self, puts: tuple[Put, ...], deletes: tuple[str, ...]) -> int:
        """Make changes at once; return the revision then."""
        gone = tuple(key for key in deletes if key in self.entries)
        if not puts and not gone:
            return self.revision
        self.revision += 1
        changes = []
        for put in puts:
            self.writes += 1
            entry = Entry(
                key=put.key, value=put.value, revision=self.revision, lease=put.lease
            )
            self.entries[put.key] = entry
            changes.append(Change(key=put.key, revision=self.revision, entry=entry))
        for key in gone:
            del self.entries[key]
            changes.append(Change(key=key, revision=self.revision, entry=None))
        self.history.append(tuple(changes))
        self.tell()
        return self.revision

    def tell(self) -> None:
        """Tell each watch what it has not been told."""
        if self.is_silent:
            return
        for watch in tuple(self.watches):
            self._tell_one(watch)

    def _tell_one(self, watch: _Watch) -> None:
        for changes in self.history:
            wanted = tuple(
                change
                for change in changes
                if change.key.startswith(watch.prefix)
                and change.revision >= watch.next_revision
            )
            if wanted and watch in self.watches:
                watch.next_revision = wanted[-1].revision + 1
                watch.take(wanted)


@implementer(IEtcd)
class MemoryEtcd:
    """A connection to a store in memory; see `IEtcd`.

    Args:
        store: what it is connected to; by default one of its own.
        clock: of that.
    """

    request_timeout = Seconds(5.0)

    def __init__(self, clock: IReactorTime, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore(clock)
        self.is_open = False
        self._waiting: list[Deferred[object]] = []

    @override
    def __repr__(self) -> str:
        return "<MemoryEtcd>"

    def start(self) -> None:
        """Allow requests; see `IEtcd`."""
        self.is_open = True

    def stop(self) -> Deferred[None]:
        """End everything; see `IEtcd`."""
        self.is_open = False
        for request in tuple(self._waiting):
            request.cancel()
        return succeed(None)

    def _answer(self, answer: Callable[[], object]) -> Deferred[object]:
        store = self.store
        store.requests += 1
        if not self.is_open or store.is_refusing:
            return fail(EtcdUnavailable("nobody is there"))
        if store.is_away:
            waiting: Deferred[object] = Deferred()
            self._keep(waiting)
            timeout = store.clock.callLater(
                self.request_timeout,
                lambda: waiting.errback(EtcdUnavailable("no answer in time")),
            )

            def drop(outcome: object) -> object:
                if timeout.active():
                    timeout.cancel()
                return outcome

            return waiting.addBoth(drop)
        store.expire()
        try:
            return succeed(answer())
        except EtcdError as error:
            return fail(error)

    def _keep(self, waiting: Deferred[object]) -> None:
        self._waiting.append(waiting)

        def drop(outcome: object) -> object:
            self._waiting.remove(waiting)
            return outcome

        waiting.addBoth(drop)

    def get(self, key: str) -> Deferred[Entry | None]:
        """Read one key; see `IEtcd`."""
        return self._answer(lambda: self.store.entries.get(key))  # type: ignore[return-value]

    def get_prefix(self, prefix: str, *, keys_only: bool = False) -> Deferred[Listing]:
        """Read all keys below a prefix; see `IEtcd`."""

        def listing() -> Listing:
            found = [
                Entry(
                    key=entry.key,
                    value=b"" if keys_only else entry.value,
                    revision=entry.revision,
                    lease=entry.lease,
                )
                for key, entry in sorted(self.store.entries.items())
                if key.startswith(prefix)
            ]
            if len(found) > LARGEST_LISTING:
                raise TooManyInstances(f"{prefix}: more than {LARGEST_LISTING} keys")
            return Listing(revision=self.store.revision, entries=tuple(found))

        return self._answer(listing)  # type: ignore[return-value]

    def put(self, key: str, value: bytes, lease: int = 0) -> Deferred[int]:
        """Write a key; see `IEtcd`."""
        put = Put(key=key, value=value, lease=lease)

        def write() -> int:
            self._check_leases((put,))
            return self.store.change((put,), ())

        return self._answer(write)  # type: ignore[return-value]

    def delete(self, key: str) -> Deferred[bool]:
        """Delete a key; see `IEtcd`."""

        def delete() -> bool:
            was_there = key in self.store.entries
            self.store.change((), (key,))
            return was_there

        return self._answer(delete)  # type: ignore[return-value]

    def transaction(self, transaction: Transaction) -> Deferred[bool]:
        """Make changes at once; see `IEtcd`."""

        def transact() -> bool:
            entries = self.store.entries
            for key, revision in transaction.only_if:
                if (entries[key].revision if key in entries else 0) != revision:
                    return False
            self._check_leases(transaction.puts)
            self.store.change(transaction.puts, transaction.deletes)
            return True

        return self._answer(transact)  # type: ignore[return-value]

    def _check_leases(self, puts: tuple[Put, ...]) -> None:
        for put in puts:
            if put.lease and put.lease not in self.store.leases:
                raise LeaseLost(f"no lease {put.lease}")

    def grant(self, ttl: Seconds) -> Deferred[Grant]:
        """Make a lease; see `IEtcd`."""

        def grant() -> Grant:
            store = self.store
            store.granted += 1
            lease = 1000 + store.granted
            store.leases[lease] = _Lease(ttl=ttl, ends=store.clock.seconds() + ttl)
            return Grant(lease=lease, ttl=ttl)

        return self._answer(grant)  # type: ignore[return-value]

    def renew(self, lease: int) -> Deferred[Seconds]:
        """Let a lease live on; see `IEtcd`."""

        def renew() -> Seconds:
            held = self.store.leases.get(lease)
            if held is None:
                raise LeaseLost(f"no lease {lease}")
            held.ends = self.store.clock.seconds() + held.ttl
            return held.ttl

        return self._answer(renew)  # type: ignore[return-value]

    def revoke(self, lease: int) -> Deferred[None]:
        """End a lease; see `IEtcd`."""

        def revoke() -> None:
            if lease in self.store.leases:
                self.store.end_lease(lease)

        return self._answer(revoke)  # type: ignore[return-value]

    def watch(
        self,
        prefix: str,
        from_revision: int,
        take: Take,
        ready: Callable[[], None] = lambda: None,
    ) -> Deferred[None]:
        """Tell changes; see `IEtcd`."""
        store = self.store
        if not self.is_open or store.is_refusing or store.is_away:
            return self._answer(lambda: None)  # type: ignore[return-value]
        store.requests += 1
        if from_revision < store.oldest:
            return fail(EtcdCompacted(store.oldest))
        store.watches_opened += 1

        def cancel(ended: Deferred[None]) -> None:
            store.watches = [each for each in store.watches if each is not watch]

        watch = _Watch(
            prefix=prefix,
            next_revision=from_revision,
            take=take,
            ended=Deferred(cancel),
        )
        self._keep(watch.ended)  # type: ignore[arg-type]
        store.watches.append(watch)
        ready()
        store.tell()
        return watch.ended
