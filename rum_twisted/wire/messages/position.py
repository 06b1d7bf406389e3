"""Position reports: ``@`` of pilots, ``%`` of controllers.

These two are not frozen, unlike all other messages: they are the busiest packets
there are, and what is passed on is the report that came, completed in place.
"""

from dataclasses import dataclass

from rum_twisted.terms.units import Degrees, Feet, Knots, NauticalMiles

__all__ = ["ControllerPosition", "PilotPosition"]


@dataclass(slots=True, kw_only=True)
class PilotPosition:
    """Where a pilot is, as reported about every five seconds.

    Example: ``@N:AFR123:1000:1:48.72333:2.37944:1200:140:1026:-12``
    """

    transponder_mode: str  # S standby, N normal, Y ident; passed on whatever it is
    callsign: str
    squawk: int
    rating: int  # the logon's is passed on, whatever was sent
    latitude: Degrees | None  # None: no number was sent, the last one stands
    longitude: Degrees | None
    altitude: Feet  # true altitude, above mean sea level
    groundspeed: Knots
    attitude: int  # packed pitch, bank and heading, 32 bits
    flags: int  # pressure altitude minus true altitude, feet


@dataclass(slots=True, kw_only=True)
class ControllerPosition:
    """Where a controller looks at, as reported about every 15 seconds.

    Example: ``%EHAM_TWR:18100:4:50:5:52.30800:4.76400:0``
    """

    callsign: str
    frequency: int  # kHz without the leading 1: 118.100 MHz is 18100
    facility: int
    visual_range: NauticalMiles
    rating: int  # as in `PilotPosition`
    latitude: Degrees | None
    longitude: Degrees | None
    altitude: Feet
