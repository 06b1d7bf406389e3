"""One operator's conversation: who he is, what he may do, and what he is answered.

It holds no socket and no timer. A line comes in, and what there is to say comes out as
lines, at once or later; `rum_twisted.console.protocol` carries both.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.console.complaints import Complaints
from rum_twisted.console.interfaces import Server, Verdict
from rum_twisted.session.interfaces import StaffAct
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees

__all__ = ["NAME", "Console", "Handler", "Lines", "Reply", "Terminal", "Words"]

NAME = "console"
"""Who acted, in the audit log."""

_SHOWN = 500  # letters of a command, in the log

Lines: TypeAlias = Iterable[str]
"""An answer; it may be made while it is written, so that a long one costs little."""

Reply: TypeAlias = Lines | Deferred[Lines]
Words: TypeAlias = Sequence[str]

_NULL_ISLAND = Position(Degrees(0.0), Degrees(0.0))


class Terminal(Protocol):
    """Where the operator sits."""

    def show(self, line: str) -> bool:
        """Show him a line that he has not asked for just now.

        Returns:
            whether he takes it; one who does not read is shown nothing.
        """

    def hang_up(self) -> None:
        """End the connection, after what has been said."""


@dataclass(slots=True, kw_only=True, eq=False)
class Console:
    """One conversation.

    Invariant: once authorized, always authorized.
    """

    log = Logger()

    server: Server
    terminal: Terminal
    complaints: Complaints
    address: str  # where he is
    commands: Words  # that there are, by name
    is_authorized: bool = False
    position: Position = _NULL_ISLAND  # for the upper winds
    stop_trace: Callable[[], None] | None = None  # while one runs

    @override
    def __repr__(self) -> str:
        state = "authorized" if self.is_authorized else "a stranger"
        return f"<Console at {self.address}: {state}>"

    def authorize(self, typed: str) -> Deferred[Lines]:
        """Check the password."""
        checked = self.server.password.check(typed, self.address)
        return checked.addCallback(self._take_verdict)

    def note_act(self, name: str, words: Words) -> None:
        """Write down what an authorized operator is about to do.

        Args:
            name: the command.
            words: its arguments, without secrets.
        """
        detail = " ".join(words)[:_SHOWN]
        self.log.info(
            "console at {address}: {command} {detail!r}",
            address=self.address,
            command=name,
            detail=detail,
        )
        self.server.network.logbook.acted(
            StaffAct(
                who_cid=NAME,
                who_callsign=self.server.identity.ident,
                act=name,
                whom=self._whom(words),
                detail=_plain(" ".join(words[1:])[:_SHOWN]),
                where=self.address,
            )
        )

    def end(self) -> None:
        """Let go of what the conversation holds: the operator is gone."""
        stop, self.stop_trace = self.stop_trace, None
        if stop is not None:
            stop()

    def _take_verdict(self, verdict: Verdict) -> Lines:
        if verdict.is_right and not self.is_authorized:
            self.is_authorized = True
            self.log.info("console: authorized at {address}", address=self.address)
        if self.is_authorized:
            return ("Password correct.",)
        self.complaints.note("wrong passwords", self.address)
        lines = ["Password incorrect."]
        if verdict.wait > 0:
            lines.append(f"Too many wrong ones: wait {verdict.wait:.0f} seconds.")
        return lines

    def _whom(self, words: Words) -> str:
        if not words:
            return ""
        client = self.server.network.roster.find(words[0])
        if client is None:
            return _plain(words[0][:_SHOWN])
        return f"{client.cid} {client.callsign}"


Handler: TypeAlias = Callable[[Console, Words], Reply]
"""Carries a command out, given its arguments."""


def _plain(text: str) -> str:
    """Return what was typed, as people read it if it was typed as UTF-8."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
