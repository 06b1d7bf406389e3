"""Position reports: what moves aircraft on everybody's screen."""

from typing import Final

from rum_twisted.session.session import Session
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees, Feet
from rum_twisted.wire.codec import encode
from rum_twisted.wire.messages.position import ControllerPosition, PilotPosition
from rum_twisted.world.client import Client

__all__ = ["report_controller", "report_pilot"]

_NULL_ISLAND: Final = Position(Degrees(0.0), Degrees(0.0))


def report_pilot(session: Session, message: PilotPosition) -> None:
    """Take a pilot's position and tell everybody in sight.

    A controller may send one as well: it moves him, and ranges go on to follow his
    kind.
    """
    client = session.identify(message.callsign)
    _move(client, message)
    client.transponder_mode = message.transponder_mode
    client.squawk = message.squawk
    client.groundspeed = message.groundspeed
    client.attitude = message.attitude
    session.network.delivery.report(client, encode(message))


def report_controller(session: Session, message: ControllerPosition) -> None:
    """Take a controller's position, frequency and visual range and tell all in sight.

    A pilot may send one as well, see `report_pilot`.
    """
    client = session.identify(message.callsign)
    _move(client, message)
    client.frequency = message.frequency
    client.facility = message.facility
    client.visual_range = message.visual_range
    session.network.delivery.report(client, encode(message))


def _move(client: Client, message: PilotPosition | ControllerPosition) -> None:
    """Put the client where the report says, and complete the report from him.

    What is passed on carries the callsign and the rating of the logon, and the last
    known coordinate where none was sent.
    """
    last = client.position or _NULL_ISLAND
    if message.latitude is None:
        message.latitude = last.latitude
    if message.longitude is None:
        message.longitude = last.longitude
    client.position = Position(message.latitude, message.longitude)
    message.callsign = client.callsign
    message.rating = client.rating
    below_zero = client.is_pilot and message.altitude < 0
    client.altitude = Feet(0) if below_zero else message.altitude
