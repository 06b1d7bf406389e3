"""Position reports."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.units import Degrees, Feet, Knots, NauticalMiles
from rum_twisted.wire.codec import decode, encode
from rum_twisted.wire.errors import TooFewFields
from rum_twisted.wire.messages.position import ControllerPosition, PilotPosition

PILOT = b"@S:KLM123:4521:1:50.12346:5.50000:12345:250:4290772984:43"
CONTROLLER = b"%EHAM_TWR:18100:4:50:5:52.30800:4.76400:0"


class PilotPositionTests(SynchronousTestCase):
    """Where a pilot is."""

    def test_report_is_read(self) -> None:
        """Each field is where the reference has it."""
        self.assertEqual(
            decode(PILOT),
            PilotPosition(
                transponder_mode="S",
                callsign="KLM123",
                squawk=4521,
                rating=1,
                latitude=Degrees(50.12346),
                longitude=Degrees(5.5),
                altitude=Feet(12345),
                groundspeed=Knots(250),
                attitude=4290772984,
                flags=43,
            ),
        )

    def test_report_is_printed_as_read(self) -> None:
        """A report in normal form is passed on as it is."""
        self.assertEqual(encode(decode(PILOT)), PILOT + b"\r\n")

    def test_numbers_are_printed_anew(self) -> None:
        """Leading zeros, fractions and units are gone, surplus fields as well."""
        sloppy = b"@N:KLM123:0021:+1: 50.2N:5.5e0:-1999.9:99kt:-1:x:and:more"
        self.assertEqual(
            encode(decode(sloppy)),
            b"@N:KLM123:21:1:50.20000:5.50000:-1999:99:4294967295:0\r\n",
        )

    def test_missing_coordinates_are_none(self) -> None:
        """An empty, wordy or boundless coordinate leaves the last one standing."""
        for text in (b"", b"north", b"nan", b"inf", b"1e999"):
            report = decode(b"@N:KLM123:21:1:" + text + b":" + text + b":0:0:0:0")
            self.assertIsNone(report.latitude)
            self.assertIsNone(report.longitude)

    def test_empty_numbers_are_zero(self) -> None:
        """A report of nothing but colons is a report of zeros."""
        report = decode(b"@::::::::::")
        self.assertEqual(
            (report.callsign, report.squawk, report.altitude, report.attitude),
            ("", 0, 0, 0),
        )

    def test_any_transponder_mode_passes(self) -> None:
        """What stands for the mode is passed on, whatever it is."""
        report = decode(b"@\xe9t\xe9:KLM123:1:1:1:1:1:1:1:1")
        self.assertTrue(encode(report).startswith(b"@\xe9t\xe9:KLM123:1:"))

    def test_report_without_the_first_colon_is_too_short(self) -> None:
        """One client leaves the colon out; others would misread such a report."""
        line = b"@NKLM123:4521:1:50.1:5.5:12345:250:4290772984:43"
        self.assertRaises(TooFewFields, decode, line)


class ControllerPositionTests(SynchronousTestCase):
    """Where a controller looks at."""

    def test_report_is_read(self) -> None:
        """Each field is where the reference has it."""
        self.assertEqual(
            decode(CONTROLLER),
            ControllerPosition(
                callsign="EHAM_TWR",
                frequency=18100,
                facility=4,
                visual_range=NauticalMiles(50),
                rating=5,
                latitude=Degrees(52.308),
                longitude=Degrees(4.764),
                altitude=Feet(0),
            ),
        )

    def test_report_is_printed_as_read(self) -> None:
        """A report in normal form is passed on as it is."""
        self.assertEqual(encode(decode(CONTROLLER)), CONTROLLER + b"\r\n")

    def test_odd_ranges_are_read(self) -> None:
        """A visual range may be 0, negative, or as large as an integer can be."""
        for text in (b"0", b"-5", b"2147483647"):
            report = decode(b"%EHAM_TWR:18100:4:" + text + b":5:52.3:4.7:0")
            self.assertEqual(report.visual_range, int(text))

    def test_report_of_seven_fields_is_too_short(self) -> None:
        """Some clients read beyond the end of a short report: it is refused."""
        self.assertRaises(TooFewFields, decode, CONTROLLER.rpartition(b":")[0])
