"""Programs that join the role of the plugins, as they should and as they should not."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

from twisted.internet.task import deferLater
from typing_extensions import override

from rum_twisted.plugins.doors import PluginDoors
from rum_twisted.plugins.manifest import checked
from rum_twisted.rpc.bridge import deferred
from rum_twisted.rpc.generated import plugin_pb2 as pb2
from rum_twisted.rpc.server import RpcServer, ServerSettings
from rum_twisted.session.hooks import (
    FAILED,
    Event,
    Gone,
    Hook,
    LoggingOn,
    Text,
    Verdict,
)
from rum_twisted.terms.identity import ClientKind
from tests.integration.asyncio_case import AsyncioTestCase
from tests.support.plugins import make_host, make_manifest
from tests.support.remote_plugin import RemotePlugin, hello_of
from tests.support.twistd import ROOT

TURN = 0.005  # seconds
ACTIONS = 2.0  # a second
FLOOD = 200  # acts
QUESTION = LoggingOn("KLM1", "1", ClientKind.PILOT, 1, "Joe", "")

# A plugin that joins and then does nothing: it neither reads nor answers.
PROGRAM = """
import sys, threading
import grpc
from rum_twisted.rpc.generated import plugin_pb2 as pb2
attach = grpc.insecure_channel(sys.argv[1]).stream_stream(
    "/rum.v1.PluginHost/Attach",
    request_serializer=pb2.PluginMessage.SerializeToString,
    response_deserializer=pb2.HostMessage.FromString,
)
def say():
    hello = pb2.Hello(name="scripted", hooks=[pb2.LOGGING_ON, pb2.GONE])
    yield pb2.PluginMessage(hello=hello)
    threading.Event().wait()
