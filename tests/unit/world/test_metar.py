"""What a METAR tells, group by group."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.units import Feet, Knots
from rum_twisted.world.metar import Group, decode, groups_of, with_temperature
from rum_twisted.world.weather import (
    Celsius,
    CloudLayer,
    TrueDegrees,
    Weather,
    WindLayer,
)

SCHIPHOL = "EHAM 101225Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG"

GROUPS = """
METAR SPECI EHAM 101225Z AUTO COR 24012G22KT VRB03KT 18008MPS 24012KMH /////KT 240V300
9999 CAVOK //// 1/4SM M1/4SM P6SM 1 1/2SM 1/0SM 10 KM 4000NE 9999NDV R06/0600 // BR
+TSRA FEW018 FEW/// SKC CLR VV/// BKN030CB NSC ////// 12/08 M05/M10 05/ 05/// XX/XX
Q1013 Q//// A2992 A//// Q0000 NOSIG TEMPO RMK = ==
"""


def wind(group: str) -> WindLayer:
    """Return the surface wind that ``group`` tells."""
    return decode(f"EHAM 101225Z {group} 9999 12/08 Q1013").winds[0]


def visibility(group: str) -> float:
    """Return the visibility that ``group`` tells."""
    return decode(f"EHAM 101225Z 24012KT {group} FEW018 12/08 Q1013").visibility


def clouds(groups: str, temperature: str = "20/15") -> tuple[CloudLayer, CloudLayer]:
    """Return the clouds that ``groups`` tell on a warm day."""
    return decode(f"EHAM 101225Z 24012KT 9999 {groups} {temperature} Q1013").clouds


def temperature(groups: str) -> int:
    """Return the temperature at the surface, after a visibility of 9999."""
    report = f"EHAM 101225Z 24012KT {groups} Q1013"
    return decode(report).temperatures[0].temperature


def pressure(group: str) -> int:
    """Return the pressure that ``group`` tells."""
    return decode(f"EHAM 101225Z 24012KT 9999 FEW018 12/08 {group}").pressure


class DecodeTests(SynchronousTestCase):
    """A whole report."""

    def test_every_group_is_read(self) -> None:
        """The report of the reference gives the layers of the reference."""
        weather = decode(SCHIPHOL)
        self.assertEqual(
            weather.winds,
            (
                WindLayer(
                    ceiling=Feet(2500),
                    floor=Feet(0),
                    direction=TrueDegrees(240),
                    speed=Knots(12),
                    gusting=True,
                ),
                *Weather().winds[1:],
            ),
        )
        self.assertEqual(
            weather.clouds,
            (
                CloudLayer(
                    ceiling=Feet(2400), floor=Feet(1800), coverage=1, turbulence=3
                ),
                CloudLayer(
                    ceiling=Feet(6000), floor=Feet(3000), coverage=5, turbulence=17
                ),
            ),
        )
        self.assertEqual(weather.thunderstorm, CloudLayer())
        self.assertEqual(weather.temperatures[0].ceiling, 100)
        self.assertEqual(weather.temperatures[0].temperature, 12)
        self.assertEqual(weather.temperatures[1:], Weather().temperatures[1:])
        self.assertEqual(weather.pressure, 2992)
        self.assertEqual(weather.visibility, 15.0)

    def test_words_around_the_groups_change_nothing(self) -> None:
        """A report's type, its corrections and its end mark tell no weather."""
        for other in (
            "METAR " + SCHIPHOL,
            "SPECI " + SCHIPHOL,
            SCHIPHOL + "=",
            SCHIPHOL.lower(),
            SCHIPHOL.replace(" ", "\r\n   "),
            SCHIPHOL.replace("24012G22KT", "AUTO 24012G22KT 200V280"),
            SCHIPHOL.replace("FEW018", "R06/0600 R18L/P2000N -RA +TSRA BR FEW018"),
            SCHIPHOL.replace("101225Z", "101225Z COR"),
        ):
            self.assertEqual(decode(other), decode(SCHIPHOL), other)

    def test_unknown_words_are_passed_over(self) -> None:
        """A word that nobody knows does not hide the rest of the report."""
        for group in ("24012G22KT", "9999", "FEW018", "BKN030", "12/08", "Q1013"):
            report = SCHIPHOL.replace(group, f"{group} W\xe9ather")
            self.assertEqual(decode(report), decode(SCHIPHOL), report)

    def test_forecast_and_remarks_are_not_read(self) -> None:
        """What is forecast, or said in remarks, is not the weather of now."""
        for end in ("NOSIG", "BECMG", "TEMPO", "INTER", "RMK"):
            report = f"EHAM 101225Z 24012KT {end} 0800 OVC001 M05/M10 Q0990"
            weather = decode(report)
            expected = decode("EHAM 101225Z 24012KT NSC")
            self.assertEqual(weather, expected, report)

    def test_report_that_tells_nothing_keeps_the_defaults(self) -> None:
        """From an empty report, or only a station's name, nothing is made up."""
        for report in ("", " ", "=", "METAR", "EHAM", "METAR EHAM 101225Z"):
            self.assertEqual(decode(report), Weather(), report)

    @settings(deadline=None)
    @given(st.text())
    def test_any_text_is_read_without_an_error(self, text: str) -> None:
        """No text whatever makes the decoder fail."""
        self.assertIsInstance(decode(text), Weather)

    @settings(deadline=None)
    @given(
        st.lists(
            st.sampled_from(GROUPS.split())
            | st.from_regex(r"[A-Z0-9/+.=-]{1,12}", fullmatch=True),
            max_size=30,
        )
    )
    def test_any_words_give_plausible_layers(self, words: list[str]) -> None:
        """Groups in any order, whole or broken, give layers a simulator can take."""
        weather = decode(" ".join(words))
        for layer in weather.clouds:
            self.assertIn(layer.coverage, range(9))
            self.assertIn(layer.floor, range(-1, 100_000))
            self.assertGreaterEqual(layer.ceiling, layer.floor)
        self.assertIn(weather.winds[0].direction, range(361))
        self.assertIn(weather.winds[0].speed, range(2000))
        self.assertIn(weather.temperatures[0].temperature, range(-99, 100))
        self.assertIn(weather.pressure, range(2000, 4000))
        self.assertGreaterEqual(weather.visibility, 0)

    def test_huge_groups_are_not_read(self) -> None:
        """Groups of thousands of digits leave the defaults."""
        digits = "9" * 5000
        report = (
            f"EHAM {digits}Z {digits}KT {digits}SM FEW{digits} {digits}/08 Q{digits}"
        )
        standard = decode("EHAM 101225Z Q////")
        self.assertEqual(decode(report), standard)


