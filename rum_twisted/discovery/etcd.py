"""Instances in etcd: one lease to be listed, one watch to know the others."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.discovery.codec import UnreadableInstance, decode
from rum_twisted.discovery.interfaces import (
    IEtcd,
    IRegistry,
    Overview,
    Put,
    RegistryHealth,
    RegistryState,
    Transaction,
)
from rum_twisted.discovery.keys import (
    all_prefix,
    rule_key,
    rules_prefix,
    services_prefix,
    wish_key,
    wishes_prefix,
)
from rum_twisted.discovery.registration import Registration
from rum_twisted.discovery.rules import UnreadableRule, decode_rule, encode_rule
from rum_twisted.discovery.watch import Follower
from rum_twisted.discovery.wishes import (
    WISH_LIVES,
    UnreadableWish,
    decode_wish,
    encode_wish,
)
from rum_twisted.terms.instance import Instance
from rum_twisted.terms.rule import Posted, Rule
from rum_twisted.terms.units import Seconds
from rum_twisted.terms.wish import Wish

__all__ = ["HEAD_START", "EtcdRegistry"]

_LISTING: Final = "listing"
_READING: Final = "reading"
_PATIENCE: Final = 2
"""Lives of a lease for which nobody is taken off the list after an outage.

Within one, everybody has noticed that his lease is gone, and has registered again;
the other is for those who had not noticed the outage yet.
"""
HEAD_START: Final = Seconds(1.0)
"""How long at most a process that registers does not look who else is there.

