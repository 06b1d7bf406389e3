"""What is a report in a file of reports, and what is not."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.weather.report import (
    decode_if_any,
    join_report,
    station_key,
    station_of,
)
from rum_twisted.world.metar import decode

LINE = b"EHAM 101225Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG=\r\n"


class StationKeyTests(SynchronousTestCase):
    """How a station is asked for."""

    def test_first_four_characters_count_in_any_case(self) -> None:
        """What stands after the fourth character does not matter."""
        for typed in ("EHAM", "eham", "EhAmSterdam", "EHAM:"):
            self.assertEqual(station_key(typed), b"EHAM", typed)

    def test_nothing_else_is_changed(self) -> None:
        """Blanks and other bytes stay; a short name stays short."""
        for typed, key in (("", b""), (" EHAM", b" EHA"), ("EHA", b"EHA")):
            self.assertEqual(station_key(typed), key)
        self.assertEqual(station_key("\xe4\xdf\xff\xb5"), b"\xe4\xdf\xff\xb5")

    def test_characters_beyond_bytes_are_no_station(self) -> None:
        """Text that cannot have come over the line is not found, and no error."""
        self.assertEqual(station_key("\u4e2d\u6587\u4e2d\u6587"), b"????")


class StationOfTests(SynchronousTestCase):
    """Which lines begin a report."""

    def test_station_is_the_first_word_of_four_letters(self) -> None:
        """The station stands first, or second after METAR."""
        self.assertEqual(station_of(LINE), b"EHAM")
        self.assertEqual(station_of(b"METAR " + LINE), b"EHAM")
        self.assertEqual(station_of(b"SPECI " + LINE.lower()), b"EHAM")

    def test_line_without_station_is_no_report(self) -> None:
        """Where neither word has four letters, nothing is begun."""
        self.assertIsNone(station_of(b"METAR COR " + LINE))
        self.assertIsNone(station_of(b"2026/11/10 12:25 and a heading beside it\n"))

    def test_short_line_is_no_report(self) -> None:
        """Below 30 characters, the line end counted, stands no report."""
        line = b"EHAM 101225Z 24012KT CAVOK=  "
        self.assertEqual(station_of(line + b"\n"), b"EHAM")
        self.assertIsNone(station_of(line[:-1] + b"\n"))
        self.assertIsNone(station_of(b"EHAM 101225Z NIL=\n"))
        self.assertIsNone(station_of(b""))

    def test_two_words_are_no_report(self) -> None:
        """A report has at least three words."""
        self.assertIsNone(station_of(b"EHAM 101225Z" + 30 * b" " + b"\n"))
        self.assertIsNone(station_of(40 * b"X"))
        self.assertEqual(station_of(b"EHAM 101225Z" + 30 * b" " + b"X"), b"EHAM")

    def test_continuation_is_no_report(self) -> None:
        """Five blanks go on with the report above; four do not."""
        self.assertIsNone(station_of(b"     " + LINE))
        self.assertEqual(station_of(b"    " + LINE), b"EHAM")


class JoinReportTests(SynchronousTestCase):
    """A report as it is answered."""

    def test_line_end_and_end_mark_are_stripped(self) -> None:
        """Whatever ends the line is no part of the report."""
        report = LINE.rstrip(b"=\r\n")
        for end in (b"", b"\n", b"\r\n", b"=\n", b"==\r\n", b" =\n", b"= \r\n"):
            self.assertEqual(join_report(report + end), report.decode())

    def test_continuation_is_appended_with_one_blank(self) -> None:
        """Lines that begin with five blanks or more belong to the report."""
        text = b"EHAM 101225Z=\n     TEMPO TSRA\r\n        RMK AO2=\nEHRD 1\n"
        self.assertEqual(join_report(text), "EHAM 101225Z TEMPO TSRA RMK AO2")

    def test_report_ends_at_the_next_line(self) -> None:
        """Another station, an empty line and four blanks end the report."""
        for other in (b"EHRD 101225Z", b"", b"    RMK"):
            text = b"EHAM 101225Z\n" + other + b"\n     TEMPO\n"
            self.assertEqual(join_report(text), "EHAM 101225Z")

    def test_lone_carriage_return_ends_the_line(self) -> None:
        """No report can put a line of its own into a client's stream."""
        self.assertEqual(
            join_report(b"EHAM 101225Z\r#TMserver:EHAM:hello"), "EHAM 101225Z"
        )

    def test_bytes_beyond_ascii_pass_unchanged(self) -> None:
        """Remarks in any encoding arrive as they are."""
        self.assertEqual(
            join_report(b"EHAM RMK \xd6\xd0\x85 \xff"), "EHAM RMK \xd6\xd0\x85 \xff"
        )


class DecodeIfAnyTests(SynchronousTestCase):
    """Reports that were looked up."""

    def test_no_report_is_no_weather(self) -> None:
        """Where there is no report nothing is decoded."""
        self.assertIsNone(decode_if_any(None))

    def test_report_is_decoded(self) -> None:
        """A report is decoded as `decode` does."""
        self.assertEqual(decode_if_any(LINE.decode()), decode(LINE.decode()))
