"""The console's socket: bytes of one operator in, bytes out.

A console may cost the server next to nothing, whatever is at its other end:

- Lines are bounded, and one that is too long is dropped up to its end.
- Commands are carried out one after the other, some in each turn of the reactor, and
  nothing is read while one is under way. A stranger's have a pace.
- Answers are made as they are written, in slices, and only while the other end reads:
  what waits is a slice and the transport's own buffer. Who reads nothing for
  `STALL` is cut.
- Who says nothing for `idle_timeout` is shown the door.

Source: docs/console.md, "Bounds".
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.console.commands import COMMANDS, answer
from rum_twisted.console.complaints import Complaints
from rum_twisted.console.console import Console, Lines
from rum_twisted.console.interfaces import Server
from rum_twisted.console.lines import ENCODING, LineCutter
from rum_twisted.console.recent import LEVELS
from rum_twisted.terms.units import Seconds

__all__ = ["PACE", "SLICE", "STALL", "ConsoleProtocol"]

SLICE: Final = 100  # lines of an answer at a time
PACE: Final = Seconds(0.05)  # between two commands of who has not given the password
STALL: Final = Seconds(30.0)  # with an answer that is not read
TIMEOUT: Final = "# Timeout"

_STEPS: Final = 20  # in one turn: to begin a command, or to write a slice of it
_END: Final = "\r\n"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""Signs in names and texts of clients that would command the operator's terminal."""

_ANSWER_ENDED: Final = "The command failed; the server's log says why."


