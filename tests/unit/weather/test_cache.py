"""What is kept of each station's report, and for how long."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.units import Seconds
from rum_twisted.weather.cache import ENTRY_COST, MOST_MISSING, Report, ReportCache
from tests.support.builders import NOON


def report(text: str = "EHAM", made: float = 0.0, checked: float = 0.0) -> Report:
    """Return a report; times are seconds from noon on."""
    return Report(
        text=text, made_at=Seconds(NOON + made), checked_at=Seconds(NOON + checked)
    )


def at(seconds: float) -> Seconds:
    """Return a time, in seconds from noon on."""
    return Seconds(NOON + seconds)


class CacheTests(SynchronousTestCase):
    """Reports go in and come out."""

    def make(self, most: int = 100, largest: int = 100_000) -> ReportCache:
        """Return an empty cache."""
        return ReportCache(most=most, largest=largest)

    def test_report_comes_out_as_it_went_in(self) -> None:
        """Its text and both its times are kept."""
        cache = self.make()
        self.assertIsNone(cache.get(b"EHAM"))
        self.assertTrue(cache.store(b"EHAM", report("EHAM x", 60, 120)))
        self.assertEqual(cache.get(b"EHAM"), report("EHAM x", 60, 120))
        self.assertIsNone(cache.get(b"EHRD"))

    def test_later_report_replaces_an_earlier_one(self) -> None:
        """The other way round nothing changes; of the same minute the last counts."""
        cache = self.make()
        cache.store(b"EHAM", report("first", 60))
        self.assertFalse(cache.store(b"EHAM", report("before", 0)))
        self.assertEqual(cache.get(b"EHAM"), report("first", 60))
        self.assertTrue(cache.store(b"EHAM", report("corrected", 60)))
        self.assertEqual(cache.get(b"EHAM"), report("corrected", 60))
        self.assertEqual(len(cache), 1)

    def test_confirmed_report_is_checked_again(self) -> None:
        """A report that is still the newest keeps its age and is no more due."""
        cache = self.make()
        cache.store(b"EHAM", report("x", 60, 60))
        self.assertTrue(cache.confirm(b"EHAM", at(500)))
        self.assertEqual(cache.get(b"EHAM"), report("x", 60, 500))
        self.assertFalse(cache.confirm(b"EHRD", at(500)))

    def test_count_is_bounded(self) -> None:
        """What was asked for the longest time ago goes first."""
        cache = self.make(most=2)
        cache.store(b"AAAA", report())
        cache.store(b"BBBB", report())
        cache.get(b"AAAA")
        cache.store(b"CCCC", report())
        self.assertIsNone(cache.get(b"BBBB"))
        self.assertIsNotNone(cache.get(b"AAAA"))
        self.assertIsNotNone(cache.get(b"CCCC"))

    def test_bytes_are_bounded(self) -> None:
        """Long reports push others out; one that is too long is not kept itself."""
        cache = self.make(largest=2 * (ENTRY_COST + 8 + 100))
        for name in (b"AAAA", b"BBBB", b"CCCC"):
            cache.store(name, report("x" * 100))
        self.assertEqual(len(cache), 2)
        self.assertFalse(cache.store(b"DDDD", report("x" * 5000)))
        self.assertEqual((len(cache), cache.cost), (0, 0))

    def test_old_reports_are_forgotten(self) -> None:
        """Those that were made before a time go."""
        cache = self.make()
        cache.store(b"AAAA", report(made=0))
        cache.store(b"BBBB", report(made=60))
        cache.drop_older(at(30))
        self.assertIsNone(cache.get(b"AAAA"))
        self.assertIsNotNone(cache.get(b"BBBB"))

    def test_missing_stations_are_remembered(self) -> None:
        """Until there is a report; and whoever asks for any names costs no memory."""
        cache = self.make()
        cache.miss(b"EHAM", at(10))
        self.assertEqual(cache.missed_at(b"EHAM"), at(10))
        cache.store(b"EHAM", report())
        self.assertIsNone(cache.missed_at(b"EHAM"))
        for number in range(MOST_MISSING + 1):
            cache.miss(number.to_bytes(4, "big"), at(number))
        self.assertIsNone(cache.missed_at(bytes(4)))
        self.assertIsNotNone(cache.missed_at((1).to_bytes(4, "big")))

    def test_shrinking(self) -> None:
        """Half goes, the least asked for first, and what stations have none."""
        cache = self.make()
        for station in (b"AAAA", b"BBBB", b"CCCC", b"DDDD"):
            cache.store(station, report())
        cache.get(b"AAAA")
        cache.miss(b"EEEE", at(0))
        before = cache.measure().bytes
        freed = cache.shrink()
        self.assertEqual(freed, before - cache.measure().bytes)
        self.assertGreater(freed, 0)
        self.assertIsNone(cache.missed_at(b"EEEE"))
        kept = [s for s in (b"AAAA", b"BBBB", b"CCCC", b"DDDD") if cache.get(s)]
        self.assertEqual(kept, [b"AAAA", b"DDDD"])

    def test_ages_are_told(self) -> None:
        """An operator sees how old the reports are."""
        cache = self.make()
        cache.store(b"AAAA", report(made=0))
        cache.store(b"BBBB", report(made=60))
        self.assertEqual(sorted(cache.ages(at(100))), [40, 100])

    @given(
        st.lists(
            st.tuples(
                st.sampled_from([b"AAAA", b"BBBB", b"CCCC", b"DDDD"]),
                st.integers(0, 300),
                st.integers(0, 5),
            )
        )
    )
    def test_bounds_hold_whatever_is_stored(
        self, stores: list[tuple[bytes, int, int]]
    ) -> None:
        """Count and cost stay within their bounds, and the cost is that of what is."""
        cache = self.make(most=3, largest=800)
        for name, length, made in stores:
            cache.store(name, report("x" * length, made))
            kept = [
                it
                for it in map(cache.get, (b"AAAA", b"BBBB", b"CCCC", b"DDDD"))
                if it is not None
            ]
            self.assertEqual(len(cache), len(kept))
            self.assertLessEqual(len(cache), 3)
            self.assertLessEqual(cache.cost, 800)
            cost = sum(len(it.text) + 8 + ENTRY_COST for it in kept)
            self.assertEqual(cache.cost, cost)
