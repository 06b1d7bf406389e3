"""The accounts of pyfsd: the table ``users`` with callsign, password and rating.

Its ``callsign`` is what Rum calls a CID. Passwords are the SHA-256 of the password
in hexadecimal digits, or argon2 where the member has logged on to a newer pyfsd.

Source: pyfsd 0.0.1.2.dev0, ``pyfsd/db_tables.py`` and ``pyfsd/auth.py``.
"""

import re
from collections.abc import AsyncIterator
from typing import Final

from rum_twisted.accounts.member import InvalidMember, Member
from rum_twisted.accounts.passwords import Scheme
from rum_twisted.cli.imports.rows import Refusal, Refused, Row, kept_password, rating
from rum_twisted.cli.imports.sql import Table
from rum_twisted.cli.letters import wire_text

__all__ = ["PyfsdAccounts"]

_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}\Z")


class PyfsdAccounts:
    """Reads a database of pyfsd.

    Args:
        place: as for `Table`.
    """

    def __init__(self, place: str) -> None:
        self._table = Table(place, "users", ("callsign", "password", "rating"))

    async def count(self) -> int:
        """Return how many rows there are; see `Table.count`."""
        return await self._table.count()

    async def rows(self) -> AsyncIterator[Row | Refused]:
        """Yield each account, or why it cannot be taken."""
        number = 0
        async for found in self._table.rows():
            number += 1
            cid = wire_text(str(found["callsign"] or ""))
            try:
                member = Member(
                    cid=cid,
                    password_hash=_tagged(found["password"]),
                    rating=rating(found["rating"]),
                )
            except (Refusal, InvalidMember) as refusal:
                yield Refused(number, cid, str(refusal))
            else:
                yield Row(number, member)


def _tagged(password: object) -> str:
    """Return a stored password with the name of its scheme."""
    text = str(password or "").strip()
    if _SHA256.match(text):
        text = f"{Scheme.SHA256.value}{text.lower()}"
    return kept_password(text, Scheme.SHA256, Scheme.ARGON2ID)
