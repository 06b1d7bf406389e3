"""The plugins that Rum brings, but for the one that needs a network."""

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.plugins.bundled.dots import Dots
from rum_twisted.plugins.bundled.greeter import Greeter
from rum_twisted.plugins.guard import Guard, Rules
from rum_twisted.plugins.host import PluginHost
from rum_twisted.plugins.local import LocalGuest
from rum_twisted.plugins.manifest import checked
from rum_twisted.session.hooks import (
    Act,
    Command,
    LoggedOn,
    Subscription,
    Tell,
    Verdict,
)
from rum_twisted.terms.identity import ClientKind
from rum_twisted.terms.units import Seconds
from tests.support.fabric import chance

REPORT = "EHAM 101225Z 24012G22KT 9999"


class Front:
    """A server that keeps what is to be done."""

    def __init__(self) -> None:
        self.acts: list[Act] = []

    def subscribe(self, subscription: Subscription) -> None:
        """Build nothing."""

    def answer(self, number: int, verdict: Verdict) -> None:
        """Ask nothing."""

    def act(self, act: Act) -> None:
        """Keep it."""
        self.acts.append(act)

    def find_metar(self, station: str) -> Deferred[str | None]:
        """Know one report."""
        found: Deferred[str | None] = Deferred()
        found.callback(REPORT if station == "EHAM" else None)
        return found


class BundledTestCase(SynchronousTestCase):
    """A plugin, and three who are online."""

    kind: Any

    def make(self, **table: Any) -> Any:
        """Return the plugin, with these settings."""
        folder = Path(self.mktemp())
        rules = Rules(deadline=Seconds(1.0), queue=100, actions=1000.0)
        self.host = PluginHost(
            Clock(), chance(), rules, folder=folder, now=lambda: Seconds(0.0)
        )
        self.host.startService()
        self.addCleanup(self.host.stopService)
        self.front = Front()
        front: Any = self.front
        self.link = self.host.attend("me", front)
        self.come("KLM1")
        self.come("AFR2")
        self.come("EHAM_SUP", rating=11, kind=ClientKind.CONTROLLER)
        return self.again(**table)

    def again(self, **table: Any) -> Any:
        """Return the plugin anew: as after a restart."""
        manifest = self.kind.manifest
        context = self.host.context(manifest.name)
        plugin = self.kind(context, checked(manifest, table, "test"))
        methods = {hook: getattr(plugin, hook.value) for hook in manifest.hooks}
        guest = LocalGuest(plugin, manifest.name, methods, self.host.reactor)
        for guard in self.host.guards:
            self.host.remove(guard)
        guard = Guard(
            guest,
            manifest,
            clock=self.host.reactor,
            random=chance(),
            rules=self.host.rules,
            changed=lambda: None,
            act=self.front.act,
            may_kick=False,
        )
        guard.is_running = True
        context.bind(guard)
        return plugin

    def come(self, callsign: str, *, rating: int = 1, **fields: Any) -> LoggedOn:
        """Have somebody come online."""
        usual = {
            "callsign": callsign,
            "cid": "1",
            "kind": ClientKind.PILOT,
            "rating": rating,
            "real_name": "Joe",
            "address": "",
            "is_new": True,
        }
        event = LoggedOn(**{**usual, **fields})
        self.link.take([(0, event)])
        return event

    def told(self) -> list[str]:
        """Return the texts that were sent since the last time."""
        acts, self.front.acts = self.front.acts, []
        return [act.text for act in acts if isinstance(act, Tell)]


class DotsTests(BundledTestCase):
    """Commands of pilots."""

    kind = Dots

    def type(self, plugin: Dots, word: str, rest: str = "") -> list[str]:
        """Return what a pilot reads who types a command."""
        self.successResultOf(
            ensureDeferred(plugin.command(Command("KLM1", word, rest)))
        )
        return self.told()

    def test_metar(self) -> None:
        """A report, none, and what was due."""
        dots = self.make()
        self.assertEqual(self.type(dots, "metar", "eham"), [REPORT])
        self.assertEqual(self.type(dots, "metar", "EDDF"), ["No report of EDDF"])
        self.assertIn(".metar ICAO", self.type(dots, "metar", "x y")[0])

    def test_who(self) -> None:
        """How many, and the first of them."""
        dots = self.make(most=2)
        self.assertEqual(
            self.type(dots, "who"),
            ["Online: 2 pilots, 1 controllers", "KLM1 AFR2 and 1 more"],
        )
        self.assertEqual(self.type(dots, "atc"), ["EHAM_SUP"])

    def test_help(self) -> None:
        """The commands, and what the operator adds."""
        lines = self.type(self.make(more_help=["ours: ask"]), "help")
        self.assertEqual(
            [lines[0], lines[-1]], [".metar ICAO: the weather there", "ours: ask"]
        )


class GreeterTests(BundledTestCase):
    """Greetings, and the board."""

    kind = Greeter

    def test_greeting(self) -> None:
        """Newcomers read it, filled in; those who were there do not."""
        greeter = self.make(greeting=["Hi {name} {callsign}", "{online} online"])
        greeter.logged_on(self.come("KLM1", real_name="{online}"))
        self.assertEqual(self.told(), ["Hi 3 KLM1", "3 online"])
        greeter.logged_on(self.come("KLM1", is_new=False))
        self.assertEqual(self.told(), [])

    def test_board(self) -> None:
        """The staff posts, everybody reads, and a restart changes nothing."""
        greeter = self.make()
        greeter.command(Command("KLM1", "post", "mine"))
        self.assertEqual(self.told(), ["You may not .post"])
        greeter.command(Command("EHAM_SUP", "post", "RWY 18R closed"))
        greeter.command(Command("EHAM_SUP", "post", "Event at 18z"))
        self.assertEqual(self.told(), ["Posted as 1", "Posted as 2"])
        greeter = self.again()
        greeter.command(Command("KLM1", "board", ""))
        self.assertEqual(self.told(), ["1. RWY 18R closed", "2. Event at 18z"])
        greeter.command(Command("EHAM_SUP", "unpost", "1"))
        greeter.command(Command("EHAM_SUP", "unpost", "7"))
        self.assertEqual(
            self.told(), ["Notice 1 is gone", ".unpost NUMBER, as .board shows it"]
        )
        greeter.logged_on(self.come("KLM5"))
        self.assertEqual(self.told(), ["Welcome, KLM5.", "1. Event at 18z"])

    def test_board_at_its_bound(self) -> None:
        """Twenty notices; one more is refused."""
        greeter = self.make()
        for number in range(20):
            greeter.command(Command("EHAM_SUP", "post", f"{number}"))
        self.told()
        greeter.command(Command("EHAM_SUP", "post", "more"))
        self.assertEqual(self.told(), ["20 notices are there: .unpost one"])
