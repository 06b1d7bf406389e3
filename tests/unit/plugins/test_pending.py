"""Questions that wait for an answer."""

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.plugins.pending import Pending
from rum_twisted.session.hooks import GO_ON, Verdict
from rum_twisted.terms.units import Seconds

STOPS = Verdict(stops=True)
WITHIN = Seconds(0.1)


class PendingTests(SynchronousTestCase):
    """Whoever asks goes on, whatever becomes of his question."""

    @override
    def setUp(self) -> None:
        self.clock = Clock()
        self.late: list[int] = []
        self.withdrawn = 0
        self.pending = Pending(self.clock, self.withdraw)

    def withdraw(self, number: int) -> None:
        """Count one that nobody waits for any more."""
        self.withdrawn += 1

    def be_late(self, number: int) -> None:
        """Note it, and let him go on."""
        self.late.append(number)
        self.pending.settle(number)

    def test_an_answer_comes_once(self) -> None:
        """A second one, and one to a question that was never asked, are nothing."""
        number, answer = self.pending.add(WITHIN, self.be_late)
        self.assertTrue(self.pending.settle(number, STOPS))
        self.assertEqual(self.successResultOf(answer), STOPS)
        self.assertFalse(self.pending.settle(number, GO_ON))
        self.assertFalse(self.pending.settle(number + 1, GO_ON))
        self.clock.advance(WITHIN)
        self.assertEqual(self.late, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_time_is_over(self) -> None:
        """At the bound, and not before it."""
        number, answer = self.pending.add(WITHIN, self.be_late)
        self.clock.advance(WITHIN - 0.001)
        self.assertNoResult(answer)
        self.clock.advance(0.001)
        self.assertEqual(self.successResultOf(answer), GO_ON)
        self.assertEqual(self.late, [number])
        self.assertEqual(len(self.pending), 0)

    def test_who_asked_is_gone(self) -> None:
        """Nobody is late then, and no timer is left."""
        number, answer = self.pending.add(WITHIN, self.be_late)
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual(self.withdrawn, 1)
        self.assertFalse(self.pending.settle(number, STOPS))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_all_go_on(self) -> None:
        """Those who ask again because of that wait anew."""
        _, first = self.pending.add(WITHIN, self.be_late)
        _, second = self.pending.add(WITHIN, self.be_late)
        first.addCallback(lambda _: self.pending.add(WITHIN, self.be_late))
        self.pending.settle_all()
        self.assertEqual(self.successResultOf(second), GO_ON)
        self.assertEqual(len(self.pending), 1)
        self.assertEqual(self.withdrawn, 0)
