"""Text messages."""

from dataclasses import replace

from rum_twisted.session.relay import relay
from rum_twisted.session.session import Session
from rum_twisted.wire.messages.text import TextMessage
from rum_twisted.world.visibility import Channel

__all__ = ["text"]


def text(session: Session, message: TextMessage) -> None:
    """Pass a text on; what is said to the server itself is swallowed."""
    sender = session.identify(message.source)
    relay(session, sender, replace(message, source=sender.callsign), Channel.TEXT)
