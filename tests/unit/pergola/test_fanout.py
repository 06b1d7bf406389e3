"""Who gets which lines, when, and in which order."""

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.pergola.fanout import NEWS_LEISURE, PATIENCE, SHORTEST, Fanout
from rum_twisted.terms.identity import ClientKind
from rum_twisted.terms.pace import Pace
from rum_twisted.terms.units import NauticalMiles, Seconds
from rum_twisted.world.client import Client
from rum_twisted.world.geodesy import chord_of, unit_vector
from rum_twisted.world.roster import Roster
from rum_twisted.world.visibility import Channel, is_in_range
from tests.support.builders import make_client
from tests.unit.pergola.builders import BOUND, CpuClock, Receiver, Wire, put, run

LONGEST = Seconds(0.05)
HIGH = 35_000  # feet; heard for 274 NM
NOBODYS = b"server"
AGES = 3600.0  # seconds; by then it is forgotten what writes have cost


class FanoutTestCase(SynchronousTestCase):
    """A fan-out, and clients who come online."""

    @override
    def setUp(self) -> None:
        """Begin with nobody."""
        self.clock = Clock()
        self.cpu = CpuClock()
        self.roster = Roster()
        self.fanout = Fanout(self.clock, self.cpu, LONGEST, self.roster)
        self.receivers: dict[Client, Receiver] = {}

    def join(
        self,
        callsign: str,
        latitude: float | None = None,
        *,
        kind: ClientKind = ClientKind.PILOT,
        altitude: int = HIGH,
        cost: float = 0.0,
        bound: int = BOUND,
    ) -> Client:
        """Return somebody who has just come online, perhaps with a place of his.

        ``cost`` is what each write to him costs, CPU seconds; ``bound`` is that of
        his outbox, bytes.
        """
        client = make_client(callsign, kind=kind)
        self.roster.add(client)
        receiver = Receiver(self.fanout, Wire(self.cpu, cost), bound)
        self.receivers[client] = receiver
        self.fanout.join(client, receiver)
        if latitude is not None:
            self.place(client, latitude, altitude=altitude)
        return client

    def place(self, client: Client, latitude: float, *, altitude: int = HIGH) -> None:
        """Let a client be somewhere, and nobody remember how he came there."""
        put(client, latitude, altitude=altitude)
        self.fanout.report(client, b"%%LOST:\r\n")
        self.turn()
        for receiver in self.receivers.values():
            receiver.wire.take()
            receiver.wire.writes.clear()

    def report(self, client: Client, number: int = 0) -> bytes:
        """Let a client report where he is; returns the line."""
        line = b"@N:%s:%d\r\n" % (client.callsign.encode(), number)
        self.fanout.report(client, line)
        return line

    def move(
        self, client: Client, latitude: float, *, number: int = 0, altitude: int = HIGH
    ) -> bytes:
        """Let a client go somewhere and report it; returns the line."""
        put(client, latitude, altitude=altitude)
        return self.report(client, number)

    def announce(self, number: int, sender: Client | None = None) -> bytes:
        """Tell everybody but ``sender`` something; returns the line."""
        name = sender.callsign.encode() if sender else NOBODYS
        line = b"#AP%s:%d\r\n" % (name, number)
        self.fanout.announce(line, sender)
        return line

    def say(self, number: int, *receivers: Client) -> bytes:
        """Tell some something; returns the line."""
        line = b"#TMSTAFF:%d\r\n" % number
        self.fanout.multicast(line, receivers)
        return line

    def leave(self, client: Client) -> None:
        """Let a client leave, as a session does at its end."""
        self.roster.remove(client)
        self.announce(0, client)
        self.fanout.leave(client)
        self.receivers[client].close()

    def taken(self, client: Client) -> list[bytes]:
        """Return the lines that a client was written since the last call."""
        return self.receivers[client].wire.take()

    def turn(self) -> None:
        """Let the input be handled, and time pass until the turn is over."""
        self.fanout.settle()
        self.clock.advance(LONGEST * NEWS_LEISURE)


class ReportTests(FanoutTestCase):
    """A position report reaches those in sight."""

    def test_those_in_sight(self) -> None:
        """Pilots at cruise level see each other over 500 miles, and no farther."""
        sender = self.join("KLM1", 0.0)
        near, far = self.join("KLM2", 8.0), self.join("KLM3", 12.0)
        line = self.report(sender)
        self.turn()
        self.assertEqual(self.taken(near), [line])
        self.assertEqual(self.taken(far), [])

    def test_not_to_himself(self) -> None:
        """Nobody reads his own reports, whoever else reports."""
        sender, other = self.join("KLM1", 0.0), self.join("KLM2", 0.0)
        mine = [self.report(sender, 1)]
        theirs = [self.report(other, 1), self.report(other, 2)]
        mine += [self.report(sender, 2), self.report(sender, 3)]
        self.turn()
        self.assertEqual(self.taken(sender), theirs)
        self.assertEqual(self.taken(other), mine)

    def test_alone(self) -> None:
        """A report that nobody sees does no harm."""
        sender = self.join("KLM1", 0.0)
        self.report(sender)
        self.turn()
        self.assertEqual(self.taken(sender), [])

    def test_not_to_those_who_have_said_nothing(self) -> None:
        """Who has not reported sees nobody, and nobody sees him."""
        sender, other = self.join("KLM1", 0.0), self.join("KLM2")
        self.report(sender)
        self.report(other)
        self.turn()
        self.assertEqual((self.taken(sender), self.taken(other)), ([], []))

    def test_not_from_those_who_are_gone(self) -> None:
        """A report after the departure is lost, and no fault."""
        sender, other = self.join("KLM1", 0.0), self.join("KLM2", 0.0)
        self.leave(sender)
        self.turn()
        self.taken(other)
        self.report(sender)
        self.turn()
        self.assertEqual(self.taken(other), [])

    def test_seeing_need_not_be_mutual(self) -> None:
        """A pilot on the ground hears a center that does not look so far."""
        pilot = self.join("KLM1", 0.0, altitude=0)
        center = self.join("EDDF_CTR", kind=ClientKind.CONTROLLER)
        center.facility = 6
        center.visual_range = NauticalMiles(100)
        self.place(center, 5.0)
        line = self.report(center)
        self.report(pilot)
        self.turn()
        self.assertEqual(self.taken(pilot), [line])
        self.assertEqual(self.taken(center), [])

    def test_one_write_for_a_turn(self) -> None:
        """A client in the middle of a hundred reports gets them all at once."""
        receiver = self.join("KLM1", 0.0)
        others = [self.join(f"KLM1{number:02d}", 0.0) for number in range(100)]
        lines = [self.report(other) for other in others]
        self.turn()
        self.assertEqual(self.receivers[receiver].wire.writes, [b"".join(lines)])


