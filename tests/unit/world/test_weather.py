"""Winds and temperatures that nobody measured."""

from itertools import pairwise
from math import inf, nan

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees, Feet, Knots, Seconds
from rum_twisted.world.weather import (
    AltimeterSetting,
    Celsius,
    StatuteMiles,
    TemperatureLayer,
    TrueDegrees,
    UpperAir,
    Weather,
    WindLayer,
    with_upper_air,
)

DAY = 86400
JANUARY = Seconds(1_768_435_200.0)  # 2026-01-15 00:00 UTC
APRIL = Seconds(JANUARY + 90 * DAY)
JULY = Seconds(JANUARY + 181 * DAY)
OCTOBER = Seconds(JANUARY + 273 * DAY)

SURFACE = WindLayer(
    ceiling=Feet(2500), floor=Feet(0), direction=TrueDegrees(240), speed=Knots(12)
)
REPORTED = Weather(
    winds=(SURFACE, *Weather().winds[1:]),
    temperatures=(
        TemperatureLayer(ceiling=Feet(100), temperature=Celsius(12)),
        *Weather().temperatures[1:],
    ),
    pressure=AltimeterSetting(2992),
    visibility=StatuteMiles(2.5),
)


def at(latitude: float, longitude: float = 0.0) -> Position:
    """Return a position."""
    return Position(Degrees(latitude), Degrees(longitude))


def air(
    *,
    month: int = 1,
    high_turn: int = 0,
    middle_turn: int = 27,
    middle_coriolis: int = 20,
    low_turn: int = 27,
    low_coriolis: int = 20,
) -> UpperAir:
    """Return chances in the middle of their ranges, but for those named."""
    return UpperAir(
        month=month,
        high_turn=high_turn,
        middle_turn=middle_turn,
        middle_coriolis=middle_coriolis,
        middle_permille=650,
        low_turn=low_turn,
        low_coriolis=low_coriolis,
        high_temperature=Celsius(-57),
        middle_temperature=Celsius(-21),
        low_temperature=Celsius(-5),
    )


