"""Reads what the classic rules leave unread, with the library ``metar``.

What the classic rules (`rum_twisted.world.metar`) find in a report stands: pilots
compare, and every server has to tell them the same. Where they find nothing of a
kind, the library may: a wind in ``KTS``, a pressure written ``QNH3012INS`` or only
in the remarks (``SLP132``), a temperature that is in the remarks only. And a
thunderstorm, which the classic rules never tell, becomes the packet's own layer.

docs/decisions/0003-metar-library.md tells how the library was chosen.
"""

import warnings
from dataclasses import replace
from typing import Any, Final

from metar.Metar import Metar
from twisted.logger import Logger

from rum_twisted.terms.units import Feet, Knots
from rum_twisted.world.metar import (
    Group,
    decode,
    groups_of,
    surface_wind,
    with_temperature,
)
from rum_twisted.world.weather import (
    AltimeterSetting,
    Celsius,
    CloudLayer,
    StatuteMiles,
    TrueDegrees,
    Weather,
)

__all__ = ["read", "read_if_any"]

_log: Final = Logger()

_STRONGEST: Final = 250  # knots; above it is a mistake of typing
_CIRCLE: Final = 360  # degrees
_FARTHEST: Final = 15.0  # statute miles, as the classic rules have it
_COLDEST, _WARMEST = -90, 60  # °C
_LOWEST, _HIGHEST = 2500, 3300  # hundredths of an inch of mercury

_CLOUD_OF_STORMS: Final = "CB"
_THUNDER: Final = "TS"
_NEARBY: Final = "VC"
_STORM_FLOOR: Final = 3000  # feet, where no height of its cloud is told
_STORM_TOP: Final = 35_000  # feet
_STORM_COVERAGE: Final = 3  # eighths, where no amount is told
_EIGHTHS: Final = {"FEW": 1, "SCT": 3, "BKN": 5, "OVC": 8}
_ROUGHNESS: Final = 175  # feet of cloud to each degree of turbulence


def read(report: str) -> Weather:
    """Return what ``report`` tells; no report makes it fail."""
    weather = decode(report)
    parsed = _parse(report)
    if parsed is None:
        return weather
    return _with_storm(_completed(weather, groups_of(report), parsed), parsed)


def read_if_any(report: str | None) -> Weather | None:
    """Read a report that was looked up, if there is one."""
    return None if report is None else read(report)


def _parse(report: str) -> Any:
    """Return the library's reading, or ``None`` if it fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of each word that it cannot read
        try:
            return Metar(report, strict=False)
        except Exception as error:  # noqa: BLE001 - the classic reading is good enough
            _log.debug("{report}: {error!r}", report=report, error=error)
            return None


def _completed(weather: Weather, told: frozenset[Group], parsed: Any) -> Weather:
    """Return ``weather`` with what only the library has found."""
    if Group.WIND not in told:
        weather = _with_wind(weather, parsed)
    if Group.VISIBILITY not in told and parsed.vis is not None:
        miles = min(max(parsed.vis.value("SM"), 0.0), _FARTHEST)
        weather = replace(weather, visibility=StatuteMiles(miles))
    if Group.TEMPERATURE not in told and parsed.temp is not None:
        degrees = round(parsed.temp.value("C"))
        if _COLDEST <= degrees <= _WARMEST:
            weather = with_temperature(weather, Celsius(degrees))
    pressure = parsed.press or parsed.press_sea_level
    if Group.PRESSURE not in told and pressure is not None:
        inches = round(pressure.value("IN") * 100)
        if _LOWEST <= inches <= _HIGHEST:
            weather = replace(weather, pressure=AltimeterSetting(inches))
    return weather


def _with_wind(weather: Weather, parsed: Any) -> Weather:
    if parsed.wind_speed is None:
        return weather
    speed = round(parsed.wind_speed.value("KT"))
    direction = 0 if parsed.wind_dir is None else round(parsed.wind_dir.value())
    if not 0 <= speed <= _STRONGEST or not 0 <= direction <= _CIRCLE:
        return weather
    wind = surface_wind(
        TrueDegrees(direction), Knots(speed), gusting=parsed.wind_gust is not None
    )
    return replace(weather, winds=(wind, *weather.winds[1:]))


def _with_storm(weather: Weather, parsed: Any) -> Weather:
    """Return ``weather`` with a layer of thunderstorm, if one is reported here."""
    clouds = [it for it in parsed.sky if it[2] == _CLOUD_OF_STORMS]
    thunders = any(
        _THUNDER in (description or "") and _NEARBY not in (intensity or "")
        for intensity, description, *_ in parsed.weather
    )
    if not clouds and not thunders:
        return weather
    floor, coverage = _STORM_FLOOR, _STORM_COVERAGE
    if clouds:
        cover, height, _ = clouds[0]
        coverage = _EIGHTHS.get(cover, _STORM_COVERAGE)
        if height is not None:
            floor = round(height.value("FT"))
    ceiling = max(floor, _STORM_TOP)
    storm = CloudLayer(
        ceiling=Feet(ceiling),
        floor=Feet(floor),
        coverage=coverage,
        turbulence=(ceiling - floor) // _ROUGHNESS,
    )
    return replace(weather, thunderstorm=storm)
