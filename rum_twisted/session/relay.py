"""Passing a client's message on to whom it is addressed."""

from rum_twisted.session.session import Session
from rum_twisted.wire.codec import Message, encode
from rum_twisted.world.client import Client
from rum_twisted.world.routing import Audience, audience_of, members_of
from rum_twisted.world.visibility import Channel

__all__ = ["relay", "relay_to_one"]


def relay(session: Session, sender: Client, message: Message, channel: Channel) -> None:
    """Pass ``message`` on to a callsign, a group or a frequency.

    Nobody there is no error: the message vanishes. The sender never gets it back.

    Args:
        session: the sender's.
        sender: who speaks.
        message: what goes out; its ``destination`` decides who gets it.
        channel: what it counts as where ranges matter.
    """
    network = session.network
    audience = audience_of(message.destination)
    if not audience.is_group:
        relay_to_one(session, sender, message)
    elif audience is Audience.FREQUENCY:
        receivers = network.delivery.in_range(sender, channel)
        network.delivery.multicast(encode(message), receivers)
    else:
        members = members_of(audience, network.roster)
        receivers = [member for member in members if member is not sender]
        network.delivery.multicast(encode(message), receivers)


def relay_to_one(session: Session, sender: Client, message: Message) -> None:
    """Pass ``message`` on to a callsign; groups and frequencies get nothing."""
    receiver = session.network.roster.find(message.destination)
    if receiver is not None and receiver is not sender:
        session.network.delivery.send(encode(message), receiver)