class BroadcastTests(FanoutTestCase):
    """A broadcast reaches everybody, wherever he is."""

    def test_everybody_but_the_sender(self) -> None:
        """Also those who have not said where they are."""
        sender, near = self.join("KLM1", 0.0), self.join("KLM2", 0.0)
        far, nowhere = self.join("KLM3", 80.0), self.join("KLM4")
        line = self.announce(1, sender)
        self.turn()
        for receiver in (near, far, nowhere):
            self.assertEqual(self.taken(receiver), [line])
        self.assertEqual(self.taken(sender), [])

    def test_the_server_speaks_to_all(self) -> None:
        """There is no sender to be left out."""
        clients = [self.join("KLM1", 0.0), self.join("KLM2")]
        line = self.announce(1)
        self.turn()
        for client in clients:
            self.assertEqual(self.taken(client), [line])

    def test_each_gets_what_the_others_say(self) -> None:
        """Three who come at once read of each other, and not of themselves."""
        clients = [self.join(f"KLM{number}") for number in range(3)]
        lines = [self.announce(1, client) for client in clients]
        self.turn()
        for client, own in zip(clients, lines, strict=True):
            self.assertEqual(
                self.taken(client), [line for line in lines if line != own]
            )

    def test_in_the_next_turn_as_well(self) -> None:
        """Nothing of one turn stands in the way of the next."""
        first = self.join("KLM1")
        for number in range(3):
            line = self.announce(number)
            self.say(number, first)
            self.move(first, number * 30.0)
            second = self.join(f"KLM1{number}")
            self.turn()
            self.assertIn(line, self.taken(first))
            again = self.announce(number)
            self.turn()
            self.assertEqual(self.taken(second), [again])

    def test_after_those_before_have_moved_away(self) -> None:
        """Who comes after the last one who had no place misses nothing."""
        first = self.join("KLM1")
        self.announce(1)
        self.say(2, first)
        self.move(first, 0.0)
        self.turn()
        second = self.join("KLM2")
        line = self.announce(3)
        self.turn()
        self.assertEqual(self.taken(second), [line])


class TextTests(FanoutTestCase):
    """What is said to somebody does not wait for the turn."""

    def test_at_once(self) -> None:
        """It leaves when the input is handled."""
        receiver, other = self.join("KLM1"), self.join("KLM2")
        line = self.say(1, receiver)
        self.fanout.settle()
        self.assertEqual(self.taken(receiver), [line])
        self.assertEqual(self.taken(other), [])

    def test_to_many(self) -> None:
        """The same line reaches each of them."""
        receivers = [self.join(f"KLM{number}") for number in range(3)]
        line = self.say(1, *receivers)
        self.fanout.settle()
        for receiver in receivers:
            self.assertEqual(self.taken(receiver), [line])

    def test_to_those_who_are_gone(self) -> None:
        """Delivery to somebody who is not on is none."""
        receiver = self.join("KLM1")
        self.leave(receiver)
        self.say(1, receiver)
        self.fanout.settle()
        self.turn()
        self.assertEqual(self.taken(receiver), [])

    def test_what_came_before_goes_before(self) -> None:
        """A text does not overtake reports and broadcasts that wait for the turn."""
        receiver, other = self.join("KLM1", 0.0), self.join("KLM2", 0.0)
        lines = [self.report(other, 1), self.announce(2, other), self.say(3, receiver)]
        self.fanout.settle()
        self.assertEqual(self.taken(receiver), lines)

    def test_nothing_comes_twice(self) -> None:
        """What left with a text does not leave with the turn again."""
        receiver, other = self.join("KLM1", 0.0), self.join("KLM2", 0.0)
        self.report(other, 1)
        self.say(2, receiver)
        self.fanout.settle()
        later = [self.report(other, 3), self.announce(4)]
        self.taken(receiver)
        self.turn()
        self.assertEqual(self.taken(receiver), later)

    def test_twenty_lines_are_one_write(self) -> None:
        """However many lines one input causes, each receiver costs one call."""
        receiver = self.join("KLM1")
        lines = [self.say(number, receiver) for number in range(20)]
        self.fanout.settle()
        self.assertEqual(self.receivers[receiver].wire.writes, [b"".join(lines)])


