"""A server's clients in two parts, while a new version of the plugins is tried."""

from collections.abc import Iterable
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.plugins.parting import Parting
from rum_twisted.rpc.errors import Code
from rum_twisted.rpc.metrics import Label, Series
from rum_twisted.session.hooks import (
    FAILED,
    GO_ON,
    Command,
    Connected,
    Gone,
    Hook,
    Line,
    LoggedOn,
    LoggingOn,
    PositionSample,
    Subscription,
    Text,
    Verdict,
    coming_of,
)
from rum_twisted.terms.identity import ClientKind
from rum_twisted.terms.place import Position
from rum_twisted.terms.rule import Rule, RuleState
from rum_twisted.terms.units import Degrees
from rum_twisted.world.client import Client
from rum_twisted.world.roster import Roster
from tests.support.builders import make_client
from tests.support.fabric import make_instance
from tests.support.plugins import DEADLINE, INTERVAL, make_front
from tests.support.rules import CANARY, make_rule
from tests.unit.plugins.test_front import KeptLink

QUEUE = 20
OLD_CID, NEW_CID = "1000001", "1000002"  # who meets which version, by the rule
OLD = Subscription(frozenset({Hook.TEXT, Hook.POSITION}), frozenset({"#TM"}))
NEW = Subscription(
    frozenset({Hook.COMMAND, Hook.LOGGING_ON}),
    frozenset({"$FP", "@"}),
    frozenset({"metar"}),
)


def rule_for(*cids: str, **fields: Any) -> Rule:
    """Return a rule that has these members meet the new version."""
    usual = {"service": "plugin", "cids": frozenset(cids or (NEW_CID,))}
    return make_rule(fields.pop("share", 0.0), **{**usual, **fields})


def series(version: str = CANARY) -> Series:
    """Return what nothing was counted in as yet."""
    return Series(Label(service="plugin", method="m", address="h:1", version=version))


class PartingTestCase(SynchronousTestCase):
    """A server whose front is attended, and perhaps its twin."""

    @override
    def setUp(self) -> None:
        """Attend the front; try a version that is not there as yet."""
        self.clock = Clock()
        self.roster = Roster()
        self.front = make_front(self.clock, self.roster, queue=QUEUE)
        self.front.startService()
        self.addCleanup(self.front.stopService)
        self.is_forlorn = True
        self.looks = 0
        self.parting = Parting(
            self.front,
            group="trial",
            zone="east",
            is_forlorn=lambda: self.is_forlorn,
            look_again=self.look_again,
        )
        self.twin = self.parting.twin
        self.twin.parting = self.parting
        self.twin.startService()
        self.addCleanup(self.twin.stopService)
        self.old = self.attach(self.front, OLD)
        self.parting.change_rule(rule_for())

    def look_again(self) -> None:
        """Count that it may be time for another host."""
        self.looks += 1

    def attach(self, front: Any, subscription: Subscription) -> KeptLink:
        """Join one of both to a host."""
        link = KeptLink()
        front.attach(link)
        front.subscribe(subscription)
        return link

    def attach_twin(self) -> KeptLink:
        """Let the new version be there."""
        return self.attach(self.twin, NEW)

    def log_on(self, callsign: str, cid: str) -> Client:
        """Bring somebody online, as a session does."""
        client = make_client(callsign, cid=cid)
        self.roster.add(client)
        self.front.tell(coming_of(client, "", is_new=True))
        return client

    def log_off(self, client: Client) -> None:
        """Let somebody go, as a session does."""
        self.roster.remove(client)
        self.front.tell(Gone(client.callsign))

    def told(self, link: KeptLink, kinds: Iterable[type[Any]] = (Text,)) -> list[str]:
        """Return whom a host was told of, in events of these kinds."""
        self.clock.advance(0.02)
        return [
            each.callsign  # type: ignore[union-attr]
            for each in link.events
            if isinstance(each, tuple(kinds))
        ]


