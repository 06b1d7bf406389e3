"""Webhooks, to web servers that behave as a test says."""

import hashlib
import hmac
import json
from collections.abc import Callable
from threading import Event
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.task import deferLater
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import TestCase

from rum_twisted.plugins.bundled.webhooks import Webhooks
from rum_twisted.plugins.manifest import checked
from rum_twisted.session.hooks import Gone, Hook, Text
from tests.support.builders import NOON
from tests.support.httpserver import Exchange, serve_http
from tests.support.plugins import ScriptedPlugin, add_plugin, make_host, make_manifest

SECRET = "a secret"
TURN = 0.01  # seconds


class WebhookTests(TestCase):
    """One address."""

    timeout = 240.0  # seconds; trial's own bound of a test

    def start(self, respond: Callable[[Exchange], None], **table: Any) -> Webhooks:
        """Return the plugin, and a server that responds so."""
        self.exchanges: list[Exchange] = []

        def note(exchange: Exchange) -> None:
            self.exchanges.append(exchange)
            respond(exchange)

        context = serve_http(note)
        server = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        reactor: Any = installed_reactor
        host = make_host(reactor)
        self.addCleanup(host.stopService)
        rum = host.context("webhooks")
        rum.bind(add_plugin(host, ScriptedPlugin(), make_manifest(Hook.SERVICE)))
        table = {"urls": [f"{server.url}/hook"], "secret": SECRET, **table}
        hooks = Webhooks(rum, checked(Webhooks.manifest, table, "test"))
        self.addCleanup(hooks.closing)
        return hooks

    async def until(self, is_so: Callable[[], object]) -> None:
        """Return when something is so."""
        reactor: Any = installed_reactor
        while not is_so():
            await deferLater(reactor, TURN)

    async def test_signed(self) -> None:
        """Whoever knows the secret knows that it comes from here, and when."""
        hooks = self.start(lambda exchange: exchange.answer(b"fine"))
        await hooks.gone(Gone("KLM1"))
        await hooks.text(Text("KLM1", "*", "not wanted"))
        await self.until(lambda: self.exchanges)
        exchange = self.exchanges[0]
        content = json.loads(exchange.body)
        self.assertEqual(content["events"], [{"event": "gone", "callsign": "KLM1"}])
        timestamp = exchange.headers["X-Rum-Timestamp"]
        self.assertEqual(int(timestamp), int(NOON))
        due = hmac.new(
            SECRET.encode(), timestamp.encode() + b"." + exchange.body, hashlib.sha256
        )
        self.assertEqual(exchange.headers["X-Rum-Signature"], due.hexdigest())

    async def test_again_if_it_fails(self) -> None:
        """The same delivery comes again, and what has happened since after it."""

        def respond(exchange: Exchange) -> None:
            exchange.answer(b"", status=500 if len(self.exchanges) == 1 else 204)

        hooks = self.start(respond)
        await hooks.gone(Gone("KLM1"))
        await self.until(lambda: self.exchanges)
        await hooks.gone(Gone("KLM2"))
        await self.until(lambda: len(self.exchanges) > 2)
        first, second, third = (json.loads(each.body) for each in self.exchanges)
        self.assertEqual(first, second)
        self.assertNotEqual(second["delivery"], third["delivery"])
        self.assertEqual(third["events"][0]["callsign"], "KLM2")

    async def test_queue_at_its_bound(self) -> None:
        """The oldest go, and the receiver is told how many."""
        is_full = Event()
        self.addCleanup(is_full.set)

        def respond(exchange: Exchange) -> None:
            is_full.wait()
            exchange.answer(b"", status=500 if len(self.exchanges) == 1 else 204)

        hooks = self.start(respond, queue=3, attempts=1, timeout=60)
        await hooks.gone(Gone("KLM0"))
        await self.until(lambda: self.exchanges)
        for number in range(1, 6):
            await hooks.gone(Gone(f"KLM{number}"))
        is_full.set()
        await self.until(lambda: len(self.exchanges) > 1)
        content = json.loads(self.exchanges[1].body)
        callsigns = [event["callsign"] for event in content["events"]]
        self.assertEqual(callsigns, ["KLM3", "KLM4", "KLM5"])
        self.assertEqual(content["dropped"], 2)

    async def test_end(self) -> None:
        """What waits is sent before it ends."""
        hooks = self.start(lambda exchange: exchange.answer(b""))
        for number in range(3):
            await hooks.gone(Gone(f"KLM{number}"))
        await hooks.closing()
        told = [
            event["callsign"]
            for exchange in self.exchanges
            for event in json.loads(exchange.body)["events"]
        ]
        self.assertEqual(told, ["KLM0", "KLM1", "KLM2"])

    async def test_end_while_nobody_answers(self) -> None:
        """It ends all the same, and the log has how many events are lost."""
        hooks = self.start(lambda exchange: exchange.hang())
        await hooks.gone(Gone("KLM1"))
        await self.until(lambda: self.exchanges)
        await hooks.gone(Gone("KLM2"))
        with capturedLogs() as events:
            await hooks.closing()
        (line,) = [formatEvent(event) for event in events if "plugin" in event]
        self.assertIn("2 events are lost, since this ends", line)

    async def test_endless_answer(self) -> None:
        """What a receiver says besides its status is not read."""
        hooks = self.start(lambda exchange: exchange.pour(1 << 30))
        await hooks.gone(Gone("KLM1"))
        await self.until(lambda: self.exchanges)
        await hooks.gone(Gone("KLM2"))
        await self.until(lambda: len(self.exchanges) > 1)

    def test_settings_that_make_no_sense(self) -> None:
        """An event that is none, and an address of another kind."""
        with self.assertRaises(ValueError):
            self.start(lambda exchange: None, events=["landed"])
        with self.assertRaises(ValueError):
            self.start(lambda exchange: None, urls=["ftp://host/"])
