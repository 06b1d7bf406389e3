"""Weather from the web: who is answered what, when, and at whose expense."""

from random import Random
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from twisted.web.server import NOT_DONE_YET, Request
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees
from rum_twisted.weather.fetch import Fetcher
from rum_twisted.weather.http import HttpWeather
from rum_twisted.weather.stations import Airports
from tests.support.builders import NOON
from tests.support.sources import (
    CYCLE,
    JSON,
    RAW,
    SECOND,
    MemoryWeb,
    report_of,
    weather_settings,
)

T = TypeVar("T")

EHAM = report_of("EHAM")


class WebTestCase(SynchronousTestCase):
    """Weather that is started and stopped."""

    @override
    def setUp(self) -> None:
        """Start with one source."""
        self.start([RAW])

    def start(self, sources: list[str], *assignments: str) -> None:
        """Start anew, with other settings."""
        self.net = MemoryWeb(sources, *assignments)
        self.web = self.net.web
        self.weather = self.net.weather
        self.weather.startService()
        self.net.run()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        """Stop, and see that nothing is left behind."""
        stopped = self.weather.stopService()
        self.net.clock.advance(0)
        self.successResultOf(stopped)
        self.assertEqual(self.net.clock.getDelayedCalls(), [])

    def ask(self, station: str = "EHAM") -> Deferred[str | None]:
        """Ask for a report, and let happen what happens at once."""
        answer = self.weather.metar(station)
        self.net.run()
        return answer

    def report(self, station: str = "EHAM") -> str | None:
        """Return a report that comes at once."""
        return self.successResultOf(self.ask(station))

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.net.clock.advance(seconds)
        self.net.run()


class AnswerTests(WebTestCase):
    """What a client is answered."""

    def test_report_is_fetched_and_kept(self) -> None:
        """The first who asks waits for the source, the second does not."""
        self.net.serve("EHAM")
        self.assertEqual(self.report(), EHAM)
        # Nothing runs between question and answer: it was there.
        self.assertEqual(self.successResultOf(self.weather.metar("eham")), EHAM)
        self.assertEqual(self.web.requests, ["one.example/raw/EHAM"])

    def test_one_fetch_for_all_who_ask(self) -> None:
        """A hundred who ask at one moment cost the source one request."""
        self.web.answers["one.example/raw/EHAM"] = self.web.hold
        answers = [self.ask() for _ in range(100)]
        request = self.web.held.pop()
        request.write(EHAM.encode())
        request.finish()
        self.net.run()
        for answer in answers:
            self.assertEqual(self.successResultOf(answer), EHAM)
        self.assertEqual(len(self.web.requests), 1)

    def test_answer_within_the_bound(self) -> None:
        """While a source hangs, a client reads after 3 seconds that there is none."""
        self.web.answers["one.example/raw/EHAM"] = self.web.hold
        answer = self.ask()
        self.wait(2.9)
        self.assertNoResult(answer)
        self.wait(0.2)
        self.assertIsNone(self.successResultOf(answer))

    def test_late_report_is_for_the_next(self) -> None:
        """What comes after the bound is kept."""
        self.web.answers["one.example/raw/EHAM"] = self.web.hold
        answer = self.ask()
        self.wait(5)
        self.assertIsNone(self.successResultOf(answer))
        self.web.held[0].write(EHAM.encode())
        self.web.held[0].finish()
        self.net.run()
        self.assertEqual(self.successResultOf(self.weather.metar("EHAM")), EHAM)

    def test_who_leaves_takes_nobody_with_him(self) -> None:
        """One of two who wait goes; the other is answered."""
        self.web.answers["one.example/raw/EHAM"] = self.web.hold
        gone, stays = self.ask(), self.ask()
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        self.web.held[0].write(EHAM.encode())
        self.web.held[0].finish()
        self.net.run()
        self.assertEqual(self.successResultOf(stays), EHAM)

    def test_station_without_report_is_remembered(self) -> None:
        """That there is none is asked for once in five minutes."""
        self.assertIsNone(self.report("ZZZZ"))
        self.assertIsNone(self.report("ZZZZ"))
        self.assertEqual(len(self.web.requests), 1)
        self.wait(301)
        self.net.serve("ZZZZ")
        self.assertEqual(self.report("ZZZZ"), report_of("ZZZZ"))

    def test_what_is_no_station_is_not_asked_for(self) -> None:
        """Nothing that a client types gets into a source's address."""
        for text in ("E", "EHA", "../x", "%2e%2", "1234", "EH M", "\xe9HAM", "EH&x=1"):
            self.assertIsNone(self.successResultOf(self.weather.metar(text)), text)
        self.assertEqual(self.web.requests, [])

    def test_report_as_json(self) -> None:
        """A source may answer with JSON that has the report somewhere in it."""
        self.start([JSON])
        self.web.answers["one.example/json/EHAM"] = (
            f'[{{"icaoId": "EHAM", "rawOb": "METAR {EHAM}"}}]'.encode()
        )
        self.assertEqual(self.report(), EHAM)
        self.web.answers["one.example/json/ZZZZ"] = b"[]"
        self.assertIsNone(self.report("ZZZZ"))

    def test_weather_is_decoded(self) -> None:
        """The layers are those of the report, the thunderstorm included."""
        self.net.serve("EHAM", EHAM.replace("FEW018", "+TSRA FEW018CB"))
        looked_up = self.weather.weather("EHAM")
        self.net.run()
        weather = self.successResultOf(looked_up)
        assert weather is not None
        self.assertEqual(weather.winds[0].speed, 12)
        self.assertEqual(weather.thunderstorm.floor, 1800)