class RoutingTests(PartingTestCase):
    """Who meets which version."""

    def test_all_events_of_a_client_go_to_one_version(self) -> None:
        """From his coming to his going; the same callsign may come with another CID."""
        new = self.attach_twin()
        for cid, there, elsewhere in (
            (OLD_CID, self.old, new),
            (NEW_CID, new, self.old),
        ):
            client = self.log_on("KLM1", cid)
            self.front.tell(Text("KLM1", "*", "hello"))
            self.front.ask(Line("KLM1", "#TMKLM1:*:hello"))
            self.log_off(client)
            kinds = (LoggedOn, Text, Line, Gone)
            self.assertEqual(self.told(there, kinds), ["KLM1"] * 4)
            self.assertEqual(self.told(elsewhere, kinds), [])
            there.batches.clear()

    def test_question_before_he_is_on(self) -> None:
        """The version that he will meet is asked whether he may come."""
        new = self.attach_twin()
        self.front.ask(LoggingOn("KLM1", NEW_CID, ClientKind.PILOT, 1, "Joe", ""))
        self.front.ask(LoggingOn("KLM2", OLD_CID, ClientKind.PILOT, 1, "Jo", ""))
        self.assertEqual(self.told(new, (LoggingOn,)), ["KLM1"])
        self.assertEqual(self.told(self.old, (LoggingOn,)), ["KLM2"])

    def test_connections(self) -> None:
        """Nobody knows who it is: all of them go to one version, by the rule."""
        new = self.attach_twin()
        self.front.tell(Connected("10.0.0.1"))
        self.parting.change_rule(rule_for(state=RuleState.PROMOTED))
        self.front.tell(Connected("10.0.0.2"))
        self.clock.advance(0.02)
        self.assertEqual(self.old.events, [Connected("10.0.0.1")])
        self.assertEqual(new.events, [Connected("10.0.0.2")])

    def test_group_and_zone_of_this_process(self) -> None:
        """They are the rule's, or they are not."""
        self.attach_twin()
        cases: tuple[tuple[dict[str, Any], bool], ...] = (
            ({"groups": frozenset({"trial"})}, True),
            ({"zones": frozenset({"east"})}, True),
            ({"zones": frozenset({"west"})}, False),
            ({"share": 100.0}, True),
        )
        for number, (fields, is_served) in enumerate(cases):
            self.parting.change_rule(rule_for("9", **fields))
            self.log_on(f"KLM{number}", OLD_CID)
            self.assertIs(self.parting.serves(f"KLM{number}"), is_served)

    def test_what_sessions_build(self) -> None:
        """What either version wants; but a command only where somebody answers it."""
        self.assertEqual(self.front.wanted, OLD.hooks)
        self.attach_twin()
        self.assertEqual(self.front.wanted, OLD.hooks | NEW.hooks)
        self.assertEqual(self.front.prefixes, {"#TM", "$FP"})
        self.log_on("KLM1", OLD_CID)
        self.log_on("KLM2", NEW_CID)
        self.assertFalse(self.front.answers("KLM1", "metar"))
        self.assertTrue(self.front.answers("KLM2", "metar"))
        self.assertFalse(self.front.answers("KLM2", "atis"))
        self.front.tell(Command("KLM2", "metar", "EHAM"))
        self.twin.detach()
        self.assertEqual(self.front.wanted, OLD.hooks)
        self.assertFalse(self.front.answers("KLM2", "metar"))

    def test_positions(self) -> None:
        """Each is told to the version that has him, and wants them."""
        new = self.attach(self.twin, OLD)
        for callsign, cid in (("KLM1", OLD_CID), ("KLM2", NEW_CID)):
            client = self.log_on(callsign, cid)
            client.position = Position(Degrees(52.0), Degrees(4.0))
        self.clock.pump([0.1] * int(INTERVAL * 10 + 2))
        self.assertEqual(self.told(self.old, (PositionSample,)), ["KLM1"])
        self.assertEqual(self.told(new, (PositionSample,)), ["KLM2"])

    def test_positions_of_those_who_have_moved(self) -> None:
        """Who goes to the other version within a round is not told here any more."""
        new = self.attach(self.twin, OLD)
        for number in range(10):
            client = self.log_on(f"KLM{number}", NEW_CID)
            client.position = Position(Degrees(52.0), Degrees(4.0))
        self.clock.pump([0.1] * 3)
        told = self.told(new, (PositionSample,))
        self.assertTrue(0 < len(told) < 10, told)
        self.parting.change_rule(rule_for(version="9.9"))
        self.clock.pump([0.1] * int(INTERVAL * 20))
        self.assertEqual(self.told(new, (PositionSample,)), told)
        self.assertEqual(len(self.told(self.old, (PositionSample,))), 10)

    def test_queues_are_apart(self) -> None:
        """A version that takes nothing costs only its own clients events."""
        slow = KeptLink(is_slow=True)
        self.twin.attach(slow)
        self.twin.subscribe(NEW)
        self.log_on("KLM1", OLD_CID)
        self.log_on("KLM2", NEW_CID)
        self.clock.advance(0.02)
        for _ in range(QUEUE + 3):
            self.front.tell(Text("KLM2", "*", "x"))
        self.front.tell(Text("KLM1", "*", "x"))
        self.assertEqual((self.twin.dropped, self.front.dropped), (3, 0))
        self.assertEqual(self.told(self.old), ["KLM1"])
        measures = self.front.measures()
        counts = [
            measures[name]().count
            for name in ("plugin events", "plugin events on trial")
        ]
        self.assertEqual(counts, [0, QUEUE])


