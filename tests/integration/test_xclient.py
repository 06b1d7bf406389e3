"""Calls between services over real gRPC, in one process: modes, bounds, figures."""

import asyncio
import gc
import sys
from dataclasses import replace
from operator import gt
from typing import Any

import grpc
import grpc.aio
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from typing_extensions import override

from rum_twisted.rpc.bridge import deferred, future
from rum_twisted.rpc.budget import COINS_PER_SECOND, FULL_PURSE
from rum_twisted.rpc.channels import Limits
from rum_twisted.rpc.client import XClient, XClients
from rum_twisted.rpc.deadline import DEADLINE
from rum_twisted.rpc.errors import Code, NoInstance, RpcError
from rum_twisted.rpc.generated import weather_pb2 as pb2
from rum_twisted.rpc.metrics import GONE
from rum_twisted.rpc.options import CallOptions, FailMode, SelectMode
from rum_twisted.rpc.server import RpcServer, ServerSettings
from rum_twisted.rpc.servicing import Answering, IServicer, incoming_metadata
from rum_twisted.rpc.weather import METAR
from rum_twisted.terms.instance import InstanceState
from rum_twisted.terms.units import Seconds
from tests.integration.asyncio_case import AsyncioTestCase
from tests.integration.rpcserver import Reporter
from tests.support.fabric import ListedInstances, chance, make_instance


class FabricTestCase(AsyncioTestCase):
    """Some servers, and the clients that call them."""

    @override
    def setUp(self) -> None:
        """Begin with nobody."""
        super().setUp()
        self.instances = ListedInstances()

    def serve(self, reporter: IServicer, **settings: Any) -> str:
        """Serve; return the address."""
        server = RpcServer(ServerSettings(**settings), [reporter], self.reactor)
        server.startService()
        self.addCleanup(server.stopService)
        return server.address

    def serve_all(self, *names: str) -> list[Reporter]:
        """Serve with one instance of each name, and announce them."""
        reporters = [Reporter(name) for name in names]
        self.instances.change(
            *(make_instance(each.called, self.serve(each)) for each in reporters)
        )
        return reporters

    def client(self, *, limits: Limits | None = None, **options: Any) -> XClient:
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

    async def ask(self, client: XClient, **how: Any) -> str:
        """Ask once; return who has answered."""
        answer = await client.call(METAR, pb2.StationRequest(station="EHAM"), **how)
        return answer.report

    async def failure(self, client: XClient, **how: Any) -> RpcError:
        """Ask once; return how that has failed."""
        try:
            who = await self.ask(client, **how)
        except RpcError as error:
            return error
        raise AssertionError(f"{who} has answered")


