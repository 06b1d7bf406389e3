"""Takes the rows of a source into the database, batch by batch.

Each batch is one transaction, so whatever ends an import, everything up to the last
batch is there, and the same import begun again passes over it. Where passwords are
hashed on the way, which takes some 20 ms each, who is there already is passed over
before that work is done.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from rum_twisted.accounts.directory import AccountDirectory
from rum_twisted.accounts.member import Actor, Member, MemberFilter
from rum_twisted.cli.imports.rows import Refused, Row

__all__ = ["PLAIN", "Hashing", "IReader", "Import", "Tally"]

BATCH: Final = 1000  # rows
HASHED_BATCH: Final = 100  # rows; what an interruption loses is some seconds of work
PLAIN: Final = "plain$"  # what a password begins with that can be hashed


class IReader(Protocol):
    """A source of accounts."""

    async def count(self) -> int:
        """Return how many rows there are, refused ones included."""

    def rows(self) -> AsyncIterator[Row | Refused]:
        """Yield each row in the order of the source."""


@dataclass(frozen=True, slots=True)
class Hashing:
    """How passwords in plain text are hashed on the way."""

    hash: Callable[[str], str]  # text of the wire becomes a tagged value; takes a while
    threads: Executor


@dataclass(slots=True)
class Tally:
    """What has become of the rows so far."""

    read: int = 0
    taken: int = 0  # added or, where asked for, replaced
    skipped: int = 0  # there already
    hashed: int = 0
    without_password: int = 0  # of those taken
    refused: list[Refused] = field(default_factory=list)


class Import:
    """One import.

    Invariant: what `tally` counts as taken is committed, but in a dry run.

    Args:
        directory: takes the members.
        by: who imports; each batch is one entry of the audit log.
        tally: counts; whoever holds it knows how far an import came that has failed.
        replace: members who are there already take on what the source says.
        dry_run: only tell what would be done.
        hashing: or ``None`` to keep passwords as they stand in the source.
    """

    def __init__(
        self,
        directory: AccountDirectory,
        by: Actor,
        tally: Tally,
        *,
        replace: bool,
        dry_run: bool,
        hashing: Hashing | None,
    ) -> None:
        self._directory = directory
        self._by = by
        self._replace = replace
        self._dry_run = dry_run
        self._hashing = hashing
        self._known: dict[str, str] = {}  # who is there, and his password
        self._row_of: dict[str, int] = {}  # of each CID in the source
        self.tally = tally

    async def run(self, reader: IReader, step: Callable[[int], None]) -> None:
        """Take every row; to be called once.

        Args:
            reader: the source.
            step: is called with the number of rows done since the last call.
        """
        if self._replace or self._dry_run or self._hashing is not None:
            async for member in self._directory.members(MemberFilter()):
                self._known[member.cid] = member.password_hash
        size = BATCH if self._hashing is None else HASHED_BATCH
        batch: list[Row] = []
        pending = 0
        async for row in reader.rows():
            pending += 1
            self._sort(row, batch)
            if len(batch) >= size or pending >= BATCH:
                await self._take(batch)
                step(pending)
                batch, pending = [], 0
        await self._take(batch)
        step(pending)

    def _sort(self, row: Row | Refused, batch: list[Row]) -> None:
        """Count a row that needs no work, and put any other into ``batch``."""
        self.tally.read += 1
        if isinstance(row, Refused):
            self.tally.refused.append(row)
            return
        cid = row.member.cid
        first = self._row_of.setdefault(cid, row.number)
        if first != row.number:
            # Some sources tell case in CIDs; and a file may have anything twice.
            reason = f"its CID stands in row {first} already"
            self.tally.refused.append(Refused(row.number, cid, reason))
        elif not self._replace and cid in self._known:
            self.tally.skipped += 1
        else:
            batch.append(row)

    async def _take(self, batch: Sequence[Row]) -> None:
        members = [self._with_kept_password(row.member) for row in batch]
        if self._hashing is not None:
            members = await self._hashed(members, self._hashing)
        skipped: set[str] = set()
        if members and not self._dry_run:
            skipped.update(
                await self._directory.insert_batch(
                    members, self._by, replace=self._replace
                )
            )
        self._count(members, skipped)

    def _count(self, members: Sequence[Member], skipped: set[str]) -> None:
        taken = [member for member in members if member.cid not in skipped]
        self.tally.skipped += len(skipped)
        self.tally.taken += len(taken)
        self.tally.without_password += sum(not one.password_hash for one in taken)

    def _with_kept_password(self, member: Member) -> Member:
        """Return a member who keeps his password where the source has none."""
        if member.password_hash or member.cid not in self._known:
            return member
        return replace(member, password_hash=self._known[member.cid])

    async def _hashed(
        self, members: Sequence[Member], hashing: Hashing
    ) -> list[Member]:
        """Return the members with their plain passwords hashed; a dry run counts."""
        in_plain = [one for one in members if one.password_hash.startswith(PLAIN)]
        self.tally.hashed += len(in_plain)
        if self._dry_run:
            return list(members)
        loop = asyncio.get_running_loop()
        values = await asyncio.gather(
            *(
                loop.run_in_executor(
                    hashing.threads,
                    hashing.hash,
                    one.password_hash.removeprefix(PLAIN),
                )
                for one in in_plain
            )
        )
        hash_of = {one.cid: value for one, value in zip(in_plain, values, strict=True)}
        return [
            replace(one, password_hash=hash_of.get(one.cid, one.password_hash))
            for one in members
        ]
