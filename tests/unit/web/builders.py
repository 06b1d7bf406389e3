"""Clients and plans to be listed, each field with a value of its own."""

from rum_twisted.terms.identity import Callsign, ClientKind, Rating
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees, Feet, Knots, NauticalMiles, Seconds
from rum_twisted.web.whazzup import ServerIdentity
from rum_twisted.world.client import Client
from rum_twisted.world.flightplan import FlightPlan

LOGGED_ON_AT = Seconds(1795234296.75)  # 2026-11-21 04:11:36 UTC
SERVER = ServerIdentity(
    ident="FSD", hostname="fsd.example.org", location="Delft", name="Example FSD"
)


def make_plan(
    *, aircraft: str = "B738/L", remarks: str = "rmk", route: str = "DCT ABC"
) -> FlightPlan:
    """Return a plan from Amsterdam to Frankfurt, filed for the first time."""
    return FlightPlan(
        revision=0,
        rules="I",
        aircraft=aircraft,
        true_airspeed=Knots(420),
        departure="EHAM",
        departure_time=1230,
        actual_departure_time=1235,
        cruise_altitude="FL350",
        destination="EDDF",
        hours_enroute=1,
        minutes_enroute=30,
        hours_fuel=3,
        minutes_fuel=15,
        alternate="EDDL",
        remarks=remarks,
        route=route,
    )


def make_pilot(
    callsign: str = "KLM1",
    *,
    cid: str = "1000001",
    real_name: str = "Joe Pilot",
    protocol_revision: str = "9",
) -> Client:
    """Return a pilot who flies near Land's End and has filed nothing."""
    return Client(
        callsign=Callsign(callsign),
        cid=cid,
        kind=ClientKind.PILOT,
        rating=Rating.OBSERVER,
        real_name=real_name,
        protocol_revision=protocol_revision,
        logged_on_at=LOGGED_ON_AT,
        position=Position(Degrees(50.5), Degrees(-5.25)),
        squawk=4521,
        altitude=Feet(12000),
        groundspeed=Knots(250),
    )


def make_controller() -> Client:
    """Return a center controller on 132.125 MHz."""
    return Client(
        callsign=Callsign("STCL_CTR"),
        cid="1000005",
        kind=ClientKind.CONTROLLER,
        rating=Rating.CONTROLLER1,
        real_name="Ann Controller",
        protocol_revision="9",
        logged_on_at=LOGGED_ON_AT,
        position=Position(Degrees(51.25), Degrees(5.75)),
        frequency=32125,
        facility=6,
        visual_range=NauticalMiles(300),
    )
