"""Flight plans: ``$FP``."""

from dataclasses import dataclass

__all__ = ["FlightPlanMessage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlightPlanMessage:
    """A plan as it is filed, and as controllers are told it.

    Example: ``$FPKLM123:*A:I:B738/L:420:EHAM:1230:1235:FL350:EDDF:1:30:3:15:EDDL:/V/:``
    ``DCT SUGOL UL620`` (one line)
    """

    callsign: str
    destination: str
    rules: str  # I, V, D or S; only the first letter counts
    aircraft: str
    true_airspeed: int  # knots
    departure: str
    departure_time: int  # HHMM UTC as a number
    actual_departure_time: int
    cruise_altitude: str
    destination_airport: str
    hours_enroute: int
    minutes_enroute: int
    hours_fuel: int
    minutes_fuel: int
    alternate: str
    remarks: str
    route: str
