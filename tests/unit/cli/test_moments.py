"""Spans and dates as an operator types them."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.cli.moments import UnfitMoment, after, point
from rum_twisted.terms.units import Seconds

NOW = Seconds(1_780_000_000.0)  # 2026-05-28 20:26:40 UTC


class MomentTests(SynchronousTestCase):
    """When a suspension ends."""

    def test_spans_begin_now(self) -> None:
        """Minutes, hours, days and weeks."""
        for text, seconds in (("90m", 5400), ("12h", 43200), ("7d", 604800)):
            self.assertEqual(after(text, NOW), NOW + seconds)
        self.assertEqual(after("2w", NOW), after("14d", NOW))

    def test_what_is_no_span_is_refused(self) -> None:
        """A bare number could be minutes or days."""
        for text in (
            "",
            "7",
            "d",
            "0d",
            "-1d",
            "1.5h",
            "7 d",
            "7y",
            "100000d",
            "\u0667d",
        ):
            with self.assertRaisesRegex(UnfitMoment, "due a span such as 90m"):
                after(text, NOW)

    def test_dates_are_utc_unless_they_say_otherwise(self) -> None:
        """A date is its first moment."""
        self.assertEqual(point("2026-05-29", NOW), NOW + 12800)
        self.assertEqual(point("2026-05-29T08:00+08:00", NOW), NOW + 12800)

    def test_a_date_that_has_passed_is_refused(self) -> None:
        """Such a suspension would be none."""
        with self.assertRaisesRegex(UnfitMoment, "has passed"):
            point("2026-05-28", NOW)

    def test_what_is_no_date_is_refused(self) -> None:
        """With an example of one."""
        for text in (
            "",
            "tomorrow",
            "28.05.2026",
            "2026-13-01",
            "9999-12-31T23:59-12:00",  # the year 10000 in UTC
        ):
            with self.assertRaisesRegex(UnfitMoment, "due a date such as"):
                point(text, NOW)
