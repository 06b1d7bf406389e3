"""The staff: what the server tells it, and who belongs to those others rely on."""

from rum_twisted.session.door import is_observer
from rum_twisted.session.interfaces import IDelivery
from rum_twisted.session.replies import text_line
from rum_twisted.terms.identity import Rating
from rum_twisted.world.client import Client
from rum_twisted.world.roster import Roster

__all__ = ["is_needed", "tell_staff"]


def tell_staff(roster: Roster, delivery: IDelivery, text: str) -> None:
    """Send ``text`` to all who are online and are told such things.

    Those are supervisors, administrators, and who has the permission for notices.
    """
    for member in roster.staff:
        delivery.send(text_line(member.callsign, text), member)


def is_needed(client: Client) -> bool:
    """Tell whether others rely on a client: a supervisor, or a working controller."""
    if client.rating >= Rating.SUPERVISOR:
        return True
    return not client.is_pilot and not is_observer(client.callsign, client.rating)