@implementer(IPushProducer, IHalfCloseableProtocol)
class ConsoleProtocol(Protocol):
    """One connection.

    Args:
        server: what may be asked.
        clock: times it.
        complaints: are told what a stranger does.
        idle_timeout: for which he may say nothing.
        ended: told when the connection is gone.

    Invariant: while a command is under way, or its answer is not written to the end,
    nothing is read and no other command is begun.
    """

    log = Logger()
    transport: Any  # ITransport and more, and always there when it is used

    def __init__(
        self,
        server: Server,
        clock: IReactorTime,
        complaints: Complaints,
        idle_timeout: Seconds,
        ended: Callable[["ConsoleProtocol"], None],
    ) -> None:
        self._server = server
        self._clock = clock
        self._complaints = complaints
        self._idle_timeout = idle_timeout
        self._ended = ended
        self._cutter = LineCutter()
        self._lines: deque[str] = deque()  # commands not carried out yet
        self._pending: Deferred[Lines] | None = None  # an answer that is waited for
        self._answer: Iterator[str] | None = None  # one that is being written
        self._next: IDelayedCall | None = None  # slice
        self._idle: IDelayedCall | None = None
        self._stall: IDelayedCall | None = None  # while the other end does not read
        self._not_before = 0.0  # by the clock: a stranger's next command
        self._is_last = False  # nothing more comes in, or is carried out
        self._is_gone = False
        self.console: Console

    @override
    def __repr__(self) -> str:
        return f"<ConsoleProtocol of {self.console!r}>"

    @property
    def waiting(self) -> int:
        """Bytes of commands that wait."""
        return sum(map(len, tuple(self._lines)))

    # What Twisted calls.

    @override
    def connectionMade(self) -> None:
        """Say who we are."""
        address = str(getattr(self.transport.getPeer(), "host", ""))
        self.console = Console(
            server=self._server,
            terminal=self,
            complaints=self._complaints,
            address=address,
            commands=tuple(COMMANDS),
        )
        self.transport.registerProducer(self, streaming=True)
        self._wait_for_him()
        counts = zip(LEVELS, self._server.log.counts(), strict=True)
        levels = ", ".join(f"{level}: {count}" for level, count in counts)
        self._write(
            (
                f"# {self._server.identity.product} system interface ready.",
                f"# Logs: {levels}",
                "# Type 'help' for help.",
            )
        )
        self._prompt()

    @override
    def dataReceived(self, data: bytes) -> None:
        """Take bytes as they come, cut in any way."""
        if self._is_last:
            return
        was_busy, before = self._is_busy, self._cutter.overlong
        lines = self._cutter.feed(data)
        for _ in range(self._cutter.overlong - before):
            self._complaints.note("lines too long", self.console.address)
        if lines:
            self._wait_for_him()
        elif not was_busy and not self._cutter.is_begun:
            self._prompt()  # an empty line
        self._lines.extend(lines)
        if not was_busy:
            self._go_on()

    def readConnectionLost(self) -> None:  # noqa: N802 - Twisted's name
        """Answer what was asked, then close: he says no more."""
        if self._is_busy:
            self._is_last = True
        else:
            self.hang_up()

    def writeConnectionLost(self) -> None:  # noqa: N802 - Twisted's name
        """Close: he hears nothing any more."""
        self.abort()

    @override
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let go of everything."""
        self._is_last = self._is_gone = True
        self._lines.clear()
        self._answer = None
        for call in (self._next, self._idle, self._stall):
            if call is not None and call.active():
                call.cancel()
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()
        self.console.end()
        self._ended(self)

    def pauseProducing(self) -> None:
        """Write no more: he does not read as fast."""
        if self._stall is None:
            self._stall = self._clock.callLater(STALL, self._cut)

    def resumeProducing(self) -> None:
        """Go on: he has read."""
        stall, self._stall = self._stall, None
        if stall is not None and stall.active():
            stall.cancel()
        self._go_on_soon()

    def stopProducing(self) -> None:
        """Write no more: the connection is gone."""
        self._answer = None

    # What a console asks for.

    def show(self, line: str) -> bool:
        """Show a line at once; see `Terminal`."""
        if self._is_gone or self._stall is not None:
            return False
        self._write((line,))
        return True

    def hang_up(self) -> None:
        """End the connection, after what has been said."""
        self._is_last = True
        self._lines.clear()
        if self.transport.disconnecting:
            return
        if self._idle is not None and self._idle.active():
            self._idle.cancel()
        self._idle = self._clock.callLater(STALL, self.abort)
        # A transport waits for its producer before it closes; this one has no more.
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def abort(self) -> None:
        """End the connection at once."""
        self.transport.abortConnection()

    # The course of things.

    @property
    def _is_busy(self) -> bool:
        """Tell whether a command is under way, or waits for its turn."""
        return bool(
            self._pending is not None or self._answer is not None or self._lines
        )

    def _go_on_soon(self, delay: float = 0.0) -> None:
        """Go on after others have had their turn."""
        if self._next is None or not self._next.active():
            self._next = self._clock.callLater(delay, self._go_on)
        elif not delay:
            self._next.reset(0)

    def _go_on(self) -> None:
        """Write some slices, and carry out some commands."""
        for _ in range(_STEPS):
            if self._is_gone or self._stall is not None or self._pending is not None:
                break
            if not self._take_step():
                break
        else:
            self._go_on_soon()
        self._look_at_input()

    def _take_step(self) -> bool:
        """Write a slice, or begin a command; tell whether another step may follow."""
        if self._answer is not None:
            if self._write_slice(self._answer):
                return True
            self._go_on_soon()
            return False
        if not self._lines:
            return False
        if not self.console.is_authorized:
            wait = self._not_before - self._clock.seconds()
            if wait > 0:
                self._go_on_soon(wait)
                return False
            self._not_before = self._clock.seconds() + PACE
        self._carry_out(self._lines.popleft())
        return True

    def _look_at_input(self) -> None:
        """Read on, or not; close, if that was all."""
        if self._is_gone:
            return
        if self._is_busy:
            self.transport.pauseProducing()
        elif self._is_last:
            self.hang_up()
        else:
            self.transport.resumeProducing()

    def _carry_out(self, line: str) -> None:
        """Begin to carry a command out; a bug in one costs its answer only."""
        try:
            reply = answer(self.console, line)
        except Exception:  # noqa: BLE001 - the boundary that outlives its guests
            self.log.failure("a console command met a bug")
            reply = (_ANSWER_ENDED,)
        if isinstance(reply, Deferred):
            self._pending = reply
            reply.addErrback(self._excuse).addCallback(self._take)
        else:
            self._answer = iter(reply)

    def _take(self, lines: Lines) -> None:
        self._pending = None
        if not self._is_gone:
            self._answer = iter(lines)
            self._go_on_soon()

    def _excuse(self, failure: Failure) -> Lines:
        if not failure.check(CancelledError):
            self.log.failure("a console command met a bug", failure)
        return (_ANSWER_ENDED,)

    def _write_slice(self, lines: Iterator[str]) -> bool:
        """Write some of an answer; tell whether that was all of it."""
        try:
            found = list(islice(lines, SLICE))
        except Exception:  # noqa: BLE001 - as for the command itself
            self.log.failure("a console command met a bug")
            found = [_ANSWER_ENDED]
            lines = iter(())
        if found:
            self._write(found)
        if len(found) == SLICE:
            return False
        self._answer = None
        if not self._lines and not self._is_last:
            self._prompt()
        return True

    def _write(self, lines: Lines) -> None:
        text = "".join(f"{_shown(line)}{_END}" for line in lines)
        self.transport.write(text.encode(ENCODING, "replace"))

    def _prompt(self) -> None:
        ident = self._server.identity.ident
        self.transport.write(f"{ident}> ".encode(ENCODING, "replace"))

    def _wait_for_him(self) -> None:
        if self._idle is None or not self._idle.active():
            self._idle = self._clock.callLater(self._idle_timeout, self._time_out)
        else:
            self._idle.reset(self._idle_timeout)

    def _time_out(self) -> None:
        if self._is_busy and self._stall is None:
            self._wait_for_him()  # it is we who keep him waiting
            return
        self._write((TIMEOUT,))
        self.hang_up()

    def _cut(self) -> None:
        self._complaints.note("consoles that did not read", self.console.address)
        self.abort()


def _shown(line: str) -> str:
    """Return a line that does nothing to a terminal; a usage may be of some lines."""
    return _END.join(_CONTROL.sub(" ", part) for part in line.split(_END))
