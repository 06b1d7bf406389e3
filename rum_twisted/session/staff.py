"""What the staff is told of by the server itself."""

from rum_twisted.session.interfaces import IDelivery
from rum_twisted.session.replies import text_line
from rum_twisted.world.roster import Roster

__all__ = ["tell_staff"]


def tell_staff(roster: Roster, delivery: IDelivery, text: str) -> None:
    """Send ``text`` to all who are online and are told such things.

    Those are supervisors, administrators, and who has the permission for notices.
    """
    for member in roster.staff:
        delivery.send(text_line(member.callsign, text), member)
