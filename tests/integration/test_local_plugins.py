"""Python plugins in real threads, beside a reactor that goes round."""

import threading
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from typing_extensions import override

from rum_twisted.plugins.guard import Guard
from rum_twisted.plugins.local import LocalGuest
from rum_twisted.session.hooks import FAILED, Event, Gone, Hook, Line, Text, Verdict
from rum_twisted.terms.units import Seconds
from tests.support.plugins import make_host, make_manifest

TURN = 0.005  # seconds
UNHURRIED = Seconds(5.0)  # what is answered here is not answered in a hurry
TEXT = Text("KLM1", "*", "hello")
LINE = Line("KLM1", "#TMKLM1:*:hello")


class Plain:
    """A plugin whose methods are plain, but for one."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.threads: list[int] = []
        self.order: list[object] = []
        self.has_closed = False

    def text(self, event: Text) -> None:
        """Note the thread."""
        self.threads.append(threading.get_ident())
        self.order.append(event)

    def line(self, event: Line) -> Verdict:
        """Wait for the test."""
        self.gate.wait()
        return Verdict(stops=True)

    async def gone(self, event: Gone) -> None:
        """Be run by the reactor."""
        self.threads.append(threading.get_ident())
        self.order.append(event)

    def closing(self) -> None:
        """Note the end."""
        self.has_closed = True


class LocalPluginTests(TestCase):
    """A plugin that waits, and everybody else."""

    timeout = 240.0  # seconds; trial's own bound of a test

    @override
    def setUp(self) -> None:
        """Start a plugin."""
        self.reactor: Any = installed_reactor
        self.host = make_host(self.reactor, deadline=UNHURRIED)
        self.addCleanup(self.host.stopService)
        self.plugin = Plain()
        self.addCleanup(self.plugin.gate.set)
        self.guard = self.add(self.plugin, "plain")

    def add(self, plugin: Any, name: str, **fields: Any) -> Guard:
        """Start a plugin of three hooks."""
        hooks = (Hook.TEXT, Hook.LINE, Hook.GONE)
        methods = {hook: getattr(plugin, hook.value) for hook in hooks}
        guest = LocalGuest(plugin, name, methods, self.reactor)
        return self.host.add(guest, make_manifest(*hooks, name=name, **fields))

    async def until(self, is_so: Callable[[], object]) -> None:
        """Return when something is so."""
        while not is_so():
            await deferLater(self.reactor, TURN)

    async def test_where_methods_run(self) -> None:
        """Plain ones in one other thread, async ones in the reactor's; in order."""
        events: list[Event] = [TEXT, Gone("KLM1"), TEXT, TEXT]
        for event in events:
            self.guard.tell(event)
        await self.until(lambda: len(self.plugin.order) == len(events))
        self.assertEqual(self.plugin.order, events)
        here = threading.get_ident()
        is_here = [thread == here for thread in self.plugin.threads]
        self.assertEqual(is_here, [False, True, False, False])
        self.assertEqual(len(set(self.plugin.threads)), 2)

    async def test_a_method_that_does_not_return(self) -> None:
        """Who asked goes on; the reactor turns; another plugin works."""
        other = Plain()
        other.gate.set()
        guard = self.add(other, "other", budget=UNHURRIED)
        self.assertEqual(await self.guard.ask(LINE), FAILED)
        self.assertEqual((await guard.ask(LINE)).stops, True)
        guard.tell(TEXT)
        await self.until(lambda: other.order)
        self.assertEqual(self.guard.counts.late, 1)

    async def test_end_while_a_method_does_not_return(self) -> None:
        """The end does not wait for it for ever."""
        await self.guard.ask(LINE)
        await self.host.remove(self.guard)
        self.assertFalse(self.plugin.has_closed)  # its thread is still at the other

    async def test_end(self) -> None:
        """A plugin is told, and may do a last thing."""
        self.guard.tell(TEXT)
        await self.until(lambda: self.plugin.order)
        await self.host.remove(self.guard)
        self.assertTrue(self.plugin.has_closed)

    async def test_whatever_it_raises(self) -> None:
        """Its thread goes on, even after what ends a program."""

        class Bad(Plain):
            @override
            def line(self, event: Line) -> Verdict:
                raise SystemExit

        guard = self.add(Bad(), "bad", budget=UNHURRIED)
        await guard.ask(LINE)
        self.assertEqual(guard.counts.failed, 1)
        guard.tell(TEXT)
        await self.until(lambda: guard.manifest and not guard.inbox)

    async def test_waiting_from_its_thread(self) -> None:
        """A plain method asks for a report, and who is online."""
        found: list[object] = []
        context = self.host.context("asking")

        class Asking(Plain):
            @override
            def text(self, event: Text) -> None:
                found.extend((context.find_metar("EHAM"), context.online()))
                context.tell("KLM1", "x")

        guard = self.add(Asking(), "asking")
        context.bind(guard)
        guard.tell(TEXT)
        await self.until(lambda: guard.counts.acted)
        self.assertEqual(found, [None, ()])

    async def test_a_thread_that_floods(self) -> None:
        """It gets its rate, and waits in between; the reactor turns."""
        context = self.host.context("flooding")
        ends = threading.Event()
        self.addCleanup(ends.set)

        class Flooding(Plain):
            @override
            def text(self, event: Text) -> None:
                while not ends.is_set():
                    context.tell("KLM1", "x")

        guard = self.add(Flooding(), "flooding")
        context.bind(guard)
        guard.tell(TEXT)
        await self.until(lambda: guard.counts.refused)
        turned: Deferred[None] = deferLater(self.reactor, 0)
        await turned
        self.assertGreaterEqual(guard.counts.acted, 1)
