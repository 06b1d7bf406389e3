"""What discovery stands on: a registry, and beneath one of them an etcd.

Everything that waits gives a Deferred. Cancelling one gives up the request, and it
fails with ``CancelledError``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from rum_twisted.terms.instance import Instance
from rum_twisted.terms.rule import Posted, Rule
from rum_twisted.terms.units import Seconds
from rum_twisted.terms.wish import Wish

__all__ = [
    "LARGEST_LISTING",
    "Change",
    "Entry",
    "Grant",
    "IEtcd",
    "IRegistry",
    "Listing",
    "Overview",
    "Put",
    "RegistryHealth",
    "RegistryState",
    "Take",
    "Transaction",
]

LARGEST_LISTING: Final = 10_000  # entries; more is not a network, but a fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A key and its value."""

    key: str
    value: bytes  # empty where only keys were asked for
    revision: int  # of the store, at the last change of this key
    lease: int  # 0: the key stays until it is deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All entries below a prefix at one moment."""

    revision: int  # of the store, at that moment
    entries: tuple[Entry, ...]  # by key


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change below a prefix."""

    key: str
    revision: int  # of the store, after the change
    entry: Entry | None  # None: the key is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A lease: keys that are bound to it go when it ends."""

    lease: int
    ttl: Seconds  # without a renewal it lives so long


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A key to be written."""

    key: str
    value: bytes
    lease: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """Changes that are made all at once, or not at all."""

    only_if: tuple[tuple[str, int], ...] = ()  # a key's revision is this; 0: no key
    puts: tuple[Put, ...] = ()
    deletes: tuple[str, ...] = ()


Take: TypeAlias = Callable[[tuple[Change, ...]], None]


class IEtcd(Interface):
    """A connection to an etcd, version 3.

    Each request ends within `request_timeout`. Every Deferred may fail with:

    - ``EtcdUnavailable``: no answer in time;
    - ``AccessDenied``: name or password do not suffice;
    - ``RequestRefused``: any other refusal.

    A token that has run out is renewed, and the request made again, unseen.
    """

    request_timeout = Attribute("Longest wait for an answer, in s (Seconds).")

    def start() -> None:
        """Allow requests. The connection is opened by the first of them."""

    def stop() -> Deferred[None]:
        """End every request and watch with ``CancelledError``, and close.

        Returns:
            a Deferred that fires when no task and no connection is left.
        """

    def get(key: str) -> Deferred[Entry | None]:
        """Read one key."""

    def get_prefix(prefix: str, *, keys_only: bool = False) -> Deferred[Listing]:
        """Read all keys below a prefix, as they are at one moment.

        Returns:
            them; ``TooManyInstances`` if they are more than `LARGEST_LISTING`.
        """

    def put(key: str, value: bytes, lease: int = 0) -> Deferred[int]:
        """Write a key.

        Returns:
            the store's revision afterwards; ``LeaseLost`` if there is no such lease.
        """

    def delete(key: str) -> Deferred[bool]:
        """Delete a key; tell whether it was there."""

    def transaction(transaction: Transaction) -> Deferred[bool]:
        """Make changes, all at once, if the conditions hold.

        Returns:
            whether they were made; ``LeaseLost`` if a lease does not exist.
        """

    def grant(ttl: Seconds) -> Deferred[Grant]:
        """Make a lease.

        Args:
            ttl: whole seconds; etcd may grant more.
        """

    def renew(lease: int) -> Deferred[Seconds]:
        """Let a lease live for its whole time again; ``LeaseLost`` if it has ended.

        Returns:
            how long it lives now.
        """

    def revoke(lease: int) -> Deferred[None]:
        """End a lease, with all keys bound to it; one that has ended is no error."""

    def watch(
        prefix: str,
        from_revision: int,
        take: Take,
        ready: Callable[[], None] = lambda: None,
    ) -> Deferred[None]:
        """Tell each change below a prefix.

        Args:
            prefix: what the keys begin with.
            from_revision: the first change that is told; may lie in the past.
            take: called with changes in their order, those of one moment together.
            ready: called once etcd has taken the watch up.

        Returns:
            a Deferred that fires when the watch is over, always with a failure:
            ``EtcdUnavailable`` after a cut, ``EtcdCompacted`` if what was asked for
            is gone, ``WatchEnded`` if etcd ended it for another reason, and after a
            cancel ``CancelledError``. It never resumes by itself.
        """


class RegistryState(Enum):
    """How a registry stands with what it is built on."""

    STOPPED = "stopped"
    CONNECTING = "connecting"
    LIVE = "live"
    AWAY = "away"  # no answer; what was known last is still told


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryHealth:
    """What an operator wants to know of a registry."""

    state: RegistryState  # of reading
    is_registered: bool  # our own instances stand there, as they are
    watches: int  # open at etcd
    leases: int  # held at etcd
    registrations: int  # times that our instances were written from nothing
    writes: int  # keys written, since the start
    trouble: str  # the last one, as an operator reads it; "" while there is none


@dataclass(frozen=True, slots=True)
class Overview:
    """All that stands in a registry at one moment."""

    instances: tuple[Instance, ...]
    rules: tuple[Posted, ...]
    wishes: tuple[Wish, ...] = ()


class IRegistry(Interface):
    """A place where instances are listed, each by the process that it is.

    What a process wants to be listed with is kept here and made true as soon as it
    can be, again and again if need be. Nothing here blocks or fails because the place
    is away.
    """

    refuses_wishes = Attribute("Why nobody would hear of a wish; empty: they do.")

    def start(
        changed: Callable[[tuple[Instance, ...]], None],
        ruled: Callable[[tuple[Posted, ...]], None] = lambda _: None,
        wished: Callable[[tuple[Wish, ...]], None] = lambda _: None,
    ) -> None:
        """Open it.

        Args:
            changed: called with all instances of all services, first when they are
                known and then after each change. While they are not known, as while
                etcd has been away since the start, it is not called.
            ruled: called with all traffic rules, each time before that.
            wished: called with all wishes, each time after that.
        """

    def stop() -> Deferred[None]:
        """Take our instances away and close.

        Returns:
            a Deferred that fires when nothing is left: no lease, watch, connection,
            timer or task. It fires in bounded time even if the place is away.
        """

    def follow() -> None:
        """Begin to read; before that, the registry may know only its own."""

    def register(instance: Instance) -> None:
        """List an instance of this process, or change what is listed for it."""

    def deregister() -> Deferred[None]:
        """Take all instances of this process away; the process runs on.

        Returns:
            a Deferred that fires when nobody new is told of them, or after a bounded
            time without an answer.
        """

    def look() -> Deferred[Overview]:
        """Read what stands there now, for an operator; nothing is watched for it.

        Returns:
            a Deferred that fires with it, or fails with an ``EtcdError``.
        """

    def post(service: str, rule: Rule | None, revision: int) -> Deferred[bool]:
        """Write the traffic rule of a service, or with ``None`` delete it.

        Of several who do so at the same time, exactly one succeeds.

        Args:
            service: whose rule it is.
            rule: its new rule.
            revision: of the rule that is replaced, as it was read; 0: there is none.

        Returns:
            a Deferred that fires with whether it was written: it was not if the rule
            is another one by now. It fails with an ``EtcdError``, with
            ``RulesUnknown`` where rules cannot be kept, or with ``InvalidRule``.
        """

    def wish(wish: Wish) -> Deferred[None]:
        """Let a process know what is wanted of it, in place of what was before.

        A wish that nobody takes up within a minute is gone by itself.

        Returns:
            a Deferred that fires when it is written, or fails with an ``EtcdError``.
        """

    def take_up(name: str) -> Deferred[None]:
        """Delete what is wanted of an instance: it has heard.

        Returns:
            a Deferred that fires when that is done, or fails with an ``EtcdError``; the
            wish is gone all the same then, after a while.
        """

    def health() -> RegistryHealth:
        """Tell how things stand."""
