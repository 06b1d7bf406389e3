"""The accounts of SimpleFSD: its table ``users``, in SQLite or in PostgreSQL.

Its ratings begin at -1, a ban, and 0 is a member who may fly: he becomes an observer
here, for 0 is FSD's suspension. A banned one becomes suspended and keeps a note.
CIDs are numbers that members read, and type, with four digits at least. Passwords
are bcrypt. What its staff may do in its web pages has no counterpart here.

Source: FSD-Universe/SimpleFSD, ``internal/interfaces/operation/user.go``;
``internal/interfaces/fsd/rating.go``.
"""

from collections.abc import AsyncIterator
from typing import Final

from sqlalchemy import RowMapping

from rum_twisted.accounts.member import InvalidMember, Member
from rum_twisted.cli.imports.openfsd import bcrypt_value
from rum_twisted.cli.imports.rows import (
    Refusal,
    Refused,
    Row,
    moment,
    one_line,
    rating,
    whole_number,
)
from rum_twisted.cli.imports.sql import Table
from rum_twisted.terms.identity import Rating

__all__ = ["SimplefsdAccounts"]

_BANNED: Final = -1
_PILOT: Final = 0
_CID_DIGITS: Final = 4
_COLUMNS: Final = ("cid", "username", "email", "password", "rating")


class SimplefsdAccounts:
    """Reads a database of SimpleFSD.

    Args:
        place: as for `Table`.
    """

    def __init__(self, place: str) -> None:
        self._table = Table(place, "users", _COLUMNS, ("created_at",))

    async def count(self) -> int:
        """Return how many rows there are; see `Table.count`."""
        return await self._table.count()

    async def rows(self) -> AsyncIterator[Row | Refused]:
        """Yield each account, or why it cannot be taken."""
        number = 0
        async for found in self._table.rows():
            number += 1
            try:
                member = _member(found)
            except (Refusal, InvalidMember) as refusal:
                yield Refused(number, str(found["cid"]), str(refusal))
            else:
                yield Row(number, member)


def _member(found: RowMapping) -> Member:
    cid = whole_number(found["cid"], "CID")
    source_rating = whole_number(found["rating"], "rating")
    if source_rating == _BANNED:
        kept = Rating.SUSPENDED
    elif source_rating == _PILOT:
        kept = Rating.OBSERVER
    else:
        kept = rating(source_rating)
    return Member(
        cid=f"{cid:0{_CID_DIGITS}d}",
        password_hash=bcrypt_value(found["password"]),
        rating=kept,
        name=one_line(found["username"], "name"),
        email=one_line(found["email"], "mail address"),
        notes="banned in SimpleFSD" if source_rating == _BANNED else "",
        created=moment(found.get("created_at"), "created_at"),
    )