class FailoverTests(FabricTestCase):
    """Ask another."""

    def test_another_is_asked(self) -> Deferred[None]:
        """While one of two refuses every call, no caller notices."""
        bad, _ = self.serve_all("bad", "good")
        bad.is_refusing = Code.UNAVAILABLE
        client = self.client(select_mode=SelectMode.ROUND_ROBIN)

        async def check() -> None:
            for _ in range(50):
                self.assertEqual(await self.ask(client), "good")

        return self.run_here(check()).addCallback(
            # The breaker has opened: the bad one is not even asked.
            # If this takes long, it is tried again now and then; else it would be 25.
            lambda _: self.assertLessEqual(bad.asked, 12)
        )

    def test_when_all_fail_the_last_failure_is_told(self) -> Deferred[None]:
        """No more attempts than retries and one."""
        reporters = self.serve_all("a", "b", "c", "d")
        for each in reporters:
            each.is_refusing = Code.UNAVAILABLE
        client = self.client(retries=2)

        async def check() -> None:
            error = await self.failure(client)
            self.assertEqual(error.code, Code.UNAVAILABLE)
            self.assertIn("refuses", error.details)
            self.assertEqual(sum(each.asked for each in reporters), 3)

        return self.run_here(check())

    def test_answers_are_not_asked_for_again(self) -> Deferred[None]:
        """What another would answer as well is told as it is."""
        reporters = self.serve_all("a", "b")
        for each in reporters:
            each.is_refusing = Code.NOT_FOUND
        client = self.client()

        async def check() -> None:
            for _ in range(10):
                error = await self.failure(client)
                self.assertEqual(error.code, Code.NOT_FOUND)
            self.assertEqual(sum(each.asked for each in reporters), 10)

        return self.run_here(check())

    def test_whoever_hangs_leaves_time_for_another(self) -> Deferred[None]:
        """One that never answers costs its share of the deadline, not all."""
        stuck, _ = self.serve_all("stuck", "good")
        stuck.delay = 60.0
        client = self.client(select_mode=SelectMode.ROUND_ROBIN, timeout=3.0)

        async def check() -> None:
            for _ in range(2):
                self.assertEqual(await self.ask(client), "good")
            self.assertEqual(stuck.asked, 1)

        return self.run_here(check())

    def test_what_must_not_be_repeated_is_not(self) -> Deferred[None]:
        """A method that changes something each time is asked for once."""
        reporters = self.serve_all("a", "b")
        for each in reporters:
            each.is_refusing = Code.UNAVAILABLE
        once = replace(METAR, may_repeat=False)

        async def check() -> None:
            for mode in FailMode:
                before = sum(each.asked for each in reporters)
                client = self.client(fail_mode=mode)
                with self.assertRaises(RpcError):
                    await client.call(once, pb2.StationRequest())
                self.assertEqual(sum(each.asked for each in reporters), before + 1)

        return self.run_here(check())

    def test_retries_have_a_budget(self) -> Deferred[None]:
        """When all fail, load grows by the full purse and a tenth, not threefold."""
        reporters = self.serve_all("a", "b", "c")
        for each in reporters:
            each.is_refusing = Code.UNAVAILABLE
        client = self.client(retries=2)

        async def check() -> None:
            begun = self.reactor.seconds()
            failed = 0
            for _ in range(1000):
                failed += isinstance(await self.failure(client), RpcError)
            self.assertEqual(failed, 1000)
            asked = sum(each.asked for each in reporters)
            # The time that passes pays, too.
            passed = (self.reactor.seconds() - begun) * COINS_PER_SECOND
            self.assertLess(asked, 1000 * 1.1 + FULL_PURSE + passed + 1)

        return self.run_here(check())


class OtherFailModeTests(FabricTestCase):
    """Failfast, Failtry, Failbackup."""

    def test_failfast_fails(self) -> Deferred[None]:
        """Nobody else is asked."""
        bad, good = self.serve_all("bad", "good")
        bad.is_refusing = Code.UNAVAILABLE
        mode, select = FailMode.FAILFAST, SelectMode.ROUND_ROBIN
        client = self.client(fail_mode=mode, select_mode=select)

        async def check() -> None:
            self.assertEqual((await self.failure(client)).code, Code.UNAVAILABLE)
            self.assertEqual(await self.ask(client), "good")
            self.assertEqual((bad.asked, good.asked), (1, 1))

        return self.run_here(check())

    def test_failtry_asks_the_same_one_again(self) -> Deferred[None]:
        """The third attempt at the same instance is answered."""
        bad, good = self.serve_all("bad", "good")
        bad.refusals = [Code.UNAVAILABLE, Code.UNAVAILABLE]
        mode, select = FailMode.FAILTRY, SelectMode.ROUND_ROBIN
        client = self.client(fail_mode=mode, select_mode=select, retry_pause=0.01)

        async def check() -> None:
            self.assertEqual(await self.ask(client), "bad")
            self.assertEqual((bad.asked, good.asked), (3, 0))

        return self.run_here(check())

    def test_failtry_gives_up_after_its_retries(self) -> Deferred[None]:
        """One attempt and the retries, no more."""
        (bad,) = self.serve_all("bad")
        bad.is_refusing = Code.UNAVAILABLE
        client = self.client(fail_mode=FailMode.FAILTRY, retries=1, retry_pause=0.01)

        async def check() -> None:
            await self.failure(client)
            self.assertEqual(bad.asked, 2)

        return self.run_here(check())

    def backup(self, delay: float = 0.05) -> XClient:
        """Return a client that asks another after 50 ms, or so many seconds."""
        return self.client(
            fail_mode=FailMode.FAILBACKUP,
            select_mode=SelectMode.ROUND_ROBIN,
            backup_delay=delay,
        )

    def test_failbackup_takes_the_first_answer(self) -> Deferred[None]:
        """The slow one is given up, and its process is told so."""
        slow, quick = self.serve_all("a-slow", "b-quick")
        slow.delay = 60.0
        client = self.backup()

        async def check() -> None:
            self.assertEqual(await self.ask(client), "b-quick")
            self.assertEqual((slow.asked, quick.asked), (1, 1))
            while not slow.given_up:
                await asyncio.sleep(0.01)

        return self.run_here(check())

    def test_failbackup_leaves_quick_ones_alone(self) -> Deferred[None]:
        """An answer in time needs no second question."""
        first, second = self.serve_all("first", "second")
        client = self.backup(30.0)

        async def check() -> None:
            await self.ask(client)
            self.assertEqual(first.asked + second.asked, 1)

        return self.run_here(check())

    def test_failbackup_does_not_wait_after_a_failure(self) -> Deferred[None]:
        """When the first fails at once, another is asked at once."""
        bad, _ = self.serve_all("bad", "good")
        bad.is_refusing = Code.UNAVAILABLE
        client = self.client(
            fail_mode=FailMode.FAILBACKUP,
            select_mode=SelectMode.ROUND_ROBIN,
            backup_delay=60.0,
        )

        async def check() -> None:
            self.assertEqual(await self.ask(client), "good")

        return self.run_here(check())

    def test_failbackup_fails_when_both_do(self) -> Deferred[None]:
        """The first one's failure is told."""
        for each in self.serve_all("bad", "worse"):
            each.is_refusing = Code.UNAVAILABLE
        client = self.backup()

        async def check() -> None:
            self.assertIn("bad refuses", (await self.failure(client)).details)

        return self.run_here(check())

    def test_failbackup_gives_up_both_when_the_caller_does(self) -> Deferred[None]:
        """A client who leaves while both are asked leaves no work behind."""
        reporters = self.serve_all("a", "b")
        for each in reporters:
            each.delay = 60.0
        client = self.backup()

        async def check() -> None:
            asked = asyncio.ensure_future(self.ask(client, timeout=60.0))
            while sum(each.asked for each in reporters) < 2:
                await asyncio.sleep(0.01)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            while sum(each.given_up for each in reporters) < 2:
                await asyncio.sleep(0.01)

        return self.run_here(check())


