"""What clients tell each other: aircraft models, coordination."""

from dataclasses import replace

from rum_twisted.session.relay import relay_to_one
from rum_twisted.session.session import Session
from rum_twisted.wire.messages.clientdata import ControllerData, PilotData

__all__ = ["client_data"]


def client_data(session: Session, message: PilotData | ControllerData) -> None:
    """Pass it on to the one client it names; it is never broadcast."""
    sender = session.identify(message.source)
    relay_to_one(session, sender, replace(message, source=sender.callsign))
