"""Where the weather comes from, as the settings have it."""

from collections.abc import Callable
from random import Random
from typing import Any

from rum_twisted.config import WeatherSettings
from rum_twisted.session.interfaces import IWeather
from rum_twisted.terms.units import Seconds
from rum_twisted.weather.none import NoWeather
from rum_twisted.weather.source import MetarFile
from rum_twisted.weather.stations import Airports

__all__ = ["make_weather"]


def make_weather(
    settings: WeatherSettings,
    reactor: Any,
    now: Callable[[], Seconds],
    random: Random,
) -> IWeather:
    """Return the source of weather; it is a service if it has anything to do.

    Args:
        settings: which source, and its bounds.
        reactor: connects, and tells the time that passes.
        now: tells the seconds since the Unix epoch, UTC.
        random: for jitter.
    """
    if settings.source == "none":
        return NoWeather()
    if settings.source == "file":
        return MetarFile(
            settings.file, reactor, Airports(reactor), settings.nearest_within
        )
    # Twisted's HTTP client is some megabytes, and OpenSSL 12 more.
    from rum_twisted.weather.http import http_weather  # noqa: PLC0415

    return http_weather(settings, reactor, now, random)