class MovingTests(FanoutTestCase):
    """Clients who move, come and go in the middle of a turn."""

    def test_to_another_place(self) -> None:
        """He gets what he was owed there, and what he sees from then on."""
        mover = self.join("KLM1", 0.0)
        here, there = self.join("KLM2", 0.0), self.join("KLM3", 40.0)
        before = self.report(here, 1)
        self.report(there, 1)
        self.move(mover, 40.0)
        self.report(here, 2)
        after = self.report(there, 2)
        self.turn()
        self.assertEqual(self.taken(mover), [before, after])

    def test_back_and_forth(self) -> None:
        """Nothing comes twice, in whatever cells he has been."""
        mover = self.join("KLM1", 0.0)
        here, there = self.join("KLM2", 0.0), self.join("KLM3", 40.0)
        lines = []
        for number, (latitude, other) in enumerate(((40.0, there), (0.0, here)) * 3):
            self.move(mover, latitude, number=number)
            lines += [self.report(other, number), self.announce(number)]
        self.turn()
        self.assertEqual(self.taken(mover), lines)

    def test_by_a_climb(self) -> None:
        """A pilot who climbs sees farther with the same report."""
        mover, other = self.join("KLM1", 0.0, altitude=0), self.join("KLM2", 5.0)
        self.report(other, 1)
        self.move(mover, 0.0, altitude=HIGH)
        line = self.report(other, 2)
        self.turn()
        self.assertEqual(self.taken(mover), [line])

    def test_to_where_nobody_is_heard(self) -> None:
        """What he was owed before is written even if nothing happens there."""
        mover = self.join("EDDF_CTR", kind=ClientKind.CONTROLLER)
        for number in range(30):  # somewhere he is in range with all of his cell
            mover.visual_range = NauticalMiles(500)
            self.place(mover, float(number))
            line = self.report(self.join(f"KLM{number}", float(number)))
            self.report(mover, 1)
            mover.visual_range = NauticalMiles(-1)
            self.report(mover, 2)
            self.turn()
            self.assertEqual(self.taken(mover), [line], number)

    def test_who_joins_gets_nothing_of_before(self) -> None:
        """He would read of the arrival of those who are in the list already."""
        first = self.join("KLM1")
        self.announce(1, first)
        second = self.join("KLM2")
        line = self.announce(2, first)
        self.turn()
        self.assertEqual(self.taken(second), [line])

    def test_who_joins_the_cell_of_others_gets_nothing_of_before(self) -> None:
        """Also when his first report puts him among those who are fed."""
        sender, neighbor = self.join("KLM1", 0.0), self.join("KLM2", 0.0)
        newcomer = self.join("KLM3")
        before = self.report(sender, 1)
        own = self.move(newcomer, 0.0, number=2)
        after = self.report(sender, 3)
        self.turn()
        self.assertEqual(self.taken(newcomer), [after])
        self.assertEqual(self.taken(neighbor), [before, own, after])

    def test_who_leaves_gets_what_he_was_owed(self) -> None:
        """And nothing after it, not even of the same turn."""
        leaver, other = self.join("KLM1", 0.0), self.join("KLM2", 0.0)
        owed = [self.report(other, 1), self.announce(2, other)]
        self.leave(leaver)
        self.report(other, 3)
        self.announce(4)
        self.turn()
        self.assertEqual(self.taken(leaver), owed)
        self.assertEqual(self.receivers[leaver].ends, 1)

    def test_neighbors_of_who_leaves(self) -> None:
        """Others miss nothing when somebody goes in the middle of a turn."""
        clients = [self.join(f"KLM{number}", 0.0) for number in range(4)]
        first = self.report(clients[0], 1)
        self.leave(clients[1])
        gone = b"#APKLM1:0\r\n"
        second = self.report(clients[2], 2)
        self.turn()
        self.assertEqual(self.taken(clients[0]), [gone, second])
        self.assertEqual(self.taken(clients[2]), [first, gone])
        self.assertEqual(self.taken(clients[3]), [first, gone, second])

    def test_to_leave_twice(self) -> None:
        """The second time is harmless."""
        client = self.join("KLM1", 0.0)
        self.fanout.leave(client)
        self.fanout.leave(client)

    def test_who_comes_back(self) -> None:
        """The same callsign in a new session gets what is new."""
        other = self.join("KLM2", 0.0)
        first = self.join("KLM1", 0.0)
        self.leave(first)
        self.report(other, 1)
        second = self.join("KLM1", 0.0)
        self.turn()
        self.taken(second)
        line = self.report(other, 2)
        self.turn()
        self.assertEqual(self.taken(second), [line])


class RangeTests(FanoutTestCase):
    """Who hears whom on a frequency."""

    def test_as_the_table_of_ranges_says(self) -> None:
        """On each channel, for all pairs of pilots and controllers."""
        clients = [
            self.join(f"P{low}X{number}", number * 1.0, altitude=low)
            for number in range(12)
            for low in (0, HIGH)
        ]
        for facility in range(8):
            client = self.join(f"C{facility}", kind=ClientKind.CONTROLLER)
            client.facility = facility
            client.visual_range = NauticalMiles(facility * 60 + 7)
            self.place(client, facility * 1.5)
            clients.append(client)
        for channel in Channel:
            for sender in clients:
                self.assertCountEqual(
                    self.fanout.in_range(sender, channel),
                    [
                        other
                        for other in clients
                        if other is not sender and is_in_range(channel, sender, other)
                    ],
                )

    def test_nobody_hears_who_is_nowhere(self) -> None:
        """Without a report there is no range."""
        sender = self.join("KLM1")
        self.join("KLM2", 0.0)
        self.assertEqual(self.fanout.in_range(sender, Channel.TEXT), [])

    def test_nobody_hears_who_is_gone(self) -> None:
        """His position of before counts for nothing."""
        sender = self.join("KLM1", 0.0)
        self.join("KLM2", 0.0)
        self.leave(sender)
        self.assertEqual(self.fanout.in_range(sender, Channel.TEXT), [])