class BoundTests(FabricTestCase):
    """Time, size and number have bounds, on both sides."""

    def test_deadline_ends_a_call(self) -> Deferred[None]:
        """On both sides: the server stops to work for it, too."""
        (stuck,) = self.serve_all("stuck")
        stuck.delay = 60.0
        client = self.client()

        async def check() -> None:
            error = await self.failure(client, timeout=0.2)
            self.assertEqual(error.code, Code.DEADLINE_EXCEEDED)
            while not stuck.given_up:
                await asyncio.sleep(0.01)

        return self.run_here(check())

    def test_deadline_travels_on(self) -> Deferred[None]:
        """A service that asks another has no longer than its own caller allows."""
        (last,) = self.serve_all("last")
        client = self.client()
        seen: list[float] = []

        def look(_: pb2.StationRequest) -> None:
            deadline = DEADLINE.get()
            assert deadline is not None
            seen.append(deadline - self.reactor.seconds())

        last.look = look

        async def check() -> None:
            DEADLINE.set(Seconds(self.reactor.seconds() + 15.0))
            await self.ask(client, timeout=20.0)
            DEADLINE.set(Seconds(self.reactor.seconds() - 1.0))
            error = await self.failure(client, timeout=20.0)
            self.assertEqual(error.code, Code.DEADLINE_EXCEEDED)
            self.assertLessEqual(seen[0], 15.0)

        return self.run_here(check())

    def test_server_has_its_own_bound(self) -> Deferred[None]:
        """A caller who would wait for ever gets an answer all the same."""
        stuck = Reporter("stuck")
        stuck.delay = 60.0
        address = self.serve(stuck, longest_call=Seconds(0.2))
        self.instances.change(make_instance("stuck", address))
        client = self.client()

        async def check() -> None:
            error = await self.failure(client, timeout=20.0)
            self.assertEqual(error.code, Code.DEADLINE_EXCEEDED)
            self.assertIn("not answered in 0.200 s", error.details)

        return self.run_here(check())

    def test_messages_have_a_size(self) -> Deferred[None]:
        """A question or an answer that is too long is refused, not taken in."""
        small = Limits(message=1000)
        reporter = Reporter("r" * 2000)
        address = self.serve(reporter, limits=small)
        self.instances.change(make_instance("a", address))

        async def check() -> None:
            client = self.client(fail_mode=FailMode.FAILFAST)
            long = pb2.StationRequest(station="E" * 2000)
            with self.assertRaises(RpcError) as caught:
                await client.call(METAR, long)
            self.assertEqual(caught.exception.code, Code.RESOURCE_EXHAUSTED)
            self.assertEqual(reporter.asked, 0)
            error = await self.failure(client)
            self.assertEqual(error.code, Code.RESOURCE_EXHAUSTED)

        return self.run_here(check())

    def test_calls_at_the_same_time_have_a_number(self) -> Deferred[None]:
        """Whoever is one too many is told so at once."""
        reporter = Reporter("a")
        reporter.delay = 60.0
        self.instances.change(make_instance("a", self.serve(reporter, most_calls=5)))
        client = self.client(fail_mode=FailMode.FAILFAST)

        async def check() -> None:
            calls = [
                asyncio.ensure_future(self.failure(client, timeout=50.0))
                for _ in range(7)
            ]
            while sum(call.done() for call in calls) < 2 or reporter.asked < 5:
                await asyncio.sleep(0.01)
            codes = [call.result().code for call in calls if call.done()]
            self.assertEqual(codes, [Code.RESOURCE_EXHAUSTED] * 2)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            while reporter.given_up < 5:
                await asyncio.sleep(0.01)

        return self.run_here(check())

    def test_insides_of_a_server_stay_there(self) -> Deferred[None]:
        """A bug is logged where it is, and the caller reads nothing of it."""
        (broken,) = self.serve_all("broken")

        def look(_: pb2.StationRequest) -> None:
            raise KeyError("a secret")

        broken.look = look
        client = self.client()

        async def check() -> None:
            error = await self.failure(client)
            self.assertEqual(error.code, Code.INTERNAL)
            self.assertNotIn("secret", str(error))
            self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

        return self.run_here(check())

    def test_metadata_goes_along(self) -> Deferred[None]:
        """The server reads what the caller has added."""
        (reporter,) = self.serve_all("a")
        seen: list[dict[str, str]] = []
        reporter.look = lambda _: seen.append(incoming_metadata())
        client = self.client()

        async def check() -> None:
            await self.ask(client, metadata=[("rum-flight", "KLM1")])
            self.assertEqual(seen[0]["rum-flight"], "KLM1")

        return self.run_here(check())


