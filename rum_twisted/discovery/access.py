"""How an etcd is reached, and the requests that are under way to it."""

from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, DeferredList, fail
from typing_extensions import override

from rum_twisted.discovery.errors import AccessDenied, EtcdUnavailable
from rum_twisted.rpc.bridge import deferred
from rum_twisted.terms.units import Seconds

__all__ = [
    "KEEPALIVE",
    "KEEPALIVE_TIMEOUT",
    "LARGEST_MESSAGE",
    "PAGE",
    "Credentials",
    "EtcdAccess",
    "Requests",
    "channel_options",
    "range_end",
    "read_credentials",
]

T = TypeVar("T")

REQUEST_TIMEOUT: Final = Seconds(5.0)
KEEPALIVE: Final = Seconds(10.0)  # of silence; etcd cuts who asks within 5 s
KEEPALIVE_TIMEOUT: Final = Seconds(5.0)
PAGE: Final = 16  # entries that are listed with one answer, 4 kB; see docs/discovery.md
LARGEST_MESSAGE: Final = 4 * 1024 * 1024  # bytes; a page, or what a watch has missed
_RECONNECT_MS: Final = (200, 2000, 2000)  # first, least and longest pause


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdAccess:
    """Where an etcd is, and who we are to it."""

    endpoints: tuple[str, ...]  # host:port of each member, in the order of trial
    user: str = ""  # empty: without authentication
    password: str = field(default="", repr=False)
    uses_tls: bool = False
    tls_ca: Path | None = None  # None: the certificates that gRPC brings
    tls_cert: Path | None = None  # ours, if etcd asks for one
    tls_key: Path | None = None
    request_timeout: Seconds = REQUEST_TIMEOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The certificates, as they stood in their files."""

    ca: bytes | None
    cert: bytes | None
    key: bytes | None = field(repr=False)


def read_credentials(access: EtcdAccess) -> Credentials:
    """Read the certificates.

    Raises:
        AccessDenied: a file cannot be read; the message names it.
    """
    found = []
    for path in (access.tls_ca, access.tls_cert, access.tls_key):
        try:
            found.append(None if path is None else path.read_bytes())
        except OSError as error:
            raise AccessDenied(f"{path} cannot be read: {error.strerror}") from error
    ca, cert, key = found
    return Credentials(ca=ca, cert=cert, key=key)


def channel_options() -> list[tuple[str, Any]]:
    """Return gRPC's options of a channel to etcd."""
    first, least, longest = _RECONNECT_MS
    return [
        ("grpc.max_receive_message_length", LARGEST_MESSAGE),
        # An etcd that stands still keeps its connections; only asking shows it.
        ("grpc.keepalive_time_ms", int(KEEPALIVE * 1000)),
        ("grpc.keepalive_timeout_ms", int(KEEPALIVE_TIMEOUT * 1000)),
        ("grpc.initial_reconnect_backoff_ms", first),
        ("grpc.min_reconnect_backoff_ms", least),
        ("grpc.max_reconnect_backoff_ms", longest),
        # Discovery shall not be sent to a web proxy by a variable.
        ("grpc.enable_http_proxy", 0),
        # Else channels share a connection, and closing one closes nothing.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 0),  # we try again ourselves, and count
    ]


def range_end(prefix: str) -> bytes:
    """Return the first key behind all keys that begin with ``prefix``."""
    end = bytearray(prefix.encode())
    while end and end[-1] == 0xFF:  # noqa: PLR2004 - the highest byte
        end.pop()
    if not end:
        return b"\0"  # to etcd: all keys there are
    end[-1] += 1
    return bytes(end)


class Requests:
    """The requests of one connection; none of them outlives it."""

    def __init__(self) -> None:
        self._open: dict[Deferred[Any], Deferred[None]] = {}
        self._is_open = False

    @override
    def __repr__(self) -> str:
        return f"<Requests: {len(self._open)} open>"

    def __len__(self) -> int:
        return len(self._open)

    def allow(self) -> None:
        """Let requests begin."""
        self._is_open = True

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Run a request, which awaits asyncio's futures."""
        if not self._is_open:
            coroutine.close()
            return fail(EtcdUnavailable("the connection to etcd is not open"))
        request = deferred(coroutine)
        over: Deferred[None] = Deferred()
        self._open[request] = over

        def end(outcome: T) -> T:
            del self._open[request]
            over.callback(None)
            return outcome

        return request.addBoth(end)

    def end(self) -> Deferred[None]:
        """Cancel all of them; fires when each has ended."""
        self._is_open = False
        waiting = DeferredList(list(self._open.values()))
        for request in tuple(self._open):
            request.cancel()
        return waiting.addCallback(lambda _: None)