class EndTests(FanoutTestCase):
    """Sessions that are ended, and clients who are cut."""

    def test_a_kill(self) -> None:
        """The connection is told to end the session."""
        victim, other = self.join("KLM1"), self.join("KLM2")
        self.fanout.disconnect(victim)
        self.assertTrue(self.receivers[victim].is_disconnected)
        self.assertFalse(self.receivers[other].is_disconnected)

    def test_a_kill_of_who_is_gone(self) -> None:
        """There is no connection to tell."""
        victim = self.join("KLM1")
        self.leave(victim)
        self.fanout.disconnect(victim)
        self.assertFalse(self.receivers[victim].is_disconnected)

    def test_a_frozen_client_costs_himself_only(self) -> None:
        """He is cut when the server's words pass his bound; others read on."""
        frozen, other = self.join("KLM1"), self.join("KLM2")
        self.receivers[frozen].stop_reading()
        for number in range(3000):
            self.announce(number)
            self.turn()
        self.assertEqual(len(self.taken(other)), 3000)
        self.assertTrue(self.receivers[frozen].cuts)
        self.assertEqual(self.receivers[other].cuts, [])

    def test_a_slow_client_sees_the_nearest_first(self) -> None:
        """What fits into one write are the aircraft around him."""
        slow = self.join("KLM1", 0.0, bound=4 * BOUND)
        others = [self.join(f"K{number}", 1.0 + number / 100) for number in range(300)]
        receiver = self.receivers[slow]
        receiver.stop_reading()
        self.say(0, slow)
        self.fanout.settle()
        for other in reversed(others):
            line = b"@N:%s:%s\r\n" % (other.callsign.encode(), b"x" * 190)
            self.fanout.report(other, line)
        self.turn()
        receiver.wire.is_narrow = True
        receiver.read_on()
        read = [line.split(b":")[1].decode() for line in self.taken(slow)[1:]]
        self.assertIn(len(read), range(1, 299))
        self.assertEqual(read, [other.callsign for other in others[: len(read)]])

    def test_stop(self) -> None:
        """Nothing is left to be done, and nothing is delivered any more."""
        client, other = self.join("KLM1", 0.0), self.join("KLM2", 0.0)
        self.report(client)
        self.fanout.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.report(client)
        self.fanout.disconnect(other)
        self.assertFalse(self.receivers[other].is_disconnected)
        self.assertEqual(self.fanout.in_range(client, Channel.TEXT), [])

    def test_departures_after_the_stop(self) -> None:
        """Sessions that end when the server goes down leave no timer behind."""
        client = self.join("KLM1")
        self.announce(1)
        self.fanout.settle()
        self.fanout.stop()
        self.announce(2, client)
        self.fanout.settle()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_new_start(self) -> None:
        """After a stop in the middle of a turn, everything works as at first."""
        self.join("KLM1")
        placed = self.join("KLM2", 0.0)
        self.announce(1)
        self.report(placed)
        self.fanout.stop()
        self.roster = Roster()
        client, other = self.join("KLM3"), self.join("KLM4", 0.0)
        lines = [self.announce(2), self.announce(3)]
        self.turn()
        self.assertEqual(self.taken(client), lines)
        self.assertEqual(self.taken(other), lines)

    def test_repr(self) -> None:
        """The manhole shows how many are on."""
        self.join("KLM1")
        self.assertTrue(repr(self.fanout).startswith("<Fanout to 1 in <Airspace"))


