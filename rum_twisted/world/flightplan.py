"""Flight plans: what a pilot means to fly, and how often he has changed his mind."""

from dataclasses import dataclass

from rum_twisted.terms.units import Knots

__all__ = ["FlightPlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlightPlan:
    """One filed plan; filing again makes a new one with the next revision.

    Source: docs/protocol.md, "Flight plan".
    """

    revision: int  # 0 when first filed, one up per filing
    rules: str  # one letter: I, V, D or S
    aircraft: str
    true_airspeed: Knots
    departure: str  # ICAO code
    departure_time: int  # HHMM UTC, as a number: 30 is 00:30
    actual_departure_time: int
    cruise_altitude: str  # as filed: FL350, 35000
    destination: str
    hours_enroute: int
    minutes_enroute: int
    hours_fuel: int
    minutes_fuel: int
    alternate: str
    remarks: str
    route: str
