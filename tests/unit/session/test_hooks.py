"""What plugins are told of a conversation, and what they may do to it."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.session.hooks import (
    Command,
    Connected,
    Gone,
    Hook,
    Line,
    LoggedOn,
    LoggingOn,
    PlanFiled,
    Text,
    Verdict,
)
from rum_twisted.terms.identity import ClientKind
from rum_twisted.weather.memory import MemoryWeather
from tests.support.builders import GREETING, REPORTS
from tests.support.later import LaterWeather
from tests.support.plugins import DEADLINE, ExtendedServer
from tests.support.server import MemoryServer, Terminal, pilot_logon

PLAN = "I:B738/L:420:EHAM:1230:1235:FL350:EDDF:1:30:3:15:EDDL:rmk:DCT SUGOL"


class TellingTests(SynchronousTestCase):
    """Events that nobody waits for."""

    def test_coming_and_going(self) -> None:
        """Whoever connects, comes online and leaves is told of, with who he is."""
        hooks = (Hook.CONNECTED, Hook.LOGGED_ON, Hook.GONE)
        server = ExtendedServer(hooks)
        pilot = server.log_on_pilot("KLM1")
        pilot.hang_up()
        self.assertEqual(
            server.plugin.told,
            [
                Connected("192.168.1.1"),
                LoggedOn(
                    callsign="KLM1",
                    cid="1000001",
                    kind=ClientKind.PILOT,
                    rating=1,
                    real_name="Joe Pilot",
                    address="192.168.1.1",
                    is_new=True,
                ),
                Gone("KLM1"),
            ],
        )

    def test_texts(self) -> None:
        """They are told of and passed on."""
        server = ExtendedServer((Hook.TEXT,))
        first, second = server.log_on_pilot("KLM1"), server.log_on_pilot("KLM2")
        first.say("#TMKLM1:KLM2:hello: you")
        self.assertEqual(second.read(), ["#TMKLM1:KLM2:hello: you"])
        self.assertEqual(server.plugin.told, [Text("KLM1", "KLM2", "hello: you")])

    def test_plans(self) -> None:
        """A plan is told of each time that it is filed, with its revision."""
        server = ExtendedServer((Hook.PLAN,))
        pilot = server.log_on_pilot("KLM1")
        pilot.say(f"$FPKLM1:SERVER:{PLAN}", f"$FPKLM1:SERVER:{PLAN}")
        filed = server.plugin.of(PlanFiled)
        self.assertEqual([plan.revision for plan in filed], [0, 1])
        self.assertEqual(
            (filed[0].callsign, filed[0].departure, filed[0].destination),
            ("KLM1", "EHAM", "EDDF"),
        )

    def test_commands_go_to_the_plugin_alone(self) -> None:
        """A word that it answers is not passed on; any other is a text like all."""
        server = ExtendedServer((Hook.COMMAND,))
        first, second = server.log_on_pilot("KLM1"), server.log_on_pilot("KLM2")
        first.say("#TMKLM1:KLM2:.METAR  EHAM ", "#TMKLM1:KLM2:.other")
        self.assertEqual(second.read(), ["#TMKLM1:KLM2:.other"])
        self.assertEqual(server.plugin.told, [Command("KLM1", "metar", "EHAM")])

    def test_nothing_is_built_that_nobody_waits_for(self) -> None:
        """With a plugin that wants plans, a text is not even an event."""
        server = ExtendedServer((Hook.PLAN,))
        server.log_on_pilot("KLM1").say("#TMKLM1:KLM2:hello")
        self.assertEqual(server.plugin.told, [])
        self.assertEqual(server.front.told, 1)  # that he is there, and no word of his


class LogonTests(SynchronousTestCase):
    """A plugin that may refuse."""

    def server(self) -> ExtendedServer:
        """Return a server whose plugin is asked of each logon."""
        return ExtendedServer((Hook.LOGGING_ON,))

    def test_refused_with_a_reason(self) -> None:
        """He reads why, then error 012, and is not online."""
        server = self.server()
        server.plugin.answers[LoggingOn] = Verdict(
            stops=True, text="Fly-in members only"
        )
        pilot = server.connect()
        pilot.say(pilot_logon("KLM1"))
        self.assertEqual(
            pilot.read(),
            [
                "#TMserver:KLM1:Fly-in members only",
                "$ERserver:unknown:012::Too many clients connected",
            ],
        )
        self.assertTrue(pilot.is_closed)
        self.assertFalse(server.roster.is_online("KLM1"))

    def test_let_in(self) -> None:
        """Without objections he comes on; the plugin knew who, but no password."""
        server = self.server()
        server.log_on_pilot("KLM1")
        (question,) = server.plugin.told
        self.assertEqual(
            question,
            LoggingOn(
                callsign="KLM1",
                cid="1000001",
                kind=ClientKind.PILOT,
                rating=1,
                real_name="Joe Pilot",
                address="192.168.1.1",
            ),
        )
        self.assertNotIn("pw01", repr(server.plugin.told))

    def test_wrong_password(self) -> None:
        """Who has not proved who he is, or may not come on at all, is not asked of."""
        server = self.server()
        server.connect().say(pilot_logon("KLM1").replace("pw01", "wrong"))
        server.connect().say(pilot_logon("KLM1").replace(":1:9:", ":12:9:"))
        self.assertEqual(server.plugin.told, [])

    def test_plugin_that_does_not_answer(self) -> None:
        """The logon waits for the deadline, and goes on."""
        server = self.server()
        silence: Deferred[None] = Deferred()
        server.plugin.answers[LoggingOn] = silence
        pilot = server.connect()
        pilot.feed([f"{pilot_logon('KLM1')}\r\n".encode()])
        server.clock.advance(DEADLINE)
        server.turn()
        self.assertEqual(len(pilot.read()), len(GREETING))
        self.assertEqual(server.guard.counts.late, 1)

    def test_plugin_that_raises(self) -> None:
        """The logon goes on at once."""
        server = self.server()
        server.plugin.answers[LoggingOn] = lambda _: 1 // 0
        server.log_on_pilot("KLM1")
        self.assertEqual(server.guard.counts.failed, 1)

    def test_who_hangs_up_meanwhile(self) -> None:
        """He is not online, and the plugin's answer is nothing."""
        server = self.server()
        answer: Deferred[Verdict] = Deferred()
        server.plugin.answers[LoggingOn] = answer
        pilot = server.connect()
        pilot.protocol.dataReceived(f"{pilot_logon('KLM1')}\r\n".encode())
        server.clock.advance(0)
        self.assertEqual(len(server.plugin.told), 1)
        pilot.hang_up()
        answer.callback(Verdict())
        server.turn()
        self.assertFalse(server.roster.is_online("KLM1"))