class MovingTests(PartingTestCase):
    """Who goes to the other version, and when."""

    def test_changes_count_at_the_next_logon(self) -> None:
        """Who is online stays where he is: a plugin remembers things about him."""
        new = self.attach_twin()
        first = self.log_on("KLM1", OLD_CID)
        second = self.log_on("KLM2", NEW_CID)
        self.parting.change_rule(rule_for(OLD_CID))
        self.assertFalse(self.parting.serves("KLM1"))
        self.assertTrue(self.parting.serves("KLM2"))
        self.log_off(first)
        self.log_off(second)
        self.log_on("KLM1", OLD_CID)
        self.log_on("KLM2", NEW_CID)
        self.assertTrue(self.parting.serves("KLM1"))
        self.assertFalse(self.parting.serves("KLM2"))
        self.assertEqual(self.told(new, (Gone,)), ["KLM2"])

    def test_new_version_is_gone(self) -> None:
        """Its clients are the others', who are told of them as of known ones."""
        self.attach_twin()
        self.log_on("KLM2", NEW_CID)
        self.twin.detach()
        self.clock.advance(0.02)
        (coming,) = self.old.events
        assert isinstance(coming, LoggedOn)
        self.assertEqual((coming.callsign, coming.is_new), ("KLM2", False))
        self.front.tell(Text("KLM2", "*", "x"))
        self.assertEqual(self.told(self.old), ["KLM2"])
        new = self.attach_twin()  # it is back: for whoever comes then
        self.assertEqual(self.told(new, (LoggedOn,)), [])

    def test_others_are_gone(self) -> None:
        """The new version has all, if it may; not while others can still be had."""
        self.parting.change_rule(rule_for(share=1.0))
        new = self.attach_twin()
        self.log_on("KLM1", OLD_CID)
        self.is_forlorn = False
        self.front.detach()
        self.log_on("KLM3", OLD_CID)
        self.assertEqual(self.told(new, (LoggedOn,)), [])
        self.is_forlorn = True
        self.parting.sync()
        self.assertEqual(self.told(new, (LoggedOn,)), ["KLM1", "KLM3"])
        self.log_on("KLM4", OLD_CID)
        self.assertTrue(self.parting.serves("KLM4"))
        old = self.attach(self.front, OLD)
        self.assertEqual(self.told(old, (LoggedOn,)), [])
        self.log_on("KLM5", OLD_CID)
        self.assertFalse(self.parting.serves("KLM5"))

    def test_others_are_gone_and_it_may_not_stand_in(self) -> None:
        """With a share of 0, only its own members are with it."""
        self.attach_twin()
        self.log_on("KLM1", OLD_CID)
        self.front.detach()
        self.assertFalse(self.parting.serves("KLM1"))
        answer = self.front.ask(Line("KLM1", "#TMKLM1:*:x"))
        self.assertEqual(self.successResultOf(answer), GO_ON)

    def test_trial_of_yet_another_version(self) -> None:
        """Clients of the first are the others' again."""
        self.attach_twin()
        self.log_on("KLM2", NEW_CID)
        self.parting.change_rule(rule_for(version="9.9"))
        self.assertFalse(self.parting.serves("KLM2"))
        self.assertEqual(self.told(self.old, (LoggedOn,)), ["KLM2"])

    def test_everything_is_over(self) -> None:
        """Without a rule and without its host, events are told as ever."""
        self.attach_twin()
        self.log_on("KLM2", NEW_CID)
        self.parting.change_rule(None)
        self.assertIs(self.front.parting, self.parting)
        self.twin.part()  # as its link does, which is told to look again
        self.assertIsNone(self.front.parting)
        self.assertFalse(self.parting.serves("KLM2"))
        self.assertEqual(self.told(self.old, (LoggedOn,)), ["KLM2"])


