"""What waits for a slow client, by class, and what is given up for room."""

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.pergola.backlog import Backlog
from rum_twisted.session.tally import Tally
from tests.unit.pergola.builders import run

BOUND = 1000  # bytes
EVERYTHING = 1_000_000
SPOKEN = (
    *(b"#TM", b"$CQ", b"$CR", b"$C?", b"$CI", b"$HO"),
    *(b"$HA", b"#SB", b"#PC", b"$PI", b"$PO"),
)
WARNING = b"# Timeout\r\n"


def alike(callsign: bytes) -> float:
    """Rank all senders alike."""
    return 0.0


def pilot_at(callsign: bytes, number: int, *, size: int = 0) -> bytes:
    """Return a pilot's report, padded to ``size`` bytes."""
    return _padded(b"@N:%s:%d:" % (callsign, number), size)


def controller_at(callsign: bytes, number: int, *, size: int = 0) -> bytes:
    """Return a controller's report, padded to ``size`` bytes."""
    return _padded(b"%%%s:%d:" % (callsign, number), size)


def text_of(
    callsign: bytes, number: int = 0, *, size: int = 0, prefix: bytes = b"#TM"
) -> bytes:
    """Return what a client says, padded to ``size`` bytes."""
    return _padded(b"%s%s:*:%d:" % (prefix, callsign, number), size)


def error(number: int = 0, *, size: int = 0) -> bytes:
    """Return what the server says, padded to ``size`` bytes."""
    return _padded(b"$ERserver:KLM1:%d:" % number, size)


def _padded(line: bytes, size: int) -> bytes:
    return line.ljust(size - 2, b"x") + b"\r\n"


class BacklogTestCase(SynchronousTestCase):
    """A backlog of 1000 bytes."""

    @override
    def setUp(self) -> None:
        """Make one."""
        self.backlog = Backlog(BOUND, Tally().dropped)

    def add(self, *lines: bytes) -> None:
        """Let lines wait."""
        for line in lines:
            self.backlog.add(line)

    def take_all(self) -> list[bytes]:
        """Return all that waits."""
        return self.backlog.take(EVERYTHING, alike).splitlines(keepends=True)


class OrderTests(BacklogTestCase):
    """In which order lines go out."""

    def test_nothing_waits(self) -> None:
        """A new backlog has nothing to send."""
        self.assertEqual(self.backlog.take(EVERYTHING, alike), b"")
        self.assertEqual((len(self.backlog), self.backlog.size), (0, 0))

    def test_what_is_said_keeps_its_order(self) -> None:
        """Errors and texts go out as they came."""
        lines = [error(1), text_of(b"KLM1", 2), error(3), text_of(b"KLM2", 4)]
        self.add(*lines)
        self.assertEqual(self.take_all(), lines)

    def test_words_before_positions(self) -> None:
        """What is said does not wait for everybody's positions."""
        position, text = pilot_at(b"KLM1", 1), text_of(b"KLM2", 2)
        self.add(position, text)
        self.assertEqual(self.take_all(), [text, position])

    def test_a_position_goes_before_a_later_text_of_its_sender(self) -> None:
        """Who says "turning now" is seen where he was when he said it."""
        lines = [pilot_at(b"KLM1", 1), text_of(b"KLM1", 2)]
        self.add(*lines)
        self.assertEqual(self.take_all(), lines)

    def test_a_position_goes_before_any_later_word_of_its_sender(self) -> None:
        """That holds for each packet, and for controllers."""
        for prefix in SPOKEN:
            lines = [controller_at(b"TWR", 1), text_of(b"TWR", 2, prefix=prefix)]
            self.add(*lines)
            self.assertEqual(self.take_all(), lines)

    def test_a_similar_callsign_is_somebody_else(self) -> None:
        """KLM11's text says nothing about KLM1's position."""
        position, text = pilot_at(b"KLM1", 1), text_of(b"KLM11", 2)
        self.add(position, text)
        self.assertEqual(self.take_all(), [text, position])

    def test_the_rest_of_a_line_goes_first(self) -> None:
        """A line that has been sent in part is completed before all others."""
        self.add(error(1))
        self.backlog.put_first(b"rest of a line\r\n")
        self.add(error(2))
        self.assertEqual(self.take_all(), [b"rest of a line\r\n", error(1), error(2)])

    def test_about_as_much_as_was_asked_for(self) -> None:
        """Lines are never split; one more may go than there is room for."""
        self.add(*(error(number, size=100) for number in range(5)))
        self.assertEqual(len(self.backlog.take(150, alike)), 200)
        self.assertEqual(len(self.backlog.take(1, alike)), 100)
        self.assertEqual(self.backlog.size, 200)


