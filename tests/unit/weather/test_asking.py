"""Asking several sources for one thing."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.terms.units import Seconds
from rum_twisted.weather.asking import first_find


class FirstFindTests(SynchronousTestCase):
    """Three sources, and a second until the next one is asked."""

    @override
    def setUp(self) -> None:
        """Make a clock and note who is asked."""
        self.clock = Clock()
        self.asked: list[Deferred[str | None]] = []
        self.given_up: list[int] = []

    def ask(self) -> Deferred[str | None]:
        """Stand for one source."""
        number = len(self.asked)
        asked: Deferred[str | None] = Deferred(lambda _: self.given_up.append(number))
        self.asked.append(asked)
        return asked

    def begin(self, count: int = 3, next_after: float = 1.0) -> Deferred[str | None]:
        """Ask ``count`` sources."""
        asks = [self.ask] * count
        return first_find(asks, Seconds(next_after), self.clock)

    def assert_over(self) -> None:
        """Assert that no timer is left."""
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_first_answer_is_enough(self) -> None:
        """The others are not asked at all."""
        found = self.begin()
        self.asked[0].callback("a")
        self.assertEqual(self.successResultOf(found), "a")
        self.assertEqual(len(self.asked), 1)
        self.assert_over()

    def test_failure_and_nothing_hand_over_at_once(self) -> None:
        """Whoever has nothing costs no time."""
        found = self.begin()
        self.asked[0].errback(ValueError("no"))
        self.asked[1].callback(None)
        self.asked[2].callback("c")
        self.assertEqual(self.successResultOf(found), "c")
        self.assert_over()

    def test_slow_one_is_waited_for_besides_the_next(self) -> None:
        """The first may still win after the second was asked."""
        found = self.begin()
        self.clock.advance(1)
        self.assertEqual(len(self.asked), 2)
        self.asked[0].callback("a")
        self.assertEqual(self.successResultOf(found), "a")
        self.assertEqual(self.given_up, [1])
        self.assert_over()

    def test_all_at_once(self) -> None:
        """With no time between them it is a race."""
        found = self.begin(next_after=0)
        self.clock.pump([0, 0, 0])
        self.assertEqual(len(self.asked), 3)
        self.asked[2].callback("c")
        self.assertEqual(self.successResultOf(found), "c")
        self.assertEqual(sorted(self.given_up), [0, 1])

    def test_nobody_has_it(self) -> None:
        """When all have answered without a find, there is none."""
        found = self.begin()
        self.clock.pump([1, 1, 1])
        for asked in self.asked:
            self.assertNoResult(found)
            asked.callback(None)
        self.assertIsNone(self.successResultOf(found))
        self.assert_over()

    def test_nobody_to_ask(self) -> None:
        """Without sources there is nothing to wait for."""
        self.assertIsNone(self.successResultOf(self.begin(count=0)))
        self.assert_over()

    def test_those_who_answer_at_once(self) -> None:
        """Sources that need no time at all work as well."""
        asks = [lambda: self.done(None), lambda: self.done("b"), self.ask]
        found = first_find(asks, Seconds(1), self.clock)
        self.assertEqual(self.successResultOf(found), "b")
        self.assertEqual(self.asked, [])
        self.assert_over()

    def done(self, answer: str | None) -> Deferred[str | None]:
        """Return an answer that is there."""
        done: Deferred[str | None] = Deferred()
        done.callback(answer)
        return done

    def test_cancelling_gives_all_up(self) -> None:
        """Nobody is asked any more, and no timer is left."""
        found = self.begin()
        self.clock.advance(1)
        found.cancel()
        self.failureResultOf(found, CancelledError)
        self.assertEqual(sorted(self.given_up), [0, 1])
        self.clock.advance(10)
        self.assertEqual(len(self.asked), 2)
        self.assert_over()
