"""Bytes become lines, and a connection comes to its end."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.memory import MemoryAccounts
from rum_twisted.pergola.factory import FSDFactory
from rum_twisted.pergola.protocol import LINES_AT_A_TIME
from rum_twisted.session.phases import Phase
from rum_twisted.weather.memory import MemoryWeather
from tests.support.builders import ACCOUNTS, REPORTS, make_limits
from tests.support.later import LaterAccounts, LaterWeather
from tests.support.segments import BYTEWISE, WHOLE, cut_at
from tests.support.server import MemoryServer, Terminal, pilot_logon
from tests.unit.pergola.builders import Wire

MAX_LINE = 600  # bytes, line end included
ENDS = (b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\n")


def ping(number: int, *, size: int = 0) -> bytes:
    """Return a ping to the server that is answered; ``size`` bytes without an end."""
    return (b"$PIKLM1:SERVER:%d:" % number).ljust(size, b"x")


def pong(number: int, *, size: int = 0) -> str:
    """Return the answer to `ping`."""
    data = ping(number, size=size).removeprefix(b"$PIKLM1:SERVER:").decode()
    return f"$POserver:KLM1:{data}"


class ProtocolTestCase(SynchronousTestCase):
    """A pilot who is on, and a line length that is quickly passed."""

    @override
    def setUp(self) -> None:
        """Log him on."""
        self.server = MemoryServer(max_line=MAX_LINE)
        self.pilot = self.server.log_on_pilot("KLM1")


class FramingTests(ProtocolTestCase):
    """Where a line ends; see "Lines" in docs/protocol.md."""

    def test_every_end_of_a_line(self) -> None:
        """CR, LF and CR LF end a line for everybody alike."""
        for end in ENDS:
            for cut in (WHOLE, BYTEWISE):
                self.pilot.feed(cut(ping(1) + end + ping(2) + end))
                self.assertEqual(self.pilot.read(), [pong(1), pong(2)])

    def test_a_bare_line_end_puts_no_words_into_a_mouth(self) -> None:
        """What stands behind it is the liar's own line, and is judged as such."""
        other = self.server.log_on_pilot("KLM2")
        self.pilot.read()
        self.pilot.say("#TMKLM1:KLM2:hello\n#TMserver:KLM2:log off now")
        self.assertEqual(other.read(), ["#TMKLM1:KLM2:hello"])
        self.assertTrue(self.pilot.read()[0].startswith("$ERserver:KLM1:005:"))

    def test_blank_lines(self) -> None:
        """They are nothing, not even an error."""
        self.pilot.feed([b"\r\n\r\n\n\r" + ping(1) + b"\r\n\r\n"])
        self.assertEqual(self.pilot.read(), [pong(1)])

    def test_a_line_that_has_not_ended(self) -> None:
        """It waits for its end."""
        self.pilot.feed([ping(1)])
        self.assertEqual(self.pilot.read(), [])
        self.pilot.feed([b"\r"])
        self.assertEqual(self.pilot.read(), [pong(1)])

    def test_twenty_lines_in_a_segment(self) -> None:
        """All are answered, in their order."""
        data = b"".join(ping(number) + b"\r\n" for number in range(20))
        self.pilot.feed([data])
        self.assertEqual(self.pilot.read(), [pong(number) for number in range(20)])

    def test_any_byte_passes(self) -> None:
        """All but line ends, also NUL and what is no text in any encoding."""
        data = bytes(code for code in range(256) if code not in b"\r\n:")
        for cut in (WHOLE, BYTEWISE):
            self.pilot.feed(cut(b"$PIKLM1:SERVER:" + data + b"\r\n"))
            expected = "$POserver:KLM1:" + data.decode("latin-1")
            self.assertEqual(self.pilot.read(), [expected])

    @given(
        sizes=st.lists(
            st.integers(20, MAX_LINE + 5) | st.just(MAX_LINE - 2), max_size=8
        ),
        ends=st.lists(st.sampled_from(ENDS), min_size=8, max_size=8),
        places=st.sets(st.integers(0, 8 * MAX_LINE), max_size=20),
    )
    @settings(derandomize=True, deadline=None, database=None)
    def test_any_segments(
        self, sizes: list[int], ends: list[bytes], places: set[int]
    ) -> None:
        """However TCP cuts it, and however long it is: the same lines are answered."""
        server = MemoryServer(max_line=MAX_LINE)
        pilot = server.log_on_pilot("KLM1")
        data, expected = b"", []
        for number, (size, end) in enumerate(zip(sizes, ends, strict=False)):
            data += ping(number, size=size) + end
            if size + 2 <= MAX_LINE:
                expected.append(pong(number, size=size))
            else:
                expected.append("$ERserver:KLM1:004::Syntax error")
        pilot.feed(cut_at(data, places))
        self.assertEqual(pilot.read(), expected)


