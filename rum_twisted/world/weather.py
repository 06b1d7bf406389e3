"""Weather as pilots' simulators take it: layers of wind, cloud and temperature.

A report (`rum_twisted.world.metar`) tells only of the surface and the clouds above
it. What blows higher up is invented here, at the moment of the answer, from where
the asking client is and from the chances of the half day: near pilots get winds
that agree, and they hold for hours.

Source: docs/protocol.md, "Weather".
"""

from dataclasses import dataclass, replace
from math import radians, sin
from time import gmtime
from typing import Final, NewType, Self
from zlib import crc32

from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Feet, Knots, Seconds

__all__ = [
    "ABSENT",
    "AltimeterSetting",
    "Celsius",
    "CloudLayer",
    "StatuteMiles",
    "TemperatureLayer",
    "TrueDegrees",
    "UpperAir",
    "Weather",
    "WindLayer",
    "with_upper_air",
]

AltimeterSetting = NewType("AltimeterSetting", int)
"""Pressure reduced to sea level, in hundredths of an inch of mercury: 2992."""
Celsius = NewType("Celsius", int)
StatuteMiles = NewType("StatuteMiles", float)
TrueDegrees = NewType("TrueDegrees", int)
"""A direction against true north, whole degrees, 0 to 360."""

CALM: Final = Knots(0)
ABSENT: Final = Feet(-1)  # the ceiling and floor of a layer that does not exist


@dataclass(frozen=True, slots=True, kw_only=True)
class WindLayer:
    """Wind between two heights; as it is by default, a layer without wind."""

    ceiling: Feet = ABSENT
    floor: Feet = ABSENT
    direction: TrueDegrees = TrueDegrees(0)  # where it blows from
    speed: Knots = CALM
    gusting: bool = False
    turbulence: int = 0  # the packet's own scale; 0 is smooth
    is_given: bool = False  # by an operator: above the surface, nothing is invented


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudLayer:
    """Cloud between two heights; as it is by default, a layer that is not there."""

    ceiling: Feet = ABSENT
    floor: Feet = ABSENT
    coverage: int = 0  # eighths of the sky, 0 to 8
    icing: bool = False
    turbulence: int = 0  # the packet's own scale; 0 is smooth


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureLayer:
    """The temperature up to a height."""

    ceiling: Feet
    temperature: Celsius = Celsius(0)
    is_given: bool = False  # by an operator: above the surface, nothing is invented


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """The weather of one station; as it is by default, a report that tells nothing.

    Layers stand in the order of the packets ``#WD``, ``#CD`` and ``#TD``: the
    lowest wind and temperature first, clouds as reported.
    """

    winds: tuple[WindLayer, WindLayer, WindLayer, WindLayer] = (
        WindLayer(),
        WindLayer(ceiling=Feet(10400), floor=Feet(2500)),
        WindLayer(ceiling=Feet(22600), floor=Feet(10400)),
        WindLayer(ceiling=Feet(90000), floor=Feet(22700)),
    )
    clouds: tuple[CloudLayer, CloudLayer] = (CloudLayer(), CloudLayer())
    thunderstorm: CloudLayer = CloudLayer()
    temperatures: tuple[
        TemperatureLayer, TemperatureLayer, TemperatureLayer, TemperatureLayer
    ] = (
        TemperatureLayer(ceiling=Feet(100)),
        TemperatureLayer(ceiling=Feet(10000)),
        TemperatureLayer(ceiling=Feet(18000)),
        TemperatureLayer(ceiling=Feet(35000)),
    )
    pressure: AltimeterSetting = AltimeterSetting(2950)
    visibility: StatuteMiles = StatuteMiles(15.0)


