"""The manhole on a socket file, for ``rumctl manhole``.

Whoever may open the file may do anything in the server; that is the account that runs
it, and root, who can do so anyway. Each line that is run is in the log, and in the
audit log, with who ran it. Between two lines the server has its turn, however many
come at once.
"""

import os
import pwd
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.admin.manhole.lines import (
    INTERRUPT,
    LONGEST_LINE,
    MORE,
    PROMPT,
    Unreadable,
    read_line,
    write_line,
)
from rum_twisted.admin.manhole.seats import MOST_OPERATORS, Seats
from rum_twisted.control.socketfile import CannotOpen, SocketFile
from rum_twisted.terms.measure import Measure

if TYPE_CHECKING:  # not before somebody comes
    from rum_twisted.admin.manhole.shell import Shell

__all__ = ["IsAsked", "ManholeSocket", "Note", "OpenShell", "Prompt"]

_OPERATOR: Final = 20_000  # bytes: the connection, the shell and its names
_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid
_PEEK: Final = 4096  # bytes

IsAsked = Callable[[], bool]
"""Tells whether the operator asks for an end; called by another thread."""


OpenShell = Callable[[Callable[[str], None], IsAsked, Callable[[], None]], "Shell"]
"""Returns a prompt for one operator; see `shell.Shell` for the arguments."""


Note = Callable[[str, str, str], None]
"""Writes into the audit log who is about to run what, and where he sits."""


