"""Who was on, and what staff did, on its way to the database."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import OperationalError
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface.verify import verifyObject

from rum_twisted.accounts.logbook import (
    BATCH,
    LONGEST,
    REFRESH,
    REFRESH_AWAY,
    DatabaseLogbook,
)
from rum_twisted.accounts.member import SessionRecord
from rum_twisted.accounts.spool import Spool
from rum_twisted.session.interfaces import ILogbook, StaffAct
from rum_twisted.terms.identity import ClientKind
from rum_twisted.terms.units import Seconds
from tests.support.builders import NOON, make_client, make_controller, make_pilot
from tests.support.scripted import ScriptedDirectory, scripted_database

INTERVAL: Final = Seconds(5.0)
DAY: Final = 86400.0
GONE: Final = ConnectionRefusedError(111, "Connection refused")
LOCKED: Final = OperationalError(
    "INSERT", {}, sqlite3.OperationalError("database is locked")
)
KILL: Final = StaffAct(
    who_cid="STAFF1",
    who_callsign="EHAM_SUP",
    act="kill",
    whom="ABC KLM1",
    detail="abuse",
    where="192.0.2.9",
)


class LogbookTestCase(SynchronousTestCase):
    """A logbook that runs since noon."""

    @override
    def setUp(self) -> None:
        """Start it."""
        self.clock = Clock()
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.directory = ScriptedDirectory(self.folder)
        self.database = scripted_database(self.directory, self.clock)
        self.logbook = self.make()
        self.database.startService()
        self.logbook.startService()
        self.addCleanup(self.database.stopService)
        self.addCleanup(self.stop)

    def stop(self) -> None:
        """Stop whichever logbook runs last."""
        self.logbook.stopService()

    def make(self, retention: float | None = None) -> DatabaseLogbook:
        """Return a logbook, as after a restart."""
        return DatabaseLogbook(
            self.database,
            Spool(self.folder / "spool"),
            self.clock,
            self.now,
            server="RUM",
            interval=INTERVAL,
            retention=None if retention is None else Seconds(retention),
            in_thread=self.in_thread,
        )

    def now(self) -> Seconds:
        """Tell the time."""
        return Seconds(NOON + self.clock.seconds())

    def in_thread(self, work: Callable[[], Any]) -> Deferred[Any]:
        """Do what waits for the disk."""
        return maybeDeferred(work)

    def advance(self, seconds: float) -> None:
        """Let time pass, a second at a time."""
        for _ in range(round(seconds)):
            self.clock.advance(1)

    def visit(self, callsign: str = "KLM1") -> SessionRecord:
        """Return what the database knows about a visit, which it does once."""
        found = [
            record
            for record in self.directory.sessions_by_key.values()
            if record.callsign == callsign
        ]
        self.assertEqual(len(found), 1, found)
        return found[0]


class VisitTests(LogbookTestCase):
    """The database is there."""

    def test_interface_is_whole(self) -> None:
        """A session can use it."""
        self.assertTrue(verifyObject(ILogbook, self.logbook))

    def test_visit(self) -> None:
        """It is written when it begins and when it ends, a batch later each time."""
        pilot = make_client("KLM1", cid="AbC")
        self.logbook.logged_on(pilot, "192.0.2.1")
        self.assertEqual(self.directory.sessions_by_key, {})
        self.advance(5)
        begun = self.visit()
        self.assertEqual(
            begun,
            SessionRecord(
                key=begun.key,
                server="RUM",
                cid="abc",
                callsign="KLM1",
                kind=ClientKind.PILOT,
                rating=1,
                address="192.0.2.1",
                began=NOON,
                seen=NOON,
                is_open=True,
            ),
        )
        self.advance(10)
        self.logbook.logged_off(pilot)
        self.advance(5)
        ended = self.visit()
        self.assertEqual((ended.seen, ended.is_open), (NOON + 15, False))
        self.assertEqual(self.directory.seen, {"abc": NOON + 15})
        self.assertEqual(self.logbook.waiting, 0)

    def test_position_of_a_controller(self) -> None:
        """The facility that he reported last counts; a pilot has none."""
        tower = make_controller("EHAM_TWR")
        self.logbook.logged_on(tower, "")
        tower.facility = 4
        self.logbook.logged_off(tower)
        self.advance(5)
        self.assertEqual(self.visit("EHAM_TWR").facility, 4)

    def test_absurd_facility(self) -> None:
        """A client may report any number; the database's column has an end."""
        tower = make_controller("EHAM_TWR")
        self.logbook.logged_on(tower, "")
        tower.facility = 10**9
        self.logbook.logged_off(tower)
        self.advance(5)
        self.assertEqual(self.visit("EHAM_TWR").facility, 0)

    def test_nothing_is_asked_while_nothing_happens(self) -> None:
        """An idle server does not keep the database busy."""
        self.advance(5)
        self.directory.asked.clear()
        self.advance(600)
        self.assertEqual(self.directory.asked, [])

    def test_many_leave_at_once(self) -> None:
        """They are written in batches, within one interval."""
        pilots = [make_client(f"KLM{number}") for number in range(1200)]
        for pilot in pilots:
            self.logbook.logged_on(pilot, "")
        self.directory.asked.clear()
        self.advance(5)
        self.assertEqual(len(self.directory.sessions_by_key), 1200)
        batches = [asked for asked in self.directory.asked if "record" in asked]
        self.assertEqual(batches[:12], [f"record {BATCH}"] * 12)

    def test_open_session_is_kept_fresh(self) -> None:
        """A server that is killed loses a minute of it at most."""
        pilot = make_pilot("KLM1")
        self.logbook.logged_on(pilot, "")
        for minutes in range(1, 4):
            self.advance(REFRESH + INTERVAL)
            self.assertGreaterEqual(self.visit().seen, NOON + minutes * 60)
            self.assertTrue(self.visit().is_open)

    def test_clock_that_is_set_back(self) -> None:
        """A session never ends before it was last seen."""
        pilot = make_pilot("KLM1")
        pilot.logged_on_at = Seconds(NOON + 1000)
        self.logbook.logged_on(pilot, "")
        self.logbook.logged_off(pilot)
        self.advance(5)
        self.assertEqual(self.visit().seen, NOON + 1000)

    def test_act(self) -> None:
        """What staff did has who, what, whom, when and from where; CIDs are folded."""
        self.logbook.acted(KILL)
        self.advance(5)
        [entry] = self.directory.entries.values()
        self.assertEqual(entry.by.name, "staff1 EHAM_SUP")
        self.assertEqual(entry.by.address, "192.0.2.9")
        self.assertEqual((entry.act, entry.whom), ("kill", "abc KLM1"))
        self.assertEqual((entry.detail, entry.at), ("abuse", NOON))

    def test_an_act_of_the_server_itself(self) -> None:
        """It has no CID, and a name of its own."""
        act = replace(KILL, who_cid="", who_callsign="guard", act="guard", whom="thin")
        self.logbook.acted(act)
        self.advance(5)
        [entry] = self.directory.entries.values()
        self.assertEqual(entry.by.name, "guard")
        self.assertEqual((entry.act, entry.whom), ("guard", "thin"))

    def test_an_act_that_no_database_could_keep(self) -> None:
        """A NUL in its words, or too many of them, do not lose it."""
        self.logbook.acted(replace(KILL, detail="a\0b" * 999))
        self.advance(5)
        [entry] = self.directory.entries.values()
        self.assertEqual(entry.detail, ("a b" * 999)[:500])

    def test_earlier_runs_sessions_are_ended(self) -> None:
        """Once, at the first batch; those of this run are not touched."""
        self.logbook.logged_on(make_pilot("KLM1"), "")
        self.advance(60)
        self.assertEqual(self.directory.closed, [("RUM", NOON)])

    def test_one_bad_record_costs_itself_only(self) -> None:
        """The database refuses one for a reason nobody foresaw: the others are kept."""
        for callsign in ("KLM1", "BROKEN", "KLM2"):
            client = make_client(callsign)
            self.logbook.logged_on(client, "")
            self.logbook.logged_off(client)
        self.advance(5)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.visit("KLM1").callsign, "KLM1")
        self.assertEqual(self.visit("KLM2").callsign, "KLM2")
        self.assertEqual(self.logbook.waiting, 0)

    def test_stop_ends_all_sessions(self) -> None:
        """They are written with the time of the stop; no timer is left."""
        pilot = make_pilot("KLM1")
        self.logbook.logged_on(pilot, "")
        self.advance(7)
        self.successResultOf(self.logbook.stopService())
        self.assertEqual((self.visit().seen, self.visit().is_open), (NOON + 7, False))
        self.logbook.logged_off(pilot)
        self.logbook.logged_on(make_pilot("KLM2"), "")
        self.assertEqual(self.logbook.waiting, 0)
        self.successResultOf(self.logbook.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertFalse((self.folder / "spool").exists())

    def test_it_can_be_started_again(self) -> None:
        """Stopping and starting leaves it as new."""
        self.successResultOf(self.logbook.stopService())
        self.logbook.startService()
        self.logbook.startService()
        self.logbook.logged_on(make_pilot("KLM1"), "")
        self.advance(5)
        self.assertTrue(self.visit().is_open)


class RetentionTests(LogbookTestCase):
    """Old sessions are forgotten."""

    def test_in_portions_and_then_hourly(self) -> None:
        """A portion at each batch while there are more, and then once an hour."""
        self.successResultOf(self.logbook.stopService())
        self.logbook = self.make(retention=365 * DAY)
        self.directory.old_sessions = 2500
        self.directory.asked.clear()
        self.logbook.startService()
        self.advance(60)
        pruned = [asked for asked in self.directory.asked if "prune" in asked]
        self.assertEqual(pruned[0], f"prune {NOON - 365 * DAY}")
        self.assertEqual((len(pruned), self.directory.old_sessions), (3, 0))
        self.directory.asked.clear()
        self.advance(3600)
        self.assertEqual(len(self.directory.asked), 1)

    def test_for_ever(self) -> None:
        """Without retention nothing is forgotten."""
        self.advance(4000)
        self.assertFalse([a for a in self.directory.asked if "prune" in a])


class AwayTests(LogbookTestCase):
    """The database is away."""

    def lose(self) -> None:
        """Have it go, and be noticed."""
        self.advance(5)
        self.directory.trouble = GONE
        self.database.write(_touch_nobody).addErrback(lambda _: None)
        self.assertFalse(self.database.is_there)

    def spooled(self) -> str:
        """Return what is in the file."""
        path = self.folder / "spool"
        return path.read_text(encoding="ascii") if path.exists() else ""

    def test_notes_wait_in_the_file(self) -> None:
        """Not in memory, where a crash would lose them."""
        self.lose()
        self.logbook.logged_on(make_pilot("KLM1"), "")
        self.logbook.acted(KILL)
        self.advance(5)
        self.assertEqual(self.logbook.waiting, 0)
        for word in ("KLM1", "kill"):
            self.assertIn(word, self.spooled())

    def test_nothing_is_lost_when_it_is_back(self) -> None:
        """What began, ended or lasted meanwhile is written; the file is gone."""
        early = make_pilot("KLM1")
        self.logbook.logged_on(early, "")
        self.lose()
        late, short = make_pilot("KLM2"), make_pilot("KLM3")
        self.logbook.logged_on(late, "")
        self.logbook.logged_on(short, "")
        self.advance(10)
        self.logbook.logged_off(early)
        self.logbook.logged_off(short)
        self.advance(20)
        self.directory.trouble = None
        self.advance(10)
        self.assertFalse(self.visit("KLM1").is_open)
        self.assertTrue(self.visit("KLM2").is_open)
        self.assertEqual(self.visit("KLM3").seen, NOON + 15)
        self.assertEqual(self.spooled(), "")

    def test_it_goes_in_the_middle_of_a_batch(self) -> None:
        """The batch is kept, and written when it is back."""
        self.advance(5)
        self.directory.trouble = GONE
        self.logbook.logged_on(make_pilot("KLM1"), "")
        self.advance(5)
        self.assertIn("KLM1", self.spooled())
        self.directory.trouble = None
        self.advance(10)
        self.assertTrue(self.visit().is_open)

    def test_server_stops_meanwhile(self) -> None:
        """Its next start writes what waited, and ends what was open."""
        self.lose()
        pilot = make_pilot("KLM1")
        self.logbook.logged_on(pilot, "")
        self.advance(30)
        self.logbook.acted(KILL)
        self.successResultOf(self.logbook.stopService())
        self.assertEqual(self.directory.sessions_by_key, {})
        self.logbook = self.make()
        self.logbook.startService()
        self.advance(5)
        self.directory.trouble = None
        self.advance(10)
        self.assertEqual((self.visit().seen, self.visit().is_open), (NOON + 35, False))
        self.assertEqual(len(self.directory.entries), 1)
        self.assertEqual(self.directory.closed[-1], ("RUM", NOON + 35))
        self.assertEqual(self.spooled(), "")

    def test_server_is_killed_meanwhile(self) -> None:
        """What waited in the file is there, and its session gets an end."""
        self.lose()
        self.logbook.logged_on(make_pilot("KLM1"), "")
        self.advance(REFRESH_AWAY + 10)
        killed, self.logbook = self.logbook, self.make()
        self.addCleanup(killed.stopService)
        self.logbook.startService()
        self.directory.trouble = None
        self.advance(10)
        self.assertGreaterEqual(self.visit().seen, NOON + REFRESH_AWAY)

    def test_large_file_is_written_in_batches(self) -> None:
        """However much has waited, no transaction takes all of it."""
        self.lose()
        for number in range(1300):
            self.logbook.logged_on(make_client(f"KLM{number}"), "")
        self.advance(5)
        self.directory.asked.clear()
        self.directory.trouble = None
        self.advance(10)
        self.assertEqual(len(self.directory.sessions_by_key), 1300)
        sizes = [int(a.split()[1]) for a in self.directory.asked if "record" in a]
        self.assertEqual(max(sizes), BATCH)

    def test_disk_is_full_as_well(self) -> None:
        """Notes wait in memory, with one line in the log; then they are written."""
        self.lose()
        (self.folder / "spool").mkdir()  # nothing can be added to a folder
        with capturedLogs() as logs:
            self.logbook.logged_on(make_pilot("KLM1"), "")
            self.advance(30)
        self.assertEqual([event["log_level"] for event in logs], [LogLevel.error])
        self.assertEqual(self.logbook.waiting, 2)
        (self.folder / "spool").rmdir()
        self.directory.trouble = None
        self.advance(10)
        self.assertTrue(self.visit().is_open)

    def test_file_cannot_be_read(self) -> None:
        """One line tells, and what is new is written all the same."""
        self.successResultOf(self.logbook.stopService())
        (self.folder / "spool").mkdir()
        self.logbook = self.make()
        with capturedLogs() as logs:
            self.logbook.startService()
            self.logbook.logged_on(make_pilot("KLM1"), "")
            self.advance(60)
        self.assertEqual([event["log_level"] for event in logs], [LogLevel.error])
        self.assertTrue(self.visit().is_open)

    def test_memory_has_a_bound(self) -> None:
        """At the bound all are kept; beyond it the oldest go, and the log tells."""
        self.lose()
        (self.folder / "spool").mkdir()
        for _ in range(LONGEST):
            self.logbook.acted(KILL)
        with capturedLogs() as logs:
            self.advance(5)
            self.assertEqual(len(logs), 1)
            self.logbook.acted(KILL)
            self.advance(5)
        self.assertEqual(self.logbook.waiting, LONGEST)
        self.assertEqual(logs[-1]["count"], 1)
        (self.folder / "spool").rmdir()

    def test_lock_on_writing(self) -> None:
        """One line when sessions have to wait though logons go on, one when it ends."""
        self.advance(5)
        self.directory.write_trouble = LOCKED
        with capturedLogs() as logs:
            self.logbook.logged_on(make_pilot("KLM1"), "")
            self.advance(60)
            self.directory.write_trouble = None
            self.advance(10)
        self.assertTrue(self.database.is_there)
        levels = [event["log_level"] for event in logs]
        self.assertEqual(levels, [LogLevel.warn, LogLevel.info, LogLevel.info])
        self.assertTrue(self.visit().is_open)

    def test_stop_waits_for_a_slow_batch_within_a_bound(self) -> None:
        """A database that hangs does not keep the server from ending."""
        self.advance(5)
        self.directory.holds_writes = True
        self.logbook.logged_on(make_pilot("KLM1"), "")
        self.advance(5)
        stopped = self.logbook.stopService()
        self.assertNoResult(stopped)
        self.advance(10)
        self.successResultOf(stopped)
        self.assertIn("KLM1", self.spooled())
        self.assertIn('"is_open": false', self.spooled())

    def test_broken_lines(self) -> None:
        """A line that a crash cut costs itself only, and the log tells."""
        self.successResultOf(self.logbook.stopService())
        (self.folder / "spool").write_text('{"session": "x', encoding="ascii")
        self.logbook = self.make()
        with capturedLogs() as logs:
            self.logbook.startService()
        self.assertEqual([event["flaws"] for event in logs], [1])
        self.assertEqual(self.spooled(), "")


async def _touch_nobody(directory: Any) -> None:
    await directory.record(seen={})
