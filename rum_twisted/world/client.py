"""One client of the network as the world knows it: identity, position, plan.

A `Client` is among the few things that change in place: its position is
replaced many times a minute, and a fresh snapshot each time would be the dearest
part of a position report. It is plain data all the same. The `Session` that logged
it on is its owner; nobody else writes to it.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

from rum_twisted.terms.identity import (
    Callsign,
    ClientKind,
    Rating,
    radio_range_of_facility,
)
from rum_twisted.terms.permissions import NO_PERMISSIONS, Permission
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Feet, Knots, NauticalMiles, Seconds
from rum_twisted.world.flightplan import FlightPlan

__all__ = ["Client"]

DEFAULT_VISUAL_RANGE: Final = NauticalMiles(40)  # until a client declares his own
_ON_THE_GROUND: Final = Feet(0)
_STANDING: Final = Knots(0)


@dataclass(slots=True, kw_only=True, eq=False)
class Client:
    """A pilot or controller who is logged on.

    Invariants: identity never changes; ``position`` is ``None`` until the first
    position report and never again after it; ``altitude`` of a pilot is never
    negative (the report is passed on as sent, but counts as 0).
    """

    # Identity, fixed at logon.
    callsign: Callsign
    cid: str  # as typed at logon
    kind: ClientKind
    rating: Rating  # the one he asked for, never above his account's
    real_name: str
    protocol_revision: str  # as typed
    simulator: int = -1  # field 6 of #AP; -1 for controllers
    permissions: frozenset[Permission] = NO_PERMISSIONS  # his account's
    logged_on_at: Seconds  # since the Unix epoch, UTC

    # Last reported.
    position: Position | None = None
    transponder_mode: str = ""
    squawk: int = 0  # as the wire's integer: clients pad it to four digits
    altitude: Feet = _ON_THE_GROUND  # true altitude
    groundspeed: Knots = _STANDING
    attitude: int = 0  # the packed pitch, bank and heading word
    frequency: int = 0  # kHz without the leading 1: 118.900 MHz is 18900
    facility: int = 0
    visual_range: NauticalMiles = DEFAULT_VISUAL_RANGE
    plan: FlightPlan | None = None

    @property
    def is_pilot(self) -> bool:
        """Tell whether he logged on as a pilot."""
        return self.kind is ClientKind.PILOT

    @property
    def radio_range(self) -> NauticalMiles:
        """How far his radio carries, cut to whole miles.

        Source: docs/protocol.md, "Ranges": a pilot's grows with the square root
        of his altitude, a controller's belongs to his facility.
        """
        if self.is_pilot:
            return NauticalMiles(int(10 + 1.414 * sqrt(max(self.altitude, 0))))
        return radio_range_of_facility(self.facility)
