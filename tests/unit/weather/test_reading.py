"""What a report tells, classic rules and library together."""

import warnings

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.weather.reading import read, read_if_any
from rum_twisted.world.metar import Group, decode, groups_of
from rum_twisted.world.weather import CloudLayer, Weather
from tests.support.metars import metars

SCHIPHOL = "EHAM 101225Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG"
SEED = 20261124
MANY = 10_000


class Assertions(SynchronousTestCase):
    """What a simulator can take."""

    def assert_plausible(self, weather: Weather, report: str) -> None:
        """Assert that every number is one that a simulator can take."""
        wind = weather.winds[0]
        self.assertIn(wind.direction, range(361), report)
        self.assertIn(wind.speed, range(2000), report)
        for layer in (*weather.clouds, weather.thunderstorm):
            self.assertIn(layer.coverage, range(9), report)
            self.assertIn(layer.floor, range(-1, 100_000), report)
            self.assertGreaterEqual(layer.ceiling, layer.floor, report)
            self.assertIn(layer.turbulence, range(600), report)
        self.assertIn(weather.temperatures[0].temperature, range(-99, 100), report)
        self.assertIn(weather.pressure, range(2000, 4000), report)
        self.assertGreaterEqual(weather.visibility, 0, report)
        self.assertLess(weather.visibility, 1000, report)


class ManyReportsTests(Assertions):
    """Ten thousand reports of all regions, a quarter of them damaged."""

    def test_every_report_is_read(self) -> None:
        """None makes the decoder fail, and none gives an impossible layer."""
        for report in metars(MANY, SEED):
            self.assert_plausible(read(report), report)

    def test_classic_rules_stand(self) -> None:
        """What the classic rules find in a report is what a client is told."""
        seen = dict.fromkeys(Group, 0)
        for report in metars(2000, SEED + 1):
            classic, weather = decode(report), read(report)
            told = groups_of(report)
            for group in told:
                seen[group] += 1
            if Group.WIND in told:
                self.assertEqual(weather.winds, classic.winds, report)
            if Group.VISIBILITY in told:
                self.assertEqual(weather.visibility, classic.visibility, report)
            if Group.TEMPERATURE in told:
                self.assertEqual(weather.temperatures, classic.temperatures, report)
                self.assertEqual(weather.clouds, classic.clouds, report)
            if Group.PRESSURE in told:
                self.assertEqual(weather.pressure, classic.pressure, report)
        self.assertGreater(min(seen.values()), 500, "the reports are no test")

    def test_reports_are_as_odd_as_the_world(self) -> None:
        """The reports of these tests hold every odd form that is known."""
        text = "\n".join(metars(MANY, SEED))
        for form in (
            "CAVOK", "MPS", "KMH", "////", "NSC", "NCD", "TEMPO", "BECMG", "RMK",
            "P6SM", "M1/4SM", "VRB", "VV///", "AUTO", "COR", "NIL", "ZBAA", "UUEE",
            "QNH", "INS", "KTS", "SLP", "R/SNOCLO", "9999NDV", "1 1/2SM", "M00/M00",
            "\x00",
        ):  # fmt: skip
            self.assertIn(form, text)

    def test_no_warning_is_given(self) -> None:
        """The library's warnings of odd words do not fill the log."""
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for report in metars(500, SEED + 2):
                read(report)


class AnyTextTests(Assertions):
    """Whatever may come instead of a report."""

    @settings(deadline=None)
    @given(st.text())
    def test_any_text_is_read(self, text: str) -> None:
        """No text whatever makes the decoder fail."""
        self.assert_plausible(read(text), text)

    @settings(deadline=None)
    @given(
        st.lists(
            st.sampled_from(" ".join(metars(40, SEED)).split())
            | st.from_regex(r"[A-Z0-9/+.=-]{1,12}", fullmatch=True),
            max_size=30,
        )
    )
    def test_any_words_are_read(self, words: list[str]) -> None:
        """Groups in any order, whole or broken, give plausible layers."""
        report = " ".join(words)
        self.assert_plausible(read(report), report)


