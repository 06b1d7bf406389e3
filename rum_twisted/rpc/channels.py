"""gRPC channels: one for each endpoint, owned here and counted by reference.

A channel is opened when it is first used, which is always in a running process: made
before twistd forks into the background, it would never work after.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import grpc
import grpc.aio
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.rpc.bridge import deferred
from rum_twisted.rpc.conversation import ClientConversation
from rum_twisted.rpc.method import Method
from rum_twisted.rpc.tls import TlsFiles, channel_credentials
from rum_twisted.terms.units import Seconds

__all__ = ["Channels", "Endpoint", "Limits"]

LEAVE_GRACE: Final = Seconds(30.0)  # for calls to an instance that is there no more
STOP_GRACE: Final = Seconds(1.0)  # for calls under way when we stop
_KEEPALIVE: Final = Seconds(20.0)
_KEEPALIVE_TIMEOUT: Final = Seconds(5.0)
_RECONNECT_MS: Final = (200, 2_000, 2_000)  # first, least and longest pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of every channel, and of the server's side."""

    message: int = 1024 * 1024  # bytes, in either direction
    keepalive: Seconds = _KEEPALIVE  # of silence, until the peer is asked
    keepalive_timeout: Seconds = _KEEPALIVE_TIMEOUT  # then the connection is dead


def channel_options(limits: Limits) -> list[tuple[str, Any]]:
    """Return gRPC's options of a channel.

    Source: gRPC's documentation of ``grpc/impl/channel_arg_names.h``.
    """
    first, least, longest = _RECONNECT_MS
    return [
        ("grpc.max_receive_message_length", limits.message),
        ("grpc.max_send_message_length", limits.message),
        ("grpc.keepalive_time_ms", int(limits.keepalive * 1000)),
        ("grpc.keepalive_timeout_ms", int(limits.keepalive_timeout * 1000)),
        # Of the two, gRPC 1.85 heeds this one; its own default is a minute.
        ("grpc.http2.ping_timeout_ms", int(limits.keepalive_timeout * 1000)),
        # A connection that nobody uses is not worth a packet.
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.initial_reconnect_backoff_ms", first),
        ("grpc.min_reconnect_backoff_ms", least),
        ("grpc.max_reconnect_backoff_ms", longest),
        # A variable of the environment shall not send our calls elsewhere.
        ("grpc.enable_http_proxy", 0),
        # Else channels share connections behind our back, and closing closes nothing.
        ("grpc.use_local_subchannel_pool", 1),
    ]


class Endpoint:
    """The channel to one address, and the methods called there.

    Args:
        address: host:port.
        options: of the channel.
        credentials: ``None``: without TLS.
    """

    def __init__(
        self,
        address: str,
        options: list[tuple[str, Any]],
        credentials: grpc.ChannelCredentials | None,
    ) -> None:
        self.address = address
        self.references = 0
        self.calls = 0  # under way
        self._idle: asyncio.Future[None] | None = None  # that nobody calls any more
        self._options = options
        self._credentials = credentials
        self._channel: grpc.aio.Channel | None = None
        self._callables: dict[Method[Any, Any], Any] = {}

    @override
    def __repr__(self) -> str:
        state = "unused" if self._channel is None else "open"
        return f"<Endpoint {self.address}: {state}, {self.references} references>"

    @property
    def is_open(self) -> bool:
        """Whether there is a channel to close."""
        return self._channel is not None

    def callable(self, method: Method[Any, Any]) -> Any:
        """Return grpc.aio's callable of a method; the channel is opened if needed."""
        found = self._callables.get(method)
        if found is None:
            if self._channel is None:
                self._channel = self._open()
            found = self._callables[method] = self._channel.unary_unary(
                method.path,
                request_serializer=method.write,
                response_deserializer=method.read,
            )
        return found

    def converse(self, method: Method[Any, Any]) -> ClientConversation[Any, Any]:
        """Begin a stream in both directions; the channel is opened if needed."""
        if self._channel is None:
            self._channel = self._open()
        stream = self._channel.stream_stream(
            method.path,
            request_serializer=method.write,
            response_deserializer=method.read,
        )
        return ClientConversation(stream(), method.path, self.address)

    async def close(self, grace: Seconds) -> None:
        """Close the channel; calls under way have ``grace`` to end.

        Cancelled, it does not wait for them, and then ends as if it had.
        """
        channel, self._channel = self._channel, None
        self._callables.clear()
        if channel is None:
            return
        try:
            if self.calls:
                self._idle = asyncio.get_running_loop().create_future()
                await asyncio.wait_for(self._idle, grace)
        except (TimeoutError, asyncio.CancelledError):
            pass  # no more patience with them
        # gRPC's own grace cannot be cut short; calls under way would outlive it.
        await channel.close(None)

    def end_call(self) -> None:
        """Count one call less; the last one is waited for by `close`."""
        self.calls -= 1
        if self.calls == 0 and self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def _open(self) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(self.address, self._options)
        return grpc.aio.secure_channel(self.address, self._credentials, self._options)


