"""etcd over grpc.aio, with no client library between.

This is the connection for a small box: messages of its own (``proto/etcd``), no
thread besides gRPC's one, one stream for all renewals and one for each watch.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio
from twisted.internet.defer import Deferred
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.discovery.access import (
    PAGE,
    EtcdAccess,
    Requests,
    channel_options,
    range_end,
    read_credentials,
)
from rum_twisted.discovery.errors import (
    EtcdCompacted,
    LeaseLost,
    TokenExpired,
    TooManyInstances,
    WatchEnded,
)
from rum_twisted.discovery.generated import etcd_subset_pb2 as pb
from rum_twisted.discovery.interfaces import (
    LARGEST_LISTING,
    Change,
    Entry,
    Grant,
    IEtcd,
    Listing,
    Take,
    Transaction,
)
from rum_twisted.discovery.lines import Line, Lines
from rum_twisted.discovery.statuses import error_for, is_lost_token
from rum_twisted.rpc.bridge import deferred, forgetting
from rum_twisted.terms.units import Seconds

__all__ = ["LeanEtcd"]

_RANGE: Final = ("/etcdserverpb.KV/Range", pb.RangeResponse)
_PUT: Final = ("/etcdserverpb.KV/Put", pb.PutResponse)
_DELETE: Final = ("/etcdserverpb.KV/DeleteRange", pb.DeleteRangeResponse)
_TXN: Final = ("/etcdserverpb.KV/Txn", pb.TxnResponse)
_GRANT: Final = ("/etcdserverpb.Lease/LeaseGrant", pb.LeaseGrantResponse)
_REVOKE: Final = ("/etcdserverpb.Lease/LeaseRevoke", pb.LeaseRevokeResponse)
_KEEP_ALIVE: Final = ("/etcdserverpb.Lease/LeaseKeepAlive", pb.LeaseKeepAliveResponse)
_WATCH: Final = ("/etcdserverpb.Watch/Watch", pb.WatchResponse)
_AUTHENTICATE: Final = ("/etcdserverpb.Auth/Authenticate", pb.AuthenticateResponse)

# A member that was cut off from the others ends the stream, instead of silence.
_NEEDS_LEADER: Final = ("hasleader", "true")
_AUTH_IS_OFF: Final = "authentication is not enabled"

_Metadata: TypeAlias = tuple[tuple[str, str], ...]


class StreamEnded(Exception):
    """A stream is over; it tells why as gRPC's own error does."""

    def __init__(self, code: grpc.StatusCode | None, details: str | None) -> None:
        super().__init__(details)
        self._code = code
        self._details = details

    def code(self) -> grpc.StatusCode | None:
        """Return the status."""
        return self._code

    def details(self) -> str | None:
        """Return its words."""
        return self._details


_GRPC_ERRORS: Final = (grpc.aio.AioRpcError, StreamEnded)