class AgeTests(WebTestCase):
    """Old reports."""

    def test_old_report_is_answered_and_renewed(self) -> None:
        """After five minutes a report is still told at once, and a newer fetched."""
        self.net.serve("EHAM")
        self.report()
        self.wait(301)
        newer = report_of("EHAM", "211205Z")
        self.net.serve("EHAM", newer)
        self.assertEqual(self.successResultOf(self.weather.metar("EHAM")), EHAM)
        self.net.run()
        self.assertEqual(self.successResultOf(self.weather.metar("EHAM")), newer)

    def test_earlier_report_replaces_no_later_one(self) -> None:
        """A source that lags behind does not take a report back."""
        self.net.serve("EHAM")
        self.report()
        self.wait(301)
        self.net.serve("EHAM", report_of("EHAM", "211120Z"))
        self.report()
        self.assertEqual(self.report(), EHAM)

    def test_stale_report_is_told_until_it_is_too_old(self) -> None:
        """With all sources away, a report is told for four hours, and is no more."""
        self.net.serve("EHAM")
        self.report()
        self.web.answers["one.example/raw/EHAM"] = 500
        self.assertEqual(self.weather.status().stale, 0)
        self.wait(2 * 3600)
        self.assertEqual(self.report(), EHAM)
        self.assertEqual(self.weather.status().stale, 1)
        self.wait(1.9 * 3600)
        self.assertIsNone(self.report())

    def test_report_of_another_year_is_none(self) -> None:
        """A date above a report tells that its station has closed long ago."""
        self.net.serve("EHAM", f"2012/05/21 11:50\n{EHAM}")
        self.assertIsNone(self.report())
        self.net.serve("EGLL", f"2026/11/21 11:50\n{report_of('EGLL')}")
        self.assertEqual(self.report("EGLL"), report_of("EGLL"))

    def test_unchanged_report_is_not_sent_again(self) -> None:
        """A source with an ETag is asked whether it has anything new."""

        def answer(request: Request) -> bytes:
            unchanged = request.setETag(b'"7"')
            return b"" if unchanged else EHAM.encode()

        self.web.answers["one.example/raw/EHAM"] = answer
        self.report()
        self.wait(301)
        self.report()
        self.wait(1)
        self.report()
        self.assertEqual(
            [it.get("if-none-match") for it in self.web.headers], [None, '"7"']
        )

    def test_date_of_change_serves_as_well(self) -> None:
        """A source with Last-Modified is asked with If-Modified-Since."""

        def answer(request: Request) -> bytes:
            request.setHeader("last-modified", "Sat, 21 Nov 2026 11:55:00 GMT")
            return EHAM.encode()

        self.web.answers["one.example/raw/EHAM"] = answer
        self.report()
        self.wait(301)
        self.report()
        self.assertEqual(
            self.web.headers[1]["if-modified-since"], "Sat, 21 Nov 2026 11:55:00 GMT"
        )