class Prompt(LineReceiver):
    """One operator's connection.

    Args:
        open_shell: makes what runs his lines.
        seats: where he has one; left when the connection is gone.
        note: writes down what he runs.
        clock: gives the server its turn between two lines.
    """

    log = Logger()
    delimiter = b"\n"
    MAX_LENGTH = LONGEST_LINE
    transport: Any  # a socket's, and always there when it is used

    def __init__(
        self, open_shell: OpenShell, seats: Seats, note: Note, clock: IReactorTime
    ) -> None:
        self._open_shell = open_shell
        self._seats = seats
        self._note = note
        self._clock = clock
        self._shell: Shell | None = None
        self._turn: IDelayedCall | None = None  # the server's, before the next line
        self._is_full = False  # he does not read what is said
        self._asks = 0  # interrupts that have been received, and not yet read
        self.who = "?"
        self.where = "?"

    @override
    def __repr__(self) -> str:
        return f"<Prompt of {self.who} ({self.where})>"

    @property
    def is_known(self) -> bool:
        """See `Seated`: who may open the file is known by that."""
        return True

    @override
    def connectionMade(self) -> None:
        """Greet, and ask for a line."""
        # While he does not read what is said, nothing he says is read.
        self.transport.registerProducer(self, streaming=True)
        self.who, self.where = _peer(self.transport.getHandle())
        self.log.info(
            "manhole: {who} ({where}) has come", who=self.who, where=self.where
        )
        self._shell = self._open_shell(self._say, self._is_asked, self._ask)
        self._say(
            "Rum: you are inside the running server. help() tells what is here.\n"
        )
        self._ask()

    @override
    def dataReceived(self, data: bytes) -> None:
        """Take bytes, and note whether he asks for an end behind other lines."""
        self._asks += data.count(INTERRUPT)
        super().dataReceived(data)

    @override
    def pauseProducing(self) -> None:
        """Take no more lines: he does not read what is said."""
        self._is_full = True
        super().pauseProducing()

    @override
    def resumeProducing(self) -> None:
        """Take lines again, if it is not the server's turn."""
        self._is_full = False
        if self._turn is None:
            super().resumeProducing()

    def _give_turn(self) -> None:
        """Let the server have its turn before another line is read."""
        if self._turn is None and self._shell is not None:
            super().pauseProducing()
            self._turn = self._clock.callLater(0, self._have_turn)

    def _have_turn(self) -> None:
        self._turn = None
        if not self._is_full:
            super().resumeProducing()

    @override
    def lineReceived(self, line: bytes) -> None:
        """Do what one line asks for."""
        shell = self._shell
        if shell is None:
            return  # it came with lines that have ended the connection
        self._seats.use(self)
        self._give_turn()
        try:
            what, content = read_line(line)
        except Unreadable as error:
            self._say(f"{error}\n")
            return
        match what, content:
            case "run", str(text):
                self._run(shell, text)
            case "complete", str(text):
                self._send({"completions": shell.complete(text)})
            case "interrupt", True:
                self._asks = max(self._asks - 1, 0)
                self._interrupt(shell)
            case _:
                self._say(f"{what}: due a text\n")

    @override
    def lineLengthExceeded(self, line: bytes) -> None:
        """Say what the bound is, and hang up."""
        self._say(f"a line has at most {LONGEST_LINE} bytes\n")
        self.transport.loseConnection()

    @override
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note that he has gone."""
        self.transport.unregisterProducer()
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.cancel()
        if self._shell is not None:
            self._shell.interrupt()
            self._shell = None
        self.log.info(
            "manhole: {who} ({where}) has gone", who=self.who, where=self.where
        )
        self._seats.leave(self)

    def abort(self) -> None:
        """End the connection at once."""
        self.transport.abortConnection()

    def _run(self, shell: "Shell", text: str) -> None:
        if shell.is_waiting:
            self._say("wait for the prompt, or interrupt\n")
            return
        if text.strip():
            self.log.info("manhole: {who} runs: {line}", who=self.who, line=text)
            self._note(self.who, text, self.where)
        shell.push(text)
        if not shell.is_waiting:
            self._ask()

    def _interrupt(self, shell: "Shell") -> None:
        # What was run when he asked has ended by now, and has been answered.
        if shell.is_waiting or shell.is_unfinished:
            shell.interrupt()
            self._ask()

    def _ask(self) -> None:
        """Ask for the next line."""
        shell = self._shell
        if shell is not None:
            self._send({"prompt": MORE if shell.is_unfinished else PROMPT})

    def _say(self, text: str) -> None:
        self._send({"say": text})

    def _send(self, content: Mapping[str, object]) -> None:
        self.transport.write(write_line(content))

    def _is_asked(self) -> bool:
        """Tell whether he asks for an end, or has gone, while the reactor is busy."""
        if self._asks:
            return True
        try:
            waiting = self.transport.getHandle().recv(
                _PEEK, socket.MSG_PEEK | socket.MSG_DONTWAIT
            )
        except BlockingIOError:
            return False
        except OSError:
            return True
        return not waiting or INTERRUPT in waiting


class _Prompts(ServerFactory):
    """Makes a prompt for each operator, and not too many at a time."""

    noisy = False

    def __init__(self, open_shell: OpenShell, note: Note, clock: IReactorTime) -> None:
        self._open_shell = open_shell
        self._note = note
        self._clock = clock
        self.seats = Seats(clock.seconds)

    @override
    def buildProtocol(self, addr: IAddress | None) -> Prompt | None:
        """Return the protocol of a new connection; ``None`` hangs up."""
        prompt = Prompt(self._open_shell, self.seats, self._note, self._clock)
        return prompt if self.seats.take(prompt) else None


class ManholeSocket(Service):
    """Listens on a socket file that only the server's own account may open.

    A server does its work without it: where the file cannot be made, the log says so.

    Args:
        path: the socket file; folders on the way to it are made.
        reactor: what it listens on.
        open_shell: makes what runs an operator's lines.
        note: writes down what they run.
    """

    log = Logger()
    name = "manhole"

    def __init__(
        self, path: Path, reactor: Any, open_shell: OpenShell, note: Note
    ) -> None:
        self._factory = _Prompts(open_shell, note, reactor)
        self._file = SocketFile(path, reactor)

    @override
    def __repr__(self) -> str:
        return f"<ManholeSocket {self._file}, {len(self._factory.seats)} operators>"

    @override
    def startService(self) -> None:
        """Listen, from now on."""
        super().startService()
        try:
            self._file.open(self._factory)
        except CannotOpen as error:
            self.log.warn(
                "manhole {path} cannot be made: {trouble}; rumctl manhole cannot reach"
                " this server",
                path=self._file.path,
                trouble=str(error),
            )

    @override
    def stopService(self) -> Deferred[None]:
        """Close the socket and every prompt, and remove the file."""
        super().stopService()
        for prompt in self._factory.seats:
            prompt.abort()
        return self._file.close()

    def measures(self) -> dict[str, Callable[[], Measure]]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"manhole": self.measure}

    def measure(self) -> Measure:
        """Tell how many operators there are; what they make is not counted."""
        count = len(self._factory.seats)
        return Measure(count=count, bytes=count * _OPERATOR, bound=MOST_OPERATORS)


def _peer(handle: socket.socket) -> tuple[str, str]:
    """Return who is at the other end of a socket file, and in which process."""
    found = handle.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(found)
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid {uid}"
    return name, "ourselves" if pid == os.getpid() else f"process {pid}"