class PositionTests(BacklogTestCase):
    """Of positions, the newest of each aircraft waits."""

    def test_the_newest_replaces_an_older_one(self) -> None:
        """Nobody is interested in where an aircraft was."""
        self.add(pilot_at(b"KLM1", 1, size=100), pilot_at(b"KLM1", 2, size=50))
        self.assertEqual((len(self.backlog), self.backlog.size), (1, 50))
        self.assertEqual(self.backlog.dropped, 1)
        self.assertEqual(self.take_all(), [pilot_at(b"KLM1", 2, size=50)])

    def test_the_newest_moves_to_the_end(self) -> None:
        """It does not take the older one's place in the line."""
        self.add(pilot_at(b"KLM1", 1), pilot_at(b"KLM2", 2), pilot_at(b"KLM1", 3))
        self.assertEqual(self.take_all(), [pilot_at(b"KLM2", 2), pilot_at(b"KLM1", 3)])

    def test_the_mode_of_the_transponder_makes_no_other_aircraft(self) -> None:
        """A report in standby replaces one in normal mode."""
        standby = b"@S:KLM1:2:\r\n"
        self.add(pilot_at(b"KLM1", 1), standby)
        self.assertEqual(self.take_all(), [standby])

    def test_controllers_have_one_as_well(self) -> None:
        """Their reports replace each other like those of aircraft."""
        self.add(controller_at(b"TWR", 1), controller_at(b"TWR", 2))
        self.assertEqual(self.take_all(), [controller_at(b"TWR", 2)])

    def test_the_two_kinds_of_report_are_apart(self) -> None:
        """A controller who also reports as a pilot does not lose his frequency."""
        lines = [controller_at(b"TWR", 1), pilot_at(b"TWR", 2)]
        self.add(*lines)
        self.assertEqual(self.take_all(), lines)

    def test_who_leaves_has_no_position(self) -> None:
        """It would show a ghost to all who read it after the departure."""
        for departure in (b"#DPKLM1:1000001\r\n", b"#DAKLM1:1000001\r\n"):
            self.add(pilot_at(b"KLM1", 1), controller_at(b"KLM1", 2), departure)
            self.assertEqual(self.backlog.size, len(departure))
            self.assertEqual(self.take_all(), [departure])

    def test_who_comes_back_has_one_again(self) -> None:
        """Departure, arrival and the new position, in this order."""
        departure, arrival = b"#DPKLM1:1000001\r\n", b"#APKLM1:SERVER:1000001::1\r\n"
        self.add(pilot_at(b"KLM1", 1), departure, arrival, pilot_at(b"KLM1", 2))
        self.assertEqual(self.take_all(), [departure, arrival, pilot_at(b"KLM1", 2)])

    def test_the_nearest_go_first_when_room_is_short(self) -> None:
        """A pilot with a slow line sees the traffic around him."""
        distances = {b"FAR": 3.0, b"NEAR": 1.0, b"MID": 2.0}
        self.add(*(pilot_at(name, 1, size=50) for name in distances))
        taken = [self.backlog.take(50, distances.__getitem__) for _ in distances]
        expected = [pilot_at(name, 1, size=50) for name in (b"NEAR", b"MID", b"FAR")]
        self.assertEqual(taken, expected)

    def test_where_there_is_room_the_oldest_goes_first(self) -> None:
        """Nobody is ranked, which costs time, when all can go."""
        self.add(pilot_at(b"KLM1", 1), controller_at(b"TWR", 2))
        taken = self.backlog.take(EVERYTHING, self.fail)
        self.assertEqual(taken, pilot_at(b"KLM1", 1) + controller_at(b"TWR", 2))

    def test_the_oldest_are_given_up_at_the_bound(self) -> None:
        """Ten reports of 100 bytes fit into 1000; with the eleventh, one is lost."""
        lines = [pilot_at(b"KLM%d" % number, number, size=100) for number in range(11)]
        self.add(*lines[:10])
        self.assertEqual((self.backlog.size, self.backlog.dropped), (BOUND, 0))
        self.add(lines[10])
        self.assertEqual((self.backlog.size, self.backlog.dropped), (BOUND, 1))
        self.assertEqual(self.take_all(), lines[1:])

    def test_positions_never_cost_a_client_his_connection(self) -> None:
        """However many aircraft there are, and however long their lines."""
        self.add(*(pilot_at(b"K%d" % number, 1, size=400) for number in range(50)))
        self.add(pilot_at(b"HUGE", 1, size=5000))
        self.assertFalse(self.backlog.is_over_bound)


