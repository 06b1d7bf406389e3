"""The one table of what clients may say: who handles it, and in which phase.

A newcomer reads here what a line does. `receive` finds the row of a line's packet;
where the session's phase is not among the row's, ``otherwise`` is raised, or nothing
happens: that is how the classic server treats a client that talks before it has
logged on. Only then are the fields read, and the handler is called.

Which ratings may do what is not in the table: only a kill asks, and it must look its
target up first (`rum_twisted.world.policy`).

Source: docs/protocol.md, "Packets".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from rum_twisted.session.errors import AlreadyRegistered
from rum_twisted.session.handlers.clientdata import client_data
from rum_twisted.session.handlers.control import kill, ping, pong
from rum_twisted.session.handlers.flightplan import file_plan
from rum_twisted.session.handlers.handoff import handoff
from rum_twisted.session.handlers.logon import log_off, log_on
from rum_twisted.session.handlers.position import report_controller, report_pilot
from rum_twisted.session.handlers.query import answer, ask
from rum_twisted.session.handlers.text import text
from rum_twisted.session.handlers.weather import report, weather
from rum_twisted.session.hooks import LONGEST_LINE, Line, Verdict
from rum_twisted.session.phases import Phase
from rum_twisted.session.replies import notice_line
from rum_twisted.session.session import Session
from rum_twisted.session.tally import OTHER
from rum_twisted.terms.errors import RumError
from rum_twisted.wire.codec import ENCODING, decode, recognize
from rum_twisted.wire.packets import FROM_CLIENT, Packet

__all__ = ["COMMANDS", "Command", "receive"]


@dataclass(frozen=True, slots=True)
class Command:
    """What one packet does."""

    handler: Callable[[Session, Any], None]
    phase: Phase = Phase.LOGGED_ON
    otherwise: type[RumError] | None = None  # in any other phase


def _unreadable(session: Session, message: object) -> None:
    """Stand for packets that only servers may send: `decode` raises before this."""
    raise AssertionError((session, message))


_LOGON: Final = Command(log_on, Phase.CONNECTED, AlreadyRegistered)

COMMANDS: Final[Mapping[str, Command]] = {
    "#AA": _LOGON,
    "#AP": _LOGON,
    "#DA": Command(log_off),
    "#DP": Command(log_off),
    "@": Command(report_pilot),
    "%": Command(report_controller),
    "#TM": Command(text),
    "$PI": Command(ping),
    "$PO": Command(pong),
    "$CQ": Command(ask),
    "$CR": Command(answer),
    "$C?": Command(answer),
    "$CI": Command(answer),
    "$FP": Command(file_plan),
    "$HO": Command(handoff),
    "$HA": Command(handoff),
    "#SB": Command(client_data),
    "#PC": Command(client_data),
    "$AX": Command(report),
    "#WX": Command(weather),
    "$!!": Command(kill),
    **{
        packet.prefix: Command(_unreadable)
        for packet in FROM_CLIENT.values()
        if packet.message is None
    },
}
"""What each packet does, by its prefix."""


def _ask_plugins(session: Session, packet: Packet, line: bytes) -> None:
    """Handle a line when no plugin minds; what the client says next waits for it."""
    client = session.client
    assert client is not None, "plugins see no packets of those who are not on"
    text = line.decode(ENCODING)[:LONGEST_LINE]
    asked = session.network.plugins.ask(Line(client.callsign, text))
    session.await_answer(asked, partial(_obey, session, packet, line), hold=True)


def _obey(session: Session, packet: Packet, line: bytes, verdict: Verdict) -> None:
    """Handle a line, or not, and tell the client what a plugin tells him."""
    if verdict.text:
        session.connection.send(notice_line(session.name, verdict.text))
    if verdict.stops:
        return
    try:
        COMMANDS[packet.prefix].handler(session, decode(line, packet))
    except RumError as error:
        session.refuse(error)


def receive(session: Session, line: bytes) -> None:
    """Handle one line of a session's client.

    Args:
        session: whose client spoke.
        line: what he said, without the line's end; never empty.

    A `RumError` on the way becomes one ``$ER`` line. After the end of a session
    nothing is handled.
    """
    if session.phase is Phase.CLOSED:
        return
    counts = session.network.tally.lines_in
    try:
        try:
            packet = recognize(line)
        except RumError:
            counts[OTHER] += 1
            raise
        counts[packet.prefix] += 1
        command = COMMANDS[packet.prefix]
        if session.phase is command.phase:
            if packet.prefix in session.network.plugins.prefixes:
                _ask_plugins(session, packet, line)
            else:
                command.handler(session, decode(line, packet))
        elif command.otherwise is not None:
            raise command.otherwise
    except RumError as error:
        session.refuse(error)