class Relay:
    """A service that asks another one for everything.

    Args:
        client: of the other.
    """

    name: str = "rum.v1.Weather"

    def __init__(self, client: XClient) -> None:
        self._client = client
        self.answers = (Answering(METAR, self._metar),)

    async def _metar(self, request: pb2.StationRequest) -> pb2.MetarResponse:
        return await self._client.call(METAR, request, timeout=50.0)


class ChainTests(FabricTestCase):
    """A service that asks another on behalf of its caller."""

    def relayed(self) -> tuple[Reporter, XClient]:
        """Return who is asked in the end, and a client of the relay."""
        (last,) = self.serve_all("last")
        relay = RpcServer(ServerSettings(), [Relay(self.client())], self.reactor)
        relay.startService()
        self.addCleanup(relay.stopService)
        self.instances = ListedInstances(make_instance("relay", relay.address))
        return last, self.client()

    def test_answer_comes_through(self) -> Deferred[None]:
        """And nothing else is needed for that."""
        _, client = self.relayed()

        async def check() -> None:
            self.assertEqual(await self.ask(client), "last")

        return self.run_here(check())

    def test_deadline_ends_the_whole_chain(self) -> Deferred[None]:
        """The last one stops to work when the first caller's time is over."""
        last, client = self.relayed()
        last.delay = 60.0

        async def check() -> None:
            error = await self.failure(client, timeout=0.3)
            self.assertEqual(error.code, Code.DEADLINE_EXCEEDED)
            while not last.given_up:
                await asyncio.sleep(0.01)

        return self.run_here(check())

    def test_failure_of_another_is_not_told_as_ones_own(self) -> Deferred[None]:
        """The words of a service behind the one that was asked stay there."""
        last, client = self.relayed()
        last.is_refusing = Code.INTERNAL

        async def check() -> None:
            error = await self.failure(client)
            self.assertEqual(error.code, Code.UNAVAILABLE)
            self.assertEqual(error.details, f"{METAR.path} has failed")

        return self.run_here(check())


