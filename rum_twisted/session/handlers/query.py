"""Queries between clients, and the one query that the server answers."""

from dataclasses import replace
from typing import Final

from rum_twisted.session.errors import NoFlightPlan
from rum_twisted.session.handlers.flightplan import plan_message
from rum_twisted.session.relay import relay, relay_to_one
from rum_twisted.session.session import Session
from rum_twisted.terms.identity import fold
from rum_twisted.wire.errors import TooFewFields
from rum_twisted.wire.messages.query import (
    ClientQuery,
    ClientResponse,
    FrequencyAnswer,
    FrequencyRequest,
)
from rum_twisted.world.client import Client
from rum_twisted.world.roster import NoSuchCallsign
from rum_twisted.world.routing import Audience, audience_of
from rum_twisted.world.visibility import Channel

__all__ = ["answer", "ask"]

_FLIGHT_PLAN_TOPIC: Final = "fp"


def ask(session: Session, message: ClientQuery) -> None:
    """Pass a query on, or answer it if it is for the server.

    Raises:
        NoSuchCallsign: a plan was asked for of somebody who is not on.
        NoFlightPlan: … who has filed none.
        TooFewFields: … of nobody in particular.
    """
    sender = session.identify(message.source)
    if audience_of(message.destination) is not Audience.SERVER:
        relay(session, sender, replace(message, source=sender.callsign), Channel.DATA)
    elif fold(message.topic) == _FLIGHT_PLAN_TOPIC:
        _show_plan(session, sender, message.subject)
    # The classic server answers no other query, and clients live without.


def answer(
    session: Session, message: ClientResponse | FrequencyRequest | FrequencyAnswer
) -> None:
    """Pass an answer, or a question of the old form, on to the one it names."""
    sender = session.identify(message.source)
    relay_to_one(session, sender, replace(message, source=sender.callsign))


def _show_plan(session: Session, asker: Client, callsign: str | None) -> None:
    """Show a filed plan to a controller; a pilot reads the errors, never the plan."""
    if callsign is None:
        raise TooFewFields
    owner = session.network.roster.find(callsign)
    if owner is None:
        raise NoSuchCallsign(callsign)
    if owner.plan is None:
        raise NoFlightPlan
    if not asker.is_pilot:
        session.answer(plan_message(owner, owner.plan, destination=asker.callsign))
