"""The members' directory: everything that is asked of the database, and changed in it.

Methods are asyncio's coroutines, so that a server and a command line tool can share
them. Whatever staff do writes its line into the audit log in the same transaction: it
is done and noted, or neither. Nothing here is patient: if the database is away, the
driver's error comes out (`rum_twisted.accounts.engine.trouble_of` tells which do).
"""

import secrets
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from functools import cached_property, partial
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    inspect,
    or_,
    select,
    table,
    update,
)
from sqlalchemy import column as column_of
from sqlalchemy.exc import DatabaseError, IntegrityError
from typing_extensions import override

from rum_twisted.accounts.engine import reading
from rum_twisted.accounts.lookups import Lookups
from rum_twisted.accounts.loopengine import LoopConnection, LoopEngine
from rum_twisted.accounts.member import (
    HIGHEST_PILOT_RATING,
    LONGEST,
    Actor,
    AuditEntry,
    Hours,
    Member,
    MemberFilter,
    Restriction,
    RestrictionKind,
    SessionRecord,
    is_possible_cid,
)
from rum_twisted.accounts.schema import (
    AUDIT,
    HOURS,
    MEMBERS,
    SESSIONS,
    VERSION_TABLE,
)
from rum_twisted.terms.identity import ClientKind, Rating, fold
from rum_twisted.terms.permissions import NO_PERMISSIONS, Permission
from rum_twisted.terms.units import Seconds

__all__ = [
    "AccountDirectory",
    "CidTaken",
    "ForeignDatabase",
    "NoSuchMember",
    "WrongDatabase",
]

T = TypeVar("T")

PAGE: Final = 500  # members that are read at once
ROWS_AT_ONCE: Final = 25
"""Rows of one statement; in between the reactor has its turn. The price: more ways to
the database and back, in which the rows of a batch are locked."""

FOUND_AT_ONCE: Final = 8  # members of one look-up: a turn of the reactor stays short
PRUNED_AT_ONCE: Final = 1000  # sessions; nobody waits longer for the rows than that
_KEY_BYTES: Final = 12
_NO_DATABASE: Final = "file is not a database"  # SQLite's words
_ACTS_ON_MANY: Final = ("import", "export")
_END_OF_TIME: Final = 253_402_300_800  # the year 10000; no calendar here goes farther
_DAY: Final = 86_400.0  # seconds
_DETAIL: Final = 500  # letters of a change that the audit log quotes


class CidTaken(Exception):
    """Somebody is registered under this CID already."""


class NoSuchMember(Exception):
    """Nobody is registered under this CID."""


class WrongDatabase(Exception):
    """The database is not one that this program may use; the text says why."""


class ForeignDatabase(WrongDatabase):
    """It has tables of Rum's names that Rum did not make."""


