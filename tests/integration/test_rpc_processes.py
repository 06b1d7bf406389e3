"""Services in processes of their own, which die, freeze, hang and come back."""

import asyncio
from collections import Counter
from collections.abc import Callable
from time import process_time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from typing_extensions import override

from rum_twisted.rpc.bridge import future
from rum_twisted.rpc.channels import Limits
from rum_twisted.rpc.client import XClient, XClients
from rum_twisted.rpc.errors import Code, RpcError
from rum_twisted.rpc.generated import weather_pb2 as pb2
from rum_twisted.rpc.options import CallOptions, FailMode, SelectMode
from rum_twisted.rpc.weather import METAR
from rum_twisted.terms.units import Seconds
from tests.integration.asyncio_case import AsyncioTestCase
from tests.integration.rpcserver import ForeignServer
from tests.support.fabric import ListedInstances, chance, make_instance
from tests.support.twistd import free_port

AT_ONCE = 64  # calls under way
MANY = 2000  # calls


class ProcessTestCase(AsyncioTestCase):
    """Some processes, and the clients that call them."""

    @override
    def setUp(self) -> None:
        """Begin with nobody."""
        super().setUp()
        self.servers: dict[str, ForeignServer] = {}
        self.instances = ListedInstances()

    async def start(self, name: str, *arguments: str, port: int = 0) -> ForeignServer:
        """Start a process; return when it serves, and announce it."""
        server: ForeignServer = await future(
            deferToThread(ForeignServer, name, *arguments, port=port)
        )
        self.addCleanup(server.end)
        self.servers[name] = server
        self.instances.change(
            *(make_instance(key, each.address) for key, each in self.servers.items())
        )
        return server

    def client(self, limits: Limits | None = None, **options: Any) -> XClient:
        """Return a client with these options."""
        calling = CallOptions(**options)
        self.clients = XClients(
            self.instances,
            self.reactor,
            chance(),
            options=lambda _: calling,
            limits=limits,
        )
        self.clients.startService()
        client = self.clients.client("weather")
        self.addCleanup(self.clients.stopService)
        self.addCleanup(client.close)
        return client

    async def ask(self, client: XClient, timeout: float = 10.0) -> str:
        """Ask once; return who has answered, or the code of the failure."""
        request = pb2.StationRequest(station="EHAM")
        try:
            return (await client.call(METAR, request, timeout=timeout)).report
        except RpcError as error:
            return error.code.name

    async def ask_all_the_time(
        self,
        client: XClient,
        outcomes: Counter[str],
        until: Callable[[], bool],
        at_once: int = AT_ONCE,
    ) -> None:
        """Ask from many places at once; count who has answered how often."""

        async def work() -> None:
            while not until():
                outcomes[await self.ask(client)] += 1

        await asyncio.gather(*(work() for _ in range(at_once)))

    async def answers_again(self, client: XClient, name: str) -> None:
        """Wait until somebody of that name has answered."""
        while await self.ask(client, timeout=1.0) != name:
            await asyncio.sleep(0.05)


class DeathTests(ProcessTestCase):
    """``kill -9``."""

    def test_rpcx_144_dead_instance_is_not_noticed_by_callers(self) -> Deferred[None]:
        """Of two under load one is killed, and stays in the list: no call fails."""
        return self.run_here(self.check_death())

    async def check_death(self) -> None:
        """Kill one of two while 64 calls are under way."""
        await self.start("dies")
        await self.start("lives")
        client = self.client()
        outcomes: Counter[str] = Counter()
        enough = asyncio.Event()
        asking = asyncio.ensure_future(
            self.ask_all_the_time(client, outcomes, enough.is_set)
        )
        while outcomes["dies"] < AT_ONCE:
            await asyncio.sleep(0.01)
        self.servers["dies"].kill()
        before = outcomes["lives"]
        # So many that the retries' budget would be spent if the dead one got half.
        while outcomes["lives"] < before + 10 * AT_ONCE:
            await asyncio.sleep(0.01)
        enough.set()
        await asking
        self.assertEqual(set(outcomes), {"dies", "lives"})

    def test_instance_that_comes_back_is_asked_again(self) -> Deferred[None]:
        """The same address serves again: nobody has to be told."""
        return self.run_here(self.check_return())

    async def check_return(self) -> None:
        """Kill the only one, and start it again at its port."""
        server = await self.start("first", port=free_port())
        client = self.client()
        self.assertEqual(await self.ask(client), "first")
        server.kill()
        for _ in range(5):
            self.assertEqual(await self.ask(client), "UNAVAILABLE")
        del self.servers["first"]
        await self.start("second", port=server.port)
        await self.answers_again(client, "second")

    def test_rpcx_374_nobody_is_there_and_nothing_spins(self) -> Deferred[None]:
        """While the only instance is dead, waiting for it costs no CPU."""
        return self.run_here(self.check_quiet())

    async def check_quiet(self) -> None:
        """Look at the CPU while nobody asks."""
        server = await self.start("dies")
        client = self.client()
        await self.ask(client)
        server.kill()
        await self.ask(client)
        before = process_time()
        await asyncio.sleep(3.0)
        # A loop that spins takes all of it; reconnecting takes some milliseconds.
        self.assertLess(process_time() - before, 0.5)


