"""Reads a METAR: from a station's report to the layers above its surface.

The rules are those of the classic server, since its clients know what comes of
them: what a cloud's ceiling is, that ``9999`` is 15 miles, that a report without a
pressure counts as standard. They read a report's words in order. Where those rules
would hide what is in the report from a pilot, it is read all the same: a word that
nobody knows is passed over instead of ending the report, the temperature after
``CAVOK`` is no runway visual range, meters per second become knots, and half a mile
more or less counts. docs/decisions/0002-metar-decoding.md tells why no library
does it.

Source: docs/protocol.md, "Decoding a METAR".
"""

import re
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from itertools import takewhile
from typing import Final

from rum_twisted.terms.units import Feet, Knots
from rum_twisted.world.weather import (
    AltimeterSetting,
    Celsius,
    CloudLayer,
    StatuteMiles,
    TrueDegrees,
    Weather,
    WindLayer,
)

__all__ = ["Group", "decode", "groups_of", "surface_wind", "with_temperature"]

_SECTION_ENDS: Final = frozenset({"NOSIG", "BECMG", "TEMPO", "INTER", "RMK"})
_MILES_APART: Final = re.compile(r"(?<= )([0-9]{1,2}) (?=(?:[0-9]/[0-9]+)?(?:SM|KM) )")

# Words that belong into a report and tell nothing here: its time, how it came
# about, the wind's bounds, runway visual ranges, phenomena.
_SILENT: Final = re.compile(
    r"[0-9]*Z|AUTO|COR|[0-9]{3}V[0-9]{3}|R[0-9]{2}.*/.*"
    r"|(?:[+-]|VC|MI|BL|PR|SH|BC|TS|DR|FZ|DZ|OC|UP|RA|PE|SN|GR|SG|GS|BR|DU|FG|SA|FU"
    r"|HZ|VA|PY|PO|DS|SQ|FC|SS|PLUS).*"
)
_WIND: Final = re.compile(
    r"(?P<direction>[0-2][0-9]{2}|3[0-5][0-9]|360|VRB)P?(?P<speed>[0-9]{1,3})"
    r"(?P<gust>GP?[0-9]*)?(?P<unit>KT|MPS|KMH)"
)
_VISIBILITY: Final = re.compile(
    r"(?P<cloudless>CAVOK|////|CLR)"
    r"|(?P<meters>[0-9]{3,4})(?:NDV|[NESW]{1,2})?"
    r"|(?P<least>M1/4SM)|(?P<more>P[0-9]{1,2}SM)"
    r"|M?(?:(?P<miles>[0-9]{1,2})\+)?(?P<part>[0-9])/(?P<whole>[1-9][0-9]?)SM"
    r"|(?P<distance>[0-9]{1,3}(?:\.[0-9]{1,2})?)\+?(?P<unit>SM|KM)"
)
_SKY: Final = re.compile(
    r"(?P<amount>SKC|CLR|FEW|SCT|BKN|OVC|VV)"
    r"(?:(?P<height>[0-9]{1,3})(?![0-9]).*|///.*)?"
)
_TEMPERATURE: Final = re.compile(
    r"(?P<minus>M?)(?P<degrees>[0-9]{2})/(?:M?[0-9]{1,2}|/*|XX)"
)
_PRESSURE: Final = re.compile(
    r"A(?P<inches>[23][0-9]{3})|Q(?P<hectopascals>0?[89][0-9]{2}|1[01][0-9]{2})"
)
_GROUPS: Final = (_WIND, _VISIBILITY, _SKY, _TEMPERATURE, _PRESSURE)


class Group(Enum):
    """A kind of group, in the order in which a report has them."""

    WIND = auto()
    VISIBILITY = auto()
    SKY = auto()
    TEMPERATURE = auto()
    PRESSURE = auto()


_NAMES: Final = dict(zip(_GROUPS, Group, strict=True))