class TurnTests(FanoutTestCase):
    """The turn tunes itself by what it costs."""

    def hear_of(self, sender: Client, receiver: Client, *, after: float) -> int:
        """Report, and return how many lines have come ``after`` so many seconds."""
        self.report(sender)
        self.fanout.settle()
        self.clock.advance(after)
        return len(self.taken(receiver))

    def test_after_a_quiet_moment(self) -> None:
        """A report leaves at once, or with the reactor's next round."""
        sender, receiver = self.join("KLM1", 0.0), self.join("KLM2", 0.0)
        self.clock.advance(1.0)
        self.assertEqual(self.hear_of(sender, receiver, after=0.0), 1)

    def test_reports_that_wait_leave_together(self) -> None:
        """In a busy moment, many reports are one write."""
        sender, receiver = self.join("KLM1", 0.0), self.join("KLM2", 0.0, cost=0.005)
        self.clock.advance(AGES)
        for _ in range(10):
            self.report(sender)
            self.fanout.settle()
            self.clock.advance(0.001)
        self.turn()
        self.assertEqual(len(self.taken(receiver)), 10)
        self.assertIn(len(self.receivers[receiver].wire.writes), (1, 2))

    def test_the_costs_share_of_the_core(self) -> None:
        """After a turn of 5 ms the next one ends `PATIENCE` times as much later."""
        sender, receiver = self.join("KLM1", 0.0), self.join("KLM2", 0.0, cost=0.005)
        pause = 0.005 * PATIENCE
        self.clock.advance(AGES)
        self.assertEqual(self.hear_of(sender, receiver, after=0.0), 1)
        self.assertEqual(self.hear_of(sender, receiver, after=pause * 0.99), 0)
        self.clock.advance(pause * 0.02)
        self.assertEqual(len(self.taken(receiver)), 1)

    def test_a_dear_turn_among_cheap_ones(self) -> None:
        """What costs a fifth more than usual, once, does not make the pause longer."""
        sender, receiver = self.join("KLM1", 0.0), self.join("KLM2", 0.0, cost=0.005)
        self.clock.advance(AGES)
        for _ in range(200):
            self.hear_of(sender, receiver, after=0.1)
        self.receivers[receiver].wire.cost = 0.006
        self.assertEqual(self.hear_of(sender, receiver, after=0.0), 1)
        pause = 0.00505 * PATIENCE
        self.assertEqual(self.hear_of(sender, receiver, after=pause), 1)

    def test_the_pause_goes_by_the_writes(self) -> None:
        """With three receivers in place of one it is three times as long."""
        sender, receiver = self.join("KLM1", 0.0), self.join("KLM2", 0.0, cost=0.002)
        self.clock.advance(AGES)
        for _ in range(200):
            self.hear_of(sender, receiver, after=0.1)
        for callsign in ("KLM3", "KLM4"):
            self.join(callsign, 0.0, cost=0.002)
        self.clock.advance(1.0)
        self.taken(receiver)
        for one in self.receivers.values():
            one.wire.cost *= 1.2
        self.assertEqual(self.hear_of(sender, receiver, after=0.0), 1)
        pause = 0.006 * PATIENCE
        self.assertEqual(self.hear_of(sender, receiver, after=pause * 0.99), 0)
        self.clock.advance(pause * 0.02)
        self.assertEqual(len(self.taken(receiver)), 1)

    def test_the_bound(self) -> None:
        """However dear a turn was, the next one comes within the bound."""
        sender, receiver = self.join("KLM1", 0.0), self.join("KLM2", 0.0, cost=10.0)
        self.clock.advance(1.0)
        for _ in range(3):
            self.assertEqual(self.hear_of(sender, receiver, after=LONGEST), 1)

    def test_a_limit_of_the_machine(self) -> None:
        """On a twentieth of a core, turns lie farther apart than on all of it."""
        sender, receiver = self.join("KLM1", 0.0), self.join("KLM2", 0.0, cost=0.005)
        for cores, heard in ((None, 1), (0.05, 0), (1.0, 1)):
            self.fanout.obey_limit(cores)
            self.clock.pump((1.0, AGES))
            self.taken(receiver)
            self.hear_of(sender, receiver, after=0.0)
            count = self.hear_of(sender, receiver, after=0.005 * PATIENCE * 1.01)
            self.assertEqual(count, heard, cores)

    def test_a_single_dear_turn(self) -> None:
        """It puts the next off under a CPU limit only."""
        sender, receiver = self.join("KLM1", 0.0), self.join("KLM2", 0.0)
        wire = self.receivers[receiver].wire
        for cores, heard in ((None, 1), (0.5, 0), (1.0, 1)):
            self.fanout.obey_limit(cores)
            wire.cost = 0.002
            for _ in range(200):
                self.hear_of(sender, receiver, after=0.01)
            wire.cost = 0.010
            self.assertEqual(self.hear_of(sender, receiver, after=0.0), 1, cores)
            wire.cost = 0.002
            count = self.hear_of(sender, receiver, after=0.002 * PATIENCE * 1.5)
            self.assertEqual(count, heard, cores)
            self.clock.pump((1.0, 1.0))
            self.taken(receiver)

    def test_news_for_all_put_no_report_off(self) -> None:
        """Writing to everybody is dear; reports to a few do not wait for its pause."""
        sender, receiver = self.join("KLM1", 0.0), self.join("KLM2", 0.0)
        stranger = self.join("QFA1", 80.0, cost=0.010)
        self.clock.advance(1.0)
        self.announce(1)
        self.fanout.settle()  # takes 10 ms, so the next for all is a while away
        self.assertEqual(len(self.taken(receiver)), 1)
        self.announce(2)
        count = self.hear_of(sender, receiver, after=SHORTEST * 1.01)
        self.assertEqual(count, 2)  # in order: the news came before the report
        self.assertEqual(len(self.taken(stranger)), 1)
        self.clock.advance(0.010 * PATIENCE * NEWS_LEISURE)
        self.assertEqual(len(self.taken(stranger)), 1)

    def test_reports_come_between_the_news_of_many(self) -> None:
        """News to hundreds go out in parts; a report does not wait for all of them."""
        sender, receiver = self.join("KLM1", 0.0), self.join("KLM2", 0.0)
        crowd = [self.join(f"QFA{number}") for number in range(300)]
        self.clock.advance(1.0)
        self.announce(1)
        self.fanout.settle()
        told = sum(bool(self.taken(one)) for one in crowd)
        self.assertTrue(0 < told < 300, told)
        self.report(sender)
        self.fanout.settle()
        self.assertEqual(len(self.taken(receiver)), 2)  # the news, and the report
        self.clock.advance(0.0)
        self.assertEqual(told + sum(bool(self.taken(one)) for one in crowd), 300)

    def test_news_reach_who_was_asked_once(self) -> None:
        """Who is near the limit of a report has read the news by it, and not again."""
        sender = self.join("KLM1", 0.0)
        receiver = self.join("KLM2", 7.0)  # his cell is not in range as a whole
        self.join("QFA1", 80.0, cost=0.010)
        self.clock.advance(1.0)
        self.announce(1)
        self.fanout.settle()  # takes 10 ms, so the next news are a while away
        self.taken(receiver)
        due = [self.announce(2), self.report(sender)]
        self.fanout.settle()
        self.clock.advance(SHORTEST * 1.01)
        self.assertEqual(self.taken(receiver), due)
        self.clock.advance(0.010 * PATIENCE * NEWS_LEISURE)
        self.assertEqual(self.taken(receiver), [])

    def test_no_turn_without_lines(self) -> None:
        """While nothing happens, no timer runs."""
        sender = self.join("KLM1", 0.0)
        self.report(sender)
        self.turn()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_longer_turns(self) -> None:
        """Four times as far apart while it is asked for, under a limit as well."""
        sender, receiver = self.join("KLM1", 0.0), self.join("KLM2", 0.0, cost=0.005)
        for cores, times, share in (
            (None, 1.0, 1.0),
            (None, 4.0, 1.0),
            (0.1, 4.0, 0.2),
        ):
            self.fanout.obey_limit(cores)
            self.fanout.lengthen_turns(times)
            self.clock.pump((2.0, AGES))
            self.taken(receiver)
            self.hear_of(sender, receiver, after=0.0)
            pause = 0.005 * PATIENCE * times / share
            early = self.hear_of(sender, receiver, after=min(pause, LONGEST) * 0.99)
            self.assertEqual(early, 0, (cores, times))
            self.clock.advance(LONGEST * times * 4.0)
            self.assertEqual(len(self.taken(receiver)), 1, (cores, times))
        self.fanout.obey_limit(None)
        self.fanout.lengthen_turns(1.0)
        self.clock.advance(1.0)
        self.hear_of(sender, receiver, after=0.0)
        count = self.hear_of(sender, receiver, after=0.005 * PATIENCE * 1.01)
        self.assertEqual(count, 1)


