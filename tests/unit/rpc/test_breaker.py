"""An instance that fails is left alone; and second attempts have a budget."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.rpc.breaker import (
    FAILURES_IN_A_ROW,
    FEWEST_CALLS,
    LONGEST_PAUSE,
    WINDOW,
    Breaker,
    BreakerState,
)
from rum_twisted.rpc.budget import FULL_PURSE, RetryBudget
from rum_twisted.terms.units import Seconds
from tests.support.fabric import chance


class BreakerTests(SynchronousTestCase):
    """The circuit breaker of one instance."""

    @override
    def setUp(self) -> None:
        """Make a closed breaker and a clock."""
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.breaker = Breaker(chance(1))

    @property
    def now(self) -> Seconds:
        """What the clock says."""
        return Seconds(self.clock.seconds())

    def let_fail(self, times: int = 1) -> None:
        """Let that many calls fail."""
        for _ in range(times):
            self.breaker.fail(self.now)

    def open(self) -> None:
        """Make it open."""
        self.let_fail(FAILURES_IN_A_ROW)
        self.assertIs(self.breaker.state, BreakerState.OPEN)

    def pause(self) -> float:
        """Return how long it takes until a call is let through, in seconds."""
        began = self.now
        for _ in range(1000):
            if self.breaker.admits(self.now):
                return self.now - began
            self.clock.advance(0.05)
        raise AssertionError("never")

    def test_few_failures_are_forgiven(self) -> None:
        """One fewer than the bound, and an answer, and all is forgotten."""
        for _ in range(5):
            self.let_fail(FAILURES_IN_A_ROW - 1)
            self.assertTrue(self.breaker.admits(self.now))
            self.breaker.succeed()
        self.assertIs(self.breaker.state, BreakerState.CLOSED)

    def test_failures_in_a_row_open_it(self) -> None:
        """Then the instance is not asked."""
        self.let_fail(FAILURES_IN_A_ROW - 1)
        self.assertTrue(self.breaker.fail(self.now))
        self.assertFalse(self.breaker.admits(self.now))

    def test_failing_half_of_the_time_opens_it(self) -> None:
        """Even if no failure follows another; a few calls do not tell yet."""
        for number in range(FEWEST_CALLS // 2):
            self.assertIs(self.breaker.state, BreakerState.CLOSED, number)
            self.breaker.succeed()
            self.let_fail()
        self.breaker.succeed()
        self.let_fail()
        self.assertIs(self.breaker.state, BreakerState.OPEN)

    def test_old_failures_are_forgotten(self) -> None:
        """Failures that are spread over a long time open nothing."""
        for _ in range(10 * FEWEST_CALLS):
            self.breaker.succeed()
            self.let_fail()
            self.clock.advance(WINDOW / 4)
        self.assertIs(self.breaker.state, BreakerState.CLOSED)

    def test_one_call_is_let_through_after_a_pause(self) -> None:
        """One, not all: whoever comes while it is under way is sent elsewhere."""
        self.open()
        self.assertGreater(self.pause(), 0.3)
        self.breaker.begin()
        self.assertIs(self.breaker.state, BreakerState.PROBING)
        self.assertFalse(self.breaker.admits(self.now))

    def test_answer_closes_it(self) -> None:
        """The instance is back, and gets its share at once."""
        self.open()
        self.pause()
        self.breaker.begin()
        self.assertTrue(self.breaker.succeed())
        self.assertTrue(self.breaker.admits(self.now))
        self.let_fail()
        self.assertIs(self.breaker.state, BreakerState.CLOSED)

    def test_pauses_grow_up_to_a_bound(self) -> None:
        """Each failed probe doubles the pause, and the last ones are all alike."""
        self.open()
        pauses = []
        for _ in range(8):
            pauses.append(self.pause())
            self.breaker.begin()
            self.let_fail()
        self.assertLess(pauses[0], 0.7)
        self.assertGreater(pauses[1], pauses[0])
        self.assertLess(max(pauses), LONGEST_PAUSE * 1.26 + 0.05)
        self.assertGreater(min(pauses[-3:]), LONGEST_PAUSE * 0.74)

    def test_pause_begins_anew_after_an_answer(self) -> None:
        """An instance that was back for a while is tried soon again."""
        self.open()
        for _ in range(5):
            self.pause()
            self.breaker.begin()
            self.let_fail()
        self.pause()
        self.breaker.begin()
        self.breaker.succeed()
        self.open()
        self.assertLess(self.pause(), 0.7)

    def test_call_that_was_given_up_says_nothing(self) -> None:
        """The next one is let through in its place."""
        self.open()
        self.pause()
        self.breaker.begin()
        self.breaker.give_up()
        self.assertTrue(self.breaker.admits(self.now))
        self.assertIs(self.breaker.state, BreakerState.OPEN)

    def test_late_failures_make_no_pause_longer(self) -> None:
        """Sixty calls that were under way when it opened fail too."""
        self.open()
        self.clock.advance(0.1)
        self.let_fail(60)
        self.assertLess(self.pause(), 0.7)

    def test_clock_put_back_leaves_nobody_alone_for_long(self) -> None:
        """When the time is set right, no instance waits for the old one to come."""
        self.open()
        self.assertTrue(self.breaker.admits(Seconds(self.now - 3600)))

    def test_pauses_are_spread(self) -> None:
        """Many callers do not come back at the same moment."""
        pauses = set()
        for seed in range(10):
            self.breaker = Breaker(chance(seed))
            self.open()
            pauses.add(round(self.pause(), 2))
        self.assertGreater(len(pauses), 2)


class RetryBudgetTests(SynchronousTestCase):
    """Second attempts are paid for."""

    @override
    def setUp(self) -> None:
        """Make a budget of a tenth of the calls, with nothing left in it."""
        self.budget = RetryBudget(0.1)
        self.now = Seconds(1000.0)
        self.assertTrue(self.budget.withdraw(self.now))
        while self.budget.withdraw(self.now):
            pass

    def test_calls_under_way_can_be_repeated_at_first(self) -> None:
        """When an instance dies with many calls under way, all are repeated."""
        budget = RetryBudget(0.1)
        paid = sum(budget.withdraw(self.now) for _ in range(1000))
        self.assertEqual(paid, FULL_PURSE)

    def test_a_tenth_may_be_repeated(self) -> None:
        """When every call fails, 1,000 calls are 1,100 attempts and no more."""
        paid = 0
        for _ in range(1000):
            self.budget.deposit()
            paid += self.budget.withdraw(self.now)
        self.assertApproximates(paid, 100, 1)
        self.assertApproximates(self.budget.refused, 901, 1)

    def test_purse_is_never_fuller_than_full(self) -> None:
        """A long quiet time does not pay for a storm."""
        for _ in range(100_000):
            self.budget.deposit()
        later = Seconds(self.now + 86_400)
        paid = sum(self.budget.withdraw(later) for _ in range(1000))
        self.assertEqual(paid, FULL_PURSE)

    def test_time_pays_a_little(self) -> None:
        """A service that is called once a minute may be called twice."""
        self.assertFalse(self.budget.withdraw(self.now))
        self.assertTrue(self.budget.withdraw(Seconds(self.now + 1.0)))
        self.assertFalse(self.budget.withdraw(Seconds(self.now + 1.0)))

    def test_clock_put_back_takes_nothing(self) -> None:
        """A time before the last one is as no time."""
        self.assertFalse(self.budget.withdraw(Seconds(self.now - 100)))
        self.assertTrue(self.budget.withdraw(Seconds(self.now - 99)))

    def test_no_ratio_is_no_retry_but_those_of_time(self) -> None:
        """With a ratio of 0, calls add nothing."""
        budget = RetryBudget(0.0)
        while budget.withdraw(self.now):
            pass
        for _ in range(1000):
            budget.deposit()
        self.assertFalse(budget.withdraw(self.now))
