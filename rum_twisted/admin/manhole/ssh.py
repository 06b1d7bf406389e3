"""The manhole over SSH, for whoever has a key: on a loopback address, and nowhere else.

From another machine one comes in by way of that machine's own SSH server:
``ssh -J rum.example.net -p 6022 localhost``. There are no passwords. The file of keys
is read at each logon, so a key that is struck out is out at once.
"""

import os
from collections.abc import Iterable
from functools import partial
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
from twisted.conch.manhole import Manhole
from twisted.conch.manhole_ssh import TerminalRealm, TerminalSession
from twisted.conch.ssh.factory import SSHFactory
from twisted.conch.ssh.keys import BadKeyError, Key
from twisted.conch.ssh.transport import SSHServerTransport
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.admin.manhole.lines import MORE, PROMPT
from rum_twisted.admin.manhole.server import MOST_OPERATORS, OpenShell

if TYPE_CHECKING:  # not before somebody comes
    from rum_twisted.admin.manhole.shell import Shell

__all__ = ["KeyFile", "SSHManhole"]

_OWNER_ONLY: Final = 0o600
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


class _Terminal(Manhole):
    """One operator's terminal: keys in, a screen out.

    Args:
        open_shell: makes what runs his lines.
        who: his name, as he gave it.
    """

    log = Logger()
    ps = (PROMPT.encode(), MORE.encode())
    terminal: Any  # conch's own, and always there when it is used

    def __init__(self, open_shell: OpenShell, who: str) -> None:
        super().__init__()
        self._open_shell = open_shell
        self._who = f"{who} (SSH)"
        self._shell: Shell | None = None

    @override
    def connectionMade(self) -> None:
        """Greet, and ask for a line."""
        super().connectionMade()
        self._shell = self._open_shell(self._say, lambda: False, self._ask)
        self.keyHandlers[b"\t"] = self._complete
        self.log.info("manhole: {who} has come", who=self._who)

    @override
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note that he has gone."""
        if self._shell is not None:
            self._shell.interrupt()
            self._shell = None
            self.log.info("manhole: {who} has gone", who=self._who)

    @override
    def lineReceived(self, line: bytes) -> None:
        """Run a line."""
        shell = self._opened
        text = line.decode("utf-8", "replace")
        if shell.is_waiting:
            self._say("wait for the result, or press Ctrl-C\n")
            return
        if text.strip():
            self.log.info("manhole: {who} runs: {line}", who=self._who, line=text)
        shell.push(text)
        if not shell.is_waiting:
            self._ask()

    @override
    def handle_INT(self) -> None:
        """Forget what was begun: Ctrl-C."""
        self._opened.interrupt()
        self.lineBuffer: list[bytes] = []
        self.lineBufferIndex = 0
        self.terminal.nextLine()
        self._ask()

    @property
    def _opened(self) -> "Shell":
        assert self._shell is not None, "it is opened with the connection"
        return self._shell

    def _complete(self) -> None:
        """Go on with what is being typed, or show in which ways that may go on."""
        typed = b"".join(self.lineBuffer[: self.lineBufferIndex]).decode("utf-8")
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

    @override
    def windowChanged(self, newWindowSize: object) -> None:
        """Lines go on where they are; the next is drawn as the terminal has it."""

    @override
    def eofReceived(self) -> None:
        """Wait for the end of the connection."""


@implementer(IRealm)
class _Realm(TerminalRealm):
    """Gives each operator a terminal.

    Args:
        open_shell: makes what runs his lines.
    """

    sessionFactory = _Session  # noqa: N815 - conch looks it up

    def __init__(self, open_shell: OpenShell) -> None:
        super().__init__()
        self._open_shell = open_shell

    @override
    def _getAvatar(self, avatarId: bytes) -> Any:
        who = avatarId.decode("utf-8", "replace")
        self.chainedProtocolFactory: Any = partial(
            ServerProtocol, _Terminal, self._open_shell, who
        )
        return super()._getAvatar(avatarId)


class _Transport(SSHServerTransport):
    """One connection."""

    factory: "_Factory"

    @override
    def connectionLost(self, reason: Failure | None = connectionDone) -> None:
        """Make room for another."""
        self.factory.open.discard(self)
        super().connectionLost(reason)


class _Factory(SSHFactory):
    """Speaks SSH with a few at a time.

    Args:
        open_shell: makes what runs an operator's lines.
        keys: whose keys let in.
        host_key: our own.
    """

    noisy = False
    protocol = _Transport

    def __init__(self, open_shell: OpenShell, keys: KeyFile, host_key: Key) -> None:
        self.portal = Portal(_Realm(open_shell), [SSHPublicKeyChecker(keys)])
        self._host_key = host_key
        self.open: set[_Transport] = set()

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
        if len(self.open) >= MOST_OPERATORS:
            return None
        connection = super().buildProtocol(addr)
        assert isinstance(connection, _Transport), "the class above says so"
        self.open.add(connection)
        return connection


class SSHManhole(Service):
    """Listens for SSH.

    A server does its work without it: where it cannot listen, the log says so.

    Args:
        host: a loopback address.
        port: 0 to 65535.
        reactor: what it listens on.
        open_shell: makes what runs an operator's lines.
        keys: whose keys let in.
        host_key: the file of our own; made where there is none.
    """

    log = Logger()
    name = "manhole over SSH"

    def __init__(
        self,
        host: str,
        port: int,
        reactor: Any,
        open_shell: OpenShell,
        *,
        keys: KeyFile,
        host_key: Path,
    ) -> None:
        self._host = host
        self._asked_port = port
        self._reactor = reactor
        self._open_shell = open_shell
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
            factory = _Factory(self._open_shell, self._keys, _key_of(self._host_key))
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
            for connection in tuple(factory.open):
                socket: Any = connection.transport
                socket.abortConnection()
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