class SourcesTests(WebTestCase):
    """More than one source."""

    def test_next_source_when_one_fails(self) -> None:
        """A source that fails, or has nothing, hands over at once."""
        self.start([RAW, SECOND])
        self.net.serve("EHAM", host="two")
        self.net.serve("EGLL", host="two")
        self.web.answers["one.example/raw/EHAM"] = 503
        self.assertEqual(self.report(), EHAM)
        self.assertEqual(self.report("EGLL"), report_of("EGLL"))

    def test_next_source_when_one_is_slow(self) -> None:
        """One that hangs costs a second; then the next is asked as well."""
        self.start([RAW, SECOND])
        self.web.answers["one.example/raw/EHAM"] = self.web.hold
        self.net.serve("EHAM", host="two")
        answer = self.ask()
        self.assertNoResult(answer)
        self.wait(1.0)
        self.assertEqual(self.successResultOf(answer), EHAM)

    def test_source_that_hangs_is_left_alone(self) -> None:
        """While the next one answers, nobody waits a second for it again and again."""
        self.start([RAW, SECOND])
        for name in ("EHAM", "EGLL", "LFPG"):
            self.web.answers[f"one.example/raw/{name}"] = self.web.hold
            self.net.serve(name, host="two")
            self.ask(name)
            self.wait(1.0)
        self.net.serve("EDDF", host="two")
        self.assertEqual(self.report("EDDF"), report_of("EDDF"))
        self.assertNotIn("one.example/raw/EDDF", self.web.requests)

    def test_race(self) -> None:
        """With next_after = 0 all are asked at once."""
        self.start([RAW, SECOND], "next_after=0")
        self.web.answers["one.example/raw/EHAM"] = self.web.hold
        self.net.serve("EHAM", host="two")
        self.assertEqual(self.report(), EHAM)
        self.assertEqual(len(self.web.requests), 2)
        self.assertEqual(self.weather.status().sources[0].failures, 0)

    def test_failing_source_is_left_alone(self) -> None:
        """After three failures in a row it is not asked for a while, then once."""
        self.start([RAW, SECOND])
        for name in ("EHAM", "EGLL", "LFPG", "EDDF", "LSZH", "LOWW"):
            self.web.answers[f"one.example/raw/{name}"] = 500
            self.net.serve(name, host="two")
        with capturedLogs() as events:
            for name in ("EHAM", "EGLL", "LFPG", "EDDF"):
                self.assertEqual(self.report(name), report_of(name))
        asked = [it for it in self.web.requests if it.startswith("one")]
        self.assertEqual(len(asked), 3)
        warnings = [it for it in events if it["log_level"] is LogLevel.warn]
        self.assertEqual(len(warnings), 1)
        self.assertIn("HTTP status 500", warnings[0]["trouble"])
        self.wait(11)
        self.net.serve("LSZH")
        with capturedLogs() as events:
            self.report("LSZH")
        self.assertEqual(self.web.requests[-1], "one.example/raw/LSZH")
        self.assertEqual(
            [it["log_format"] for it in events if it["log_level"] is LogLevel.info],
            ["weather: {source} answers again"],
        )

    def test_changed_format_hands_over(self) -> None:
        """A source that answers with a page for people has failed."""
        self.start([RAW, SECOND])
        self.web.answers["one.example/raw/EHAM"] = b"<html>We have moved!</html>"
        self.net.serve("EHAM", host="two")
        self.assertEqual(self.report(), EHAM)
        trouble = self.weather.status().sources[0].trouble
        self.assertIn("without a report of EHAM", trouble)

    def test_three_bytes_are_no_report(self) -> None:
        """An answer of three bytes harms nobody."""
        self.web.answers["one.example/raw/EHAM"] = b"abc"
        self.assertIsNone(self.report())
        self.assertEqual(self.weather.status().sources[0].failures, 1)

    def test_operator_reads_that_no_source_is_left(self) -> None:
        """One warning when the last source fails, one line when one is back."""
        for name in ("EHAM", "EGLL", "LFPG", "EDDF"):
            self.web.answers[f"one.example/raw/{name}"] = 500
        with capturedLogs() as events:
            for name in ("EHAM", "EGLL", "LFPG", "EDDF", "EHAM"):
                self.assertIsNone(self.report(name))
        formats = [it["log_format"] for it in events]
        self.assertEqual(sum("no source answers" in it for it in formats), 1)
        self.wait(11)
        self.net.serve("EHAM")
        with capturedLogs() as events:
            self.assertEqual(self.report(), EHAM)
        formats = [it["log_format"] for it in events]
        self.assertEqual(sum("a source answers again" in it for it in formats), 1)

    def test_log_never_shows_a_query(self) -> None:
        """A key in a source's address is a secret."""
        self.start(
            ["raw http://one.example/raw/{station}?key=hush"], "breaker_failures=1"
        )
        self.web.answers["one.example/raw/EHAM?key=hush"] = 500
        with capturedLogs() as events:
            self.report()
        self.assertTrue(events)
        self.assertNotIn("hush", repr(events))
        self.assertNotIn("hush", repr(self.weather.status()))


