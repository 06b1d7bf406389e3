"""Traffic rules over real gRPC, in one process: shares, stickiness, backing out."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.rpc.bridge import future
from rum_twisted.rpc.channels import Limits
from rum_twisted.rpc.client import XClient, XClients
from rum_twisted.rpc.errors import Code, NoInstance
from rum_twisted.rpc.judge import Judge
from rum_twisted.rpc.options import CallOptions, SelectMode
from rum_twisted.rpc.passport import PassportServicer, authenticate
from rum_twisted.rpc.weather import WeatherServicer
from rum_twisted.session.asker import asked_by
from rum_twisted.session.interfaces import Account, IAccounts, IWeather
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.place import Position
from rum_twisted.terms.rule import RuleState
from rum_twisted.terms.units import Seconds
from rum_twisted.weather.remote import RemoteWeather
from rum_twisted.world.weather import Weather
from tests.integration.rpcserver import Reporter
from tests.integration.test_xclient import FabricTestCase
from tests.support.fabric import chance, make_instance
from tests.support.rules import CANARY, LIMITS, PostedRules, make_rule

CALLS = 5_000
AT_ONCE = 50
MEMBERS = [str(1_000_000 + number) for number in range(CALLS)]
STABLE = "4.0.0"


class CanaryTestCase(FabricTestCase):
    """Two versions of weather, and who calls them by a rule."""

    @override
    def setUp(self) -> None:
        """Serve both."""
        super().setUp()
        self.stable, self.canary = Reporter("old"), Reporter("new")
        self.play(self.stable, self.canary)
        self.rules = PostedRules()

    def play(self, *reporters: Reporter) -> None:
        """Announce these, and nobody else."""
        self.instances.change(
            *(
                make_instance(
                    each.called,
                    self.serve(each),
                    version=CANARY if each is self.canary else STABLE,
                )
                for each in reporters
            )
        )

    @override
    def client(self, *, limits: Limits | None = None, **options: Any) -> XClient:
        """Return a client that goes by the rules."""
        self.clients = XClients(
            self.instances,
            self.reactor,
            chance(),
            options=lambda _: CallOptions(**options),
            limits=limits,
            rules=self.rules,
        )
        self.clients.startService()
        self.addCleanup(self.clients.stopService)
        client = self.clients.client("weather")
        self.addCleanup(client.close)
        return client

    async def ask_all(self, client: XClient, members: list[str]) -> dict[str, str]:
        """Ask once for each member, many at a time; return who has answered whom."""
        answered: dict[str, str] = {}
        waiting = iter(members)

        async def work() -> None:
            for member in waiting:
                answered[member] = await self.ask(client, who=member)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        return answered


class ShareTests(CanaryTestCase):
    """Who meets which version."""

    def test_share_is_kept_over_five_thousand_calls(self) -> Deferred[None]:
        """Within two points; and the new version has really been asked so often."""
        self.rules.change("weather", make_rule(10.0))
        client = self.client()

        async def check() -> None:
            answered = await self.ask_all(client, MEMBERS)
            self.assertEqual(len(answered), CALLS)
            reached = 100 * self.canary.asked / CALLS
            self.assertLess(abs(reached - 10.0), 2.0)
            self.assertEqual(self.canary.asked + self.stable.asked, CALLS)
            rule = make_rule(10.0)
            for member, who in answered.items():
                due = "new" if rule.is_for_canary(member) else "old"
                self.assertEqual(who, due)

        return self.run_here(check())

    def test_one_member_always_meets_the_same_version(self) -> Deferred[None]:
        """From any process, in any way of selecting; a higher share only adds some."""
        self.rules.change("weather", make_rule(30.0))
        members = MEMBERS[:100]

        async def check() -> None:
            first = await self.ask_all(self.client(), members)
            for mode in (SelectMode.CONSISTENT_HASH, SelectMode.ROUND_ROBIN):
                other = self.client(select_mode=mode)
                self.assertEqual(await self.ask_all(other, members), first)
            self.rules.change("weather", make_rule(60.0))
            more = await self.ask_all(other, members)
            for member in members:
                if first[member] == "new":
                    self.assertEqual(more[member], "new")
            counts = Counter(more.values())
            self.assertGreater(counts["new"], Counter(first.values())["new"])

        return self.run_here(check())

    def test_no_share_and_whole_share(self) -> Deferred[None]:
        """Of 0 per cent nobody meets it, of 100 everybody does."""
        client = self.client()

        async def check() -> None:
            for share, who in ((0.0, "old"), (100.0, "new")):
                self.rules.change("weather", make_rule(share))
                answered = await self.ask_all(client, MEMBERS[:100])
                self.assertEqual(set(answered.values()), {who})

        return self.run_here(check())

    def test_calls_of_nobody(self) -> Deferred[None]:
        """They go by what they are about, and else each for itself."""
        self.rules.change("weather", make_rule(50.0))
        client = self.client()

        async def check() -> None:
            for key in ("EHAM", "EGLL", "KJFK"):
                answers = {await self.ask(client, key=key) for _ in range(10)}
                self.assertEqual(len(answers), 1)
            answers = {await self.ask(client) for _ in range(50)}
            self.assertEqual(answers, {"old", "new"})

        return self.run_here(check())

    def test_groups_of_callers(self) -> Deferred[None]:
        """A process of that group has the new version, another has not."""
        self.instances.change(
            *(
                replace(each, group="trial")
                for each in self.instances.instances("weather")
            )
        )
        self.rules.change("weather", make_rule(0.0, groups=frozenset({"trial"})))

        async def check() -> None:
            self.assertEqual(await self.ask(self.client(group="trial")), "new")
            self.assertEqual(await self.ask(self.client()), "old")

        return self.run_here(check())

    def test_rules_of_other_services(self) -> Deferred[None]:
        """They part nothing here."""
        self.rules.change("passport", make_rule(100.0, service="passport"))
        client = self.client(select_mode=SelectMode.ROUND_ROBIN)

        async def check() -> None:
            answers = [await self.ask(client, who="1") for _ in range(10)]
            self.assertEqual(Counter(answers), {"old": 5, "new": 5})

        return self.run_here(check())


class EndTests(CanaryTestCase):
    """What becomes of a trial, and who is left to ask."""

    def test_ends(self) -> Deferred[None]:
        """Promoted, it has all calls; aborted or backed out, it has none."""
        client = self.client()
        ends = {
            RuleState.PROMOTED: "new",
            RuleState.ABORTED: "old",
            RuleState.BACKED_OUT: "old",
        }

        async def check() -> None:
            for state, who in ends.items():
                self.rules.change("weather", make_rule(50.0, state=state))
                answered = await self.ask_all(client, MEMBERS[:50])
                self.assertEqual(set(answered.values()), {who})

        return self.run_here(check())

    def test_version_that_nobody_plays(self) -> Deferred[None]:
        """Its calls go to the others, and nothing is held against it."""
        self.play(self.stable)
        self.rules.change("weather", make_rule(100.0))
        client = self.client()

        async def check() -> None:
            answered = await self.ask_all(client, MEMBERS[:50])
            self.assertEqual(set(answered.values()), {"old"})
            versions = {each.label.version for each in self.clients.metrics.snapshot()}
            self.assertEqual(versions, {STABLE})
            self.play(self.stable, self.canary)  # and now somebody does
            self.assertEqual(await self.ask(client), "new")

        return self.run_here(check())

    def test_only_the_new_version_is_left(self) -> Deferred[None]:
        """It answers everybody, unless it was ended or is for the named alone."""
        self.play(self.canary)
        client = self.client()

        async def check() -> None:
            for rule in (make_rule(1.0), make_rule(0.0, state=RuleState.PROMOTED)):
                self.rules.change("weather", rule)
                answered = await self.ask_all(client, MEMBERS[:50])
                self.assertEqual(set(answered.values()), {"new"})
            for rule in (
                make_rule(0.0, cids=frozenset({"7"})),
                make_rule(50.0, state=RuleState.BACKED_OUT),
            ):
                self.rules.change("weather", rule)
                error = await self.failure(client, who="1000001")
                self.assertIsInstance(error, NoInstance)
                self.assertIn("the traffic rule allows none", error.details)

        return self.run_here(check())

    def test_failed_call_goes_to_the_others(self) -> Deferred[None]:
        """Nobody notices; the failure counts against the new version all the same."""
        self.canary.is_refusing = Code.INTERNAL
        self.rules.change("weather", make_rule(100.0))
        client = self.client()

        async def check() -> None:
            for _ in range(30):
                self.assertEqual(await self.ask(client, who="1"), "old")
            counted = Counter[str]()
            for series in self.clients.metrics.snapshot():
                counted[series.label.version] += series.errors
            # Its breaker has opened: what it could not be asked counts as well.
            self.assertEqual(counted, {CANARY: 30, STABLE: 0})
            self.assertLess(self.canary.asked, 30)

        return self.run_here(check())

    def test_rule_deleted_while_a_call_is_under_way(self) -> Deferred[None]:
        """The call ends where it is, or is repeated by what stands then."""
        self.canary.delay = 0.2
        self.rules.change("weather", make_rule(100.0))
        client = self.client()

        async def check() -> None:
            asked = [asyncio.create_task(self.ask(client)) for _ in range(2)]
            while self.canary.asked < len(asked):
                await asyncio.sleep(0)
            self.canary.refusals.append(Code.UNAVAILABLE)
            self.rules.change("weather", None)
            self.assertEqual(sorted([await each for each in asked]), ["new", "old"])

        return self.run_here(check())

    def test_version_with_errors_is_backed_out(self) -> Deferred[None]:
        """One call of five fails: it is out within its window, and nobody noticed."""
        self.rules.change("weather", make_rule(10.0, limits=LIMITS))
        client = self.client()
        judge = Judge(
            self.rules,
            self.clients.metrics,
            self.reactor,
            lambda: Seconds(0.0),
            name=lambda: "here",
        )
        judge.startService()
        self.addCleanup(judge.stopService)

        async def check() -> None:
            for begin in range(0, CALLS, 500):
                self.canary.refusals = [Code.INTERNAL, *[None] * 4] * 100
                answered = await self.ask_all(client, MEMBERS[begin : begin + 500])
                self.assertEqual(len(answered), 500)
                judge.look()
                if self.rules.rule().state is RuleState.BACKED_OUT:
                    break
            rule = self.rules.rule()
            self.assertIs(rule.state, RuleState.BACKED_OUT)
            self.assertRegex(rule.reason, r"^(1[5-9]|2[0-5])\.\d % of \d+ calls failed")
            asked = self.canary.asked
            await self.ask_all(client, MEMBERS[:200])
            self.assertEqual(self.canary.asked, asked)

        return self.run_here(check())


class AskerTests(CanaryTestCase):
    """On whose behalf services are asked."""

    def announce(self, service: str, make: Callable[[str], Any]) -> None:
        """Serve, in place of what there was, in both versions."""
        self.instances.change(
            *(
                make_instance(
                    version, self.serve(make(version)), version=version, service=service
                )
                for version in (STABLE, CANARY)
            )
        )

    def test_weather_is_asked_for_the_client_who_asks(self) -> Deferred[None]:
        """However many stations he asks for, and though he waits his turn."""
        self.announce("weather", lambda name: WeatherServicer(_NamedWeather(name)))
        self.rules.change("weather", make_rule(50.0))
        self.client()
        weather = RemoteWeather(self.clients, Seconds(5.0))
        weather.startService()
        self.addCleanup(weather.stopService)

        async def check() -> None:
            rule = make_rule(50.0)
            asked = []
            for member in MEMBERS[:30]:
                for station in ("EHAM", "EGLL"):
                    with asked_by(member):
                        asked.append((member, weather.metar(station)))
            for member, answer in asked:
                due = CANARY if rule.is_for_canary(member) else STABLE
                self.assertEqual(await future(answer), due)

        return self.run_here(check())

    def test_passport_is_asked_for_who_logs_on(self) -> Deferred[None]:
        """By his CID, in any case."""
        self.announce("passport", lambda name: PassportServicer(_NamedAccounts(name)))
        rule = make_rule(50.0, service="passport")
        self.rules.change("passport", rule)
        self.client()
        client = self.clients.client("passport")
        self.addCleanup(client.close)

        async def check() -> None:
            for number in range(20):
                for cid in (f"abc{number}", f"ABC{number}"):
                    account = await authenticate(client, cid, "", "", Seconds(5.0))
                    due = CANARY if rule.is_for_canary(cid) else STABLE
                    self.assertEqual(account.notice, due)

        return self.run_here(check())


@implementer(IWeather)
class _NamedWeather:
    """Every report is its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def metar(self, station: str, near: Position | None = None) -> Deferred[str | None]:
        """Look a report up; see `IWeather`."""
        return succeed(self._name)

    def weather(
        self, station: str, near: Position | None = None
    ) -> Deferred[Weather | None]:
        """Know none; see `IWeather`."""
        return succeed(None)


@implementer(IAccounts)
class _NamedAccounts:
    """Every account's notice is its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def authenticate(
        self, cid: str, password: str, address: str = ""
    ) -> Deferred[Account]:
        """Check a password; see `IAccounts`."""
        return succeed(Account(cid, Rating(1), notice=self._name))
