"""Servers that go from one process of the role ``plugin`` to another, over gRPC."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from typing_extensions import override

from rum_twisted.plugins.doors import PluginDoors
from rum_twisted.plugins.front import PluginFront
from rum_twisted.plugins.manifest import MAY_KICK, checked
from rum_twisted.plugins.remote import RemotePlugins
from rum_twisted.rpc.channels import Channels, Limits
from rum_twisted.rpc.metrics import CallMetrics
from rum_twisted.rpc.quality import tallies
from rum_twisted.rpc.server import RpcServer, ServerSettings
from rum_twisted.session.hooks import (
    GO_ON,
    Command,
    Gone,
    Hook,
    LoggedOn,
    LoggingOn,
    Text,
    Verdict,
    coming_of,
)
from rum_twisted.session.hooks import Service as ServerEvent
from rum_twisted.terms.identity import ClientKind
from rum_twisted.terms.instance import InstanceState
from rum_twisted.terms.rule import Rule, RuleState
from rum_twisted.terms.units import Seconds
from rum_twisted.weather.memory import MemoryWeather
from rum_twisted.world.roster import Roster
from tests.integration.asyncio_case import AsyncioTestCase
from tests.support.builders import make_client
from tests.support.fabric import ListedInstances, chance, make_instance
from tests.support.later import LaterWeather
from tests.support.plugins import (
    INTERVAL,
    ScriptedPlugin,
    add_plugin,
    make_host,
    make_manifest,
)
from tests.support.rules import CANARY, PostedRules, make_rule
from tests.support.server import MemoryServer

TURN: Final = 0.005  # seconds
UNHURRIED: Final = Seconds(5.0)  # what is answered here is not answered in a hurry
HOOKS: Final = (
    Hook.LOGGING_ON,
    Hook.LOGGED_ON,
    Hook.TEXT,
    Hook.COMMAND,
    Hook.GONE,
    Hook.SERVICE,
)
QUESTION: Final = LoggingOn("KLM2", "1000002", ClientKind.PILOT, 1, "Joe", "")
REPORT: Final = "EHAM 101225Z 24012KT 9999 12/08 Q1013"
STOP: Final = Verdict(stops=True, text="no")
STABLE: Final = "4.0.0"
NEW_CID: Final = "1000009"  # who meets the new version, by the rule


class _Place:
    """A process of the role, with one plugin."""

    def __init__(self, reactor: Any, name: str, version: str) -> None:
        self.plugin = ScriptedPlugin()
        self.host = make_host(reactor, deadline=UNHURRIED)
        add_plugin(self.host, self.plugin, make_manifest(*HOOKS, budget=UNHURRIED))
        self.doors = PluginDoors(
            self.host,
            reactor,
            (),
            lambda manifest: checked(manifest, {MAY_KICK.name: False}, "test"),
        )
        self.rpc = RpcServer(ServerSettings(), self.doors.servicers, reactor)
        self.rpc.startService()
        self.doors.startService()
        self.instance = make_instance(
            service="plugin", name=name, address=self.rpc.address, version=version
        )

    async def end(self) -> None:
        """End it."""
        self.doors.stopService()
        await self.host.stopService()
        await self.rpc.stopService()


class PlacesTestCase(AsyncioTestCase):
    """A server with one pilot, and two processes of the role."""

    new_version = STABLE

    @override
    def setUp(self) -> None:
        """Join it to the first one."""
        super().setUp()
        self.old, self.new = self.place("old"), self.place("new", self.new_version)
        self.roster = Roster()
        self.roster.add(make_client("KLM1"))
        self.front = PluginFront(
            self.reactor,
            chance(),
            self.roster,
            deadline=UNHURRIED,
            position_interval=INTERVAL,
            queue=100,
        )
        self.front.startService()
        self.addCleanup(self.front.stopService)
        self.listed = ListedInstances(self.old.instance)
        self.rules = PostedRules()
        self.metrics = CallMetrics()
        channels = Channels(Limits(), None)
        channels.prepare()
        self.link = RemotePlugins(
            self.front,
            self.listed,
            channels,
            self.reactor,
            chance(),
            server="me",
            rules=self.rules,
            metrics=self.metrics,
        )
        self.link.startService()
        self.addCleanup(self.link.stopService)

    def place(self, name: str, version: str = STABLE) -> _Place:
        """Return a process of the role."""
        place = _Place(self.reactor, name, version)
        self.addCleanup(place.end)
        return place

    async def until(self, is_so: Callable[[], object]) -> None:
        """Return when something is so; trial ends what never is."""
        while not is_so():
            await deferLater(self.reactor, TURN)


class MoveTests(PlacesTestCase):
    """From one process to another of the same version."""

    def drain(self, *others: _Place) -> None:
        """Have the first one say that it is about to end, with others there or not."""
        leaving = replace(self.old.instance, state=InstanceState.DRAINING)
        self.listed.change(leaving, *(other.instance for other in others))

    async def ask(self, place: _Place) -> tuple[Deferred[Any], Deferred[Verdict]]:
        """Ask; return the plugin's answer, still to be made, and what comes of it."""
        due: Deferred[Any] = Deferred()
        place.plugin.answers[LoggingOn] = due
        await self.until(lambda: Hook.LOGGING_ON in self.front.wanted)
        answer = self.front.ask(QUESTION)
        await self.until(lambda: place.plugin.of(LoggingOn))
        return due, answer

    async def test_questions_under_way_are_answered(self) -> None:
        """By the one that was asked, once; the next one is the other's."""
        due, answer = await self.ask(self.old)
        self.front.tell(Text("KLM1", "@22800", "early"))
        self.drain(self.new)
        await self.until(lambda: self.new.plugin.of(LoggedOn))
        self.front.tell(Text("KLM1", "@22800", "late"))
        self.new.plugin.answers[LoggingOn] = STOP
        self.assertEqual(await self.front.ask(QUESTION), STOP)
        self.assertNoResult(answer)
        self.assertEqual(self.old.host.count, 4)  # the server, both, a plugin at one
        due.callback(Verdict(text="welcome"))
        self.assertEqual(await answer, Verdict(text="welcome"))
        await self.until(lambda: not self.old.host.count)
        self.assertEqual(self.told(self.old), ["early"])
        self.assertEqual(self.told(self.new), ["late"])
        self.assertEqual((self.front.late, self.front.dropped), (0, 0))

    def told(self, place: _Place) -> list[str]:
        """Return the texts that a plugin was told; nobody is gone for it."""
        self.assertEqual(place.plugin.of(Gone), [])
        self.assertEqual(
            [each.is_there for each in place.plugin.of(ServerEvent)], [True]
        )
        self.assertEqual(len(place.plugin.of(LoggingOn)), 1)
        return [each.text for each in place.plugin.of(Text)]

    async def test_nobody_else_is_there(self) -> None:
        """What was asked is answered all the same; then there are no plugins."""
        due, answer = await self.ask(self.old)
        self.drain()
        await self.until(lambda: not self.front.is_attended)
        self.assertEqual(await self.front.ask(QUESTION), GO_ON)
        due.callback(STOP)
        self.assertEqual(await answer, STOP)
        await self.until(lambda: not self.old.host.count)
        self.listed.change(self.old.instance)  # it was only for a moment
        await self.until(lambda: self.front.is_attended)

    async def test_report_for_a_command_under_way(self) -> None:
        """The server that has left still looks it up, and shows what comes of it."""
        await self.until(lambda: Hook.COMMAND in self.front.wanted)
        server = MemoryServer()
        weather = LaterWeather(MemoryWeather({"EHAM": REPORT}))
        self.front.serve(server.fanout, server.logbook, weather)
        answers: list[str | None] = []

        def look_up(command: Command) -> Deferred[None]:
            return self.old.host.find_metar(command.rest).addCallback(answers.append)

        self.old.plugin.answers[Command] = look_up
        self.front.tell(Command("KLM1", "metar", "EHAM"))
        await self.until(lambda: self.old.plugin.of(Command))
        self.drain(self.new)
        await self.until(lambda: self.new.plugin.of(LoggedOn))
        weather.release()
        await self.until(lambda: answers)
        self.assertEqual(answers, [REPORT])

    async def test_other_does_not_let_us_in(self) -> None:
        """Then we stay where we are, and try the next one."""
        await self.until(lambda: self.front.is_attended)
        await self.new.end()
        third = self.place("third")
        self.drain(self.new, third)
        await self.until(lambda: third.plugin.of(LoggedOn))
        await self.until(lambda: not self.old.host.count)
        self.assertEqual(self.old.plugin.of(Gone), [])


