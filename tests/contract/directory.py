"""What the members' directory promises, to be run on each kind of database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import URL, Connection, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from rum_twisted.accounts.directory import (
    FOUND_AT_ONCE,
    PAGE,
    PRUNED_AT_ONCE,
    ROWS_AT_ONCE,
    AccountDirectory,
    CidTaken,
    ForeignDatabase,
    NoSuchMember,
)
from rum_twisted.accounts.engine import database_url, make_engine
from rum_twisted.accounts.member import (
    AuditEntry,
    InvalidMember,
    MemberFilter,
    Restriction,
    RestrictionKind,
)
from rum_twisted.accounts.migrate import WrongDatabase, upgrade
from rum_twisted.accounts.schema import METADATA, REVISION, VERSION_TABLE
from rum_twisted.terms.identity import ClientKind, Rating
from rum_twisted.terms.permissions import Permission
from rum_twisted.terms.units import Seconds
from tests.support.builders import NOON
from tests.support.loopclock import RunningLoopTestCase
from tests.support.members import STAFF, make_member, make_record

__all__ = ["DirectoryContract", "EngineContract", "MigrationContract"]

HOUR: Final = 3600.0
TIMEOUT: Final = Seconds(20.0)

BAN: Final = Restriction(
    kind=RestrictionKind.BAN,
    reason="schlechte Sprache, 不良行为",
    since=NOON,
    by="1000012",
)


class OnDatabase:
    """Tests with a database; hides the case below from being run by itself."""

    class Case(RunningLoopTestCase):
        """A test that has an empty database."""

        def new_url(self) -> str:
            """Return the URL of a database that nobody has used."""
            raise NotImplementedError

        def url(self) -> URL:
            """Return the same, as the engine wants it."""
            return database_url(self.new_url(), Path())

        @asynccontextmanager
        async def opened(
            self, url: URL | None = None
        ) -> AsyncIterator[AccountDirectory]:
            """Give a directory with its tables; it is noon."""
            url = url or self.url()
            await upgrade(url)
            self.engine = make_engine(url, query_timeout=TIMEOUT)
            directory = AccountDirectory(self.engine, lambda: NOON)
            try:
                yield directory
            finally:
                await directory.close()

        def on_directory(
            self, work: Callable[[AccountDirectory], Awaitable[None]]
        ) -> None:
            """Run a test on a directory."""

            async def run() -> None:
                async with self.opened() as directory:
                    await work(directory)

            self.run_on_loop(run())

        async def acts(self, directory: AccountDirectory) -> list[str]:
            """Return the audit log in short, the oldest first."""
            log = await directory.audit_log(100)
            return [f"{entry.act} {entry.whom}" for entry in reversed(log)]


class DirectoryContract:
    """Hides the suite below from being run by itself."""

    class MemberTests(OnDatabase.Case):
        """Members come, change and go."""

        def test_what_is_added_is_found(self) -> None:
            """Every field comes back, in any script; the time of adding is noted."""
            member = make_member(
                "AbC1",
                name="Zoë Müller 王",
                email="zoe@example.org",
                rating=Rating.CONTROLLER1,
                pilot_rating=63,
                permissions=frozenset(Permission),
                notes="seen\nat the meeting",
                password_hash="sha256$00",
                last_seen=Seconds(NOON - 5),
                restriction=BAN,
            )

            async def work(directory: AccountDirectory) -> None:
                kept = await directory.add(member, STAFF)
                self.assertEqual(kept, replace(member, created=NOON))
                self.assertEqual(await directory.find("abc1"), kept)

            self.on_directory(work)

        def test_cid_is_found_in_any_case(self) -> None:
            """FSD tells no case in CIDs; letters beyond A to Z are left alone."""

            async def work(directory: AccountDirectory) -> None:
                await directory.add(make_member("AbCÄ"), STAFF)
                for cid in ("abcÄ", "ABCÄ"):
                    self.assertIsNotNone(await directory.find(cid))
                self.assertIsNone(await directory.find("abcä"))

            self.on_directory(work)

        def test_absurd_cids_are_found_by_nobody(self) -> None:
            """Whatever a client types as his CID is an answer, and never an error."""

            async def work(directory: AccountDirectory) -> None:
                for cid in ("", "\0", "1 2", "1" * 65, "1" * 5000, "a:b", "%", "'"):
                    self.assertIsNone(await directory.find(cid), cid)

            self.on_directory(work)

        def test_second_with_a_cid_is_refused(self) -> None:
            """Of two members with one CID the second is not added, nor noted."""

            async def work(directory: AccountDirectory) -> None:
                await directory.add(make_member("abc", name="first"), STAFF)
                with self.assertRaises(CidTaken):
                    await directory.add(make_member("ABC", name="second"), STAFF)
                found = await directory.find("abc")
                assert found is not None
                self.assertEqual(found.name, "first")
                self.assertEqual(await self.acts(directory), ["add abc"])

            self.on_directory(work)

        def test_whether_there_are_members(self) -> None:
            """A new database has none; the first start asks for that."""

            async def work(directory: AccountDirectory) -> None:
                self.assertFalse(await directory.has_members())
                await directory.add(make_member(), STAFF)
                self.assertTrue(await directory.has_members())

            self.on_directory(work)

        def test_change(self) -> None:
            """What is named changes, all else stays; the log tells the rating's way."""

            async def work(directory: AccountDirectory) -> None:
                old = await directory.add(make_member(name="Ann", notes="x"), STAFF)
                new = await directory.change(
                    "1000001",
                    STAFF,
                    rating=Rating.STUDENT1,
                    permissions=frozenset({Permission.KICK}),
                    name="Anne",
                )
                self.assertEqual(
                    new,
                    replace(
                        old,
                        rating=Rating.STUDENT1,
                        permissions=frozenset({Permission.KICK}),
                        name="Anne",
                    ),
                )
                self.assertEqual(await directory.find("1000001"), new)
                [entry, _] = await directory.audit_log(5)
                self.assertEqual(entry.detail, "name, permissions: kick, rating 1 to 2")
                self.assertEqual((entry.by, entry.at), (STAFF, NOON))

            self.on_directory(work)

        def test_impossible_change(self) -> None:
            """Neither done nor noted: other fields, wrong values."""

            async def work(directory: AccountDirectory) -> None:
                old = await directory.add(make_member(), STAFF)
                wrong: list[dict[str, Any]] = [
                    {"cid": "2"},
                    {"password_hash": "x"},
                    {"name": "x" * 201},
                    {"pilot_rating": -1},
                    {"notes": "\0"},
                ]
                for changes in wrong:
                    with self.assertRaises(InvalidMember):
                        await directory.change("1000001", STAFF, **changes)
                self.assertEqual(await directory.find("1000001"), old)
                self.assertEqual(await self.acts(directory), ["add 1000001"])

            self.on_directory(work)

        def test_nobody_cannot_be_changed(self) -> None:
            """Each way of changing a member tells that there is none."""

            async def work(directory: AccountDirectory) -> None:
                ways: list[Awaitable[object]] = [
                    directory.change("1", STAFF, name="x"),
                    directory.set_password("1", "x", STAFF),
                    directory.restrict("1", BAN, STAFF),
                    directory.lift("1", STAFF),
                    directory.delete("1", STAFF),
                ]
                for way in ways:
                    with self.assertRaises(NoSuchMember):
                        await way
                self.assertEqual(await self.acts(directory), [])

            self.on_directory(work)

        def test_new_password(self) -> None:
            """It replaces the old one; the log has the act and not the hash."""

            async def work(directory: AccountDirectory) -> None:
                await directory.add(make_member(), STAFF)
                await directory.set_password("1000001", "sha256$11", STAFF)
                found = await directory.find("1000001")
                assert found is not None
                self.assertEqual(found.password_hash, "sha256$11")
                self.assertNotIn("sha256", repr(await directory.audit_log(9)))
                self.assertNotIn("sha256", repr(found))

            self.on_directory(work)

        def test_better_hash_gives_way_to_a_new_password(self) -> None:
            """A password that was changed meanwhile is not undone."""

            async def work(directory: AccountDirectory) -> None:
                await directory.add(make_member(password_hash="old"), STAFF)
                self.assertTrue(await directory.upgrade_password("1000001", "old", "a"))
                self.assertFalse(
                    await directory.upgrade_password("1000001", "old", "b")
                )
                found = await directory.find("1000001")
                assert found is not None
                self.assertEqual(found.password_hash, "a")
                self.assertEqual(await self.acts(directory), ["add 1000001"])

            self.on_directory(work)

        def test_restriction(self) -> None:
            """It is kept with reason and end, replaced by another, and lifted."""
            suspension = Restriction(
                kind=RestrictionKind.SUSPENSION,
                reason="",
                since=NOON,
                until=Seconds(NOON + 60),
            )

            async def work(directory: AccountDirectory) -> None:
                await directory.add(make_member(), STAFF)
                for restriction in (BAN, suspension):
                    await directory.restrict("1000001", restriction, STAFF)
                    found = await directory.find("1000001")
                    assert found is not None
                    self.assertEqual(found.restriction, restriction)
                await directory.lift("1000001", STAFF)
                found = await directory.find("1000001")
                assert found is not None
                self.assertIsNone(found.restriction)
                self.assertEqual(
                    await self.acts(directory),
                    ["add 1000001", "ban 1000001", "suspend 1000001", "lift 1000001"],
                )

            self.on_directory(work)

        def test_delete(self) -> None:
            """Who is deleted leaves no sessions and no hours, but a line in the log."""

            async def work(directory: AccountDirectory) -> None:
                await directory.add(make_member(), STAFF)
                await directory.record([make_record(began=Seconds(0.0))])
                await directory.prune_sessions(NOON)
                await directory.record([make_record()])
                await directory.delete("1000001", STAFF)
                self.assertIsNone(await directory.find("1000001"))
                self.assertEqual(await directory.sessions("1000001", 9), [])
                self.assertEqual((await directory.hours("1000001")).pilot_minutes, 0)
                self.assertEqual(
                    await self.acts(directory), ["add 1000001", "delete 1000001"]
                )

            self.on_directory(work)

        def test_slips_of_other_programs(self) -> None:
            """A row that a web site wrote badly hides nobody, and frees nobody."""

            async def work(directory: AccountDirectory) -> None:
                await directory.add(make_member("1"), STAFF)
                await directory.add(make_member("2"), STAFF)
                for change in (
                    "restriction = 'ban'",  # and nothing of reason, since and by
                    "restricted_until = 1.8e12",  # milliseconds
                    "created = 1e300, last_seen = -1e300",
                    "pilot_rating = -5",
                    f"notes = '{'x' * 20_000}'",
                ):
                    async with self.engine.begin() as connection:
                        await connection.execute(
                            text(f"UPDATE rum_members SET {change} WHERE cid = '1'")  # noqa: S608
                        )
                    found = await directory.find("1")
                    assert found is not None
                    assert found.restriction is not None
                    self.assertIs(found.restriction.kind, RestrictionKind.BAN)
                    self.assertTrue(found.restriction.holds_at(NOON))
                    listed = [member.cid async for member in directory.members()]
                    self.assertEqual(listed, ["1", "2"])
                found = await directory.find("1")
                assert found is not None
                assert found.restriction is not None
                self.assertIsNone(found.restriction.until)
                self.assertIsNone(found.last_seen)
                self.assertEqual(found.pilot_rating, 0)
                await directory.change("1", STAFF, notes="short")

            self.on_directory(work)

        def test_what_fails_midway_is_not_done(self) -> None:
            """A change without its line in the audit log does not come about."""

            async def work(directory: AccountDirectory) -> None:
                await directory.add(make_member(), STAFF)
                async with self.engine.begin() as connection:
                    await connection.execute(text("DROP TABLE rum_audit"))
                with self.assertRaises(DBAPIError):
                    await directory.set_password("1000001", "new", STAFF)
                found = await directory.find("1000001")
                assert found is not None
                self.assertEqual(found.password_hash, "plain$pw01")

            self.on_directory(work)

        def test_logon_costs_one_indexed_query(self) -> None:
            """One statement finds a member, by the index, whatever there is besides."""
            statements: list[str] = []

            async def work(directory: AccountDirectory) -> None:
                await directory.add(make_member(), STAFF)
                event.listen(
                    self.engine.sync_engine,
                    "before_cursor_execute",
                    lambda *event: statements.append(event[2]),
                )
                await directory.find("1000001")
                self.assertEqual(len(statements), 1, statements)
                self.assertEqual(statements[0].count("SELECT"), 1)
                self.assertIn("WHERE rum_members.cid IN (", statements[0])
                cids = [f"{1000001 + number}" for number in range(FOUND_AT_ONCE + 1)]
                await directory.add(make_member(cids[-1]), STAFF)
                statements.clear()
                found = await asyncio.gather(*map(directory.find, cids))
                self.assertEqual(len(statements), 2, statements)
                self.assertEqual(
                    [member and member.cid for member in found],
                    [cids[0], *[None] * (FOUND_AT_ONCE - 1), cids[-1]],
                )

            self.on_directory(work)

    class ManyMembersTests(OnDatabase.Case):
        """Lists and imports."""

        def test_pages(self) -> None:
            """More members than a page has come once each, by CID."""
            members = [make_member(f"{number}") for number in range(PAGE + 2)]

            async def work(directory: AccountDirectory) -> None:
                self.assertEqual(await directory.insert_batch(members, STAFF), [])
                cids = [each.cid async for each in directory.members()]
                self.assertEqual(cids, sorted(each.cid for each in members))
                self.assertEqual(await directory.count(), len(members))

            self.on_directory(work)

        def test_filter(self) -> None:
            """Each condition leaves out who does not meet it, and count agrees."""
            ended = replace(BAN, until=Seconds(NOON - 1), since=Seconds(0.0))
            members = [
                make_member("1", name="Ann 100%", rating=Rating.STUDENT1),
                make_member("2", email="ANN@example.org", restriction=BAN),
                make_member("3ann", restriction=ended, last_seen=NOON),
                make_member(
                    "4",
                    rating=Rating.SUPERVISOR,
                    permissions=frozenset({Permission.KICK, Permission.NOTICES}),
                ),
            ]
            cases: list[tuple[dict[str, Any], list[str]]] = [
                ({}, ["1", "2", "3ann", "4"]),
                ({"text": "ann"}, ["1", "2", "3ann"]),
                ({"text": "0%"}, ["1"]),
                ({"text": "nobody"}, []),
                ({"lowest_rating": Rating.STUDENT1}, ["1", "4"]),
                ({"highest_rating": Rating.OBSERVER}, ["2", "3ann"]),
                ({"is_restricted": True}, ["2"]),
                ({"is_restricted": False}, ["1", "3ann", "4"]),
                ({"permission": Permission.KICK}, ["4"]),
                ({"permission": Permission.ACCOUNTS}, []),
                ({"seen_before": NOON}, ["1", "2", "4"]),
                ({"seen_before": Seconds(NOON + 1)}, ["1", "2", "3ann", "4"]),
                ({"text": "ann", "is_restricted": True}, ["2"]),
            ]

            async def work(directory: AccountDirectory) -> None:
                await directory.insert_batch(members, STAFF)
                for fields, expected in cases:
                    wanted = MemberFilter(**fields)
                    found = [each.cid async for each in directory.members(wanted)]
                    self.assertEqual(found, expected, fields)
                    self.assertEqual(await directory.count(wanted), len(expected))

            self.on_directory(work)

        def test_batch_leaves_members_alone(self) -> None:
            """Who is there already stays as he is, and is named; one line of audit."""

            async def work(directory: AccountDirectory) -> None:
                old = await directory.add(make_member("1", name="old"), STAFF)
                batch = [make_member("1"), make_member("2", name="a"), make_member("2")]
                skipped = await directory.insert_batch(batch, STAFF)
                self.assertEqual(sorted(skipped), ["1", "2"])
                self.assertEqual(await directory.find("1"), old)
                second = await directory.find("2")
                assert second is not None
                self.assertEqual(second.name, "a")
                self.assertEqual(len(await directory.audit_log(9)), 2)
                self.assertEqual(await directory.insert_batch([], STAFF), [])

            self.on_directory(work)

        def test_batch_that_replaces(self) -> None:
            """It brings the new, but forgets no ban, no registration, no last visit."""

            async def work(directory: AccountDirectory) -> None:
                old = await directory.add(
                    make_member(restriction=BAN, created=Seconds(5.0)), STAFF
                )
                await directory.record(seen={"1000001": Seconds(7.0)})
                new = make_member(name="new", rating=Rating.STUDENT3)
                skipped = await directory.insert_batch([new], STAFF, replace=True)
                self.assertEqual(skipped, [])
                self.assertEqual(
                    await directory.find("1000001"),
                    replace(
                        old,
                        name="new",
                        rating=Rating.STUDENT3,
                        last_seen=Seconds(7.0),
                    ),
                )
                other = replace(BAN, reason="other")
                await directory.insert_batch(
                    [replace(new, restriction=other)], STAFF, replace=True
                )
                found = await directory.find("1000001")
                assert found is not None
                self.assertEqual(found.restriction, other)

            self.on_directory(work)

    class SessionTests(OnDatabase.Case):
        """Who was on, and for how long."""

        def test_sessions_come_back(self) -> None:
            """The newest first, and no more than wanted."""
            first = make_record("AbC", is_open=True)
            second = make_record(
                "abc",
                began=Seconds(NOON + 9),
                kind=ClientKind.CONTROLLER,
                callsign="EHAM_TWR",
                facility=4,
                server="B",
            )

            async def work(directory: AccountDirectory) -> None:
                records = [replace(first, cid="abc"), second]
                await directory.record(records)
                self.assertEqual(await directory.sessions("ABC", 9), records[::-1])
                self.assertEqual(await directory.sessions("abc", 1), [second])

            self.on_directory(work)

        def test_last_sessions_of_everybody(self) -> None:
            """Page by page, the newest first, each once, and none of long ago."""
            records = [
                # Many end at the same moment: the server was stopped.
                make_record(f"{number}", minutes=float(number // 4))
                for number in range(11)
            ]

            async def work(directory: AccountDirectory) -> None:
                await directory.record(records)
                found = []
                since, last = Seconds(NOON + 60), None
                while page := await directory.last_sessions(since, 3, before=last):
                    self.assertLessEqual(len(page), 3)
                    found += page
                    last = page[-1]
                self.assertCountEqual(found, records[4:])
                ends = [record.seen for record in found]
                self.assertEqual(ends, sorted(ends, reverse=True))

            self.on_directory(work)

        def test_a_long_batch(self) -> None:
            """Of several statements; written again, it changes nothing."""
            count = 2 * ROWS_AT_ONCE + 1
            members = [make_member(f"{number:03}") for number in range(count)]
            records = [make_record(member.cid) for member in members]
            entries = [
                AuditEntry(at=NOON, by=STAFF, act="kill", whom=cid, key=f"k{cid}")
                for cid in (member.cid for member in members)
            ]
            seen = {member.cid: Seconds(NOON + 5) for member in members}

            async def work(directory: AccountDirectory) -> None:
                await directory.insert_batch(members, STAFF)
                for _ in range(2):
                    await directory.record(records, entries, seen)
                    found = await directory.last_sessions(Seconds(0.0), 2 * count)
                    self.assertCountEqual(found, records)
                    noted = await directory.audit_log(2 * count)
                    acts = [entry for entry in noted if entry.act == "kill"]
                    self.assertCountEqual(acts, entries)
                    last = [member.last_seen async for member in directory.members()]
                    self.assertEqual(last, [NOON + 5] * count)

            self.on_directory(work)

        def test_a_long_batch_is_written_wholly_or_not(self) -> None:
            """What its last statement finds wrong undoes the first."""
            records = [make_record(f"{number}") for number in range(ROWS_AT_ONCE + 1)]
            records[-1] = replace(records[-1], server=cast("str", None))

            async def work(directory: AccountDirectory) -> None:
                with self.assertRaises(DBAPIError):
                    await directory.record(records)
                found = await directory.last_sessions(Seconds(0.0), 99)
                self.assertEqual(found, [])
                await directory.record()  # nothing; and all goes on
                await directory.record(records[:1])
                found = await directory.last_sessions(Seconds(0.0), 99)
                self.assertEqual(found, records[:1])

            self.on_directory(work)

        def test_written_twice_is_written_once(self) -> None:
            """A batch whose answer was lost comes again, late and in any order."""
            begun = make_record(minutes=0, is_open=True, kind=ClientKind.CONTROLLER)
            later = replace(begun, seen=Seconds(NOON + 60), facility=5)
            ended = replace(later, seen=Seconds(NOON + 90), is_open=False)
            entry = AuditEntry(
                at=NOON, by=STAFF, act="kill", whom="1000001 KLM1", key="k"
            )

            async def work(directory: AccountDirectory) -> None:
                for record in (begun, later, ended, later, begun):
                    await directory.record([record], [entry], {"1000001": NOON})
                self.assertEqual(await directory.sessions("1000001", 9), [ended])
                self.assertEqual(await directory.audit_log(9), [entry])

            self.on_directory(work)

        def test_last_seen_never_goes_back(self) -> None:
            """Batches may come in any order; who is no member does no harm."""

            async def work(directory: AccountDirectory) -> None:
                await directory.add(make_member("abc"), STAFF)
                for seconds in (5.0, 9.0, 7.0):
                    await directory.record(seen={"ABC": Seconds(seconds), "2": NOON})
                found = await directory.find("abc")
                assert found is not None
                self.assertEqual(found.last_seen, 9.0)

            self.on_directory(work)

        def test_sessions_of_a_crashed_server_end(self) -> None:
            """Its own of earlier runs, at their last known time; not others'."""
            crashed = make_record(minutes=5, is_open=True)
            other = make_record(server="B", is_open=True)
            current = make_record(began=Seconds(NOON + HOUR), is_open=True)
            # Of a machine that believed for a while that it was next week.
            future = make_record(began=Seconds(NOON + 7 * 24 * HOUR), is_open=True)

            async def work(directory: AccountDirectory) -> None:
                await directory.record([crashed, other, current, future])
                count = await directory.close_open_sessions("RUM", Seconds(NOON + HOUR))
                self.assertEqual(count, 2)
                found = {
                    each.key: each for each in await directory.sessions("1000001", 9)
                }
                self.assertEqual(found[crashed.key], replace(crashed, is_open=False))
                self.assertEqual(found[other.key], other)
                self.assertEqual(found[current.key], current)
                self.assertEqual(found[future.key], replace(future, is_open=False))

            self.on_directory(work)

        def test_hours(self) -> None:
            """A pilot's add up; a controller's do by facility and callsign."""
            tower: dict[str, Any] = {
                "kind": ClientKind.CONTROLLER,
                "callsign": "EHAM_TWR",
                "facility": 4,
            }
            records = [
                make_record(minutes=10),
                make_record(minutes=20, callsign="KLM2"),
                make_record(minutes=30, **tower),
                make_record(minutes=3, **tower),
                make_record(minutes=40, **{**tower, "callsign": "EHAM_GND"}),
                make_record("2", minutes=500),
                make_record(minutes=-5),  # a clock was set back
            ]

            async def work(directory: AccountDirectory) -> None:
                await directory.record(records)
                hours = await directory.hours("1000001")
                self.assertAlmostEqual(hours.pilot_minutes, 30)
                self.assertEqual(
                    hours.controller_minutes,
                    {(4, "EHAM_TWR"): 33.0, (4, "EHAM_GND"): 40.0},
                )
                self.assertAlmostEqual(hours.all_controller_minutes, 73)

            self.on_directory(work)

        def test_retention_keeps_hours(self) -> None:
            """Old sessions are forgotten, open ones and hours are not."""
            tower: dict[str, Any] = {
                "kind": ClientKind.CONTROLLER,
                "callsign": "EHAM_TWR",
                "facility": 4,
            }
            old = Seconds(NOON - 100 * HOUR)
            records = [
                make_record(began=old, minutes=10),
                make_record(began=old, minutes=20, callsign="KLM2"),
                make_record(began=old, minutes=30, **tower),
                make_record(began=old, minutes=5, is_open=True),
                make_record(minutes=7),
            ]

            async def work(directory: AccountDirectory) -> None:
                await directory.record(records)
                before = await directory.hours("1000001")
                limit = Seconds(NOON - HOUR)
                self.assertEqual(await directory.prune_sessions(limit), 3)
                self.assertEqual(await directory.prune_sessions(limit), 0)
                self.assertEqual(len(await directory.sessions("1000001", 9)), 2)
                self.assertEqual(await directory.hours("1000001"), before)
                again = [make_record(began=old, minutes=10), *records[2:3]]
                again[1] = replace(again[1], key="another")
                await directory.record(again)
                self.assertEqual(await directory.prune_sessions(limit), 2)
                hours = await directory.hours("1000001")
                self.assertAlmostEqual(hours.pilot_minutes, 52)
                self.assertEqual(hours.controller_minutes, {(4, "EHAM_TWR"): 60.0})

            self.on_directory(work)

        def test_retention_goes_in_portions(self) -> None:
            """However many are old, no transaction takes more than its portion."""
            records = [
                make_record(f"{number % 7}", minutes=1)
                for number in range(PRUNED_AT_ONCE + 1)
            ]

            async def work(directory: AccountDirectory) -> None:
                await directory.record(records)
                limit = Seconds(NOON + HOUR)
                self.assertEqual(await directory.prune_sessions(limit), PRUNED_AT_ONCE)
                self.assertEqual(await directory.prune_sessions(limit), 1)

            self.on_directory(work)

    class AuditTests(OnDatabase.Case):
        """What staff did."""

        def test_log(self) -> None:
            """The newest first; of one member, what he did and what was done to him."""

            async def work(directory: AccountDirectory) -> None:
                for whom, name in (
                    ("1", "5"),
                    ("1 KLM1", "5"),
                    ("10", "1 EHAM_SUP"),
                    ("2", "5"),
                    ("%", "5"),
                ):
                    await directory.note(
                        AuditEntry(
                            at=NOON,
                            by=replace(STAFF, name=name),
                            act="kill",
                            whom=whom,
                        )
                    )
                self.assertEqual(
                    [each.whom for each in await directory.audit_log(3)],
                    ["%", "2", "10"],
                )
                self.assertEqual(
                    [each.whom for each in await directory.audit_log(9, about="1")],
                    ["10", "1 KLM1", "1"],
                )

            self.on_directory(work)

        def test_number_of_members_is_no_cid(self) -> None:
            """An import of one member is nothing that was done to member 1."""

            async def work(directory: AccountDirectory) -> None:
                await directory.insert_batch([make_member("1000001")], STAFF)
                self.assertEqual(await self.acts(directory), ["import 1 members"])
                self.assertEqual(await directory.audit_log(9, about="1"), [])
                about_staff = await directory.audit_log(9, about=STAFF.name)
                self.assertEqual([each.act for each in about_staff], ["import"])

            self.on_directory(work)


class EngineContract:
    """Hides the suite below from being run by itself."""

    class EngineTests(OnDatabase.Case):
        """Connections are given back, whatever happens to who uses them."""

        WAIT = "SELECT 1"  # a statement that takes long

        def in_use(self) -> int:
            """Return how many connections are."""
            pool = self.engine.sync_engine.pool
            assert isinstance(pool, QueuePool)
            return pool.checkedout()

        async def use(self, statement: str, started: asyncio.Event) -> None:
            """Run a statement in a transaction."""
            async with self.engine.begin() as connection:
                started.set()
                await connection.execute(text(statement))

        def test_cancelled_statement(self) -> None:
            """Who is cut off in the middle keeps no connection."""

            async def work(directory: AccountDirectory) -> None:
                for times in (1, 2):
                    started = asyncio.Event()
                    task = asyncio.create_task(self.use(self.WAIT, started))
                    await started.wait()
                    await asyncio.sleep(0.05)
                    for _ in range(times):
                        task.cancel()
                        await asyncio.sleep(0)
                    with self.assertRaises(asyncio.CancelledError):
                        await task
                    while self.in_use():
                        await asyncio.sleep(0.01)
                await directory.add(make_member(), STAFF)  # no lock is left

            self.on_directory(work)

        def test_cancelled_at_any_moment(self) -> None:
            """While it is opened, used, or given back: it is there for the next."""

            async def work(directory: AccountDirectory) -> None:
                # asyncpg forgets a future of its own when it is cut off.
                asyncio.get_running_loop().set_exception_handler(lambda *_: None)
                for turns in range(40):
                    await self.engine.dispose()
                    task = asyncio.create_task(
                        self.use("DELETE FROM rum_hours", asyncio.Event())
                    )
                    for _ in range(turns):
                        await asyncio.sleep(0.0002)
                    task.cancel()
                    await asyncio.wait([task])
                    while self.in_use():
                        await asyncio.sleep(0.01)
                await directory.add(make_member(), STAFF)

            self.on_directory(work)

        def test_failed_statement(self) -> None:
            """A mistake in it costs no connection and undoes what came before."""

            async def work(directory: AccountDirectory) -> None:
                for _ in range(10):
                    with self.assertRaises(DBAPIError):
                        async with self.engine.begin() as connection:
                            await connection.execute(
                                text(
                                    "INSERT INTO rum_hours VALUES ('1', 'pilot', 0,"
                                    " '', 1)"
                                )
                            )
                            await connection.execute(text("SELECT * FROM nowhere"))
                    self.assertEqual(self.in_use(), 0)
                self.assertEqual((await directory.hours("1")).pilot_minutes, 0)

            self.on_directory(work)

        def test_others_have_their_turn(self) -> None:
            """The loop goes round between taking a connection and asking."""

            async def work(directory: AccountDirectory) -> None:
                await directory.has_members()  # from now on a connection lies ready
                seen: list[str] = []

                def note(*details: Any) -> None:
                    seen.append(details[2])  # the statement

                event.listen(self.engine.sync_engine, "before_cursor_execute", note)
                asyncio.get_running_loop().call_soon(seen.append, "others")
                async with self.engine.connect() as connection:
                    await connection.execute(text("SELECT 1"))
                self.assertEqual((seen[0], seen[-1]), ("others", "SELECT 1"))

            self.on_directory(work)

        def test_more_questions_than_connections(self) -> None:
            """They wait for each other, and all are answered."""

            async def work(directory: AccountDirectory) -> None:
                await directory.add(make_member(), STAFF)
                found = await asyncio.gather(
                    *(directory.has_members() for _ in range(50))
                )
                self.assertEqual(found, [True] * 50)
                self.assertEqual(self.in_use(), 0)

            self.on_directory(work)


class MigrationContract:
    """Hides the suite below from being run by itself."""

    class MigrationTests(OnDatabase.Case):
        """The tables come to be, and only those that this program knows are used."""

        def test_new_database(self) -> None:
            """It gets its tables; a second time there is nothing to do."""

            async def work() -> None:
                url = self.url()
                self.assertIsNone(await upgrade(url))
                self.assertEqual(await upgrade(url), REVISION)
                async with self.opened(url) as directory:
                    self.assertEqual(await directory.version(), REVISION)

            self.run_on_loop(work())

        def test_two_at_the_same_time(self) -> None:
            """Two servers that start together wait for each other."""

            async def work() -> None:
                url = self.url()
                found = await asyncio.gather(*(upgrade(url) for _ in range(3)))
                self.assertEqual(found.count(None), 1)
                self.assertEqual(found.count(REVISION), 2)

            self.run_on_loop(work())

        def test_steps_lead_to_the_tables(self) -> None:
            """What the steps make is what the program thinks is there."""

            def differences(connection: Connection) -> list[Any]:
                context = MigrationContext.configure(
                    connection,
                    opts={
                        "version_table": VERSION_TABLE,
                        "include_object": lambda *thing: thing[2] != "index",
                    },
                )
                return list(compare_metadata(context, METADATA))

            async def work(_directory: AccountDirectory) -> None:
                async with self.engine.connect() as connection:
                    self.assertEqual(await connection.run_sync(differences), [])

            self.on_directory(work)

        def assert_refused(self, revision: str, *words: str) -> None:
            """Assert that a database of some revision is left alone, and why."""

            async def work() -> None:
                url = self.url()
                async with self.opened(url) as directory:
                    async with self.engine.begin() as connection:
                        await connection.execute(
                            text("UPDATE rum_version SET version_num = :number"),
                            {"number": revision},
                        )
                    with self.assertRaises(WrongDatabase) as caught:
                        await upgrade(url)
                    for word in words:
                        self.assertIn(word, str(caught.exception))
                    self.assertEqual(await directory.version(), revision)

            self.run_on_loop(work())

        def test_newer_database_is_refused(self) -> None:
            """A newer program has been here; the text names both revisions."""
            self.assert_refused("9999", "9999", REVISION, "newer")

        def test_strange_revision_is_refused(self) -> None:
            """A revision of somebody else's is none of ours."""
            self.assert_refused("ae1027a6acf", "ae1027a6acf", "none of Rum's")

        def test_tables_of_others_are_refused(self) -> None:
            """A table of our name that nobody of us has made is not touched."""

            async def work() -> None:
                url = self.url()
                async with self.opened(url) as directory:
                    async with self.engine.begin() as connection:
                        await connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))
                    with self.assertRaises(ForeignDatabase):
                        await upgrade(url)
                    with self.assertRaises(ForeignDatabase):
                        await directory.version()

            self.run_on_loop(work())

        def test_other_tables_do_not_matter(self) -> None:
            """A web site's own tables, and its own Alembic's, may stand beside ours."""

            async def work() -> None:
                url = self.url()
                engine = make_engine(url, query_timeout=TIMEOUT)
                async with engine.begin() as connection:
                    for name in ("members", "users", "alembic_version"):
                        await connection.execute(
                            text(f"CREATE TABLE {name} (version_num TEXT)")
                        )
                await engine.dispose()
                self.assertIsNone(await upgrade(url))

            self.run_on_loop(work())
