"""One client's lines, shown while they come and go."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.pergola.fanout import Fanout
from rum_twisted.pergola.trace import Tap
from rum_twisted.session.session import Session
from rum_twisted.terms.units import Seconds
from rum_twisted.world.roster import Roster
from tests.unit.pergola.builders import Receiver


class TapTests(SynchronousTestCase):
    """What a client is sent, whether he reads or not."""

    @override
    def setUp(self) -> None:
        """Connect him, and show what he is sent."""
        self.shown: list[tuple[bool, bytes]] = []
        self.fanout = Fanout(Clock(), float, Seconds(0.05), Roster())
        self.receiver = Receiver(self.fanout)
        outbox = self.outbox = self.receiver.outbox
        self.tap = Tap(self.handle, outbox.send, self.show)
        outbox.send = self.tap.send
        outbox.tap = self.tap

    def handle(self, session: Session, line: bytes) -> None:
        """Do nothing with what the client says."""

    def show(self, is_input: bool, line: bytes) -> None:  # noqa: FBT001 - a callback
        """Keep a line."""
        self.shown.append((is_input, line))

    def push(self, *lines: bytes) -> None:
        """Give him lines, as one input's effect."""
        for line in lines:
            self.outbox.push(line)
        self.fanout.settle()

    def test_who_reads(self) -> None:
        """Each line once, without its end."""
        self.push(b"one\r\n", b"two\r\n")
        self.assertEqual(self.shown, [(False, b"one"), (False, b"two")])

    def test_who_reads_slowly(self) -> None:
        """A line is shown when it goes out, and not before."""
        self.receiver.stop_reading()
        self.push(b"one\r\n", b"two\r\n")
        self.assertEqual(self.shown, [])
        self.receiver.read_on()
        self.assertEqual(self.shown, [(False, b"one"), (False, b"two")])
        self.assertEqual(self.receiver.wire.take(), [b"one\r\n", b"two\r\n"])

    def test_a_line_in_parts(self) -> None:
        """It is shown whole."""
        for part in (b"o", b"ne\r", b"\ntw", b"o\r\n"):
            self.tap.note_sent(part)
        self.assertEqual(self.shown, [(False, b"one"), (False, b"two")])

    def test_after_the_end(self) -> None:
        """Nothing is shown, and lines go out as ever."""
        self.tap.close(b"bye")
        self.outbox.untap()
        self.push(b"one\r\n")
        self.assertEqual(self.shown, [(False, b"bye")])
        self.assertEqual(self.receiver.wire.take(), [b"one\r\n"])

    def test_a_bug_in_the_show(self) -> None:
        """It ends the show; the client gets his lines."""

        def fail(is_input: bool, line: bytes) -> None:  # noqa: FBT001 - as above
            raise ZeroDivisionError

        self.outbox.untap()
        tap = Tap(self.handle, self.outbox.send, fail)
        self.outbox.send = tap.send
        self.push(b"one\r\n", b"two\r\n")
        self.assertEqual(self.receiver.wire.take(), [b"one\r\n", b"two\r\n"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
