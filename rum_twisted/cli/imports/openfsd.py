"""The accounts of openfsd: its table ``users``, in SQLite or in PostgreSQL.

Its scale of ratings is FSD's, and one below it: -1 is a member who is not active,
who becomes suspended here and keeps a note of it. Passwords are bcrypt.

Source: renorris/openfsd, ``db/migrations`` and ``db/user_postgres.go``.
"""

from collections.abc import AsyncIterator
from typing import Final

from sqlalchemy import RowMapping

from rum_twisted.accounts.member import InvalidMember, Member
from rum_twisted.accounts.passwords import Scheme
from rum_twisted.cli.imports.rows import (
    Refusal,
    Refused,
    Row,
    kept_password,
    one_line,
    rating,
    whole_number,
)
from rum_twisted.cli.imports.sql import Table
from rum_twisted.terms.identity import Rating

__all__ = ["OpenfsdAccounts", "bcrypt_value"]

_INACTIVE: Final = -1
_COLUMNS: Final = ("cid", "password", "first_name", "last_name", "network_rating")


class OpenfsdAccounts:
    """Reads a database of openfsd.

    Args:
        place: as for `Table`.
    """

    def __init__(self, place: str) -> None:
        self._table = Table(place, "users", _COLUMNS, ("pilot_rating",))

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


def bcrypt_value(password: object) -> str:
    """Return a stored bcrypt value, which names its scheme itself.

    Args:
        password: bytes where a program in Go has written them to SQLite.

    Raises:
        Refusal: it is none.
    """
    if isinstance(password, bytes):
        password = password.decode("latin-1")
    return kept_password(str(password or "").strip(), Scheme.BCRYPT)


def _member(found: RowMapping) -> Member:
    is_inactive = whole_number(found["network_rating"], "rating") == _INACTIVE
    names = (one_line(found[key], "name") for key in ("first_name", "last_name"))
    return Member(
        cid=str(whole_number(found["cid"], "CID")),
        password_hash=bcrypt_value(found["password"]),
        rating=Rating.SUSPENDED if is_inactive else rating(found["network_rating"]),
        name=" ".join(name for name in names if name),
        pilot_rating=whole_number(found.get("pilot_rating") or 0, "pilot rating"),
        notes="not active in openfsd" if is_inactive else "",
    )