class FillingTests(SynchronousTestCase):
    """What the library adds where the classic rules find nothing."""

    def test_nothing_is_added_to_a_whole_report(self) -> None:
        """An ordinary report is told by the classic rules alone."""
        self.assertEqual(read(SCHIPHOL), decode(SCHIPHOL))

    def test_wind_in_other_spellings(self) -> None:
        """A wind in KTS is a wind."""
        wind = read(SCHIPHOL.replace("G22KT", "G22KTS")).winds[0]
        self.assertEqual((wind.direction, wind.speed, wind.gusting), (240, 12, True))
        self.assertEqual((wind.floor, wind.ceiling), (0, 2500))

    def test_pressure_of_military_stations(self) -> None:
        """QNH3012INS is 30.12 inches."""
        self.assertEqual(read(SCHIPHOL.replace("Q1013", "QNH3012INS")).pressure, 3012)

    def test_pressure_in_the_remarks(self) -> None:
        """Where nothing else tells it, SLP998 is 999.8 hPa: 29.52 inches."""
        report = "KABC 101225Z 00000KT 10SM CLR 10/08 RMK AO1 SLP998"
        self.assertEqual(read(report).pressure, 2952)
        told = report.replace(" RMK", " A2990 RMK")
        self.assertEqual(read(told).pressure, 2990)

    def test_temperature_in_the_remarks(self) -> None:
        """T10561067 is -5.6 °C, and then low clouds ice."""
        report = "KABC 101225Z 00000KT 10SM OVC010 A2992 RMK AO2 T10561067"
        weather = read(report)
        self.assertEqual(weather.temperatures[0].temperature, -6)
        self.assertTrue(weather.clouds[0].icing)
        self.assertEqual(weather.temperatures[1:], decode(report).temperatures[1:])

    def test_visibility_in_other_spellings(self) -> None:
        """Meters with their letter are meters."""
        report = SCHIPHOL.replace("9999", "5000M")
        self.assertAlmostEqual(read(report).visibility, 3.1, places=1)

    def test_impossible_numbers_are_not_taken(self) -> None:
        """A temperature or a pressure that nobody has survived is a mistake."""
        report = "KABC 101225Z 24012KT 10SM CLR RMK T19991999 SLP132"
        self.assertEqual(read(report).temperatures[0].temperature, 0)
        for wind in ("99912KT", "240P99KTS99", "24099MPSS"):
            report = SCHIPHOL.replace("24012G22KT", wind)
            self.assertEqual(read(report).winds, decode(report).winds, wind)
        report = SCHIPHOL.replace("Q1013", "QNH1999INS")
        self.assertEqual(read(report).pressure, decode(report).pressure)


class StormTests(SynchronousTestCase):
    """The layer of thunderstorm."""

    def storm(self, words: str) -> CloudLayer:
        """Return the layer of a report with these words."""
        return read(SCHIPHOL.replace("FEW018 BKN030", words)).thunderstorm

    def test_cumulonimbus_is_a_storm(self) -> None:
        """It reaches from the cloud's floor to 35,000 feet, as dense as the cloud."""
        storm = self.storm("FEW018CB BKN030")
        self.assertEqual((storm.floor, storm.ceiling), (1800, 35_000))
        self.assertEqual((storm.coverage, storm.turbulence), (1, 189))

    def test_thunder_without_its_cloud(self) -> None:
        """Where the cloud is not told, it begins at 3,000 feet."""
        storm = self.storm("+TSRA BKN030")
        self.assertEqual(
            (storm.floor, storm.ceiling, storm.coverage), (3000, 35_000, 3)
        )

    def test_height_of_the_cloud_may_be_unknown(self) -> None:
        """A cumulonimbus that was not measured is one all the same."""
        self.assertEqual(self.storm("BKN///CB").floor, 3000)

    def test_storm_somewhere_else_is_none(self) -> None:
        """Thunder in the vicinity, towering cumulus, and forecasts are no storm."""
        for words in ("VCTS BKN030", "BKN030TCU", "BKN030 12/08 Q1013 TEMPO TSRA"):
            self.assertEqual(self.storm(words), CloudLayer(), words)


class ReadIfAnyTests(SynchronousTestCase):
    """Reports that were looked up."""

    def test_no_report_is_no_weather(self) -> None:
        """There is nothing to decode where there is no report."""
        self.assertIsNone(read_if_any(None))
        self.assertEqual(read_if_any(SCHIPHOL), read(SCHIPHOL))
