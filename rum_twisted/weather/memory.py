"""Reports that live as long as the process: for trials, and for tests."""

from collections.abc import Iterable, Mapping

from twisted.internet.defer import Deferred, succeed
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.session.interfaces import IWeather
from rum_twisted.terms.place import Position
from rum_twisted.weather.report import decode_if_any, station_key
from rum_twisted.weather.stations import Airport, AirportTable
from rum_twisted.world.weather import Weather

__all__ = ["MemoryWeather"]


@implementer(IWeather)
class MemoryWeather:
    """The reports it was given; they never change.

    Args:
        reports: the report of each station, by its name of four letters.
        airports: where stations are, for whoever names none.
        nearest_within: nautical miles; no station farther away is his.
    """

    def __init__(
        self,
        reports: Mapping[str, str],
        airports: Iterable[Airport] = (),
        nearest_within: float = 200.0,
    ) -> None:
        self._airports = AirportTable.of(airports)
        self._nearest_within = nearest_within
        self._reports = {station_key(name): text for name, text in reports.items()}

    @override
    def __repr__(self) -> str:
        return f"<MemoryWeather: {len(self._reports)} stations>"

    def metar(self, station: str, near: Position | None = None) -> Deferred[str | None]:
        """Look a station's report up; see `IWeather`. The answer comes at once."""
        key = station_key(station)
        if key:
            return succeed(self._reports.get(key))
        around = self._airports.near(near, self._nearest_within)
        names = (airport.name for airport in around)
        found = next((name for name in names if name in self._reports), b"")
        return succeed(self._reports.get(found))

    def weather(
        self, station: str, near: Position | None = None
    ) -> Deferred[Weather | None]:
        """Look a station's report up and decode it; see `IWeather`."""
        return self.metar(station, near).addCallback(decode_if_any)