class _Calls:
    """A channel, and the methods that were made ready on it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._methods: dict[str, Any] = {}

    def unary(self, path: str, answer: Any) -> Any:
        """Return what asks one question."""
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = self._channel.unary_unary(
                path, _serialize, answer.FromString
            )
        return method

    def stream(self, path: str, answer: Any) -> Any:
        """Return what opens a stream of questions and answers."""
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = self._channel.stream_stream(
                path, _serialize, answer.FromString
            )
        return method

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close(None)


@implementer(IEtcd)
class LeanEtcd:
    """A connection to an etcd; see `IEtcd`.

    Args:
        access: where it is, and who we are to it.
    """

    def __init__(self, access: EtcdAccess) -> None:
        self.request_timeout = access.request_timeout
        self._access = access
        self._requests = Requests()
        self._lines: Lines[_Calls] = Lines(
            access.endpoints,
            connect=self._connect,
            close=_Calls.close,
            request_timeout=access.request_timeout,
        )
        self._token: str | None = None  # "": etcd wants none
        self._logon = asyncio.Lock()
        self._renewals = asyncio.Lock()
        self._renewal: tuple[Line[_Calls], Any] | None = None

    @override
    def __repr__(self) -> str:
        return f"<LeanEtcd {','.join(self._access.endpoints)}>"

    @property
    def channels(self) -> int:
        """How many gRPC channels are open."""
        return len(self._lines)

    def start(self) -> None:
        """Allow requests; see `IEtcd`."""
        self._requests.allow()

    def stop(self) -> Deferred[None]:
        """End everything; see `IEtcd`."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._requests.end()
        await deferred(self._close())

    async def _close(self) -> None:
        self._drop_renewal()
        self._token = None
        await self._lines.close()
        await asyncio.sleep(0)  # gRPC's own tasks take note of the end

    # Keys.

    def get(self, key: str) -> Deferred[Entry | None]:
        """Read one key; see `IEtcd`."""
        return self._requests.begin(self._get(key))

    async def _get(self, key: str) -> Entry | None:
        answer = await self._call(_RANGE, pb.RangeRequest(key=key.encode()))
        return _entry(answer.kvs[0]) if answer.kvs else None

    def get_prefix(self, prefix: str, *, keys_only: bool = False) -> Deferred[Listing]:
        """Read all keys below a prefix; see `IEtcd`."""
        return self._requests.begin(self._get_prefix(prefix, keys_only=keys_only))

    async def _get_prefix(self, prefix: str, *, keys_only: bool) -> Listing:
        # In pages: when many start at once, etcd would hold whole listings for all.
        request = pb.RangeRequest(
            key=prefix.encode(),
            range_end=range_end(prefix),
            limit=PAGE,
            keys_only=keys_only,
        )
        entries: list[Entry] = []
        while True:
            answer = await self._call(_RANGE, request)
            entries.extend(map(_entry, answer.kvs))
            if not request.revision:  # all pages are of one moment
                request.revision = answer.header.revision
            if len(entries) > LARGEST_LISTING:
                raise TooManyInstances(f"{prefix}: more than {LARGEST_LISTING} keys")
            if not answer.more:
                return Listing(revision=request.revision, entries=tuple(entries))
            request.key = answer.kvs[-1].key + b"\0"  # the next key there can be

    def put(self, key: str, value: bytes, lease: int = 0) -> Deferred[int]:
        """Write a key; see `IEtcd`."""
        return self._requests.begin(self._put(key, value, lease))

    async def _put(self, key: str, value: bytes, lease: int) -> int:
        request = pb.PutRequest(key=key.encode(), value=value, lease=lease)
        answer = await self._call(_PUT, request)
        return int(answer.header.revision)

    def delete(self, key: str) -> Deferred[bool]:
        """Delete a key; see `IEtcd`."""
        return self._requests.begin(self._delete(key))

    async def _delete(self, key: str) -> bool:
        answer = await self._call(_DELETE, pb.DeleteRangeRequest(key=key.encode()))
        return bool(answer.deleted)

    def transaction(self, transaction: Transaction) -> Deferred[bool]:
        """Make changes at once; see `IEtcd`."""
        return self._requests.begin(self._transact(transaction))

    async def _transact(self, transaction: Transaction) -> bool:
        request = pb.TxnRequest(
            compare=[
                pb.Compare(
                    result=pb.Compare.EQUAL,
                    target=pb.Compare.MOD,
                    key=key.encode(),
                    mod_revision=revision,
                )
                for key, revision in transaction.only_if
            ],
            success=[
                pb.RequestOp(
                    request_put=pb.PutRequest(
                        key=put.key.encode(), value=put.value, lease=put.lease
                    )
                )
                for put in transaction.puts
            ]
            + [
                pb.RequestOp(
                    request_delete_range=pb.DeleteRangeRequest(key=key.encode())
                )
                for key in transaction.deletes
            ],
        )
        answer = await self._call(_TXN, request)
        return bool(answer.succeeded)

    # Leases.

    def grant(self, ttl: Seconds) -> Deferred[Grant]:
        """Make a lease; see `IEtcd`."""
        return self._requests.begin(self._grant(ttl))

    async def _grant(self, ttl: Seconds) -> Grant:
        answer = await self._call(_GRANT, pb.LeaseGrantRequest(TTL=int(ttl)))
        return Grant(lease=answer.ID, ttl=Seconds(answer.TTL))

    def revoke(self, lease: int) -> Deferred[None]:
        """End a lease; see `IEtcd`."""
        return self._requests.begin(self._revoke(lease))

    async def _revoke(self, lease: int) -> None:
        with suppress(LeaseLost):
            await self._call(_REVOKE, pb.LeaseRevokeRequest(ID=lease))

    def renew(self, lease: int) -> Deferred[Seconds]:
        """Let a lease live on; see `IEtcd`."""
        return self._requests.begin(self._renew(lease))

    async def _renew(self, lease: int) -> Seconds:
        async with self._renewals:  # answers come in the order of the questions
            return await self._lines.ask(partial(self._renew_over, lease))

    async def _renew_over(
        self, lease: int, line: Line[_Calls], within: float
    ) -> Seconds:
        if self._renewal is not None and self._renewal[0] is line:
            with suppress(*_GRPC_ERRORS):
                return await self._renew_on_stream(lease, within)
        # There was none, or it broke while nobody listened.
        self._drop_renewal()
        async with self._in_our_words(line, within) as metadata:
            opened = line.connection.stream(*_KEEP_ALIVE)(metadata=metadata)
            self._renewal = line, opened
            del opened  # see `forgetting`
            return await self._renew_on_stream(lease, within)

    async def _renew_on_stream(self, lease: int, within: float) -> Seconds:
        assert self._renewal is not None, "opened by the caller"
        stream = self._renewal[1]
        try:
            async with _time_limit(within):
                await forgetting(_write(stream, pb.LeaseKeepAliveRequest(ID=lease)))
                answer = await forgetting(_read(stream))
                while lease != answer.ID:
                    answer = await forgetting(_read(stream))
        except BaseException:
            # The answer may still come; the next one would be taken for it.
            self._drop_renewal()
            del stream
            raise
        if answer.TTL <= 0:
            raise LeaseLost(f"etcd knows no lease {lease:x}")
        return Seconds(answer.TTL)

    def _drop_renewal(self) -> None:
        renewal, self._renewal = self._renewal, None
        if renewal is not None:
            renewal[1].cancel()

    # Watches.

    def watch(
        self,
        prefix: str,
        from_revision: int,
        take: Take,
        ready: Callable[[], None] = lambda: None,
    ) -> Deferred[None]:
        """Tell changes; see `IEtcd`."""
        return self._requests.begin(self._watch(prefix, from_revision, take, ready))

    async def _watch(
        self,
        prefix: str,
        from_revision: int,
        take: Take,
        ready: Callable[[], None],
    ) -> None:
        request = pb.WatchRequest(
            create_request=pb.WatchCreateRequest(
                key=prefix.encode(),
                range_end=range_end(prefix),
                start_revision=from_revision,
            )
        )
        with self._lines.line() as line:
            limit = float(self.request_timeout)
            async with self._in_our_words(line, limit) as metadata:
                stream = line.connection.stream(*_WATCH)(metadata=metadata)
                try:
                    async with _time_limit(limit):
                        await forgetting(_write(stream, request))
                        self._look_for_end(await forgetting(_read(stream)))
                    ready()
                    while True:
                        answer = await forgetting(_read(stream))
                        self._look_for_end(answer)
                        if answer.events:
                            take(tuple(map(_change, answer.events)))
                finally:
                    stream.cancel()
                    del stream

    def _look_for_end(self, answer: Any) -> None:
        """Raise an error if etcd ends a watch with this answer."""
        if answer.compact_revision:
            raise EtcdCompacted(answer.compact_revision)
        if answer.canceled:
            if is_lost_token(answer.cancel_reason):
                self._token = None
            raise WatchEnded(f"etcd has ended the watch: {answer.cancel_reason}")

    # Requests.

    def _connect(self, endpoint: str) -> _Calls:
        options = channel_options()
        if not self._access.uses_tls:
            return _Calls(grpc.aio.insecure_channel(endpoint, options))
        found = read_credentials(self._access)
        credentials = grpc.ssl_channel_credentials(found.ca, found.key, found.cert)
        return _Calls(grpc.aio.secure_channel(endpoint, credentials, options))

    async def _call(self, method: tuple[str, Any], request: Any) -> Any:
        """Ask one question."""

        async def ask(line: Line[_Calls], within: float) -> Any:
            async with self._in_our_words(line, within) as metadata:
                call = line.connection.unary(*method)
                return await forgetting(
                    call(request, metadata=metadata, timeout=within)
                )

        return await self._lines.ask(ask)

    @asynccontextmanager
    async def _in_our_words(
        self, line: Line[_Calls], within: float
    ) -> AsyncIterator[_Metadata]:
        """Give what is to be shown to etcd; raise our errors in place of gRPC's."""
        token = None
        try:
            token = await self._valid_token(line, within)
            yield (_NEEDS_LEADER, ("token", token)) if token else (_NEEDS_LEADER,)
        except _GRPC_ERRORS as error:
            ours = error_for(error.code(), error.details(), line.endpoint)
            if isinstance(ours, TokenExpired) and self._token == token:
                self._token = None  # nobody else has got another meanwhile
            raise ours from None

    async def _valid_token(self, line: Line[_Calls], within: float) -> str | None:
        """Return what to show etcd; ``None``: nothing, empty: it wants none."""
        if not self._access.user:
            return None
        async with self._logon:  # of many requests, one logs on for all
            if self._token is None:
                self._token = await self._log_on(line, within)
            return self._token

    async def _log_on(self, line: Line[_Calls], within: float) -> str:
        request = pb.AuthenticateRequest(
            name=self._access.user, password=self._access.password
        )
        try:
            call = line.connection.unary(*_AUTHENTICATE)
            answer = await forgetting(call(request, timeout=within))
        except grpc.aio.AioRpcError as error:
            if _AUTH_IS_OFF in (error.details() or ""):
                return ""
            raise
        return str(answer.token)