class AccountDirectory:
    """Members, sessions and the audit log of one database.

    Args:
        engine: from `rum_twisted.accounts.engine.make_engine`.
        now: tells the seconds since the Unix epoch.
        noted: told of each entry of the audit log that is made here, when it is kept.
    """

    def __init__(
        self,
        engine: LoopEngine,
        now: Callable[[], Seconds],
        noted: Callable[[AuditEntry], None] | None = None,
    ) -> None:
        self._noted = noted
        self._entries: dict[LoopConnection, list[AuditEntry]] = {}  # not kept yet
        self._engine = engine
        self._reading = reading(engine)
        self._lookups = Lookups(self._find_some, FOUND_AT_ONCE)
        self._now = now

    @override
    def __repr__(self) -> str:
        return f"<AccountDirectory on {self._engine.dialect.name}>"

    async def close(self) -> None:
        """Close all connections; the next question opens new ones."""
        await self._engine.dispose()

    async def version(self) -> str | None:
        """Return the revision of the tables; ``None`` while there are none.

        Raises:
            ForeignDatabase: the tables are there, but nothing tells their revision;
                or the file holds something else.
        """
        try:
            async with self._reading.connect() as connection:
                return await self.version_on(connection)
        except DatabaseError as error:
            if _NO_DATABASE in str(error.orig):
                raise ForeignDatabase(_NO_DATABASE) from error
            raise

    async def version_on(self, connection: LoopConnection) -> str | None:
        """Return what `version` does, within somebody's transaction."""
        if await connection.run_sync(partial(_has_table, VERSION_TABLE)):
            version: ColumnClause[str] = column_of("version_num")
            found = await connection.execute(
                select(version).select_from(table(VERSION_TABLE, version))
            )
            revision = found.scalar_one_or_none()
            return None if revision is None else str(revision)
        if await connection.run_sync(partial(_has_table, MEMBERS.name)):
            raise ForeignDatabase(
                f"it has a table {MEMBERS.name}, but no {VERSION_TABLE}"
            )
        return None

    # Members.

    async def find(self, cid: str) -> Member | None:
        """Look one member up, by one indexed query.

        Those who are looked up at the same moment share it; see `Lookups`.

        Args:
            cid: in any case; whatever a client may type.
        """
        if not is_possible_cid(cid):
            return None
        row = await self._lookups.find(fold(cid))
        return None if row is None else _member_of(row)

    async def add(self, member: Member, by: Actor) -> Member:
        """Register somebody; returns him as kept, with the time of it.

        Raises:
            CidTaken: there is a member with this CID.
        """
        async with self._writing() as connection:
            row = _row_of(member, self._now())
            try:
                await connection.execute(insert(MEMBERS).values(row))
            except IntegrityError as error:
                raise CidTaken(member.cid) from error
            await self._audit(
                connection, by, "add", member.cid, f"rating {member.rating:d}"
            )
        return _member_of_mapping(row)

    async def change(self, cid: str, by: Actor, /, **changes: Any) -> Member:
        """Change some of what staff may change; see `member.CHANGEABLE`.

        Returns:
            the member as he is then.

        Raises:
            NoSuchMember: nobody has this CID.
            InvalidMember: a field may not be changed so, or its value is wrong.
        """
        async with self._writing() as connection:
            old = await _find_for_change(connection, cid)
            new = old.with_changes(changes)
            values = _row_of(new, self._now())
            await connection.execute(
                update(MEMBERS)
                .where(MEMBERS.c.cid == old.cid)
                .values({name: values[name] for name in changes})
            )
            await self._audit(
                connection, by, "change", old.cid, _describe_changes(old, new, changes)
            )
        return new

    async def set_password(self, cid: str, password_hash: str, by: Actor) -> None:
        """Give a member another password.

        Raises:
            NoSuchMember: nobody has this CID.
        """
        async with self._writing() as connection:
            await _update_member(connection, cid, password_hash=password_hash)
            await self._audit(connection, by, "password", cid)

    async def upgrade_password(self, cid: str, old: str, new: str) -> bool:
        """Keep the same password in a better form, unless it was changed meanwhile.

        Returns:
            whether ``old`` was still there, and ``new`` is now. No act of staff, so
            the audit log does not tell of it.
        """
        async with self._writing() as connection:
            done = await connection.execute(
                update(MEMBERS)
                .where(MEMBERS.c.cid == fold(cid), MEMBERS.c.password_hash == old)
                .values(password_hash=new)
            )
            return done.rowcount == 1

    async def restrict(self, cid: str, restriction: Restriction, by: Actor) -> None:
        """Suspend or ban a member, in place of any restriction that there is.

        Raises:
            NoSuchMember: nobody has this CID.
        """
        act = "ban" if restriction.kind is RestrictionKind.BAN else "suspend"
        until = restriction.until
        end = "until lifted" if until is None else f"until {until:.0f}"
        async with self._writing() as connection:
            await _update_member(connection, cid, **_columns_of(restriction))
            detail = f"{end}: {restriction.reason}"
            await self._audit(connection, by, act, cid, detail)

    async def lift(self, cid: str, by: Actor) -> None:
        """End a member's suspension or ban.

        Raises:
            NoSuchMember: nobody has this CID.
        """
        async with self._writing() as connection:
            await _update_member(connection, cid, **_columns_of(None))
            await self._audit(connection, by, "lift", cid)

    async def delete(self, cid: str, by: Actor) -> None:
        """Forget a member, his sessions and his hours; the audit log stays.

        Raises:
            NoSuchMember: nobody has this CID.
        """
        key = fold(cid)
        async with self._writing() as connection:
            done = await connection.execute(delete(MEMBERS).where(MEMBERS.c.cid == key))
            if not done.rowcount:
                raise NoSuchMember(key)
            await connection.execute(delete(SESSIONS).where(SESSIONS.c.cid == key))
            await connection.execute(delete(HOURS).where(HOURS.c.cid == key))
            await self._audit(connection, by, "delete", cid)

    async def members(
        self, wanted: MemberFilter | None = None
    ) -> AsyncIterator[Member]:
        """Tell the members one after the other, by CID.

        They are read in pages, so that 50,000 cost neither memory nor a long lock;
        who is added meanwhile may or may not be among them.
        """
        condition = _condition(wanted or MemberFilter(), self._now())
        page = select(MEMBERS).order_by(MEMBERS.c.cid).limit(PAGE)
        last = ""
        while True:
            async with self._reading.connect() as connection:
                found = await connection.execute(
                    page.where(MEMBERS.c.cid > last, condition)
                )
                rows = found.all()
            for row in rows:
                yield _member_of(row)
            if len(rows) < PAGE:
                return
            last = rows[-1].cid

    async def count(self, wanted: MemberFilter | None = None) -> int:
        """Tell how many members there are."""
        condition = _condition(wanted or MemberFilter(), self._now())
        question = select(func.count()).select_from(MEMBERS).where(condition)
        async with self._reading.connect() as connection:
            return int((await connection.execute(question)).scalar_one())

    async def has_members(self) -> bool:
        """Tell whether there is anybody."""
        async with self._reading.connect() as connection:
            found = await connection.execute(select(MEMBERS.c.cid).limit(1))
            return found.first() is not None

    async def insert_batch(
        self, members: Sequence[Member], by: Actor, *, replace: bool = False
    ) -> list[str]:
        """Register many at once, in one transaction, with one line of audit.

        Args:
            members: a few thousand at most; of two with one CID the first counts,
                the last if they replace.
            by: who imports them.
            replace: what is known of a member already is replaced, but for the time
                of his registration, when he was last seen, and a restriction that
                the new one does not have.

        Returns:
            the CIDs that were there already and have been left alone.
        """
        rows, skipped = _rows_of_batch(members, self._now(), replace=replace)
        if not rows:
            return skipped
        async with self._writing() as connection:
            known = await connection.execute(
                select(MEMBERS.c.cid).where(MEMBERS.c.cid.in_(rows.keys()))
            )
            there = set() if replace else set(known.scalars())
            skipped += sorted(there)
            new = [row for cid, row in rows.items() if cid not in there]
            if new:
                await connection.execute(self._insertion(replace=replace), new)
            detail = f"{len(new)} written, {len(skipped)} left alone"
            await self._audit(connection, by, "import", f"{len(rows)} members", detail)
        return skipped

    # Sessions.

    async def record(
        self,
        sessions: Sequence[SessionRecord] = (),
        entries: Sequence[AuditEntry] = (),
        seen: Mapping[str, Seconds] | None = None,
    ) -> None:
        """Write down what has happened on a server, in one transaction.

        Whatever comes a second time changes nothing: who is not sure that it was
        written may write it again, and in any order.

        Args:
            sessions: begun, going on, or ended.
            entries: for the audit log; each needs a key.
            seen: when members were seen last, by CID.
        """
        async with self._writing() as connection:
            for some in _portions(sessions):
                rows = [_row_of_session(record) for record in some]
                await connection.execute(self._session_upsert, rows)
            for few in _portions(entries):
                await connection.execute(self._entry_insert, [*map(_row_of_entry, few)])
            # In one order for all servers: no two wait for each other.
            for part in _portions(sorted((seen or {}).items())):
                pairs = [{"who": fold(cid), "at": at} for cid, at in part]
                await connection.execute(_SEEN_LATER, pairs)

    async def note(self, entry: AuditEntry) -> None:
        """Write a line into the audit log."""
        await self.record(entries=[entry])
        self._tell((entry,))

    async def close_open_sessions(self, server: str, before: Seconds) -> int:
        """End what a server that stopped without a word has left open.

        Each session ends when it was last known to go on. One that begins a day from
        now or later is of a run whose clock was wrong, and ends too.

        Args:
            server: its ident.
            before: sessions that began later are another run's.

        Returns:
            how many there were.
        """
        async with self._writing() as connection:
            done = await connection.execute(
                update(SESSIONS)
                .where(
                    SESSIONS.c.server == server,
                    SESSIONS.c.is_open,
                    or_(
                        SESSIONS.c.began < before,
                        SESSIONS.c.began > self._now() + _DAY,
                    ),
                )
                .values(is_open=False)
            )
            return done.rowcount

    async def sessions(self, cid: str, limit: int) -> list[SessionRecord]:
        """Tell a member's last sessions, the newest first."""
        question = (
            select(SESSIONS)
            .where(SESSIONS.c.cid == fold(cid))
            .order_by(SESSIONS.c.began.desc())
            .limit(limit)
        )
        async with self._reading.connect() as connection:
            return [_session_of(row) for row in await connection.execute(question)]

    async def last_sessions(
        self, since: Seconds, limit: int, *, before: SessionRecord | None = None
    ) -> list[SessionRecord]:
        """Tell the sessions of all members, a page at a time, the newest first.

        Args:
            since: sessions that ended earlier are left out.
            limit: how many at most.
            before: the last one of the page before.
        """
        columns = SESSIONS.c
        question = (
            select(SESSIONS)
            .where(columns.seen >= since)
            .order_by(columns.seen.desc(), columns.key.desc())
            .limit(limit)
        )
        if before is not None:
            question = question.where(
                or_(
                    columns.seen < before.seen,
                    and_(columns.seen == before.seen, columns.key < before.key),
                ),
                columns.seen <= before.seen,  # what the index is entered by
            )
        async with self._reading.connect() as connection:
            return [_session_of(row) for row in await connection.execute(question)]

    async def hours(self, cid: str) -> Hours:
        """Add up how long a member has been on, since records began."""
        seconds = case(
            (SESSIONS.c.seen > SESSIONS.c.began, SESSIONS.c.seen - SESSIONS.c.began),
            else_=0.0,
        )
        columns = ("kind", "facility", "callsign")
        kept = (
            select(
                *(SESSIONS.c[name] for name in columns),
                func.sum(seconds).label("seconds"),
            )
            .where(SESSIONS.c.cid == fold(cid))
            .group_by(*(SESSIONS.c[name] for name in columns))
        )
        earlier = select(*(HOURS.c[name] for name in columns), HOURS.c.seconds).where(
            HOURS.c.cid == fold(cid)
        )
        pilot = 0.0
        positions: dict[tuple[int, str], float] = {}
        async with self._reading.connect() as connection:
            for question in (kept, earlier):
                for row in await connection.execute(question):
                    if row.kind == ClientKind.PILOT.value:
                        pilot += row.seconds / 60
                    else:
                        key = row.facility, row.callsign
                        positions[key] = positions.get(key, 0.0) + row.seconds / 60
        return Hours(pilot_minutes=pilot, controller_minutes=positions)

    async def prune_sessions(self, before: Seconds) -> int:
        """Forget sessions that ended before a time, but for the hours they add up to.

        Some at a time: who waits for the tables does not wait for all of them.

        Returns:
            how many are forgotten by this call. Less than `PRUNED_AT_ONCE`: all.
        """
        async with self._writing() as connection:
            found = await connection.execute(
                select(SESSIONS)
                .where(SESSIONS.c.seen < before, ~SESSIONS.c.is_open)
                .order_by(SESSIONS.c.seen)
                .limit(PRUNED_AT_ONCE)
                .with_for_update()  # another server may be at it too
            )
            old = [_session_of(row) for row in found]
            if not old:
                return 0
            await connection.execute(self._hours_upsert, _sums_of(old))
            await connection.execute(
                delete(SESSIONS).where(
                    SESSIONS.c.key.in_([record.key for record in old])
                )
            )
            return len(old)

    # The audit log.

    async def audit_log(self, limit: int, about: str | None = None) -> list[AuditEntry]:
        """Tell what staff did last, the newest first.

        Args:
            limit: how many at most.
            about: a CID; only what was done to, or by, this member.
        """
        question = select(AUDIT).order_by(AUDIT.c.number.desc()).limit(limit)
        if about is not None:
            cid = fold(about)
            question = question.where(
                or_(
                    AUDIT.c.whom == cid,
                    and_(
                        AUDIT.c.whom.startswith(f"{cid} ", autoescape=True),
                        # There it is a number of members, not a CID.
                        AUDIT.c.act.not_in(_ACTS_ON_MANY),
                    ),
                    AUDIT.c.by_whom == cid,
                    AUDIT.c.by_whom.startswith(f"{cid} ", autoescape=True),
                )
            )
        async with self._reading.connect() as connection:
            return [_entry_of(row) for row in await connection.execute(question)]

    # Within.

    async def _find_some(self, cids: Sequence[str]) -> Mapping[str, Row[Any]]:
        """Return the rows of `FOUND_AT_ONCE` members at most, by CID."""
        # Always as many parameters, so that there is one statement to prepare.
        filled = [*cids, *[cids[-1]] * (FOUND_AT_ONCE - len(cids))]
        async with self._reading.connect() as connection:
            found = await connection.execute(
                _SOME_MEMBERS, dict(zip(_SOME, filled, strict=True))
            )
            return {row.cid: row for row in found}

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[LoopConnection]:
        """Give a connection within a transaction that ends well or not at all."""
        async with self._engine.begin() as connection:
            self._entries[connection] = []
            try:
                yield connection
            finally:
                entries = self._entries.pop(connection)
        self._tell(entries)

    def _tell(self, entries: Iterable[AuditEntry]) -> None:
        if self._noted is not None:
            for entry in entries:
                self._noted(entry)

    async def _audit(
        self,
        connection: LoopConnection,
        by: Actor,
        act: str,
        whom: str,
        detail: str = "",
    ) -> None:
        entry = AuditEntry(
            at=self._now(), by=by, act=act, whom=fold(whom), detail=detail
        )
        await connection.execute(insert(AUDIT).values(_row_of_entry(entry)))
        self._entries[connection].append(entry)

    def _dialect_insert(self, into: Any) -> Any:
        """Return an INSERT that knows ON CONFLICT: each dialect has its own."""
        if self._engine.dialect.name == "sqlite":
            from sqlalchemy.dialects import sqlite  # noqa: PLC0415 - only what is used

            return sqlite.insert(into)
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - the same

        return postgresql.insert(into)

    def _insertion(self, *, replace: bool) -> Any:
        statement = self._dialect_insert(MEMBERS)
        cid = [MEMBERS.c.cid]
        if not replace:
            # Somebody may have registered a moment ago, in another transaction.
            return statement.on_conflict_do_nothing(index_elements=cid)
        new = statement.excluded
        plain = ("name", "email", "rating", "pilot_rating", "permissions", "notes")
        is_restricted = new.restriction.is_not(None)
        return statement.on_conflict_do_update(
            index_elements=cid,
            set_={
                **{name: new[name] for name in (*plain, "password_hash")},
                **{
                    name: case((is_restricted, new[name]), else_=MEMBERS.c[name])
                    for name in _columns_of(None)
                },
            },
        )

    # Statements that a running server needs again and again: to put one together takes
    # longer than to run it, most of all when the core's caches hold other things.

    @cached_property
    def _entry_insert(self) -> Any:
        return self._dialect_insert(AUDIT).on_conflict_do_nothing(
            index_elements=[AUDIT.c.key]
        )

    @cached_property
    def _session_upsert(self) -> Any:
        statement = self._dialect_insert(SESSIONS)
        new = statement.excluded
        is_later = new.seen > SESSIONS.c.seen
        return statement.on_conflict_do_update(
            index_elements=[SESSIONS.c.key],
            set_={
                "seen": case((is_later, new.seen), else_=SESSIONS.c.seen),
                "facility": case((is_later, new.facility), else_=SESSIONS.c.facility),
                # Once it has ended it stays so, whatever comes late.
                "is_open": and_(SESSIONS.c.is_open, new.is_open),
            },
        )

    @cached_property
    def _hours_upsert(self) -> Any:
        statement = self._dialect_insert(HOURS)
        return statement.on_conflict_do_update(
            index_elements=list(HOURS.primary_key.columns),
            set_={"seconds": HOURS.c.seconds + statement.excluded.seconds},
        )


