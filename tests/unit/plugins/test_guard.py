"""What one bad plugin can cost, and what the log says of it."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.plugins.context import PluginContext
from rum_twisted.plugins.guard import STUCK_AFTER, TELL_EVERY
from rum_twisted.session.hooks import (
    FAILED,
    GO_ON,
    Hook,
    LoggedOn,
    LoggingOn,
    Subscription,
    Tell,
    Text,
    Verdict,
)
from rum_twisted.terms.identity import ClientKind
from rum_twisted.terms.units import Seconds
from tests.support.plugins import (
    DEADLINE,
    ScriptedPlugin,
    add_plugin,
    make_front,
    make_host,
    make_manifest,
)

QUEUE = 10
RATE = 10.0  # acts in a second
QUESTION = LoggingOn("KLM1", "1000001", ClientKind.PILOT, 1, "Joe", "")
TEXT = Text("KLM1", "*", "hello")
LONGEST_PAUSE = 10.0  # seconds of a breaker, with jitter


class GuardTestCase(SynchronousTestCase):
    """A host with one scripted plugin."""

    @override
    def setUp(self) -> None:
        """Begin."""
        self.clock = Clock()
        self.host = make_host(self.clock, queue=QUEUE, actions=RATE)
        self.plugin = ScriptedPlugin()
        self.guard = add_plugin(
            self.host, self.plugin, make_manifest(Hook.LOGGING_ON, Hook.TEXT)
        )

    def ask(self) -> Verdict:
        """Return what the plugin answers, having waited for the deadline if need be."""
        answer = self.guard.ask(QUESTION)
        if not answer.called:
            self.clock.advance(DEADLINE)
        return self.successResultOf(answer)

    def fail_until_alone(self, answer: Any) -> None:
        """Have it fail until it is left alone."""
        self.plugin.answers[LoggingOn] = answer
        for _ in range(3):
            self.assertEqual(self.ask(), FAILED)
        self.assertEqual(self.guard.state, "open")

    def pass_time(self, seconds: float) -> None:
        """Have the host look after the plugin, as it does a few times a second."""
        self.clock.pump([0.25] * int(seconds * 4))


class AnswerTests(GuardTestCase):
    """Questions."""

    def test_answer_in_time(self) -> None:
        """It counts, whatever it is."""
        self.plugin.answers[LoggingOn] = Verdict(stops=True, text="no")
        self.assertEqual(self.ask(), Verdict(stops=True, text="no"))
        self.assertEqual(self.guard.counts.answered, 1)

    def test_budget_of_its_own(self) -> None:
        """The shorter of its budget and the network's deadline holds."""
        manifest = make_manifest(
            Hook.LOGGING_ON, name="quick", budget=Seconds(DEADLINE / 3)
        )
        plugin = ScriptedPlugin()
        plugin.answers[LoggingOn] = Deferred()
        answer = add_plugin(self.host, plugin, manifest).ask(QUESTION)
        self.clock.advance(DEADLINE / 3 - 0.001)
        self.assertNoResult(answer)
        self.clock.advance(0.002)
        self.assertEqual(self.successResultOf(answer), FAILED)

    def test_answer_that_is_none(self) -> None:
        """Something else than a Verdict is a failure."""
        self.plugin.answers[LoggingOn] = "yes"
        self.assertEqual(self.ask(), FAILED)
        self.assertEqual(self.guard.counts.failed, 1)

    def test_several_plugins(self) -> None:
        """They are asked at the same time; the first that stops decides."""
        other = ScriptedPlugin()
        add_plugin(self.host, other, make_manifest(Hook.LOGGING_ON, name="other"))
        slow: Deferred[Verdict] = Deferred()
        self.plugin.answers[LoggingOn] = slow
        other.answers[LoggingOn] = Verdict(stops=True, text="other")
        verdict = self.successResultOf(self.host.ask(QUESTION))
        self.assertEqual(verdict.text, "other")
        slow.callback(Verdict(stops=True, text="late"))

    def test_first_text_if_nobody_stops(self) -> None:
        """When all have answered, in the order in which they came."""
        other = ScriptedPlugin()
        add_plugin(self.host, other, make_manifest(Hook.LOGGING_ON, name="other"))
        self.plugin.answers[LoggingOn] = Verdict(text="first")
        other.answers[LoggingOn] = Verdict(text="second")
        verdict = self.successResultOf(self.host.ask(QUESTION))
        self.assertEqual(verdict, Verdict(text="first"))


