"""Accounts in a CSV file, whose first row names the columns; and in JSON lines.

Both are what ``rumctl account export`` writes. `COLUMNS` tells what each column is;
a source needs ``cid`` and ``rating`` and may leave out every other, as well as each
value but those two. A column that is not known is refused at once, for a misspelt
``pilot_rating`` would otherwise be lost without a word.
"""

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from typing_extensions import override

from rum_twisted.accounts.member import (
    InvalidMember,
    Member,
    Restriction,
    RestrictionKind,
)
from rum_twisted.cli.imports.certfile import read_source_file
from rum_twisted.cli.imports.rows import (
    Refusal,
    Refused,
    Row,
    SourceError,
    kept_password,
    moment,
    one_line,
    permissions,
    plain,
    rating,
    unicode_text,
    whole_number,
)
from rum_twisted.cli.letters import wire_text

__all__ = ["COLUMNS", "CsvFile", "JsonLines"]

COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cid": "the CID; needed",
        "rating": "0 to 12; needed",
        "password": "the password in plain text",
        "password_hash": "or a stored value: $argon2id$…, $2b$… (bcrypt), "
        "sha256$HEX, plain$TEXT",
        "name": "the real name",
        "email": "the mail address",
        "pilot_rating": "a whole number; 0 where it is missing",
        "permissions": "kick, notices, accounts, with blanks between them",
        "notes": "what the staff keeps in mind",
        "created": "when the account was made: ISO 8601, or seconds since 1970",
        "last_seen": "when the member was last on",
        "restriction": "suspension or ban",
        "restriction_reason": "why",
        "restriction_since": "when it began",
        "restriction_until": "when it ends; empty for an open end",
        "restriction_by": "who imposed it",
    }
)
_NEEDED: Final = ("cid", "rating")


class _Rows(ABC):
    """What files of records have in common; the records come in `_records`."""

    def __init__(self, place: str) -> None:
        self._path = Path(place)
        self._found: tuple[Row | Refused, ...] | None = None

    async def count(self) -> int:
        """Return how many records there are.

        Raises:
            SourceError: the file cannot be read, or is not of this kind.
        """
        return len(self._all())

    async def rows(self) -> AsyncIterator[Row | Refused]:
        """Yield each account, or why it cannot be taken.

        Raises:
            SourceError: see `count`.
        """
        for row in self._all():
            yield row

    def _all(self) -> tuple[Row | Refused, ...]:
        if self._found is None:
            self._found = tuple(self._read())
        return self._found

    def _read(self) -> Iterator[Row | Refused]:
        for number, record in self._records():
            yield record if isinstance(record, Refused) else _row(number, record)

    @abstractmethod
    def _records(self) -> Iterator[tuple[int, Mapping[str, object] | Refused]]:
        """Yield each record with its line's number."""

    def _text(self) -> str:
        try:
            # Spreadsheets write a byte order mark.
            return read_source_file(self._path).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise SourceError(
                f"{self._path}: is not UTF-8 text at byte {error.start + 1}"
            ) from error


class CsvFile(_Rows):
    """Reads a CSV file.

    Args:
        place: the file's path.
    """

    @override
    def _records(self) -> Iterator[tuple[int, Mapping[str, object] | Refused]]:
        reader = csv.reader(io.StringIO(self._text(), newline=""), strict=True)
        try:
            header = next(reader, None)
            if header is None:
                raise SourceError(f"{self._path}: is empty; due a row of column names")
            names = self._columns(header)
            line = reader.line_num + 1  # where the next record begins
            for cells in reader:
                number, line = line, reader.line_num + 1
                if not cells:
                    continue
                if len(cells) != len(names):
                    reason = f"it has {len(cells)} values for {len(names)} columns"
                    yield number, Refused(number, cells[0][:32], reason)
                else:
                    yield number, dict(zip(names, cells, strict=True))
        except csv.Error as error:
            raise SourceError(
                f"{self._path}: is not CSV at line {reader.line_num}: {error}"
            ) from error

    def _columns(self, header: list[str]) -> list[str]:
        names = [name.strip().lower() for name in header]
        for name in names:
            if name not in COLUMNS:
                raise SourceError(
                    f"{self._path}: column {name!r} is not known; known are "
                    + ", ".join(COLUMNS)
                )
        missing = [name for name in _NEEDED if name not in names]
        if missing:
            raise SourceError(f"{self._path}: has no column {', '.join(missing)}")
        if len(set(names)) < len(names):
            raise SourceError(f"{self._path}: a column is named twice")
        return names


class JsonLines(_Rows):
    """Reads a file with one JSON object a line, its keys named as the columns.

    Args:
        place: the file's path.
    """

    @override
    def _records(self) -> Iterator[tuple[int, Mapping[str, object] | Refused]]:
        for number, line in enumerate(self._text().split("\n"), start=1):
            if line.strip():
                yield number, _object(number, line)


def _object(number: int, line: str) -> Mapping[str, object] | Refused:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return Refused(number, "", "it is not JSON")
    if not isinstance(record, dict):
        return Refused(number, "", "it is no JSON object")
    for name in record:
        if name not in COLUMNS:
            return Refused(number, "", f"its key {name[:32]!r} is not known")
    try:
        for name, value in record.items():
            unicode_text(str(value), name)
    except Refusal as refusal:
        return Refused(number, "", str(refusal))
    if isinstance(record.get("permissions"), list):
        record["permissions"] = " ".join(map(str, record["permissions"]))
    return record


def _row(number: int, record: Mapping[str, object]) -> Row | Refused:
    cid = wire_text(_text_of(record, "cid"))
    try:
        member = Member(
            cid=cid,
            password_hash=_password(record),
            rating=rating(record.get("rating")),
            name=one_line(record.get("name"), "name"),
            email=one_line(record.get("email"), "mail address"),
            pilot_rating=whole_number(record.get("pilot_rating") or 0, "pilot rating"),
            permissions=permissions(_text_of(record, "permissions")),
            notes=_text_of(record, "notes"),
            created=moment(record.get("created"), "created"),
            last_seen=moment(record.get("last_seen"), "last_seen"),
            restriction=_restriction(record),
        )
    except (Refusal, InvalidMember) as refusal:
        return Refused(number, cid, str(refusal))
    return Row(number, member)


def _text_of(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    return "" if value is None else str(value)


def _password(record: Mapping[str, object]) -> str:
    """Return the tagged password of a record; nothing where it has none."""
    text, kept = _text_of(record, "password"), _text_of(record, "password_hash")
    if text and kept:
        raise Refusal("it has both a password and a password_hash")
    if text:
        return plain(wire_text(text))
    return kept_password(wire_text(kept)) if kept else ""


def _restriction(record: Mapping[str, object]) -> Restriction | None:
    word = _text_of(record, "restriction").strip()
    if not word:
        return None
    try:
        kind = RestrictionKind(word)
    except ValueError as error:
        raise Refusal(
            f"its restriction {word[:32]!r} is neither suspension nor ban"
        ) from error
    since = moment(record.get("restriction_since"), "restriction_since")
    if since is None:
        raise Refusal("its restriction has no restriction_since")
    return Restriction(
        kind=kind,
        reason=one_line(record.get("restriction_reason"), "restriction_reason"),
        since=since,
        until=moment(record.get("restriction_until"), "restriction_until"),
        by=one_line(record.get("restriction_by"), "restriction_by"),
    )
