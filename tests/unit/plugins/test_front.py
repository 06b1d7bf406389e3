"""A server's side of the plugins: what is built, when it leaves, and what is lost."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.plugins.front import BATCH, MOST_ACTS
from rum_twisted.plugins.interfaces import ILink
from rum_twisted.session.hooks import (
    GO_ON,
    Ask,
    Event,
    Gone,
    Hook,
    LoggedOn,
    LoggingOn,
    PositionSample,
    Subscription,
    Tell,
    Text,
    Verdict,
)
from rum_twisted.terms.identity import ClientKind
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees
from rum_twisted.world.roster import Roster
from tests.support.builders import make_client
from tests.support.plugins import DEADLINE, INTERVAL, make_front
from tests.support.server import MemoryServer

QUEUE = 20
TEXT = Text("KLM1", "*", "hello")
QUESTION = LoggingOn("KLM1", "1000001", ClientKind.PILOT, 1, "Joe", "")
EVERYTHING = Subscription(frozenset(Hook), frozenset({"#TM"}), frozenset({"metar"}))
BROKEN_AFTER = 3  # questions without an answer


@implementer(ILink)
class KeptLink:
    """A host that takes everything, at once or when a test says so."""

    def __init__(self, *, is_slow: bool = False) -> None:
        self.batches: list[list[Ask]] = []
        self.taking: list[Deferred[None]] = []
        self.is_closed = False
        self.is_parted = False
        self._is_slow = is_slow

    def take(self, events: Sequence[Ask]) -> Deferred[None]:
        """Keep a batch."""
        self.batches.append(list(events))
        if not self._is_slow:
            return succeed(None)
        taken: Deferred[None] = Deferred()
        self.taking.append(taken)
        return taken

    def part(self) -> None:
        """Take no more, and answer what was asked."""
        self.is_parted = True

    def close(self) -> None:
        """Take no more."""
        self.is_closed = True

    @property
    def events(self) -> list[Event]:
        """All that was taken."""
        return [event for batch in self.batches for _, event in batch]


class FrontTestCase(SynchronousTestCase):
    """A server's side that is attended."""

    @override
    def setUp(self) -> None:
        """Attend it."""
        self.clock = Clock()
        self.roster = Roster()
        self.front = make_front(self.clock, self.roster, queue=QUEUE)
        self.front.startService()
        self.addCleanup(self.front.stopService)
        self.link = self.attach()

    def attach(self, *, is_slow: bool = False) -> KeptLink:
        """Join it to a host that waits for everything."""
        link = KeptLink(is_slow=is_slow)
        self.front.attach(link)
        self.front.subscribe(EVERYTHING)
        return link


class BatchTests(FrontTestCase):
    """When events leave."""

    def test_events_leave_together(self) -> None:
        """After a moment, in their order."""
        self.front.tell(TEXT)
        self.front.tell(Gone("KLM1"))
        self.assertEqual(self.link.batches, [])
        self.clock.advance(0.02)
        self.assertEqual(self.link.batches, [[(0, TEXT), (0, Gone("KLM1"))]])

    def test_questions_leave_at_once(self) -> None:
        """With what has happened before."""
        self.front.tell(TEXT)
        self.front.ask(QUESTION)
        self.clock.advance(0)
        ((first, second),) = self.link.batches
        self.assertEqual((first, second[1]), ((0, TEXT), QUESTION))
        self.assertGreater(second[0], 0)

    def test_one_batch_at_a_time(self) -> None:
        """While the host is slow, the rest waits; then it leaves at once."""
        link = self.attach(is_slow=True)
        self.front.tell(TEXT)
        self.clock.advance(0.02)
        self.front.tell(TEXT)
        self.clock.advance(1)
        self.assertEqual(len(link.batches), 1)
        link.taking.pop().callback(None)
        self.assertEqual(len(link.batches), 2)

    def test_batch_at_its_bound(self) -> None:
        """One more event goes in the next."""
        front = make_front(self.clock, queue=BATCH + 1)
        link = KeptLink()
        front.attach(link)
        for _ in range(BATCH + 1):
            front.tell(TEXT)
        self.clock.advance(0.02)
        self.assertEqual([len(batch) for batch in link.batches], [BATCH, 1])

    def test_queue_at_its_bound(self) -> None:
        """What does not fit is dropped, and told in one line."""
        link = self.attach(is_slow=True)
        self.front.tell(TEXT)
        self.clock.advance(0.02)
        for _ in range(QUEUE):
            self.front.tell(TEXT)
        self.assertEqual((self.front.dropped, self.front.waiting), (0, QUEUE))
        measure = self.front.measures()["plugin events"]()
        assert not isinstance(measure, tuple)
        self.assertEqual((measure.count, measure.bound), (QUEUE, QUEUE))
        with capturedLogs() as events:
            self.front.tell(TEXT)
            answer = self.front.ask(QUESTION)
            self.clock.advance(1)
        self.assertEqual(self.front.dropped, 2)
        self.assertEqual(self.successResultOf(answer), GO_ON)
        (line,) = [formatEvent(e) for e in events if e["log_level"] is LogLevel.warn]
        self.assertIn("plugins: 2 events dropped, 0 questions", line)
        self.assertEqual(len(link.batches), 1)


