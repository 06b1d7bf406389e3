"""A database that goes away and comes back, and those who ask it."""

import sqlite3
from pathlib import Path

from sqlalchemy.exc import OperationalError
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.directory import FOUND_AT_ONCE, AccountDirectory
from rum_twisted.accounts.member import Member
from rum_twisted.accounts.migrate import Outcome
from rum_twisted.accounts.patient import DatabaseAway
from rum_twisted.terms.units import Seconds
from tests.support.members import make_member
from tests.support.scripted import QUERY_TIMEOUT, ScriptedDirectory, scripted_database

WITHIN = Seconds(45.0)
GONE = ConnectionRefusedError(111, "Connection refused")
LOCKED = OperationalError(
    "SELECT 1", {}, sqlite3.OperationalError("database is locked")
)


class PatientTestCase(SynchronousTestCase):
    """A database with one member, not started."""

    @override
    def setUp(self) -> None:
        """Make it."""
        self.clock = Clock()
        folder = Path(self.mktemp()).absolute()
        self.directory = ScriptedDirectory(folder)
        self.directory.members_by_cid["1"] = make_member("1")
        self.database = scripted_database(self.directory, self.clock)
        self.addCleanup(self.database.stopService)

    def ask(self, within: Seconds | None = WITHIN) -> Deferred[Member | None]:
        """Look the member up."""
        return self.database.ask(lambda directory: directory.find("1"), within)

    def write(self) -> Deferred[bool]:
        """Change him."""
        return self.database.write(
            lambda directory: directory.upgrade_password("1", "plain$pw01", "x")
        )

    def advance(self, seconds: float) -> None:
        """Let time pass, in small steps."""
        for _ in range(round(seconds * 20)):
            self.clock.advance(0.05)

    def looks(self) -> int:
        """Return how often it was looked at, and forget."""
        count = self.directory.asked.count("version")
        self.directory.asked.clear()
        return count


