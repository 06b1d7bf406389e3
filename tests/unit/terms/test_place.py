"""Positions."""

from dataclasses import FrozenInstanceError

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees


class PositionTests(SynchronousTestCase):
    """A point on the earth."""

    def test_latitude_stands_before_longitude(self) -> None:
        """Schiphol is at 52.3 north, 4.8 east."""
        schiphol = Position(Degrees(52.3), Degrees(4.8))
        self.assertEqual((schiphol.latitude, schiphol.longitude), (52.3, 4.8))

    def test_position_is_a_value(self) -> None:
        """Equal places are equal, and a place does not move."""
        here = Position(Degrees(52.3), Degrees(4.8))
        self.assertEqual(here, Position(Degrees(52.3), Degrees(4.8)))
        self.assertNotEqual(here, Position(Degrees(4.8), Degrees(52.3)))
        self.assertEqual(len({here, Position(Degrees(52.3), Degrees(4.8))}), 1)
        with self.assertRaises(FrozenInstanceError):
            here.latitude = Degrees(0.0)  # type: ignore[misc]

    def test_values_off_the_earth_are_kept(self) -> None:
        """What a client reports is passed on, even a latitude of 95."""
        self.assertEqual(Position(Degrees(95.0), Degrees(-541.0)).latitude, 95.0)
