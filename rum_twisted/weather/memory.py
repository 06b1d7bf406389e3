"""Reports that live as long as the process: for trials, and for tests."""

from collections.abc import Mapping

from twisted.internet.defer import Deferred, succeed
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.session.interfaces import IWeather
from rum_twisted.weather.report import decode_if_any, station_key
from rum_twisted.world.weather import Weather

__all__ = ["MemoryWeather"]


@implementer(IWeather)
class MemoryWeather:
    """The reports it was given; they never change.

    Args:
        reports: the report of each station, by its name of four letters.
    """

    def __init__(self, reports: Mapping[str, str]) -> None:
        self._reports = {station_key(name): text for name, text in reports.items()}

    @override
    def __repr__(self) -> str:
        return f"<MemoryWeather: {len(self._reports)} stations>"

    def metar(self, station: str) -> Deferred[str | None]:
        """Look a station's report up; see `IWeather`. The answer comes at once."""
        return succeed(self._reports.get(station_key(station)))

    def weather(self, station: str) -> Deferred[Weather | None]:
        """Look a station's report up and decode it; see `IWeather`."""
        return self.metar(station).addCallback(decode_if_any)