def _serialize(message: Any) -> bytes:
    serialized: bytes = message.SerializeToString()
    return serialized


@asynccontextmanager
async def _time_limit(seconds: float) -> AsyncIterator[None]:
    """Let what takes longer end like a call that took too long."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise StreamEnded(
            grpc.StatusCode.DEADLINE_EXCEEDED, f"no answer within {seconds:g} s"
        ) from None


async def _write(stream: Any, message: Any) -> None:
    try:
        await stream.write(message)
    except asyncio.InvalidStateError:  # it has ended already
        raise StreamEnded(await stream.code(), await stream.details()) from None


async def _read(stream: Any) -> Any:
    answer = await stream.read()
    if answer is grpc.aio.EOF:
        code = await stream.code()
        if code is grpc.StatusCode.OK:  # no end that we asked for
            code = grpc.StatusCode.UNAVAILABLE
        raise StreamEnded(code, await stream.details() or "etcd has closed the stream")
    return answer


def _entry(found: Any) -> Entry:
    return Entry(
        key=_key(found),
        value=found.value,
        revision=found.mod_revision,
        lease=found.lease,
    )


def _change(event: Any) -> Change:
    is_gone = event.type == pb.Event.DELETE
    return Change(
        key=_key(event.kv),
        revision=event.kv.mod_revision,
        entry=None if is_gone else _entry(event.kv),
    )


def _key(found: Any) -> str:
    # A key may be any bytes; ours are text, and others only have to differ.
    return str(found.key.decode(errors="backslashreplace"))