class ThereTests(PatientTestCase):
    """A database that answers."""

    @override
    def setUp(self) -> None:
        """Start it."""
        super().setUp()
        self.database.startService()

    def test_answer(self) -> None:
        """A question is answered, and nothing is left behind."""
        self.assertEqual(self.successResultOf(self.ask()), make_member("1"))
        self.assertTrue(self.successResultOf(self.write()))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_few_at_once(self) -> None:
        """Two are asked, the others wait their turn and have it in order."""
        self.directory.holds = True
        questions = [self.ask() for _ in range(5)]
        self.assertEqual(self.directory.asked.count("find 1"), 2)
        self.directory.let_go()
        for question in questions:
            self.successResultOf(question)
        self.assertEqual(self.directory.asked.count("find 1"), 5)

    def test_more_look_ups_at_once(self) -> None:
        """As many as two questions hold are looked up; the next ones wait in order."""
        self.directory.holds = True
        most = 2 * FOUND_AT_ONCE
        questions = [self.database.find("1", WITHIN) for _ in range(most + 1)]
        self.assertEqual(self.directory.asked.count("find 1"), most)
        self.directory.let_go()
        for question in questions:
            self.assertEqual(self.successResultOf(question), make_member("1"))
        self.assertEqual(self.directory.asked.count("find 1"), most + 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_writers_have_a_turn_of_their_own(self) -> None:
        """One writes at a time, and who reads does not wait for it."""
        self.directory.holds = True
        writers = [self.write(), self.write()]
        self.directory.holds = False
        self.assertEqual(self.directory.asked.count("upgrade 1"), 1)
        self.successResultOf(self.ask())
        self.directory.let_go()
        self.assertTrue(self.successResultOf(writers[0]))
        self.assertFalse(self.successResultOf(writers[1]))

    def test_cancelled_question_frees_its_turn(self) -> None:
        """Who leaves is free at once, and his turn when there is an answer."""
        self.directory.holds = True
        leaving = [self.ask(), self.ask()]
        waiting, staying = self.ask(), self.ask()
        for question in (waiting, *leaving):
            question.cancel()
            self.failureResultOf(question, CancelledError)
        self.directory.let_go()
        self.successResultOf(staying)
        self.assertEqual(self.directory.asked.count("find 1"), 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIn("0 asking", repr(self.database))

    def test_our_own_mistake_comes_out(self) -> None:
        """A bug is no outage: it is raised, and the database stays there."""
        self.directory.trouble = ValueError("bug")
        self.failureResultOf(self.ask(), ValueError)
        self.failureResultOf(self.write(), ValueError)
        self.assertTrue(self.database.is_there)

    def test_dead_connection_is_asked_again_at_once(self) -> None:
        """A connection that died while it was kept open is no outage."""
        dead = OperationalError(
            "SELECT", {}, Exception("closed"), connection_invalidated=True
        )
        asked = []

        async def question(_directory: AccountDirectory) -> int:
            asked.append(1)
            if len(asked) == 1:
                raise dead
            return 7

        with capturedLogs() as logs:
            self.assertEqual(self.successResultOf(self.database.ask(question, None)), 7)
        self.assertEqual(logs, [])


class AwayTests(PatientTestCase):
    """A database that goes, and comes back or does not."""

    @override
    def setUp(self) -> None:
        """Start it."""
        super().setUp()
        self.database.startService()

    def test_waiting_logons_are_answered_when_it_is_back(self) -> None:
        """All of them, in order; nobody has to ask again."""
        self.directory.trouble = GONE
        questions = [self.ask() for _ in range(50)]
        self.advance(30)
        for question in questions:
            self.assertNoResult(question)
        self.assertEqual(self.database.waiting, 50)
        self.directory.trouble = None
        self.advance(2.1)
        for question in questions:
            self.successResultOf(question)
        self.assertTrue(self.database.is_there)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_bound(self) -> None:
        """Who has waited as long as he may is told, at that time, and why."""
        self.directory.trouble = LOCKED
        question = self.ask()
        self.clock.advance(WITHIN - 0.001)
        self.assertNoResult(question)
        self.clock.advance(0.001)
        error = self.failureResultOf(question, DatabaseAway).value
        self.assertEqual(str(error), "database is locked")
        self.assertEqual(self.database.waiting, 0)

    def test_without_a_bound(self) -> None:
        """Who must know waits for hours."""
        self.directory.trouble = GONE
        question = self.ask(None)
        self.clock.advance(7200)
        self.assertNoResult(question)
        self.directory.trouble = None
        self.clock.advance(2)
        self.successResultOf(question)

    def test_one_look_at_a_time_and_not_too_often(self) -> None:
        """However many wait, the database that struggles is asked every 1 to 2 s."""
        self.directory.trouble = GONE
        questions = [self.ask() for _ in range(1000)]
        self.advance(10)
        self.looks()
        self.advance(60)
        self.assertTrue(30 <= self.looks() <= 61)
        self.assertNotIn("find 1", self.directory.asked)
        for question in questions:
            self.failureResultOf(question, DatabaseAway)

    def test_looks_have_jitter(self) -> None:
        """Two servers do not look at the same moments."""
        times = []
        for seed in (1, 2):
            clock = Clock()
            directory = ScriptedDirectory(Path(self.mktemp()).absolute())
            directory.trouble = GONE
            database = scripted_database(directory, clock, seed=seed)
            database.startService()
            self.addCleanup(database.stopService)
            seen = []
            for step in range(400):
                clock.advance(0.05)
                if directory.asked:
                    seen.append(step)
                    directory.asked.clear()
            times.append(seen)
        self.assertNotEqual(times[0], times[1])

    def test_one_line_when_it_goes_and_one_when_it_is_back(self) -> None:
        """No storm in the log, however many logons and looks there are."""
        with capturedLogs() as logs:
            self.directory.trouble = GONE
            for _ in range(100):
                self.ask()
            self.advance(30)
            self.directory.trouble = LOCKED
            self.advance(5)
            self.directory.trouble = None
            self.advance(3)
        levels = [event["log_level"] for event in logs]
        self.assertEqual(levels, [LogLevel.warn, LogLevel.info])
        self.assertEqual(logs[0]["trouble"], "Connection refused")
        self.assertEqual(logs[1]["waiting"], 100)
        self.assertGreater(logs[1]["seconds"], 34)

    def test_looks_that_find_it_while_questions_do_not(self) -> None:
        """A damaged file: it is asked every 1 to 2 s, and told about once a minute."""
        self.directory.find_trouble = LOCKED
        with capturedLogs() as logs:
            self.ask(None)
            self.advance(10)
            self.looks()
            self.advance(60)
            self.assertTrue(30 <= self.directory.asked.count("find 1") <= 62)
            self.assertTrue(30 <= self.looks() <= 62)
        self.assertLessEqual(len(logs), 4)
        self.directory.find_trouble = None
        self.advance(3)
        self.successResultOf(self.ask())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slow_answer_is_none(self) -> None:
        """A statement that takes too long is given up; the next look finds it back."""
        self.directory.holds = True
        question = self.ask()
        with capturedLogs() as logs:
            self.clock.advance(QUERY_TIMEOUT + 1)
        self.assertEqual(logs[0]["trouble"], "no answer in time")
        self.assertNoResult(question)
        self.directory.holds = False
        self.advance(QUERY_TIMEOUT + 4)
        self.successResultOf(question)

    def test_write_does_not_wait(self) -> None:
        """Who writes is told at once, and keeps what he has."""
        self.directory.trouble = GONE
        self.ask().addErrback(lambda _: None)
        self.failureResultOf(self.write(), DatabaseAway)
        self.assertNotIn("upgrade 1", self.directory.asked)

    def test_lock_on_writing_concerns_nobody_who_reads(self) -> None:
        """While a backup holds SQLite's write lock, logons go on."""
        self.directory.write_trouble = LOCKED
        with capturedLogs() as logs:
            self.failureResultOf(self.write(), DatabaseAway)
            self.advance(5)
            self.successResultOf(self.ask())
        self.assertEqual(logs, [])
        self.assertTrue(self.database.is_there)

    def test_writer_notices_that_it_is_gone(self) -> None:
        """A batch that fails is followed by a look, and by the line in the log."""
        self.directory.trouble = GONE
        with capturedLogs() as logs:
            self.failureResultOf(self.write(), DatabaseAway)
        self.assertFalse(self.database.is_there)
        self.assertEqual(len(logs), 1)

    def test_client_leaves_while_it_is_away(self) -> None:
        """He does not wait any more, and is not asked for later."""
        self.directory.trouble = GONE
        question, other = self.ask(), self.ask()
        question.cancel()
        self.failureResultOf(question, CancelledError)
        self.assertEqual(self.database.waiting, 1)
        self.directory.asked.clear()
        self.directory.trouble = None
        self.advance(3)
        self.successResultOf(other)
        self.assertEqual(self.directory.asked.count("find 1"), 1)

    def test_client_leaves_before_it_goes(self) -> None:
        """His question is not asked again when it is back."""
        self.directory.holds = True
        question = self.ask()
        question.cancel()
        self.failureResultOf(question, CancelledError)
        self.directory.holds = False
        self.advance(QUERY_TIMEOUT + 5)
        self.assertTrue(self.database.is_there)
        self.assertEqual(self.directory.asked.count("find 1"), 1)
        self.assertIn("0 asking", repr(self.database))

    def test_stop_while_it_is_away(self) -> None:
        """Who waits is told at once; no timer is left; it can be started again."""
        self.directory.trouble = GONE
        question = self.ask()
        self.successResultOf(self.database.stopService())
        self.failureResultOf(question, DatabaseAway)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.failureResultOf(self.ask(), DatabaseAway)
        self.successResultOf(self.database.stopService())
        self.directory.trouble = None
        self.database.startService()
        self.successResultOf(self.ask())


class OpeningTests(PatientTestCase):
    """The start."""

    def test_it_is_away_at_the_start(self) -> None:
        """The server starts all the same, and logons wait; one line tells."""
        self.directory.trouble = GONE
        with capturedLogs() as logs:
            self.database.startService()
            self.database.startService()
            question = self.ask()
            self.advance(20)
        self.assertNoResult(question)
        self.assertEqual(len(logs), 1)
        self.directory.trouble = None
        self.advance(3)
        self.successResultOf(question)

    def test_right_tables_need_no_migration(self) -> None:
        """No process is started where the revision is the program's own."""
        self.database = scripted_database(self.directory, self.clock, migrate=self.fail)
        self.database.startService()
        self.successResultOf(self.ask())
        self.successResultOf(self.database.stopService())

    def test_new_database_gets_its_tables(self) -> None:
        """Logons wait for the other process, and see the tables it made."""
        self.directory.revision = None
        migration: Deferred[tuple[Outcome, str]] = Deferred()
        database = scripted_database(
            self.directory, self.clock, migrate=lambda: migration
        )
        self.addCleanup(database.stopService)
        database.startService()
        question = database.ask(lambda directory: directory.find("1"), WITHIN)
        self.assertNoResult(question)
        migration.callback((Outcome.DONE, "words"))
        self.successResultOf(question)

    def assert_unusable(self, words: str) -> None:
        """Assert that the log has one error, and that logons are answered in time."""
        with capturedLogs() as logs:
            self.database.startService()
            question = self.ask()
            self.advance(WITHIN + 1)
            self.advance(600)
        self.failureResultOf(question, DatabaseAway)
        errors = [event for event in logs if event["log_level"] > LogLevel.debug]
        self.assertEqual([event["log_level"] for event in errors], [LogLevel.error])
        self.assertIn(words, errors[0]["trouble"])
        self.assertLess(self.looks(), 25)  # each might start a process

    def test_newer_database(self) -> None:
        """One error names both revisions; nothing is changed."""
        self.directory.revision = "9999"
        self.assert_unusable("9999")

    def test_failed_migration(self) -> None:
        """One error has the last line of what the other process said."""
        self.directory.revision = None
        self.database = scripted_database(
            self.directory,
            self.clock,
            migrate=lambda: succeed((Outcome.FAILED, "Traceback …\nKeyError: 'x'")),
        )
        self.addCleanup(self.database.stopService)
        self.assert_unusable("KeyError: 'x'")

    def test_database_that_vanishes_during_migration(self) -> None:
        """It is tried again when it is back."""
        self.directory.revision = None
        outcomes = [(Outcome.AWAY, "connection lost"), (Outcome.DONE, "words")]
        database = scripted_database(
            self.directory, self.clock, migrate=lambda: succeed(outcomes.pop(0))
        )
        self.addCleanup(database.stopService)
        database.startService()
        question = database.ask(lambda directory: directory.find("1"), WITHIN)
        self.advance(2)
        self.successResultOf(question)
        self.assertEqual(outcomes, [])

    def test_bug_while_looking(self) -> None:
        """It is logged once with its traceback; logons are answered in time."""
        self.directory.trouble = ValueError("bug")
        self.database.startService()
        question = self.ask()
        self.advance(WITHIN + 1)
        self.failureResultOf(question, DatabaseAway)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_stop_during_the_look(self) -> None:
        """Nothing goes on after it."""
        self.directory.holds = True
        self.database.startService()
        self.successResultOf(self.database.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.directory.asked[-1], "close")

    def test_password_is_not_shown(self) -> None:
        """Neither the log nor the manhole shows the URL's password."""
        self.assertIn("rum.sqlite", repr(self.database))
