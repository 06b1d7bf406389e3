"""What stands before each plugin, so that a bad one costs nobody else anything.

- A **deadline** for each question: the plugin's own budget, or the network's if that
  is shorter. Past it, the answer is `GO_ON`.
- A bounded **inbox**; what does not fit is dropped and counted.
- A **breaker**: a plugin that fails three times in a row, or half the time, is left
  alone for half a second, then for twice as long, up to 8 s. While it is, nobody builds
  events for it.
- A bounded **rate** of what it may do.
- A **tally** of all that, told in one line now and then.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from random import Random
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.plugins.interfaces import IGuest
from rum_twisted.plugins.manifest import Manifest
from rum_twisted.plugins.pending import Pending
from rum_twisted.plugins.rate import Rate
from rum_twisted.rpc.breaker import Breaker, BreakerState
from rum_twisted.session.hooks import (
    FAILED,
    GO_ON,
    Act,
    Ask,
    Event,
    Kick,
    Question,
    Subscription,
    Tell,
    Verdict,
)
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.units import Seconds

__all__ = ["Counts", "Guard", "Inbox", "Rules"]

TELL_EVERY: Final = Seconds(60.0)  # one line for all that went wrong since
STUCK_AFTER: Final = Seconds(5.0)  # at one event; that counts as a failure
LONGEST_REASON: Final = 200  # characters of what a plugin says of its failure
_EVENT: Final = 300  # bytes of an event that waits, most of it its texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Bounds of each plugin."""

    deadline: Seconds  # for an answer, whatever budget the plugin declares
    queue: int  # events that wait for it
    actions: float  # in a second


@dataclass(slots=True)
class Counts:
    """What has happened with a plugin since the start."""

    given: int = 0  # events that it was given
    answered: int = 0  # questions, in time
    late: int = 0  # questions that it did not answer in time
    failed: int = 0  # times that it has raised
    dropped: int = 0  # events, because too many waited
    skipped: int = 0  # events, while it was left alone
    acted: int = 0  # what it has done
    refused: int = 0  # what it wanted to do, and was too much

    def since(self, before: "Counts") -> "Counts":
        """Return what has happened since ``before``."""
        return Counts(
            *(
                getattr(self, each.name) - getattr(before, each.name)
                for each in fields(self)
            )
        )

    def copy(self) -> "Counts":
        """Return the counts as they are now."""
        return self.since(Counts())

    @property
    def is_worth_a_line(self) -> bool:
        """Whether something went wrong."""
        return bool(
            self.late or self.failed or self.dropped or self.skipped or self.refused
        )


class Inbox:
    """Events that wait for a plugin, in their order, and not too many."""

    __slots__ = ("_items", "longest")

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self._items: deque[Ask] = deque()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._items)

    def put(self, item: Ask) -> bool:
        """Add one at the end; tell whether there was room."""
        if len(self._items) >= self.longest:
            return False
        self._items.append(item)
        return True

    def take(self, most: int) -> list[Ask]:
        """Return the first ones, which wait no more."""
        items = self._items
        return [items.popleft() for _ in range(min(most, len(items)))]

    def clear(self) -> int:
        """Forget all; return how many they were."""
        dropped = len(self._items)
        self._items.clear()
        return dropped