@dataclass(slots=True)
class _Groups:
    """The words of one report that tell something, by what they tell."""

    found: dict[re.Pattern[str], list[re.Match[str]]] = field(default_factory=dict)
    is_cut: bool = True  # nothing unread stands behind the last word that was read

    def first(self, group: re.Pattern[str]) -> re.Match[str] | None:
        """Return the one word of ``group``, if there is one."""
        return next(iter(self.found.get(group, ())), None)


def decode(report: str) -> Weather:
    """Return what ``report`` tells.

    Args:
        report: one METAR, with or without its leading ``METAR`` or ``SPECI``, in
            any case. Whatever else it holds is harmless: a group that cannot be
            read leaves its default.
    """
    groups = _sort(_words(report))
    visibility, cirrus = _visibility(groups.first(_VISIBILITY))
    temperature = _temperature(groups.first(_TEMPERATURE))
    nothing = Weather()
    weather = replace(
        nothing,
        winds=(_wind(groups.first(_WIND)), *nothing.winds[1:]),
        clouds=_clouds(groups.found.get(_SKY, []), cirrus),
        pressure=_pressure(groups),
        visibility=visibility,
    )
    return weather if temperature is None else with_temperature(weather, temperature)


def groups_of(report: str) -> frozenset[Group]:
    """Return which kinds of group `decode` finds in ``report``."""
    return frozenset(_NAMES[group] for group in _sort(_words(report)).found)


def with_temperature(weather: Weather, temperature: Celsius) -> Weather:
    """Return weather with a temperature at the surface, and the ice that it brings."""
    ground, mild, cold, coldest = weather.temperatures
    clouds = weather.clouds
    if abs(temperature) < _ICING_BELOW:
        clouds = (_iced(clouds[0]), _iced(clouds[1]))
    return replace(
        weather,
        clouds=clouds,
        temperatures=(replace(ground, temperature=temperature), mild, cold, coldest),
    )


def _words(report: str) -> list[str]:
    """Return the words after the station's name."""
    spaced = " ".join(report.upper().replace("=", " ").split()) + " "
    words = _MILES_APART.sub(r"\1+", spaced).split()
    return words[2:] if words[:1] in (["METAR"], ["SPECI"]) else words[1:]


def _sort(words: list[str]) -> _Groups:
    """Sort words by the groups they belong to, which stand in a fixed order.

    Forecasts and remarks at the end of a report repeat the groups with other
    meanings: nothing is read from there.
    """
    groups = _Groups()
    due = 0
    for word in takewhile(lambda word: word not in _SECTION_ENDS, words):
        for place, group in enumerate(_GROUPS[due:], due):
            if match := group.fullmatch(word):
                groups.found.setdefault(group, []).append(match)
                groups.is_cut = True
                due = place if group is _SKY else place + 1
                break
        else:
            groups.is_cut = groups.is_cut and bool(_SILENT.fullmatch(word))
    groups.is_cut = groups.is_cut and _SECTION_ENDS.isdisjoint(words)
    return groups


_KNOTS: Final = {"KT": 1.0, "MPS": 1.94, "KMH": 0.54}  # in one of each unit


def _wind(word: re.Match[str] | None) -> WindLayer:
    """Return the layer at the surface; a varying wind has direction 0."""
    if word is None:
        return WindLayer()
    direction = 0 if word["direction"] == "VRB" else int(word["direction"])
    return surface_wind(
        TrueDegrees(direction),
        Knots(round(int(word["speed"]) * _KNOTS[word["unit"]])),
        gusting=word["gust"] is not None,
    )


def surface_wind(direction: TrueDegrees, speed: Knots, *, gusting: bool) -> WindLayer:
    """Return the layer of the wind that a report tells."""
    return WindLayer(
        ceiling=Feet(2500),
        floor=Feet(0),
        direction=direction,
        speed=speed,
        gusting=gusting,
    )


_FAR: Final = StatuteMiles(15.0)  # as far as any simulator needs to see
_UNLIMITED: Final = "9999"  # meters: ten kilometers or more
_FOG: Final = StatuteMiles(0.15)  # all that "less than a quarter mile" tells
_HAZE_FREE: Final = StatuteMiles(10.0)  # all that "more than six miles" tells
_METERS: Final = 1609.0  # in a statute mile, as the classic rule has it
_CIRRUS: Final = CloudLayer(ceiling=Feet(26000), floor=Feet(24000), coverage=1)


