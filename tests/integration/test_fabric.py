"""Services that find each other in a real etcd and call each other over real gRPC."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs
from typing_extensions import override
from zope.interface.verify import verifyObject

from rum_twisted.config import DiscoverySettings
from rum_twisted.discovery.choose import make_discovery
from rum_twisted.discovery.service import DiscoveryClient
from rum_twisted.rpc.bridge import future
from rum_twisted.rpc.client import XClient, XClients
from rum_twisted.rpc.errors import RpcError
from rum_twisted.rpc.generated import weather_pb2 as pb2
from rum_twisted.rpc.interfaces import IInstances
from rum_twisted.rpc.weather import METAR
from tests.integration.asyncio_case import AsyncioTestCase
from tests.integration.rpcserver import ForeignServer
from tests.support.etcd import Etcd
from tests.support.fabric import chance

TTL = 4.0  # seconds, of the processes' leases
SLACK = 30.0  # seconds, for what comes as soon as the machine has time for it
AT_ONCE = 16  # calls under way
FIGURES = (
    "etcd_debugging_mvcc_watcher_total",
    "etcd_debugging_mvcc_watch_stream_total",
    "etcd_debugging_lease_granted_total",
    "etcd_mvcc_put_total",
)


class FabricTests(AsyncioTestCase):
    """Two processes that report weather, an etcd, and who calls them."""

    @override
    def setUp(self) -> None:
        """Prepare an etcd; skip where there is none."""
        super().setUp()
        self.etcd = Etcd(Path(self.mktemp()))
        self.addCleanup(self.etcd.kill)

    async def begin(self, *names: str) -> XClient:
        """Start everything; return a client when it knows of all of these."""
        await future(deferToThread(self.etcd.start_and_wait))
        self.discovery: DiscoveryClient = make_discovery(
            DiscoverySettings(backend="etcd", endpoints=(self.etcd.endpoint,)),
            self.reactor,
            chance(),
        )
        self.discovery.startService()
        self.addCleanup(self.discovery.stopService)
        instances: Any = self.discovery  # the two rooms do not know each other
        self.clients = XClients(instances, self.reactor, chance())
        self.clients.startService()
        self.addCleanup(self.clients.stopService)
        self.servers = {name: await self.start(name) for name in names}
        client = self.clients.client("weather")
        self.addCleanup(client.close)
        await self.sees(*names)
        return client

    async def start(self, name: str) -> ForeignServer:
        """Start a process."""
        etcd = f"--etcd={self.etcd.endpoint}"
        server: ForeignServer = await future(deferToThread(ForeignServer, name, etcd))
        self.addCleanup(server.end)
        return server

    async def sees(self, *names: str) -> None:
        """Wait until exactly these are there."""
        while [each.name for each in self.discovery.instances("weather")] != [*names]:
            await asyncio.sleep(0.02)

    async def ask(self, client: XClient) -> str:
        """Ask once; return who has answered, or the code of the failure."""
        try:
            return (await client.call(METAR, pb2.StationRequest())).report
        except RpcError as error:
            return error.code.name

    def test_service_that_is_killed(self) -> Deferred[None]:
        """It is off the list when its lease has ended; no call fails at any time."""
        return self.run_here(self.check_death())

    async def check_death(self) -> None:
        """Kill one of two under load."""
        client = await self.begin("dies", "lives")
        outcomes: Counter[str] = Counter()
        is_enough = False

        async def work() -> None:
            while not is_enough:
                outcomes[await self.ask(client)] += 1

        working = asyncio.gather(*(work() for _ in range(AT_ONCE)))
        while outcomes["dies"] < AT_ONCE:
            await asyncio.sleep(0.02)
        self.servers["dies"].kill()
        await asyncio.wait_for(self.sees("lives"), TTL + SLACK)
        is_enough = True
        await working
        self.assertEqual(set(outcomes), {"dies", "lives"})
        self.assertEqual(len(self.clients.channels), 1)

    def test_service_that_comes_later(self) -> Deferred[None]:
        """It is called as soon as it is there, and nobody has been told by hand."""
        return self.run_here(self.check_newcomer())

    async def check_newcomer(self) -> None:
        """Start with nobody."""
        client = await self.begin()
        self.assertEqual(await self.ask(client), "UNAVAILABLE")
        await self.start("late")
        await self.sees("late")
        self.assertEqual(await self.ask(client), "late")

    def test_careless_line_leaves_nothing_at_etcd(self) -> Deferred[None]:
        """10,000 clients that nobody closes: no watcher, stream, lease or write."""
        return self.run_here(self.check_carelessness())

    async def figures(self) -> list[float]:
        """Return etcd's own counters."""
        return [
            await future(deferToThread(self.etcd.metric, figure)) for figure in FIGURES
        ]

    async def check_carelessness(self) -> None:
        """Ask for clients in a loop, and call with some of them."""
        client = await self.begin("a")
        self.assertTrue(verifyObject(IInstances, self.discovery, tentative=True))
        await self.ask(client)
        before = await self.figures()
        with capturedLogs():
            for number in range(10_000):
                careless = self.clients.client("weather")
                if number % 100 == 0:
                    self.assertEqual(await self.ask(careless), "a")
        self.assertEqual(await self.figures(), before)
        self.assertEqual(self.discovery.watches, 1)
        self.assertEqual(len(self.clients.channels), 1)
