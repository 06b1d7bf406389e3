"""All that a network keeps in etcd: list, then watch from there, for ever.

A watch may end in many ways: a cut, a compaction, a token that ran out, an etcd that
was restarted empty, or by saying nothing any more without anybody noticing. What
helps is the same each time. The keys are listed, without values; if they are those
that we know, the watch begins again behind this listing, and else everything is read
first. So nothing is lost, whatever has happened, and nothing depends on what etcd
still remembers.

- **It never spins**: between two trials lies a wait that grows, up to a bound.
- **It never dies in silence**: from time to time the keys are listed and compared,
  and a watch that has not told a change for a while is begun anew.
- **What was known last stays**, while etcd is away. When it is back, for twice the
  life of a lease nobody is taken off the list who does not say so himself: in an etcd
  that was stopped or has lost its data, all have to register again, and until they
  have, they are where they were. A rule that went with an etcd's data stays for good.
"""

from collections.abc import Callable
from random import Random
from typing import Any, Final, TypeAlias

from twisted.internet import defer
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.discovery.backoff import Backoff
from rum_twisted.discovery.codec import UnreadableInstance
from rum_twisted.discovery.errors import (
    EtcdError,
    EtcdUnavailable,
    TooManyInstances,
    WatchEnded,
)
from rum_twisted.discovery.interfaces import (
    LARGEST_LISTING,
    Change,
    Entry,
    IEtcd,
    Listing,
    RegistryState,
)
from rum_twisted.discovery.rules import UnreadableRule
from rum_twisted.discovery.wishes import UnreadableWish
from rum_twisted.terms.instance import Instance, InstanceState
from rum_twisted.terms.rule import Posted, Rule
from rum_twisted.terms.units import Seconds
from rum_twisted.terms.wish import Wish

__all__ = ["CHECK_INTERVAL", "GRACE", "Follower"]

CHECK_INTERVAL: Final = Seconds(60.0)
GRACE: Final = Seconds(5.0)  # within it, a watch has told what a listing shows
GATHERING: Final = Seconds(0.02)  # changes within it are told together
_ASKED_IN_TIME: Final = 6  # times in what we are patient for
STEADY: Final = Seconds(5.0)  # a watch that lived so long has worked
_EARLIER: Final = 0.5  # up to this share: a thousand processes do not stay in step
_FULL: Final = Seconds(60.0)  # until a registry with too many is looked at again

Decode: TypeAlias = Callable[[str, bytes], Instance | Rule | Wish | None]
_Mark: TypeAlias = tuple[bool, str, int, int]
"""Whether etcd has it and we have not, or the other way round; key, revision, lease."""


