"""The destination word of a packet: whom it names.

Source: docs/protocol.md, "Destinations".
"""

from collections.abc import Iterator
from enum import Enum
from typing import Final

from rum_twisted.terms.identity import SERVER_NAME, fold
from rum_twisted.world.client import Client
from rum_twisted.world.roster import Roster

__all__ = ["Audience", "audience_of", "members_of"]


class Audience(Enum):
    """The kinds of destination there are."""

    SERVER = "server"
    ONE = "callsign"
    FREQUENCY = "@"  # whoever is in range, whatever he is tuned to
    EVERYBODY = "*"
    CONTROLLERS = "*A"
    PILOTS = "*P"
    SUPERVISORS = "*S"

    @property
    def is_group(self) -> bool:
        """Tell whether it may name more than one receiver."""
        return self not in (Audience.SERVER, Audience.ONE)


_GROUPS: Final = {
    group.value: group
    for group in (Audience.CONTROLLERS, Audience.PILOTS, Audience.SUPERVISORS)
}


def audience_of(destination: str) -> Audience:
    """Tell what kind of destination a word is.

    The letter of a group counts with its case; ``*`` and anything else is everybody.
    """
    match destination[:1]:
        case "@":
            return Audience.FREQUENCY
        case "*":
            return _GROUPS.get(destination, Audience.EVERYBODY)
    if fold(destination) == SERVER_NAME:
        return Audience.SERVER
    return Audience.ONE


def members_of(audience: Audience, roster: Roster) -> Iterator[Client]:
    """Return everybody in a group that knows no range, the sender among them."""
    match audience:
        case Audience.CONTROLLERS:
            return roster.controllers
        case Audience.PILOTS:
            return roster.pilots
        case Audience.SUPERVISORS:
            return roster.supervisors
        case Audience.EVERYBODY:
            return iter(roster)
    raise ValueError(f"{audience} is no group without a range")
