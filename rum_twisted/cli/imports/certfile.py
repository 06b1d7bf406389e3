"""The accounts of a ``cert.txt``, the file of the classic server.

A row means what it means to the server that reads such a file, so that nobody's
rights change by the import: of two lines for one CID the later counts, and a rating
above 12 is 12, one below 0 is 0. What that server would only warn about is refused
here: a doubtful line is better mended than carried into a database.

Passwords are kept as they are written. A ``cert.txt`` compares them without regard
to case, no other store does.

Source: docs/protocol.md, "Account file".
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from rum_twisted.accounts.member import InvalidMember, Member
from rum_twisted.cli.imports.rows import (
    Refusal,
    Refused,
    Row,
    SourceError,
    plain,
)
from rum_twisted.terms.identity import Rating, fold

__all__ = ["CertFile", "read_source_file"]

_RATING: Final = re.compile(rb"[+-]?[0-9]+\Z")
_DIGITS: Final = 4  # of a rating; more say nothing else
_WORDS: Final = 3  # CID, password, rating
_COMMENT_SIGNS: Final = (b";", b"#")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_LARGEST: Final = 1 << 28  # bytes; a million accounts need a fifth of it


def read_source_file(path: Path, largest: int = _LARGEST) -> bytes:
    """Return a whole file.

    Args:
        path: a file, or a pipe, whose length nobody knows.
        largest: how many bytes may be in it.

    Raises:
        SourceError: it cannot be read, or is larger than any account file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > largest:
        raise SourceError(f"{path}: more than {largest} bytes; no more are read")
    return data


class CertFile:
    """Reads a ``cert.txt``.

    Args:
        place: the file's path.
    """

    def __init__(self, place: str) -> None:
        self._path = Path(place)
        self._found: tuple[Row | Refused, ...] | None = None

    async def count(self) -> int:
        """Return how many lines are accounts, or were meant to be.

        Raises:
            SourceError: the file cannot be read.
        """
        return len(self._all())

    async def rows(self) -> AsyncIterator[Row | Refused]:
        """Yield each account, or why it cannot be taken, in the order of lines.

        Raises:
            SourceError: the file cannot be read.
        """
        for row in self._all():
            yield row

    def _all(self) -> tuple[Row | Refused, ...]:
        if self._found is None:
            self._found = tuple(_read(read_source_file(self._path)))
        return self._found


def _read(text: bytes) -> list[Row | Refused]:
    found: list[Row | Refused] = []
    place_of: dict[str, int] = {}  # of a CID's last line in `found`
    lines = text.removeprefix(_BYTE_ORDER_MARK).splitlines()
    for number, line in enumerate(lines, start=1):
        words = line.split(None, _WORDS)[:_WORDS]
        if not words or words[0].startswith(_COMMENT_SIGNS):
            continue
        cid = words[0].decode("latin-1")
        row = _row(number, cid, words)
        if _is_read_by_servers(words):
            earlier = place_of.get(fold(cid))
            if earlier is not None:
                reason = f"its CID stands again in line {number}, which counts"
                found[earlier] = Refused(found[earlier].number, cid, reason)
            place_of[fold(cid)] = len(found)
        found.append(row)
    return found


def _is_read_by_servers(words: list[bytes]) -> bool:
    """Tell whether a server takes the line for an account, and not an earlier one."""
    return len(words) == _WORDS and not any(b"\0" in word for word in words)


def _row(number: int, cid: str, words: list[bytes]) -> Row | Refused:
    try:
        _check_words(words)
        member = Member(
            cid=cid,
            password_hash=plain(words[1].decode("latin-1")),
            rating=_rating(words[2]),
        )
    except (Refusal, InvalidMember) as refusal:
        return Refused(number, cid, str(refusal))
    return Row(number, member)


def _check_words(words: list[bytes]) -> None:
    """Raise `Refusal` unless the words are those of an account."""
    if any(b"\0" in word for word in words):
        raise Refusal("it has a NUL; is the file saved as UTF-16?")
    if len(words) < _WORDS:
        raise Refusal("it has fewer than three words: CID, password, rating")


def _rating(word: bytes) -> Rating:
    if not _RATING.match(word):
        raise Refusal(f"its rating {word.decode('latin-1')!r} is no number")
    sign = -1 if word.startswith(b"-") else 1
    digits = word.lstrip(b"+-").lstrip(b"0")[:_DIGITS] or b"0"
    return Rating(min(max(sign * int(digits), 0), Rating.ADMINISTRATOR))