class WithUpperAirTests(SynchronousTestCase):
    """Layers above the surface."""

    def directions(self, chances: UpperAir, place: Position) -> list[int]:
        """Return the directions of the layers 2 to 4."""
        weather = with_upper_air(REPORTED, place, chances)
        return [layer.direction for layer in weather.winds[1:]]

    def test_what_was_reported_is_kept(self) -> None:
        """Surface wind and temperature, clouds, pressure, visibility stay."""
        weather = with_upper_air(REPORTED, at(52, 5), UpperAir.at(JANUARY))
        self.assertEqual(weather.winds[0], SURFACE)
        self.assertEqual(weather.temperatures[0], REPORTED.temperatures[0])
        self.assertEqual(weather.clouds, REPORTED.clouds)
        self.assertEqual(weather.thunderstorm, REPORTED.thunderstorm)
        self.assertEqual(weather.pressure, 2992)
        self.assertEqual(weather.visibility, 2.5)

    def test_heights_of_the_layers_are_fixed(self) -> None:
        """Every pilot gets the same four layers of wind and of temperature."""
        weather = with_upper_air(REPORTED, at(52, 5), UpperAir.at(JANUARY))
        self.assertEqual(
            [(layer.ceiling, layer.floor) for layer in weather.winds],
            [(2500, 0), (10400, 2500), (22600, 10400), (90000, 22700)],
        )
        self.assertEqual(
            [layer.ceiling for layer in weather.temperatures],
            [100, 10000, 18000, 35000],
        )

    def test_temperatures_are_those_of_the_half_day(self) -> None:
        """It is colder the higher one flies."""
        weather = with_upper_air(REPORTED, at(52, 5), air())
        self.assertEqual(
            [layer.temperature for layer in weather.temperatures], [12, -5, -21, -57]
        )

    def test_direction_turns_with_the_latitude(self) -> None:
        """Six degrees for each of latitude, one for 18 of longitude, both ways."""
        self.assertEqual(self.directions(air(), at(20, 36))[2], 122)
        self.assertEqual(self.directions(air(), at(-20, -36))[2], 122)
        self.assertEqual(self.directions(air(high_turn=-25), at(0))[2], 335)
        self.assertEqual(self.directions(air(high_turn=25), at(90, 180))[2], 215)

    def test_lower_winds_turn_with_the_coriolis_force(self) -> None:
        """Layer 3 is turned by its chances, layer 2 by those of both."""
        chances = air(middle_turn=45, middle_coriolis=10, low_turn=10, low_coriolis=30)
        self.assertEqual(self.directions(chances, at(20)), [90, 155, 120])

    def test_wind_is_strongest_at_the_poles(self) -> None:
        """The jet stream grows with the sine of the latitude, on both sides."""
        for latitude, knots in ((90, 120), (30, 60), (-90, 50), (0, 0)):
            weather = with_upper_air(REPORTED, at(latitude), air(month=1))
            self.assertEqual(weather.winds[3].speed, knots, latitude)

    def test_wind_follows_the_season(self) -> None:
        """Winter is stormy; north and south have their winters apart."""
        north = (120, 120, 80, 80, 80, 50, 50, 50, 80, 80, 80, 120)
        for month, knots in enumerate(north, start=1):
            weather = with_upper_air(REPORTED, at(90), air(month=month))
            self.assertEqual(weather.winds[3].speed, knots, month)
        south = north[6:] + north[:6]
        for month, knots in enumerate(south, start=1):
            weather = with_upper_air(REPORTED, at(-90), air(month=month))
            self.assertEqual(weather.winds[3].speed, knots, month)

    def test_lower_winds_are_slower(self) -> None:
        """Layer 3 has its share of layer 4; layer 2 half of the surface wind."""
        weather = with_upper_air(REPORTED, at(90), air())
        self.assertEqual([it.speed for it in weather.winds], [12, 6, 78, 120])

    def test_pilot_without_position_is_at_0_0(self) -> None:
        """Who has not reported a position gets the winds of the equator."""
        chances = UpperAir.at(JANUARY)
        self.assertEqual(
            with_upper_air(REPORTED, None, chances),
            with_upper_air(REPORTED, at(0, 0), chances),
        )

    def test_place_beyond_the_earth_counts_as_its_edge(self) -> None:
        """A client that reports nonsense gets weather all the same."""
        chances = UpperAir.at(JANUARY)
        edge = with_upper_air(REPORTED, at(90, -180), chances)
        self.assertEqual(with_upper_air(REPORTED, at(1e308, -1e308), chances), edge)
        self.assertEqual(with_upper_air(REPORTED, at(inf, -inf), chances), edge)
        self.assertIsInstance(with_upper_air(REPORTED, at(nan, nan), chances), Weather)

    @settings(deadline=None)
    @given(
        st.floats(),
        st.floats(),
        st.floats(min_value=0, max_value=4e9),
    )
    def test_winds_are_plausible_everywhere(
        self, latitude: float, longitude: float, now: float
    ) -> None:
        """At every place and time directions are 0 to 359 and winds can be flown."""
        chances = UpperAir.at(Seconds(now))
        weather = with_upper_air(REPORTED, at(latitude, longitude), chances)
        _, low, middle, high = weather.winds
        for layer in (low, middle, high):
            self.assertIn(layer.direction, range(360))
        self.assertIn(high.speed, range(121))
        self.assertIn(middle.speed, range(high.speed // 2, high.speed + 1))
        self.assertEqual(low.speed, 6)


class EveryLatitudeTests(SynchronousTestCase):
    """From pole to pole, a degree at a time, in every month."""

    def test_every_layer_is_there(self) -> None:
        """Winds lie on each other without a gap, and it grows colder with height."""
        for latitude in range(-90, 91):
            for month in range(1, 13):
                weather = with_upper_air(REPORTED, at(latitude, 5), air(month=month))
                surface, low, middle, high = weather.winds
                self.assertEqual(surface, SURFACE)
                self.assertEqual(surface.ceiling, low.floor)
                self.assertEqual(low.ceiling, middle.floor)
                self.assertLess(middle.ceiling, high.ceiling)
                self.assertLessEqual(middle.speed, high.speed)
                degrees = [it.temperature for it in weather.temperatures]
                self.assertEqual(sorted(degrees, reverse=True), degrees)
                self.assertEqual(weather.clouds, REPORTED.clouds)

    def test_wind_grows_towards_both_poles(self) -> None:
        """Nowhere it jumps: by one degree of latitude it changes 3 knots at most."""
        for month in range(1, 13):
            speeds = [
                with_upper_air(REPORTED, at(latitude), air(month=month)).winds[3].speed
                for latitude in range(-90, 91)
            ]
            south, north = speeds[90::-1], speeds[90:]
            for half in (south, north):
                self.assertEqual(half[0], 0)
                self.assertEqual(sorted(half), half)
                for here, there in pairwise(half):
                    self.assertLessEqual(there - here, 3)

    def test_hemispheres_mirror_each_other(self) -> None:
        """Half a year later the south has the winds that the north has now."""
        for latitude in range(91):
            for month in range(1, 13):
                north = with_upper_air(REPORTED, at(latitude, 40), air(month=month))
                later = air(month=(month + 5) % 12 + 1)
                south = with_upper_air(REPORTED, at(-latitude, -40), later)
                if latitude:
                    self.assertEqual(north, south, (latitude, month))


class UpperAirTests(SynchronousTestCase):
    """The chances of a half day."""

    def test_chances_hold_for_half_a_day(self) -> None:
        """From midnight to noon, UTC, all pilots fly in the same air."""
        night = UpperAir.at(JANUARY)
        self.assertEqual(UpperAir.at(Seconds(JANUARY + 12 * 3600 - 0.5)), night)
        self.assertNotEqual(UpperAir.at(Seconds(JANUARY + 12 * 3600)), night)
        self.assertNotEqual(UpperAir.at(Seconds(JANUARY - 0.5)), night)

    def test_month_is_that_of_utc(self) -> None:
        """The season follows the date in UTC."""
        months = [UpperAir.at(now).month for now in (JANUARY, APRIL, JULY, OCTOBER)]
        self.assertEqual(months, [1, 4, 7, 10])

    def test_each_chance_takes_its_whole_range_and_no_more(self) -> None:
        """Over some years every value comes up, and none beyond the bounds."""
        airs = [UpperAir.at(Seconds(JANUARY + half * DAY / 2)) for half in range(9000)]
        for name, lowest, highest in (
            ("high_turn", -25, 25),
            ("middle_turn", 10, 45),
            ("middle_coriolis", 10, 30),
            ("low_turn", 10, 45),
            ("low_coriolis", 10, 30),
            ("high_temperature", -61, -53),
            ("middle_temperature", -28, -14),
            ("low_temperature", -17, 7),
        ):
            seen = {getattr(it, name) for it in airs}
            self.assertEqual(seen, set(range(lowest, highest + 1)), name)
        shares = {it.middle_permille for it in airs}
        self.assertEqual((min(shares), max(shares)), (500, 800))
