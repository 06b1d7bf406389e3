"""etcd by way of the library aioetcd3.

The library has calls, leases and watches; what it lacks stands here: bounds of time,
the change to another member, another token when one has run out. Its own resuming of
watches is not used, because it tries without a pause while etcd is away.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar

import grpc
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
from rum_twisted.discovery.aioetcd3_compat import Client, Mod, library
from rum_twisted.discovery.errors import (
    EtcdCompacted,
    EtcdUnavailable,
    LeaseLost,
    TokenExpired,
    TooManyInstances,
    WatchEnded,
)
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
from rum_twisted.rpc.bridge import deferred
from rum_twisted.terms.units import Seconds

__all__ = ["Aioetcd3Etcd"]

T = TypeVar("T")

_CANCEL_WITHIN: Final = 1.0  # seconds; then a watch is not taken leave of, but left


@implementer(IEtcd)
class Aioetcd3Etcd:
    """A connection to an etcd; see `IEtcd`.

    Args:
        access: where it is, and who we are to it.
    """

    def __init__(self, access: EtcdAccess) -> None:
        self.request_timeout = access.request_timeout
        self._access = access
        self._requests = Requests()
        self._lines: Lines[Client] = Lines(
            access.endpoints,
            connect=self._connect,
            close=Client.finish,
            request_timeout=access.request_timeout,
        )

    @override
    def __repr__(self) -> str:
        return f"<Aioetcd3Etcd {','.join(self._access.endpoints)}>"

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
        await deferred(self._lines.close())

    # Keys.

    def get(self, key: str) -> Deferred[Entry | None]:
        """Read one key; see `IEtcd`."""

        async def get(client: Client) -> Entry | None:
            found = await client.range(key)
            return _entry(*found[0]) if found else None

        return self._begin(get)

    def get_prefix(self, prefix: str, *, keys_only: bool = False) -> Deferred[Listing]:
        """Read all keys below a prefix; see `IEtcd`."""

        async def get_prefix(client: Client) -> Listing:
            begin, end, revision = prefix.encode(), range_end(prefix), None
            entries: list[Entry] = []
            while True:  # in pages, as `etcd_lean` does it
                page = await client.range(
                    (begin, end), limit=PAGE, revision=revision, keys_only=keys_only
                )
                if revision is None:
                    # Nothing else has run since the answer came.
                    revision = int(client.get_cluster_info().revision)
                entries.extend(_entry(*each) for each in page)
                if len(entries) > LARGEST_LISTING:
                    raise TooManyInstances(
                        f"{prefix}: more than {LARGEST_LISTING} keys"
                    )
                if len(page) < PAGE:
                    return Listing(revision=revision, entries=tuple(entries))
                begin = page[-1][0] + b"\0"

        return self._begin(get_prefix)

    def put(self, key: str, value: bytes, lease: int = 0) -> Deferred[int]:
        """Write a key; see `IEtcd`."""

        async def put(client: Client) -> int:
            await client.put(key, value, lease=lease)
            return int(client.get_cluster_info().revision)

        return self._begin(put)

    def delete(self, key: str) -> Deferred[bool]:
        """Delete a key; see `IEtcd`."""

        async def delete(client: Client) -> bool:
            return bool(await client.delete(key))

        return self._begin(delete)

    def transaction(self, transaction: Transaction) -> Deferred[bool]:
        """Make changes at once; see `IEtcd`."""

        async def transact(client: Client) -> bool:
            is_done, _ = await client.txn(
                [Mod(key) == revision for key, revision in transaction.only_if],
                [
                    *(
                        client.put.txn(put.key, put.value, lease=put.lease)
                        for put in transaction.puts
                    ),
                    *(client.delete.txn(key) for key in transaction.deletes),
                ],
            )
            return bool(is_done)

        return self._begin(transact)

    # Leases.

    def grant(self, ttl: Seconds) -> Deferred[Grant]:
        """Make a lease; see `IEtcd`."""

        async def grant(client: Client) -> Grant:
            lease = await client.grant_lease(ttl=int(ttl))
            return Grant(lease=lease.id, ttl=Seconds(lease.ttl))

        return self._begin(grant)

    def renew(self, lease: int) -> Deferred[Seconds]:
        """Let a lease live on; see `IEtcd`. Each time takes a stream and a thread."""

        async def renew(client: Client) -> Seconds:
            renewed = await client.refresh_lease(lease)
            if renewed is None:
                raise EtcdUnavailable("etcd has closed the stream of renewals")
            if renewed.ttl <= 0:
                raise LeaseLost(f"etcd knows no lease {lease:x}")
            return Seconds(renewed.ttl)

        return self._begin(renew)

    def revoke(self, lease: int) -> Deferred[None]:
        """End a lease; see `IEtcd`."""

        async def revoke(client: Client) -> None:
            with suppress(LeaseLost):
                async with self._in_our_words(client, ""):
                    await client.revoke_lease(lease)

        return self._begin(revoke)

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
        with self._lines.line() as line:
            async with self._in_our_words(line.connection, line.endpoint):
                reading = asyncio.get_running_loop().create_task(
                    self._read(line.connection, prefix, from_revision, take, ready)
                )
                try:
                    await asyncio.wait({reading})
                finally:
                    # The library takes leave of etcd first, and waits for its answer.
                    while not reading.done():
                        reading.cancel()
                        await asyncio.wait({reading}, timeout=_CANCEL_WITHIN)
                reading.result()

    async def _read(
        self,
        client: Client,
        prefix: str,
        from_revision: int,
        take: Take,
        ready: Callable[[], None],
    ) -> None:
        events = client.watch(
            (prefix, range_end(prefix)),
            start_revision=from_revision,
            batch_events=True,
            create_event=True,
        )
        async with asyncio.timeout(self.request_timeout):
            await anext(events)
        ready()
        async for batch in events:
            take(tuple(map(_change, batch)))
        raise EtcdUnavailable("the watch has ended")

    # Requests.

    def _connect(self, endpoint: str) -> Client:
        access = self._access
        found = read_credentials(access)
        return Client(
            endpoint,
            ssl=access.uses_tls,
            ca_cert=found.ca,
            cert_key=found.key,
            cert_cert=found.cert,
            default_ca=access.tls_ca is None,
            grpc_options=channel_options(),
            timeout=access.request_timeout / len(access.endpoints),
            username=access.user or None,
            password=access.password or None,
            loop=asyncio.get_running_loop(),
        )

    def _begin(self, attempt: Callable[[Client], Awaitable[T]]) -> Deferred[T]:
        """Make a request; of a stream the library does not bound the time."""

        async def within_time(line: Line[Client], within: float) -> T:
            async with self._in_our_words(line.connection, line.endpoint):
                async with asyncio.timeout(within):
                    return await attempt(line.connection)
            raise AssertionError("an error is never swallowed")

        return self._requests.begin(self._lines.ask(within_time))

    @asynccontextmanager
    async def _in_our_words(self, client: Client, endpoint: str) -> AsyncIterator[None]:
        """Raise our errors in place of the library's."""
        token = client.token
        try:
            yield
        except TimeoutError:
            raise EtcdUnavailable(f"{endpoint}: no answer in time") from None
        except library.CompactRevisonException as error:
            raise EtcdCompacted(error.revision) from None
        except library.ServerCancelException as error:
            if is_lost_token(error.cancel_reason):
                client.forget_token()
            raise WatchEnded(
                f"etcd has ended the watch: {error.cancel_reason}"
            ) from None
        except library.WatchException as error:
            raise _ours(error.__cause__, client, token, endpoint) from None
        except grpc.RpcError as error:
            raise _ours(error, client, token, endpoint) from None


def _ours(
    error: BaseException | None, client: Client, token: object, endpoint: str
) -> Exception:
    """Return our error for one of gRPC's or the library's; drop a token that is out."""
    code, details = getattr(error, "code", None), getattr(error, "details", None)
    ours = error_for(
        code() if callable(code) else code,
        details() if callable(details) else details,
        endpoint,
    )
    if isinstance(ours, TokenExpired) and client.token is token:
        client.forget_token()  # nobody else has got another meanwhile
    return ours


def _entry(key: bytes, value: bytes, about: Any) -> Entry:
    return Entry(
        key=_text(key), value=value, revision=about.mod_revision, lease=about.lease_id
    )


def _change(event: Any) -> Change:
    return Change(
        key=_text(event.key),
        revision=event.meta.mod_revision,
        entry=_entry(event.key, event.value, event.meta) if event.is_put() else None,
    )


def _text(key: bytes) -> str:
    # A key may be any bytes; ours are text, and others only have to differ.
    return key.decode(errors="backslashreplace")