_HALF_DAY: Final = Seconds(12 * 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpperAir:
    """The chances of one half day, the same all over the world.

    Nothing is drawn from a generator: each number follows from the half day alone,
    so every server of a network invents the same winds, and so does a server that
    was started anew.
    """

    month: int  # UTC, 1 is January
    high_turn: int  # degrees
    middle_turn: int  # degrees
    middle_coriolis: int  # degrees
    middle_permille: int  # of the speed above
    low_turn: int  # degrees
    low_coriolis: int  # degrees
    high_temperature: Celsius
    middle_temperature: Celsius
    low_temperature: Celsius

    @classmethod
    def at(cls, now: Seconds) -> Self:
        """Return the chances of the half day, UTC, that ``now`` lies in.

        Args:
            now: since the Unix epoch, UTC.
        """
        half_day = int(now // _HALF_DAY)
        return cls(
            month=gmtime(now).tm_mon,
            high_turn=_chance(half_day, "high turn", -25, 25),
            middle_turn=_chance(half_day, "middle turn", 10, 45),
            middle_coriolis=_chance(half_day, "middle Coriolis", 10, 30),
            middle_permille=_chance(half_day, "middle speed", 500, 800),
            low_turn=_chance(half_day, "low turn", 10, 45),
            low_coriolis=_chance(half_day, "low Coriolis", 10, 30),
            high_temperature=Celsius(_chance(half_day, "high °C", -61, -53)),
            middle_temperature=Celsius(_chance(half_day, "middle °C", -28, -14)),
            low_temperature=Celsius(_chance(half_day, "low °C", -17, 7)),
        )


def _chance(half_day: int, name: str, lowest: int, highest: int) -> int:
    """Return a whole number from ``lowest`` to ``highest``."""
    # A checksum scatters well enough, is the same in every version of Python,
    # and costs no state.
    return lowest + crc32(f"{name} {half_day}".encode()) % (highest - lowest + 1)


# The strongest wind at 35,000 ft in January, February …, north of the equator.
_JET_STREAM: Final = (120, 120, 80, 80, 80, 50, 50, 50, 80, 80, 80, 120)  # knots
_HALF_YEAR: Final = 6  # months by which the seasons are shifted south of the equator


def with_upper_air(
    weather: Weather, position: Position | None, air: UpperAir
) -> Weather:
    """Add invented winds and temperatures above the surface.

    Args:
        weather: of a station; its surface layers are kept.
        position: of the client who asks; ``None``, he has not reported any, counts
            as latitude and longitude 0. Values that are not on the earth count as
            the nearest that are.
        air: the chances of the half day.

    Returns:
        the same weather with wind layers 2 to 4 and temperature layers 2 to 4
        filled, but for those that an operator has given; each direction is 0 to 359.
    """
    latitude = _within(position.latitude, 90) if position else 0.0
    longitude = _within(position.longitude, 180) if position else 0.0
    base = 6 * abs(latitude) + abs(longitude) / 18  # degrees

    def direction(turn: int) -> TrueDegrees:
        return TrueDegrees(round(base + turn) % 360)

    surface, low, middle, high = weather.winds
    month = air.month + (_HALF_YEAR if latitude < 0 else 0)
    jet_stream = _JET_STREAM[(month - 1) % 12]
    high_speed = round(abs(sin(radians(latitude))) * jet_stream)
    middle_turn = air.middle_turn - air.middle_coriolis
    low_turn = air.low_turn - air.middle_coriolis - air.low_coriolis
    ground, mild, cold, coldest = weather.temperatures
    middle_speed = high_speed * air.middle_permille // 1000
    return replace(
        weather,
        winds=(
            surface,
            _blowing(low, direction(low_turn), (surface.speed + low.speed) // 2),
            _blowing(middle, direction(middle_turn), middle_speed),
            _blowing(high, direction(air.high_turn), high_speed),
        ),
        temperatures=(
            ground,
            _warm(mild, air.low_temperature),
            _warm(cold, air.middle_temperature),
            _warm(coldest, air.high_temperature),
        ),
    )


def _blowing(layer: WindLayer, direction: TrueDegrees, speed: int) -> WindLayer:
    """Return a layer with an invented wind, unless somebody has given one."""
    if layer.is_given:
        return layer
    return replace(layer, direction=direction, speed=Knots(speed))


def _warm(layer: TemperatureLayer, temperature: Celsius) -> TemperatureLayer:
    """Return a layer with an invented temperature, unless somebody has given one."""
    return layer if layer.is_given else replace(layer, temperature=temperature)


def _within(degrees: float, bound: float) -> float:
    """Return the nearest value from ``-bound`` to ``bound``."""
    return max(-bound, min(bound, degrees))
