"""Finding a report in what a source answered."""

import json
from calendar import timegm

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.units import Seconds
from rum_twisted.weather.answers import (
    Unreadable,
    date_of,
    find_report,
    follow,
    made_at,
    tidy,
)
from rum_twisted.weather.report import LONGEST_REPORT
from tests.support.builders import NOON

EHAM = "EHAM 211155Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG"


class FindTests(SynchronousTestCase):
    """Text with a report somewhere in it."""

    def test_surroundings_do_not_matter(self) -> None:
        """Headings, types of report, other stations and end marks are passed over."""
        for text in (
            EHAM,
            EHAM + "\n",
            EHAM + "=",
            f"METAR {EHAM}=\r\n",
            f"SPECI {EHAM}",
            f"2026/11/21 11:55\n{EHAM}\n",
            f"EGLL 211150Z 27010KT CAVOK 10/08 Q1013\n{EHAM}\n",
            f"<pre>{EHAM}</pre>",
            f'{{"raw": "{EHAM}"}}',
            EHAM.replace(" BKN030", "\n     BKN030"),
            EHAM.replace(" BKN030", "\r\n\tBKN030"),
        ):
            self.assertEqual(find_report(text.encode(), b"EHAM"), EHAM, text)

    def test_correction_in_front_of_the_time(self) -> None:
        """Some stations write COR before the time."""
        text = EHAM.replace("EHAM ", "EHAM COR ")
        self.assertEqual(find_report(text.encode(), b"EHAM"), text)

    def test_nothing_is_an_answer(self) -> None:
        """An empty text, or NIL, says that there is no report."""
        for text in ("", " \r\n", "EHAM 211155Z NIL", "METAR EHAM 211155Z NIL="):
            self.assertIsNone(find_report(text.encode(), b"EHAM"), text)

    def test_other_texts_are_no_answer(self) -> None:
        """A page for people, another station's report, and three bytes are none."""
        for text in (
            "abc",
            "<html>EHAM is closed</html>",
            EHAM.replace("EHAM", "EHRD"),
            "XEHAM 211155Z 24012KT",
            "EHAM 999999Z 24012KT",
        ):
            with self.assertRaises(Unreadable, msg=text):
                find_report(text.encode(), b"EHAM")

    def test_message_shows_little(self) -> None:
        """The log gets the beginning of a text only."""
        with self.assertRaises(Unreadable) as caught:
            find_report(b"x" * 10_000, b"EHAM")
        self.assertLess(len(str(caught.exception)), 120)

    @given(st.binary(max_size=300))
    def test_any_bytes_are_an_answer_or_none(self, data: bytes) -> None:
        """Whatever comes, what is found is one line of printable ASCII."""
        try:
            found = find_report(data + b"\nEHAM 211155Z " + data, b"EHAM")
        except Unreadable:
            return
        if found is not None:
            self.assertTrue(found.isascii() and found.isprintable())


class FollowTests(SynchronousTestCase):
    """JSON with a report somewhere in it."""

    def test_paths_lead_through_lists_and_objects(self) -> None:
        """Numbers are places in lists, other words are keys; a station may be one."""
        for value, path in (
            ([{"rawOb": EHAM}], "0.rawOb"),
            ({"data": [{"x": 1}, {"raw": EHAM}]}, "data.1.raw"),
            ({"EHAM": EHAM}, "{station}"),
            ({"0": EHAM}, "0"),
        ):
            body = json.dumps(value).encode()
            self.assertEqual(follow(body, path.split("."), b"EHAM"), EHAM, path)

    def test_nothing_is_an_answer(self) -> None:
        """An empty list, null, or an empty text says that there is no report."""
        for body in (
            b"",
            b"[]",
            b"{}",
            b"null",
            b'[{"rawOb": null}]',
            b'[{"rawOb":""}]',
        ):
            self.assertIsNone(follow(body, ("0", "rawOb"), b"EHAM"), body)

    def test_other_shapes_are_no_answer(self) -> None:
        """A format that has changed is a failure of the source."""
        for body in (
            b"<html>",
            b'{"reports": [1]}',
            b"[1]",
            b'[{"raw": "x"}]',
            b'[{"rawOb": 5}]',
            b'[{"rawOb": "abc"}]',
            b"[" * 100_000,
            b'"text"',
            b"\xff\xfe",
        ):
            with self.assertRaises(Unreadable, msg=body[:20]):
                follow(body, ("0", "rawOb"), b"EHAM")


class TidyTests(SynchronousTestCase):
    """What is kept of a report."""

    def test_one_line_of_ascii(self) -> None:
        """No byte of a source may break a packet."""
        self.assertEqual(tidy(b"EHAM\t211155Z\r\n  A=\x00\xff:"), "EHAM 211155Z A ??:")

    def test_length_is_bounded(self) -> None:
        """No report is longer than an answer can be."""
        self.assertEqual(len(tidy(b"X" * 5000)), LONGEST_REPORT)


class MadeAtTests(SynchronousTestCase):
    """When a report was made; it tells day, hour and minute only."""

    def made(self, time: str, now: float = NOON) -> float | None:
        """Return when a report with this time was made."""
        return made_at(f"EHAM {time} 24012KT", Seconds(now))

    def test_last_such_day_counts(self) -> None:
        """Five minutes ago, an hour ago, last month."""
        self.assertEqual(self.made("211155Z"), NOON - 300)
        self.assertEqual(self.made("201200Z"), NOON - 86400)
        self.assertEqual(self.made("221500Z"), timegm((2026, 10, 22, 15, 0, 0)))

    def test_station_may_be_ahead(self) -> None:
        """A station's clock that is fast makes no report a month old."""
        self.assertEqual(self.made("211210Z"), NOON + 600)

    def test_months_without_that_day(self) -> None:
        """In March a report of the 31st is of January, not of February."""
        march = timegm((2026, 3, 1, 12, 0, 0))
        self.assertEqual(self.made("310000Z", march), timegm((2026, 1, 31, 0, 0, 0)))
        january = timegm((2026, 1, 1, 0, 5, 0))
        self.assertEqual(
            self.made("312350Z", january), timegm((2025, 12, 31, 23, 50, 0))
        )

    def test_date_above_tells_the_year(self) -> None:
        """A report of 2012 is one, however its day may look."""
        dated = Seconds(timegm((2012, 5, 21, 12, 0, 0)))
        self.assertEqual(made_at(EHAM, NOON, dated), dated - 300)

    def test_times_that_do_not_exist(self) -> None:
        """There is no day 0 or 32, and no hour 24."""
        for time in ("001200Z", "321200Z", "212400Z", "211160Z", "2112Z", "x", ""):
            self.assertIsNone(self.made(time), time)

    def test_dates_of_files(self) -> None:
        """The lines above the reports of some sources are understood."""
        self.assertEqual(date_of(b"2026/11/21 12:00"), NOON)
        self.assertEqual(date_of(b"  2026/11/21 12:00 \r"), NOON)
        for month in (b"00", b"13", b"19"):
            self.assertIsNone(date_of(b"2026/%s/21 12:00" % month))
        for line in (b"", b"2026-11-21 12:00", b"2026/11/21", b"x2026/11/21 12:00"):
            self.assertIsNone(date_of(line), line)
