"""Who may come online just now: a door that can be closed to some, with a reason.

It is open unless somebody who looks after the server's limits closes it. Those who are
online are not concerned. Supervisors are let in always: when the server is short of
room they are needed most.
"""

from enum import IntEnum
from typing import Final

from typing_extensions import override

from rum_twisted.session.errors import ServerFull
from rum_twisted.terms.identity import ClientKind, Rating, fold

__all__ = ["ClosedTo", "Door", "is_observer"]

_OBSERVERS: Final = "_obs"  # how callsigns of observers end


class ClosedTo(IntEnum):
    """Who is not let in."""

    NOBODY = 0
    OBSERVERS = 1
    NEWCOMERS = 2  # whoever is not online yet


class Door:
    """The way in.

    Invariant: ``reason`` is empty exactly while it is open to everybody.
    """

    __slots__ = ("closed_to", "reason", "refused")

    def __init__(self) -> None:
        self.closed_to = ClosedTo.NOBODY
        self.reason = ""
        self.refused = 0  # logons, so far

    @override
    def __repr__(self) -> str:
        return f"<Door closed to {self.closed_to.name.lower()}: {self.reason!r}>"

    def close(self, closed_to: ClosedTo, reason: str) -> None:
        """Let nobody of those in any more; they are told the reason."""
        self.closed_to = closed_to
        self.reason = reason

    def open(self) -> None:
        """Let everybody in again."""
        self.closed_to = ClosedTo.NOBODY
        self.reason = ""

    def check(self, kind: ClientKind, callsign: str, requested: int) -> None:
        """See whether somebody may try to log on, before his password is looked at.

        Args:
            kind: of client.
            callsign: as typed.
            requested: the rating he asks for; he gets it, or is not let in.

        Raises:
            ServerFull: the door is closed to him.
        """
        if self.closed_to is ClosedTo.NOBODY or requested >= Rating.SUPERVISOR:
            return
        if self.closed_to is ClosedTo.OBSERVERS and not (
            kind is ClientKind.CONTROLLER and is_observer(callsign, requested)
        ):
            return
        self.refused += 1
        raise ServerFull(notice=self.reason)


def is_observer(callsign: str, rating: int) -> bool:
    """Tell whether a controller only looks on: by his rating, or by his callsign."""
    return rating <= Rating.OBSERVER or fold(callsign).endswith(_OBSERVERS)
