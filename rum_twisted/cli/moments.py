"""Points in time as an operator types them: ``2026-12-31``, ``7d``."""

import re
from datetime import UTC, datetime
from typing import Final

from rum_twisted.terms.units import Seconds

__all__ = ["UnfitMoment", "after", "point"]

_SPAN: Final = re.compile(r"([0-9]{1,5})([mhdw])\Z")
_SECONDS: Final = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


class UnfitMoment(ValueError):
    """A text is no point in time or no span; the message says what was due."""


def after(text: str, now: Seconds) -> Seconds:
    """Return the end of a span that begins now.

    Args:
        text: minutes, hours, days or weeks, e.g. ``90m``, ``12h``, ``7d``, ``2w``.
        now: seconds since the epoch.

    Raises:
        UnfitMoment: it is none of these.
    """
    match = _SPAN.match(text)
    if match is None or int(match[1]) == 0:
        raise UnfitMoment(f"{text!r}: due a span such as 90m, 12h, 7d or 2w")
    return Seconds(now + int(match[1]) * _SECONDS[match[2]])


def point(text: str, now: Seconds) -> Seconds:
    """Return a point in time that is still to come; UTC unless it says otherwise.

    Args:
        text: ISO 8601, e.g. ``2026-12-31`` (its first moment) or
            ``2026-12-31T18:00+08:00``.
        now: seconds since the epoch.

    Raises:
        UnfitMoment: it is not ISO 8601, or has passed.
    """
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        when = when.astimezone(UTC)  # it has to be shown so
    except (ValueError, OverflowError) as error:
        raise UnfitMoment(
            f"{text!r}: due a date such as 2026-12-31 or 2026-12-31T18:00+08:00"
        ) from error
    if when.timestamp() <= now:
        raise UnfitMoment(f"{text!r}: has passed already")
    return Seconds(when.timestamp())
