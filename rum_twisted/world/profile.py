"""Weather that an operator makes: changed value by value, and printed as a report.

Source: docs/console.md, "Weather profiles".
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from time import gmtime, strftime
from types import MappingProxyType
from typing import Any, Final

from rum_twisted.terms.units import Feet, Knots, Seconds
from rum_twisted.world.weather import (
    ABSENT,
    AltimeterSetting,
    Celsius,
    CloudLayer,
    StatuteMiles,
    TrueDegrees,
    Weather,
)

__all__ = ["UnfitPath", "report_of", "with_value"]

_POOR_SIGHT: Final = 5.0  # statute miles; below it the air is nearly saturated
_FLIGHT_LEVEL: Final = 100  # feet

_COVERAGES: Final = ("", "FEW", "FEW", "SCT", "SCT", "BKN", "BKN")
"""The word of a report for so many eighths; more is overcast."""


class UnfitPath(Exception):
    """There is nothing of this name in a weather; the text is the classic answer."""


_WIND: Final[Mapping[str, Callable[[int], Any]]] = MappingProxyType(
    {
        "floor": Feet,
        "ceiling": Feet,
        "direction": TrueDegrees,
        "speed": Knots,
        "gusting": bool,
    }
)
_CLOUD: Final[Mapping[str, Callable[[int], Any]]] = MappingProxyType(
    {
        "floor": Feet,
        "ceiling": Feet,
        "coverage": int,
        "turbulence": int,
        "icing": bool,
    }
)
_TEMPERATURE: Final[Mapping[str, Callable[[int], Any]]] = MappingProxyType(
    {"ceiling": Feet, "temperature": Celsius}
)
_LAYERS: Final = {
    "winds": ("winds", _WIND),
    "clouds": ("clouds", _CLOUD),
    "temperature": ("temperatures", _TEMPERATURE),
}
_PLAIN: Final[Mapping[str, Callable[[int], Any]]] = MappingProxyType(
    {"pressure": AltimeterSetting, "visibility": StatuteMiles}
)


def with_value(weather: Weather, path: str, value: int) -> Weather:
    """Return a weather with one value changed.

    A layer above the surface of which a value is given is passed on as it is: nothing
    is invented for it any more.

    Args:
        weather: the old one.
        path: e.g. ``visibility`` or ``winds.2.speed``, in any case; layers are
            counted from 1.
        value: in the unit of what is changed; of a yes or no, 0 is no.

    Raises:
        UnfitPath: there is no such value.
    """
    category, *rest = path.split(".", 2)
    key = category.lower()
    if key in _PLAIN:
        return replace(weather, **{key: _PLAIN[key](value)})
    if key not in _LAYERS:
        raise UnfitPath(f"Invalid category '{category}'.")
    name, units = _LAYERS[key]
    layers: tuple[Any, ...] = getattr(weather, name)
    place = _place_in(layers, rest)
    specifier = rest[1].lower()
    if specifier not in units:
        raise UnfitPath(f"Invalid specifier '{rest[1]}'")
    changes = {specifier: units[specifier](value)}
    if not isinstance(layers[place], CloudLayer):
        changes["is_given"] = True
    changed = replace(layers[place], **changes)
    fields: dict[str, Any] = {
        name: (*layers[:place], changed, *layers[place + 1 :]),
    }
    return replace(weather, **fields)


def _place_in(layers: tuple[Any, ...], rest: list[str]) -> int:
    """Return the place of the layer that is named, counted from 0."""
    if not rest:
        raise UnfitPath("Invalid parameter")
    try:
        number = int(rest[0][:9])
    except ValueError:
        raise UnfitPath(f"Invalid index '{rest[0]}'") from None
    if not 1 <= number <= len(layers):
        raise UnfitPath(f"Invalid index {number - 1}")
    if len(rest) == 1:
        raise UnfitPath("Invalid parameter")
    return number - 1


def report_of(name: str, weather: Weather, now: Seconds) -> str:
    """Return a weather as a report that clients can decode.

    Args:
        name: of the station.
        weather: what there is to say.
        now: since the Unix epoch, UTC.

    Example: ``EHAM 281200Z 24012KT 15SM FEW018 BKN030 12/13 A2992``
    """
    wind, ground = weather.winds[0], weather.temperatures[0].temperature
    clouds = [
        layer
        for layer in weather.clouds
        if layer.ceiling != ABSENT and layer.coverage > 0
    ]
    # A report has to name one, and a profile has none.
    dew_point = ground - 1 if weather.visibility < _POOR_SIGHT else ground + 1
    words = (
        name,
        strftime("%d%H%MZ", gmtime(now)),
        f"{wind.direction:03d}{wind.speed:02d}KT",
        f"{int(weather.visibility):02d}SM",
        *map(_cloud_word, clouds),
        f"{_degrees(ground)}/{_degrees(dew_point)}",
        f"A{weather.pressure:04d}",
    )
    return " ".join(words)


def _cloud_word(layer: CloudLayer) -> str:
    covered = layer.coverage
    word = _COVERAGES[covered] if covered < len(_COVERAGES) else "OVC"
    return f"{word}{max(0, layer.floor) // _FLIGHT_LEVEL:03d}"


def _degrees(temperature: int) -> str:
    return f"{'M' if temperature < 0 else ''}{abs(temperature):02d}"