class LineTests(SynchronousTestCase):
    """A plugin that sees texts and plans before they are handled."""

    def both(self) -> tuple[ExtendedServer, Terminal, Terminal]:
        """Return a server, and two pilots on it."""
        server = ExtendedServer((Hook.LINE,))
        return server, server.log_on_pilot("KLM1"), server.log_on_pilot("KLM2")

    def test_stopped(self) -> None:
        """The line is not handled, and its sender reads why."""
        server, first, second = self.both()
        server.plugin.answers[Line] = Verdict(stops=True, text="No links, please")
        first.say("#TMKLM1:KLM2:http://x")
        self.assertEqual(second.read(), [])
        self.assertEqual(first.read(), ["#TMserver:KLM1:No links, please"])
        self.assertEqual(server.plugin.told, [Line("KLM1", "#TMKLM1:KLM2:http://x")])

    def test_answered_and_passed_on(self) -> None:
        """A text without a stop is only said."""
        server, first, second = self.both()
        server.plugin.answers[Line] = Verdict(text="noted")
        first.say("#TMKLM1:KLM2:hello")
        self.assertEqual(second.read(), ["#TMKLM1:KLM2:hello"])
        self.assertEqual(first.read(), ["#TMserver:KLM1:noted"])

    def test_error_of_a_line_that_was_asked_of(self) -> None:
        """It is refused as ever; the connection stays."""
        _, first, _ = self.both()
        first.say("#TMKLM2:KLM1:somebody else's name", "#TMKLM1:KLM2")
        self.assertEqual(
            [line[:26] for line in first.read()],
            ["$ERserver:KLM1:005:KLM2:In", "$ERserver:KLM1:004::Syntax"],
        )
        self.assertFalse(first.is_closed)

    def test_later_lines_wait(self) -> None:
        """The order of what somebody says is kept, whatever else is answered."""
        server, first, second = self.both()
        answer: Deferred[None] = Deferred()
        server.plugin.answers[Line] = answer
        first.protocol.dataReceived(
            b"$AXKLM1:SERVER:METAR:EHAM\r\n#TMKLM1:KLM2:one\r\n$PIKLM1:KLM2:two\r\n"
        )
        server.clock.advance(0)
        self.assertEqual(second.read(), [])
        self.assertTrue(first.is_paused)
        answer.callback(None)
        server.turn()
        self.assertEqual(second.read(), ["#TMKLM1:KLM2:one", "$PIKLM1:KLM2:two"])

    def test_answer_of_something_else_does_not_let_them_through(self) -> None:
        """A report that arrives meanwhile is shown; the lines go on waiting."""
        weather = LaterWeather(MemoryWeather(REPORTS))
        server = ExtendedServer((Hook.LINE,), weather=weather)
        first, second = server.log_on_pilot("KLM1"), server.log_on_pilot("KLM2")
        answer: Deferred[None] = Deferred()
        server.plugin.answers[Line] = answer
        first.protocol.dataReceived(
            b"$AXKLM1:SERVER:METAR:EHAM\r\n#TMKLM1:KLM2:one\r\n$PIKLM1:KLM2:two\r\n"
        )
        server.clock.advance(0)
        weather.release()
        self.assertEqual(first.read()[0][:25], "$ARserver:KLM1:METAR:EHAM")
        self.assertTrue(first.is_paused)
        self.assertEqual(second.read(), [])
        answer.callback(None)
        server.turn()
        self.assertEqual(second.read(), ["#TMKLM1:KLM2:one", "$PIKLM1:KLM2:two"])

    def test_positions_and_logons_are_not_seen(self) -> None:
        """Whatever a host asks for, no password and no position waits for a plugin."""
        server = ExtendedServer((Hook.LINE,))
        wanted = server.host.subscription._replace(
            prefixes=frozenset({"@", "%", "#AP", "#AA", "#TM"})
        )
        server.front.subscribe(wanted)
        self.assertEqual(server.front.prefixes, frozenset({"#TM"}))


class NobodyTests(SynchronousTestCase):
    """A network without plugins."""

    def test_dot_words_are_texts(self) -> None:
        """Nothing is swallowed, and nothing waits."""
        server = MemoryServer()
        first, second = server.log_on_pilot("KLM1"), server.log_on_pilot("KLM2")
        first.say("#TMKLM1:KLM2:.metar EHAM")
        self.assertEqual(second.read(), ["#TMKLM1:KLM2:.metar EHAM"])