class SpokenTests(BacklogTestCase):
    """What clients say fills half of the bound at most."""

    def test_the_half_can_be_filled(self) -> None:
        """Five texts of 100 bytes wait, the sixth is dropped."""
        for prefix in SPOKEN:
            backlog = self.backlog = Backlog(BOUND, Tally().dropped)
            lines = [
                text_of(b"KLM1", number, size=100, prefix=prefix) for number in range(6)
            ]
            self.add(*lines)
            self.assertEqual((backlog.spoken, backlog.dropped), (BOUND // 2, 1))
            self.assertEqual(self.take_all(), lines[:5])

    def test_one_byte_too_many(self) -> None:
        """A text of 500 bytes waits, one of 501 does not."""
        self.add(text_of(b"KLM1", size=501))
        self.assertEqual(len(self.backlog), 0)
        self.add(text_of(b"KLM1", size=500))
        self.assertEqual(len(self.backlog), 1)

    def test_what_was_sent_makes_room(self) -> None:
        """The bound is on what waits, not on what was ever said."""
        for number in range(20):
            self.add(text_of(b"KLM1", number, size=500))
            self.assertEqual(self.take_all(), [text_of(b"KLM1", number, size=500)])
        self.assertEqual((self.backlog.spoken, self.backlog.dropped), (0, 0))

    def test_the_rest_of_a_text_was_never_counted(self) -> None:
        """A text none of which the kernel took makes no room for more than half."""
        self.backlog.put_first(text_of(b"KLM1", size=400))
        self.take_all()
        self.add(*(text_of(b"KLM1", number, size=100) for number in range(9)))
        self.assertEqual(self.backlog.spoken, BOUND // 2)
        self.assertEqual(self.backlog.size, BOUND // 2)

    def test_positions_before_texts_count_as_spoken(self) -> None:
        """Who reports and talks by turns cannot fill others' bound either."""
        for number in range(50):
            self.add(pilot_at(b"KLM1", number, size=90), text_of(b"KLM1", size=20))
        self.assertFalse(self.backlog.is_over_bound)
        self.assertLessEqual(self.backlog.spoken, BOUND // 2)

    def test_a_name_like_the_servers_is_no_privilege(self) -> None:
        """Pilot SERVER1 may log on, but his texts are a client's."""
        for name in (b"server1", b"serverer"):
            self.add(*(text_of(name, number, size=100) for number in range(9)))
            self.assertEqual(self.backlog.size, BOUND // 2)

    def test_a_text_that_is_dropped_leaves_the_position(self) -> None:
        """Its sender is still seen."""
        self.add(text_of(b"KLM2", size=500), pilot_at(b"KLM1", 1))
        self.add(text_of(b"KLM1", size=100))
        self.assertEqual(
            self.take_all(), [text_of(b"KLM2", size=500), pilot_at(b"KLM1", 1)]
        )


class ControlTests(BacklogTestCase):
    """What the server says is never dropped."""

    def test_errors_pass_the_bound(self) -> None:
        """All of them wait, and the backlog says that it is too much."""
        lines = [error(number, size=100) for number in range(11)]
        self.add(*lines[:10])
        self.assertFalse(self.backlog.is_over_bound)
        self.add(lines[10])
        self.assertTrue(self.backlog.is_over_bound)
        self.assertEqual(self.take_all(), lines)
        self.assertFalse(self.backlog.is_over_bound)

    def test_the_servers_own_texts_are_kept(self) -> None:
        """The greeting and "you are not allowed" are no chatter."""
        lines = [text_of(b"server", number, size=200) for number in range(4)]
        self.add(*lines)
        self.assertEqual((self.take_all(), self.backlog.spoken), (lines, 0))

    def test_nobody_has_others_cut_by_talking(self) -> None:
        """Plans and logons of others are given up like their texts."""
        for prefix in (b"$FP", b"#AP", b"#AA"):
            self.setUp()
            self.add(*(prefix + b"KLM9:" + b"x" * 94 + b"\r\n" for _ in range(20)))
            self.assertFalse(self.backlog.is_over_bound)
            self.assertLessEqual(2 * self.backlog.spoken, 1000)

    def test_both_kinds_of_report_keep_their_order(self) -> None:
        """Who reports as a controller, then as a pilot, is read in that order."""
        lines = [
            controller_at(b"TWR", 1),
            pilot_at(b"TWR", 2),
            text_of(b"TWR", 3),
        ]
        self.add(*lines)
        self.assertEqual(self.take_all(), lines)

    def test_goings_and_kills_are_kept(self) -> None:
        """A list of clients that misses one would be wrong for good."""
        lines = [
            b"#DPKLM1:1000001\r\n",
            b"#DATWR:1000005\r\n",
            b"#DLSERVER:*:1:2\r\n",
            b"$!!SERVER:KLM2:enough\r\n",
            WARNING,
        ]
        self.add(*(text_of(b"KLM9", number, size=100) for number in range(9)), *lines)
        self.assertEqual(self.take_all()[-len(lines) :], lines)

    def test_positions_make_way(self) -> None:
        """Where the server has to say something, positions are given up."""
        self.add(*(pilot_at(b"KLM%d" % number, 1, size=100) for number in range(10)))
        self.add(error(size=300))
        self.assertEqual((len(self.backlog), self.backlog.size), (8, BOUND))
        self.assertFalse(self.backlog.is_over_bound)


CALLSIGNS = st.sampled_from((b"KLM1", b"KLM11", b"TWR", b"\xe9\xff"))
SIZES = st.integers(0, 450)


class BacklogMachine(RuleBasedStateMachine):
    """Anybody says anything, and now and then something is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.backlog = Backlog(BOUND, Tally().dropped)
        self.number = 0  # of the last line; every line has one
        self.control = 0  # bytes of the server's that wait
        self.due: list[int] = []  # numbers of the server's lines that wait
        self.seen: dict[bytes, int] = {}  # number of the last line from each sender

    @initialize(rest=st.sampled_from((b"", b"x\r\n", b"#TMKLM1:*:0:whole\r\n")))
    def begin(self, rest: bytes) -> None:
        """Begin with the rest of a line, perhaps with all of it."""
        if rest:
            self.backlog.put_first(rest)
            self.check(self.backlog.take(1, alike))

    @rule(sender=CALLSIGNS, size=SIZES)
    def fly(self, sender: bytes, size: int) -> None:
        """Report as a pilot."""
        self.backlog.add(pilot_at(sender, self.next(), size=size))

    @rule(sender=CALLSIGNS, size=SIZES)
    def control_traffic(self, sender: bytes, size: int) -> None:
        """Report as a controller."""
        self.backlog.add(controller_at(sender, self.next(), size=size))

    @rule(sender=CALLSIGNS, size=SIZES, prefix=st.sampled_from(SPOKEN))
    def say(self, sender: bytes, size: int, prefix: bytes) -> None:
        """Say something."""
        self.backlog.add(text_of(sender, self.next(), size=size, prefix=prefix))

    @rule(size=SIZES)
    def refuse(self, size: int) -> None:
        """Let the server say something."""
        self.add_control(error(self.next(), size=size))

    @rule(sender=CALLSIGNS, kind=st.sampled_from((b"#DP", b"#DA")))
    def leave(self, sender: bytes, kind: bytes) -> None:
        """Depart."""
        number = self.next()
        self.add_control(b"%s%s:%d\r\n" % (kind, sender, number))

    @rule(limit=st.integers(1, 2 * BOUND))
    def send(self, limit: int) -> None:
        """Send some of what waits."""
        waited = self.backlog.size
        data = self.backlog.take(limit, len)
        assert data or not waited
        assert len(data) >= min(limit, waited)
        self.check(data)

    @invariant()
    def bytes_are_counted(self) -> None:
        """Nothing counts as waiting that does not, and clients have their half."""
        backlog = self.backlog
        assert bool(backlog.size) == bool(len(backlog))
        assert 0 <= backlog.spoken <= BOUND // 2
        assert backlog.size >= backlog.spoken + self.control

    @invariant()
    def only_the_server_can_pass_the_bound(self) -> None:
        """As long as it says no more than half of it, nobody is cut."""
        if self.control <= BOUND // 2:
            assert not self.backlog.is_over_bound

    @override
    def teardown(self) -> None:
        """Send the rest: the count is exact, and no word of the server's is lost."""
        size, count = self.backlog.size, len(self.backlog)
        data = self.backlog.take(EVERYTHING, len)
        assert (len(data), data.count(b"\n")) == (size, count)
        assert (self.backlog.size, len(self.backlog), self.backlog.spoken) == (0, 0, 0)
        self.check(data)
        assert not self.due

    def next(self) -> int:
        """Return the next line's number."""
        self.number += 1
        return self.number

    def add_control(self, line: bytes) -> None:
        """Let a line wait that must not be lost."""
        self.backlog.add(line)
        self.control += len(line)
        self.due.append(self.number)

    def check(self, data: bytes) -> None:
        """Check that lines come in their senders' order, a departure as the last."""
        for line in data.splitlines(keepends=True):
            if line[:1] in (b"@", b"%"):
                fields = line[1:].removeprefix(b"N:").split(b":")
                sender, number = fields[0], int(fields[1])
                assert number > self.seen.get(sender, 0), line
                self.seen[sender] = number
            elif line.startswith((b"$ER", b"#DP", b"#DA")):
                number = int(line.rstrip(b"x\r\n").rstrip(b":").rpartition(b":")[2])
                assert number == self.due.pop(0), line
                self.control -= len(line)
                if not line.startswith(b"$ER"):
                    self.seen[line[3:].partition(b":")[0]] = number
            elif line[:3] in SPOKEN:
                sender, _, rest = line[3:].partition(b":*:")
                number = int(rest.partition(b":")[0])
                assert number >= self.seen.get(sender, 0), line
                self.seen[sender] = number


class BacklogMachineTests(SynchronousTestCase):
    """Whatever is said in whatever order."""

    def test_invariants(self) -> None:
        """Counts are right, senders keep their order, no word of the server is lost."""
        run(BacklogMachine, examples=100)
