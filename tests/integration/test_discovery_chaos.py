"""Discovery lives through what can happen to an etcd; each time a real one.

What etcd itself goes through is done over both connections, the rest over the one that
is used by default. Where the end of a lease is waited for, it lives for two seconds,
the least that etcd grants; elsewhere for longer, so that it does not end because this
machine is busy.
"""

import asyncio
import gc
import signal
from functools import partial
from pathlib import Path
from random import Random
from time import process_time
from typing import Any, Final

import grpc.aio
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest
from typing_extensions import override

from rum_twisted.config import DiscoverySettings
from rum_twisted.discovery.choose import CannotDiscover, make_discovery
from rum_twisted.discovery.interfaces import RegistryState
from rum_twisted.discovery.service import DiscoveryClient
from rum_twisted.terms.instance import Instance
from tests.integration.discovery_member import Member
from tests.support.certificates import Authority
from tests.support.etcd import PATIENCE, Etcd, cluster_of
from tests.support.etcd_case import CLOCK, EtcdTestCase, until
from tests.support.instances import make_instance
from tests.support.wire_cutter import WireCutter

TTL: Final = 2  # seconds
UNHURRIED: Final = 6  # seconds, of leases that are not to end
SLACK: Final = 20.0  # seconds, for what comes as soon as the machine has time for it
LEASES = "etcd_debugging_lease_granted_total"
WATCHERS = "etcd_debugging_mvcc_watcher_total"
STREAMS = "etcd_debugging_mvcc_watch_stream_total"
AUTH = ("--auth-token=simple", "--auth-token-ttl=1", "--bcrypt-cost=4")


class Sight:
    """What one process was told of a service, and whether anybody vanished."""

    def __init__(self, discovery: DiscoveryClient) -> None:
        self._discovery = discovery
        self.fewest = 0  # told at any time since the last `count`
        self.times = 0
        discovery.watch("passport", self._told)

    def _told(self, instances: tuple[Instance, ...]) -> None:
        self.times += 1
        self.fewest = min(self.fewest, len(instances))

    def count(self) -> None:
        """Begin to count anew."""
        self.fewest = len(self._discovery.instances("passport"))

    @property
    def names(self) -> list[str]:
        """Who is there now."""
        return [each.name for each in self._discovery.instances("passport")]


class Stranger(Factory):
    """Listens where an etcd should, and has its own words for whoever comes.

    Args:
        words: said at once; nothing: it only listens.
    """

    noisy = False

    def __init__(self, words: bytes) -> None:
        self.met = 0  # callers
        self.open: set[Protocol] = set()  # conversations
        self._words = words

    @override
    def buildProtocol(self, addr: object) -> Protocol:
        """Say them."""
        self.met += 1
        return Speaker(self._words, self.open)

    def hang_up(self) -> None:
        """End every conversation."""
        for each in tuple(self.open):
            transport: Any = each.transport
            transport.abortConnection()


