"""Weather that is changed value by value, and printed as a report."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.units import Seconds
from rum_twisted.world.profile import UnfitPath, report_of, with_value
from rum_twisted.world.weather import UpperAir, Weather, with_upper_air

NOON = Seconds(1795262400.0)  # 2026-11-21 12:00 UTC


def made(*changes: tuple[str, int]) -> Weather:
    """Return a weather with some values changed."""
    weather = Weather()
    for path, value in changes:
        weather = with_value(weather, path, value)
    return weather


class ChangeTests(SynchronousTestCase):
    """Each value there is."""

    def test_every_path(self) -> None:
        """It changes that value, and no other layer."""
        layers = {
            "winds": (4, "winds", ("floor", "ceiling", "direction", "speed")),
            "clouds": (2, "clouds", ("floor", "ceiling", "coverage", "turbulence")),
            "temperature": (4, "temperatures", ("ceiling", "temperature")),
        }
        for category, (count, name, specifiers) in layers.items():
            for number in range(1, count + 1):
                for specifier in specifiers:
                    path = f"{category}.{number}.{specifier}"
                    changed = getattr(made((path.upper(), 7)), name)
                    self.assertEqual(getattr(changed[number - 1], specifier), 7, path)
                    for place, layer in enumerate(changed, start=1):
                        if place != number:
                            before = getattr(Weather(), name)[place - 1]
                            self.assertEqual(layer, before, path)
        weather = made(("visibility", 3), ("pressure", 2992))
        self.assertEqual((weather.visibility, weather.pressure), (3.0, 2992))
        weather = made(("winds.1.gusting", 2), ("clouds.2.icing", 1))
        self.assertEqual([weather.winds[0].gusting], [True])
        self.assertEqual([weather.clouds[1].icing], [True])

    def test_what_is_no_path(self) -> None:
        """It is told in the classic words."""
        for path, text in (
            ("", "Invalid category ''."),
            ("winds", "Invalid parameter"),
            ("winds.1", "Invalid parameter"),
            ("winds.", "Invalid index ''"),
            ("winds.5.speed", "Invalid index 4"),
            ("clouds.3.floor", "Invalid index 2"),
            ("winds.1.speed.2", "Invalid specifier 'speed.2'"),
            ("clouds.1.gusting", "Invalid specifier 'gusting'"),
        ):
            error = self.assertRaises(UnfitPath, with_value, Weather(), path, 1)
            self.assertEqual(str(error), text, path)

    def test_what_is_given_is_told(self) -> None:
        """Nothing is invented for a layer of which somebody has given a value."""
        weather = made(("winds.3.speed", 77), ("temperature.4.temperature", -70))
        full = with_upper_air(weather, None, UpperAir.at(NOON))
        self.assertEqual(full.winds[2], weather.winds[2])
        self.assertEqual(full.temperatures[3], weather.temperatures[3])
        self.assertNotEqual(full.winds[1], weather.winds[1])
        self.assertNotEqual(full.temperatures[2], weather.temperatures[2])


class ReportTests(SynchronousTestCase):
    """The report of a profile."""

    def test_reports(self) -> None:
        """Each has the form that the protocol describes."""
        for weather, text in (
            (Weather(), "EHAM 211200Z 00000KT 15SM 00/01 A2950"),
            (
                made(
                    ("winds.1.direction", 240),
                    ("winds.1.speed", 12),
                    ("clouds.1.floor", 1800),
                    ("clouds.1.ceiling", 2400),
                    ("clouds.1.coverage", 1),
                    ("clouds.2.floor", 3000),
                    ("clouds.2.ceiling", 6000),
                    ("clouds.2.coverage", 8),
                    ("temperature.1.temperature", -5),
                    ("visibility", 3),
                    ("pressure", 2992),
                ),
                "EHAM 211200Z 24012KT 03SM FEW018 OVC030 M05/M06 A2992",
            ),
        ):
            self.assertEqual(report_of("EHAM", weather, NOON), text)

    def test_words_of_coverages(self) -> None:
        """One for each number of eighths; a clear layer has none."""
        words = []
        for eighths in (-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9):
            weather = made(("clouds.1.ceiling", 3000), ("clouds.1.coverage", eighths))
            words.append(report_of("X", weather, NOON).split()[4][:3])
        self.assertEqual(
            words,
            [
                "00/",
                "00/",
                "FEW",
                "FEW",
                "SCT",
                "SCT",
                "BKN",
                "BKN",
                "OVC",
                "OVC",
                "OVC",
            ],
        )
