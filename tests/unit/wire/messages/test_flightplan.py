"""Flight plans."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.wire.codec import decode, encode
from rum_twisted.wire.errors import TooFewFields
from rum_twisted.wire.messages.flightplan import FlightPlanMessage

PLAN = (
    b"$FPKLM123:*A:I:B738/L:420:EHAM:30:35:FL350:EDDF:1:30:3:15:EDDL:/V/:"
    b"DCT SUGOL UL620"
)


class FlightPlanMessageTests(SynchronousTestCase):
    """A plan on the line."""

    def test_plan_is_read(self) -> None:
        """Each of the seventeen fields is where the reference has it."""
        self.assertEqual(
            decode(PLAN),
            FlightPlanMessage(
                callsign="KLM123",
                destination="*A",
                rules="I",
                aircraft="B738/L",
                true_airspeed=420,
                departure="EHAM",
                departure_time=30,
                actual_departure_time=35,
                cruise_altitude="FL350",
                destination_airport="EDDF",
                hours_enroute=1,
                minutes_enroute=30,
                hours_fuel=3,
                minutes_fuel=15,
                alternate="EDDL",
                remarks="/V/",
                route="DCT SUGOL UL620",
            ),
        )
        self.assertEqual(encode(decode(PLAN)), PLAN + b"\r\n")

    def test_plan_is_normalized(self) -> None:
        """One letter tells the rules; times lose their zeros; the rest is dropped."""
        sloppy = PLAN.replace(b":I:", b":IFR:").replace(b":30:35:", b":0030:0035Z:")
        self.assertEqual(encode(decode(sloppy + b":more:")), PLAN + b"\r\n")

    def test_plan_of_empty_fields_is_a_plan(self) -> None:
        """Empty fields stay empty, numbers become 0, and none is lost."""
        self.assertEqual(
            encode(decode(b"$FPKLM123:SERVER" + b":" * 15)),
            b"$FPKLM123:SERVER:::0::0:0:::0:0:0:0:::\r\n",
        )

    def test_long_route_is_kept_whole(self) -> None:
        """A route around half of the world is longer than 512 bytes."""
        route = b" ".join([b"DCT", b"WAYPT"] * 150)
        line = PLAN + b" " + route
        self.assertEqual(encode(decode(line)), line + b"\r\n")

    def test_sixteen_fields_are_too_few(self) -> None:
        """A plan without its route is refused."""
        self.assertRaises(TooFewFields, decode, PLAN.rpartition(b":")[0])
