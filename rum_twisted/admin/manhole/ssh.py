"""The manhole over SSH, for whoever has a key: on a loopback address, and nowhere else.

From another machine one comes in by way of that machine's own SSH server:
``ssh -J rum.example.net -p 6022 localhost``. There are no passwords. The file of keys
is read at each logon, so a key that is struck out is out at once. Anybody on this
machine may connect; who has not shown a key after some seconds is hung up on, and
before that if somebody else comes.
"""

import os
import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.application.service import Service
from twisted.conch.checkers import (
    IAuthorizedKeysDB,
    SSHPublicKeyChecker,
    readAuthorizedKeyFile,
)
from twisted.conch.insults.insults import ServerProtocol
from twisted.conch.interfaces import IConchUser, ISession
from twisted.conch.manhole import Manhole
from twisted.conch.manhole_ssh import TerminalRealm, TerminalSession
from twisted.conch.ssh.connection import EXTENDED_DATA_STDERR
from twisted.conch.ssh.factory import SSHFactory
from twisted.conch.ssh.keys import BadKeyError, FingerprintFormats, Key
from twisted.conch.ssh.transport import SSHServerTransport
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.admin.manhole.lines import LONGEST_LINE, MORE, PROMPT
from rum_twisted.admin.manhole.seats import Seats
from rum_twisted.admin.manhole.server import Note, OpenShell
from rum_twisted.terms.units import Seconds

if TYPE_CHECKING:  # not before somebody comes
    from rum_twisted.admin.manhole.shell import Shell

__all__ = ["LOGON_TIMEOUT", "MOST_HISTORY", "MOST_PASTED", "KeyFile", "SSHManhole"]

LOGON_TIMEOUT: Final = Seconds(30.0)  # to show a key; a person may have to unlock it
MOST_PASTED: Final = 256 << 10  # characters of the lines that wait to be run
MOST_HISTORY: Final = 200  # lines that the arrows go back to
_LINE: Final = 50  # characters that a line counts for besides its own
_MOST_UNREAD: Final = 256 << 10  # bytes; until he has read some, nothing more is run
_LOOK: Final = Seconds(0.1)  # between two looks whether he has
_NO_COMMANDS: Final = b"commands are not run; lines through standard input are (ssh -T)"
_ENDED_WELL: Final = struct.pack(">L", 0)  # an exit status
_FAILED: Final = struct.pack(">L", 1)
_OWNER_ONLY: Final = 0o600
_BEYOND_ASCII: Final = b"\x80"
_COLUMNS: Final = 80  # of a client that does not tell
_ROWS: Final = 24


@implementer(IAuthorizedKeysDB)
class KeyFile:
    """The keys that let in, whatever name somebody gives: an ``authorized_keys`` file.

    Args:
        path: the file.
    """

    log = Logger()

    def __init__(self, path: Path) -> None:
        self._path = path

    def getAuthorizedKeys(self, avatarId: bytes) -> Iterable[Key]:  # noqa: N802, N803
        """Return the keys; none if the file cannot be read."""
        try:
            with self._path.open("rb") as file:
                return list(readAuthorizedKeyFile(file))
        except (OSError, BadKeyError, ValueError) as error:
            self.log.warn(
                "manhole: {path} cannot be read: {trouble}; nobody comes in by SSH",
                path=self._path,
                trouble=getattr(error, "strerror", None) or str(error),
            )
            return []