def _portions(things: Iterable[T]) -> Iterator[list[T]]:
    """Split things into lists of `ROWS_AT_ONCE`, the last one shorter."""
    left = iter(things)
    while some := list(islice(left, ROWS_AT_ONCE)):
        yield some


def _has_table(name: str, connection: Connection) -> bool:
    return inspect(connection).has_table(name)


def _new_key() -> str:
    return secrets.token_hex(_KEY_BYTES)


# Rows and values.


def _columns_of(restriction: Restriction | None) -> dict[str, Any]:
    if restriction is None:
        return {
            "restriction": None,
            "restriction_reason": None,
            "restricted_since": None,
            "restricted_until": None,
            "restricted_by": None,
        }
    return {
        "restriction": restriction.kind.value,
        "restriction_reason": restriction.reason,
        "restricted_since": restriction.since,
        "restricted_until": restriction.until,
        "restricted_by": restriction.by,
    }


def _row_of(member: Member, now: Seconds) -> dict[str, Any]:
    words = sorted(permission.value for permission in member.permissions)
    return {
        "cid": member.cid,
        "name": member.name,
        "email": member.email,
        "rating": int(member.rating),
        "pilot_rating": member.pilot_rating,
        "permissions": " ".join(words),
        "notes": member.notes,
        "password_hash": member.password_hash,
        "created": now if member.created is None else member.created,
        "last_seen": member.last_seen,
        **_columns_of(member.restriction),
    }