Where a hundred start at the same instant, whoever looks first is told of each of the
others one by one, and so is everybody; that costs etcd much more memory than lists.
"""


@implementer(IRegistry)
class EtcdRegistry:
    """The instances of a whole network.

    A process that registers nothing takes no lease; one that never asks who is there
    opens no watch. One that does both is listed first, and then begins to read.

    Args:
        etcd: where they are; nobody else may use it.
        clock: for renewals, trials and checks.
        random: spreads them.
        base_path: what all keys begin with, e.g. ``/rum``.
        ttl: how long entries outlive their process, whole seconds.
    """

    log = Logger()
    refuses_wishes = ""

    def __init__(
        self,
        etcd: IEtcd,
        clock: IReactorTime,
        random: Random,
        *,
        base_path: str,
        ttl: Seconds,
    ) -> None:
        self._etcd = etcd
        self._clock = clock
        self._base_path = base_path
        self._head_start: IDelayedCall | None = None  # not reading yet
        self._changed: Callable[[tuple[Instance, ...]], None] = lambda _: None
        self._ruled: Callable[[tuple[Posted, ...]], None] = lambda _: None
        self._wished: Callable[[tuple[Wish, ...]], None] = lambda _: None
        self._troubles: dict[str, str] = {}  # of listing ourselves, of reading
        self._registration = Registration(
            etcd,
            clock,
            random,
            base_path=base_path,
            ttl=ttl,
            troubled=self._note_lease_trouble,
            fine=self._note_listing,
        )
        self._follower = Follower(
            etcd,
            clock,
            random,
            prefix=all_prefix(base_path),  # one watch for all
            decode=self._decode,
            changed=self._tell,
            patience=Seconds(_PATIENCE * ttl),
            asks=lambda: not self._registration.leases or _LISTING in self._troubles,
            troubled=partial(self._note, _READING),
            fine=partial(self._forget, _READING),
            ruled=self._tell_rules,
            wished=self._tell_wishes,
        )

    @override
    def __repr__(self) -> str:
        return f"<EtcdRegistry {self._etcd!r}: {self._follower!r}>"

    def start(
        self,
        changed: Callable[[tuple[Instance, ...]], None],
        ruled: Callable[[tuple[Posted, ...]], None] = lambda _: None,
        wished: Callable[[tuple[Wish, ...]], None] = lambda _: None,
    ) -> None:
        """Open it; see `IRegistry`."""
        self._changed = changed
        self._ruled = ruled
        self._wished = wished
        self._etcd.start()
        self._registration.start()

    def stop(self) -> Deferred[None]:
        """Take our instances away and close; see `IRegistry`."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._end_head_start()
        # In this order: who ends needs no news of others who end as well.
        await self._follower.stop()
        await self._registration.stop()
        await self._etcd.stop()
        self._changed = lambda _: None
        self._ruled = lambda _: None
        self._wished = lambda _: None
        self._troubles.clear()

    def follow(self) -> None:
        """Begin to watch; see `IRegistry`.

        In this turn of the reactor somebody may still register.
        """
        is_stopped = self._follower.state is RegistryState.STOPPED
        if is_stopped and self._head_start is None:
            self._head_start = self._clock.callLater(0.0, self._let_register)

    def _let_register(self) -> None:
        """Begin to read when we are listed, or that has failed or takes too long."""
        self._head_start = self._clock.callLater(HEAD_START, self._begin_to_read)
        if not self._registration.is_pending or self._troubles:
            self._begin_to_read()

    def _begin_to_read(self) -> None:
        if self._end_head_start():
            self._follower.start()

    def _end_head_start(self) -> bool:
        """Tell whether there was one."""
        head_start, self._head_start = self._head_start, None
        if head_start is not None and head_start.active():
            head_start.cancel()
        return head_start is not None

    def register(self, instance: Instance) -> None:
        """List an instance, or change it; see `IRegistry`."""
        self._registration.register(instance)

    def deregister(self) -> Deferred[None]:
        """Take our instances away; see `IRegistry`."""
        self._begin_to_read()
        return self._registration.deregister()

    def look(self) -> Deferred[Overview]:
        """Read what stands there now; see `IRegistry`."""
        return Deferred.fromCoroutine(self._look())

    async def _look(self) -> Overview:
        listing = await self._etcd.get_prefix(all_prefix(self._base_path))
        instances: list[Instance] = []
        rules: list[Posted] = []
        wishes: list[Wish] = []
        for entry in listing.entries:
            try:
                found = self._decode(entry.key, entry.value)
            except (UnreadableInstance, UnreadableRule, UnreadableWish) as error:
                self.log.warn("passed over: {error}", error=error)
                continue
            if isinstance(found, Rule):
                rules.append(Posted(found, entry.revision))
            elif isinstance(found, Wish):
                wishes.append(found)
            elif found is not None:
                instances.append(found)
        return Overview(tuple(instances), tuple(rules), tuple(wishes))

    def post(self, service: str, rule: Rule | None, revision: int) -> Deferred[bool]:
        """Write a rule, if it is still the one that was read; see `IRegistry`."""
        return Deferred.fromCoroutine(self._post(service, rule, revision))

    async def _post(self, service: str, rule: Rule | None, revision: int) -> bool:
        key = rule_key(self._base_path, service)
        only_if = ((key, revision),)
        if rule is None:
            change = Transaction(only_if=only_if, deletes=(key,))
        else:
            before = await self._etcd.get(key)
            over = b"" if before is None else before.value
            put = Put(key=key, value=encode_rule(rule, over))
            change = Transaction(only_if=only_if, puts=(put,))
        is_written: bool = await self._etcd.transaction(change)
        return is_written

    def wish(self, wish: Wish) -> Deferred[None]:
        """Let a process know what is wanted of it; see `IRegistry`."""
        return Deferred.fromCoroutine(self._wish(wish))

    async def _wish(self, wish: Wish) -> None:
        # A lease that nobody renews: what nobody hears must not be heard much later.
        grant = await self._etcd.grant(WISH_LIVES)
        key = wish_key(self._base_path, wish.name)
        await self._etcd.put(key, encode_wish(wish), grant.lease)

    def take_up(self, name: str) -> Deferred[None]:
        """Delete what is wanted of an instance; see `IRegistry`."""
        deleted: Deferred[bool] = self._etcd.delete(wish_key(self._base_path, name))
        return deleted.addCallback(lambda _: None)

    def health(self) -> RegistryHealth:
        """Tell how things stand; see `IRegistry`."""
        is_reading = self._head_start is None
        return RegistryHealth(
            state=self._follower.state if is_reading else RegistryState.CONNECTING,
            is_registered=self._registration.is_registered,
            watches=self._follower.watches,
            leases=self._registration.leases,
            registrations=self._registration.registrations,
            writes=self._registration.writes,
            trouble="; ".join(dict.fromkeys(self._troubles.values())),
        )

    def _decode(self, key: str, value: bytes) -> Instance | Rule | Wish | None:
        """Return what stands under a key; what a later version keeps there is none."""
        if key.startswith(services_prefix(self._base_path)):
            return decode(self._base_path, key, value)
        if key.startswith(rules_prefix(self._base_path)):
            return decode_rule(self._base_path, key, value)
        if key.startswith(wishes_prefix(self._base_path)):
            return decode_wish(self._base_path, key, value)
        return None

    def _tell(self, instances: tuple[Instance, ...]) -> None:
        self._changed(instances)

    def _tell_rules(self, rules: tuple[Posted, ...]) -> None:
        self._ruled(rules)

    def _tell_wishes(self, wishes: tuple[Wish, ...]) -> None:
        self._wished(wishes)

    def _note_listing(self) -> None:
        self._forget(_LISTING)
        if not self._registration.is_pending:
            self._begin_to_read()

    def _note_lease_trouble(self, error: Exception) -> None:
        # Etcd is away or stands still: when it is back, many may have been lost.
        if self._follower.state is RegistryState.LIVE:
            self._follower.be_patient()
        self._note(_LISTING, error)
        self._begin_to_read()

    def _note(self, work: str, error: Exception) -> None:
        """Tell the operator once, however often it is tried again."""
        is_new = not self._troubles
        trouble = str(error) or type(error).__name__
        self._troubles[work] = trouble
        if is_new:
            self.log.warn("etcd: {trouble}; trying again", trouble=trouble)

    def _forget(self, work: str) -> None:
        """Tell the operator when all is well again."""
        if self._troubles.pop(work, None) is not None and not self._troubles:
            self.log.info("etcd: all is well again")
