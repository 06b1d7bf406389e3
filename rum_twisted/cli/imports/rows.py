"""What every reader yields: one account of a source, or the reason why it is none.

Nothing of a row is ever mended in silence: what the store could not keep as it is,
or what nobody could log on with, is refused with a reason.

Text of the wire is bytes decoded as Latin-1, here as everywhere: a CID or password
that a source holds as Unicode becomes its UTF-8 bytes, which is what clients send.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rum_twisted.accounts.member import Member
from rum_twisted.accounts.passwords import Scheme, UnknownScheme, scheme_of
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import Permission
from rum_twisted.terms.units import Seconds

__all__ = [
    "Refusal",
    "Refused",
    "Row",
    "SourceError",
    "kept_password",
    "moment",
    "one_line",
    "permissions",
    "plain",
    "rating",
    "unicode_text",
    "whole_number",
]

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_HALF: Final = re.compile(r"[\ud800-\udfff]")  # no text; UTF-8 cannot hold it
_END_OF_TIME: Final = 253_402_300_800  # the year 10000; no calendar here goes farther
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}\Z")
_QUOTED_LENGTH: Final = 40  # signs of a wrong value in a reason


class SourceError(Exception):
    """A source cannot be read at all; the text says which, and what was due."""


class Refusal(ValueError):
    """One row cannot be taken; the text says why."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that is not imported."""

    number: int  # as `Row.number`
    cid: str  # as far as it could be read
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """One account of a source."""

    number: int  # its line in a file, or its place in a table; the first is 1
    member: Member


def kept_password(stored: str, *due: Scheme) -> str:
    """Return a stored password, tagged with its scheme, that can be checked at logon.

    Args:
        stored: e.g. ``plain$secret``, text of the wire.
        due: the schemes that the source is known to use; none for all.

    Raises:
        Refusal: it is of another scheme, damaged, or nobody could log on with it.
    """
    try:
        scheme = scheme_of(stored)
    except UnknownScheme as error:
        raise Refusal(f"its password cannot be used: {error}") from error
    if due and scheme not in due:
        raise Refusal(f"its password is kept by {scheme.name.lower()}")
    return stored


def plain(password: str) -> str:
    """Return a password that stands in a source in plain text as a stored one.

    Args:
        password: text of the wire.

    Raises:
        Refusal: nobody could log on with it.
    """
    return kept_password(Scheme.PLAIN.value + password)


def whole_number(value: object, name: str) -> int:
    """Return a number that a source holds as a number or as text.

    Args:
        value: as the source gives it.
        name: what it is, for the reason.

    Raises:
        Refusal: it is not a whole number.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _INTEGER.match(value.strip()):
        return int(value)
    raise Refusal(f"its {name} {_quoted(value)} is no whole number")


def rating(value: object) -> Rating:
    """Return a rating on FSD's scale.

    Raises:
        Refusal: it is not a whole number from 0 to 12.
    """
    number = whole_number(value, "rating")
    try:
        return Rating(number)
    except ValueError as error:
        raise Refusal(f"its rating {number} is not from 0 to 12") from error


def permissions(words: str) -> frozenset[Permission]:
    """Return the permissions in a text, between blanks or commas.

    Raises:
        Refusal: one is not known.
    """
    found = set()
    for word in words.replace(",", " ").split():
        try:
            found.add(Permission(word))
        except ValueError as error:
            known = ", ".join(permission.value for permission in Permission)
            raise Refusal(f"its permission {word!r} is none of {known}") from error
    return frozenset(found)


def unicode_text(text: str, name: str) -> str:
    """Return a text that can be kept.

    Args:
        text: from a command line or from JSON, which may hold what is none.
        name: what it is, for the reason.

    Raises:
        Refusal: UTF-8 cannot hold it.
    """
    if _HALF.search(text):
        raise Refusal(f"its {name} is not UTF-8 text")
    return text


def one_line(value: object, name: str) -> str:
    """Return a name, a mail address or a reason; nothing for a missing one.

    Raises:
        Refusal: it has control signs, or is no text.
    """
    text = unicode_text("" if value is None else str(value).strip(), name)
    if _CONTROL.search(text):
        raise Refusal(f"its {name} has a line end or a control sign")
    return text


def moment(value: object, name: str) -> Seconds | None:
    """Return a point in time: seconds since the epoch, or ISO 8601, as UTC.

    Args:
        value: ``None`` or an empty text for one that is not known.
        name: what it is, for the reason.

    Raises:
        Refusal: it is neither.
    """
    if value is None or value == "":
        return None
    seconds = _seconds(value)
    if seconds is None or not 0 <= seconds < _END_OF_TIME:
        raise Refusal(
            f"its {name} {_quoted(value)} is no time such as 2026-05-01T18:30Z"
        )
    return Seconds(seconds)


def _seconds(value: object) -> float | None:
    """Return the seconds since the epoch that a value says, if it says any."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, datetime):
        when = value
    else:
        text = str(value).strip()
        try:
            return float(text)
        except ValueError:
            pass
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return when.timestamp()


def _quoted(value: object) -> str:
    """Return a value for a reason, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= _QUOTED_LENGTH else f"{text[:_QUOTED_LENGTH]}…"
