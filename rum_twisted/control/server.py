"""Answers the operator's questions: the side of the running server.

Who may ask is decided by the socket file's mode: the account that runs the server,
and root. All the same everything is bounded: connections, lines, answers and time.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.defer import TimeoutError as TookTooLong
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.control.lines import (
    LONGEST_QUESTION,
    Refused,
    Unreadable,
    read_question,
    write_answer,
    write_error,
)
from rum_twisted.control.socketfile import CannotOpen, SocketFile
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.units import Seconds

__all__ = ["Command", "ControlSocket", "Conversation"]

Command = Callable[[Mapping[str, Any]], Any]
"""Carries a command out, given its arguments.

What it returns, at once or as a Deferred, is the answer: a value that JSON can hold.
It raises `Refused` to say why not.
"""

MOST_CONVERSATIONS: Final = 8  # at the same time; rumctl asks one question, and goes
ANSWER_WITHIN: Final = Seconds(30.0)
IDLE_TIMEOUT: Final = Seconds(60.0)  # without a question, or with an answer not read
_CONVERSATION: Final = 4000  # bytes, its longest line not counted


class Conversation(LineReceiver):
    """One connection's questions, answered one after the other.

    Args:
        commands: what may be asked, by name.
        clock: bounds each wait.
        ended: told when the connection is gone.
    """

    log = Logger()
    delimiter = b"\n"
    MAX_LENGTH = LONGEST_QUESTION
    transport: Any  # ITransport, and always there when it is used

    def __init__(
        self,
        commands: Mapping[str, Command],
        clock: IReactorTime,
        ended: Callable[["Conversation"], None],
    ) -> None:
        self._commands = commands
        self._clock = clock
        self._ended = ended
        self._answer: Deferred[Any] | None = None  # waited for
        self._idle: IDelayedCall | None = None

    @override
    def connectionMade(self) -> None:
        """Wait for questions, but not for ever."""
        self._wait()

    @override
    def lineReceived(self, line: bytes) -> None:
        """Answer one question; those that follow wait."""
        try:
            question = read_question(line)
        except Unreadable as error:
            self._say(write_error(str(error)))
            return
        command = self._commands.get(question.command)
        if command is None:
            known = ", ".join(sorted(self._commands)) or "none"
            text = f"no such command: {question.command!r}; known are: {known}"
            self._say(write_error(text))
            return
        self._stop_waiting()
        self.pauseProducing()
        answer = maybeDeferred(command, question.arguments)
        self._answer = answer
        answer.addTimeout(ANSWER_WITHIN, self._clock)
        answer.addCallback(write_answer)
        answer.addErrback(self._excuse, question.command)
        answer.addCallback(self._finish)

    @override
    def lineLengthExceeded(self, line: bytes) -> None:
        """Say what the bound is, and hang up."""
        text = f"the question is longer than {LONGEST_QUESTION} bytes"
        self._say(write_error(text))
        self.transport.loseConnection()

    @override
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give up what nobody waits for any more."""
        self._stop_waiting()
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.cancel()
        self._ended(self)

    def abort(self) -> None:
        """End the conversation at once."""
        self.transport.abortConnection()

    def _excuse(self, failure: Failure, command: str) -> bytes:
        """Return the line that says why there is no answer."""
        error = failure.value
        if isinstance(error, Refused):
            return write_error(str(error))
        if isinstance(error, TookTooLong):
            return write_error(f"{command}: no answer within {ANSWER_WITHIN:g} s")
        if not isinstance(error, CancelledError):
            self.log.failure(
                "control command {command} failed", failure, command=command
            )
        return write_error(f"{command}: it failed; the server's log says why")

    def _finish(self, line: bytes) -> None:
        if self._answer is None:  # the connection is gone
            return
        self._answer = None
        self._say(line)
        self.resumeProducing()

    def _say(self, line: bytes) -> None:
        self.transport.write(line)
        self._wait()

    def _wait(self) -> None:
        self._stop_waiting()
        self._idle = self._clock.callLater(IDLE_TIMEOUT, self.abort)

    def _stop_waiting(self) -> None:
        if self._idle is not None and self._idle.active():
            self._idle.cancel()
        self._idle = None


class _Conversations(ServerFactory):
    """Makes a conversation for each connection, and not too many at a time."""

    noisy = False

    def __init__(self, commands: Mapping[str, Command], clock: IReactorTime) -> None:
        self._commands = commands
        self._clock = clock
        self.under_way: set[Conversation] = set()

    @override
    def buildProtocol(self, addr: IAddress | None) -> Conversation | None:
        """Return the protocol of a new connection; ``None`` hangs up."""
        if len(self.under_way) >= MOST_CONVERSATIONS:
            return None
        conversation = Conversation(self._commands, self._clock, self.under_way.discard)
        self.under_way.add(conversation)
        return conversation


class ControlSocket(Service):
    """Listens on a socket file that only the server's own account may open.

    A server does its work without it: where the file cannot be made, the log says so.
    Invariant: the file is there exactly while the service runs and could make it.

    Args:
        path: the socket file; folders on the way to it are made.
        reactor: what it listens on, and the clock.
        commands: what may be asked, by name.
    """

    log = Logger()
    name = "control"

    def __init__(
        self, path: Path, reactor: Any, commands: Mapping[str, Command]
    ) -> None:
        self._factory = _Conversations(commands, reactor)
        self._file = SocketFile(path, reactor)

    @override
    def __repr__(self) -> str:
        return f"<ControlSocket {self._file}>"

    @override
    def startService(self) -> None:
        """Listen, from now on."""
        super().startService()
        try:
            self._file.open(self._factory)
        except CannotOpen as error:
            self.log.warn(
                "control socket {path} cannot be made: {trouble}; rumctl cannot reach"
                " this server",
                path=self._file.path,
                trouble=str(error),
            )

    @override
    def stopService(self) -> Deferred[None]:
        """Close the socket and every conversation, and remove the file."""
        super().stopService()
        for conversation in tuple(self._factory.under_way):
            conversation.abort()
        return self._file.close()

    def measures(self) -> dict[str, Callable[[], Measure]]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"control": self.measure}

    def measure(self) -> Measure:
        """Tell how many conversations are under way."""
        count = len(self._factory.under_way)
        return Measure(
            count=count, bytes=count * _CONVERSATION, bound=MOST_CONVERSATIONS
        )