class LongLineTests(ProtocolTestCase):
    """Lines have a longest length, their end included."""

    ERROR = "$ERserver:KLM1:004::Syntax error"

    def test_at_the_bound(self) -> None:
        """600 bytes with CR LF are one line; so they are with LF alone."""
        for end in ENDS[:3]:
            for cut in (WHOLE, BYTEWISE):
                self.pilot.feed(cut(ping(1, size=MAX_LINE - 2) + end))
                self.assertEqual(self.pilot.read(), [pong(1, size=MAX_LINE - 2)])

    def test_one_past_the_bound(self) -> None:
        """It is refused once, and the next line is read as usual."""
        for cut in (WHOLE, BYTEWISE):
            self.pilot.feed(cut(ping(1, size=MAX_LINE - 1) + b"\r\n" + ping(2) + b"\n"))
            self.assertEqual(self.pilot.read(), [self.ERROR, pong(2)])

    def test_a_line_without_an_end(self) -> None:
        """It is refused once, costs no memory, and hurts nobody."""
        self.pilot.feed([b"x" * 10_000] * 100)
        self.assertEqual(self.pilot.read(), [self.ERROR])
        self.pilot.feed([b"x\r\n" + ping(1) + b"\r\n"])
        self.assertEqual(self.pilot.read(), [pong(1)])

    def test_the_end_of_a_long_line_in_a_segment_of_its_own(self) -> None:
        """What comes behind it is a new line, be it CR LF or not."""
        for end in ENDS[:3]:
            self.pilot.feed([b"x" * MAX_LINE, end, ping(1), end])
            self.assertEqual(self.pilot.read(), [self.ERROR, pong(1)])

    def test_before_the_logon(self) -> None:
        """It reads error 004, and may log on all the same."""
        stranger = self.server.connect()
        stranger.feed([b"x" * 10_000 + b"\r\n"])
        error = "$ERserver:unknown:004::Syntax error"
        self.assertEqual((stranger.read(), stranger.is_closed), ([error], False))
        stranger.say(pilot_logon("KLM2"))
        self.assertIs(stranger.session.phase, Phase.LOGGED_ON)


