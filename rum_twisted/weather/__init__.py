"""Where the weather comes from: the sources of reports behind `IWeather`.

A source finds a station's report; what the report tells is read in
`rum_twisted.world.metar`, and what is answered is decided in `rum_twisted.session`.
"""

from rum_twisted.weather.memory import MemoryWeather
from rum_twisted.weather.none import NoWeather
from rum_twisted.weather.source import MetarFile

__all__ = ["MemoryWeather", "MetarFile", "NoWeather"]
