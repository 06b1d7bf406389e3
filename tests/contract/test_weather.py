"""What every source of weather promises, wherever it has its reports from."""

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface.verify import verifyObject

from rum_twisted.session.interfaces import IWeather
from rum_twisted.weather import MemoryWeather, MetarFile
from rum_twisted.world.metar import decode

SCHIPHOL = "EHAM 101225Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG"
HEATHROW = "METAR EGLL 101220Z AUTO 27010KT 1/2SM FG OVC002 10/10 Q1009"


class Contract:
    """Keeps the suite itself out of the test loader's sight."""

    class WeatherTests(SynchronousTestCase):
        """The promises of `IWeather`.

        The source under test knows the reports of ``EHAM`` and ``EGLL`` above.
        """

        def make_weather(self) -> IWeather:
            """Return the source under test, with the two reports."""
            raise NotImplementedError

        @override
        def setUp(self) -> None:
            """Make a new source for each test."""
            self.weather = self.make_weather()

        def report(self, station: str) -> str | None:
            """Return the report of a station."""
            return self.successResultOf(self.weather.metar(station))

        def test_interface_is_whole(self) -> None:
            """A source has every method of the interface."""
            self.assertTrue(verifyObject(IWeather, self.weather))

        def test_report_is_found(self) -> None:
            """The report of a known station is its text."""
            self.assertEqual(self.report("EHAM"), SCHIPHOL)
            self.assertEqual(self.report("EGLL"), HEATHROW)

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


class MemoryWeatherTests(Contract.WeatherTests):
    """Reports kept in memory."""

    @override
    def make_weather(self) -> IWeather:
        """Return a source with the two reports."""
        return MemoryWeather({"eham": SCHIPHOL, "EGLL": HEATHROW})


class MetarFileTests(Contract.WeatherTests):
    """Reports in a file."""

    @override
    def make_weather(self) -> IWeather:
        """Return a started source with a file of the two reports."""
        path = Path(self.mktemp())
        path.write_text(f"{SCHIPHOL}=\r\n{HEATHROW}=\r\n")
        clock = Clock()
        weather = MetarFile(path, clock)
        weather.startService()
        self.addCleanup(weather.stopService)
        clock.advance(0)
        return weather