class TrialTests(PlacesTestCase):
    """Two versions at the same time."""

    new_version = CANARY

    def rule(self, **fields: Any) -> Rule:
        """Return a rule by which one member meets the new version."""
        usual = {"service": "plugin", "cids": frozenset({NEW_CID})}
        return make_rule(fields.pop("share", 0.0), **{**usual, **fields})

    async def begin(self, **fields: Any) -> None:
        """Try the new version, and let a member of each come."""
        self.rules.change("plugin", self.rule(**fields))
        self.listed.change(self.old.instance, self.new.instance)
        await self.until(self.is_tried)
        await self.until(lambda: self.old.plugin.of(LoggedOn))
        self.log_on("KLM2", "1000002")
        self.log_on("KLM9", NEW_CID)
        await self.until(lambda: self.names(self.new) == ["KLM9"])

    def is_tried(self) -> bool:
        """Tell whether the server is joined to the new version."""
        parting = self.front.parting
        return parting is not None and parting.twin.has_link

    def log_on(self, callsign: str, cid: str) -> None:
        """Bring somebody online."""
        client = make_client(callsign, cid=cid)
        self.roster.add(client)
        self.front.tell(coming_of(client, "", is_new=True))

    def log_off(self, callsign: str) -> None:
        """Let somebody go."""
        client = self.roster.find(callsign)
        assert client is not None
        self.roster.remove(client)
        self.front.tell(Gone(client.callsign))

    def names(self, place: _Place) -> list[str]:
        """Return who came online at a place, in order; some may be gone."""
        return [each.callsign for each in place.plugin.of(LoggedOn)]

    def online(self, place: _Place) -> set[str]:
        """Return who is online, as a place knows it."""
        return {each.callsign for each in place.host.online()}

    async def test_each_client_has_one_version(self) -> None:
        """Everything about him goes there; servers come to each role once."""
        await self.begin()
        for callsign in ("KLM2", "KLM9"):
            self.front.tell(Text(callsign, "*", "hello"))
        await self.until(lambda: self.new.plugin.of(Text))
        await self.until(lambda: self.old.plugin.of(Text))
        self.log_off("KLM9")
        await self.until(lambda: self.new.plugin.of(Gone))
        for place, members in ((self.old, ["KLM1", "KLM2"]), (self.new, ["KLM9"])):
            self.assertEqual(self.names(place), members)
            texts = [each.callsign for each in place.plugin.of(Text)]
            self.assertEqual(texts, members[-1:])
            self.assertEqual(len(place.plugin.of(ServerEvent)), 1)
        self.assertEqual(self.old.plugin.of(Gone), [])

    async def test_answers_are_compared(self) -> None:
        """Those of a plugin that fails count against its version; he goes on."""
        await self.begin()
        self.new.plugin.answers[LoggingOn] = lambda _: 1 // 0
        asked = QUESTION._replace(cid=NEW_CID)
        self.assertEqual(await self.front.ask(asked), GO_ON)
        self.assertEqual(await self.front.ask(QUESTION), GO_ON)
        canary, others = tallies(self.metrics.snapshot(), "plugin", CANARY)
        self.assertEqual((canary.errors, others.errors), (1, 0))
        self.assertGreater(others.calls, 1)

    async def test_what_breaks_off_counts(self) -> None:
        """The end of a stream is a failure of its version, and stays one."""
        await self.begin()
        self.new.plugin.answers[LoggingOn] = Deferred()
        answer = self.front.ask(QUESTION._replace(cid=NEW_CID))
        await self.until(lambda: self.new.plugin.of(LoggingOn))
        await self.new.end()
        self.assertEqual(await answer, GO_ON)
        await self.until(lambda: "KLM9" in self.names(self.old))
        canary, _ = tallies(self.metrics.snapshot(), "plugin", CANARY)
        self.assertGreater(canary.errors, 0)

    async def test_tried_again_before_the_last_stream_has_ended(self) -> None:
        """Its answers still count when that one ends at last."""
        await self.begin()
        due: Deferred[Any] = Deferred()
        self.new.plugin.answers[LoggingOn] = due
        asked = QUESTION._replace(cid=NEW_CID)
        answer = self.front.ask(asked)
        await self.until(lambda: self.new.plugin.of(LoggingOn))
        self.rules.change("plugin", self.rule(state=RuleState.ABORTED))
        await self.until(lambda: "KLM9" in self.names(self.old))
        self.rules.change("plugin", self.rule())
        await self.until(self.is_tried)
        due.callback(STOP)
        self.assertEqual(await answer, STOP)
        await self.until(lambda: self.new.host.count == 1)
        before, _ = tallies(self.metrics.snapshot(), "plugin", CANARY)
        self.new.plugin.answers[LoggingOn] = GO_ON
        self.assertEqual(await self.front.ask(asked), GO_ON)
        after, _ = tallies(self.metrics.snapshot(), "plugin", CANARY)
        self.assertGreater(after.calls, before.calls)

    async def test_next_version_is_not_there_yet(self) -> None:
        """Its members are with the others, and not with the version before."""
        await self.begin()
        dead = make_instance(
            service="plugin", name="dead", address="127.0.0.1:1", version="4.2.0"
        )
        self.listed.change(self.old.instance, self.new.instance, dead)
        self.rules.change("plugin", self.rule(version="4.2.0"))
        self.assertFalse(self.is_tried())
        self.log_off("KLM9")
        self.log_on("KLM9", NEW_CID)
        everybody = {"KLM1", "KLM2", "KLM9"}
        await self.until(lambda: self.online(self.old) == everybody)
        self.assertEqual(self.names(self.new), ["KLM9"])

    async def test_others_are_listed_and_do_not_answer(self) -> None:
        """Whoever cannot be joined is nobody, however often it is tried."""
        await self.begin()
        self.rules.change("plugin", self.rule(state=RuleState.PROMOTED))
        dead = make_instance(service="plugin", name="dead", address="127.0.0.1:1")
        self.listed.change(dead, self.new.instance)
        await self.old.end()
        await self.until(lambda: self.online(self.new) == {"KLM1", "KLM2", "KLM9"})
        for _ in range(100):
            self.assertTrue(self.link.is_forlorn)
            await deferLater(self.reactor, TURN)

    async def test_new_version_is_gone(self) -> None:
        """Its clients are the others'; when it is back, they are until they go."""
        await self.begin()
        self.listed.change(self.old.instance)
        await self.new.end()
        await self.until(lambda: "KLM9" in self.names(self.old))
        self.assertFalse(self.old.plugin.of(LoggedOn)[-1].is_new)
        again = self.place("again", CANARY)
        self.listed.change(self.old.instance, again.instance)
        await self.until(self.is_tried)
        self.log_off("KLM9")
        self.log_on("KLM9", NEW_CID)
        await self.until(lambda: self.names(again) == ["KLM9"])

    async def test_new_version_is_aborted(self) -> None:
        """It is left at once, and answers what it was asked."""
        await self.begin()
        due: Deferred[Any] = Deferred()
        self.new.plugin.answers[LoggingOn] = due
        answer = self.front.ask(QUESTION._replace(cid=NEW_CID))
        await self.until(lambda: self.new.plugin.of(LoggingOn))
        self.rules.change("plugin", self.rule(state=RuleState.ABORTED))
        await self.until(lambda: "KLM9" in self.names(self.old))
        due.callback(STOP)
        self.assertEqual(await answer, STOP)
        await self.until(lambda: not self.new.host.count)
        self.assertEqual(self.new.plugin.of(Gone), [])
        self.assertEqual(self.online(self.old), {"KLM1", "KLM2", "KLM9"})

    async def test_new_version_is_promoted(self) -> None:
        """It has who comes; with the last of the others, it has all."""
        await self.begin()
        self.rules.change("plugin", self.rule(state=RuleState.PROMOTED))
        self.log_on("KLM3", "1000003")
        await self.until(lambda: "KLM3" in self.names(self.new))
        self.assertEqual(self.online(self.old), {"KLM1", "KLM2"})
        leaving = replace(self.old.instance, state=InstanceState.DRAINING)
        self.listed.change(leaving, self.new.instance)
        everybody = {"KLM1", "KLM2", "KLM3", "KLM9"}
        await self.until(lambda: self.online(self.new) == everybody)
        await self.until(lambda: not self.old.host.count)
        self.rules.change("plugin", None)
        await self.until(lambda: self.front.parting is None)
        await self.until(lambda: self.new.host.count == 1)
        self.assertEqual(self.online(self.new), everybody)
        self.front.tell(Text("KLM9", "*", "still here"))
        await self.until(lambda: self.new.plugin.of(Text))
        for place in (self.old, self.new):
            self.assertEqual(place.plugin.of(Gone), [])

    async def test_end_and_start_again(self) -> None:
        """Nothing of the trial is left, and then it is there again."""
        await self.begin()
        await self.link.stopService()
        self.assertEqual((self.listed.watches, self.rules.watches), ([], []))
        self.assertIsNone(self.front.parting)
        await self.until(lambda: not self.new.host.count)
        self.link.startService()
        await self.until(lambda: self.front.parting is not None)
        await self.until(lambda: self.online(self.old) == {"KLM1", "KLM2", "KLM9"})
        await self.until(lambda: self.new.host.count)
