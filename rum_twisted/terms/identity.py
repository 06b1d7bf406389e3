"""Who is on the network: callsigns, kinds, ratings, facilities.

Source: docs/protocol.md, "Logon" and "Numbers and enumerations".
"""

from enum import Enum, IntEnum
from typing import Final, Self

from rum_twisted.terms.errors import ErrorCode, WorldError
from rum_twisted.terms.units import NauticalMiles

__all__ = [
    "CALLSIGN_LENGTH",
    "SERVER_NAME",
    "Callsign",
    "ClientKind",
    "InvalidCallsign",
    "Rating",
    "fold",
    "radio_range_of_facility",
]

CALLSIGN_LENGTH: Final = range(2, 13)  # bytes; the classic server's bounds
SERVER_NAME: Final = "server"  # the destination that is the server itself

_ASCII_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
# Signs that start addresses and packets elsewhere, blanks, and control codes,
# which would break the lines of status files and of other people's clients.
_FORBIDDEN: Final = frozenset("!@#$%*:&\x7f") | {chr(code) for code in range(33)}


def fold(text: str) -> str:
    """Return ``text`` with A to Z in lower case and all other bytes as they are.

    FSD compares names without regard to case over ASCII only: a byte of GBK or
    Latin-1 text must not be touched.
    """
    return text.translate(_ASCII_LOWER)


class InvalidCallsign(WorldError):
    """A name that nobody may log on with."""

    code = ErrorCode.INVALID_CALLSIGN


class Callsign(str):
    """A callsign as its owner typed it at logon, e.g. ``LFPG_TWR``.

    Raises:
        InvalidCallsign: length not 2 to 12, a forbidden sign, or the server's
            own name.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check ``text`` and return it as a callsign."""
        if len(text) not in CALLSIGN_LENGTH or not _FORBIDDEN.isdisjoint(text):
            raise InvalidCallsign
        if fold(text) == SERVER_NAME:
            raise InvalidCallsign
        return super().__new__(cls, text)


class ClientKind(Enum):
    """The two kinds of client; the logon packet decides, for the whole session."""

    PILOT = "pilot"
    CONTROLLER = "controller"


class Rating(IntEnum):
    """Network ratings; pilots and controllers share the scale."""

    SUSPENDED = 0
    OBSERVER = 1
    STUDENT1 = 2
    STUDENT2 = 3
    STUDENT3 = 4
    CONTROLLER1 = 5
    CONTROLLER2 = 6
    CONTROLLER3 = 7
    INSTRUCTOR1 = 8
    INSTRUCTOR2 = 9
    INSTRUCTOR3 = 10
    SUPERVISOR = 11
    ADMINISTRATOR = 12


_FACILITY_RANGES: Final = {
    1: NauticalMiles(1500),  # flight service station
    2: NauticalMiles(5),  # clearance delivery
    3: NauticalMiles(5),  # ground
    4: NauticalMiles(30),  # tower
    5: NauticalMiles(100),  # approach, departure
    6: NauticalMiles(400),  # center
    7: NauticalMiles(1500),  # monitor
}
_OBSERVER_RANGE: Final = NauticalMiles(40)


def radio_range_of_facility(facility: int) -> NauticalMiles:
    """Return how far a controller at ``facility`` (field 2 of ``%``) is heard."""
    return _FACILITY_RANGES.get(facility, _OBSERVER_RANGE)