class TurnTests(ProtocolTestCase):
    """Nobody keeps the others waiting."""

    def feed_without_a_turn(self, data: bytes) -> None:
        """Hand bytes over, and do not let the clock run."""
        self.pilot.protocol.dataReceived(data)

    def test_a_hundred_lines_at_a_time(self) -> None:
        """After them others have their turn; then he goes on where he was."""
        count = 2 * LINES_AT_A_TIME + 1
        data = b"".join(ping(number) + b"\r\n" for number in range(count))
        lines = [pong(number) for number in range(count)]
        self.feed_without_a_turn(data + ping(count))
        self.assertTrue(self.pilot.is_paused)
        self.assertEqual(self.pilot.read(), lines[:LINES_AT_A_TIME])
        self.server.clock.advance(0)
        self.assertEqual(self.pilot.read(), lines[LINES_AT_A_TIME:])
        self.assertFalse(self.pilot.is_paused)
        self.pilot.feed([b"\r\n"])
        self.assertEqual(self.pilot.read(), [pong(count)])

    def test_what_comes_meanwhile(self) -> None:
        """It waits behind what was there before."""
        data = b"".join(ping(number) + b"\r\n" for number in range(LINES_AT_A_TIME + 1))
        self.feed_without_a_turn(data)
        self.feed_without_a_turn(ping(777) + b"\r\n")
        self.pilot.read()
        self.server.clock.advance(0)
        self.assertEqual(self.pilot.read(), [pong(LINES_AT_A_TIME), pong(777)])

    def test_who_goes_meanwhile(self) -> None:
        """What he said behind that is not handled, and no timer is left."""
        other = self.server.log_on_pilot("KLM2")
        text = b"#TMKLM1:KLM2:x\r\n"
        self.feed_without_a_turn(text * (LINES_AT_A_TIME + 5))
        self.pilot.hang_up()
        read = other.read()
        self.assertEqual(read.count("#TMKLM1:KLM2:x"), LINES_AT_A_TIME)
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_who_logs_off_before_many_lines(self) -> None:
        """They are dropped, and his connection is closed at once all the same."""
        data = b"#DPKLM1:1000001\r\n" + ping(1) * 10 + b"\r\n" * (3 * LINES_AT_A_TIME)
        self.feed_without_a_turn(data)
        self.assertTrue(self.pilot.is_closed)
        self.assertFalse(self.pilot.is_paused)
        self.assertEqual(self.pilot.read(), [])

    def test_one_write_for_one_segment(self) -> None:
        """What a segment causes leaves when all of it has been handled."""
        server, wire = self.server, Wire()
        factory = FSDFactory(
            server.network, server.fanout, make_limits(), server.connections
        )
        other = factory.buildProtocol(None)
        other.makeConnection(wire)
        other.dataReceived(pilot_logon("KLM2").encode() + b"\r\n")
        server.turn()
        wire.writes.clear()
        text = b"#TMKLM1:KLM2:x\r\n"
        self.feed_without_a_turn(text * 20)
        self.assertEqual(wire.writes, [text * 20])


class WaitingTests(SynchronousTestCase):
    """Lines behind a logon wait until the password has been checked."""

    @override
    def setUp(self) -> None:
        """Begin with accounts and weather that take their time."""
        self.accounts = LaterAccounts(MemoryAccounts(ACCOUNTS))
        self.weather = LaterWeather(MemoryWeather(REPORTS))
        self.server = MemoryServer(accounts=self.accounts, weather=self.weather)

    def begin(self, *lines: bytes) -> Terminal:
        """Return a connection on which a logon and further lines were sent."""
        terminal = self.server.connect()
        logon = pilot_logon("KLM1").encode()
        terminal.feed([b"".join(line + b"\r\n" for line in (logon, *lines))])
        return terminal

    def test_nothing_is_read_meanwhile(self) -> None:
        """TCP holds further input back, so it costs no memory."""
        terminal = self.begin(ping(1))
        self.assertTrue(terminal.is_paused)
        self.assertEqual(terminal.read(), [])

    def test_lines_in_the_same_segment(self) -> None:
        """They are executed after it, in their order."""
        terminal = self.begin(ping(1), ping(2))
        self.accounts.release()
        self.server.turn()
        self.assertFalse(terminal.is_paused)
        self.assertEqual(terminal.read()[-2:], [pong(1), pong(2)])

    def test_begun_lines(self) -> None:
        """So is one whose second half comes later."""
        terminal = self.server.connect()
        logon = pilot_logon("KLM1").encode()
        terminal.feed([logon + b"\r\n" + ping(1)[:5]])
        self.accounts.release()
        terminal.feed([ping(1)[5:] + b"\r\n"])
        self.assertEqual(terminal.read()[-1], pong(1))

    def test_segments_that_come_all_the_same(self) -> None:
        """What the transport had read already is held back as well."""
        terminal = self.begin()
        for segment in (ping(1) + b"\r\n", ping(2), b"\r\n"):
            terminal.protocol.dataReceived(segment)
        self.accounts.release()
        self.server.turn()
        self.assertEqual(terminal.read()[-2:], [pong(1), pong(2)])

    def test_behind_a_refused_logon(self) -> None:
        """Nothing is executed."""
        terminal = self.server.connect()
        terminal.say(pilot_logon("KLM1").replace("pw01", "wrong"), ping(1).decode())
        self.accounts.release()
        self.server.turn()
        self.assertEqual(
            terminal.read(), ["$ERserver:unknown:006:1000001:Invalid CID/password"]
        )
        self.assertTrue(terminal.is_closed)

    def test_who_goes_while_he_waits(self) -> None:
        """The check is given up, and he never was online."""
        terminal = self.begin(ping(1))
        terminal.hang_up()
        self.assertEqual(self.accounts.given_up, 1)
        self.assertEqual(len(self.server.roster), 0)

    def test_an_answer_leaves_at_once(self) -> None:
        """Weather that was looked up is sent without waiting for anything else."""
        terminal = self.begin(b"$AXKLM1:SERVER:METAR:EHAM")
        self.accounts.release()
        self.server.turn()
        terminal.read()
        self.weather.release()
        self.assertEqual(len(terminal.read()), 1)

    def test_others_go_on(self) -> None:
        """One who waits for his password holds nobody else up."""
        self.accounts.release_all()
        first = self.begin()
        second = self.server.connect()
        second.say(pilot_logon("KLM2"))
        self.accounts.release(1)
        self.server.turn()
        self.assertIs(second.session.phase, Phase.LOGGED_ON)
        self.assertIs(first.session.phase, Phase.AUTHENTICATING)