_PERMISSIONS: Final = {permission.value: permission for permission in Permission}


def _permissions_of(words: str) -> frozenset[Permission]:
    """Read permissions; one that only a newer program knows gives nothing here."""
    if not words:
        return NO_PERMISSIONS
    return frozenset(
        _PERMISSIONS[word] for word in words.split() if word in _PERMISSIONS
    )


def _moment_of(value: Any) -> Seconds | None:
    """Read a time; one that no calendar has, or milliseconds, is none."""
    if isinstance(value, int | float) and 0 <= value < _END_OF_TIME:
        return Seconds(float(value))
    return None


def _text_of(name: str, value: Any) -> str:
    """Read a text, cut to what can be kept; nothing where there is none."""
    return "" if value is None else str(value).replace("\0", "")[: LONGEST[name]]


def _restriction_of(row: Mapping[str, Any]) -> Restriction | None:
    """Read a restriction; whatever is wrong with it, it does not let him in."""
    if row["restriction"] is None:
        return None
    until = _moment_of(row["restricted_until"])
    since = _moment_of(row["restricted_since"]) or Seconds(0.0)
    return Restriction(
        kind=RestrictionKind(row["restriction"]),
        reason=_text_of("reason", row["restriction_reason"]),
        since=since if until is None else min(since, until),
        until=until,
        by=_text_of("name", row["restricted_by"]),
    )