NEAR = NauticalMiles(30)


class ThinningTests(FanoutTestCase):
    """Fewer reports while the server is short of room."""

    PACE = Pace(near=NEAR, near_interval=Seconds(1.0), far_interval=Seconds(15.0))

    @override
    def setUp(self) -> None:
        """Put one to be told of, two who are near and far, and a far controller."""
        super().setUp()
        self.sender = self.join("KLM1", 0.0)
        self.near, self.far = self.join("KLM2", 0.4), self.join("KLM3", 4.0)
        self.center = self.join("EDDF_CTR", kind=ClientKind.CONTROLLER)
        self.center.visual_range = NauticalMiles(500)
        self.place(self.center, 4.0)

    def told(self, every: float, seconds: float) -> tuple[int, int, int]:
        """Report again and again; return how often near, far and center are told."""
        counts = [0, 0, 0]
        for _ in range(round(seconds / every)):
            self.report(self.sender)
            self.turn()
            self.clock.advance(every - LONGEST * NEWS_LEISURE)
            for place, client in enumerate((self.near, self.far, self.center)):
                counts[place] += len(self.taken(client))
        return counts[0], counts[1], counts[2]

    def test_far_pilots_are_told_less(self) -> None:
        """Of a report every five seconds each third one; who is near has them all."""
        self.assertEqual(self.told(5.0, 60.0), (12, 12, 12))
        self.fanout.thin(self.PACE)
        self.assertEqual(self.told(5.0, 60.0), (12, 4, 12))
        self.assertEqual(self.fanout.kept_back, 8)
        self.fanout.thin_no_more()
        self.assertEqual(self.told(5.0, 60.0), (12, 12, 12))
        self.assertEqual(self.fanout.kept_back, 8)
        self.fanout.thin(self.PACE)
        self.told(5.0, 60.0)
        self.assertEqual(self.fanout.kept_back, 16)

    def test_nobody_five_times_a_second(self) -> None:
        """Once a second is enough."""
        self.fanout.thin(self.PACE)
        near, far, center = self.told(0.25, 27.0)
        self.assertEqual((near, center), (27, 27))
        self.assertEqual(far, 2)

    def test_the_first_report_of_each_is_told_to_all(self) -> None:
        """A newcomer is seen at once."""
        self.fanout.thin(self.PACE)
        newcomer = self.join("KLM4")
        line = self.move(newcomer, 0.0)
        self.turn()
        for client in (self.near, self.far, self.center):
            self.assertEqual(self.taken(client)[-1:], [line])

    def test_twice_is_as_once(self) -> None:
        """What is known of each stays."""
        self.fanout.thin(self.PACE)
        self.told(5.0, 5.0)
        self.fanout.thin(self.PACE)
        self.assertEqual(self.told(5.0, 5.0), (1, 0, 1))
        kept_back = self.fanout.kept_back
        for _ in range(2):
            self.fanout.thin_no_more()
            self.assertEqual(self.fanout.kept_back, kept_back)

    def test_nothing_is_kept_of_who_left(self) -> None:
        """A crowd that comes and goes leaves no times behind."""
        self.fanout.thin(self.PACE)
        self.told(5.0, 5.0)
        self.assertIn("of 1:", repr(self.fanout.thinning))
        self.leave(self.sender)
        self.assertIn("of 0:", repr(self.fanout.thinning))

    def test_who_moves_is_where_he_is(self) -> None:
        """Also by reports that nobody was told."""
        self.fanout.thin(self.PACE)
        self.move(self.sender, 0.0)
        self.turn()
        self.move(self.sender, 50.0)  # at once: nobody is told
        self.turn()
        self.assertEqual(self.fanout.in_range(self.sender, Channel.TEXT), [])


