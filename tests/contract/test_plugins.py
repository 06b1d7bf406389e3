"""The promises to plugins and servers, in one process and over gRPC on either side."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from typing_extensions import override
from zope.interface.verify import verifyObject

from rum_twisted.plugins.context import NotPermitted
from rum_twisted.plugins.doors import PluginDoors
from rum_twisted.plugins.front import PluginFront
from rum_twisted.plugins.guard import Guard
from rum_twisted.plugins.interfaces import IFront
from rum_twisted.plugins.manifest import MAY_KICK, checked
from rum_twisted.plugins.remote import RemotePlugins
from rum_twisted.rpc.bridge import deferred, future
from rum_twisted.rpc.channels import Channels, Limits
from rum_twisted.rpc.server import RpcServer, ServerSettings
from rum_twisted.session.hooks import (
    Command,
    Gone,
    Hook,
    LoggedOn,
    LoggingOn,
    Text,
    Verdict,
)
from rum_twisted.session.interfaces import IPlugins
from rum_twisted.terms.units import Seconds
from tests.integration.asyncio_case import AsyncioTestCase
from tests.support.fabric import ListedInstances, chance, make_instance
from tests.support.plugins import (
    DEADLINE,
    INTERVAL,
    ScriptedPlugin,
    add_plugin,
    make_host,
    make_manifest,
)
from tests.support.remote_plugin import RemotePlugin, hello_of
from tests.support.server import MemoryServer, pilot_logon

TURN = 0.005  # seconds
IN_TIME = Seconds(5.0)  # for an answer that does come: the most a plugin may ask for
HOOKS = (
    Hook.LOGGING_ON,
    Hook.LOGGED_ON,
    Hook.TEXT,
    Hook.COMMAND,
    Hook.GONE,
    Hook.POSITION,
)


class Promises:
    """What holds whichever way server and plugin are joined."""

    class Joined(AsyncioTestCase):
        """A server with one pilot, and a plugin that joins it."""

        deadline = IN_TIME
        may_kick = False
        is_front_remote = False
        is_plugin_remote = False

        @override
        async def setUp(self) -> None:  # type: ignore[override]
            """Put a pilot on, and join them."""
            super().setUp()
            self.plugin = ScriptedPlugin()
            self.host = make_host(self.reactor, deadline=self.deadline)
            self.doors = PluginDoors(
                self.host,
                self.reactor,
                ("scripted",),
                lambda manifest: checked(
                    manifest, {MAY_KICK.name: self.may_kick}, "test"
                ),
            )
            self.rpc = RpcServer(ServerSettings(), self.doors.servicers, self.reactor)
            self.rpc.startService()
            self.doors.startService()
            self.addCleanup(self.end_host)
            self.server = MemoryServer(extend=self.make_front)
            self.front.serve(
                self.server.fanout, self.server.logbook, self.server.network.weather
            )
            self.front.startService()
            self.addCleanup(self.front.stopService)
            self.early = self.server.log_on_pilot("KLM0")
            self.remote: RemotePlugin | None = None
            await self.join_plugin()
            await self.join_front()

        def make_front(self, _: object, roster: Any) -> PluginFront:
            """Return the server's side, on the real clock."""
            self.front = PluginFront(
                self.reactor,
                chance(),
                roster,
                deadline=self.deadline,
                position_interval=INTERVAL,
                queue=100,
            )
            return self.front

        async def end_host(self) -> None:
            """End the role."""
            self.doors.stopService()
            await self.host.stopService()
            await self.rpc.stopService()

        async def join_front(self) -> None:
            """Join the server and the role."""
            if self.is_front_remote:
                channels = Channels(Limits(), None)
                channels.prepare()
                instance = make_instance(service="plugin", address=self.rpc.address)
                link = RemotePlugins(
                    self.front,
                    ListedInstances(instance),
                    channels,
                    self.reactor,
                    chance(),
                    server="me",
                )
                link.startService()
                self.addCleanup(link.stopService)
            else:
                self.front.attach(self.host.attend("me", self.front))
                self.front.subscribe(self.host.subscription)
            await self.until(lambda: self.front.wanted, "it wants something")

        async def join_plugin(self) -> None:
            """Join the plugin and the role."""
            manifest = make_manifest(*HOOKS, budget=self.deadline)
            if not self.is_plugin_remote:
                add_plugin(self.host, self.plugin, manifest, may_kick=self.may_kick)
                return
            self.remote = RemotePlugin(self.rpc.address, self.handle)
            joining = deferred(self.remote.join(hello_of(manifest)))
            self.addCleanup(lambda: joining)
            self.addCleanup(lambda: deferred(self.leave()))
            await self.until(lambda: self.host.guards, "it has joined")

        async def leave(self) -> None:
            """Take the plugin away."""
            assert self.remote is not None
            await self.remote.close()

        async def handle(self, event: Any) -> Verdict | None:
            """Have the plugin take an event that has come over a stream."""
            self.plugin.told.append(event)
            answer = self.plugin.answers.get(type(event))
            if isinstance(answer, Deferred):
                return await future(answer)
            return answer

        @property
        def guard(self) -> Guard:
            """What stands before the plugin."""
            (guard,) = self.host.guards
            return guard

        async def until(self, is_so: Callable[[], object], what: str) -> None:
            """Return when something is so; trial ends what never is."""
            while not is_so():
                self.server.turn()
                await deferLater(self.reactor, TURN)

    class Suite(Joined):
        """With a plugin that answers."""

        async def test_interfaces(self) -> None:
            """A server's side keeps both of its interfaces."""
            verifyObject(IPlugins, self.front)
            verifyObject(IFront, self.front)

        async def test_events_come_in_their_order(self) -> None:
            """Who was there before, who comes, what he says, and that he is gone."""
            pilot = self.server.log_on_pilot_later("KLM1")
            await self.until(lambda: self.plugin.of(LoggingOn), "asked")
            await self.until(lambda: pilot.session.client, "he is on")
            pilot.say("#TMKLM1:KLM0:hello: \xff", "#TMKLM1:SERVER:.metar EHAM")
            pilot.hang_up()
            await self.until(lambda: self.plugin.of(Gone), "told of the end")
            said: list[Any] = [
                event for event in self.plugin.told if not isinstance(event, LoggingOn)
            ]
            kinds = [type(event) for event in said]
            self.assertEqual(kinds, [LoggedOn, LoggedOn, Text, Command, Gone])
            self.assertEqual([said[0].callsign, said[0].is_new], ["KLM0", False])
            self.assertEqual([said[1].callsign, said[1].is_new], ["KLM1", True])
            self.assertEqual(said[2], Text("KLM1", "KLM0", "hello: \xff"))
            self.assertEqual(said[3], Command("KLM1", "metar", "EHAM"))

        async def test_a_logon_is_refused(self) -> None:
            """The reason, in any script, reaches whoever is turned away."""
            self.plugin.answers[LoggingOn] = Verdict(stops=True, text="\u8bf7 later")
            pilot = self.server.connect()
            pilot.say(pilot_logon("KLM1"))
            await self.until(lambda: pilot.is_closed, "he is turned away")
            told, error = pilot.read()
            self.assertEqual(
                told.encode("latin-1").decode(), "#TMserver:KLM1:\u8bf7 later"
            )
            self.assertIn(":012:", error)

        async def test_texts_to_clients(self) -> None:
            """A plugin says something to somebody; to nobody it is nothing."""
            self.early.read()
            await self.until(lambda: self.plugin.of(LoggedOn), "it knows him")
            await self.tell("nobody", "x")
            await self.tell("klm0", "\u4f60\u597d: you")
            heard: list[str] = []

            def hears() -> bool:
                self.server.fanout.settle()
                heard.extend(self.early.read())
                return bool(heard)

            await self.until(hears, "he hears it")
            self.assertEqual(
                [line.encode("latin-1").decode() for line in heard],
                ["#TMserver:KLM0:\u4f60\u597d: you"],
            )

        async def tell(self, callsign: str, text: str) -> None:
            """Have the plugin say something."""
            if self.remote is not None:
                await deferred(
                    self.remote.act(tell={"callsign": callsign, "text": text})
                )
            else:
                context = self.host.context("scripted")
                context.bind(self.guard)
                context.tell(callsign, text)

        async def test_kick_without_permission(self) -> None:
            """Without the settings' permission nothing happens, and it counts."""
            await self.until(lambda: self.plugin.of(LoggedOn), "it knows him")
            if self.remote is not None:
                kick = {"callsign": "KLM0", "reason": "go"}
                await deferred(self.remote.act(kick=kick))
                await self.until(lambda: self.guard.counts.failed, "it counts")
            else:
                context = self.host.context("scripted")
                context.bind(self.guard)
                self.assertRaises(NotPermitted, context.kick, "KLM0", "go")
            self.server.turn()
            self.assertFalse(self.early.is_closed)

        async def test_the_role_ends(self) -> None:
            """The server goes on as if there were no plugins, at once."""
            self.doors.stopService()
            await self.host.stopService()
            await self.until(lambda: not self.front.wanted, "it wants nothing")
            self.server.log_on_pilot("KLM1")

    class SilentSuite(Joined):
        """With one that does not."""

        deadline = DEADLINE

        async def test_an_answer_that_never_comes(self) -> None:
            """The logon goes on; what comes too late is nothing."""
            silence: Deferred[Verdict] = Deferred()
            self.plugin.answers[LoggingOn] = silence
            pilot = self.server.log_on_pilot_later("KLM1")
            await self.until(lambda: pilot.session.client, "he is on")
            silence.callback(Verdict(stops=True))
            await self.until(lambda: self.plugin.of(LoggedOn)[1:], "told")
            self.assertFalse(pilot.is_closed)
            self.assertTrue(self.server.roster.is_online("KLM1"))


class InProcessTests(Promises.Suite):
    """All in one process."""


class RemoteFrontTests(Promises.Suite):
    """The server in another process than the role."""

    is_front_remote = True


class RemotePluginTests(Promises.Suite):
    """The plugin in another process than the role."""

    is_plugin_remote = True


class InProcessSilenceTests(Promises.SilentSuite):
    """All in one process."""


class RemoteFrontSilenceTests(Promises.SilentSuite):
    """The server in another process than the role."""

    is_front_remote = True


class RemotePluginSilenceTests(Promises.SilentSuite):
    """The plugin in another process than the role."""

    is_plugin_remote = True
