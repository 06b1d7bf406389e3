"""Counts by buckets."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.histogram import SECONDS, Histogram


class HistogramTests(SynchronousTestCase):
    """What is counted where."""

    def test_limits(self) -> None:
        """A limit belongs to its own bucket; what is above them all has one, too."""
        histogram = Histogram((1.0, 2.0))
        for value in (0.0, 1.0, 1.5, 2.0, 2.1, 100.0):
            histogram.observe(value)
        self.assertEqual(histogram.buckets, [2, 2, 2])
        self.assertEqual(histogram.count, 6)
        self.assertAlmostEqual(histogram.sum, 106.6)
        self.assertEqual(repr(histogram), "<Histogram: 6 counted>")

    def test_from_half_a_millisecond_to_ten_seconds(self) -> None:
        """Waits of lines lie in between; the limits ascend."""
        self.assertEqual((SECONDS[0], SECONDS[-1]), (0.0005, 10.0))
        self.assertEqual(sorted(set(SECONDS)), list(SECONDS))

    def test_none_at_a_time(self) -> None:
        """Nothing is counted."""
        histogram = Histogram()
        histogram.observe_since([], 1.0)
        self.assertEqual((histogram.count, histogram.sum), (0, 0.0))

    @given(
        times=st.lists(st.integers(0, 2000), max_size=30).map(sorted),
        later=st.integers(0, 2000),
    )
    @settings(derandomize=True, deadline=None, database=None)
    def test_many_at_a_time(self, times: list[int], later: int) -> None:
        """It is the same as one after the other."""
        now = (max(times, default=0) + later) / 100
        one, many = Histogram(), Histogram()
        moments = [time / 100 for time in times]
        for moment in moments:
            one.observe(now - moment)
        many.observe_since(moments, now)
        self.assertEqual(many.buckets, one.buckets)
        self.assertAlmostEqual(many.sum, one.sum)
