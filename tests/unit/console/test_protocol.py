"""One operator's connection: order, bounds and ends."""

from pathlib import Path

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.console.complaints import INTERVAL
from rum_twisted.console.protocol import PACE, SLICE, STALL
from rum_twisted.weather.memory import MemoryWeather
from tests.support.builders import REPORTS
from tests.support.console import PASSWORD, MemoryConsole, Operator
from tests.support.later import LaterWeather
from tests.support.segments import BYTEWISE, WHOLE

MANY = 1000  # clients; more than are written at a time
IDLE = 500.0  # seconds


class ProtocolTestCase(SynchronousTestCase):
    """A console in memory."""

    @override
    def setUp(self) -> None:
        """Start it."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.console = MemoryConsole(self.folder)
        self.addCleanup(self.console.stop)

    def many_clients(self) -> None:
        """Log as many on as a list has lines for."""
        for number in range(MANY):
            self.console.fsd.log_on_pilot(f"KLM{number}")


class ConversationTests(ProtocolTestCase):
    """What an operator reads, and when."""

    def test_banner_and_prompt(self) -> None:
        """Three lines and a prompt without a line's end."""
        self.assertEqual(
            self.console.connect().read(),
            "# Rum FSD server 1.2.3 system interface ready.\r\n"
            "# Logs: Emerg: 0, Alert: 0, Crit: 0, Err: 0, Warn: 0, Info: 0, Debug: 0"
            "\r\n# Type 'help' for help.\r\nFSDA> ",
        )

    def test_half_a_line_waits(self) -> None:
        """Nothing is answered before its end, not even by a prompt."""
        operator = self.console.connect()
        operator.read()
        operator.feed(b"po")
        self.assertEqual(operator.read(), "")
        operator.feed(b"s 1 2\r\n")
        self.assertEqual(operator.read(), "Position set\r\nFSDA> ")

    def test_empty_line(self) -> None:
        """It repeats the prompt."""
        operator = self.console.connect()
        operator.read()
        operator.feed(b"\r\n")
        self.assertEqual(operator.read(), "FSDA> ")

    def test_pipelined_commands(self) -> None:
        """They are answered in order, with one prompt behind them all."""
        operator = self.console.authorized()
        operator.feed(b"pos 1 2\nrange NOBODY\nfrobnicate\n")
        self.assertEqual(
            operator.read(),
            "Position set\r\nNo such callsign.\r\nSyntax error.\r\nFSDA> ",
        )

    def test_a_command_that_waits_holds_the_next_back(self) -> None:
        """Nothing is read meanwhile; then everything goes on, in order."""
        for cut in (WHOLE, BYTEWISE):
            operator = self.console.connect()
            operator.read()
            for segment in cut(b"metar EHAM\r\npos 1 2\r\n"):
                operator.feed(segment)
            operator.turn(1.0)
            text = operator.read()
            self.assertLess(text.index("EHAM 101225Z"), text.index("Position set"))
            self.assertTrue(text.endswith("Position set\r\nFSDA> "), text)

    def test_an_answer_that_takes_its_time(self) -> None:
        """The prompt and later commands wait for it; who goes gives it up."""
        folder = Path(self.mktemp())
        folder.mkdir()
        weather = LaterWeather(MemoryWeather(REPORTS))
        console = MemoryConsole(folder, weather=weather)
        self.addCleanup(console.stop)
        operator = console.authorized()
        operator.feed(b"metar EHAM\nrange NOBODY\n")
        self.assertEqual(operator.read(), "Metar request sent to METAR host FSDA.\r\n")
        self.assertTrue(operator.is_paused)
        weather.release()
        operator.turn()
        text = operator.read()
        self.assertTrue(text.endswith("NOSIG\r\nNo such callsign.\r\nFSDA> "), text)
        self.assertFalse(operator.is_paused)
        operator.feed(b"weather EHAM\n")
        operator.hang_up()
        self.assertEqual((weather.given_up, len(weather)), (1, 0))

    def test_quit(self) -> None:
        """It closes, after what was said; what follows is not carried out."""
        operator = self.console.authorized()
        operator.feed(b"pos 1 2\nquit\nkill KLM1 x\n")
        self.assertEqual(operator.read(), "Position set\r\n")
        self.assertTrue(operator.is_closed)
        operator.feed(b"pos 1 2\n")
        self.assertEqual(operator.read(), "")

    def test_who_says_no_more_is_answered(self) -> None:
        """As with ``printf … | nc``: all answers arrive before the end."""
        self.many_clients()
        operator = self.console.authorized()
        operator.protocol.dataReceived(b"clients\npos 1 2\n")
        operator.end_input()
        text = operator.read()
        self.assertEqual(text.count(" PILOT "), MANY)
        self.assertTrue(text.endswith("Position set\r\n"), text[-80:])
        self.assertTrue(operator.is_closed)

    def test_a_name_cannot_command_a_terminal(self) -> None:
        """Control codes in what clients say are blanks here."""
        self.console.fsd.connect().say(
            "#APKLM1:SERVER:1000001:pw01:1:9:2:Joe\x1b[2J\x07Pilot"
        )
        answer = self.console.authorized().ask("clients KLM1")
        self.assertIn("Real name   : Joe [2J Pilot", answer)

    def test_a_bug_costs_one_answer(self) -> None:
        """The connection goes on, and the log has the traceback."""
        operator = self.console.authorized()

        self.console.answers["guard"] = (str(1 / 0) for _ in range(1))
        answer = operator.ask("guard")
        self.assertEqual(answer, ["The command failed; the server's log says why."])
        self.assertEqual(operator.ask("pos 1 2"), ["Position set"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class BoundTests(ProtocolTestCase):
    """What a console may cost."""

    def test_long_answers_are_written_in_slices(self) -> None:
        """Others have their turn between them."""
        self.many_clients()
        operator = self.console.authorized()
        operator.protocol.dataReceived(b"clients\n")
        first = operator.read().count("\r\n")
        self.assertEqual(first, SLICE)
        self.assertTrue(operator.is_paused)
        operator.turn()
        self.assertEqual(first + operator.read().count("\r\n"), MANY + 2)
        self.assertFalse(operator.is_paused)

    def test_who_reads_slowly_is_written_no_more(self) -> None:
        """An answer waits for him, unmade; he who reads again gets the rest."""
        self.many_clients()
        operator = self.console.authorized()
        operator.protocol.dataReceived(b"clients\n")
        operator.protocol.pauseProducing()
        before = operator.read().count("\r\n")
        operator.turn(STALL / 2)
        self.assertEqual(operator.read(), "")
        operator.protocol.resumeProducing()
        operator.turn()
        self.assertEqual(before + operator.read().count("\r\n"), MANY + 2)
        self.assertFalse(operator.is_closed)

    def test_who_reads_nothing_is_cut(self) -> None:
        """After a while, and it is told of."""
        operator = self.console.authorized()
        operator.protocol.pauseProducing()
        operator.turn(STALL - 1)
        self.assertFalse(operator.is_closed)
        operator.turn(1)
        self.assertTrue(operator.is_closed)
        operator.hang_up()
        self.assertEqual(self.console.factory.open, {})

    def test_who_quits_and_does_not_read_is_cut(self) -> None:
        """A farewell that nobody takes does not keep the connection."""
        operator = self.console.authorized()
        operator.feed(b"quit\n")
        self.assertIsNone(operator.transport.producer)
        operator.turn(STALL)
        self.assertTrue(operator.transport.disconnected)

    def test_silence(self) -> None:
        """Who says nothing reads ``# Timeout``; whoever says something starts anew."""
        operator = self.console.connect()
        operator.read()
        operator.turn(IDLE - 1)
        operator.ask("pos 1 2")
        operator.turn(IDLE - 1)
        self.assertFalse(operator.is_closed)
        operator.turn(2)
        self.assertEqual(operator.read(), "# Timeout\r\n")
        self.assertTrue(operator.is_closed)

    def test_a_stranger_has_a_pace(self) -> None:
        """Twenty commands a second; who has given the password has none."""
        operator = self.console.connect()
        operator.read()
        operator.feed(b"pos 1 2\n" * 10)
        self.assertEqual(operator.read().count("Position set"), 1)
        self.assertTrue(operator.is_paused)
        for _ in range(9):
            operator.turn(PACE)
        self.assertEqual(operator.read().count("Position set"), 9)
        insider = self.console.authorized()
        insider.feed(b"pos 1 2\n" * 10)
        self.assertEqual(insider.read().count("Position set"), 10)

    def test_a_line_of_10_megabytes(self) -> None:
        """It is a syntax error; nothing of it is kept, and the connection goes on."""
        operator = self.console.connect()
        operator.read()
        for _ in range(160):
            operator.feed(b"x" * 65536)
            self.assertLess(operator.protocol.waiting, 65536)
        operator.feed(b"\n")
        operator.turn(1.0)
        self.assertEqual(operator.read().count("Syntax error."), 1)
        self.assertEqual(operator.ask("pos 1 2"), ["Position set"])

    def test_a_word_of_300_letters_after_help(self) -> None:
        """It crashed the classic server; here there is no page of that name."""
        operator = self.console.connect()
        operator.read()
        self.assertEqual(operator.ask("help " + "x" * 300), [])
        self.assertEqual(operator.ask("pos 1 2"), ["Position set"])

    def test_going_in_the_middle(self) -> None:
        """Whoever goes while he is answered leaves nothing behind."""
        self.many_clients()
        operator = self.console.authorized()
        operator.protocol.dataReceived(b"clients\nclients\n")
        operator.hang_up()
        operator.read()
        operator.turn(IDLE)
        self.assertEqual(operator.read(), "")
        self.assertEqual(self.console.factory.open, {})


class GuessingTests(ProtocolTestCase):
    """Strangers who try passwords."""

    def guess(self, operator: Operator, times: int) -> list[str]:
        """Return what is answered to wrong passwords."""
        return [line for _ in range(times) for line in operator.ask("pwd wrong")]

    def test_the_fifth_is_the_last_free_one(self) -> None:
        """From the sixth on one has to wait, and the right one is refused, too."""
        operator = self.console.connect()
        operator.read()
        self.assertEqual(self.guess(operator, 6), ["Password incorrect."] * 6)
        self.assertEqual(
            operator.ask(f"pwd {PASSWORD}"),
            ["Password incorrect.", "Too many wrong ones: wait 2 seconds."],
        )
        self.assertEqual(operator.ask("clients"), ["Not authorized, use 'pwd'."])
        operator.turn(2.0)
        self.assertEqual(operator.ask(f"pwd {PASSWORD}"), ["Password correct."])

    def test_a_new_connection_does_not_help(self) -> None:
        """The address counts; others are not concerned."""
        for _ in range(7):
            operator = self.console.connect()
            operator.ask("pwd wrong")
            operator.hang_up()
        late = self.console.connect()
        late.read()
        self.assertEqual(len(late.ask(f"pwd {PASSWORD}")), 2)
        other = self.console.connect("192.0.2.8")
        other.read()
        self.assertEqual(other.ask(f"pwd {PASSWORD}"), ["Password correct."])

    def test_once_right_always_right(self) -> None:
        """A wrong one later changes nothing, and counts nothing."""
        operator = self.console.authorized()
        for _ in range(10):
            self.assertEqual(operator.ask("PWD wrong"), ["Password correct."])

    def test_a_thousand_guesses_are_one_line_of_the_log(self) -> None:
        """With their number, and where the last one came from."""
        with capturedLogs() as events:
            operator = self.console.connect()
            operator.ask("x" * 5000)
            for _ in range(1000):
                operator.protocol.console.authorize("wrong")
            operator.turn(INTERVAL)
            operator.turn(INTERVAL)
        texts = map(formatEvent, events)
        [told] = [text for text in texts if text.startswith("console: ")]
        counted = "console: 1 lines too long, 1000 wrong passwords within 60 s"
        self.assertEqual(told, f"{counted}; the last from 192.0.2.7")