class GroupsTests(SynchronousTestCase):
    """Which kinds of group are found."""

    def test_groups_that_are_told(self) -> None:
        """Every kind of group is known by its word, and only where it is readable."""
        self.assertEqual(groups_of(SCHIPHOL), frozenset(Group))
        for word, group in (
            ("24012G22KT", Group.WIND),
            ("9999", Group.VISIBILITY),
            ("12/08", Group.TEMPERATURE),
            ("Q1013", Group.PRESSURE),
        ):
            report = SCHIPHOL.replace(word, "X")
            self.assertEqual(groups_of(report), frozenset(Group) - {group}, word)
        clear = SCHIPHOL.replace("FEW018 BKN030", "NSC")
        self.assertEqual(groups_of(clear), frozenset(Group) - {Group.SKY})
        self.assertEqual(groups_of(""), frozenset())

    def test_temperature_brings_its_ice(self) -> None:
        """A temperature that is put in later is as good as one of the report."""
        for word, degrees in (("12/08", 12), ("M05/M06", -5), ("M20/M22", -20)):
            without = decode(SCHIPHOL.replace("12/08", "X"))
            whole = decode(SCHIPHOL.replace("12/08", word))
            self.assertEqual(with_temperature(without, Celsius(degrees)), whole, word)


class WindTests(SynchronousTestCase):
    """The surface wind."""

    def test_wind_blows_up_to_2500_feet(self) -> None:
        """The surface layer reaches from the ground to 2,500 feet."""
        layer = wind("24012KT")
        self.assertEqual((layer.floor, layer.ceiling), (0, 2500))
        self.assertEqual((layer.direction, layer.speed), (240, 12))
        self.assertFalse(layer.gusting)

    def test_gusts_are_told_and_not_added(self) -> None:
        """With gusts the speed is still the mean one."""
        layer = wind("36010G25KT")
        self.assertEqual((layer.direction, layer.speed, layer.gusting), (360, 10, True))

    def test_varying_wind_has_direction_0(self) -> None:
        """VRB is no direction."""
        layer = wind("VRB03KT")
        self.assertEqual((layer.direction, layer.speed), (0, 3))

    def test_other_units_become_knots(self) -> None:
        """Meters per second and kilometers per hour are converted and rounded."""
        self.assertEqual(wind("18008MPS").speed, 16)
        self.assertEqual(wind("18020G30MPS").speed, 39)
        self.assertEqual(wind("18030KMH").speed, 16)

    def test_strongest_winds_are_read(self) -> None:
        """Winds of a hundred knots and "more than" winds are winds."""
        self.assertEqual(wind("240105G120KT").speed, 105)
        self.assertEqual(wind("240P99KT").speed, 99)

    def test_unreadable_wind_is_no_layer(self) -> None:
        """Without a readable wind there is no surface layer of wind."""
        for group in ("/////KT", "24012", "KT", "99912KT", "240KT", "240-5KT", ""):
            self.assertEqual(wind(group), WindLayer(), group)


