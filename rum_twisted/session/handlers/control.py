"""The connection itself: pings and kills."""

import re
from contextlib import suppress
from dataclasses import replace
from typing import Final

from rum_twisted.session.interfaces import StaffAct
from rum_twisted.session.relay import relay
from rum_twisted.session.replies import ANNOUNCER, SERVER, text_line
from rum_twisted.session.session import Session
from rum_twisted.wire.codec import encode
from rum_twisted.wire.messages.control import Kill, Ping, Pong
from rum_twisted.world.client import Client
from rum_twisted.world.policy import may_kill
from rum_twisted.world.roster import NoSuchCallsign
from rum_twisted.world.routing import Audience, audience_of
from rum_twisted.world.visibility import Channel

__all__ = ["kill", "ping", "pong"]

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def ping(session: Session, message: Ping) -> None:
    """Answer a ping to the server with the same data, pass any other on."""
    sender = session.identify(message.source)
    if audience_of(message.destination) is Audience.SERVER:
        session.answer(Pong(SERVER, sender.callsign, message.data))
    else:
        relay(session, sender, replace(message, source=sender.callsign), Channel.DATA)


def pong(session: Session, message: Pong) -> None:
    """Pass the answer to a ping on; one to the server is swallowed."""
    sender = session.identify(message.source)
    relay(session, sender, replace(message, source=sender.callsign), Channel.DATA)


def kill(session: Session, message: Kill) -> None:
    """End somebody's session, if the sender is a supervisor or has the permission.

    Raises:
        NoSuchCallsign: the target is not on; this is told to everybody who asks.
    """
    sender = session.identify(message.source)
    network = session.network
    target = network.roster.find(message.destination)
    if target is None:
        raise NoSuchCallsign(message.destination)
    if not may_kill(sender.rating, sender.permissions):
        refusal = "You are not allowed to kill users!"
        session.connection.send(text_line(sender.callsign, refusal))
        if not session.was_denied:  # once is enough for the log
            session.was_denied = True
            session.log.warn(
                "{callsign} may not kill {target}",
                callsign=sender.callsign,
                target=target.callsign,
            )
            _note(session, sender, target, "refused-kill", message.reason)
        return
    confirmation = f"Attempting to kill {message.destination}"
    session.connection.send(text_line(sender.callsign, confirmation))
    session.log.info(
        "{callsign} kills {target}: {reason!r}",
        callsign=sender.callsign,
        target=target.callsign,
        reason=message.reason,
    )
    _note(session, sender, target, "kill", message.reason)
    network.delivery.send(
        encode(Kill(ANNOUNCER, target.callsign, message.reason)), target
    )
    network.delivery.disconnect(target)


def _note(
    session: Session, sender: Client, target: Client, act: str, reason: str
) -> None:
    """Write into the audit log what a sender did, or tried to do."""
    session.network.logbook.acted(
        StaffAct(
            who_cid=sender.cid,
            who_callsign=sender.callsign,
            act=act,
            whom=f"{target.cid} {target.callsign}",
            detail=_readable(reason),
            where=session.connection.address,
        )
    )


def _readable(text: str) -> str:
    """Return what a client typed as people read it, where it was typed as UTF-8."""
    with suppress(UnicodeDecodeError):  # it is an older client's, in any encoding
        text = text.encode("latin-1").decode()
    return _CONTROL.sub(" ", text)