class BreakerTests(GuardTestCase):
    """A plugin that fails is left alone."""

    def test_it_hangs(self) -> None:
        """After three answers that were late nobody waits for it any more.

        What had waited behind the first is withheld, and so is what comes now.
        """
        self.fail_until_alone(Deferred())
        began = self.clock.seconds()
        self.assertEqual(self.ask(), FAILED)
        self.assertEqual(self.clock.seconds(), began)
        self.assertEqual(self.guard.counts.late, 3)
        self.assertEqual(self.guard.counts.skipped, 3)

    def test_it_raises(self) -> None:
        """So it is after three exceptions; none of them is anybody's affair."""
        self.fail_until_alone(lambda _: 1 // 0)
        self.assertEqual(self.guard.counts.failed, 3)

    def test_nothing_is_built_for_it(self) -> None:
        """Servers are told that nobody waits for its hooks."""
        self.assertEqual(self.host.subscription.hooks, {Hook.LOGGING_ON, Hook.TEXT})
        self.fail_until_alone(lambda _: 1 // 0)
        self.assertEqual(self.host.subscription, Subscription())

    def test_it_is_well_again(self) -> None:
        """After its pause it is tried with one event, and is back if that goes well."""
        self.fail_until_alone(lambda _: 1 // 0)
        self.plugin.answers.clear()
        self.pass_time(LONGEST_PAUSE)
        self.assertTrue(self.host.subscription.hooks)
        self.assertEqual(self.guard.state, "probing")
        self.ask()
        self.assertEqual(self.guard.state, "closed")

    def test_it_is_still_bad(self) -> None:
        """One more failure is enough, and the pause is longer."""
        self.fail_until_alone(lambda _: 1 // 0)
        self.pass_time(LONGEST_PAUSE)
        self.ask()
        self.assertEqual(self.guard.state, "open")

    def test_stuck_at_what_asks_for_no_answer(self) -> None:
        """After some seconds that counts as a failure; once for one event."""
        self.plugin.answers[Text] = Deferred()
        self.guard.tell(TEXT)
        self.pass_time(STUCK_AFTER + 1)
        self.assertEqual(self.guard.counts.late, 1)
        self.pass_time(STUCK_AFTER + 1)
        self.assertEqual(self.guard.counts.late, 1)


class BoundTests(GuardTestCase):
    """What waits, and what it may do."""

    def test_inbox_at_its_bound(self) -> None:
        """So many events wait behind one that takes its time; more are dropped."""
        gate: Deferred[None] = Deferred()
        self.plugin.answers[Text] = gate
        self.guard.tell(TEXT)  # it is at this one
        for _ in range(QUEUE):
            self.guard.tell(TEXT)
        self.assertEqual(self.guard.counts.dropped, 0)
        self.assertEqual(self.guard.measure().count, QUEUE)
        self.guard.tell(TEXT)
        self.assertEqual(self.guard.counts.dropped, 1)
        gate.callback(None)
        self.assertEqual(len(self.plugin.told), QUEUE + 1)

    def test_acts_at_their_rate(self) -> None:
        """Twice a second's share at once, then as time passes; more is refused."""
        context = self.host.context("scripted")
        context.bind(self.guard)
        for _ in range(int(2 * RATE)):
            context.tell("KLM1", "x")
        self.assertEqual(self.guard.counts.refused, 0)
        context.tell("KLM1", "x")
        self.assertEqual(self.guard.counts.refused, 1)
        self.clock.advance(1 / RATE)
        context.tell("KLM1", "x")
        self.assertEqual(self.guard.counts.acted, int(2 * RATE) + 1)

    def test_nothing_after_its_end(self) -> None:
        """What it still wants is nothing, and what is asked is answered at once."""
        self.successResultOf(self.host.remove(self.guard))
        self.guard.act(Tell("KLM1", "x"))
        self.assertEqual(self.guard.counts.acted, 0)
        self.assertEqual(self.ask(), GO_ON)
        self.assertEqual(self.host.guards, ())


class LogTests(GuardTestCase):
    """One line, at once, and then one a minute."""

    def lines(self, events: list[Any]) -> list[str]:
        """Return the warnings about plugins."""
        return [
            formatEvent(event)
            for event in events
            if event["log_level"] is LogLevel.warn
        ]

    def test_one_line_at_once(self) -> None:
        """It tells what went wrong, how often, and the last reason."""
        with capturedLogs() as events:
            self.fail_until_alone(lambda _: 1 // 0)
            self.pass_time(0.5)
        (line,) = self.lines(list(events))
        self.assertIn("plugin scripted: 0 answers too late, 3 failures", line)
        self.assertIn("ZeroDivisionError", line)

    def test_not_more_than_one_a_minute(self) -> None:
        """However much goes wrong, the log does not fill."""
        self.plugin.answers[LoggingOn] = lambda _: 1 // 0
        with capturedLogs() as events:
            for _ in range(int(TELL_EVERY) * 2):
                self.ask()
                self.pass_time(1)
        self.assertIn(len(self.lines(list(events))), (2, 3))

    def test_nothing_wrong_is_no_line(self) -> None:
        """A plugin that works is not in the log."""
        with capturedLogs() as events:
            self.ask()
            self.pass_time(1)
        self.assertEqual(self.lines(list(events)), [])


class ContextTests(GuardTestCase):
    """What a plugin may do."""

    def context(self) -> PluginContext:
        """Return its way to the network."""
        context = self.host.context("scripted")
        context.bind(self.guard)
        return context

    def test_who_is_online(self) -> None:
        """As servers tell; those of a server that is gone are not."""
        coming = LoggedOn("KLM1", "1", ClientKind.PILOT, 1, "Joe", "", is_new=True)
        link = self.host.attend("a", make_front(self.clock))
        link.take([(0, coming)])
        self.assertEqual(self.context().online(), (coming,))
        link.close()
        self.assertEqual(self.context().online(), ())

    def test_waiting_in_the_reactor_is_refused(self) -> None:
        """A plain question for a report would wait for itself."""
        self.assertRaises(RuntimeError, self.context().find_metar, "EHAM")

    def test_a_report_without_a_server(self) -> None:
        """There is none."""
        self.assertIsNone(self.successResultOf(self.context().metar("EHAM")))
