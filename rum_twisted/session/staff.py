"""What supervisors and administrators are told of by the server itself."""

from rum_twisted.session.network import Network
from rum_twisted.session.replies import text_line

__all__ = ["tell_staff"]


def tell_staff(network: Network, text: str) -> None:
    """Send ``text`` to every supervisor and administrator who is online."""
    for member in network.roster.supervisors:
        network.delivery.send(text_line(member.callsign, text), member)