class TimerTests(ProtocolTestCase):
    """Who is silent, floods, or takes nothing is disconnected."""

    LIMITS = make_limits()

    def sweep_after(self, seconds: float) -> None:
        """Let time pass, then look after everybody."""
        self.server.clock.advance(seconds)
        self.server.connections.begin_round()
        self.server.connections.sweep()
        self.server.fanout.settle()

    def test_a_client_who_is_silent(self) -> None:
        """He reads a warning, and is disconnected like one who logs off."""
        other = self.server.log_on_pilot("KLM2")
        self.pilot.read()
        self.sweep_after(self.LIMITS.idle_timeout - 2)
        self.assertFalse(self.pilot.is_closed)
        other.say("$PIKLM2:SERVER:1")
        self.sweep_after(2.1)
        self.server.turn()
        self.assertEqual(self.pilot.read(), ["# Timeout"])
        self.assertTrue(self.pilot.is_closed)
        self.assertIn("#DPKLM1:1000001", other.read())
        self.assertFalse(other.is_closed)

    def test_any_line_counts(self) -> None:
        """Even one that is not understood."""
        self.sweep_after(self.LIMITS.idle_timeout - 1)
        self.pilot.say("what?")
        self.sweep_after(self.LIMITS.idle_timeout - 1)
        self.assertFalse(self.pilot.is_closed)

    def test_half_a_line_does_not(self) -> None:
        """A complete line is due."""
        self.sweep_after(self.LIMITS.idle_timeout - 1)
        self.pilot.feed([b"half a line"])
        self.sweep_after(2)
        self.assertTrue(self.pilot.is_closed)

    def test_a_stranger_who_is_silent(self) -> None:
        """Who has not logged on by then is disconnected with the same words."""
        stranger = self.server.connect()
        self.sweep_after(self.LIMITS.login_timeout + 0.1)
        self.assertEqual(stranger.read(), ["# Timeout"])
        self.assertTrue(stranger.is_closed)

    def test_a_stranger_who_talks(self) -> None:
        """Whatever he says does not put his end off: he has to log on."""
        stranger = self.server.connect()
        for _ in range(10):
            self.sweep_after(self.LIMITS.login_timeout / 9)
            stranger.feed([b"hello?\r\n"])
        self.assertTrue(stranger.is_closed)

    def test_who_logs_on_late(self) -> None:
        """He has the whole time of those who are on before him."""
        stranger = self.server.connect()
        self.sweep_after(self.LIMITS.login_timeout - 1)
        stranger.say(pilot_logon("KLM2"))
        self.sweep_after(self.LIMITS.idle_timeout - 1)
        self.assertFalse(stranger.is_closed)

    def test_a_flood(self) -> None:
        """It ends the session; others read of the departure."""
        other = self.server.log_on_pilot("KLM2")
        self.pilot.feed([b"x" * 1_000_000] * 100)
        with capturedLogs() as events:
            self.sweep_after(3.0)
        self.server.turn()
        self.assertTrue(self.pilot.is_closed)
        self.assertIn("#DPKLM1:1000001", other.read())
        told = [formatEvent(event) for event in events]
        self.assertIn("KLM1 is disconnected for flooding", told)

    def test_who_takes_nothing(self) -> None:
        """Who has taken nothing for a minute is cut, and a log line says so."""
        other = self.server.log_on_pilot("KLM2")
        self.pilot.protocol.outbox.pauseProducing()
        other.say("#TMKLM2:KLM1:hello")
        with capturedLogs() as events:
            for _ in range(int(self.LIMITS.stall_timeout)):
                self.sweep_after(1.0)
            self.assertFalse(self.pilot.is_closed)
            self.sweep_after(1.0)
        self.server.turn()
        self.assertTrue(self.pilot.is_closed)
        self.assertIn("#DPKLM1:1000001", other.read())
        warnings = [event for event in events if event["log_level"] is LogLevel.warn]
        self.assertEqual(
            [formatEvent(event) for event in warnings],
            ["KLM1 is cut: he took nothing for 60 s"],
        )

    def test_who_takes_a_little(self) -> None:
        """A slow client is no dead one."""
        other = self.server.log_on_pilot("KLM2")
        outbox = self.pilot.protocol.outbox
        for _ in range(3):
            outbox.pauseProducing()
            other.say("#TMKLM2:KLM1:hello")
            for _ in range(int(self.LIMITS.stall_timeout)):
                self.sweep_after(1.0)
            outbox.resumeProducing()
        self.assertFalse(self.pilot.is_closed)