class Follower:
    """A copy of what stands below a prefix.

    Invariant: ``_marks`` is what etcd has told, and ``_shown``, ``_rules`` and
    ``_wishes`` what we tell: those of it that are readable, and those of ``_fading``,
    which etcd has no more.

    Args:
        etcd: what is followed.
        clock: for waits and checks.
        random: spreads them.
        prefix: what the keys begin with.
        decode: makes an instance, a rule or a wish of a key and its value; ``None``: it
            is something else.
        changed: called with all instances when they are known and after changes.
        patience: how long nobody is taken off the list after an outage.
        asks: whether to ask etcd now and then if it still answers. Who renews a lease
            knows that from his renewals, and calls `be_patient` himself.
        troubled: called with what each trial failed with.
        fine: called when a watch is up.
        ruled: called with all rules, each time before ``changed`` is.
        wished: called with all wishes, each time after ``changed`` is.
    """

    log = Logger()

    def __init__(  # noqa: PLR0913 - what it stands on, and what it tells
        self,
        etcd: IEtcd,
        clock: IReactorTime,
        random: Random,
        *,
        prefix: str,
        decode: Decode,
        changed: Callable[[tuple[Instance, ...]], None],
        patience: Seconds,
        asks: Callable[[], bool] = lambda: True,
        troubled: Callable[[Exception], None] = lambda _: None,
        fine: Callable[[], None] = lambda: None,
        ruled: Callable[[tuple[Posted, ...]], None] = lambda _: None,
        wished: Callable[[tuple[Wish, ...]], None] = lambda _: None,
    ) -> None:
        self.state = RegistryState.STOPPED
        self._etcd = etcd
        self._clock = clock
        self._random = random
        self._prefix = prefix
        self._decode = decode
        self._changed = changed
        self._patience = patience
        self._asks = asks
        self._troubled = troubled
        self._fine = fine
        self._ruled = ruled
        self._wished = wished
        self._backoff = Backoff(random)
        self._revision = 0  # 0: nothing is known yet
        self._marks: dict[str, tuple[int, int]] = {}
        self._shown: dict[str, Instance] = {}
        self._rules: dict[str, Posted] = {}
        self._wishes: dict[str, Wish] = {}
        self._fading: dict[str, float] = {}
        self._patient_until = 0.0
        self._gathering: IDelayedCall | None = None
        self._fade: IDelayedCall | None = None
        self._running: Deferred[None] | None = None
        # A cancel may be lost: what was cancelled may have ended just before.
        self._is_wanted = False
        self._turn = 0  # another one for each watch, and between them
        self._watch: Deferred[None] | None = None
        self._reason: EtcdError | None = None  # why we ended the watch ourselves

    @override
    def __repr__(self) -> str:
        return (
            f"<Follower of {self._prefix}: {self.state.value}, "
            f"{len(self._shown)} instances at revision {self._revision}>"
        )

    @property
    def watches(self) -> int:
        """How many watches are open at etcd: one at most."""
        return int(self._watch is not None)

    def start(self) -> None:
        """Begin; a second time does nothing."""
        if self._running is None:
            self.state = RegistryState.CONNECTING
            self._is_wanted = True
            self._revision = 0
            for known in (self._marks, self._shown, self._rules, self._wishes):
                known.clear()
            self._fading.clear()
            self._running = Deferred.fromCoroutine(self._run())
            self._running.addErrback(self._ended)

    def stop(self) -> Deferred[None]:
        """End.

        Returns:
            a Deferred that fires when no watch, request or timer is left.
        """
        for timer in (self._gathering, self._fade):
            if timer is not None:
                timer.cancel()
        self._gathering = self._fade = None
        running, self._running = self._running, None
        self._is_wanted = False
        self.state = RegistryState.STOPPED
        if running is None:
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        running.addBoth(lambda _: stopped.callback(None))
        running.cancel()
        return stopped

    def be_patient(self) -> None:
        """Take nobody off the list for a while: etcd may come back confused."""
        self._patient_until = self._clock.seconds() + self._patience

    def _ended(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure(
                "following {prefix} has ended", failure, prefix=self._prefix
            )

    async def _run(self) -> None:
        while self._is_wanted:
            wait = None
            try:
                await self._catch_up()
                await self._follow()
            except TooManyInstances as error:
                self._note(error)
                wait = _FULL
            except EtcdError as error:
                self._note(error)
            except CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - a bug must not end it
                self.log.failure("following {prefix}", prefix=self._prefix)
                self._troubled(error)
            if self._is_wanted:
                await self._sleep(wait or self._backoff.wait())

    def _note(self, error: EtcdError) -> None:
        if self._revision:
            self.state = RegistryState.AWAY
        self._troubled(error)

    def _sleep(self, seconds: Seconds) -> Deferred[None]:
        return deferLater(self._clock, seconds, lambda: None)

    # Catching up.

    async def _catch_up(self) -> None:
        """Know all that stands there now."""
        if self._revision:
            self.be_patient()
            listing = await self._list(keys_only=True)
            if not self._differences(listing):
                self._revision = listing.revision
                return
        self._take_over(await self._list(keys_only=False))

    async def _list(self, *, keys_only: bool) -> Listing:
        listing: Listing = await self._etcd.get_prefix(
            self._prefix, keys_only=keys_only
        )
        return listing

    def _take_over(self, listing: Listing) -> None:
        is_first = not self._revision
        has_lost_data = listing.revision < self._revision
        self._revision = listing.revision
        entries = {entry.key: entry for entry in listing.entries}
        for key in [key for key in self._marks if key not in entries]:
            if has_lost_data and key in self._rules:
                self._keep(key)
            else:
                self._remove(key)
        for key, entry in entries.items():
            if self._marks.get(key) != (entry.revision, entry.lease):
                self._put(entry)
        if is_first:
            self._tell()
        else:
            self._tell_soon()

    def _differences(self, listing: Listing) -> set[_Mark]:
        """Return what a listing has and we have not, and the other way round."""
        theirs = {(entry.key, entry.revision, entry.lease) for entry in listing.entries}
        ours = {(key, *mark) for key, mark in self._marks.items()}
        differences = {(True, *mark) for mark in theirs - ours}
        differences.update((False, *mark) for mark in ours - theirs)
        if listing.revision < self._revision:  # etcd has lost its data
            differences.add((False, "", self._revision, 0))
        return differences

    # Following.

    async def _follow(self) -> None:
        """Watch until the watch ends; it always ends with an error."""
        if not self._is_wanted:
            return
        begin = self._clock.seconds()
        self._reason = None
        self._turn += 1
        turn = self._turn
        checks: list[Deferred[Any]] = []

        def ready() -> None:
            self.state = RegistryState.LIVE
            self._fine()
            for check in (self._find_silence, self._keep_asking):
                checking = Deferred.fromCoroutine(check(turn))
                checking.addCallbacks(self._end_watch, self._ended)
                checks.append(checking)

        self._watch = self._etcd.watch(
            self._prefix, self._revision + 1, self._take, ready
        )
        try:
            await self._watch
        except CancelledError:
            reason = self._own_reason()
            if reason is None or not self._is_wanted:
                raise
            raise reason from None
        finally:
            self._watch = None
            self._turn += 1
            for checking in checks:
                checking.cancel()
            if self._clock.seconds() - begin >= STEADY:
                self._backoff.reset()

    def _own_reason(self) -> EtcdError | None:
        """Return why we have ended the watch, if it was us."""
        return self._reason

    def _end_watch(self, reason: EtcdError | None) -> None:
        """End our watch, so that another is begun, if there is a reason."""
        if reason is not None and self._watch is not None and self._reason is None:
            self._reason = reason
            self._watch.cancel()

    def _take(self, changes: tuple[Change, ...]) -> None:
        for change in changes:
            if change.entry is None:
                self._remove(change.key)
            elif len(self._marks) < LARGEST_LISTING or change.key in self._marks:
                self._put(change.entry)
            else:
                self._end_watch(
                    TooManyInstances(
                        f"{self._prefix}: more than {LARGEST_LISTING} keys"
                    )
                )
                return
            self._revision = max(self._revision, change.revision)
        self._tell_soon()

    def _put(self, entry: Entry) -> None:
        key = entry.key
        self._marks[key] = (entry.revision, entry.lease)
        self._fading.pop(key, None)
        try:
            found = self._decode(key, entry.value)
        except (UnreadableInstance, UnreadableRule, UnreadableWish) as error:
            # A rule stays as it was: without one, a bad version gets its share.
            self._shown.pop(key, None)
            self._wishes.pop(key, None)
            self.log.warn("passed over: {error}", error=error)
            return
        if isinstance(found, Rule):
            self._rules[key] = Posted(found, entry.revision)
        elif isinstance(found, Wish):
            self._wishes[key] = found
        elif found is not None:
            self._shown[key] = found

    def _keep(self, key: str) -> None:
        """Keep a rule that nobody has deleted, though etcd has it no more."""
        del self._marks[key]
        self.log.warn(
            "etcd has lost its data, and with it {key}; processes that run keep to it, "
            "others do not know it: set it again",
            key=key,
        )

    def _remove(self, key: str) -> None:
        self._marks.pop(key, None)
        self._rules.pop(key, None)
        self._wishes.pop(key, None)
        instance = self._shown.get(key)
        if instance is None:
            return
        leaves = instance.state is InstanceState.DRAINING  # it said so itself
        if leaves or self._clock.seconds() >= self._patient_until:
            del self._shown[key]
        else:
            self._fading[key] = self._patient_until
            self._fade_later()

    def _fade_later(self) -> None:
        if self._fade is None and self._fading:
            wait = min(self._fading.values()) - self._clock.seconds()
            self._fade = self._clock.callLater(max(wait, 0.0), self._let_fade)

    def _let_fade(self) -> None:
        self._fade = None
        now = self._clock.seconds()
        for key in [key for key, until in self._fading.items() if until <= now]:
            del self._fading[key]
            self._shown.pop(key, None)
        self._fade_later()
        self._tell_soon()

    # Telling.

    def _tell_soon(self) -> None:
        if self._gathering is None and self._running is not None:
            self._gathering = self._clock.callLater(GATHERING, self._tell)

    def _tell(self) -> None:
        if self._gathering is not None and self._gathering.active():
            self._gathering.cancel()
        self._gathering = None
        if self._is_wanted:
            self._ruled(tuple(self._rules.values()))
            self._changed(tuple(self._shown.values()))
            self._wished(tuple(self._wishes.values()))

    # Checking.

    async def _find_silence(self, turn: int) -> EtcdError | None:
        """Return when the watch turns out to be silent, and say how."""
        while self._turn == turn:
            share = 1.0 - _EARLIER * self._random.random()
            await self._sleep(Seconds(share * CHECK_INTERVAL))
            untold = await self._untold()
            if not untold:
                continue
            await self._sleep(GRACE)
            if untold & await self._untold():
                return WatchEnded("the watch has not told a change")
        return None

    async def _keep_asking(self, turn: int) -> EtcdError | None:
        """Be patient when etcd does not answer; return when it does not for long.

        It may stand still, and its connections with it. When it goes on, it finds
        that nobody has renewed a lease, though everybody would have.
        """
        unanswered = 0
        pause = Seconds(self._patience / _ASKED_IN_TIME)
        while self._turn == turn:
            await self._sleep(pause)
            if self._asks():
                try:
                    await self._etcd.get(self._prefix).addTimeout(pause, self._clock)
                    unanswered = 0
                except (EtcdError, defer.TimeoutError):
                    self.be_patient()
                    unanswered += 1
            if unanswered >= _ASKED_IN_TIME:
                return EtcdUnavailable("etcd does not answer")
        return None

    async def _untold(self) -> set[_Mark]:
        """Return how etcd differs from what we know; unreachable differs as well."""
        try:
            return self._differences(await self._list(keys_only=True))
        except EtcdUnavailable:
            return {(False, "", 0, 0)}
        except EtcdError as error:
            self._troubled(error)
            return set()