class HostTests(PartingTestCase):
    """Which processes may attend whom."""

    def fits(self) -> tuple[bool, bool, bool, bool]:
        """Tell whether old and new may attend the front, and the twin."""
        old = make_instance(service="plugin", version="4.0.0")
        new = make_instance(service="plugin", version=CANARY)
        fits_front, fits_twin = self.parting.fits_front, self.parting.fits_twin
        return fits_front(old), fits_front(new), fits_twin(old), fits_twin(new)

    def test_only_a_version_that_has_somebody(self) -> None:
        """There is no stream for nothing, and none to a version that was ended."""
        cases: tuple[tuple[dict[str, Any], bool], ...] = (
            ({}, True),
            ({"cids": frozenset(), "share": 0.0}, False),
            ({"cids": frozenset(), "share": 0.1}, True),
            ({"cids": frozenset(), "groups": frozenset({"x"})}, True),
            ({"cids": frozenset(), "zones": frozenset({"x"})}, True),
            ({"state": RuleState.PROMOTED}, True),
            ({"state": RuleState.ABORTED}, False),
            ({"state": RuleState.BACKED_OUT, "share": 50.0}, False),
        )
        for fields, has_somebody in cases:
            self.parting.change_rule(rule_for(**fields))
            self.assertEqual(self.fits(), (True, False, False, has_somebody), fields)

    def test_rule_that_is_gone(self) -> None:
        """The twin keeps what it has until the front has somebody: nobody waits."""
        self.attach_twin()
        self.front.detach()
        looks = self.looks
        self.parting.change_rule(None)
        self.assertEqual(self.fits(), (True, True, True, True))
        self.assertGreater(self.looks, looks)
        looks = self.looks
        self.attach(self.front, OLD)
        self.assertEqual(self.fits(), (True, True, False, False))
        self.assertGreater(self.looks, looks)


class QualityTests(PartingTestCase):
    """What is counted about a host."""

    @override
    def setUp(self) -> None:
        """Count."""
        super().setUp()
        self.series = series()
        self.new = KeptLink()
        self.twin.attach(self.new, self.series)
        self.twin.subscribe(NEW)
        self.log_on("KLM2", NEW_CID)
        self.clock.advance(0.02)  # a batch, which was taken

    def ask(self) -> tuple[Any, int]:
        """Ask the new version; return the answer to come, and the question's number."""
        answer = self.front.ask(Line("KLM2", "$FPKLM2"))
        self.clock.advance(0)
        return answer, self.new.batches[-1][-1][0]

    def codes(self) -> dict[Code, int]:
        """Return how many have ended how; batches that were taken are not there."""
        codes = dict(self.series.codes)
        codes[Code.OK] -= len(self.new.batches)
        return {code: count for code, count in codes.items() if count}

    def test_answers(self) -> None:
        """Good ones, those of plugins that fail, and those that come too late."""
        for verdict, due in (
            (Verdict(stops=True), Verdict(stops=True)),
            (FAILED, GO_ON),
        ):
            answer, number = self.ask()
            self.clock.advance(0.03)
            self.twin.answer(number, verdict)
            self.assertEqual(self.successResultOf(answer), due)
        self.ask()
        self.clock.advance(DEADLINE)
        self.assertEqual(
            self.codes(), {Code.OK: 1, Code.INTERNAL: 1, Code.DEADLINE_EXCEEDED: 1}
        )
        self.assertAlmostEqual(self.series.seconds, 0.06 + DEADLINE)

    def test_client_who_is_gone(self) -> None:
        """A question that nobody waits for says nothing, and is forgotten."""
        answer, number = self.ask()
        answer.addErrback(lambda _: None)
        answer.cancel()
        self.twin.answer(number, GO_ON)
        self.assertEqual(self.codes(), {Code.CANCELLED: 1})

    def test_host_that_breaks_off(self) -> None:
        """What it was asked counts, and that it breaks off."""
        self.ask()
        self.ask()
        self.twin.detach()
        self.assertEqual(self.codes(), {Code.UNAVAILABLE: 3})

    def test_host_that_is_left(self) -> None:
        """What it still answers is counted where it was asked."""
        _, number = self.ask()
        self.twin.part()
        self.twin.answer(number, GO_ON)
        self.assertEqual(self.codes(), {Code.OK: 1})

    def test_host_that_is_left_alone(self) -> None:
        """What it cannot be asked counts as well."""
        for _ in range(3):
            self.ask()
            self.clock.advance(DEADLINE)
        self.assertEqual(self.successResultOf(self.front.ask(Line("KLM2", ""))), GO_ON)
        self.assertEqual(self.codes(), {Code.DEADLINE_EXCEEDED: 3, Code.UNAVAILABLE: 1})

    def test_events_that_are_dropped(self) -> None:
        """Each counts."""
        slow, counts = KeptLink(is_slow=True), series()
        self.twin.attach(slow, counts)
        self.clock.advance(0.02)  # the one who is there
        for _ in range(QUEUE + 2):
            self.front.tell(Text("KLM2", "*", "x"))
        self.front.ask(Line("KLM2", "$FPKLM2"))
        self.assertEqual(counts.codes, {Code.RESOURCE_EXHAUSTED: 3})
        self.clock.advance(0.5)
        slow.taking[0].callback(None)
        self.assertEqual(counts.codes[Code.OK], 1)
        self.assertAlmostEqual(counts.seconds, 0.5)