LATITUDES = st.sampled_from((0.0, 15.0, 15.05, 15.3, 16.0, 20.0, 27.0, 90.0, -89.9))
LONGITUDES = st.sampled_from((0.0, 0.0, 0.2, 180.0, -179.9))
ALTITUDES = st.sampled_from((0, 3000, HIGH))
SIGHTS = st.sampled_from((-1, 0, 5, 40, 300, 1000, 20_000))
NUMBERS = st.integers(0, 1000)
MOST = 8  # clients at a time
WRITE_COST = 0.002  # CPU seconds: writing to all puts news off, and reports less


class FanoutMachine(RuleBasedStateMachine):
    """Everybody does anything; a plain loop over all says who has to read what."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.roster = Roster()
        self.cpu = CpuClock()
        self.fanout = Fanout(
            self.clock, self.cpu, LONGEST, self.roster, told_at_a_time=2
        )
        self.clients: list[Client] = []
        self.receivers: dict[Client, Receiver] = {}
        self.due: dict[Client, list[bytes]] = {}  # what each should have read
        self.urgent: dict[Client, int] = {}  # how much of it cannot wait for the turn
        self.read: dict[Client, list[bytes]] = {}
        self.frozen: set[Client] = set()  # who does not read now
        self.thinned: set[Client] = set()  # who may have missed older positions
        self.number = 0  # of the last line; every line has one

    def client(self, number: int) -> Client:
        """Return somebody who is on."""
        return self.clients[number % len(self.clients)]

    def line(self, prefix: str, sender: Client) -> bytes:
        """Return a line of somebody's that there is only once."""
        self.number += 1
        return f"{prefix}{sender.callsign}:{self.number}\r\n".encode()

    @precondition(lambda self: len(self.clients) < MOST)
    @rule(kind=st.sampled_from(ClientKind), facility=st.integers(0, 7), sight=SIGHTS)
    def join(self, kind: ClientKind, facility: int, sight: int) -> None:
        """Come online, and tell all others."""
        self.number += 1
        client = make_client(f"C{self.number}", kind=kind)
        client.facility = facility
        client.visual_range = NauticalMiles(sight)
        wire = Wire(self.cpu, WRITE_COST)
        receiver = Receiver(self.fanout, wire, 10_000_000)
        self.roster.add(client)
        self.fanout.join(client, receiver)
        self.clients.append(client)
        self.receivers[client] = receiver
        self.due[client], self.read[client], self.urgent[client] = [], [], 0
        self.announce(len(self.clients) - 1)

    @precondition(lambda self: self.clients)
    @rule(number=NUMBERS)
    def announce(self, number: int) -> None:
        """Tell everybody else something."""
        sender = self.client(number)
        line = self.line("#AP", sender)
        self.fanout.announce(line, sender)
        for other in self.clients:
            if other is not sender:
                self.due[other].append(line)

    @precondition(lambda self: self.clients)
    @rule(number=NUMBERS, latitude=LATITUDES, longitude=LONGITUDES, altitude=ALTITUDES)
    def move(
        self, number: int, latitude: float, longitude: float, altitude: int
    ) -> None:
        """Report from somewhere else."""
        put(self.client(number), latitude, longitude, altitude)
        self.report(number)

    @precondition(lambda self: self.clients)
    @rule(number=NUMBERS, facility=st.integers(0, 7), sight=SIGHTS)
    def look_farther(self, number: int, facility: int, sight: int) -> None:
        """Report with other ranges."""
        client = self.client(number)
        client.facility = facility
        client.visual_range = NauticalMiles(sight)
        self.report(number)

    @precondition(lambda self: self.clients)
    @rule(number=NUMBERS)
    def report(self, number: int) -> None:
        """Report from the same place."""
        sender = self.client(number)
        line = self.line("@N:", sender)
        self.fanout.report(sender, line)
        for other in self.clients:
            if other is not sender and is_in_range(Channel.POSITION, sender, other):
                self.due[other].append(line)

    @precondition(lambda self: self.clients)
    @rule(number=NUMBERS, others=st.sets(NUMBERS, max_size=3))
    def say(self, number: int, others: set[int]) -> None:
        """Say something to some."""
        line = self.line("$CQ", self.client(number))
        receivers = list({self.client(other): None for other in others})
        self.fanout.multicast(line, receivers)
        for receiver in receivers:
            self.due[receiver].append(line)
            self.urgent[receiver] = len(self.due[receiver])

    @precondition(lambda self: self.clients)
    @rule(number=NUMBERS)
    def leave(self, number: int) -> None:
        """Log off: what he was owed is written, and nothing after it."""
        client = self.client(number)
        self.clients.remove(client)
        self.roster.remove(client)
        line = self.line("#DP", client)
        self.fanout.announce(line, client)
        for other in self.clients:
            self.due[other].append(line)
        self.fanout.leave(client)
        self.receivers[client].close()
        self.check_all_read(client)

    @precondition(lambda self: self.clients)
    @rule(number=NUMBERS)
    def freeze(self, number: int) -> None:
        """Read nothing any more."""
        client = self.client(number)
        self.receivers[client].stop_reading()
        self.frozen.add(client)
        self.thinned.add(client)

    @precondition(lambda self: self.frozen)
    @rule()
    def thaw(self) -> None:
        """Read again."""
        for client in self.frozen:
            self.receivers[client].read_on()
        self.frozen.clear()

    @rule(part=st.sampled_from((0.0, 0.1, 0.3, 0.6)))
    def settle(self, part: float) -> None:
        """Have an input handled, and let a part of a turn pass."""
        self.fanout.settle()
        self.clock.advance(LONGEST * part)
        for client in self.clients:
            if client in self.thinned:
                continue
            self.update(client)
            self.check_prefix(client)

    @rule()
    def end_turn(self) -> None:
        """Let a turn be over; what cannot wait for it was written before."""
        self.fanout.settle()
        self.clock.advance(LONGEST * NEWS_LEISURE)
        for client in self.receivers:
            self.check_all_read(client)
        assert not self.clock.getDelayedCalls()

    @invariant()
    def frequencies_follow_the_table(self) -> None:
        """Who hears whom on a frequency is right in the middle of a turn, too."""
        for sender in self.clients[:2]:
            for channel in (Channel.TEXT, Channel.DATA):
                assert set(self.fanout.in_range(sender, channel)) == {
                    other
                    for other in self.clients
                    if other is not sender and is_in_range(channel, sender, other)
                }

    @override
    def teardown(self) -> None:
        """See to it that nothing is left over."""
        self.thaw()
        self.end_turn()

    def update(self, client: Client) -> None:
        """Read what a client was written."""
        self.read[client] += self.receivers[client].wire.take()

    def check_prefix(self, client: Client) -> None:
        """Check that a client has read the first of what he should."""
        count = len(self.read[client])
        assert count >= self.urgent[client], client
        assert self.read[client] == self.due[client][:count], client

    def check_all_read(self, client: Client) -> None:
        """Check that a client has read what he should have, in this order."""
        if client in self.frozen:
            return
        self.update(client)
        if client not in self.thinned:
            assert self.read[client] == self.due[client], client.callsign
            return
        assert _words(self.read[client]) == _words(self.due[client]), client.callsign
        read, due = (_by_sender(lines[client]) for lines in (self.read, self.due))
        for sender, lines in due.items():
            rest = iter(lines)
            assert all(line in rest for line in read.get(sender, ())), client.callsign
            assert read[sender][-1] == lines[-1], client.callsign