class BoundTests(WebTestCase):
    """How much may be asked for at a time."""

    def test_stations_wait_for_each_other(self) -> None:
        """Only so many stations are asked for at once, and only so many wait."""
        self.start([RAW], "max_fetches=2", "max_waiting=3")
        names = ["EHAM", "EGLL", "LFPG", "EDDF", "LSZH", "LOWW"]
        for name in names:
            self.web.answers[f"one.example/raw/{name}"] = self.web.hold
        answers = [self.ask(name) for name in names]
        self.assertEqual(len(self.web.requests), 2)
        for answer in answers[:5]:
            self.assertNoResult(answer)
        self.assertIsNone(self.successResultOf(answers[5]))
        self.assertEqual(self.weather.status().waiting, 5)

    def test_slow_source_is_given_up(self) -> None:
        """After request_timeout a request ends, and the next station has its turn."""
        self.start([RAW], "max_fetches=1")
        self.web.answers["one.example/raw/EHAM"] = self.web.hold
        self.net.serve("EGLL")
        self.ask("EHAM")
        self.ask("EGLL")
        self.assertEqual(len(self.web.requests), 1)
        self.wait(10.1)
        self.assertEqual(self.report("EGLL"), report_of("EGLL"))
        self.assertEqual(len(self.web.requests), 2)

    def test_long_answer_is_cut(self) -> None:
        """Past max_answer nothing is read, and the source has failed."""
        self.start([RAW], "max_answer=256")
        self.net.serve("EHAM", "X" * 200 + "\n" + EHAM)
        self.net.serve("EGLL", "X" * (256 - 74) + "\n" + report_of("EGLL"))
        self.assertIsNone(self.report())
        self.assertIn("256", self.weather.status().sources[0].trouble)
        self.assertEqual(self.report("EGLL"), report_of("EGLL"))

    def test_cache_is_bounded(self) -> None:
        """The report that was asked for the longest time ago goes."""
        self.start([RAW], "cache_reports=2")
        for name in ("EHAM", "EGLL", "EHAM", "LFPG"):
            self.net.serve(name)
            self.report(name)
        self.assertEqual(self.weather.status().reports, 2)
        requests = len(self.web.requests)
        self.report("EHAM")
        self.assertEqual(len(self.web.requests), requests)


