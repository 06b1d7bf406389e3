"""A network without weather: nobody is told anything, not even that there is none."""

from twisted.internet.defer import Deferred, fail
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.session.interfaces import IWeather, NoWeatherSource
from rum_twisted.terms.place import Position
from rum_twisted.world.weather import Weather

__all__ = ["NoWeather"]


@implementer(IWeather)
class NoWeather:
    """Every look-up fails with `NoWeatherSource`."""

    @override
    def __repr__(self) -> str:
        return "<NoWeather>"

    def metar(self, station: str, near: Position | None = None) -> Deferred[str | None]:
        """Fail at once; see `IWeather`."""
        return fail(NoWeatherSource())

    def weather(
        self, station: str, near: Position | None = None
    ) -> Deferred[Weather | None]:
        """Fail at once; see `IWeather`."""
        return fail(NoWeatherSource())