class ThinnedMachine(FanoutMachine):
    """The same while reports are thinned now and then.

    Those who are near, and controllers, read everything all the same: here nobody
    reports too often.
    """

    def __init__(self) -> None:
        super().__init__()
        self.musts: dict[Client, list[bytes]] = {}

    @rule(is_on=st.booleans())
    def thin(self, *, is_on: bool) -> None:
        """Begin to thin, or end it."""
        if is_on:
            self.fanout.thin(
                Pace(near=NEAR, near_interval=Seconds(0), far_interval=Seconds(1e6))
            )
        else:
            self.fanout.thin_no_more()

    @precondition(lambda self: self.clients)
    @rule(number=NUMBERS)
    @override
    def report(self, number: int) -> None:
        """Report from the same place."""
        before = {other: len(lines) for other, lines in self.due.items()}
        super().report(number)
        sender = self.client(number)
        for other in self.clients:
            lines = self.due[other]
            if len(lines) == before[other]:
                continue  # not in sight
            if self.fanout.thinning is None or is_told(sender, other):
                self.musts.setdefault(other, []).append(lines[-1])

    @override
    def check_prefix(self, client: Client) -> None:
        """Check nothing: what is missing is not known yet."""

    @override
    def check_all_read(self, client: Client) -> None:
        """Check that all that was read was due, in its order, and the rest may miss."""
        if client in self.frozen:
            return
        self.update(client)
        read, due = self.read[client], self.due[client]
        assert _words(read) == _words(due), client.callsign
        if client in self.thinned:
            return
        rest = iter(due)
        assert all(line in rest for line in read), client.callsign
        assert set(self.musts.get(client, ())) <= set(read), client.callsign


def is_told(sender: Client, other: Client) -> bool:
    """Tell whether reports reach somebody in sight who is near, or a controller."""
    if not other.is_pilot:
        return True
    assert sender.position is not None
    if other.position is None:
        return False
    apart = zip(unit_vector(sender.position), unit_vector(other.position), strict=True)
    return sum((a - b) ** 2 for a, b in apart) <= chord_of(NEAR) ** 2


def _words(lines: list[bytes]) -> list[bytes]:
    """Return the lines that are no position reports."""
    return [line for line in lines if not line.startswith(b"@")]


def _by_sender(lines: list[bytes]) -> dict[bytes, list[bytes]]:
    """Return the lines of each sender."""
    found: dict[bytes, list[bytes]] = {}
    for line in lines:
        found.setdefault(line[3:].partition(b":")[0], []).append(line)
    return found


class FanoutMachineTests(SynchronousTestCase):
    """Whatever clients do in the middle of a turn."""

    def test_everybody_reads_what_he_should(self) -> None:
        """Each line once, in the order in which they were given, none of his own.

        Who did not read for a while misses older positions of an aircraft, and no
        more.
        """
        run(FanoutMachine, examples=200)

    def test_order_is_kept_while_reports_are_thinned(self) -> None:
        """Positions may be missing; nothing else is, and nothing overtakes."""
        run(ThinnedMachine, examples=200)