class CycleTests(WebTestCase):
    """Files of all stations."""

    def cycle(self, *stations: str, time: str = "211150Z") -> bytes:
        """Return a file of reports."""
        reports = (f"2026/11/21 11:50\n{report_of(it, time)}\n\n" for it in stations)
        return "".join(reports).encode()

    def test_files_are_fetched_at_the_start(self) -> None:
        """The files of this and of the last hour are read, without being asked."""
        net = MemoryWeb([CYCLE])
        net.web.answers["one.example/cycle/11"] = self.cycle("EHAM", "EGLL")
        net.web.answers["one.example/cycle/12"] = self.cycle("LFPG", time="211155Z")
        net.weather.startService()
        net.run()
        for name in ("EHAM", "EGLL", "LFPG"):
            answer = self.successResultOf(net.weather.metar(name))
            assert answer is not None
            self.assertEqual(answer[:4], name)
        self.assertIsNone(self.successResultOf(net.weather.metar("EDDF")))
        stopped = net.weather.stopService()
        net.clock.advance(0)
        self.successResultOf(stopped)

    def test_files_are_fetched_again(self) -> None:
        """Every ten minutes, by the clock; in the last quarter the next hour's."""
        self.start([CYCLE])
        self.assertEqual(
            self.web.requests, ["one.example/cycle/11", "one.example/cycle/12"]
        )
        del self.web.requests[:]
        for _ in range(5):
            self.wait(600)
        self.assertEqual(len(self.web.requests), 10)
        self.assertEqual(self.web.requests[-1], "one.example/cycle/13")

    def test_refresh(self) -> None:
        """An operator has them fetched now, and from then on by the clock again."""
        self.start([CYCLE])
        del self.web.requests[:]
        self.wait(100)
        begun = self.net.weather.refresh()
        self.net.run()
        self.assertEqual((begun, len(self.web.requests)), (True, 2))
        self.wait(550)
        self.assertEqual(len(self.web.requests), 2)
        self.wait(50)
        self.assertEqual(len(self.web.requests), 4)

    def test_refresh_while_they_are_fetched(self) -> None:
        """It is under way; and single reports are not fetched before they are asked."""
        net = MemoryWeb([CYCLE])
        net.web.answers["one.example/cycle/11"] = net.web.hold
        net.weather.startService()
        self.addCleanup(net.weather.stopService)
        net.run()
        self.assertEqual([net.weather.refresh()], [False])
        self.start([RAW])
        self.assertIsNone(self.net.weather.refresh())

    def test_asker_waits_for_a_file_that_comes(self) -> None:
        """Who asks while the first file is read is answered from it."""
        net = MemoryWeb([CYCLE])
        net.web.answers["one.example/cycle/11"] = net.web.hold
        net.weather.startService()
        self.addCleanup(net.weather.stopService)
        net.run()
        answer = net.weather.metar("EHAM")
        net.run()
        self.assertNoResult(answer)
        net.web.held[0].write(self.cycle("EHAM"))
        net.web.held[0].finish()
        net.run()
        self.assertEqual(self.successResultOf(answer), EHAM)

    def test_single_reports_come_from_other_sources(self) -> None:
        """A station that is in no file is asked for by name."""
        self.start([CYCLE, RAW])
        self.net.serve("EHAM")
        self.assertEqual(self.report(), EHAM)

    def test_file_without_reports_is_a_failure(self) -> None:
        """A page for people in the place of a file is no file."""
        net = MemoryWeb([CYCLE])
        for hour in (11, 12):
            page = b"<html>\nmoved\n</html>\n"
            net.web.answers[f"one.example/cycle/{hour}"] = page
        net.weather.startService()
        self.addCleanup(net.weather.stopService)
        net.run()
        self.assertIn("without a report", net.weather.status().sources[0].trouble)

    def test_reports_of_yesterday_are_dropped(self) -> None:
        """An hour's file is yesterday's until it is written anew."""
        net = MemoryWeb([CYCLE])
        net.web.answers["one.example/cycle/12"] = self.cycle("EHAM", time="201150Z")
        net.weather.startService()
        self.addCleanup(net.weather.stopService)
        net.run()
        self.assertEqual(net.weather.status().reports, 0)