class _Checker(SSHPublicKeyChecker):
    """Tells whose key it is that lets in, besides the name that he gave."""

    @override
    def requestAvatarId(self, credentials: Any) -> Any:
        """Return name and key; see there."""
        asked = super().requestAvatarId(credentials)
        return asked.addCallback(self._with_key, credentials.blob)

    def _with_key(self, name: bytes, blob: bytes) -> bytes:
        key = Key.fromString(blob).fingerprint(FingerprintFormats.SHA256_BASE64)
        return b"%s (key SHA256:%s)" % (name, key.encode("ascii"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _House:
    """What is behind the door."""

    open_shell: OpenShell
    note: Note
    clock: IReactorTime


class _Terminal(Manhole):
    """One operator's terminal: keys in, a screen out.

    Lines that are pasted wait for each other, and the server has its turn in between;
    Ctrl-C forgets those that wait.

    Args:
        house: what is behind the door.
        who: his name as he gave it, and his key.
        channel: keeps what he has not read.
    """

    log = Logger()
    ps = (PROMPT.encode(), MORE.encode())
    terminal: Any  # conch's own, and always there when it is used

    def __init__(self, house: _House, who: str, channel: Any) -> None:
        super().__init__()
        self._house = house
        self._who = who
        self._channel = channel
        self._shell: Shell | None = None
        self._pasted: deque[str] = deque()
        self._waiting = 0  # characters of those
        self._is_ending = False  # no more lines come
        self._turn: IDelayedCall | None = None  # the server's, before the next line

    @override
    def __repr__(self) -> str:
        return f"<_Terminal of {self._who}: {len(self._pasted)} lines wait>"

    @override
    def connectionMade(self) -> None:
        """Greet, and ask for a line."""
        super().connectionMade()
        self._shell = self._house.open_shell(self._say, lambda: False, self._answered)
        self.keyHandlers[b"\t"] = self._complete
        self.log.info("manhole: {who} has come by SSH", who=self._who)

    @override
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note that he has gone."""
        self._forget_pasted()
        if self._shell is not None:
            self._shell.interrupt()
            self._shell = None
            self.log.info("manhole: {who} has gone", who=self._who)

    @override
    def keystrokeReceived(self, keyID: bytes, modifier: object) -> None:
        """Take a key, or a byte of a letter; what means nothing is not even told of."""
        if keyID in self.keyHandlers or keyID in self._printableChars:
            super().keystrokeReceived(keyID, modifier)
        elif len(keyID) == 1 and keyID >= _BEYOND_ASCII:
            self.characterReceived(keyID, False)  # noqa: FBT003 - conch's

    @override
    def characterReceived(self, ch: bytes, moreCharactersComing: bool) -> None:
        """Add to the line, while it has room."""
        if len(self.lineBuffer) < LONGEST_LINE:
            super().characterReceived(ch, moreCharactersComing)

    @override
    def handle_RETURN(self) -> None:
        """Run the line, and keep it for the arrows."""
        super().handle_RETURN()
        del self.historyLines[:-MOST_HISTORY]
        self.historyPosition = len(self.historyLines)

    @override
    def lineReceived(self, line: bytes) -> None:
        """Run a line when its turn comes."""
        text = line.decode("utf-8", "replace")
        size = len(text) + _LINE
        if self._waiting + size > MOST_PASTED:
            self._say(f"at most {MOST_PASTED:,} characters wait to be run\n")
            return
        self._waiting += size
        self._pasted.append(text)
        self._go_on()

    def finish(self) -> None:
        """Hang up when all lines have been run: no more come."""
        self._is_ending = True
        self._go_on()

    def _go_on(self) -> None:
        """Have the next line run in a turn of its own."""
        if self._turn is not None or self._opened.is_waiting:
            return
        if self._pasted or self._is_ending:
            delay = 0.0 if len(self._channel.buf) < _MOST_UNREAD else _LOOK
            self._turn = self._house.clock.callLater(delay, self._have_turn)

    def _have_turn(self) -> None:
        self._turn = None
        if len(self._channel.buf) >= _MOST_UNREAD:
            self._go_on()
        elif self._pasted:
            text = self._pasted.popleft()
            self._waiting -= len(text) + _LINE
            self._run(text)
        elif self._opened.is_unfinished:
            self._run("")
        else:
            self.handle_QUIT()

    def _run(self, text: str) -> None:
        shell = self._opened
        if text.strip():
            self.log.info("manhole: {who} runs: {line}", who=self._who, line=text)
            self._house.note(self._who, text, "SSH")
        shell.push(text)
        if self._shell is not None and not shell.is_waiting:
            self._answered()

    def _answered(self) -> None:
        """Ask for a line, and run the next one if it is there already."""
        self._ask()
        self._go_on()

    def _forget_pasted(self) -> None:
        self._pasted.clear()
        self._waiting = 0
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.cancel()

    @override
    def handle_INT(self) -> None:
        """Forget what was begun, and what waits to be run: Ctrl-C."""
        self._forget_pasted()
        self._opened.interrupt()
        self.lineBuffer: list[bytes] = []
        self.lineBufferIndex = 0
        self.terminal.nextLine()
        self._ask()

    @override
    def handle_QUIT(self) -> None:
        """End well: Ctrl-D."""
        self._channel.conn.sendRequest(self._channel, b"exit-status", _ENDED_WELL)
        super().handle_QUIT()

    @property
    def _opened(self) -> "Shell":
        assert self._shell is not None, "it is opened with the connection"
        return self._shell

    def _complete(self) -> None:
        """Go on with what is being typed, or show in which ways that may go on."""
        typed = b"".join(self.lineBuffer[: self.lineBufferIndex]).decode(
            "utf-8", "replace"
        )
        found = self._opened.complete(typed)
        common = _common_start(found)
        overlap = max(
            (size for size in range(len(common) + 1) if typed.endswith(common[:size])),
            default=0,
        )
        if rest := common[overlap:]:
            for letter in rest:
                self.characterReceived(letter.encode(), False)  # noqa: FBT003 - conch's
        elif len(found) > 1:
            self.terminal.nextLine()
            self._say("  ".join(name.rpartition(".")[2] for name in found) + "\n")
            self.terminal.write(self.ps[self.pn] + b"".join(self.lineBuffer))

    def _say(self, text: str) -> None:
        self.terminal.write(text.encode("utf-8", "replace"))

    def _ask(self) -> None:
        self.pn = int(self._opened.is_unfinished)
        self.terminal.write(self.ps[self.pn])


class _Session(TerminalSession):
    """What a client asks of its session: a terminal, of some size or none."""

    width = _COLUMNS
    height = _ROWS
    house: _House
    who: str
    _terminal: _Terminal | None = None

    @override
    def openShell(self, proto: Any) -> None:
        """Open a prompt."""
        self._terminal = terminal = _Terminal(self.house, self.who, proto.session)
        chained = ServerProtocol(lambda: terminal)
        user = IConchUser(self.original)
        self.transportFactory(proto, chained, user, self.width, self.height)

    @override
    def execCommand(self, proto: Any, cmd: bytes) -> None:
        """Say that no command is run, and what to do instead."""
        channel = proto.session
        channel.writeExtended(EXTENDED_DATA_STDERR, _NO_COMMANDS + b"\n")
        channel.conn.sendRequest(channel, b"exit-status", _FAILED)
        channel.loseConnection()

    @override
    def windowChanged(self, newWindowSize: object) -> None:
        """Lines go on where they are; the next is drawn as the terminal has it."""

    @override
    def eofReceived(self) -> None:
        """Hang up when what has come has been run."""
        if self._terminal is not None:
            self._terminal.finish()


@implementer(IRealm)
class _Realm(TerminalRealm):
    """Gives each operator a terminal.

    Args:
        house: what is behind the door.
    """

    sessionFactory = _Session  # noqa: N815 - conch looks it up

    def __init__(self, house: _House) -> None:
        super().__init__()
        self._house = house

    @override
    def _getAvatar(self, avatarId: bytes) -> Any:
        user = super()._getAvatar(avatarId)
        session: Any = ISession(user)
        session.house = self._house
        session.who = avatarId.decode("utf-8", "replace")
        return user


class _Transport(SSHServerTransport):
    """One connection."""

    factory: "_Factory"
    _deadline: IDelayedCall | None = None

    @override
    def __repr__(self) -> str:
        return f"<_Transport: {'an operator' if self.is_known else 'a stranger'}>"

    @property
    def is_known(self) -> bool:
        """See `Seated`."""
        return hasattr(self, "avatar")  # conch sets it when he has shown a key

    @override
    def connectionMade(self) -> None:
        """Wait for a key, but not for ever."""
        super().connectionMade()
        clock = self.factory.clock
        self._deadline = clock.callLater(LOGON_TIMEOUT, self._hang_up_on_stranger)

    @override
    def dataReceived(self, data: bytes) -> None:
        """Take bytes, and note that he does something."""
        self.factory.seats.use(self)
        super().dataReceived(data)

    @override
    def connectionLost(self, reason: Failure | None = connectionDone) -> None:
        """Make room for another."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self.factory.seats.leave(self)
        super().connectionLost(reason)

    @override
    def ssh_DISCONNECT(self, packet: bytes) -> None:
        """Hang up: he says that he goes, and that is no error."""
        assert self.transport is not None, "it has brought the packet"
        self.transport.loseConnection()

    def abort(self) -> None:
        """End the connection at once."""
        socket: Any = self.transport
        socket.abortConnection()

    def _hang_up_on_stranger(self) -> None:
        if not self.is_known:
            self.abort()


class _Factory(SSHFactory):
    """Speaks SSH with a few at a time.

    Args:
        house: what is behind the door.
        keys: whose keys let in.
        host_key: our own.
    """

    noisy = False
    protocol = _Transport

    def __init__(self, house: _House, keys: KeyFile, host_key: Key) -> None:
        self.portal = Portal(_Realm(house), [_Checker(keys)])
        self._host_key = host_key
        self.clock = house.clock
        self.seats = Seats(house.clock.seconds)

    @override
    def getPublicKeys(self) -> dict[bytes, Key]:
        """Return what clients know us by."""
        return {self._host_key.sshType(): self._host_key.public()}

    @override
    def getPrivateKeys(self) -> dict[bytes, Key]:
        """Return what proves that."""
        return {self._host_key.sshType(): self._host_key}

    @override
    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return the protocol of a new connection; ``None`` hangs up."""
        connection = super().buildProtocol(addr)
        assert isinstance(connection, _Transport), "the class above says so"
        return connection if self.seats.take(connection) else None


class SSHManhole(Service):
    """Listens for SSH.

    A server does its work without it: where it cannot listen, the log says so.

    Args:
        address: a loopback address, and a port from 0 to 65535.
        reactor: what it listens on.
        open_shell: makes what runs an operator's lines.
        note: writes down what they run.
        keys: whose keys let in.
        host_key: the file of our own; made where there is none.
    """

    log = Logger()
    name = "manhole over SSH"

    def __init__(
        self,
        address: tuple[str, int],
        reactor: Any,
        open_shell: OpenShell,
        note: Note,
        *,
        keys: KeyFile,
        host_key: Path,
    ) -> None:
        self._host, self._asked_port = address
        self._reactor = reactor
        self._house = _House(open_shell=open_shell, note=note, clock=reactor)
        self._keys = keys
        self._host_key = host_key
        self._port: Any = None
        self._factory: _Factory | None = None

    @override
    def __repr__(self) -> str:
        return f"<SSHManhole {self._host}:{self.port or 'closed'}>"

    @property
    def port(self) -> int:
        """The port that is listened on; 0 while there is none."""
        return 0 if self._port is None else int(self._port.getHost().port)

    @override
    def startService(self) -> None:
        """Listen, from now on."""
        super().startService()
        try:
            factory = _Factory(self._house, self._keys, _key_of(self._host_key))
            self._port = self._reactor.listenTCP(
                self._asked_port, factory, interface=self._host
            )
        except (CannotListenError, OSError, BadKeyError) as error:
            reason = getattr(error, "socketError", error)
            self.log.warn(
                "manhole over SSH on {host}:{port} cannot be had: {trouble}",
                host=self._host,
                port=self._asked_port,
                trouble=getattr(reason, "strerror", None) or str(reason),
            )
        else:
            self._factory = factory

    @override
    def stopService(self) -> Deferred[None]:
        """Listen no more, and hang up."""
        super().stopService()
        port, self._port = self._port, None
        factory, self._factory = self._factory, None
        if factory is not None:
            for connection in factory.seats:
                connection.abort()
        return succeed(None) if port is None else maybeDeferred(port.stopListening)


def _key_of(path: Path) -> Key:
    """Return the key in a file; it is made, for its owner only, where there is none.

    Raises:
        OSError: it can be neither read nor made.
        BadKeyError: it is none.
    """
    try:
        found: Key = Key.fromFile(str(path))
    except FileNotFoundError:
        key = Key(Ed25519PrivateKey.generate())
        path.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        with os.fdopen(number, "wb") as file:
            file.write(key.toString("openssh"))
        return key
    return found


def _common_start(names: list[str]) -> str:
    """Return what all names begin with."""
    if not names:
        return ""
    first, last = min(names), max(names)
    size = next(
        (
            place
            for place, (one, other) in enumerate(zip(first, last, strict=False))
            if one != other
        ),
        min(len(first), len(last)),
    )
    return first[:size]
