"""What a file of reports looks like, and how a station is asked for.

One report stands on a line, and goes on in the lines below that begin with five
blanks or more::

    LFPG 101230Z 18008KT 4000 +SHRA BR VV002 02/01 Q0998
         TEMPO 1500 TSRA=

Files are bytes of any encoding, and so are the lines here until a report is found.

Source: docs/protocol.md, "Weather".
"""

import re
from typing import Final

from rum_twisted.world.metar import decode
from rum_twisted.world.weather import Weather

__all__ = [
    "LONGEST_REPORT",
    "decode_if_any",
    "is_station",
    "join_report",
    "station_key",
    "station_of",
]

LONGEST_REPORT: Final = 1900  # bytes; its answer stays within a line of 2,048

_STATION: Final = re.compile(rb"[A-Z][A-Z0-9]{3}")
_STATION_LENGTH: Final = 4  # an ICAO location indicator

_SHORTEST_LINE: Final = 30  # with its line end; below are dates, headings, NIL
_FEWEST_WORDS: Final = 3
_CONTINUATION: Final = b"     "
_ENDINGS: Final = b"= \t"


def station_key(station: str) -> bytes:
    """Return what a station asked for as ``station`` is known by.

    Its first four characters count, A to Z in any case. Fewer are no station.
    """
    return station.encode("latin-1", "replace")[:_STATION_LENGTH].upper()


def is_station(key: bytes) -> bool:
    """Tell whether a key may be a station: a letter, then three letters or digits."""
    return _STATION.fullmatch(key) is not None


def station_of(line: bytes) -> bytes | None:
    """Return the station whose report ``line`` begins; ``None``: it begins none.

    Args:
        line: with its line end.
    """
    if len(line) < _SHORTEST_LINE or line.startswith(_CONTINUATION):
        return None
    words = line.split(None, _FEWEST_WORDS)
    if len(words) < _FEWEST_WORDS:
        return None
    # In front of the name may stand METAR or SPECI, which have five letters.
    for word in words[:2]:
        if len(word) == _STATION_LENGTH:
            return word.upper()
    return None


def join_report(text: bytes) -> str:
    """Return the report that ``text`` begins with, as one line.

    Args:
        text: a part of the file, from the report's first line on.
    """
    first, *others = text.splitlines()
    parts = [first]
    for line in others:
        if not line.startswith(_CONTINUATION):
            break
        parts.append(line)
    return b" ".join(part.rstrip(_ENDINGS).lstrip() for part in parts).decode("latin-1")


def decode_if_any(report: str | None) -> Weather | None:
    """Decode a report that was looked up, if there is one."""
    return None if report is None else decode(report)
