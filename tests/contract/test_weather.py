"""What every source of weather promises, wherever it has its reports from."""

from math import inf, nan
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface.verify import verifyObject

from rum_twisted.session.interfaces import IWeather
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees, Seconds
from rum_twisted.weather.memory import MemoryWeather
from rum_twisted.weather.profiles import ProfiledWeather, ProfileFile
from rum_twisted.weather.source import MetarFile
from rum_twisted.weather.stations import Airport, Airports
from rum_twisted.world.metar import decode
from rum_twisted.world.weather import Weather
from tests.support.sources import CYCLE, MemoryWeb

SCHIPHOL = "EHAM 101225Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG"
HEATHROW = "METAR EGLL 101220Z AUTO 27010KT 1/2SM FG OVC002 10/10 Q1009"


class Contract:
    """Keeps the suite itself out of the test loader's sight."""

    class WeatherTests(SynchronousTestCase):
        """The promises of `IWeather`.

        The source under test knows the reports of ``EHAM`` and ``EGLL`` above.
        """

        heathrow = HEATHROW

        def make_weather(self) -> IWeather:
            """Return the source under test, with the two reports."""
            raise NotImplementedError

        @override
        def setUp(self) -> None:
            """Make a new source for each test."""
            self.weather = self.make_weather()

        def report(self, station: str, near: Position | None = None) -> str | None:
            """Return the report of a station, or of the one nearest to a place."""
            answer = self.weather.metar(station, near)
            self.let_it_come(answer)
            return self.successResultOf(answer)

        def let_it_come(self, answer: Deferred[Any]) -> None:
            """Let happen what has to happen before an answer; nothing, mostly."""

        def test_interface_is_whole(self) -> None:
            """A source has every method of the interface."""
            self.assertTrue(verifyObject(IWeather, self.weather))

        def test_report_is_found(self) -> None:
            """The report of a known station is its text."""
            self.assertEqual(self.report("EHAM"), SCHIPHOL)
            self.assertEqual(self.report("EGLL"), self.heathrow)

        def test_first_four_letters_count_in_any_case(self) -> None:
            """Pilots type stations in small letters, or with something behind."""
            for station in ("eham", "EhAm", "EHAM1", "EHAM Schiphol"):
                self.assertEqual(self.report(station), SCHIPHOL, station)

        def test_unknown_station_has_no_report(self) -> None:
            """Whatever else is asked for, the answer is that there is none."""
            for station in (
                "ZZZZ",
                "",
                "E",
                "EHA",
                " EHAM",
                "\0EHA",
                "META",
                "EHA\xff",
                "\u4e2d\u6587\u4e2d\u6587",
                "X" * 100_000,
            ):
                self.assertIsNone(self.report(station), station[:10])
                weather = self.successResultOf(self.weather.weather(station))
                self.assertIsNone(weather, station[:10])

        def test_nearest_station_where_none_is_named(self) -> None:
            """Without a station the nearest airport that has a report counts."""
            for place, report in (
                (Position(Degrees(52.0), Degrees(4.4)), SCHIPHOL),  # Rotterdam
                (Position(Degrees(51.2), Degrees(-0.2)), self.heathrow),  # Gatwick
            ):
                self.assertEqual(self.report("", place), report)
                weather = self.weather.weather("", place)
                self.let_it_come(weather)
                self.assertEqual(self.successResultOf(weather), decode(report))

        def test_named_station_counts_wherever_one_is(self) -> None:
            """Whoever names a station gets that one's report."""
            london = Position(Degrees(51.5), Degrees(-0.5))
            self.assertEqual(self.report("EHAM", london), SCHIPHOL)

        def test_nobody_is_near(self) -> None:
            """Far out, off the earth, and nowhere at all there is no report."""
            for place in (
                None,
                Position(Degrees(0.0), Degrees(-30.0)),
                Position(Degrees(1e300), Degrees(-1e300)),
                Position(Degrees(nan), Degrees(inf)),
            ):
                self.assertIsNone(self.report("", place), place)

        def test_weather_is_the_decoded_report(self) -> None:
            """The layers are those that the report tells."""
            weather = self.successResultOf(self.weather.weather("eham"))
            self.assertEqual(weather, decode(SCHIPHOL))

        def test_cancelling_ends_quietly(self) -> None:
            """A client who leaves while he waits disturbs nobody."""
            for look_up in (self.weather.metar("EHAM"), self.weather.weather("EHAM")):
                deferred: Deferred[object] = look_up.addErrback(lambda _: None)
                deferred.cancel()
                self.successResultOf(deferred)


class ProfiledWeatherTests(Contract.WeatherTests):
    """A source behind weather that operators make, of which none is in effect."""

    @override
    def make_weather(self) -> IWeather:
        """Return a source in memory behind profiles."""
        profiles = ProfileFile(Path(self.mktemp()), lambda: Seconds(0.0))
        profiles.create("EHAM", Weather())
        source = MemoryWeatherTests.make_weather(MemoryWeatherTests())
        return ProfiledWeather(source, profiles, lambda: Seconds(0.0))


class MemoryWeatherTests(Contract.WeatherTests):
    """Reports kept in memory."""

    @override
    def make_weather(self) -> IWeather:
        """Return a source with the two reports."""
        airports = [
            Airport(name, Position(Degrees(latitude), Degrees(longitude)), is_busy=True)
            for name, latitude, longitude in (
                (b"EHAM", 52.31, 4.76),
                (b"EHRD", 51.96, 4.44),
                (b"EGLL", 51.48, -0.46),
            )
        ]
        return MemoryWeather({"eham": SCHIPHOL, "EGLL": HEATHROW}, airports)


class MetarFileTests(Contract.WeatherTests):
    """Reports in a file."""

    @override
    def make_weather(self) -> IWeather:
        """Return a started source with a file of the two reports."""
        path = Path(self.mktemp())
        path.write_text(f"{SCHIPHOL}=\r\n{HEATHROW}=\r\n")
        self.clock = Clock()
        weather = MetarFile(path, self.clock, Airports(self.clock))
        weather.startService()
        self.addCleanup(weather.stopService)
        self.clock.advance(0)
        return weather

    @override
    def let_it_come(self, answer: Deferred[Any]) -> None:
        """Let the airports be read."""
        self.clock.advance(0)


class HttpWeatherTests(Contract.WeatherTests):
    """Reports from the web, all of them in one file.

    They begin with the station, whatever a source puts in front of it.
    """

    heathrow = HEATHROW.removeprefix("METAR ")

    @override
    def make_weather(self) -> IWeather:
        """Return a started source that has fetched the two reports."""
        self.net = MemoryWeb([CYCLE], "keep_for=604800", has_airports=True)
        # The reports are of the 10th of a month, and so is the day.
        self.net.clock.advance(-11 * 86400 + 1800)
        self.net.web.answers["one.example/cycle/12"] = (
            f"{SCHIPHOL}=\r\n{HEATHROW}=\r\n".encode()
        )
        self.net.weather.startService()
        self.addCleanup(self.net.weather.stopService)
        self.net.run()
        return self.net.weather

    @override
    def let_it_come(self, answer: Deferred[Any]) -> None:
        """Let the airports be read, and the sources be asked."""
        self.net.run()
