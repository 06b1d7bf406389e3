"""What the database could not be told waits in a file, through restarts if need be.

One line of JSON for each thing that happened. Lines are added at the end and synced to
the disk; they are read from the beginning, in portions, and the file is removed when
all of them have been written to the database. Since the database takes the same line
twice without harm, nothing has to be noted about how far that came.

The file has a bound. What a line means is told here and nowhere else.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

from typing_extensions import override

from rum_twisted.accounts.member import Actor, AuditEntry, SessionRecord
from rum_twisted.terms.identity import ClientKind
from rum_twisted.terms.units import Seconds

__all__ = ["Batch", "Spool", "SpoolFull"]

LARGEST: Final = 32 * 1024 * 1024  # bytes; more than 100,000 sessions
_OWNER_ONLY: Final = 0o600
_LONGEST_LINE: Final = 8192  # bytes; what is longer nobody here has written


class SpoolFull(Exception):
    """The file has reached its bound; nothing was added."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Things that happened, to be written down together."""

    sessions: Sequence[SessionRecord] = ()
    entries: Sequence[AuditEntry] = ()
    seen: Sequence[tuple[str, Seconds]] = ()  # CIDs, and when

    def __len__(self) -> int:
        """Return how many."""
        return len(self.sessions) + len(self.entries) + len(self.seen)


class Spool:
    """The file.

    Every method may wait for the disk: call them in a thread, whichever.

    Args:
        path: need not exist; its folder has to.
        largest: bytes that it may have.
    """

    def __init__(self, path: Path, largest: int = LARGEST) -> None:
        self._path = path
        self._largest = largest
        self._lock = Lock()  # who is not waited for any more may still be at it

    @override
    def __repr__(self) -> str:
        return f"<Spool {self._path}>"

    def add(self, batch: Batch) -> None:
        """Add to the end, and return when the disk has it.

        Raises:
            SpoolFull: it would be larger than it may be.
            OSError: the disk does not take it; a part of it may be there.
        """
        data = b"".join(line.encode("ascii") + b"\n" for line in _lines_of(batch))
        with self._lock:
            self._append(data)

    def _append(self, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        descriptor = os.open(self._path, flags, _OWNER_ONLY)
        try:
            size = os.fstat(descriptor).st_size
            if size + len(data) > self._largest:
                raise SpoolFull
            if size:
                # Half a line, of a disk that was full, ends here.
                data = b"\n" + data
            with os.fdopen(os.dup(descriptor), "ab") as file:
                file.write(data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def read(self, offset: int, lines: int) -> tuple[Batch, int, int]:
        """Read a portion.

        Args:
            offset: where to begin, in bytes: 0, or what the last call returned.
            lines: how many at most.

        Returns:
            what was there; where to go on, the same offset at the end; and how many
            lines were no such, as after a crash in the middle of one.
        """
        sessions: list[SessionRecord] = []
        entries: list[AuditEntry] = []
        seen: list[tuple[str, Seconds]] = []
        flaws = 0
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return Batch(), offset, 0
        with file:
            file.seek(offset)
            for _ in range(lines):
                line = file.readline(_LONGEST_LINE)
                if not line.strip():
                    continue  # between two portions, or the end
                match _thing_of(line):
                    case SessionRecord() as record:
                        sessions.append(record)
                    case AuditEntry() as entry:
                        entries.append(entry)
                    case (cid, at):
                        seen.append((cid, at))
                    case None:
                        flaws += 1
            return Batch(sessions, entries, seen), file.tell(), flaws

    def remove(self, size: int) -> bool:
        """Remove the file, if all of it has been written elsewhere.

        Args:
            size: how many bytes have been.

        Returns:
            whether there is no file now; else something was added meanwhile.
        """
        with self._lock:
            try:
                if self._path.stat().st_size != size:
                    return False
                self._path.unlink()
            except FileNotFoundError:
                pass
            return True


def _lines_of(batch: Batch) -> Iterator[str]:
    for record in batch.sessions:
        yield json.dumps(
            {
                "session": record.key,
                "server": record.server,
                "cid": record.cid,
                "callsign": record.callsign,
                "kind": record.kind.value,
                "facility": record.facility,
                "rating": record.rating,
                "address": record.address,
                "began": record.began,
                "seen": record.seen,
                "is_open": record.is_open,
            }
        )
    for entry in batch.entries:
        yield json.dumps(
            {
                "act": entry.act,
                "key": entry.key,
                "at": entry.at,
                "by": entry.by.name,
                "address": entry.by.address,
                "whom": entry.whom,
                "detail": entry.detail,
            }
        )
    for cid, at in batch.seen:
        yield json.dumps({"last_seen": at, "cid": cid})


def _thing_of(line: bytes) -> SessionRecord | AuditEntry | tuple[str, Seconds] | None:
    """Read a line; ``None`` if it is no line of ours, or not a whole one."""
    try:
        fields = json.loads(line)
        if "session" in fields:
            return _session_of(fields)
        if "act" in fields:
            return _entry_of(fields)
        return str(fields["cid"]), Seconds(float(fields["last_seen"]))
    except (ValueError, KeyError, TypeError):
        return None


def _session_of(fields: dict[str, Any]) -> SessionRecord:
    return SessionRecord(
        key=str(fields["session"]),
        server=str(fields["server"]),
        cid=str(fields["cid"]),
        callsign=str(fields["callsign"]),
        kind=ClientKind(fields["kind"]),
        facility=int(fields["facility"]),
        rating=int(fields["rating"]),
        address=str(fields["address"]),
        began=Seconds(float(fields["began"])),
        seen=Seconds(float(fields["seen"])),
        is_open=bool(fields["is_open"]),
    )


def _entry_of(fields: dict[str, Any]) -> AuditEntry:
    return AuditEntry(
        at=Seconds(float(fields["at"])),
        by=Actor(str(fields["by"]), str(fields["address"])),
        act=str(fields["act"]),
        whom=str(fields["whom"]),
        detail=str(fields["detail"]),
        key=str(fields["key"]),
    )
