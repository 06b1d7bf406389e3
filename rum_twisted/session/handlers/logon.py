"""Coming online and leaving.

The checks at logon come in a fixed order, and the first that fails decides what the
client reads: callsign, callsign in use, protocol revision, a CID, the door (which is
closed to some while the server is short of room), password, suspension, rating. Only
a packet that is too short leaves the connection open.

Source: docs/protocol.md, "Logon".
"""

from functools import partial
from typing import Final

from twisted.internet.defer import Deferred

from rum_twisted.session.errors import InvalidRevision
from rum_twisted.session.hooks import (
    Hook,
    LoggingOn,
    RefusedByPlugin,
    Verdict,
    coming_of,
)
from rum_twisted.session.interfaces import Account, InvalidCredentials
from rum_twisted.session.phases import Phase
from rum_twisted.session.replies import text_line
from rum_twisted.session.session import Session
from rum_twisted.session.tally import ADMITTED, Closing
from rum_twisted.terms.errors import RumError
from rum_twisted.terms.identity import Callsign, ClientKind, Rating
from rum_twisted.wire.codec import encode
from rum_twisted.wire.messages.logon import (
    ControllerAnnouncement,
    ControllerLogoff,
    ControllerLogon,
    PilotAnnouncement,
    PilotLogoff,
    PilotLogon,
)
from rum_twisted.world.client import Client
from rum_twisted.world.policy import AccountSuspended, granted_rating
from rum_twisted.world.roster import CallsignInUse

__all__ = ["log_off", "log_on"]

REVISION: Final = 9  # of the protocol; the classic dialect
_SHOWN: Final = 32  # letters of a name that nobody has checked, in the log


def log_on(session: Session, message: PilotLogon | ControllerLogon) -> None:
    """Begin a logon: check what can be checked at once, then ask the accounts."""
    network = session.network
    try:
        callsign = Callsign(message.callsign)
        if network.roster.is_online(callsign):
            raise CallsignInUse
        if message.revision != REVISION:
            raise InvalidRevision
        if not message.cid:
            raise InvalidCredentials
        network.door.check(_kind_of(message), callsign, message.requested_rating)
    except RumError as error:
        _reject(session, message, error)
        return
    session.enter(Phase.AUTHENTICATING)
    proving = network.accounts.authenticate(
        message.cid, message.password, session.connection.address
    )
    if Hook.LOGGING_ON in network.plugins.wanted:
        proving.addCallback(partial(_ask_plugins, session, message, callsign))
    session.await_answer(
        proving,
        partial(_admit, session, message, callsign),
        partial(_reject, session, message),
        hold=True,
    )


def log_off(session: Session, message: PilotLogoff | ControllerLogoff) -> None:
    """End the session; either kind of client may use either packet."""
    session.identify(message.callsign)
    session.close(Closing.LOGOFF)


def _ask_plugins(
    session: Session,
    message: PilotLogon | ControllerLogon,
    callsign: Callsign,
    account: Account,
) -> Deferred[Account]:
    """Return the account again when no plugin minds; what may not be is not asked.

    Raises:
        AccountSuspended: see `granted_rating`.
        RatingTooHigh: likewise.
    """
    rating = _granted(message, account)

    def obey(verdict: Verdict) -> Account:
        if verdict.stops:
            raise RefusedByPlugin("", verdict.text)
        return account

    question = LoggingOn(
        callsign=callsign,
        cid=message.cid,
        kind=_kind_of(message),
        rating=rating,
        real_name=message.real_name,
        address=session.connection.address,
    )
    return session.network.plugins.ask(question).addCallback(obey)


def _granted(message: PilotLogon | ControllerLogon, account: Account) -> Rating:
    """Return the rating that somebody comes on with; see `granted_rating`."""
    try:
        return granted_rating(message.requested_rating, account.rating, message.rating)
    except AccountSuspended as error:
        raise AccountSuspended(error.parameter, account.notice) from error


def _admit(
    session: Session,
    message: PilotLogon | ControllerLogon,
    callsign: Callsign,
    account: Account,
) -> None:
    """Let a client in who has proved who he is, if his rating allows."""
    network = session.network
    try:
        client = Client(
            callsign=callsign,
            cid=message.cid,
            kind=_kind_of(message),
            rating=_granted(message, account),
            real_name=message.real_name,
            protocol_revision=message.protocol_revision,
            simulator=_simulator_of(message),
            permissions=account.permissions,
            logged_on_at=network.now(),
        )
        # Somebody may have come online under this callsign while the password was
        # being checked: of many who race for one callsign, exactly one wins.
        network.roster.add(client)
    except RumError as error:
        _reject(session, message, error)
        return
    session.client = client
    session.enter(Phase.LOGGED_ON)
    network.tally.logons[ADMITTED] += 1
    network.delivery.join(client, session.connection)
    network.delivery.announce(_announcement(client), client)
    network.logbook.logged_on(client, session.connection.address)
    if network.plugins.is_attended:
        network.plugins.tell(coming_of(client, session.connection.address, is_new=True))
    for line in network.greeting():
        session.connection.send(text_line(client.callsign, line))
    session.log.info(
        "{callsign} ({cid}) logged on as {rating} from {peer}",
        callsign=client.callsign,
        cid=client.cid,
        peer=session.connection.peer,
        rating=client.rating.name,
    )


def _reject(
    session: Session, message: PilotLogon | ControllerLogon, error: RumError
) -> None:
    """Tell a client why it may not come online, and close."""
    session.refuse(error, message.callsign)
    session.log.info(
        "logon of {callsign!r} ({cid!r}) from {peer} refused: {code}",
        callsign=message.callsign[:_SHOWN],
        cid=message.cid[:_SHOWN],
        peer=session.connection.peer,
        code=error.code.name,
    )
    session.network.tally.count_refusal(error)
    session.close(Closing.REFUSED)


def _kind_of(message: PilotLogon | ControllerLogon) -> ClientKind:
    if isinstance(message, PilotLogon):
        return ClientKind.PILOT
    return ClientKind.CONTROLLER


def _simulator_of(message: PilotLogon | ControllerLogon) -> int:
    return message.simulator if isinstance(message, PilotLogon) else -1


def _announcement(client: Client) -> bytes:
    """Return the line that tells everybody else who came online.

    The classic server prints the rating where a pilot's revision belongs and leaves
    a controller's out; later servers append a pilot's real name, and clients index
    it. Clients of every age accept the complete form.
    """
    if client.is_pilot:
        return encode(
            PilotAnnouncement(
                callsign=client.callsign,
                cid=client.cid,
                rating=client.rating,
                protocol_revision=client.protocol_revision,
                simulator=client.simulator,
                real_name=client.real_name,
            )
        )
    return encode(
        ControllerAnnouncement(
            callsign=client.callsign,
            real_name=client.real_name,
            cid=client.cid,
            rating=client.rating,
            protocol_revision=client.protocol_revision,
        )
    )
