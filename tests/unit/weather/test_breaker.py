"""When a failing source is asked, and when it is left alone."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.units import Seconds
from rum_twisted.weather.breaker import FIRST_PAUSE, Breaker


def make_breaker(failures: int = 3, longest: float = 900.0) -> Breaker:
    """Return a breaker whose pauses are as long as they can be."""
    return Breaker(failures=failures, longest=Seconds(longest), random=lambda: 0.0)


class BreakerTests(SynchronousTestCase):
    """Failures, pauses and trials; times are seconds."""

    def test_some_failures_are_borne(self) -> None:
        """A source that fails twice and answers then is asked on."""
        breaker = make_breaker()
        for _ in range(10):
            self.assertIsNone(breaker.fail(Seconds(0)))
            self.assertIsNone(breaker.fail(Seconds(0)))
            self.assertTrue(breaker.admits(Seconds(0)))
            self.assertFalse(breaker.succeed())

    def test_failures_in_a_row_begin_a_pause(self) -> None:
        """The third failure begins ten seconds in which nobody asks."""
        breaker = make_breaker()
        pauses = [breaker.fail(Seconds(0)) for _ in range(3)]
        self.assertEqual(pauses, [None, None, FIRST_PAUSE])
        self.assertFalse(breaker.admits(Seconds(9.9)))
        self.assertTrue(breaker.admits(Seconds(10)))

    def test_one_trial_at_a_time(self) -> None:
        """After the pause one request goes out, and the others wait for its end."""
        breaker = make_breaker(failures=1)
        breaker.fail(Seconds(0))
        self.assertTrue(breaker.admits(Seconds(10)))
        self.assertFalse(breaker.admits(Seconds(10)))
        breaker.give_up()
        self.assertTrue(breaker.admits(Seconds(10)))
        self.assertTrue(breaker.succeed())
        self.assertTrue(breaker.admits(Seconds(10)))
        self.assertTrue(breaker.admits(Seconds(10)))

    def test_pauses_double(self) -> None:
        """Each failed trial begins a pause twice as long, up to the longest."""
        breaker = make_breaker(failures=1, longest=60)
        now, pauses = Seconds(0), []
        for _ in range(5):
            pause = breaker.fail(now)
            assert pause is not None
            pauses.append(pause)
            now = Seconds(now + pause)
            self.assertTrue(breaker.admits(now))
        self.assertEqual(pauses, [10, 20, 40, 60, 60])

    def test_late_failures_do_not_lengthen_a_pause(self) -> None:
        """Requests that were under way when it began fail as well; once counts."""
        breaker = make_breaker(failures=1)
        breaker.fail(Seconds(0))
        for _ in range(5):
            self.assertIsNone(breaker.fail(Seconds(1)))
        self.assertTrue(breaker.admits(Seconds(10)))

    def test_pauses_are_spread(self) -> None:
        """Servers that failed at one moment do not come back at one moment."""
        breaker = Breaker(failures=1, longest=Seconds(900), random=lambda: 0.999)
        pause = breaker.fail(Seconds(0))
        assert pause is not None
        self.assertLess(pause, 0.76 * FIRST_PAUSE)

    @given(st.lists(st.sampled_from(["fail", "succeed", "give up", "wait"])))
    def test_source_is_never_given_up_for_ever(self, events: list[str]) -> None:
        """Whatever has happened, after the longest pause it is asked again."""
        breaker = make_breaker(failures=2, longest=100)
        now = 0.0
        for event in events:
            now += 30 if event == "wait" else 0
            if event == "wait" or not breaker.admits(Seconds(now)):
                continue
            if event == "fail":
                breaker.fail(Seconds(now))
            elif event == "succeed":
                breaker.succeed()
            else:
                breaker.give_up()
        self.assertTrue(breaker.admits(Seconds(now + 100)))

    def test_repr_tells_the_state(self) -> None:
        """An operator who looks at it sees whether it is open."""
        breaker = make_breaker(failures=1)
        self.assertIn("closed", repr(breaker))
        breaker.fail(Seconds(0))
        self.assertIn("open", repr(breaker))
