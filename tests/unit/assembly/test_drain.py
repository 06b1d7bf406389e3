"""A process that is taken out of service."""

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.assembly.drain import QUIET, Drain, DrainState
from rum_twisted.assembly.fabric import Listing
from rum_twisted.config import ServicesSettings
from rum_twisted.control.lines import Refused
from rum_twisted.discovery.errors import EtcdUnavailable
from rum_twisted.discovery.service import DiscoveryClient
from rum_twisted.rpc.servicing import UnderWay
from rum_twisted.terms.instance import InstanceState
from rum_twisted.terms.units import Seconds
from rum_twisted.terms.wish import Wish, WishKind
from tests.support.wishes import WishfulRegistry, make_wish

WITHIN = Seconds(5.0)
ENOUGH = QUIET + 0.2  # seconds


class DrainTests(SynchronousTestCase):
    """One process that plays the weather."""

    @override
    def setUp(self) -> None:
        """Play it."""
        self.clock = Clock()
        self.registry = WishfulRegistry()
        self.discovery = DiscoveryClient(self.registry)
        self.discovery.startService()
        self.listing = Listing(
            self.discovery,
            ServicesSettings(roles=("weather",)),
            lambda: "127.0.0.1:7001",
            self.clock,
            lambda: Seconds(1_790_000_000.0),
        )
        self.listing.startService()
        self.under_way = UnderWay()
        self.plugins = UnderWay()
        self.ends = 0
        self.drain = self.make()

    def make(self, *, serves_clients: bool = False) -> Drain:
        """Return what drains it, started."""
        drain = Drain(
            self.listing,
            self.discovery,
            (self.under_way, self.plugins),
            self.clock,
            WITHIN,
            self.end,
            serves_clients=serves_clients,
        )
        drain.startService()
        self.addCleanup(drain.stopService)
        return drain

    def end(self) -> None:
        """Count that the process was ended."""
        self.ends += 1

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in small steps."""
        for _ in range(round(seconds * 20)):
            self.clock.advance(0.05)

    def state(self) -> InstanceState:
        """Return what others are told."""
        (instance,) = self.discovery.instances("weather")
        return instance.state

    def say(self, command: str, **arguments: Any) -> Any:
        """Do as an operator says."""
        arguments.setdefault("name", self.listing.instance_name)
        answer = self.drain.commands[f"drain.{command}"]({"by": "root", **arguments})
        return answer if isinstance(answer, dict) else self.successResultOf(answer)

    def refuse(self, words: str, command: str, **arguments: Any) -> None:
        """Assert that something is not done, and why."""
        with self.assertRaises(Refused) as caught:
            self.say(command, **arguments)
        self.assertIn(words, str(caught.exception))

    def test_others_are_told_first(self) -> None:
        """Then it ends, when nothing is under way."""
        self.assertEqual(self.say("begin")["state"], "draining")
        self.assertIs(self.state(), InstanceState.DRAINING)
        self.assertEqual(self.ends, 0)
        with capturedLogs() as events:
            self.pass_time(ENOUGH)
        lines = [formatEvent(event) for event in events]
        self.assertIn("drain: nothing is under way any more", lines)
        self.assertEqual(self.ends, 1)
        self.assertIs(self.drain.state, DrainState.ENDING)
        self.refuse("it ends already", "begin")
        self.refuse("not drained", "undo")

    def test_calls_under_way_are_waited_for(self) -> None:
        """And those that still come, since somebody has not heard of it."""
        self.under_way.count = 1
        self.say("begin")
        self.pass_time(3.0)
        self.assertEqual(self.say("look")["under_way"], 1)
        self.assertEqual(self.ends, 0)
        self.under_way.count = 0
        self.pass_time(QUIET / 2)
        self.under_way.begun += 1  # it came, and was answered within a moment
        self.pass_time(QUIET / 2)
        self.assertEqual(self.ends, 0)
        self.pass_time(ENOUGH)
        self.assertEqual(self.ends, 1)

    def test_plugins_are_waited_for(self) -> None:
        """While a server is with them, and while they are at something."""
        self.plugins.count = 1
        self.say("begin")
        self.pass_time(3.0)
        self.assertEqual((self.say("look")["under_way"], self.ends), (1, 0))
        self.plugins.count = 0
        self.pass_time(QUIET / 2)
        self.plugins.begun += 1
        self.pass_time(QUIET / 2 + 0.1)
        self.assertEqual(self.ends, 0)
        self.pass_time(ENOUGH)
        self.assertEqual(self.ends, 1)

    def test_calls_that_do_not_end(self) -> None:
        """They are waited for as long as the settings say, and no longer."""
        self.under_way.count = 1
        self.say("begin")
        self.pass_time(WITHIN - 0.3)
        self.assertEqual(self.ends, 0)
        with capturedLogs() as events:
            self.pass_time(0.6)
        self.assertEqual(self.ends, 1)
        lines = [formatEvent(event) for event in events]
        self.assertIn("drain: 1 calls are still under way after 5.0 s", lines)
        self.assertNotIn("drain: nothing is under way any more", lines)

    def test_aside_and_back(self) -> None:
        """It runs on, and is called again when somebody says so."""
        self.say("begin", stays=True)
        self.pass_time(ENOUGH)
        self.assertEqual((self.ends, self.drain.state), (0, DrainState.ASIDE))
        self.assertIs(self.state(), InstanceState.INACTIVE)
        self.assertEqual(self.say("undo")["state"], "serving")
        self.assertIs(self.state(), InstanceState.UP)
        self.refuse("not drained", "undo")

    def test_end_after_standing_aside(self) -> None:
        """Who stands aside may be ended."""
        self.say("begin", stays=True)
        self.pass_time(ENOUGH)
        self.say("begin")
        self.pass_time(ENOUGH)
        self.assertEqual(self.ends, 1)

    def test_undone_while_calls_are_under_way(self) -> None:
        """It does not end."""
        self.under_way.count = 1
        self.say("begin")
        self.pass_time(1.0)
        self.say("undo")
        self.under_way.count = 0
        self.pass_time(60.0)
        self.assertEqual((self.ends, self.state()), (0, InstanceState.UP))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_another_mind_meanwhile(self) -> None:
        """What was said last counts."""
        self.say("begin")
        self.say("begin", stays=True)
        self.pass_time(ENOUGH)
        self.assertEqual((self.ends, self.drain.state), (0, DrainState.ASIDE))

    def test_another_process_is_meant(self) -> None:
        """It does nothing, and tells who it is."""
        self.refuse(self.listing.instance_name, "begin", name="other")
        self.refuse(self.listing.instance_name, "undo", name="other")
        self.assertIs(self.state(), InstanceState.UP)

    def test_clients_are_not_cut(self) -> None:
        """A process with pilots is not drained."""
        self.drain = self.make(serves_clients=True)
        self.refuse("pilots", "begin")
        self.assertIs(self.state(), InstanceState.UP)

    def test_stop(self) -> None:
        """Nothing is left, and the process is not ended twice."""
        self.say("begin")
        self.drain.stopService()
        self.pass_time(60.0)
        self.assertEqual(self.ends, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    # From elsewhere.

    def want(self, kind: WishKind, **fields: Any) -> Wish:
        """Let something be wanted of this process by way of the registry."""
        wish = make_wish(self.listing.instance_name, kind, **fields)
        self.registry.wish(wish)
        return wish

    def test_wanted_elsewhere(self) -> None:
        """It drains and ends; the wish is gone as soon as it was heard."""
        with capturedLogs() as events:
            self.want(WishKind.END)
        self.assertIs(self.state(), InstanceState.DRAINING)
        self.assertEqual(self.registry.wishes, {})
        self.pass_time(ENOUGH)
        self.assertEqual(self.ends, 1)
        (line,) = [text for text in map(formatEvent, events) if text]
        self.assertIn("takes no new calls (root, 10.0.0.9, by way of", line)

    def test_wanted_aside_and_back(self) -> None:
        """Each wish is done once, however often the registry tells of something."""
        self.registry.is_deaf = True  # to what is to be deleted
        self.want(WishKind.STAY)
        self.pass_time(ENOUGH)
        self.assertIs(self.state(), InstanceState.INACTIVE)
        self.say("undo")
        self.registry.tell()
        self.assertIs(self.state(), InstanceState.UP)
        self.want(WishKind.STAY, asked=Seconds(2.0))
        self.pass_time(ENOUGH)
        self.want(WishKind.SERVE)
        self.assertIs(self.state(), InstanceState.UP)
        with capturedLogs() as events:
            self.want(WishKind.SERVE, asked=Seconds(3.0))
        self.assertIn("not done", str(formatEvent(events[-1])))
        self.assertEqual(self.ends, 0)

    def test_wanted_of_another(self) -> None:
        """A wish for somebody else is left to him."""
        self.registry.wish(make_wish("other", WishKind.END))
        self.assertIs(self.state(), InstanceState.UP)
        self.assertEqual(list(self.registry.wishes), ["other"])

    def test_wish_that_cannot_be_deleted(self) -> None:
        """It is done all the same, and goes by itself."""
        self.registry.trouble = EtcdUnavailable("h:1: no answer")
        self.want(WishKind.END)
        self.pass_time(ENOUGH)
        self.assertEqual(self.ends, 1)

    def test_nothing_is_heard_after_the_stop(self) -> None:
        """Nor where clients are connected."""
        self.drain.stopService()
        self.want(WishKind.END)
        self.assertIs(self.state(), InstanceState.UP)
        self.drain = self.make(serves_clients=True)
        self.registry.tell()
        self.assertIs(self.state(), InstanceState.UP)
