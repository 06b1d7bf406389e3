"""Weather, asked for and answered."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.wire.codec import decode, encode
from rum_twisted.wire.messages.weather import (
    CloudData,
    MetarAnswer,
    TemperatureData,
    WeatherRequest,
    WindData,
    WindDelta,
)


class MetarRequestTests(SynchronousTestCase):
    """A report is asked for."""

    def test_kind_and_station_are_found(self) -> None:
        """The word METAR comes first, then the station; more is ignored."""
        request = decode(b"$AXKLM123:SERVER:MeTaR:eham:x")
        self.assertEqual((request.report_kind, request.station), ("MeTaR", "eham"))

    def test_missing_station_is_none(self) -> None:
        """No station differs from an empty one."""
        self.assertIsNone(decode(b"$AXKLM123:SERVER:METAR").station)
        self.assertEqual(decode(b"$AXKLM123:SERVER:METAR:").station, "")


class WeatherRequestTests(SynchronousTestCase):
    """The layers are asked for."""

    def test_station_is_one_field(self) -> None:
        """What stands behind the station is dropped."""
        self.assertEqual(
            decode(b"#WXKLM123:SERVER:EHAM:x"),
            WeatherRequest("KLM123", "SERVER", "EHAM"),
        )


class AnswerTests(SynchronousTestCase):
    """What the server tells."""

    def test_report_is_passed_on_with_its_colons(self) -> None:
        """A report's remarks may hold anything."""
        answer = MetarAnswer("server", "KLM123", "METAR", "EHAM 101225Z RMK A:B")
        line = b"$ARserver:KLM123:METAR:EHAM 101225Z RMK A:B\r\n"
        self.assertEqual(encode(answer), line)

    def test_layers_stand_in_a_row(self) -> None:
        """All numbers of all layers are fields of one line."""
        temperatures = TemperatureData("server", "K1", (100, -5, 10000, 2), 2992)
        self.assertEqual(encode(temperatures), b"#TDserver:K1:100:-5:10000:2:2992\r\n")
        winds = WindData("server", "K1", (2500, 0, 240, 12, 1, 0))
        self.assertEqual(encode(winds), b"#WDserver:K1:2500:0:240:12:1:0\r\n")

    def test_visibility_has_two_decimals(self) -> None:
        """A quarter of a mile is 0.25, and fifteen miles are 15.00."""
        for miles, text in ((0.25, b"0.25"), (15.0, b"15.00"), (1 / 3, b"0.33")):
            clouds = CloudData("server", "K1", (-1, -1, 0, 0, 0), miles)
            line = b"#CDserver:K1:-1:-1:0:0:0:" + text + b"\r\n"
            self.assertEqual(encode(clouds), line)

    def test_wind_delta_may_be_negative(self) -> None:
        """The wind may drop and turn back."""
        delta = WindDelta("SERVER", "*", -3, 7)
        self.assertEqual(encode(delta), b"#DLSERVER:*:-3:7\r\n")