def _member_of_mapping(row: Mapping[str, Any]) -> Member:
    """Read a member, who may have been written by another program.

    What the tables let in and no member can have is mended here: a slip in one row
    must not keep that member out without a word, and the staff from seeing the list.
    """
    stored = row["password_hash"]
    return Member(
        cid=row["cid"],
        name=_text_of("name", row["name"]),
        email=_text_of("email", row["email"]),
        rating=Rating(row["rating"]),
        pilot_rating=min(max(row["pilot_rating"], 0), HIGHEST_PILOT_RATING),
        permissions=_permissions_of(row["permissions"]),
        notes=_text_of("notes", row["notes"]),
        # A part of a hash is none.
        password_hash=stored if len(stored) <= LONGEST["password_hash"] else "",
        created=_moment_of(row["created"]),
        last_seen=_moment_of(row["last_seen"]),
        restriction=_restriction_of(row),
    )


def _member_of(row: Row[Any]) -> Member:
    return _member_of_mapping(row._asdict())


def _row_of_session(record: SessionRecord) -> dict[str, Any]:
    return {
        "key": record.key,
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


def _session_of(row: Row[Any]) -> SessionRecord:
    return SessionRecord(
        key=row.key,
        server=row.server,
        cid=row.cid,
        callsign=row.callsign,
        kind=ClientKind(row.kind),
        facility=row.facility,
        rating=row.rating,
        address=row.address,
        began=row.began,
        seen=row.seen,
        is_open=row.is_open,
    )


def _row_of_entry(entry: AuditEntry) -> dict[str, Any]:
    return {
        "key": entry.key or _new_key(),
        "at": entry.at,
        "by_whom": entry.by.name,
        "address": entry.by.address,
        "act": entry.act,
        "whom": entry.whom,
        "detail": entry.detail,
    }


def _entry_of(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        at=row.at,
        by=Actor(row.by_whom, row.address),
        act=row.act,
        whom=row.whom,
        detail=row.detail,
        key=row.key,
    )


def _rows_of_batch(
    members: Iterable[Member], now: Seconds, *, replace: bool
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return one row for each CID, and the CIDs of members who give way within."""
    rows: dict[str, dict[str, Any]] = {}
    skipped = []
    for member in members:
        if member.cid in rows and not replace:
            skipped.append(member.cid)
        else:
            rows[member.cid] = _row_of(member, now)
    return rows, skipped


def _sums_of(sessions: Iterable[SessionRecord]) -> list[dict[str, Any]]:
    """Add sessions up to rows of `HOURS`: pilots in one, controllers by position."""
    sums: dict[tuple[str, str, int, str], float] = {}
    for record in sessions:
        is_pilot = record.kind is ClientKind.PILOT
        key = (
            record.cid,
            record.kind.value,
            0 if is_pilot else record.facility,
            "" if is_pilot else record.callsign,
        )
        sums[key] = sums.get(key, 0.0) + record.minutes * 60
    names = ("cid", "kind", "facility", "callsign", "seconds")
    # In one order for all, so that two servers never wait for each other.
    return [
        dict(zip(names, (*key, total), strict=True))
        for key, total in sorted(sums.items())
    ]


# Questions and changes.


_SOME: Final = tuple(f"cid_{number}" for number in range(FOUND_AT_ONCE))
_SOME_MEMBERS: Final = select(MEMBERS).where(
    MEMBERS.c.cid.in_([bindparam(name) for name in _SOME])
)


_SEEN_LATER: Final = (
    update(MEMBERS)
    .where(
        MEMBERS.c.cid == bindparam("who"),
        or_(
            MEMBERS.c.last_seen.is_(None),
            MEMBERS.c.last_seen < bindparam("at"),
        ),
    )
    .values(last_seen=bindparam("at"))
)


async def _find_for_change(connection: LoopConnection, cid: str) -> Member:
    question = select(MEMBERS).where(MEMBERS.c.cid == fold(cid)).with_for_update()
    row = (await connection.execute(question)).one_or_none()
    if row is None:
        raise NoSuchMember(cid)
    return _member_of(row)


async def _update_member(connection: LoopConnection, cid: str, **values: Any) -> None:
    done = await connection.execute(
        update(MEMBERS).where(MEMBERS.c.cid == fold(cid)).values(values)
    )
    if not done.rowcount:
        raise NoSuchMember(cid)


def _condition(wanted: MemberFilter, now: Seconds) -> ColumnElement[bool]:
    members = MEMBERS.c
    conditions: list[ColumnElement[bool]] = []
    if wanted.text:
        conditions.append(
            or_(
                *(
                    each.icontains(wanted.text, autoescape=True)
                    for each in (members.cid, members.name, members.email)
                )
            )
        )
    if wanted.lowest_rating is not None:
        conditions.append(members.rating >= int(wanted.lowest_rating))
    if wanted.highest_rating is not None:
        conditions.append(members.rating <= int(wanted.highest_rating))
    if wanted.is_restricted is not None:
        holds = and_(
            members.restriction.is_not(None),
            or_(members.restricted_until.is_(None), members.restricted_until > now),
        )
        conditions.append(holds if wanted.is_restricted else ~holds)
    if wanted.permission is not None:
        # None of the words is a part of another; a test sees to it.
        conditions.append(members.permissions.contains(wanted.permission.value))
    if wanted.seen_before is not None:
        conditions.append(
            or_(members.last_seen.is_(None), members.last_seen < wanted.seen_before)
        )
    return and_(*conditions) if conditions else MEMBERS.c.cid.is_not(None)


def _describe_changes(old: Member, new: Member, changes: Iterable[str]) -> str:
    """Tell what was changed; words about a person are named, not quoted."""
    parts = []
    for name in sorted(changes):
        before, after = getattr(old, name), getattr(new, name)
        match name:
            case "rating" | "pilot_rating":
                parts.append(f"{name} {before:d} to {after:d}")
            case "permissions":
                words = sorted(permission.value for permission in after)
                parts.append(f"permissions: {' '.join(words) or 'none'}")
            case _:
                parts.append(name)
    return ", ".join(parts)[:_DETAIL]