class NearestTests(WebTestCase):
    """Who names no station gets the weather of the nearest airport."""

    AMSTERDAM = Position(Degrees(52.31), Degrees(4.76))

    @override
    def start(self, sources: list[str], *assignments: str) -> None:
        """Start with the world's airports."""
        self.net = MemoryWeb(sources, *assignments, has_airports=True)
        self.web = self.net.web
        self.weather = self.net.weather
        self.weather.startService()
        self.addCleanup(self.stop)

    def nearest(self, place: Position | None = AMSTERDAM) -> Deferred[str | None]:
        """Ask without a station."""
        answer = self.weather.metar("", place)
        self.net.run()
        return answer

    def test_busy_airports_around_are_asked(self) -> None:
        """Of the three nearest with airlines, the nearest that has a report counts."""
        self.net.serve("EHRD")
        self.assertEqual(self.successResultOf(self.nearest()), report_of("EHRD"))
        asked = [path[-4:] for path in self.web.requests]
        self.assertEqual(asked, ["EHAM", "EHRD", "EHLE"])

    def test_known_report_is_told_at_once(self) -> None:
        """Nobody waits for a nearer report; it is fetched for the next one."""
        self.net.serve("EHRD")
        self.report("EHRD")
        self.net.serve("EHAM")
        self.nearest()
        self.wait(0)
        answer = self.weather.metar("", self.AMSTERDAM)
        self.assertEqual(self.successResultOf(answer), report_of("EHAM"))

    def test_answer_within_the_bound(self) -> None:
        """While sources hang, a client reads in time that there is none."""
        for name in ("EHAM", "EHRD", "EHLE"):
            self.web.answers[f"one.example/raw/{name}"] = self.web.hold
        answer = self.nearest()
        self.wait(2.9)
        self.assertNoResult(answer)
        self.wait(0.2)
        self.assertIsNone(self.successResultOf(answer))

    def test_operator_may_turn_it_off(self) -> None:
        """With nearest_within = 0 nobody is asked."""
        self.start([RAW], "nearest_within=0")
        self.assertIsNone(self.successResultOf(self.nearest()))
        self.assertEqual(self.web.requests, [])


class LifeTests(WebTestCase):
    """Starting and stopping."""

    def test_stopped_weather_asks_nobody(self) -> None:
        """Who waits is told that there is none, and who comes later too."""
        self.web.answers["one.example/raw/EHAM"] = self.web.hold
        answer = self.ask()
        stopped = self.weather.stopService()
        self.net.clock.advance(0)
        self.successResultOf(stopped)
        self.assertIsNone(self.successResultOf(answer))
        self.assertIsNone(self.report("EGLL"))
        self.assertEqual(len(self.web.requests), 1)

    def test_stopping_while_a_file_is_read(self) -> None:
        """The file is given up, and who waits for it is told that there is none."""
        net = MemoryWeb([CYCLE])
        net.web.answers["one.example/cycle/11"] = net.web.hold
        net.weather.startService()
        net.run()
        answer = net.weather.metar("EHAM")
        net.run()
        stopped = net.weather.stopService()
        net.clock.advance(0)
        self.successResultOf(stopped)
        self.assertIsNone(self.successResultOf(answer))
        self.assertEqual(net.clock.getDelayedCalls(), [])

    def test_starting_again(self) -> None:
        """It can be started and stopped twice without harm."""
        self.weather.startService()
        for _ in range(2):
            stopped = self.weather.stopService()
            self.net.clock.advance(0)
            self.successResultOf(stopped)
        self.weather.startService()
        self.net.serve("EHAM")
        self.assertEqual(self.report(), EHAM)

    def test_repr_tells_the_state(self) -> None:
        """An operator who looks at it sees how much it knows."""
        self.net.serve("EHAM")
        self.report()
        self.assertIn("1 reports", repr(self.weather))