stream = attach(say())
next(stream)
print("joined", flush=True)
threading.Event().wait()
"""


class DoorTestCase(AsyncioTestCase):
    """A role that lets one name in."""

    @override
    def setUp(self) -> None:
        """Open the doors."""
        super().setUp()
        self.host = make_host(self.reactor, actions=ACTIONS)
        self.doors = PluginDoors(
            self.host,
            self.reactor,
            ("scripted",),
            lambda manifest: checked(manifest, {}, "rum.toml"),
        )
        self.rpc = RpcServer(ServerSettings(), self.doors.servicers, self.reactor)
        self.rpc.startService()
        self.doors.startService()
        self.addCleanup(self.end_host)
        self.told: list[Event] = []

    async def end_host(self) -> None:
        """End the role."""
        self.doors.stopService()
        await self.host.stopService()
        await self.rpc.stopService()

    async def handle(self, event: Event) -> Verdict | None:
        """Note an event."""
        self.told.append(event)
        return None

    async def until(self, is_so: Callable[[], object]) -> None:
        """Return when something is so."""
        while not is_so():
            await deferLater(self.reactor, TURN)


class DoorTests(DoorTestCase):
    """Plugins in this process, over a real stream."""

    async def join(self, hello: pb2.Hello) -> RemotePlugin:
        """Return a plugin that has asked to join."""
        plugin = RemotePlugin(self.rpc.address, self.handle)
        joining = deferred(plugin.join(hello))
        self.addCleanup(lambda: joining)
        self.addCleanup(lambda: deferred(plugin.close()))
        await self.until(lambda: plugin.welcome is not None or plugin.ended)
        return plugin

    def hello(self, *hooks: Hook, name: str = "scripted") -> pb2.Hello:
        """Return what a plugin says first."""
        return hello_of(make_manifest(*hooks, name=name))

    async def test_who_may_not_join(self) -> None:
        """Another name, nonsense, and what comes without a Hello."""
        other = await self.join(self.hello(Hook.TEXT, name="other"))
        self.assertEqual(other.ended, "PERMISSION_DENIED")
        no_hooks = await self.join(pb2.Hello(name="scripted"))
        self.assertEqual(no_hooks.ended, "INVALID_ARGUMENT")
        unknown = pb2.Hello(name="scripted", hooks=[pb2.HOOK_UNSPECIFIED])
        self.assertEqual((await self.join(unknown)).ended, "INVALID_ARGUMENT")
        required = self.hello(Hook.TEXT)
        required.options.add(name="key", is_required=True).default.text = ""
        self.assertEqual((await self.join(required)).ended, "INVALID_ARGUMENT")
        self.assertEqual(self.host.guards, ())

    async def test_second_of_one_name(self) -> None:
        """It is refused while the first is there, and not afterwards."""
        first = await self.join(self.hello(Hook.TEXT))
        second = await self.join(self.hello(Hook.TEXT))
        self.assertEqual((first.ended, second.ended), ("", "ALREADY_EXISTS"))
        await deferred(first.close())
        await self.until(lambda: not self.host.guards)
        third = await self.join(self.hello(Hook.TEXT))
        self.assertEqual(third.ended, "")

    async def test_it_leaves(self) -> None:
        """Its hooks go with it."""
        plugin = await self.join(self.hello(Hook.TEXT))
        self.assertEqual(self.host.subscription.hooks, {Hook.TEXT})
        self.host.take(Text("KLM1", "*", "x"))
        await self.until(lambda: self.told)
        await deferred(plugin.close())
        await self.until(lambda: not self.host.subscription.hooks)

    async def test_report(self) -> None:
        """Asked for without a server there is none, and the plugin is told so."""
        plugin = await self.join(self.hello(Hook.TEXT))
        await deferred(plugin.act(find_metar={"number": 7, "station": "EHAM"}))
        await self.until(lambda: plugin.metars)
        self.assertEqual(plugin.metars, [(7, "")])

    async def test_flood(self) -> None:
        """It is not read faster than it may act; what is over its rate is dropped."""
        plugin = await self.join(self.hello(Hook.TEXT))
        (guard,) = self.host.guards
        begun = self.reactor.seconds()
        for _ in range(FLOOD):
            await deferred(plugin.act(tell={"callsign": "KLM1", "text": "x"}))
        await self.until(lambda: guard.counts.acted + guard.counts.refused == FLOOD)
        passed = self.reactor.seconds() - begun
        self.assertGreaterEqual(guard.counts.acted, 1)
        self.assertLessEqual(guard.counts.acted, ACTIONS * (passed + 2.0) + 1)

    async def test_the_role_ends(self) -> None:
        """The stream ends well."""
        plugin = await self.join(self.hello(Hook.TEXT))
        self.doors.stopService()
        await self.until(lambda: plugin.ended)
        self.assertEqual(plugin.ended, "OK")


class ProgramTests(DoorTestCase):
    """A program of its own that joins; here it neither reads nor answers."""

    def begin(self) -> "subprocess.Popen[str]":
        """Return the program, when it has joined."""
        program = subprocess.Popen(  # noqa: S603 - this very Python
            [sys.executable, "-c", PROGRAM, self.rpc.address],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)
        assert program.stdout is not None
        self.addCleanup(program.stdout.close)
        return program

    async def test_it_is_killed(self) -> None:
        """Its hooks go at once."""
        program = self.begin()
        await self.until(lambda: self.host.guards)
        program.kill()
        await self.until(lambda: not self.host.guards)

    async def test_it_stands_still(self) -> None:
        """After three questions nobody waits for it; what waits is bounded."""
        program = self.begin()
        await self.until(lambda: self.host.guards)
        (guard,) = self.host.guards
        program.send_signal(signal.SIGSTOP)
        for _ in range(3):
            self.assertEqual(await guard.ask(QUESTION), FAILED)
        self.assertEqual(guard.state, "open")
        for _ in range(1000):
            guard.tell(Gone("KLM1"))
        self.assertEqual(len(guard.inbox), 0)
        self.assertEqual(self.host.subscription.hooks, frozenset())
