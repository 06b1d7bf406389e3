"""Who ends a trial, when, and what he says."""

from dataclasses import replace

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.rpc.errors import Code
from rum_twisted.rpc.judge import LOOK_INTERVAL, MOST_SAMPLES, Judge
from rum_twisted.rpc.metrics import CallMetrics
from rum_twisted.terms.rule import Rule, RuleState
from rum_twisted.terms.units import Seconds
from tests.support.rules import CANARY, LIMITS, PostedRules, make_rule
from tests.unit.rpc.test_quality import observe

NOW = Seconds(1_790_000_000.0)
FAILED = Code.INTERNAL


class JudgeTests(SynchronousTestCase):
    """Observers of one trial, each with calls of his own."""

    @override
    def setUp(self) -> None:
        """Begin a trial with limits."""
        self.clock = Clock()
        self.rules = PostedRules(make_rule(limits=LIMITS))
        self.noted: list[Rule] = []
        self.can_write = True
        self.judge, self.metrics = self.observer("a")

    def observer(self, name: str) -> tuple[Judge, CallMetrics]:
        """Return another process's judge, started, and what it counts."""
        metrics = CallMetrics()
        judge = Judge(
            self.rules,
            metrics,
            self.clock,
            lambda: NOW,
            name=lambda: name,
            can_write=lambda: self.can_write,
            noted=self.noted.append,
        )
        judge.startService()
        self.addCleanup(judge.stopService)
        return judge, metrics

    def see(self, metrics: CallMetrics, errors: int, calls: int = 20) -> None:
        """Count calls of both parts, of which the new version fails some."""
        codes = [FAILED] * errors + [Code.OK] * (calls - errors)
        observe(metrics, CANARY, *codes)
        observe(metrics, "4.0.0", *[Code.OK] * calls)

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds / LOOK_INTERVAL)):
            self.clock.advance(LOOK_INTERVAL)

    def state(self) -> RuleState:
        """Return the state of the trial."""
        return self.rules.rule().state

    def test_version_that_does_too_badly(self) -> None:
        """It is backed out at once, and the rule, the log and the audit log say why."""
        self.see(self.metrics, errors=4)
        with capturedLogs() as events:
            self.pass_time(1)
        rule = self.rules.rule()
        self.assertIs(rule.state, RuleState.BACKED_OUT)
        self.assertIn("20.0 % of 20 calls failed", rule.reason)
        self.assertEqual((rule.by, rule.changed, rule.share), ("a", NOW, 10.0))
        self.assertEqual(self.noted, [rule])
        (event,) = events
        self.assertEqual(event["reason"], rule.reason)

    def test_version_that_does_well(self) -> None:
        """However long it is looked at, it stays."""
        for _ in range(100):
            self.see(self.metrics, errors=1)
            self.pass_time(1)
        self.assertIs(self.state(), RuleState.ACTIVE)
        self.assertEqual(self.noted, [])

    def test_of_two_observers_one_wins(self) -> None:
        """Both find it too bad in the same moment; it is ended, and told, once."""
        other, metrics = self.observer("b")
        for watch in list(self.rules.watches):
            watch.stop()  # neither hears of the other
        self.see(self.metrics, errors=10)
        self.see(metrics, errors=20)
        with capturedLogs() as events:
            self.pass_time(1)
        self.assertEqual(len(self.noted), 1)
        self.assertEqual(self.rules.refused, 1)
        self.assertEqual(len(events), 1)
        self.assertEqual(other.sights()[0].canary.errors, 20)

    def test_operator_wins(self) -> None:
        """A rule that was changed since it was judged is left as it is."""
        (watch,) = self.rules.watches
        watch.stop()
        self.rules.change("weather", make_rule(20.0, limits=LIMITS))
        self.see(self.metrics, errors=20)
        self.pass_time(1)
        self.assertIs(self.state(), RuleState.ACTIVE)
        self.assertEqual((self.noted, self.rules.refused), ([], 1))

    def test_what_lies_before_the_rule_does_not_count(self) -> None:
        """A rule that was changed is looked at anew."""
        self.see(self.metrics, errors=19, calls=19)
        self.pass_time(1)
        self.rules.change("weather", make_rule(20.0, limits=LIMITS))
        self.see(self.metrics, errors=0, calls=19)
        self.pass_time(1)
        self.assertIs(self.state(), RuleState.ACTIVE)
        (sight,) = self.judge.sights()
        self.assertEqual((sight.canary.calls, sight.canary.errors), (19, 0))

    def test_what_lies_before_the_window_does_not_count(self) -> None:
        """Errors of an hour ago are no reason."""
        self.see(self.metrics, errors=19, calls=19)
        self.pass_time(LIMITS.window + 2)
        self.see(self.metrics, errors=0)
        self.pass_time(1)
        self.assertIs(self.state(), RuleState.ACTIVE)

    def test_ended_within_its_window(self) -> None:
        """Calls that come slowly add up, as long as the window has them."""
        for _ in range(20):
            self.see(self.metrics, errors=1, calls=1)
            self.pass_time(1)
        self.assertIs(self.state(), RuleState.BACKED_OUT)

    def test_registry_is_away(self) -> None:
        """Nothing is ended, and that is said once; when it is back, it is ended."""
        self.can_write = False
        self.see(self.metrics, errors=20)
        with capturedLogs() as events:
            self.pass_time(10)
        self.assertIs(self.state(), RuleState.ACTIVE)
        (event,) = events
        self.assertIn("not backed out", event["log_format"])
        self.can_write = True
        self.pass_time(1)
        self.assertIs(self.state(), RuleState.BACKED_OUT)

    def test_registry_came_back_too_late(self) -> None:
        """What was seen before the window is not held against it."""
        self.can_write = False
        self.see(self.metrics, errors=20)
        self.pass_time(LIMITS.window + 2)
        self.can_write = True
        self.pass_time(1)
        self.assertIs(self.state(), RuleState.ACTIVE)

    def test_writing_fails(self) -> None:
        """It is said once, and tried again."""
        self.rules.trouble = ConnectionRefusedError("etcd is not there")
        self.see(self.metrics, errors=20)
        with capturedLogs() as events:
            self.pass_time(5)
        (event,) = events
        self.assertIn("not there", event["trouble"])
        self.rules.trouble = None
        self.pass_time(1)
        self.assertIs(self.state(), RuleState.BACKED_OUT)

    def test_only_trials_with_limits_are_ended(self) -> None:
        """And only while they are under way; all are shown."""
        for rule in (
            make_rule(),
            make_rule(limits=LIMITS, state=RuleState.PROMOTED),
            make_rule(limits=LIMITS, state=RuleState.ABORTED),
        ):
            self.rules.change("weather", rule)
            self.see(self.metrics, errors=20)
            self.pass_time(2)
            self.assertIs(self.rules.rule(), rule)
            (sight,) = self.judge.sights()
            self.assertEqual((sight.canary.calls, sight.others.calls), (20, 20))

    def test_nobody_plays_the_version(self) -> None:
        """Nothing is said of a version that was not seen."""
        observe(self.metrics, "4.0.0", *[FAILED] * 1000)
        self.pass_time(60)
        self.assertIs(self.state(), RuleState.ACTIVE)

    def test_idle_without_rules(self) -> None:
        """No timer runs where nothing is tried, nor after the end."""
        self.rules.change("weather", None)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.rules.change("weather", make_rule(limits=LIMITS))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.judge.stopService()
        self.judge.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.rules.watches, [])

    def test_samples_have_a_bound(self) -> None:
        """An hour's window takes no more memory than a minute's."""
        hour = replace(LIMITS, window=Seconds(3600.0))
        self.rules.change("weather", make_rule(limits=hour))
        self.pass_time(2 * 3600)
        trials = self.judge._trials  # noqa: SLF001 - what takes the memory
        samples = trials["weather"].samples
        self.assertLessEqual(len(samples), MOST_SAMPLES + 2)
        self.assertGreaterEqual(samples[-1].at - samples[0].at, 3500.0)

    def test_clock_that_was_put_back(self) -> None:
        """It begins anew, and goes on."""
        self.pass_time(10)
        self.clock.rightNow -= 3600
        self.see(self.metrics, errors=20)
        self.judge.look()
        self.see(self.metrics, errors=20)
        self.judge.look()
        self.assertIs(self.state(), RuleState.BACKED_OUT)