@implementer(IAgent)
class BrokenAgent:
    """Has a bug."""

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,  # noqa: N803 - Twisted's name
    ) -> Deferred[IResponse]:
        """Fail as nobody expects."""
        raise RuntimeError(uri)


class BugTests(SynchronousTestCase):
    """Mistakes of our own."""

    def test_bug_is_logged_and_harms_nobody(self) -> None:
        """The client reads that there is no report; the log has the traceback."""
        clock = Clock()
        weather = HttpWeather(
            weather_settings([RAW, CYCLE]),
            Fetcher(BrokenAgent(), clock),
            clock,
            lambda: NOON,
            Airports(clock),
            Random(1),  # noqa: S311
        )
        weather.startService()
        answer = weather.metar("EHAM")
        clock.advance(0)
        self.assertIsNone(self.successResultOf(answer))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)
        self.assertEqual([it.failures for it in weather.status().sources], [1, 2])
        stopped = weather.stopService()
        clock.advance(0)
        self.successResultOf(stopped)
        self.assertEqual(clock.getDelayedCalls(), [])


class TransferTests(WebTestCase):
    """Answers that are not what they should be."""

    def test_packed_answer_is_refused(self) -> None:
        """What is compressed is not unpacked, since it may be of any size then."""

        def answer(request: Request) -> bytes:
            request.setHeader("content-encoding", "gzip")
            return b"\x1f\x8b whatever"

        self.web.answers["one.example/raw/EHAM"] = answer
        self.assertIsNone(self.report())
        self.assertIn("gzip", self.weather.status().sources[0].trouble)
        self.assertEqual(self.web.headers[0]["accept-encoding"], "identity")

    def test_redirect_is_followed(self) -> None:
        """A source that has moved is followed, but not for ever."""

        def moved(request: Request) -> bytes:
            request.redirect(b"/raw/EGLL")
            return b""

        def loop(request: Request) -> bytes:
            request.redirect(b"/raw/LFPG")
            return b""

        self.web.answers["one.example/raw/EHAM"] = moved
        self.web.answers["one.example/raw/EGLL"] = EHAM.encode()
        self.assertEqual(self.report(), EHAM)
        self.web.answers["one.example/raw/LFPG"] = loop
        self.assertIsNone(self.report("LFPG"))
        self.assertIn("redirects", self.weather.status().sources[0].trouble)

    def test_tls_is_not_begun_without_openssl(self) -> None:
        """A redirect to TLS is refused where no source was said to need it."""

        def secure(request: Request) -> bytes:
            request.redirect(b"https://one.example/raw/EHAM")
            return b""

        self.web.answers["one.example/raw/EHAM"] = secure
        self.assertIsNone(self.report())
        self.assertIn("TLS", self.weather.status().sources[0].trouble)

    def test_cookies_are_not_kept(self) -> None:
        """A source cannot make the server keep anything but reports."""

        def answer(request: Request) -> bytes:
            request.addCookie(b"id", b"1")
            return EHAM.encode()

        self.web.answers["one.example/raw/EHAM"] = answer
        self.report()
        self.wait(301)
        self.report()
        self.assertNotIn("cookie", self.web.headers[-1])

    def test_broken_off_answer_is_a_failure(self) -> None:
        """Half a report is none."""

        def half(request: Request) -> int:
            request.setHeader("content-length", "500")
            request.write(EHAM.encode())
            request.loseConnection()
            return NOT_DONE_YET

        self.web.answers["one.example/raw/EHAM"] = half
        self.assertIsNone(self.report())
        self.assertEqual(self.weather.status().sources[0].failures, 1)