class Speaker(Protocol):
    """One of its conversations."""

    def __init__(self, words: bytes, conversations: set[Protocol]) -> None:
        self._words = words
        self._open = conversations

    @override
    def connectionMade(self) -> None:
        """Say something, or nothing."""
        assert self.transport is not None, "just connected"
        self._open.add(self)
        self.transport.write(self._words)

    @override
    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Be done with it."""
        self._open.discard(self)


def _has_trouble(discovery: DiscoveryClient) -> bool:
    return bool(discovery.health.trouble)


def _channels() -> int:
    """Return how many gRPC channels there are, of either kind."""
    gc.collect()
    kinds = (grpc.Channel, grpc.aio.Channel)
    return sum(isinstance(each, kinds) for each in gc.get_objects())


def _are_let_go(before: int) -> bool:
    return _channels() <= before


def _is_left(stranger: Stranger) -> bool:
    return not stranger.open


class Chaos:
    """Keeps the suite itself out of the test loader's sight."""

    class OutageTests(EtcdTestCase):
        """What etcd itself goes through, over whatever connection."""

        client = ""  # the setting discovery.client

        def make(self, *endpoints: str, **settings: Any) -> DiscoveryClient:
            """Return a discovery client that is not started."""
            try:
                return make_discovery(
                    DiscoverySettings(
                        **{
                            "backend": "etcd",
                            "endpoints": endpoints,
                            "client": self.client,
                            "lease_ttl": UNHURRIED,
                            **settings,
                        }
                    ),
                    CLOCK,
                    Random(1),  # noqa: S311 - the same each time
                )
            except CannotDiscover as error:
                if isinstance(error.__cause__, ImportError):
                    raise SkipTest(str(error)) from error
                raise

        def start(self, *endpoints: str, **settings: Any) -> DiscoveryClient:
            """Return one that is started and stopped with the test."""
            discovery = self.make(*endpoints, **settings)
            discovery.startService()
            self.addCleanup(discovery.stopService)
            return discovery

        async def begin(self, endpoint: str, **settings: Any) -> None:
            """Let one process be listed, and another one see it."""
            self.listed = self.start(endpoint, **settings)
            self.seeing = self.start(endpoint, **settings)
            self.sight = Sight(self.seeing)
            self.listed.register(make_instance("a-1"))
            await self.sees("a-1")
            self.sight.count()

        async def sees(self, *names: str, within: float = PATIENCE) -> None:
            """Wait until exactly these are seen."""
            await until(
                lambda: self.sight.names == list(names),
                f"{names}; {self.seeing.health}",
                within,
            )

        async def still_works(self) -> None:
            """Check that a change is still told, in no time."""
            self.listed.register(make_instance("a-1", version="changed"))
            await until(
                lambda: (
                    {each.version for each in self.seeing.instances("passport")}
                    == {"changed"}
                ),
                f"a change is told; {self.listed.health}; {self.seeing.health}",
            )
            self.assertEqual(self.sight.names, ["a-1"])

        async def is_registered(self, discovery: DiscoveryClient) -> None:
            """Wait until everything stands in etcd."""
            await until(lambda: discovery.health.is_registered, f"{discovery.health}")

        async def pause(self, seconds: float) -> None:
            """Let time pass."""
            await deferLater(CLOCK, seconds)

        async def control(self, etcd: Etcd, *arguments: str) -> str:
            """Run etcdctl while everything else goes on."""
            printed: str = await deferToThread(etcd.control, *arguments)
            return printed

        async def leases(self, etcd: Etcd) -> int:
            """Return how many leases etcd holds now."""
            printed = await self.control(etcd, "lease", "list")
            return len(printed.splitlines()) - 1  # below a headline

        async def test_killed_and_started_again(self) -> None:
            """Etcd is killed (-9) and comes back: nobody notices, nothing is lost."""
            etcd = self.start_etcd()
            await self.begin(etcd.endpoint)
            etcd.kill()
            await until(
                lambda: self.seeing.health.state is RegistryState.AWAY, "it is away"
            )
            self.assertEqual(self.sight.names, ["a-1"])
            etcd.start()
            await etcd.ready()
            await self.still_works()
            self.assertEqual(self.sight.fewest, 1)
            self.assertEqual(self.listed.health.registrations, 1)
            self.assertEqual(await self.leases(etcd), 1)

        async def test_stands_still_for_three_leases(self) -> None:
            """Etcd is stopped (SIGSTOP) for 3 x TTL: nobody vanishes then or after."""
            etcd = self.start_etcd()
            await self.begin(etcd.endpoint, lease_ttl=TTL)
            etcd.halt()
            await self.pause(3 * TTL)
            self.assertEqual(self.sight.names, ["a-1"])
            etcd.go_on()
            await self.is_registered(self.listed)
            await self.still_works()
            await self.pause(2 * TTL)
            self.assertEqual(self.sight.names, ["a-1"])
            self.assertEqual(self.sight.fewest, 1)
            self.assertLessEqual(self.listed.health.registrations, 2)
            self.assertEqual(await self.leases(etcd), 1)

        async def test_comes_back_empty(self) -> None:
            """Etcd has lost its data: all register again, once, unseen by others."""
            etcd = self.start_etcd()
            await self.begin(etcd.endpoint)
            etcd.kill()
            etcd.lose_data()
            etcd.start()
            await etcd.ready()
            await until(
                lambda: self.listed.health.registrations == 2, "registered again"
            )
            await self.still_works()
            await self.pause(2 * TTL)
            self.assertEqual(self.sight.names, ["a-1"])
            self.assertEqual(self.sight.fewest, 1)
            self.assertEqual(self.listed.health.registrations, 2)
            self.assertEqual(await self.leases(etcd), 1)

        async def test_compacted_while_we_were_cut_off(self) -> None:
            """Etcd has forgotten what we have missed: we know it all the same."""
            etcd = self.start_etcd()
            wire = WireCutter(CLOCK, etcd.port)
            self.addCleanup(wire.cut)
            self.listed = self.start(etcd.endpoint, lease_ttl=TTL)
            self.seeing = self.start(wire.endpoint, lease_ttl=TTL)
            self.sight = Sight(self.seeing)
            leaving = self.start(etcd.endpoint, lease_ttl=TTL)
            self.listed.register(make_instance("a-1"))
            leaving.register(make_instance("b-1"))
            await self.sees("a-1", "b-1")
            await wire.cut()
            await until(
                lambda: self.seeing.health.state is RegistryState.AWAY, "it is away"
            )
            await leaving.stopService()
            for number in range(5):
                self.listed.register(make_instance("a-1", version=str(number)))
                await self.is_registered(self.listed)
            revision = (
                await self.control(etcd, "get", "none", "--write-out=fields")
            ).partition('"Revision" : ')[2]
            await self.control(etcd, "compact", revision.split()[0])
            wire.mend()
            await self.sees("a-1")
            await self.still_works()

        async def test_connection_falls_silent(self) -> None:
            """A half-open connection is found out, and another one is made."""
            etcd = self.start_etcd()
            wire = WireCutter(CLOCK, etcd.port)
            self.addCleanup(wire.cut)
            self.listed = self.start(etcd.endpoint, lease_ttl=TTL)
            self.seeing = self.start(wire.endpoint, lease_ttl=TTL)
            self.sight = Sight(self.seeing)
            self.listed.register(make_instance("a-1"))
            await self.sees("a-1")
            wire.is_silent = True
            self.listed.register(make_instance("a-1", version="unseen"))
            await until(
                lambda: self.seeing.health.state is not RegistryState.LIVE,
                "the silence is noticed",
                within=90.0,
            )
            await wire.cut()
            wire.is_silent = False
            wire.mend()
            await self.still_works()

        async def test_token_runs_out(self) -> None:
            """Etcd asks for a password and its tokens live a second: it goes on."""
            etcd = self.start_etcd(*AUTH)
            await self.protect(etcd)
            wire = WireCutter(CLOCK, etcd.port)
            self.addCleanup(wire.cut)
            access = {"user": "rum", "password": "rum's own"}
            self.listed = self.start(wire.endpoint, **access)
            self.seeing = self.start(wire.endpoint, **access)
            self.sight = Sight(self.seeing)
            self.listed.register(make_instance("a-1"))
            await self.sees("a-1")
            self.sight.count()
            await self.pause(4.0)  # renewals lie 2 s apart, a token lives 1 s
            await wire.cut()
            wire.mend()  # the watch begins again, with a token that has run out
            await self.still_works()
            self.assertEqual(self.listed.health.registrations, 1)
            self.assertEqual(self.sight.fewest, 1)

        async def protect(self, etcd: Etcd) -> None:
            """Let etcd ask for passwords."""
            for command in (
                "user add root:root",
                "user grant-role root root",
                "role add rum",
                "role grant-permission rum --prefix=true readwrite /rum/",
            ):
                await self.control(etcd, *command.split())
            await self.control(etcd, "user", "add", "rum:rum's own")
            await self.control(etcd, "user", "grant-role", "rum", "rum")
            await self.control(etcd, "auth", "enable")

        async def test_tls(self) -> None:
            """Over TLS, each side proves who it is."""
            authority = Authority(Path(self.mktemp()), "ours")
            server, client = authority.issue("etcd"), authority.issue("rum")
            etcd = self.start_etcd(
                f"--cert-file={server.cert}",
                f"--key-file={server.key}",
                f"--trusted-ca-file={authority.ca}",
                "--client-cert-auth",
                scheme="https",
                ca=authority.ca,
            )
            files = {"tls_ca": authority.ca, "tls_cert": client.cert}
            self.listed = self.start(etcd.endpoint, **files, tls_key=client.key)
            self.seeing = self.start(etcd.endpoint, **files, tls_key=client.key)
            self.sight = Sight(self.seeing)
            self.listed.register(make_instance("a-1"))
            await self.sees("a-1")
            await self.still_works()

            stranger = Authority(Path(self.mktemp()), "theirs")
            fooled = self.start(etcd.endpoint, tls_ca=stranger.ca)
            Sight(fooled)
            await until(lambda: fooled.health.trouble, "a wrong authority is noticed")
            self.assertIsNot(fooled.health.state, RegistryState.LIVE)

        async def test_down_at_our_start(self) -> None:
            """Without etcd the process starts all the same, and is listed later."""
            etcd = self.make_etcd()
            self.listed = self.start(etcd.endpoint)
            self.seeing = self.start(etcd.endpoint)
            self.sight = Sight(self.seeing)
            self.listed.register(make_instance("a-1"))
            await self.pause(1.0)
            self.assertEqual((self.sight.names, self.sight.times), ([], 0))
            self.assertIs(self.seeing.health.state, RegistryState.CONNECTING)
            etcd.start()
            await etcd.ready()
            await self.sees("a-1")

        async def test_somebody_else_at_its_address(self) -> None:
            """What answers nonsense, or nothing, is no etcd; nothing spins or hangs."""
            for words in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b""):
                stranger = Stranger(words)
                before = _channels()
                reactor: Any = CLOCK
                port = reactor.listenTCP(0, stranger, interface="127.0.0.1")
                self.addCleanup(port.stopListening)
                discovery = self.start(f"127.0.0.1:{port.getHost().port}")
                sight = Sight(discovery)
                discovery.register(make_instance("a-1"))
                await until(partial(_has_trouble, discovery), "it is noticed")
                self.assertIs(discovery.health.state, RegistryState.CONNECTING)
                self.assertEqual(sight.times, 0)
                self.assertLess(stranger.met, 60)  # no more often than the pauses allow
                await discovery.stopService()
                await until(partial(_are_let_go, before), "channels are let go")
                # gRPC may keep one on which nobody has ever spoken until it is told.
                stranger.hang_up()
                await until(partial(_is_left, stranger), "nobody calls again")

        async def test_stops_while_etcd_is_away(self) -> None:
            """A process ends in time, though nobody answers its farewell."""
            for end in (Etcd.kill, Etcd.halt):
                etcd = self.start_etcd()
                discovery = self.start(etcd.endpoint)
                Sight(discovery)
                discovery.register(make_instance("a-1"))
                await self.is_registered(discovery)
                end(etcd)
                begin = CLOCK.seconds()
                await discovery.stopService()
                self.assertLess(CLOCK.seconds() - begin, SLACK)

    class ChaosTests(OutageTests):
        """More of it, and what happens to others."""

        async def test_down_for_longer_than_the_lease(self) -> None:
            """After an outage of twice the lease the entry stands, under one lease."""
            etcd = self.start_etcd()
            await self.begin(etcd.endpoint, lease_ttl=TTL)
            etcd.kill()
            await self.pause(2 * TTL)
            self.assertEqual(self.sight.names, ["a-1"])
            etcd.start()
            await etcd.ready()
            await self.still_works()
            await self.pause(2 * TTL)
            self.assertEqual(self.sight.names, ["a-1"])
            self.assertEqual(self.sight.fewest, 1)
            self.assertLessEqual(self.listed.health.registrations, 2)
            self.assertEqual(await self.leases(etcd), 1)

        async def test_who_was_lost_with_the_data_leaves_in_the_end(self) -> None:
            """Of two, one ended while etcd was away and lost its data: he goes."""
            etcd = self.start_etcd()
            await self.begin(etcd.endpoint, lease_ttl=TTL)
            leaving = self.start(etcd.endpoint, lease_ttl=TTL)
            leaving.register(make_instance("b-1"))
            await self.sees("a-1", "b-1")
            etcd.kill()
            etcd.lose_data()
            await leaving.stopService()
            etcd.start()
            await etcd.ready()
            await self.sees("a-1")

        async def test_cut_many_times(self) -> None:
            """Six cuts leave one watch and one lease, and nothing is missed."""
            etcd = self.start_etcd()
            wire = WireCutter(CLOCK, etcd.port)
            self.addCleanup(wire.cut)
            await self.begin(wire.endpoint)
            for number in range(6):  # each time it is waited longer
                await wire.cut()
                wire.mend()
                self.listed.register(make_instance("a-1", version=str(number)))
                await until(
                    lambda due=str(number): (
                        {  # type: ignore[misc]
                            each.version for each in self.seeing.instances("passport")
                        }
                        == {due}
                    ),
                    f"change {number} is told",
                )
            self.assertEqual(self.sight.fewest, 1)
            self.assertEqual(self.listed.health.registrations, 1)
            self.assertEqual(etcd.metric(LEASES), 1)
            await until(lambda: etcd.metric(WATCHERS) == 1, "one watch")

        async def test_restarted_with_tokens_forgotten(self) -> None:
            """A restart forgets every token; new ones are asked for, unseen."""
            etcd = self.start_etcd(*AUTH)
            await self.protect(etcd)
            access = {"user": "rum", "password": "rum's own"}
            self.listed = self.start(etcd.endpoint, **access)
            self.seeing = self.start(etcd.endpoint, **access)
            self.sight = Sight(self.seeing)
            self.listed.register(make_instance("a-1"))
            await self.sees("a-1")
            self.sight.count()
            etcd.kill()
            etcd.start()
            await etcd.ready()
            await self.still_works()
            self.assertEqual(self.sight.fewest, 1)

        async def test_wrong_password(self) -> None:
            """The operator is told, without the password; nothing spins; it mends."""
            etcd = self.start_etcd(*AUTH)
            await self.protect(etcd)
            discovery = self.start(etcd.endpoint, user="rum", password="wrong-guess")
            sight = Sight(discovery)
            await until(lambda: discovery.health.trouble, "the trouble is told")
            self.assertNotIn("wrong-guess", discovery.health.trouble)
            self.assertNotIn("wrong-guess", repr(discovery))
            before = process_time()
            await self.pause(2.0)
            self.assertLess(process_time() - before, 1.0)
            self.assertEqual(sight.times, 0)

        async def test_three_members_one_dead(self) -> None:
            """Of three members one is dead at our start, and then another one dies."""
            members = [self.make_etcd() for _ in range(3)]
            await deferToThread(cluster_of, members)
            dead = self.make_etcd()  # never started
            endpoints = [each.endpoint for each in members]
            self.listed = self.start(dead.endpoint, *endpoints)
            self.seeing = self.start(dead.endpoint, *reversed(endpoints))
            self.sight = Sight(self.seeing)
            self.listed.register(make_instance("a-1"))
            await self.sees("a-1")
            self.sight.count()
            members[0].kill()
            await self.pause(2 * TTL)
            await self.still_works()
            self.assertEqual(self.sight.fewest, 1)

        async def test_away_costs_next_to_nothing(self) -> None:
            """While etcd is away we try again, but do not spin."""
            etcd = self.start_etcd()
            await self.begin(etcd.endpoint)
            etcd.kill()
            before = process_time()
            await self.pause(3.0)
            self.assertLess(process_time() - before, 1.0)  # seconds of CPU

        async def test_process_that_is_killed(self) -> None:
            """A service that is killed (-9) is gone when its lease has ended."""
            etcd = self.start_etcd()
            self.seeing = self.start(etcd.endpoint)
            self.sight = Sight(self.seeing)
            member = Member(
                etcd.endpoint, "m-1", f"--client={self.client}", f"--ttl={TTL}"
            )
            self.addCleanup(member.kill)
            await deferToThread(member.wait)
            await self.sees("m-1")
            member.kill()
            await self.sees(within=TTL + SLACK)

        async def test_process_that_is_asked_to_end(self) -> None:
            """On SIGTERM a service leaves the list at once, and then ends."""
            etcd = self.start_etcd()
            self.seeing = self.start(etcd.endpoint)
            self.sight = Sight(self.seeing)
            member = Member(etcd.endpoint, "m-1", f"--client={self.client}", "--ttl=60")
            self.addCleanup(member.kill)
            await deferToThread(member.wait)
            await self.sees("m-1")
            member.send(signal.SIGTERM)
            await self.sees(within=SLACK)
            await deferToThread(member.wait_for_end)
            self.assertEqual(await self.leases(etcd), 0)

        async def test_ten_thousand_askers(self) -> None:
            """Whoever asks in a loop, and forgets to stop, costs etcd nothing."""
            etcd = self.start_etcd()
            await self.begin(etcd.endpoint)
            names = (WATCHERS, STREAMS, LEASES)
            before = [etcd.metric(name) for name in names]
            tasks = len(asyncio.all_tasks())
            for _ in range(10_000):
                self.seeing.watch("passport", lambda _: None)
                self.seeing.instances("weather")
            await self.pause(0.5)
            self.assertEqual([etcd.metric(name) for name in names], before)
            self.assertLessEqual(len(asyncio.all_tasks()), tasks + 20)
            await self.still_works()


class LeanChaosTests(Chaos.ChaosTests):
    """Over the lean connection."""

    client = "lean"


class Aioetcd3OutageTests(Chaos.OutageTests):
    """By way of aioetcd3."""

    client = "aioetcd3"

    @override
    def setUp(self) -> None:
        """See whether the library is there."""
        super().setUp()
        self.make("127.0.0.1:1")