class Channels:
    """All endpoints of this process.

    Invariant: an endpoint is kept exactly as long as somebody holds it.

    Args:
        limits: of every channel.
        tls: certificates; ``None``: without TLS.
    """

    log = Logger()

    def __init__(self, limits: Limits, tls: TlsFiles | None) -> None:
        self._limits = limits
        self._tls = tls
        self._endpoints: dict[str, Endpoint] = {}
        self._closing: set[Deferred[None]] = set()
        self._waiting: list[Deferred[None]] = []  # for all of these
        self._options: list[tuple[str, Any]] = []
        self._credentials: grpc.ChannelCredentials | None = None

    @override
    def __repr__(self) -> str:
        return f"<Channels: {len(self._endpoints)} held, {len(self._closing)} closing>"

    def __len__(self) -> int:
        """Return how many endpoints are held."""
        return len(self._endpoints)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of the endpoints that are held."""
        return tuple(self._endpoints)

    @property
    def calls(self) -> int:
        """How many are under way, on all of them."""
        return sum(each.calls for each in tuple(self._endpoints.values()))

    def prepare(self) -> None:
        """Read the certificates.

        Raises:
            TlsError: one cannot be used.
        """
        self._options = channel_options(self._limits)
        self._credentials = (
            None if self._tls is None else channel_credentials(self._tls)
        )

    def acquire(self, address: str) -> Endpoint:
        """Return the endpoint of an address; to be released after use."""
        endpoint = self._endpoints.get(address)
        if endpoint is None:
            endpoint = Endpoint(address, self._options, self._credentials)
            self._endpoints[address] = endpoint
        endpoint.references += 1
        return endpoint

    def release(self, endpoint: Endpoint, grace: Seconds = LEAVE_GRACE) -> None:
        """Hold an endpoint no more; the last one to do so closes it."""
        endpoint.references -= 1
        if endpoint.references == 0:
            del self._endpoints[endpoint.address]
            if endpoint.is_open:
                self._close(endpoint, grace)

    def hurry(self) -> None:
        """Wait no longer for calls to those who are there no more."""
        for closing in tuple(self._closing):
            closing.cancel()

    def closed(self) -> Deferred[None]:
        """Return a Deferred that fires when what was released has been closed."""
        if not self._closing:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def _close(self, endpoint: Endpoint, grace: Seconds) -> None:
        closing = deferred(endpoint.close(grace))
        self._closing.add(closing)
        closing.addErrback(
            lambda failure: self.log.failure(
                "{endpoint} not closed", failure, endpoint=endpoint
            )
        )
        closing.addCallback(self._end_closing, closing)

    def _end_closing(self, _: None, closing: Deferred[None]) -> None:
        self._closing.discard(closing)
        if not self._closing:
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each.callback(None)
