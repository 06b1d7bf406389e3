"""An SSH client with a key, and what its terminal shows."""

from typing import Any

from twisted.conch.error import ConchError
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.connection import SSHConnection
from twisted.conch.ssh.keys import Key
from twisted.conch.ssh.session import packRequest_pty_req
from twisted.conch.ssh.transport import SSHClientTransport
from twisted.conch.ssh.userauth import SSHUserAuthClient
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from typing_extensions import override

__all__ = ["SSHTerminal", "connect_ssh"]

_USER = b"operator"


class SSHTerminal:
    """What a terminal shows; nothing that steers it is taken out."""

    def __init__(self) -> None:
        self.shown = ""
        self.reason: Failure | None = None
        self.channel: Any = None
        self.transport: Any = None
        self._waiting: list[Deferred[None]] = []

    def type(self, keys: str) -> None:
        """Hit keys."""
        self.channel.write(keys.encode())

    async def until(self, text: str) -> str:
        """Return what is shown up to ``text``; it is forgotten.

        Raises:
            EOFError: the connection ended before.
        """
        while text not in self.shown:
            if self.reason is not None:
                raise EOFError(self.reason.getErrorMessage())
            change: Deferred[None] = Deferred()
            self._waiting.append(change)
            await change
        before, _, self.shown = self.shown.partition(text)
        return before + text

    def take(self, data: bytes) -> None:
        """Show something."""
        self.shown += data.decode("utf-8", "replace")
        self._tell()

    def end(self, reason: Failure) -> None:
        """Note the end."""
        self.reason = reason
        self._tell()

    def close(self) -> "Deferred[None]":
        """Hang up, and wait for the end."""
        ended: Deferred[None] = Deferred()
        if self.reason is not None:
            return succeed(None)
        self._waiting.append(ended)
        self.transport.transport.abortConnection()
        return ended

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)


class _Channel(SSHChannel):
    """A session with a terminal."""

    name = b"session"
    terminal: SSHTerminal
    opened: "Deferred[SSHTerminal]"

    @override
    def channelOpen(self, specificData: bytes) -> None:
        """Ask for a terminal and a shell."""
        conn: Any = self.conn
        size = packRequest_pty_req(b"xterm", (24, 80, 0, 0), b"")
        conn.sendRequest(self, b"pty-req", size)
        conn.sendRequest(self, b"shell", b"")
        self.terminal.channel = self
        self.opened.callback(self.terminal)

    @override
    def dataReceived(self, data: bytes) -> None:
        """Show it."""
        self.terminal.take(data)


class _Connection(SSHConnection):
    """Opens the session when there is a connection."""

    def __init__(self, channel: _Channel) -> None:
        super().__init__()
        self._channel = channel

    @override
    def serviceStarted(self) -> None:
        """Open it."""
        super().serviceStarted()
        self.openChannel(self._channel)


class _Auth(SSHUserAuthClient):
    """Shows one key, and has nothing else to show."""

    def __init__(self, key: Key, connection: _Connection) -> None:
        super().__init__(_USER, connection)
        self._key: Key | None = key

    @override
    def getPublicKey(self) -> Key | None:
        """Return the key, once."""
        key, self._shown = self._key, self._key
        self._key = None
        return None if key is None else key.public()

    @override
    def getPrivateKey(self) -> "Deferred[Key]":
        """Return the key that was shown."""
        assert self._shown is not None, "it is asked for behind the public one"
        return succeed(self._shown)


class _Transport(SSHClientTransport):
    """Takes any server for the right one: the test has started it."""

    def __init__(self, key: Key, channel: _Channel) -> None:
        self._key = key
        self._channel = channel

    @override
    def verifyHostKey(self, pubKey: bytes, fingerprint: str) -> "Deferred[int]":
        """Take it."""
        return succeed(1)

    @override
    def connectionSecure(self) -> None:
        """Log on."""
        self.requestService(_Auth(self._key, _Connection(self._channel)))

    @override
    def connectionLost(self, reason: Failure | None = connectionDone) -> None:
        """Tell of the end."""
        super().connectionLost(reason)
        channel = self._channel
        channel.terminal.end(connectionDone if reason is None else reason)
        if not channel.opened.called:
            channel.opened.errback(ConchError("not let in"))


def connect_ssh(reactor: Any, port: int, key: Key) -> "Deferred[SSHTerminal]":
    """Return a terminal on a server of this machine.

    Raises:
        ConchError: it does not let us in.
    """
    channel = _Channel()
    channel.terminal = SSHTerminal()
    channel.opened = Deferred()
    transport = _Transport(key, channel)
    channel.terminal.transport = transport
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
    connecting = connectProtocol(endpoint, transport)
    connecting.addErrback(channel.opened.errback)
    return channel.opened
