"""Bounds the head of an answer, which Twisted reads however long it is.

The body of an answer is bounded where it is read (`rum_twisted.weather.fetch`). What
stands in front of it, status line and headers, is not: a source that sends headers
for ever would be believed until its time is over, and fill the memory by then. So
a connection to a source is cut if no body has begun after `LONGEST_HEAD` bytes.

Source: RFC 9112, "Message Format"; RFC 9110, "Informational 1xx".
"""

from collections.abc import Iterable
from typing import Any, Final

from twisted.internet.protocol import Factory
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from typing_extensions import override

__all__ = ["LONGEST_HEAD", "BoundedHeads", "HeadBound"]

LONGEST_HEAD: Final = 32_768  # bytes; real ones have 1,000

_END: Final = b"\r\n\r\n"
_INFORMATIONAL: Final = b"1"  # a head of such a status is followed by another one
_STATUS: Final = slice(9, 10)  # of "HTTP/1.1 200 OK": its first digit


class HeadBound:
    """Looks for the end of a head in what comes in.

    Invariant: ``_size`` counts the bytes since the last request, until the body.
    """

    def __init__(self) -> None:
        self._head: bytes | None = None  # as far as it has come; None: in the body
        self._size = 0

    def begin(self) -> None:
        """Expect a head, since a request was sent."""
        if self._head is None:
            self._head = b""
            self._size = 0

    def admits(self, data: bytes) -> bool:
        """Take what came; return ``False`` if the head is too long."""
        if self._head is None:
            return True
        self._head += data
        while self._head is not None and _END in self._head:
            head, _, rest = self._head.partition(_END)
            if head.lstrip()[_STATUS] != _INFORMATIONAL:
                self._head = None
                return self._size + len(head) <= LONGEST_HEAD
            self._size += len(head) + len(_END)
            self._head = rest
        return self._size + len(self._head or b"") <= LONGEST_HEAD


class _BoundedHead(ProtocolWrapper):
    """Stands between a connection and who makes requests on it."""

    def __init__(self, factory: Any, wrapped: Any) -> None:
        super().__init__(factory, wrapped)
        self._bound = HeadBound()

    @override
    def write(self, data: bytes) -> None:
        """Send a request, or a part of it."""
        self._bound.begin()
        super().write(data)

    @override
    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send a request, or a part of it."""
        self._bound.begin()
        super().writeSequence(data)

    @override
    def dataReceived(self, data: bytes) -> None:
        """Pass an answer on, or cut the connection."""
        if self._bound.admits(data):
            super().dataReceived(data)
        else:
            transport: Any = self.transport  # TCP or TLS: both can be cut
            transport.abortConnection()


class BoundedHeads(WrappingFactory):
    """Makes protocols whose answers have bounded heads.

    Args:
        factory: makes the protocols themselves.
    """

    protocol = _BoundedHead
    noisy = False

    def __init__(self, factory: Factory) -> None:
        factory.noisy = False  # the log need not tell of each request
        super().__init__(factory)
