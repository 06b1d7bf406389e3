"""Finds a station's report in what a source answered, whatever surrounds it.

Sources change: a heading appears, ``METAR`` stands in front or not, an end mark is
there or not. So a report is known by what no source changes: a station's name and
the six digits of a time. What has no report in it is told apart from the answer that
there is none.
"""

import json
import re
from calendar import timegm
from collections.abc import Sequence
from time import gmtime
from typing import Any, Final

from rum_twisted.terms.units import Seconds
from rum_twisted.weather.report import LONGEST_REPORT

__all__ = [
    "Unreadable",
    "date_of",
    "find_report",
    "follow",
    "made_at",
    "tidy",
]

_REPORT: Final = (
    rb"(?<![A-Z0-9])%s (?:COR )?[0-3][0-9][0-2][0-9][0-5][0-9]Z?(?![0-9])"
    rb"[^\n\r\"<>]*(?:\r?\n[ \t]+[^\n\r\"<>]+)*"
)
_TIME: Final = re.compile(r"[A-Z0-9]{4} (?:COR )?([0-3][0-9])([0-2][0-9])([0-5][0-9])")
_NIL: Final = re.compile(r"[A-Z0-9]{4} (?:COR )?[0-9]{6}Z? (?:AUTO )?NIL\b")
_DATE: Final = re.compile(
    rb"\s*([12][0-9]{3})/([01][0-9])/([0-3][0-9]) ([0-2][0-9]):([0-5][0-9])\s*\Z"
)
_BLANKS: Final = re.compile(r"\s+")
_ALIEN: Final = re.compile(r"[^ -~]")
_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
_AHEAD: Final = 2 * _HOUR  # a station's clock may be fast
_SHOWN: Final = 40  # signs of an answer that cannot be read


class Unreadable(ValueError):
    """An answer holds neither a report nor the word that there is none."""


def find_report(body: bytes, station: bytes) -> str | None:
    """Return the first report of ``station`` in a text.

    Returns:
        the report on one line; ``None``: the text is empty, or says ``NIL``.

    Raises:
        Unreadable: there is something else.
    """
    if not body.strip():
        return None
    found = re.search(_REPORT % station, body)
    if found is None:
        raise Unreadable(
            f"{len(body)} bytes without a report of {station.decode('ascii')}: "
            f"{body[:_SHOWN].decode('latin-1')!r}"
        )
    report = tidy(found[0])
    if _NIL.match(report):
        return None
    return report


def follow(body: bytes, path: Sequence[str], station: bytes) -> str | None:
    """Return the report at a place of a JSON text.

    Args:
        body: the text.
        path: keys of objects, and places in lists; ``{station}`` is the station.
        station: whose report it is.

    Returns:
        the report; ``None``: on the way something is empty, or ``null``.

    Raises:
        Unreadable: it is no JSON, or of another shape.
    """
    name = station.decode("ascii")
    if not body.strip():
        return None
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        text = f"no JSON: {body[:_SHOWN].decode('latin-1')!r}"
        raise Unreadable(text) from error
    for step in path:
        if value in (None, [], {}, ""):
            return None
        value = _step(value, step.replace("{station}", name))
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise Unreadable(f"no text at {'.'.join(path)} but {type(value).__name__}")
    return find_report(value.encode("ascii", "replace"), station)


def _step(value: Any, step: str) -> Any:
    """Return what stands at one step of a path."""
    try:
        return value[int(step)] if isinstance(value, list) else value[step]
    except (LookupError, ValueError, TypeError):
        raise Unreadable(f"nothing at {step!r} of the JSON") from None


def tidy(report: bytes) -> str:
    """Return a report as one line of printable ASCII, short enough for an answer."""
    text = report.decode("latin-1").replace("=", " ")
    plain = _ALIEN.sub("?", _BLANKS.sub(" ", text).strip())
    return plain[:LONGEST_REPORT].rstrip()


def made_at(report: str, now: Seconds, dated: Seconds | None = None) -> Seconds | None:
    """Return when a report was made.

    A report tells the day of the month, the hour and the minute. Of all such days
    the last one counts that is not ahead of ``now``.

    Args:
        report: beginning with the station.
        now: since the Unix epoch, UTC.
        dated: a date that the source wrote above the report; it tells month and
            year, which keeps reports of other years from seeming new.

    Returns:
        ``None``: it tells no time that exists.
    """
    found = _TIME.match(report)
    if found is None:
        return None
    day, hour, minute = map(int, found.groups())
    latest = (now if dated is None else dated) + _AHEAD
    # The days before may belong to a month that has no such day: three months are
    # enough to find a 31st.
    year, month = gmtime(latest)[:2]
    for _ in range(3):
        made = timegm((year, month, day, hour, minute, 0))
        if gmtime(made)[1:5] == (month, day, hour, minute) and made <= latest:
            return Seconds(made)
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return None


def date_of(line: bytes) -> Seconds | None:
    """Return the time of a line such as ``2026/11/24 01:25``, if it is one."""
    found = _DATE.match(line)
    if found is None:
        return None
    year, month, day, hour, minute = map(int, found.groups())
    try:
        return Seconds(timegm((year, month, day, hour, minute, 0)))
    except ValueError:  # a month that does not exist
        return None