class VisibilityTests(SynchronousTestCase):
    """How far one sees, in statute miles."""

    def test_meters_become_miles(self) -> None:
        """A mile is 1,609 meters; 9999 means the best there is."""
        self.assertEqual(visibility("4000"), 4000 / 1609)
        self.assertEqual(visibility("0000"), 0)
        self.assertEqual(visibility("1500SW"), 1500 / 1609)
        self.assertEqual(visibility("9999"), 15)
        self.assertEqual(visibility("9999NDV"), 15)

    def test_miles_are_miles(self) -> None:
        """American visibilities, with fractions, are taken as they are."""
        for group, miles in (
            ("10SM", 10),
            ("10 SM", 10),
            ("M1/4SM", 0.15),
            ("1/4SM", 0.25),
            ("1/2SM", 0.5),
            ("3/4SM", 0.75),
            ("1 1/2SM", 1.5),
            ("P6SM", 10),
        ):
            self.assertEqual(visibility(group), miles, group)

    def test_kilometers_become_miles(self) -> None:
        """Kilometers, with or without a blank, are converted."""
        self.assertAlmostEqual(visibility("10KM"), 6.215, places=3)
        self.assertAlmostEqual(visibility("10 KM"), 6.215, places=3)

    def test_words_for_good_weather_mean_15_miles(self) -> None:
        """CAVOK, CLR and an unmeasured visibility count as the best there is."""
        for group in ("CAVOK", "////", "CLR"):
            self.assertEqual(visibility(group), 15, group)

    def test_unreadable_visibility_keeps_the_default(self) -> None:
        """A group that is no visibility leaves 15 miles, and hides no cloud."""
        for group in ("", "SM", "1/0SM", "99999", "-500", "M", "5"):
            self.assertEqual(visibility(group), 15, group)
        self.assertEqual(decode("EHAM 101225Z 24012KT FEW018").clouds[0].floor, 1800)


class CloudTests(SynchronousTestCase):
    """Layers of cloud, in feet."""

    def test_coverage_is_in_eighths(self) -> None:
        """Each word for a cloud amount stands for so many eighths."""
        for group, eighths in (
            ("FEW010", 1),
            ("SCT010", 3),
            ("BKN010", 5),
            ("OVC010", 8),
            ("VV010", 8),
            ("CLR010", 0),
            ("SKC010", 0),
        ):
            self.assertEqual(clouds(group)[0].coverage, eighths, group)

    def test_single_layer_is_3000_feet_thick(self) -> None:
        """Above a single layer's ceiling the sky is clear."""
        layer, absent = clouds("BKN025CB")
        self.assertEqual((layer.floor, layer.ceiling), (2500, 5500))
        self.assertEqual(layer.turbulence, 17)
        self.assertEqual(absent, CloudLayer())

    def test_lower_layer_reaches_halfway_to_the_higher(self) -> None:
        """Of two layers the lower ends halfway below the higher."""
        lower, higher = clouds("SCT025 OVC080")
        self.assertEqual((lower.floor, lower.ceiling), (2500, 5250))
        self.assertEqual((higher.floor, higher.ceiling), (8000, 11000))
        self.assertEqual((lower.turbulence, higher.turbulence), (15, 17))

    def test_order_of_the_report_is_kept(self) -> None:
        """A higher layer that is reported first stays first."""
        higher, lower = clouds("OVC080 SCT025")
        self.assertEqual((higher.floor, higher.ceiling), (8000, 11000))
        self.assertEqual((lower.floor, lower.ceiling), (2500, 5250))

    def test_two_layers_at_one_height_are_one_thick_and_one_flat(self) -> None:
        """Of two layers at the same height only the first has a thickness."""
        first, second = clouds("FEW020 BKN020")
        self.assertEqual((first.floor, first.ceiling), (2000, 5000))
        self.assertEqual((second.floor, second.ceiling), (2000, 2000))

    def test_first_two_layers_count(self) -> None:
        """A third layer has no place in the packet."""
        self.assertEqual(clouds("FEW010 SCT020 BKN030"), clouds("FEW010 SCT020"))

    def test_unmeasured_height_is_1000_feet(self) -> None:
        """Cloud that is seen without a height is near."""
        for group in ("VV///", "VV", "BKN///", "BKN//////"):
            self.assertEqual(clouds(group)[0].floor, 1000, group)

    def test_clear_sky_has_no_layer(self) -> None:
        """A word for a clear sky makes no cloud, nor does an unreadable one."""
        for group in ("SKC", "CLR", "NSC", "NCD", "", "//////", "FEWER", "BKN0300"):
            self.assertEqual(clouds(group), (CloudLayer(), CloudLayer()), group)

    def test_cavok_has_a_high_thin_layer(self) -> None:
        """With CAVOK a trace of cloud stands at 24,000 feet, in the second place."""
        absent, cirrus = decode("EHAM 101225Z 24012KT CAVOK 20/15 Q1013").clouds
        self.assertEqual(absent, CloudLayer())
        self.assertEqual((cirrus.floor, cirrus.ceiling), (24000, 26000))
        self.assertEqual((cirrus.coverage, cirrus.turbulence), (1, 0))


