"""What one client is sent: when it is written, and what waits if he does not read."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.pergola.fanout import Fanout
from rum_twisted.terms.units import Seconds
from rum_twisted.world.roster import Roster
from tests.unit.pergola.builders import BOUND, Receiver


class OutboxTestCase(SynchronousTestCase):
    """One client who is not logged on, at a fan-out of his own."""

    @override
    def setUp(self) -> None:
        """Connect him."""
        self.fanout = Fanout(Clock(), float, Seconds(0.05), Roster())
        self.receiver = Receiver(self.fanout)
        self.outbox = self.receiver.outbox

    def push(self, *lines: bytes) -> None:
        """Give him lines, as one input's effect."""
        for line in lines:
            self.outbox.push(line)
        self.fanout.settle()

    def taken(self) -> list[bytes]:
        """Return what he was written since the last call."""
        return self.receiver.wire.take()


class ReadingClientTests(OutboxTestCase):
    """A client who reads."""

    def test_lines_leave_when_the_input_is_handled(self) -> None:
        """Nothing waits for a turn, and nothing leaves before."""
        self.outbox.push(b"one\r\n")
        self.assertEqual(self.taken(), [])
        self.fanout.settle()
        self.assertEqual(self.taken(), [b"one\r\n"])

    def test_one_write_for_many_lines(self) -> None:
        """Twenty answers to one segment cost one system call."""
        lines = [b"%d\r\n" % number for number in range(20)]
        self.push(*lines)
        self.assertEqual(self.receiver.wire.writes, [b"".join(lines)])

    def test_nothing_is_written_twice(self) -> None:
        """To settle again, or to end a turn, writes nothing."""
        self.push(b"one\r\n")
        self.fanout.settle()
        self.fanout.end_turn()
        self.assertEqual(self.receiver.wire.writes, [b"one\r\n"])

    def test_he_is_not_slow(self) -> None:
        """Nothing waits for him."""
        self.push(b"one\r\n")
        self.assertEqual((self.outbox.is_slow, self.outbox.waiting), (False, 0))

    def test_what_a_closing_connection_is_owed(self) -> None:
        """It is written before the end, and the end is told at once."""
        self.outbox.push(b"$ERserver:unknown:001::Callsign in use\r\n")
        self.receiver.close()
        self.assertEqual(len(self.taken()), 1)
        self.assertEqual(self.receiver.ends, 1)

    def test_repr(self) -> None:
        """The manhole shows how much waits."""
        self.assertEqual(repr(self.outbox), "<Outbox: 0 bytes wait>")


class SlowClientTests(OutboxTestCase):
    """A client who does not take what he is sent."""

    @override
    def setUp(self) -> None:
        """Let his transport be full."""
        super().setUp()
        self.receiver.stop_reading()

    def test_lines_wait(self) -> None:
        """Nothing more is given to the transport."""
        self.push(b"one\r\n", b"two\r\n")
        self.push(b"three\r\n")
        self.assertEqual(self.taken(), [])
        self.assertTrue(self.outbox.is_slow)
        self.assertEqual(self.outbox.waiting, len(b"one\r\ntwo\r\nthree\r\n"))

    def test_they_go_out_when_he_reads_on(self) -> None:
        """In their order, and he is slow no longer."""
        self.push(b"one\r\n", b"two\r\n")
        self.push(b"three\r\n")
        self.receiver.read_on()
        self.assertEqual(self.taken(), [b"one\r\n", b"two\r\n", b"three\r\n"])
        self.assertEqual((self.outbox.is_slow, self.outbox.waiting), (False, 0))

    def test_later_lines_follow(self) -> None:
        """Once he has caught up, lines are written as they come."""
        self.push(b"one\r\n")
        self.receiver.read_on()
        self.push(b"two\r\n")
        self.assertEqual(self.taken(), [b"one\r\n", b"two\r\n"])

    def test_he_may_be_slow_again(self) -> None:
        """Nothing of the first time is left."""
        for line in (b"one\r\n", b"two\r\n"):
            self.receiver.stop_reading()
            self.push(line)
            self.assertTrue(self.outbox.is_slow)
            self.receiver.read_on()
            self.assertEqual(self.taken(), [line])

    def test_of_positions_the_newest_waits(self) -> None:
        """Lines wait by class, see `test_backlog`."""
        self.push(b"@N:KLM1:1:\r\n", b"@N:KLM1:2:\r\n")
        self.push(b"@N:KLM1:3:\r\n", b"$ERserver:KLM2:7::\r\n")
        self.receiver.read_on()
        self.assertEqual(
            self.taken()[-2:], [b"$ERserver:KLM2:7::\r\n", b"@N:KLM1:3:\r\n"]
        )

    def test_a_transport_that_fills_up_again(self) -> None:
        """A client who takes a little at a time gets everything in the end."""
        lines = [b"$ERserver:KLM1:%05d\r\n" % number for number in range(700)]
        wide = self.receiver = Receiver(self.fanout, bound=10 * BOUND)
        wide.wire.is_narrow = True
        for line in lines * 4:
            wide.outbox.push(line)
            self.fanout.settle()
        reads = 0
        while wide.outbox.is_slow:
            wide.read_on()
            reads += 1
        self.assertGreater(reads, 2)
        self.assertEqual(self.taken(), lines * 4)

    def test_sweeps_are_counted_since_he_took_something(self) -> None:
        """Who counts them finds 0 after each time that he took some."""
        self.push(b"one\r\n")
        self.assertEqual(self.outbox.idle_sweeps, 0)
        self.outbox.idle_sweeps += 7
        self.receiver.read_on()
        self.assertEqual(self.outbox.idle_sweeps, 0)

    def test_at_the_bound(self) -> None:
        """So many bytes of what may not be dropped can wait, and not one more."""
        first = b"first\r\n"
        self.push(first)
        self.push(b"x" * (BOUND - len(first) - 2) + b"\r\n")
        self.assertEqual((self.outbox.waiting, self.receiver.cuts), (BOUND, []))
        self.push(b"\r\n")
        self.assertEqual(self.receiver.cuts, [f"{BOUND + 2} bytes wait for him"])

    def test_he_is_cut_once(self) -> None:
        """However many lines are above the bound."""
        self.push(b"first\r\n")
        for _ in range(3):
            self.outbox.push(b"x" * BOUND + b"\r\n")
        self.fanout.settle()
        self.fanout.settle()
        self.assertEqual(len(self.receiver.cuts), 1)

    def test_too_much_at_once(self) -> None:
        """Also one write that is more than the bound cuts him."""
        self.push(*(b"x" * 1000 + b"\r\n" for _ in range(2 * BOUND // 1000)))
        self.assertEqual(len(self.receiver.cuts), 1)

    def test_what_a_closing_connection_is_owed(self) -> None:
        """The end is told when he has taken all of it."""
        self.push(b"one\r\n")
        self.outbox.push(b"last words\r\n")
        self.receiver.close()
        self.assertEqual(self.receiver.ends, 0)
        self.receiver.read_on()
        self.assertEqual(self.taken(), [b"one\r\n", b"last words\r\n"])
        self.assertEqual(self.receiver.ends, 1)

    def test_a_connection_that_is_gone(self) -> None:
        """What waited is forgotten, and its end is nobody's business any more."""
        self.push(b"one\r\n")
        self.receiver.close()
        self.outbox.stopProducing()
        self.assertEqual((self.outbox.waiting, self.outbox.is_slow), (0, False))
        self.receiver.read_on()
        self.push(b"two\r\n")
        self.assertEqual((self.taken(), self.receiver.ends), ([], 0))
