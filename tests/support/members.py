"""Members, their visits and a new database, ready made."""

import itertools
import sqlite3
from pathlib import Path
from typing import Any, Final

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.accounts.member import Actor, Member, SessionRecord
from rum_twisted.terms.identity import ClientKind, Rating
from rum_twisted.terms.units import Seconds
from tests.support.builders import NOON

__all__ = [
    "STAFF",
    "make_member",
    "make_record",
    "new_file",
    "new_url",
    "sqlite_rows",
]

STAFF: Final = Actor("1000011", "192.0.2.7")
"""Who does what has to be done."""

_numbers = itertools.count(1)


def make_member(cid: str = "1000001", **fields: Any) -> Member:
    """Return a member, most of him as they usually are."""
    return Member(
        cid=cid,
        **{"rating": Rating.OBSERVER, "password_hash": "plain$pw01", **fields},
    )


def make_record(
    cid: str = "1000001", *, minutes: float = 60.0, **fields: Any
) -> SessionRecord:
    """Return the visit of a pilot that began at noon."""
    began = fields.pop("began", NOON)
    given: dict[str, Any] = {
        "key": f"key{next(_numbers)}",
        "server": "RUM",
        "callsign": "KLM1",
        "kind": ClientKind.PILOT,
        "rating": 1,
        "address": "192.0.2.1",
        "seen": Seconds(began + minutes * 60),
        **fields,
    }
    return SessionRecord(cid=cid, began=began, **given)


def new_file(test: SynchronousTestCase) -> Path:
    """Return a file that is there and empty."""
    path = Path(test.mktemp()).absolute()
    path.touch()
    return path


def new_url(test: SynchronousTestCase) -> str:
    """Return the URL of such a file."""
    return f"sqlite+aiosqlite:///{new_file(test)}"


def sqlite_rows(path: Path, question: str) -> list[Any]:
    """Return what SQLite itself says about a file."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(question).fetchall()
    finally:
        connection.close()
