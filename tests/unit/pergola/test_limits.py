"""How the input of a client is measured."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.pergola.limits import Traffic

LIMIT = 100_000  # bytes/s
START = 1000.0


class FloodTests(SynchronousTestCase):
    """A flood is one that goes on; see "Limits" in docs/protocol.md."""

    def seconds_until_flood(self, rate: int, *, longest: int = 3600) -> int | None:
        """Send ``rate`` bytes each second; return when that counts as a flood."""
        traffic = Traffic(START)
        for second in range(1, longest + 1):
            traffic.count(rate)
            if traffic.is_flooding(START + second, LIMIT):
                return second
        return None

    def test_up_to_the_limit(self) -> None:
        """Who keeps to it may go on for ever."""
        self.assertIsNone(self.seconds_until_flood(LIMIT))

    def test_above_the_limit(self) -> None:
        """Twice the rate is noticed after about 300 s · ln 2."""
        seconds = self.seconds_until_flood(2 * LIMIT)
        self.assertIn(seconds, range(202, 215))

    def test_a_gigabit(self) -> None:
        """A real flood is over with the first samples."""
        self.assertEqual(self.seconds_until_flood(125_000_000), 3)

    def test_a_burst_is_none(self) -> None:
        """Five megabytes at once, after a logon, are forgiven."""
        traffic = Traffic(START)
        traffic.count(5_000_000)
        for second in range(1, 100):
            self.assertFalse(traffic.is_flooding(START + second, LIMIT))

    def test_between_two_samples_nothing_changes(self) -> None:
        """The rate is measured every three seconds."""
        traffic = Traffic(START)
        traffic.count(10**9)
        self.assertFalse(traffic.is_flooding(START + 2.9, LIMIT))
        self.assertTrue(traffic.is_flooding(START + 3.0, LIMIT))

    def test_after_a_long_silence_of_the_sweep(self) -> None:
        """A sample never weighs more than all that was before."""
        traffic = Traffic(START)
        traffic.count(600 * LIMIT)
        self.assertFalse(traffic.is_flooding(START + 600.0, LIMIT))
        traffic.count(601 * LIMIT)
        self.assertTrue(traffic.is_flooding(START + 1200.0, LIMIT))

    def test_a_flood_is_forgotten(self) -> None:
        """A sender who comes to his senses is one no longer."""
        traffic = Traffic(START)
        traffic.count(120 * LIMIT * 3)
        self.assertTrue(traffic.is_flooding(START + 3.0, LIMIT))
        self.assertFalse(traffic.is_flooding(START + 103.0, LIMIT))

    @given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(3.0, 290.0))))
    @settings(derandomize=True, deadline=None, database=None)
    def test_the_classic_formula(self, samples: list[tuple[int, float]]) -> None:
        """A sample over n seconds weighs n/300, what was before weighs the rest."""
        traffic = Traffic(0.0)
        now, rate = 0.0, 0.0
        for size, seconds in samples:
            traffic.count(size)
            begin, now = now, now + seconds
            weight = (now - begin) / 300
            rate = rate * (1 - weight) + size / (now - begin) * weight
            for limit in (int(rate * 0.999) - 1, int(rate * 1.001) + 1):
                self.assertEqual(traffic.is_flooding(now, limit), rate > limit)


class ActivityTests(SynchronousTestCase):
    """When a client last said something."""

    def test_a_new_connection(self) -> None:
        """It counts from its begin."""
        traffic = Traffic(START)
        self.assertEqual((traffic.begun_at, traffic.last_line_at), (START, START))
