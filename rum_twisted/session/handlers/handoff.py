"""Hand-offs: an aircraft passes from one controller to the next."""

from dataclasses import replace

from rum_twisted.session.relay import relay_to_one
from rum_twisted.session.session import Session
from rum_twisted.wire.messages.handoff import HandoffAccept, HandoffOffer

__all__ = ["handoff"]


def handoff(session: Session, message: HandoffOffer | HandoffAccept) -> None:
    """Pass an offer or its acceptance on to the one controller it names."""
    sender = session.identify(message.source)
    relay_to_one(session, sender, replace(message, source=sender.callsign))
