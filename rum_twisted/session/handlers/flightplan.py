"""Filing flight plans."""

from typing import Final

from rum_twisted.session.hooks import Hook, filing_of
from rum_twisted.session.session import Session
from rum_twisted.terms.units import Knots
from rum_twisted.wire.codec import encode
from rum_twisted.wire.messages.flightplan import FlightPlanMessage
from rum_twisted.world.client import Client
from rum_twisted.world.flightplan import FlightPlan
from rum_twisted.world.routing import Audience

__all__ = ["file_plan", "plan_message"]

_TO_CONTROLLERS: Final = Audience.CONTROLLERS.value


def file_plan(session: Session, message: FlightPlanMessage) -> None:
    """Keep the plan and show it to every controller, wherever he is.

    It replaces the sender's last plan, and is shown again even if nothing has
    changed. A sender who is a controller gets it as well. The destination that was
    typed counts for nothing.
    """
    pilot = session.identify(message.callsign)
    revision = 0 if pilot.plan is None else pilot.plan.revision + 1
    pilot.plan = FlightPlan(
        revision=revision,
        rules=message.rules,
        aircraft=message.aircraft,
        true_airspeed=Knots(message.true_airspeed),
        departure=message.departure,
        departure_time=message.departure_time,
        actual_departure_time=message.actual_departure_time,
        cruise_altitude=message.cruise_altitude,
        destination=message.destination_airport,
        hours_enroute=message.hours_enroute,
        minutes_enroute=message.minutes_enroute,
        hours_fuel=message.hours_fuel,
        minutes_fuel=message.minutes_fuel,
        alternate=message.alternate,
        remarks=message.remarks,
        route=message.route,
    )
    line = encode(plan_message(pilot, pilot.plan, destination=_TO_CONTROLLERS))
    network = session.network
    network.delivery.multicast(line, network.roster.controllers)
    if Hook.PLAN in network.plugins.wanted:
        network.plugins.tell(filing_of(pilot.callsign, pilot.plan))


def plan_message(
    pilot: Client, plan: FlightPlan, *, destination: str
) -> FlightPlanMessage:
    """Return the packet that shows ``plan`` to ``destination``."""
    return FlightPlanMessage(
        callsign=pilot.callsign,
        destination=destination,
        rules=plan.rules,
        aircraft=plan.aircraft,
        true_airspeed=plan.true_airspeed,
        departure=plan.departure,
        departure_time=plan.departure_time,
        actual_departure_time=plan.actual_departure_time,
        cruise_altitude=plan.cruise_altitude,
        destination_airport=plan.destination,
        hours_enroute=plan.hours_enroute,
        minutes_enroute=plan.minutes_enroute,
        hours_fuel=plan.hours_fuel,
        minutes_fuel=plan.minutes_fuel,
        alternate=plan.alternate,
        remarks=plan.remarks,
        route=plan.route,
    )
