"""One conversation: answers that come later, and its end."""

from functools import partial

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.session.errors import NoFlightPlan
from rum_twisted.session.interfaces import NoWeatherSource
from rum_twisted.session.phases import Phase
from rum_twisted.session.session import MAX_PENDING
from rum_twisted.session.tally import Closing
from rum_twisted.terms.errors import RumError
from rum_twisted.weather.memory import MemoryWeather
from rum_twisted.weather.none import NoWeather
from tests.support.builders import REPORTS
from tests.support.later import LaterWeather
from tests.support.server import MemoryServer, connect

PING = "$PIKLM1:SERVER:1"
PONG = "$POserver:KLM1:1"


class OurMistake(Exception):
    """Stands for a bug."""


class AwaitAnswerTests(SynchronousTestCase):
    """`Session.await_answer`: going on when something is known."""

    @override
    def setUp(self) -> None:
        """Put a pilot on, and one who watches."""
        self.server = MemoryServer()
        self.witness = self.server.log_on_pilot("AFR2")
        self.terminal = self.server.log_on_pilot("KLM1")
        self.session = self.terminal.session
        self.handled: list[object] = []
        self.answer: Deferred[object] = Deferred()

    def test_late_answer_is_handled(self) -> None:
        """What was asked for is handled when it is known, and not before."""
        self.session.await_answer(self.answer, self.handled.append)
        self.assertEqual(self.handled, [])
        self.answer.callback("sunny")
        self.assertEqual(self.handled, ["sunny"])

    def test_answer_at_once_is_handled_at_once(self) -> None:
        """Whoever needs not wait is not held back."""
        self.session.await_answer(succeed("sunny"), self.handled.append, hold=True)
        self.assertEqual(self.handled, ["sunny"])
        self.assertFalse(self.terminal.is_paused)

    def test_refusal_is_told(self) -> None:
        """An error that a client may know of is told, and he stays."""
        self.session.await_answer(self.answer, self.handled.append)
        self.answer.errback(NoFlightPlan())
        self.server.turn()
        self.assertEqual(self.terminal.read(), ["$ERserver:KLM1:008::No flightplan"])
        self.assertEqual(self.handled, [])
        self.assertFalse(self.terminal.is_closed)

    def test_refusal_may_be_taken_otherwise(self) -> None:
        """Who asks may say what becomes of a refusal."""
        errors: list[RumError] = []
        self.session.await_answer(self.answer, self.handled.append, errors.append)
        self.answer.errback(NoFlightPlan())
        self.server.turn()
        self.assertIsInstance(errors[0], NoFlightPlan)
        self.assertEqual(self.terminal.read(), [])

    def assert_closed_for_a_bug(self) -> None:
        """Check that the pilot was disconnected, and the operator told."""
        self.assertEqual(len(self.flushLoggedErrors(OurMistake)), 1)
        self.server.turn()
        self.assertTrue(self.terminal.is_closed)
        self.assertEqual(self.terminal.read(), [])
        self.assertEqual(self.witness.read(), ["#DPKLM1:1000001"])

    def test_unexpected_failure_closes_and_is_logged(self) -> None:
        """A bug costs this connection and leaves its traceback; others go on."""
        self.session.await_answer(self.answer, self.handled.append)
        self.answer.errback(OurMistake())
        self.assert_closed_for_a_bug()

    def test_unexpected_failure_at_once_closes_as_well(self) -> None:
        """It does not matter when the bug shows."""
        mistake: Deferred[object] = fail(OurMistake())
        self.session.await_answer(mistake, self.handled.append, hold=True)
        self.assert_closed_for_a_bug()

    def test_bug_in_the_handling_closes_and_is_logged(self) -> None:
        """Neither does it matter who made it."""

        def stumble(result: object) -> None:
            raise OurMistake(result)

        self.session.await_answer(self.answer, stumble)
        self.answer.callback("sunny")
        self.assert_closed_for_a_bug()

    def test_answer_after_the_end_is_dropped(self) -> None:
        """Who has left meanwhile gets nothing, even if the answer cannot be stopped."""
        unstoppable: Deferred[object] = Deferred(lambda one: one.callback("sunny"))
        self.session.await_answer(unstoppable, self.handled.append)
        self.terminal.hang_up()
        self.assertEqual(self.handled, [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_waiting_ends_with_the_session(self) -> None:
        """Who leaves gives up what he waits for, in every form of leaving."""
        for leave in (
            lambda terminal: terminal.hang_up(),
            lambda terminal: terminal.say("#DPTRA3"),
            lambda terminal: terminal.protocol.disconnect(),
        ):
            terminal = self.server.log_on_pilot("TRA3")
            ends: list[object] = []
            answers = [Deferred[object](ends.append) for _ in range(3)]
            for answer in answers:
                terminal.session.await_answer(answer, self.handled.append)
            leave(terminal)
            self.server.turn()
            self.assertEqual(ends, answers)
            self.assertEqual(self.handled, [])
        self.assertEqual(self.flushLoggedErrors(CancelledError), [])

    def test_held_client_waits_in_order(self) -> None:
        """What is said behind a question that holds is handled after its answer."""
        self.session.await_answer(self.answer, self.handled.append, hold=True)
        self.assertTrue(self.terminal.is_paused)
        self.terminal.say(PING)
        self.assertEqual(self.terminal.read(), [])
        self.answer.callback("sunny")
        self.server.turn()
        self.assertEqual(self.terminal.read(), [PONG])
        self.assertFalse(self.terminal.is_paused)

    def test_many_questions_hold_the_client_back(self) -> None:
        """One client waits for sixteen answers at a time, and no more."""
        answers = [Deferred[object]() for _ in range(MAX_PENDING)]
        for answer in answers[:-1]:
            self.session.await_answer(answer, self.handled.append)
        self.terminal.say(PING)
        self.assertEqual(self.terminal.read(), [PONG])
        self.session.await_answer(answers[-1], self.handled.append)
        self.terminal.say(PING)
        self.assertEqual(self.terminal.read(), [])
        answers[7].callback("sunny")
        self.server.turn()
        self.assertEqual(self.terminal.read(), [PONG])

    def test_failed_question_lets_the_held_client_go_on(self) -> None:
        """A refusal ends the wait as an answer does."""
        self.session.await_answer(self.answer, self.handled.append, hold=True)
        self.answer.errback(NoFlightPlan())
        self.terminal.say(PING)
        self.assertEqual(self.terminal.read()[-1], PONG)


class WeatherLaterTests(SynchronousTestCase):
    """Weather that takes its time."""

    @override
    def setUp(self) -> None:
        """Put a pilot on whose weather is held back."""
        self.weather = LaterWeather(MemoryWeather(REPORTS))
        self.server = MemoryServer(weather=self.weather)
        self.terminal = self.server.log_on_pilot("KLM1")

    def test_answer_leaves_when_it_is_known(self) -> None:
        """A late report is sent at once, without waiting for somebody to speak."""
        self.terminal.say("$AXKLM1:SERVER:METAR:EHAM")
        self.assertEqual(self.terminal.read(), [])
        self.weather.release()
        self.assertEqual(
            self.terminal.read(), [f"$ARserver:KLM1:METAR:{REPORTS['EHAM']}"]
        )

    def test_missing_report_is_told_when_it_is_known(self) -> None:
        """A late error 009 is sent at once as well."""
        self.terminal.say("$AXKLM1:SERVER:METAR:zzzz", "#WXKLM1:SERVER:YYYY")
        self.weather.release_all()
        self.assertEqual(
            self.terminal.read(),
            [
                "$ERserver:KLM1:009:zzzz:No such weather profile",
                "$ERserver:KLM1:009:YYYY:No such weather profile",
            ],
        )

    def test_others_are_served_meanwhile(self) -> None:
        """Neither the asker nor anybody else waits for the weather."""
        other = self.server.log_on_pilot("AFR2")
        self.terminal.say("$AXKLM1:SERVER:METAR:EHAM", PING, "#TMKLM1:AFR2:hello")
        self.assertEqual(self.terminal.read(), [PONG])
        self.assertEqual(other.read(), ["#TMKLM1:AFR2:hello"])

    def test_questions_beyond_the_bound_are_asked_later(self) -> None:
        """Of a hundred questions in one segment sixteen are asked at a time."""
        self.terminal.say(*["$AXKLM1:SERVER:METAR:EHAM"] * 100)
        self.assertEqual(len(self.weather), MAX_PENDING)
        answered = 0
        while len(self.weather):
            self.assertLessEqual(len(self.weather), MAX_PENDING)
            self.weather.release()
            self.server.turn()
            answered += 1
        self.assertEqual(answered, 100)
        self.assertEqual(len(self.terminal.read()), 100)

    def test_asker_who_left_is_forgotten(self) -> None:
        """Nobody looks the weather up for somebody who has gone."""
        self.terminal.say("$AXKLM1:SERVER:METAR:EHAM", "#WXKLM1:SERVER:EHAM")
        self.terminal.hang_up()
        self.assertEqual((len(self.weather), self.weather.given_up), (0, 2))

    def test_bug_in_the_weather_costs_the_asker_only(self) -> None:
        """An unexpected failure ends one conversation; the others go on."""
        other = self.server.log_on_pilot("AFR2")
        self.terminal.say("#WXKLM1:SERVER:EHAM")
        self.weather.fail(OurMistake())
        self.server.turn()
        self.assertEqual(len(self.flushLoggedErrors(OurMistake)), 1)
        self.assertTrue(self.terminal.is_closed)
        self.assertFalse(other.is_closed)
        self.assertEqual(other.read(), ["#DPKLM1:1000001"])

    def test_network_without_weather_is_silent(self) -> None:
        """Where there is no source of weather, nothing is answered."""
        server = MemoryServer(weather=NoWeather())
        terminal = server.log_on_pilot("KLM1")
        terminal.say("$AXKLM1:SERVER:METAR:EHAM", "#WXKLM1:SERVER:EHAM", PING)
        self.assertEqual(terminal.read(), [PONG])

    def test_source_that_is_lost_later_is_silent(self) -> None:
        """It does not matter when it turns out that there is no source."""
        self.terminal.say("$AXKLM1:SERVER:METAR:EHAM")
        self.weather.fail(NoWeatherSource())
        self.assertEqual(self.terminal.read(), [])
        self.assertFalse(self.terminal.is_closed)


class EndTests(SynchronousTestCase):
    """The end of a conversation comes once, whatever brings it."""

    def test_everybody_hears_of_it_once(self) -> None:
        """However many ends come together, there is one departure."""
        server = MemoryServer()
        witness = server.log_on_pilot("AFR2")
        terminal = server.log_on_pilot("KLM1")
        terminal.session.close(Closing.LOGOFF)
        terminal.session.close(Closing.LOGOFF)
        terminal.session.end(Closing.LOST)
        terminal.protocol.disconnect()
        terminal.hang_up()
        terminal.session.end(Closing.LOST)
        server.turn()
        self.assertEqual(witness.read(), ["#DPKLM1:1000001"])
        self.assertEqual(len(server.roster), 1)

    def test_somebody_who_never_logged_on_leaves_in_silence(self) -> None:
        """A probe that connects and closes is nobody's departure."""
        server = MemoryServer()
        witness = server.log_on_pilot("AFR2")
        terminal = server.connect()
        terminal.hang_up()
        self.assertIs(terminal.session.phase, Phase.CLOSED)
        self.assertEqual(witness.read(), [])

    def test_phases_do_not_go_back(self) -> None:
        """Entering a phase that may not follow is a bug of ours."""
        session = connect().session
        self.assertRaises(AssertionError, session.enter, Phase.LOGGED_ON)
        session.end(Closing.LOST)
        for phase in Phase:
            self.assertRaises(AssertionError, session.enter, phase)

    def test_session_tells_who_and_where(self) -> None:
        """From the manhole one sees who speaks and how far he has come."""
        server = MemoryServer()
        fresh = server.connect()
        self.assertEqual(repr(fresh.session), "<Session of unknown: connected>")
        terminal = server.log_on_pilot("KLM1")
        self.assertEqual(repr(terminal.session), "<Session of KLM1: logged on>")

    def test_departure_is_logged(self) -> None:
        """The log tells who has gone, with his CID."""
        server = MemoryServer()
        terminal = server.log_on_pilot("KLM1")
        with capturedLogs() as logs:
            terminal.hang_up()
        events = [event for event in logs if event.get("callsign") == "KLM1"]
        self.assertEqual([event["cid"] for event in events], ["1000001"])


class ManyLinesTests(SynchronousTestCase):
    """More lines in one segment than are handled at a time."""

    def test_all_are_handled_in_order(self) -> None:
        """Three hundred pings in one segment are answered in their order."""
        terminal = MemoryServer().log_on_pilot("KLM1")
        terminal.say(*(f"$PIKLM1:SERVER:{number}" for number in range(300)))
        self.assertEqual(
            terminal.read(), [f"$POserver:KLM1:{number}" for number in range(300)]
        )

    def test_nothing_behind_the_end_is_handled(self) -> None:
        """Five hundred lines behind a logoff come to nothing, and nothing breaks."""
        server = MemoryServer()
        witness = server.log_on_pilot("AFR2")
        for before in (0, 50, 99, 100, 101):
            terminal = server.log_on_pilot("KLM1")
            lines = [PING] * before + ["#DPKLM1"] + ["#TMKLM1:AFR2:a ghost"] * 500
            terminal.say(*lines)
            self.assertEqual(terminal.read(), [PONG] * before)
            self.assertEqual(witness.read(), ["#DPKLM1:1000001"])
            self.assertTrue(terminal.is_closed)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_nothing_behind_a_refused_logon_is_handled(self) -> None:
        """Five hundred lines behind a refused logon come to nothing either."""
        server = MemoryServer()
        terminal = server.connect()
        bad = "#APKLM1:SERVER:1000001:wrong:1:9:2:Joe"
        terminal.say(bad, *["#APKLM1:SERVER:1000001:pw01:1:9:2:Joe"] * 500)
        self.assertEqual(
            terminal.read(), ["$ERserver:unknown:006:1000001:Invalid CID/password"]
        )
        self.assertEqual(len(server.roster), 0)

    def test_lines_behind_many_late_answers_keep_their_order(self) -> None:
        """Held and resumed in the middle of a long segment, no line is lost."""
        weather = LaterWeather(MemoryWeather(REPORTS))
        server = MemoryServer(weather=weather)
        terminal = server.log_on_pilot("KLM1")
        ask = "$AXKLM1:SERVER:METAR:EHAM"
        pings = [f"$PIKLM1:SERVER:{number}" for number in range(200)]
        lines = [line for ping in pings for line in (ask, ping)]
        terminal.say(*lines)
        release = partial(weather.release, -1)  # the newest first
        while len(weather):
            release()
            server.turn()
        pongs = [line for line in terminal.read() if line.startswith("$PO")]
        self.assertEqual(pongs, [f"$POserver:KLM1:{number}" for number in range(200)])