class IcingTests(SynchronousTestCase):
    """Ice in clouds."""

    def test_ice_forms_around_freezing(self) -> None:
        """Between -10 and 10 °C, exclusive, low clouds ice."""
        for group, is_icing in (
            ("M10/M12", False),
            ("M09/M12", True),
            ("00/M01", True),
            ("09/05", True),
            ("10/05", False),
        ):
            layers = clouds("FEW018 BKN030", group)
            self.assertEqual([it.icing for it in layers], [is_icing] * 2, group)

    def test_high_clouds_do_not_ice(self) -> None:
        """A layer with its ceiling at 12,000 feet or above is free of ice."""
        self.assertTrue(clouds("OVC089", "00/00")[0].icing)
        self.assertFalse(clouds("OVC090", "00/00")[0].icing)

    def test_absent_layers_are_told_as_icing(self) -> None:
        """The classic packet says so of layers that do not exist, too."""
        self.assertEqual(
            [layer.icing for layer in clouds("NSC", "00/00")], [True, True]
        )

    def test_unknown_temperature_ices_nothing(self) -> None:
        """Where no temperature was measured, no ice is claimed."""
        self.assertFalse(clouds("FEW018", "//")[0].icing)


class TemperatureTests(SynchronousTestCase):
    """The temperature at the surface, in °C."""

    def test_minus_is_a_letter(self) -> None:
        """M stands for minus; the dew point does not matter."""
        for group, degrees in (
            ("12/08", 12),
            ("M05/M10", -5),
            ("M00/M01", 0),
            ("05/", 5),
            ("05///", 5),
            ("05/XX", 5),
        ):
            self.assertEqual(temperature(f"9999 FEW018 {group}"), degrees, group)

    def test_temperature_after_cavok_is_read(self) -> None:
        """The word after CAVOK is a temperature and no runway visual range."""
        self.assertEqual(temperature("CAVOK M05/M10"), -5)
        self.assertEqual(temperature("9999 M05/M10"), -5)
        self.assertEqual(temperature("0800 R06/0600 R24/0700 M05/M10"), -5)

    def test_unreadable_temperature_is_0(self) -> None:
        """Unmeasured and broken temperatures leave the default."""
        for group in ("//", "XX/XX", "/08", "5/3", "123/08", "12/0800", "12", ""):
            self.assertEqual(temperature(f"9999 FEW018 {group}"), 0, group)

    def test_unmeasured_phenomena_do_not_hide_the_temperature(self) -> None:
        """Automatic stations write // for phenomena; the temperature follows."""
        self.assertEqual(temperature("9999 // NCD 12/08"), 12)


class PressureTests(SynchronousTestCase):
    """The altimeter setting, in hundredths of an inch of mercury."""

    def test_inches_are_taken_as_they_are(self) -> None:
        """American reports tell the number of the packet."""
        self.assertEqual(pressure("A2992"), 2992)
        self.assertEqual(pressure("A3042"), 3042)

    def test_hectopascals_become_inches(self) -> None:
        """All other reports are converted."""
        self.assertEqual(pressure("Q1013"), 2992)
        self.assertEqual(pressure("Q0998"), 2948)
        self.assertEqual(pressure("Q1030"), 3042)

    def test_report_without_pressure_counts_as_standard(self) -> None:
        """Where the report goes on with something else, 29.92 is assumed."""
        for group in ("NOSIG", "RMK A3010", "Q////", "A////", "Q0000", "A0000", "Q1"):
            self.assertEqual(pressure(group), 2992, group)

    def test_report_cut_before_its_pressure_keeps_the_default(self) -> None:
        """Where the report ends too early, 29.50 is told."""
        self.assertEqual(pressure(""), 2950)
        self.assertEqual(decode("EHAM 101225Z 24012KT 9999 -RA").pressure, 2950)
