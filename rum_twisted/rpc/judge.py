"""Looks how new versions do, and ends a trial that does too badly.

Every process judges by the calls that it made itself. Of several that find a version
too bad, exactly one ends the trial: its rule is written only if it is still the one
that was judged. Nothing is ended without having been seen: where there were too few
calls, or nobody to compare with, nothing is said.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.rpc.interfaces import IRules, IWatch
from rum_twisted.rpc.metrics import CallMetrics, Series
from rum_twisted.rpc.quality import Tally, tallies, verdict
from rum_twisted.terms.rule import LONGEST_REASON, Posted, Rule, RuleState
from rum_twisted.terms.units import Seconds

__all__ = ["LOOK_INTERVAL", "Judge", "Sight"]

LOOK_INTERVAL: Final = Seconds(1.0)
MOST_SAMPLES: Final = 60  # of one rule's window; 1 kB each
_USUAL_WINDOW: Final = Seconds(60.0)  # of a rule without limits, for those who look
_WRITE_WITHIN: Final = Seconds(30.0)

Noted = Callable[[Rule], None]


@dataclass(frozen=True, slots=True)
class _Sample:
    at: Seconds
    canary: Tally
    others: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """How a version and the others have done of late, as this process sees it."""

    rule: Rule
    seconds: Seconds  # so long it has been looked at, at most its window
    canary: Tally
    others: Tally


class _Trial:
    """One rule that is looked at.

    Invariant: samples are in the order of time, the first one at least as old as the
    window or as the rule in this form.
    """

    def __init__(self, posted: Posted) -> None:
        self.posted = posted
        self.samples: deque[_Sample] = deque()
        self.is_told = False  # that it does badly and nobody can be told
        self.writing: Deferred[Any] | None = None

    @property
    def window(self) -> Seconds:
        """How far back it is looked at."""
        limits = self.posted.rule.limits
        return _USUAL_WINDOW if limits is None else limits.window

    def take(self, sample: _Sample) -> None:
        """Keep a sample, unless the last one is young; forget what is too old."""
        samples = self.samples
        if samples and sample.at < samples[-1].at:
            samples.clear()  # the clock was put back
        if not samples or sample.at - samples[-1].at >= self.window / MOST_SAMPLES:
            samples.append(sample)
        begin = sample.at - self.window
        while len(samples) > 1 and samples[1].at <= begin:
            samples.popleft()

    def sight(self, sample: _Sample) -> Sight:
        """Return what has happened within the window."""
        first = self.samples[0] if self.samples else sample
        return Sight(
            rule=self.posted.rule,
            seconds=Seconds(sample.at - first.at),
            canary=sample.canary.since(first.canary),
            others=sample.others.since(first.others),
        )


class Judge(Service):
    """Judges the versions that are tried, by the calls of this process.

    Args:
        rules: tells what is tried, and writes what becomes of it.
        metrics: what was counted about calls.
        clock: the reactor.
        now: tells the seconds since the Unix epoch, UTC.
        name: tells who we are, for the rule.
        can_write: whether rules can be written just now.
        noted: called with each rule that we have backed out.
    """

    log = Logger()
    name = "judge"

    def __init__(  # noqa: PLR0913 - what it stands on, and what it tells
        self,
        rules: IRules,
        metrics: CallMetrics,
        clock: IReactorTime,
        now: Callable[[], Seconds],
        *,
        name: Callable[[], str],
        can_write: Callable[[], bool] = lambda: True,
        noted: Noted = lambda _: None,
    ) -> None:
        self._rules = rules
        self._metrics = metrics
        self._clock = clock
        self._now = now
        self._own_name = name
        self._can_write = can_write
        self._noted = noted
        self._trials: dict[str, _Trial] = {}
        self._watch: IWatch | None = None
        self._looks: LoopingCall | None = None

    @override
    def __repr__(self) -> str:
        return f"<Judge of {len(self._trials)} rules>"

    @override
    def startService(self) -> None:
        """Look, from now on, while there is something to look at."""
        if self.running:
            return
        super().startService()
        self._watch = self._rules.watch_rules(self._change)
        self._change(self._rules.rules())

    @override
    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        self._change(())

    def sights(self) -> tuple[Sight, ...]:
        """Return how all versions that are tried have done of late."""
        snapshot = self._metrics.snapshot()
        return tuple(
            trial.sight(self._sample(trial, snapshot))
            for trial in self._trials.values()
        )

    def look(self) -> None:
        """Look at all versions that are tried; end what does too badly."""
        snapshot = self._metrics.snapshot()
        for trial in self._trials.values():
            sample = self._sample(trial, snapshot)
            trial.take(sample)
            rule = trial.posted.rule
            if rule.limits is None or rule.state is not RuleState.ACTIVE:
                continue
            sight = trial.sight(sample)
            reason = verdict(rule.limits, sight.canary, sight.others, sight.seconds)
            if not reason:
                trial.is_told = False
            elif trial.writing is None:
                self._find_too_bad(trial, reason)

    def _find_too_bad(self, trial: _Trial, reason: str) -> None:
        rule = trial.posted.rule
        if not self._can_write():
            self._say_that_it_stays(trial, reason, "the registry is away")
            return
        done = replace(
            rule,
            state=RuleState.BACKED_OUT,
            reason=reason[:LONGEST_REASON],
            by=self._own_name(),
            changed=self._now(),
        )
        writing = self._rules.post(rule.service, done, trial.posted.revision)
        trial.writing = writing
        writing.addTimeout(_WRITE_WITHIN, self._clock)
        writing.addCallbacks(
            self._end, self._fail, callbackArgs=(trial, done), errbackArgs=(trial, done)
        )

    def _end(self, is_ours: bool, trial: _Trial, done: Rule) -> None:  # noqa: FBT001
        """Say that it was us, unless somebody else has changed the rule before."""
        trial.writing = None
        if is_ours:
            self.log.warn(
                "canary: {service} {version} is backed out: {reason}",
                service=done.service,
                version=done.version,
                reason=done.reason,
            )
            self._noted(done)

    def _fail(self, failure: Failure, trial: _Trial, done: Rule) -> None:
        trial.writing = None
        if not failure.check(CancelledError):
            self._say_that_it_stays(trial, done.reason, failure.getErrorMessage())

    def _say_that_it_stays(self, trial: _Trial, reason: str, trouble: str) -> None:
        """Say once that a trial goes on which should have been ended."""
        if not trial.is_told:
            trial.is_told = True
            rule = trial.posted.rule
            self.log.warn(
                "canary: {service} {version} does too badly ({reason}), and is not "
                "backed out as yet: {trouble}",
                service=rule.service,
                version=rule.version,
                reason=reason,
                trouble=trouble,
            )

    def _sample(self, trial: _Trial, snapshot: tuple[Series, ...]) -> _Sample:
        rule = trial.posted.rule
        canary, others = tallies(snapshot, rule.service, rule.version)
        return _Sample(Seconds(self._clock.seconds()), canary, others)

    def _change(self, rules: tuple[Posted, ...]) -> None:
        """Take up what is tried now; a rule that was changed is looked at anew."""
        before, self._trials = self._trials, {}
        snapshot = self._metrics.snapshot()
        for posted in rules:
            service = posted.rule.service
            trial = before.get(service)
            if trial is not None and trial.posted == posted:
                del before[service]
            else:
                trial = _Trial(posted)
                trial.take(self._sample(trial, snapshot))
            self._trials[service] = trial
        if not self.running:
            for trial in before.values():
                if trial.writing is not None:
                    trial.writing.cancel()
        self._look_if_needed()

    def _look_if_needed(self) -> None:
        """Look now and then while anything is tried, and only then."""
        if bool(self._trials) == (self._looks is not None):
            return
        looks, self._looks = self._looks, None
        if looks is not None:
            looks.stop()
            return
        self._looks = LoopingCall(self._look_safely)
        self._looks.clock = self._clock
        self._looks.start(LOOK_INTERVAL, now=False).addErrback(
            lambda reason: self.log.failure("judge: looks ended", reason)
        )

    def _look_safely(self) -> None:
        try:
            self.look()
        except Exception:  # noqa: BLE001 - one bad look must not end all later ones
            self.log.failure("judge: not looked")
