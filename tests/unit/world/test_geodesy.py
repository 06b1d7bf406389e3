"""Great circles, against distances that can be looked up."""

from math import cos, isclose, pi, radians

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.place import Position
from rum_twisted.world.geodesy import (
    HALF_CIRCLE,
    chord_of,
    cosine_of,
    distance,
    unit_vector,
)
from tests.unit.world.places import NULL_ISLAND, away, place, positions

SCHIPHOL = place(52.30806, 4.76417)
KENNEDY = place(40.63993, -73.77869)
FRANKFURT = place(50.03333, 8.57056)
NARITA = place(35.76472, 140.38639)
LOS_ANGELES = place(33.94250, -118.40806)
SYDNEY = place(-33.94611, 151.17722)

A_FOOT = 1 / 6076  # NM; what the arc cosine of nearly equal places may be off


class DistanceTests(SynchronousTestCase):
    """How far two places are apart."""

    def test_degree_of_a_great_circle_has_sixty_miles(self) -> None:
        """It does on every meridian, and on the equator."""
        for longitude in (-180.0, -75.5, 0.0, 4.76, 180.0):
            here, there = place(51.0, longitude), place(52.0, longitude)
            self.assertAlmostEqual(distance(here, there), 60.0, places=9)
        self.assertAlmostEqual(distance(NULL_ISLAND, place(0.0, 1.0)), 60.0, places=9)

    def test_parallels_shrink(self) -> None:
        """At 60 degrees a degree of longitude has just under thirty miles."""
        miles = distance(place(60.0, 10.0), place(60.0, 11.0))
        self.assertTrue(29.999 < miles < 30.0, miles)

    def test_known_distances_are_found(self) -> None:
        """Tables of airports, for the true earth, agree within half a percent."""
        for here, there, miles in (
            (SCHIPHOL, FRANKFURT, 197.8),
            (SCHIPHOL, KENNEDY, 3158.0),
            (NARITA, LOS_ANGELES, 4723.0),
            (LOS_ANGELES, SYDNEY, 6508.0),
        ):
            found = distance(here, there)
            self.assertLess(abs(found - miles) / miles, 0.005, found)

    def test_antimeridian_is_a_line_like_others(self) -> None:
        """Twelve minutes on both sides of it are twelve miles."""
        miles = distance(place(0.0, 179.9), place(0.0, -179.9))
        self.assertAlmostEqual(miles, 12.0, places=6)

    def test_pole_has_every_longitude(self) -> None:
        """At the pole all longitudes are one place."""
        for pole in (90.0, -90.0):
            miles = distance(place(pole, 0.0), place(pole, 123.4))
            self.assertLess(miles, A_FOOT)
        self.assertAlmostEqual(distance(NULL_ISLAND, place(90.0, 77.0)), 5400.0)

    def test_antipode_is_the_farthest(self) -> None:
        """Nothing is farther than half a circle, and rounding raises nothing."""
        miles = distance(SCHIPHOL, place(-52.30806, 4.76417 - 180.0))
        self.assertLess(abs(miles - HALF_CIRCLE), A_FOOT)
        self.assertEqual(distance(NULL_ISLAND, place(0.0, 180.0)), HALF_CIRCLE)

    @given(positions, positions)
    def test_distance_is_the_same_both_ways(
        self, here: Position, there: Position
    ) -> None:
        """Whoever asks, it is one number from 0 to half a circle."""
        miles = distance(here, there)
        self.assertLess(abs(miles - distance(there, here)), A_FOOT)
        self.assertTrue(0.0 <= miles <= HALF_CIRCLE + A_FOOT, miles)

    @given(positions, st.floats(1.0, 10_000.0), st.floats(0.0, 360.0))
    def test_traveled_miles_are_the_distance(
        self, start: Position, miles: float, bearing: float
    ) -> None:
        """Whoever flies so many miles straight on is so many miles away."""
        there = away(start, miles, bearing)
        self.assertLess(abs(distance(start, there) - miles), A_FOOT)


class UnitVectorTests(SynchronousTestCase):
    """Places on the sphere of radius 1."""

    def test_axes_are_where_they_belong(self) -> None:
        """One points to 0 degrees, one to 90 degrees east, one to the north pole."""
        for position, vector in (
            (place(0.0, 0.0), (1.0, 0.0, 0.0)),
            (place(0.0, 90.0), (0.0, 1.0, 0.0)),
            (place(90.0, 33.0), (0.0, 0.0, 1.0)),
            (place(-90.0, 33.0), (0.0, 0.0, -1.0)),
            (place(0.0, 180.0), (-1.0, 0.0, 0.0)),
        ):
            for part, expected in zip(unit_vector(position), vector, strict=True):
                self.assertTrue(isclose(part, expected, abs_tol=1e-15))

    @given(positions, positions)
    def test_dot_product_is_the_cosine_of_the_distance(
        self, here: Position, there: Position
    ) -> None:
        """Vectors and angles tell the same, so one may stand for the other."""
        pairs = zip(unit_vector(here), unit_vector(there), strict=True)
        product = sum(one * other for one, other in pairs)
        cosine = cos(radians(distance(here, there) / 60.0))
        self.assertLess(abs(product - cosine), 1e-14)


class CosineOfTests(SynchronousTestCase):
    """Limits as dot products."""

    def test_cosine_falls_from_one_to_minus_one(self) -> None:
        """0 miles is the place itself, 5400 a quarter of the circle."""
        self.assertEqual(cosine_of(0), 1.0)
        self.assertTrue(isclose(cosine_of(5400), 0.0, abs_tol=1e-15))
        self.assertTrue(isclose(cosine_of(60), cos(pi / 180)))
        self.assertTrue(isclose(cosine_of(HALF_CIRCLE - 1), -1.0, abs_tol=1e-6))

    def test_negative_limit_holds_nobody(self) -> None:
        """No dot product is so large, not even that of a place with itself."""
        for miles in (-1, -(2**31)):
            self.assertGreater(cosine_of(miles), 1.5)

    def test_half_a_circle_holds_everybody(self) -> None:
        """No dot product is too small, not even one that was rounded."""
        for miles in (HALF_CIRCLE, HALF_CIRCLE + 1, 2**31 - 1):
            self.assertLess(cosine_of(miles), -1.5)


class ChordOfTests(SynchronousTestCase):
    """Limits as straight lines through the sphere."""

    def test_chord_belongs_to_the_arc(self) -> None:
        """60 degrees of arc are a chord of one radius."""
        self.assertEqual(chord_of(0), 0.0)
        self.assertTrue(isclose(chord_of(3600), 1.0))
        self.assertTrue(isclose(chord_of(5400), 2.0**0.5))

    def test_chord_is_two_at_most(self) -> None:
        """From the antipode on it does not shrink again."""
        for miles in (HALF_CIRCLE, HALF_CIRCLE + 1, 2**31 - 1):
            self.assertEqual(chord_of(miles), 2.0)

    def test_negative_limit_is_a_negative_chord(self) -> None:
        """Nobody is nearer than that."""
        self.assertLess(chord_of(-1), 0.0)

    @given(st.integers(0, HALF_CIRCLE), st.integers(0, HALF_CIRCLE))
    def test_chord_grows_with_the_arc(self, one: int, other: int) -> None:
        """Comparing chords is comparing distances."""
        near, far = sorted((one, other))
        self.assertLessEqual(chord_of(near), chord_of(far))
        square = 2.0 - 2.0 * cosine_of(near) if near < HALF_CIRCLE else 4.0
        self.assertTrue(isclose(chord_of(near) ** 2, square, abs_tol=1e-12))
