"""Peers who take a connection and then say nothing: they are left when we stop.

Whoever keeps an error keeps its traceback, and what stands in there. These tests keep
all they get, since a log, a Deferred or a cycle that nobody has collected may do so.
"""

import asyncio
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.discovery.access import EtcdAccess
from rum_twisted.discovery.errors import EtcdUnavailable
from rum_twisted.discovery.etcd_lean import LeanEtcd
from rum_twisted.rpc.bridge import future
from rum_twisted.rpc.channels import Channels, Limits
from rum_twisted.rpc.client import XClients
from rum_twisted.rpc.errors import RpcError
from rum_twisted.rpc.generated import weather_pb2 as pb2
from rum_twisted.rpc.plugins import FromServer, attend
from rum_twisted.rpc.weather import METAR
from rum_twisted.terms.units import Seconds
from tests.integration.asyncio_case import AsyncioTestCase
from tests.support.fabric import ListedInstances, chance, make_instance

GREETING: Final = b"\0\0\0\4\0\0\0\0\0"  # HTTP/2's empty frame of settings
SHORT: Final = 0.2  # seconds, until whoever asks a silent peer has waited long enough


class Silence(Protocol):
    """A connection on which nothing is said but a greeting."""

    def __init__(self) -> None:
        self.spoken_to: Deferred[None] = Deferred()
        self.left: Deferred[None] = Deferred()

    @override
    def connectionMade(self) -> None:
        """Greet."""
        assert self.transport is not None, "just connected"
        self.transport.write(GREETING)

    @override
    def dataReceived(self, data: bytes) -> None:
        """Note that there is a question, or at least a greeting."""
        if not self.spoken_to.called:
            self.spoken_to.callback(None)

    @override
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Note the end."""
        self.left.callback(None)


class SilentPeers(Factory):
    """All connections to a peer."""

    noisy = False

    def __init__(self) -> None:
        self.connections: list[Silence] = []

    @override
    def buildProtocol(self, addr: object) -> Protocol:
        """Keep another one."""
        connection = Silence()
        self.connections.append(connection)
        return connection


class SilentPeerTests(AsyncioTestCase):
    """A peer in this process, on a port of its own."""

    @override
    def setUp(self) -> None:
        """Listen."""
        super().setUp()
        self.peer = SilentPeers()
        port = self.reactor.listenTCP(0, self.peer, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.address = f"127.0.0.1:{port.getHost().port}"
        self.kept: list[Any] = []

    async def assert_left(self) -> None:
        """Assert that we have met the peer, and hold no connection to it any more."""
        self.assertTrue(self.peer.connections)
        for connection in self.peer.connections:
            await future(connection.left)
        self.assertTrue(self.kept)

    def clients(self) -> XClients:
        """Return clients of a service that the peer plays."""
        clients = XClients(
            ListedInstances(make_instance("one", self.address)), self.reactor, chance()
        )
        clients.startService()
        self.addCleanup(clients.stopService)
        return clients

    def test_a_call_that_took_too_long(self) -> Deferred[None]:
        """Its error is kept; the connection ends with the clients."""
        clients = self.clients()

        async def check() -> None:
            with clients.client("weather") as client:
                try:
                    await client.call(METAR, pb2.StationRequest(), timeout=SHORT)
                except RpcError as error:
                    self.kept.append(error)
            await future(clients.stopService())
            await self.assert_left()

        return self.run_here(check())

    def test_a_call_that_was_given_up(self) -> Deferred[None]:
        """So is that of a caller who has not waited."""
        clients = self.clients()

        async def check() -> None:
            with clients.client("weather") as client:
                asking = asyncio.ensure_future(
                    client.call(METAR, pb2.StationRequest(), timeout=20.0)
                )
                while not self.peer.connections:
                    await asyncio.sleep(0)
                await future(self.peer.connections[0].spoken_to)
                asking.cancel()
                try:
                    await asking
                except asyncio.CancelledError as error:
                    self.kept.append(error)
            await future(clients.stopService())
            await self.assert_left()

        return self.run_here(check())

    def test_streams(self) -> Deferred[None]:
        """One is closed while somebody listens, of another the listener gives up."""
        channels = Channels(Limits(), None)
        channels.prepare()

        async def check() -> None:
            endpoint = channels.acquire(self.address)
            for gives_up in (False, True):
                talk = attend(endpoint)
                await talk.say(FromServer(server="one"))
                hearing = asyncio.ensure_future(talk.hear())
                await future(self.peer.connections[0].spoken_to)
                if gives_up:
                    hearing.cancel()
                else:
                    talk.close()
                try:
                    await hearing
                except (RpcError, asyncio.CancelledError) as error:
                    self.kept.append(error)
                talk.close()
                self.kept.append(talk)
            channels.release(endpoint, Seconds(0.0))
            await future(channels.closed())
            await self.assert_left()

        return self.run_here(check())

    def test_an_etcd(self) -> Deferred[None]:
        """A question, a renewal and a watch fail; all three errors are kept."""
        access = EtcdAccess(
            endpoints=(self.address,), request_timeout=Seconds(2 * SHORT)
        )

        async def check() -> None:
            etcd = LeanEtcd(access)
            etcd.start()
            for ask in (
                lambda: etcd.get("key"),
                lambda: etcd.renew(1),
                lambda: etcd.watch("prefix", 1, lambda changes: None),
            ):
                asked: Deferred[Any] = ask()
                try:
                    await future(asked)
                except EtcdUnavailable as error:
                    self.kept.append(error)
            self.assertEqual(len(self.kept), 3)
            await future(etcd.stop())
            await self.assert_left()

        return self.run_here(check())
