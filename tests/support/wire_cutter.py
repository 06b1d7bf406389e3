"""A TCP connection that a test can cut, or let fall silent."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from typing_extensions import override

from tests.support.twistd import free_port

__all__ = ["WireCutter"]


class _End(Protocol):
    """One end of a connection that is passed on."""

    def __init__(self, cutter: "WireCutter") -> None:
        self._cutter = cutter
        self._waiting: list[bytes] = []
        self.other: _End | None = None

    @override
    def connectionMade(self) -> None:
        self._cutter.ends.add(self)

    @override
    def dataReceived(self, data: bytes) -> None:
        if self._cutter.is_silent:
            return
        if self.other is None or self.other.transport is None:
            self._waiting.append(data)
        else:
            self.other.transport.write(data)

    @override
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._cutter.ends.discard(self)
        if self.other is not None and self.other.transport is not None:
            self.other.transport.loseConnection()

    def join(self, other: "_End") -> None:
        """Pass on to the other end, and what has come already."""
        self.other, other.other = other, self
        for data in self._waiting:
            assert other.transport is not None, "it is connected"
            other.transport.write(data)
        self._waiting.clear()


class _Accepting(Factory):
    def __init__(self, cutter: "WireCutter") -> None:
        self._cutter = cutter

    @override
    def buildProtocol(self, addr: object) -> _End:
        end = _End(self._cutter)
        self._cutter.connect(end)
        return end


class WireCutter:
    """A port of loopback behind which another one is.

    Args:
        reactor: what it runs on.
        port: what is behind it.
    """

    def __init__(self, reactor: Any, port: int) -> None:
        self.ends: set[_End] = set()
        self.is_silent = False  # connections stay, and nothing goes over them
        self._reactor = reactor
        self._behind = port
        # One that nobody takes while it is cut, not even who tries to connect to it.
        self.port = free_port()
        self.mend()

    @property
    def endpoint(self) -> str:
        """Where to connect: host:port."""
        return f"127.0.0.1:{self.port}"

    def connect(self, end: _End) -> None:
        """Connect what has come with what is behind."""
        from twisted.internet.endpoints import (  # noqa: PLC0415 - loads OpenSSL
            TCP4ClientEndpoint,
            connectProtocol,
        )

        def refuse(_: object) -> None:
            if end.transport is not None:
                end.transport.loseConnection()

        connectProtocol(
            TCP4ClientEndpoint(self._reactor, "127.0.0.1", self._behind), _End(self)
        ).addCallbacks(end.join, refuse)

    def cut(self) -> Deferred[None]:
        """Close every connection, and refuse others; fires when that is so."""
        stopped: Deferred[None] = self._listener.stopListening()
        for end in tuple(self.ends):
            transport: Any = end.transport
            transport.abortConnection()
        return stopped

    def mend(self) -> None:
        """Take connections, at the same port each time."""
        self._listener = self._reactor.listenTCP(
            self.port, _Accepting(self), interface="127.0.0.1"
        )