def _visibility(word: re.Match[str] | None) -> tuple[StatuteMiles, CloudLayer]:
    """Return how far one sees, and the high cloud that some of the words imply."""
    if word is None:
        return _FAR, CloudLayer()
    if word["cloudless"]:
        return _FAR, _CIRRUS
    return _distance(word), CloudLayer()


def _distance(word: re.Match[str]) -> StatuteMiles:
    if word["least"]:
        return _FOG
    if word["more"]:
        return _HAZE_FREE
    if word["meters"] == _UNLIMITED:
        return _FAR
    if word["meters"]:
        return StatuteMiles(int(word["meters"]) / _METERS)
    if word["part"]:
        part = int(word["part"]) / int(word["whole"])
        return StatuteMiles(int(word["miles"] or 0) + part)
    distance = float(word["distance"])
    return StatuteMiles(distance * 1000 / _METERS if word["unit"] == "KM" else distance)


_COVERAGE: Final = {  # eighths
    "SKC": 0,
    "CLR": 0,
    "FEW": 1,
    "SCT": 3,
    "BKN": 5,
    "OVC": 8,
    "VV": 8,
}
_UNMEASURED: Final = 10  # hundreds of feet, where the instrument saw no height
_THICKNESS: Final = 3000  # feet, of the highest layer
_ROUGHNESS: Final = 175  # feet of cloud to each degree of turbulence


def _clouds(
    words: list[re.Match[str]], cirrus: CloudLayer
) -> tuple[CloudLayer, CloudLayer]:
    """Return the first two layers; the lower reaches halfway up to the higher."""
    layers = [
        CloudLayer(
            floor=Feet(int(word["height"] or _UNMEASURED) * 100),
            coverage=_COVERAGE[word["amount"]],
        )
        for word in words
        # A clear sky needs no layer, unless somebody gave it a height.
        if word["height"] or _COVERAGE[word["amount"]]
    ][:2]
    if not layers:
        return CloudLayer(), cirrus
    if len(layers) == 1:
        return _layer(layers[0], _THICKNESS), cirrus
    first, second = layers
    gap = second.floor - first.floor
    if gap > 0:
        return _layer(first, gap // 2), _layer(second, _THICKNESS)
    return _layer(first, _THICKNESS), _layer(second, -gap // 2)


def _layer(layer: CloudLayer, thickness: int) -> CloudLayer:
    """Return ``layer`` with a ceiling ``thickness`` feet above its floor."""
    return replace(
        layer,
        ceiling=Feet(layer.floor + thickness),
        turbulence=thickness // _ROUGHNESS,
    )


_ICING_BELOW: Final = 10  # degrees Celsius, on either side of freezing
_ICING_TOP: Final = 12000  # feet


def _iced(layer: CloudLayer) -> CloudLayer:
    """Return ``layer`` in the cold: low clouds ice, and so does an absent one."""
    return replace(layer, icing=layer.ceiling < _ICING_TOP)


def _temperature(word: re.Match[str] | None) -> Celsius | None:
    if word is None:
        return None
    degrees = int(word["degrees"])
    return Celsius(-degrees if word["minus"] else degrees)


_STANDARD: Final = AltimeterSetting(2992)
_CENTIMETERS: Final = 2.54  # in an inch
_MERCURY: Final = 1333  # hundredths of a hectopascal under a centimeter of mercury


def _pressure(groups: _Groups) -> AltimeterSetting:
    """Return the pressure; standard if the report leaves it out.

    A report that is cut before its place keeps the default of a report that tells
    nothing, as the classic server has it.
    """
    word = groups.first(_PRESSURE)
    if word is None:
        return Weather().pressure if groups.is_cut else _STANDARD
    if word["inches"]:
        return AltimeterSetting(int(word["inches"]))
    hectopascals = int(word["hectopascals"])
    return AltimeterSetting(round(hectopascals * 10000 / (_MERCURY * _CENTIMETERS)))