class EndTests(ProtocolTestCase):
    """How connections end."""

    def test_a_dead_socket(self) -> None:
        """The client has left at once, and his callsign is free."""
        other = self.server.log_on_pilot("KLM2")
        self.pilot.protocol.connectionLost(Failure(ConnectionLost()))
        self.server.turn()
        self.assertEqual(other.read(), ["#DPKLM1:1000001"])
        again = self.server.log_on_pilot("KLM1")
        self.assertFalse(again.is_closed)

    def test_a_full_server(self) -> None:
        """One more is told so and disconnected; he counts for nothing."""
        server = MemoryServer(max_clients=1)
        first, second = server.connect(), server.connect()
        self.assertEqual(
            second.read(), ["$ERserver:unknown:012::Too many clients connected"]
        )
        self.assertEqual((first.is_closed, second.is_closed), (False, True))
        first.hang_up()
        self.assertFalse(server.connect().is_closed)

    def test_nothing_is_said_first(self) -> None:
        """Who only connects reads nothing: some clients look whether we are here."""
        probe = self.server.connect()
        self.assertEqual((probe.read(), probe.is_closed), ([], False))
        probe.hang_up()
        self.assertEqual(len(self.server.connections.open), 1)
        self.assertEqual(self.pilot.read(), [])

    def test_after_the_end_nothing_is_handled(self) -> None:
        """Neither in the same segment nor in the next."""
        other = self.server.log_on_pilot("KLM2")
        text = b"#TMKLM1:KLM2:still here\r\n"
        self.pilot.protocol.dataReceived(b"#DPKLM1:1000001\r\n" + text)
        self.pilot.protocol.dataReceived(text)
        self.server.turn()
        self.assertEqual(other.read(), ["#DPKLM1:1000001"])

    def test_a_text_of_the_server(self) -> None:
        """It is for those who are on."""
        stranger = self.server.connect()
        for terminal in (self.pilot, stranger):
            terminal.protocol.say("Good evening")
        self.server.fanout.settle()
        self.assertEqual(self.pilot.read(), ["#TMserver:KLM1:Good evening"])
        self.assertEqual(stranger.read(), [])

    def test_repr(self) -> None:
        """The manhole shows who is at the other end."""
        self.assertEqual(repr(self.pilot.protocol), "<FSDProtocol of KLM1>")
        self.assertEqual(
            repr(self.server.connect().protocol), "<FSDProtocol of unknown>"
        )