class Guard:
    """One plugin as the host knows it.

    Invariants: each question is answered once, by the plugin, by its deadline or by the
    breaker; while the breaker is open, nothing is in the inbox, and while it is tried
    again, one event at most.

    Args:
        guest: the plugin.
        manifest: what it declares.
        clock: times answers.
        random: spreads the breaker's pauses.
        rules: its bounds.
        changed: called when what it waits for has changed: the breaker moved.
        act: does what the plugin wants done.
        may_kick: whether it may end sessions.
    """

    log = Logger()

    def __init__(  # noqa: PLR0913 - everything that one plugin touches
        self,
        guest: IGuest,
        manifest: Manifest,
        *,
        clock: IReactorTime,
        random: Random,
        rules: Rules,
        changed: Callable[[], None],
        act: Callable[[Act], None],
        may_kick: bool,
    ) -> None:
        self.manifest = manifest
        self.counts = Counts()
        self.inbox = Inbox(rules.queue)
        self.may_kick = may_kick
        self._guest = guest
        self._clock = clock
        self._budget = min(manifest.budget, rules.deadline)
        self._breaker = Breaker(random)
        self._rate = Rate(rules.actions, clock.seconds)
        self._changed = changed
        self._act = act
        self._asked = Pending(clock, self._give_up)
        self._told_before = Counts()
        self._told_at: float | None = None
        self._reason = ""  # of the last failure
        self._is_tried = False  # again: it has the one event that will tell
        self._stuck_since: float | None = None  # that was counted as a failure
        self._is_known_broken = False  # the log knows
        self.is_running = False

    @override
    def __repr__(self) -> str:
        return (
            f"<Guard of {self.name}: {self._breaker.state.value}, "
            f"{len(self.inbox)} wait>"
        )

    @property
    def name(self) -> str:
        """The plugin's."""
        return self.manifest.name

    @property
    def state(self) -> str:
        """Whether it is given events: ``closed`` if so, as of a breaker."""
        return self._breaker.state.value

    @property
    def subscription(self) -> Subscription:
        """What it waits for just now: nothing while it is left alone."""
        if not self.is_running or self._breaker.state is BreakerState.OPEN:
            return Subscription()
        manifest = self.manifest
        return Subscription(
            manifest.hooks,
            frozenset(manifest.prefixes),
            frozenset(manifest.commands),
        )

    @property
    def under_way(self) -> int:
        """How much of what it was given is not done with, as far as can be told."""
        is_busy = self._guest.busy_since() is not None
        return len(self.inbox) + len(self._asked) + is_busy

    def measure(self) -> Measure:
        """Tell what waits for the plugin."""
        waiting = len(self.inbox)
        return Measure(count=waiting, bytes=waiting * _EVENT, bound=self.inbox.longest)

    def start(self) -> None:
        """Give it events from now on."""
        self.is_running = True
        self._guest.start(self)

    def stop(self) -> Deferred[None]:
        """Give it no more; fires when it has ended, or after a bounded time."""
        if not self.is_running:
            return succeed(None)
        self.is_running = False
        self._forget_what_waits()
        self.summarize()
        return self._guest.stop()

    # What the host gives.

    def tell(self, event: Event) -> None:
        """Give it an event, if it may have one now."""
        if self._admits():
            self._give((0, event))

    def ask(self, question: Question) -> Deferred[Verdict]:
        """Ask it; the Deferred never fails, and fires within the deadline."""
        if not self._admits():
            return succeed(FAILED if self.is_running else GO_ON)
        number, answer = self._asked.add(self._budget, self._be_late)
        if not self._give((number, question)):  # it may have answered by now
            self._asked.settle(number, FAILED)
        return answer

    # What the plugin says; in the reactor's thread.

    def answer(self, number: int, verdict: Verdict) -> None:
        """Take its answer; one that comes too late is nothing."""
        if self._asked.settle(number, verdict):
            self.counts.answered += 1
            self._note_success()

    def note_done(self) -> None:
        """Note that it has handled what it was told, and well."""
        self._note_success()

    def fail(self, number: int, reason: str) -> None:
        """Note that it has raised, over a question or (0) over something else."""
        self.counts.failed += 1
        self._note_failure(reason)
        self._asked.settle(number, FAILED)

    # What the plugin wants; `admits` in any thread.

    def admits(self) -> bool:
        """Tell whether it may do one more thing; if not, that is counted."""
        if self._rate.admits():
            return True
        self.counts.refused += 1
        return False

    def act(self, act: Tell | Kick) -> None:
        """Do what `admits` has let pass."""
        if self.is_running:
            self.counts.acted += 1
            self._act(act)

    def summarize(self) -> None:
        """Tell of what went wrong since the last time, in one line, if anything did."""
        now = self._clock.seconds()
        news = self.counts.since(self._told_before)
        if not news.is_worth_a_line:
            return
        self._told_before = self.counts.copy()
        self._told_at = now
        self._is_known_broken = self._breaker.state is not BreakerState.CLOSED
        self.log.warn(
            "plugin {plugin}: {late} answers too late, {failed} failures, {dropped} "
            "events dropped and {skipped} withheld, {refused} acts refused"
            "{reason}",
            plugin=self.name,
            late=news.late,
            failed=news.failed,
            dropped=news.dropped,
            skipped=news.skipped,
            refused=news.refused,
            reason=f"; last: {self._reason}" if self._reason else "",
        )
        self._reason = ""

    def look(self) -> None:
        """Look after it, a few times a second.

        What goes wrong is told the first time at once, and then not more than once a
        minute. A plugin that was left alone is tried again when that is due.
        """
        now = self._clock.seconds()
        since = self._guest.busy_since()
        if (
            since is not None
            and now - since >= STUCK_AFTER
            and since != self._stuck_since
        ):
            self._stuck_since = since
            self.counts.late += 1
            self._note_failure(f"at one event for {STUCK_AFTER:g} s")
        elif (
            since is None
            and self._breaker.state is BreakerState.OPEN
            and self._breaker.admits(Seconds(now))
        ):
            self._breaker.begin()
            self._is_tried = False
            self._changed()
        if self._told_at is None or now - self._told_at >= TELL_EVERY:
            self.summarize()

    # Inside.

    def _admits(self) -> bool:
        if not self.is_running:
            return False
        if self._breaker.state is BreakerState.CLOSED:
            return True
        if self._breaker.state is BreakerState.PROBING and not self._is_tried:
            self._is_tried = True
            return True
        self.counts.skipped += 1
        return False

    def _give(self, item: Ask) -> bool:
        if not self.inbox.put(item):
            self.counts.dropped += 1
            if item[0]:
                self._note_failure("its queue is full")
            return False
        self.counts.given += 1
        self._guest.wake()
        return True

    def _be_late(self, number: int) -> None:
        self.counts.late += 1
        self._note_failure(f"no answer within {self._budget * 1000:.0f} ms")
        self._asked.settle(number, FAILED)

    def _give_up(self, number: int) -> None:
        """Learn nothing from a question: whoever asked is gone."""
        self._is_tried = False

    def _note_success(self) -> None:
        if self._breaker.succeed():
            if self._is_known_broken:
                self._is_known_broken = False
                self.log.info("plugin {plugin} works again", plugin=self.name)
            self._changed()

    def _note_failure(self, reason: str) -> None:
        self._reason = reason[:LONGEST_REASON]
        if self._breaker.fail(Seconds(self._clock.seconds())):
            self._changed()
            self._forget_what_waits()  # last: whoever asked goes on in here

    def _forget_what_waits(self) -> None:
        self.counts.skipped += self.inbox.clear()
        self._asked.settle_all(FAILED if self.is_running else GO_ON)