class FreezeTests(ProcessTestCase):
    """A process that stands still, while its kernel keeps the connection up."""

    def test_another_answers_in_time(self) -> Deferred[None]:
        """Half-open TCP costs some calls a part of their deadline, and none fails."""
        return self.run_here(self.check_other())

    async def check_other(self) -> None:
        """Freeze one of two."""
        await self.start("freezes")
        await self.start("lives")
        client = self.client(select_mode=SelectMode.ROUND_ROBIN, timeout=4.5)
        for _ in range(4):
            await self.ask(client)
        self.servers["freezes"].freeze()
        outcomes = Counter([await self.ask(client, timeout=4.5) for _ in range(4)])
        self.assertEqual(outcomes, Counter(lives=4))
        self.servers["freezes"].thaw()
        await self.answers_again(client, "freezes")

    def test_hedged_call_does_not_wait(self) -> Deferred[None]:
        """With Failbackup, a frozen one costs its delay and no more."""
        return self.run_here(self.check_hedge())

    async def check_hedge(self) -> None:
        """Freeze one of two; ask with a deadline that is far away."""
        await self.start("freezes")
        await self.start("lives")
        client = self.client(
            fail_mode=FailMode.FAILBACKUP,
            select_mode=SelectMode.ROUND_ROBIN,
            backup_delay=0.05,
            timeout=60.0,
        )
        for _ in range(4):
            await self.ask(client)
        self.servers["freezes"].freeze()
        outcomes = [await self.ask(client, timeout=60.0) for _ in range(10)]
        self.assertEqual(outcomes, ["lives"] * 10)

    def test_dead_connection_is_found_out(self) -> Deferred[None]:
        """Without an answer to its pings, a connection ends before the deadline."""
        return self.run_here(self.check_keepalive())

    async def check_keepalive(self) -> None:
        """Freeze the only one; ask with a deadline beyond the test's own."""
        await self.start("freezes")
        limits = Limits(keepalive=Seconds(1.0), keepalive_timeout=Seconds(1.0))
        client = self.client(limits, timeout=600.0)
        await self.ask(client)
        self.servers["freezes"].freeze()
        self.assertEqual(await self.ask(client, timeout=600.0), Code.UNAVAILABLE.name)
        self.servers["freezes"].thaw()
        await self.answers_again(client, "freezes")


class SlownessTests(ProcessTestCase):
    """A process that answers, but late."""

    def test_slow_one_gets_few_calls(self) -> Deferred[None]:
        """Most calls go to the quick one, without anybody's setting."""
        return self.run_here(self.check_share())

    async def check_share(self) -> None:
        """Ask a slow and a quick one, so often as it takes a second."""
        await self.start("slow", "--delay", "1.0")
        await self.start("quick")
        client = self.client(select_mode=SelectMode.P2C)
        outcomes: Counter[str] = Counter()
        # Few at once: where many wait for this machine, the quick one is slow, too.
        await self.ask_all_the_time(
            client, outcomes, lambda: outcomes.total() >= MANY, at_once=8
        )
        self.assertEqual(set(outcomes), {"slow", "quick"})
        self.assertGreater(outcomes["quick"], 10 * outcomes["slow"])

    def test_one_that_refuses_gets_few_calls(self) -> Deferred[None]:
        """Quick failures do not attract calls."""
        return self.run_here(self.check_refusing())

    async def check_refusing(self) -> None:
        """Ask one that refuses everything, at once, and one that takes its time."""
        await self.start("refuses", "--refuse", "UNAVAILABLE")
        await self.start("works", "--delay", "0.02")
        client = self.client(select_mode=SelectMode.P2C)
        outcomes = Counter([await self.ask(client) for _ in range(50)])
        self.assertEqual(outcomes, Counter(works=50))
        refused = sum(series.errors for series in self.clients.metrics.snapshot())
        self.assertLess(refused, 10)
