"""One client as the world knows it."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.units import Feet, NauticalMiles
from tests.support.builders import make_controller, make_pilot


class ClientTests(SynchronousTestCase):
    """Pilots and controllers."""

    def test_client_begins_nowhere(self) -> None:
        """After the logon nothing is known of him but who he is."""
        for client in (make_pilot(), make_controller()):
            self.assertIsNone(client.position)
            self.assertIsNone(client.plan)
            self.assertEqual(client.visual_range, 40)
            numbers = (
                client.altitude,
                client.groundspeed,
                client.frequency,
                client.facility,
                client.squawk,
                client.attitude,
            )
            self.assertEqual(numbers, (0,) * 6)

    def test_kind_is_that_of_the_logon(self) -> None:
        """A pilot is one, a controller is not."""
        self.assertTrue(make_pilot().is_pilot)
        self.assertFalse(make_controller().is_pilot)

    def test_radio_of_a_pilot_grows_with_his_altitude(self) -> None:
        """10 miles on the ground, 292 at 40,000 feet, cut to whole miles."""
        for altitude, miles in {
            0: 10,
            1: 11,
            50: 19,
            1000: 54,
            10_000: 151,
            40_000: 292,
            2**31 - 1: 65_536,
        }.items():
            pilot = make_pilot()
            pilot.altitude = Feet(altitude)
            self.assertEqual(pilot.radio_range, miles, altitude)

    def test_pilot_below_the_sea_is_heard_as_on_the_ground(self) -> None:
        """A negative altitude counts as 0."""
        for altitude in (-1, -1300, -(2**31)):
            pilot = make_pilot()
            pilot.altitude = Feet(altitude)
            self.assertEqual(pilot.radio_range, 10)

    def test_radio_of_a_pilot_knows_no_facility(self) -> None:
        """A pilot who sends a controller's report stays a pilot."""
        pilot = make_pilot()
        pilot.facility = 6
        pilot.visual_range = NauticalMiles(600)
        self.assertEqual(pilot.radio_range, 10)

    def test_radio_of_a_controller_belongs_to_his_facility(self) -> None:
        """An observer is heard for 40 miles, a center for 400, however high."""
        controller = make_controller()
        self.assertEqual(controller.radio_range, 40)
        for facility, miles in ((4, 30), (6, 400), (99, 40)):
            controller.facility = facility
            controller.altitude = Feet(30_000)
            self.assertEqual(controller.radio_range, miles)

    def test_clients_are_told_apart_even_if_alike(self) -> None:
        """Two who say the same of themselves are two."""
        one, other = make_pilot(), make_pilot()
        self.assertNotEqual(one, other)
        self.assertEqual(len({one, other}), 2)

    def test_client_holds_nothing_else(self) -> None:
        """Thousands are on at once: none has room for more than his fields."""
        self.assertFalse(hasattr(make_pilot(), "__dict__"))
