"""Units, which exist for the reader and the type checker."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms import units


class UnitsTests(SynchronousTestCase):
    """Quantities at run time."""

    def test_quantities_are_plain_numbers(self) -> None:
        """A unit costs nothing: a quantity is the very number that was given."""
        whole, real = 12345, 12.5
        for unit in (units.Feet, units.Knots, units.NauticalMiles):
            self.assertIs(unit(whole), whole)
        for measure in (units.Degrees, units.Seconds):
            self.assertIs(measure(real), real)
