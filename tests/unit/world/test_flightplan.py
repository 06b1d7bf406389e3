"""Flight plans."""

from dataclasses import FrozenInstanceError, replace

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.units import Knots
from rum_twisted.world.flightplan import FlightPlan

PLAN = FlightPlan(
    revision=0,
    rules="I",
    aircraft="B738/L",
    true_airspeed=Knots(420),
    departure="EHAM",
    departure_time=30,
    actual_departure_time=35,
    cruise_altitude="FL350",
    destination="EDDF",
    hours_enroute=1,
    minutes_enroute=30,
    hours_fuel=3,
    minutes_fuel=15,
    alternate="EDDL",
    remarks="/V/",
    route="DCT SUGOL UL620",
)


class FlightPlanTests(SynchronousTestCase):
    """A plan as it was filed."""

    def test_plan_is_a_value(self) -> None:
        """Whoever changes his mind files anew; what was shown does not change."""
        with self.assertRaises(FrozenInstanceError):
            PLAN.route = "DCT"  # type: ignore[misc]
        refiled = replace(PLAN, revision=1, route="DCT")
        self.assertEqual((PLAN.revision, PLAN.route), (0, "DCT SUGOL UL620"))
        self.assertNotEqual(refiled, PLAN)
        self.assertEqual(replace(refiled, revision=0, route=PLAN.route), PLAN)