class ChangeTests(FabricTestCase):
    """Instances come and go while they are called."""

    def test_those_who_drain_get_nothing_new(self) -> Deferred[None]:
        """What they have, they finish."""
        old, new = self.serve_all("a-old", "b-new")
        listed = self.instances.instances("weather")
        old.delay = 0.3
        client = self.client(select_mode=SelectMode.ROUND_ROBIN)

        async def check() -> None:
            begun = asyncio.ensure_future(self.ask(client))
            while not old.asked:
                await asyncio.sleep(0.01)
            draining = replace(listed[0], state=InstanceState.DRAINING)
            self.instances.change(draining, listed[1])
            for _ in range(10):
                self.assertEqual(await self.ask(client), "b-new")
            self.assertEqual(await begun, "a-old")
            self.assertEqual((old.asked, new.asked), (1, 10))

        return self.run_here(check())

    def test_counts_are_kept_when_an_instance_goes(self) -> Deferred[None]:
        """Apart by endpoint and version while it is there, together afterwards."""
        self.serve_all("a")
        client = self.client()

        async def check() -> None:
            await self.ask(client)
            (series,) = self.clients.metrics.snapshot()
            label = series.label
            self.assertEqual((label.method, label.version), (METAR.path, "4.0.0"))
            self.assertEqual((series.calls, series.codes), (1, {Code.OK: 1}))
            self.instances.change()
            (series,) = self.clients.metrics.snapshot()
            self.assertEqual((series.label.address, series.calls), (GONE, 1))

        return self.run_here(check())

    def test_rpcx_186_closing_ends_the_watch(self) -> Deferred[None]:
        """After the end, a change reaches nobody, and no channel is left."""
        self.serve_all("a")
        client = self.client()

        async def check() -> None:
            await self.ask(client)
            await future(self.clients.stopService())
            self.assertEqual(self.instances.watches, [])
            self.assertEqual(len(self.clients.channels), 0)

        return self.run_here(check())

    def test_rpcx_578_closing_works_while_nobody_is_there(self) -> Deferred[None]:
        """Neither does an instance that does not listen keep anything alive."""
        self.instances.change(make_instance("a", "127.0.0.1:1"))
        client = self.client(timeout=30.0)

        async def check() -> None:
            error = await self.failure(client)
            self.assertEqual(error.code, Code.UNAVAILABLE)
            await future(self.clients.stopService())

        return self.run_here(check())

    def test_broken_ones_are_told_of(self) -> Deferred[None]:
        """When none has answered of late, a call does not wait to say so."""
        (bad,) = self.serve_all("bad")
        bad.is_refusing = Code.UNAVAILABLE
        client = self.client(fail_mode=FailMode.FAILFAST)

        async def check() -> None:
            for _ in range(3):
                await self.failure(client)
            error = await self.failure(client)
            self.assertIsInstance(error, NoInstance)
            self.assertIn("1 instances, none has answered of late", error.details)
            self.assertEqual(bad.asked, 3)

        return self.run_here(check())

    def test_slip_of_ours_leaves_the_breaker_as_it_was(self) -> Deferred[None]:
        """Metadata that cannot be sent say nothing of who would have been asked."""
        (bad,) = self.serve_all("bad")
        bad.refusals = [Code.UNAVAILABLE] * 3
        client = self.client(fail_mode=FailMode.FAILFAST)

        async def check() -> None:
            for _ in range(3):
                await self.failure(client)
            while isinstance(await self.slip(client), NoInstance):
                await asyncio.sleep(0.05)
            self.assertEqual(await self.ask(client), "bad")

        return self.run_here(check())

    async def slip(self, client: XClient) -> Exception:
        """Ask with a key that HTTP/2 does not have; return how that has failed."""
        try:
            await self.ask(client, metadata=[("Rum-Flight", "KLM1")])
        except Exception as error:  # noqa: BLE001 - gRPC has a kind of its own
            return error
        raise AssertionError("it was sent")

    def test_calls_under_way_have_a_moment_when_we_stop(self) -> Deferred[None]:
        """A quick one is answered, one that hangs is ended."""
        (reporter,) = self.serve_all("a")
        client = self.client()

        async def check() -> None:
            reporter.delay = 0.3
            quick = asyncio.ensure_future(self.ask(client))
            while reporter.asked < 1:
                await asyncio.sleep(0.01)
            reporter.delay = 60.0
            stuck = asyncio.ensure_future(self.failure(client, timeout=50.0))
            while reporter.asked < 2:
                await asyncio.sleep(0.01)
            await future(self.clients.stopService())
            self.assertEqual(await quick, "a")
            self.assertEqual((await stuck).code, Code.CANCELLED)

        return self.run_here(check())

    def test_stopping_does_not_wait_for_those_who_are_gone(self) -> Deferred[None]:
        """A call that hangs at a former instance holds nobody up."""
        (stuck,) = self.serve_all("stuck")
        stuck.delay = 60.0
        client = self.client()

        async def check() -> None:
            asking = asyncio.ensure_future(self.failure(client, timeout=50.0))
            while not stuck.asked:
                await asyncio.sleep(0.01)
            self.instances.change()
            await asyncio.sleep(0.05)
            self.assertFalse(asking.done())
            began = self.reactor.seconds()
            await future(self.clients.stopService())
            self.assertEqual((await asking).code, Code.CANCELLED)
            self.assertLess(self.reactor.seconds() - began, 25.0)  # else it is 30

        return self.run_here(check())

    def test_failtry_leaves_one_that_goes(self) -> Deferred[None]:
        """An instance that is taken off the list between two attempts is not opened."""
        bad, _ = self.serve_all("bad", "good")
        good = self.instances.instances("weather")[1]
        bad.refusals = [Code.UNAVAILABLE] * 3
        mode, select = FailMode.FAILTRY, SelectMode.ROUND_ROBIN
        client = self.client(fail_mode=mode, select_mode=select, retry_pause=1.0)

        async def check() -> None:
            asking = asyncio.ensure_future(self.ask(client))
            while not bad.asked:
                await asyncio.sleep(0.01)
            self.instances.change(good)
            self.assertEqual(await asking, "good")
            self.assertEqual(self.clients.channels.addresses, (good.address,))

        return self.run_here(check())


