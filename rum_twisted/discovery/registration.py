"""What this process is listed with in etcd, made true and kept true.

Values are written when they change, and at no other time: a lease that is renewed
costs etcd no memory, while every written value stays in its log. All that differs
goes in one transaction.

Whoever only reads has nothing to be listed with, and takes no lease.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.discovery.backoff import Backoff
from rum_twisted.discovery.codec import encode
from rum_twisted.discovery.errors import EtcdError, LeaseLost
from rum_twisted.discovery.interfaces import IEtcd, Put, Transaction
from rum_twisted.discovery.keys import instance_key
from rum_twisted.discovery.lease import Lease
from rum_twisted.terms.instance import Instance
from rum_twisted.terms.units import Seconds

__all__ = ["CHECK_INTERVAL", "Registration"]

CHECK_INTERVAL: Final = Seconds(60.0)
"""How often our own keys are read: somebody may have deleted one by hand."""

_EARLIER: Final = 0.5  # up to this share: a thousand processes do not stay in step


class Registration:
    """Our own instances in etcd, under one lease.

    Invariant: ``_written`` is what etcd has confirmed under the lease that is held;
    it is empty while there is none. At most one request of ours is open.

    Args:
        etcd: where they are written.
        clock: for renewals and trials.
        random: spreads them.
        base_path: see `keys`.
        ttl: how long the entries outlive this process, whole seconds.
        troubled: called with each failed request.
        fine: called when requests succeed.
    """

    log = Logger()

    def __init__(  # noqa: PLR0913 - what it stands on, and what it tells
        self,
        etcd: IEtcd,
        clock: IReactorTime,
        random: Random,
        *,
        base_path: str,
        ttl: Seconds,
        troubled: Callable[[Exception], None] = lambda _: None,
        fine: Callable[[], None] = lambda: None,
    ) -> None:
        self.registrations = 0
        self.writes = 0
        self._etcd = etcd
        self._clock = clock
        self._random = random
        self._base_path = base_path
        self._troubled = troubled
        self._fine = fine
        self._backoff = Backoff(random)
        self._wanted: dict[str, bytes] = {}
        self._written: dict[str, bytes] = {}
        self._request: Deferred[None] | None = None
        self._trial: IDelayedCall | None = None
        self._check: IDelayedCall | None = None
        self._ending: Deferred[None] | None = None
        self._is_open = False
        self._lease = Lease(
            etcd,
            clock,
            ttl,
            random,
            held=self._held,
            gone=self._gone,
            troubled=troubled,
            fine=fine,
        )

    @override
    def __repr__(self) -> str:
        return f"<Registration: {len(self._written)} of {len(self._wanted)} listed>"

    @property
    def leases(self) -> int:
        """How many leases are held: one at most."""
        return int(self._lease.lease != 0)

    @property
    def is_registered(self) -> bool:
        """Whether everything that is wanted stands in etcd as it should."""
        return bool(self._wanted) and self._written == self._wanted

    @property
    def is_pending(self) -> bool:
        """Whether something is wanted that does not stand in etcd as it should."""
        return self._written != self._wanted

    def start(self) -> None:
        """Write what is wanted, as soon as etcd is there."""
        self._is_open = True
        if self._wanted and self._ending is None:
            self._lease.start()

    def register(self, instance: Instance) -> None:
        """List an instance, or change what is listed for it."""
        self._wanted[instance_key(self._base_path, instance)] = encode(instance)
        if self._is_open and self._ending is None:
            self._lease.start()
            self._write()

    def deregister(self) -> Deferred[None]:
        """Take all of them away, and end the lease.

        Returns:
            a Deferred that fires when that is done, or could not be done in time.
        """
        self._wanted.clear()
        self._written.clear()
        self._drop()
        ending = self._ending
        if ending is None:
            ending = self._ending = Deferred()
            self._lease.stop().addCallback(lambda _: self._ended())
        done: Deferred[None] = Deferred()
        ending.addCallback(lambda _: done.callback(None))
        return done

    def stop(self) -> Deferred[None]:
        """Take all of them away; leave no timer and no request."""
        self._is_open = False
        return self.deregister()

    def _ended(self) -> None:
        ending, self._ending = self._ending, None
        assert ending is not None, "set before the lease was stopped"
        ending.callback(None)
        if self._is_open and self._wanted:  # registered again meanwhile
            self._lease.start()

    def _held(self, _: int) -> None:
        self._written.clear()
        self._write()

    def _gone(self) -> None:
        self.log.warn("etcd has lost our lease; registering again")
        self._written.clear()
        self._drop()

    def _drop(self) -> None:
        """Give up the request and the timers that are open."""
        for timer in (self._trial, self._check):
            if timer is not None:
                timer.cancel()
        self._trial = self._check = None
        request, self._request = self._request, None
        if request is not None:
            request.cancel()

    def _write(self) -> None:
        """Write what differs, unless that is going on already."""
        if not self._lease.lease or self._request is not None:
            return
        if self._trial is not None:
            self._trial.cancel()
            self._trial = None
        changed = {
            key: value
            for key, value in self._wanted.items()
            if self._written.get(key) != value
        }
        if changed:
            self._begin(self._put(changed))
        elif self._check is None:
            share = 1.0 - _EARLIER * self._random.random()
            self._check = self._clock.callLater(
                share * CHECK_INTERVAL, self._begin_check
            )

    def _begin_check(self) -> None:
        self._check = None
        if self._request is None:
            self._begin(self._compare())

    def _begin(self, request: Deferred[None]) -> None:
        """Let a request run; afterwards see whether there is more to do."""
        self._request = request

        def done(outcome: object) -> None:
            if self._request is not request:
                return  # given up meanwhile
            self._request = None
            if not isinstance(outcome, Failure):
                self._backoff.reset()
                self._fine()
                self._write()
            elif outcome.check(LeaseLost):
                self._lease.lost()
            else:
                self._fail(outcome)

        request.addBoth(done)

    def _fail(self, failure: Failure) -> None:
        if not failure.check(EtcdError, CancelledError):
            self.log.failure("the registration: a request failed", failure)
        if isinstance(failure.value, Exception):
            self._troubled(failure.value)
        self._trial = self._clock.callLater(self._backoff.wait(), self._try_again)

    def _try_again(self) -> None:
        self._trial = None
        self._write()

    def _put(self, changed: dict[str, bytes]) -> Deferred[None]:
        lease = self._lease.lease
        is_first = not self._written

        def written(_: bool) -> None:  # noqa: FBT001 - what the Deferred fires with
            self._written.update(changed)
            self.writes += len(changed)
            if is_first:
                self.registrations += 1
                self.log.info(
                    "registered in etcd: {keys}", keys=", ".join(sorted(changed))
                )

        puts = tuple(Put(key=key, value=changed[key], lease=lease) for key in changed)
        return self._etcd.transaction(Transaction(puts=puts)).addCallback(written)

    def _compare(self) -> Deferred[None]:
        """Read our own keys, and forget to have written those that are not there."""
        return Deferred.fromCoroutine(self._compare_each())

    async def _compare_each(self) -> None:
        lease = self._lease.lease
        for key, value in tuple(self._written.items()):
            entry = await self._etcd.get(key)
            if self._lease.lease != lease:
                return  # all is written anew, or taken away
            if entry is None or entry.value != value or entry.lease != lease:
                self.log.warn("{key} is not in etcd as it should be", key=key)
                self._written.pop(key, None)