class AttendanceTests(FrontTestCase):
    """Hosts that come and go."""

    def test_who_is_there_is_told(self) -> None:
        """A host that comes later knows everybody who is online."""
        self.roster.add(make_client("KLM1"))
        link = self.attach()
        self.clock.advance(0.02)
        (coming,) = link.events
        assert isinstance(coming, LoggedOn)
        self.assertEqual((coming.callsign, coming.is_new), ("KLM1", False))

    def test_alone(self) -> None:
        """Without a host nothing is wanted, and nothing waits."""
        answer = self.front.ask(QUESTION)
        self.front.tell(TEXT)
        self.front.detach()
        self.assertEqual(self.successResultOf(answer), GO_ON)
        self.assertEqual((self.front.wanted, self.front.waiting), (frozenset(), 0))
        self.front.tell(TEXT)
        self.assertEqual(self.front.waiting, 0)
        self.assertEqual(self.successResultOf(self.front.ask(QUESTION)), GO_ON)

    def test_another_host(self) -> None:
        """The first has what waited for it, and then no more; it may still answer."""
        self.roster.add(make_client("KLM1"))
        answer = self.front.ask(QUESTION)
        self.clock.advance(0)
        number = self.link.batches[-1][-1][0]
        self.front.tell(TEXT)
        link = self.attach()
        self.assertTrue(self.link.is_parted)
        self.assertEqual(self.link.events, [QUESTION, TEXT])
        self.front.tell(Gone("KLM1"))
        self.clock.advance(0.02)
        self.assertIsInstance(link.events[0], LoggedOn)
        self.assertEqual(link.events[1:], [Gone("KLM1")])
        self.assertNoResult(answer)
        self.front.answer(number, Verdict(stops=True))
        self.assertEqual(self.successResultOf(answer), Verdict(stops=True))

    def test_host_that_is_gone_when_it_is_parted_from(self) -> None:
        """What waited for it counts as dropped, and questions end at their deadline."""
        link = self.attach(is_slow=True)
        self.front.tell(TEXT)
        self.clock.advance(0.02)
        answer = self.front.ask(QUESTION)
        self.front.part()
        self.assertEqual((self.front.wanted, self.front.waiting), (frozenset(), 0))
        for taking in link.taking:
            taking.errback(ConnectionError())
        self.assertEqual(self.front.dropped, 1)
        self.clock.advance(DEADLINE)
        self.assertEqual(self.successResultOf(answer), GO_ON)

    def test_link_that_breaks(self) -> None:
        """A batch that cannot be given ends the attendance."""
        link = self.attach(is_slow=True)
        self.front.tell(TEXT)
        self.clock.advance(0.02)
        link.taking.pop().errback(ConnectionError())
        self.assertFalse(self.front.is_attended)

    def test_end_of_the_server(self) -> None:
        """The host is let go."""
        self.front.stopService()
        self.assertTrue(self.link.is_closed)