class CarelessLineTests(FabricTestCase):
    """What the careless line leaves behind in a real process."""

    def figures(self) -> tuple[int, int, int]:
        """Return the numbers of tasks, of channels, and of clients."""
        gc.collect()
        objects = gc.get_objects()
        return (
            len(asyncio.all_tasks()),
            sum(isinstance(each, grpc.aio.Channel) for each in objects),
            sum(type(each) is XClient for each in objects),
        )

    def test_ten_thousand_clients_leave_nothing(self) -> Deferred[None]:
        """Asked for, used now and then, never closed: all figures stay flat."""
        self.serve_all("a", "b", "c")
        client = self.client()

        async def be_careless(times: int) -> None:
            for number in range(times):
                careless = self.clients.client("weather")
                if number % 100 == 0:
                    await self.ask(careless)

        async def check() -> None:
            with capturedLogs():
                # Connections, caches and the one warning are made here.
                await be_careless(1000)
            await self.ask(client)
            before = self.figures()
            blocks = sys.getallocatedblocks()
            await be_careless(10_000)
            grown = sys.getallocatedblocks() - blocks
            while any(map(gt, self.figures(), before)):
                await asyncio.sleep(0.01)  # the last call's end may still be under way
            self.assertGreaterEqual(before[1], 3)
            # One block each would be 10,000.
            self.assertLess(grown, 2000)
            self.assertEqual(len(self.instances.watches), 1)
            self.assertEqual(len(self.clients.channels), 3)

        return self.run_here(check())


class CrossingTests(FabricTestCase):
    """A call as the rooms above make it."""

    def test_cancelling_a_deferred_reaches_the_server(self) -> Deferred[None]:
        """A pilot who leaves during a look-up ends it in the other process."""
        (reporter,) = self.serve_all("a")
        reporter.delay = 60.0
        client = self.client()

        async def check() -> None:
            call = deferred(self.ask(client, timeout=50.0))
            while not reporter.asked:
                await asyncio.sleep(0.01)
            call.addErrback(lambda _: None)
            call.cancel()
            while not reporter.given_up:
                await asyncio.sleep(0.01)

        return self.run_here(check())