class QuestionTests(FrontTestCase):
    """Answers, and none."""

    def number(self) -> int:
        """Return the number of the last question."""
        self.clock.advance(0)
        return self.link.batches[-1][-1][0]

    def test_answer(self) -> None:
        """The first one counts."""
        answer = self.front.ask(QUESTION)
        number = self.number()
        self.front.answer(number, Verdict(stops=True))
        self.front.answer(number, Verdict())
        self.assertEqual(self.successResultOf(answer), Verdict(stops=True))

    def test_no_answer(self) -> None:
        """At the deadline things go on, and not before."""
        answer = self.front.ask(QUESTION)
        self.clock.advance(DEADLINE - 0.001)
        self.assertNoResult(answer)
        self.clock.advance(0.002)
        self.assertEqual(self.successResultOf(answer), GO_ON)

    def test_host_that_stands_still(self) -> None:
        """After some questions without an answer nobody is asked for a while."""
        for _ in range(BROKEN_AFTER):
            self.front.ask(QUESTION)
            self.clock.advance(DEADLINE)
        self.assertEqual(self.front.late, BROKEN_AFTER)
        self.assertEqual(self.successResultOf(self.front.ask(QUESTION)), GO_ON)
        self.clock.advance(1)
        answer = self.front.ask(QUESTION)  # the one that will tell
        self.assertNoResult(answer)
        self.front.answer(self.number(), GO_ON)
        self.assertNoResult(self.front.ask(QUESTION))

    def test_client_is_gone(self) -> None:
        """His question is forgotten."""
        answer = self.front.ask(QUESTION)
        number = self.number()
        answer.addErrback(lambda _: None)
        answer.cancel()
        self.front.answer(number, Verdict(stops=True))
        self.assertIsNone(self.successResultOf(answer))


class PositionTests(FrontTestCase):
    """Where aircraft are, now and then."""

    def fly(self, count: int) -> list[Any]:
        """Put aircraft into the sky."""
        clients = [make_client(f"KLM{number}") for number in range(count)]
        for client in clients:
            client.position = Position(Degrees(52.0), Degrees(4.0))
            self.roster.add(client)
        return clients

    def samples(self) -> list[str]:
        """Return whose positions were told."""
        return [
            event.callsign
            for event in self.link.events
            if isinstance(event, PositionSample)
        ]

    def pass_intervals(self, count: int) -> None:
        """Let time pass."""
        self.clock.pump([0.1] * (int(INTERVAL * 10 * count) + 2))

    def test_each_once_in_an_interval(self) -> None:
        """Spread over it, and only who has moved."""
        self.fly(10)
        self.clock.pump([0.1] * 3)
        self.assertLess(len(self.samples()), 5)
        self.pass_intervals(1)
        self.assertEqual(sorted(self.samples()), [f"KLM{n}" for n in range(10)])
        self.pass_intervals(2)
        self.assertEqual(len(self.samples()), 10)

    def test_who_has_moved(self) -> None:
        """However often he reports, once in an interval."""
        (client,) = self.fly(1)
        for step in range(int(INTERVAL * 10) * 3):
            client.position = Position(Degrees(52.0 + step / 1000), Degrees(4.0))
            self.clock.advance(0.1)
        self.assertIn(len(self.samples()), (3, 4))

    def test_nobody_asks_for_positions(self) -> None:
        """Then nobody looks."""
        self.fly(3)
        self.front.subscribe(Subscription(frozenset({Hook.TEXT})))
        self.pass_intervals(2)
        self.assertEqual(self.samples(), [])

    def test_those_who_are_gone_are_forgotten(self) -> None:
        """What is kept of them does not grow with those who come and go."""
        for client in self.fly(10):
            self.pass_intervals(1)
            self.roster.remove(client)
        self.pass_intervals(2)
        measure = self.front.measures()["plugin events"]()
        assert not isinstance(measure, tuple)
        self.assertLess(measure.bytes, 500)


class ActTests(SynchronousTestCase):
    """What a role may have done."""

    def test_more_acts_than_any_host_lets_through(self) -> None:
        """A role that is out of its mind floods nobody."""
        server = MemoryServer()
        front = make_front(server.clock, server.roster)
        front.serve(server.fanout, server.logbook, server.network.weather)
        pilot = server.log_on_pilot("KLM1")
        for _ in range(int(2 * MOST_ACTS) + 5):
            front.act(Tell("KLM1", "x"))
        self.assertEqual(front.refused, 5)
        server.fanout.settle()
        self.assertTrue(pilot.read())

    def test_report_that_fails(self) -> None:
        """It is none."""
        server = MemoryServer()
        front = make_front(server.clock, server.roster)
        self.assertIsNone(self.successResultOf(front.find_metar("EHAM")))

        class Failing:
            def metar(self, station: str) -> Deferred[str | None]:
                return fail(ConnectionError())

        weather: Any = Failing()
        front.serve(server.fanout, server.logbook, weather)
        self.assertIsNone(self.successResultOf(front.find_metar("EHAM")))
