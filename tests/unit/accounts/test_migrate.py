"""The tables come to be, and only those that this program knows are used."""

import stat
from pathlib import Path

from sqlalchemy.exc import OperationalError
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.directory import AccountDirectory, ForeignDatabase
from rum_twisted.accounts.engine import database_url, make_engine
from rum_twisted.accounts.migrate import Outcome, WrongDatabase, check, run, upgrade
from rum_twisted.accounts.schema import REVISION
from rum_twisted.terms.units import Seconds
from tests.contract.directory import MigrationContract
from tests.support.builders import NOON
from tests.support.loop import keep_event_loop
from tests.support.members import STAFF, make_member, new_file, new_url, sqlite_rows


class CheckTests(SynchronousTestCase):
    """Which revisions this program may use, and which need a migration."""

    def test_revisions(self) -> None:
        """None and older ones are brought forward; its own needs nothing."""
        self.assertTrue(check(None))
        self.assertTrue(check("0000"))
        self.assertFalse(check(REVISION))

    def test_wrong_revisions(self) -> None:
        """A newer one, or one that is no number of four digits, is refused."""
        for revision in ("9999", "", "1", "00001", "ae1027a6acf", "0001x"):
            with self.assertRaises(WrongDatabase):
                check(revision)


class RunTests(SynchronousTestCase):
    """What the process says when it ends."""

    @override
    def setUp(self) -> None:
        """Remember the reactor's loop: the process has one of its own."""
        keep_event_loop(self)

    def test_done(self) -> None:
        """From which revision to which; or that there was nothing to do."""
        url = new_url(self)
        self.assertEqual(run(url), (Outcome.DONE, f"from revision none to {REVISION}"))
        outcome, words = run(url)
        self.assertEqual(outcome, Outcome.DONE)
        self.assertIn("nothing to do", words)

    def test_wrong(self) -> None:
        """A URL that names nothing, and a file that is no database."""
        outcome, words = run("mysql://u:secret@h/d")
        self.assertEqual(outcome, Outcome.WRONG)
        self.assertNotIn("secret", words)
        path = new_file(self)
        path.write_bytes(b"x" * 1000)
        outcome, words = run(f"sqlite:///{path}")
        self.assertEqual((outcome, words), (Outcome.WRONG, "file is not a database"))

    def test_away(self) -> None:
        """A folder stands where the file is due."""
        path = Path(self.mktemp()).absolute()
        path.mkdir()
        outcome, words = run(f"sqlite:///{path}")
        self.assertEqual(outcome, Outcome.AWAY)
        self.assertNotIn("\n", words)


class MigrationTests(MigrationContract.MigrationTests):
    """The tables come to be, in SQLite."""

    @override
    def new_url(self) -> str:
        return new_url(self)

    def test_file_is_its_owners(self) -> None:
        """Nobody else may read it, nor what SQLite keeps beside it while it is open."""
        path = Path(self.mktemp()).absolute() / "data" / "rum.sqlite"
        url = database_url("", path.parent)

        async def work() -> None:
            async with self.opened(url) as directory:
                await directory.find("1")
                files = sorted(path.parent.iterdir())
                self.assertEqual(
                    [each.name for each in files],
                    ["rum.sqlite", "rum.sqlite-shm", "rum.sqlite-wal"],
                )
                for file in files:
                    self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)

        self.run_on_loop(work())
        self.assertEqual(sqlite_rows(path, "PRAGMA journal_mode"), [("wal",)])

    def test_missing_file_is_not_made_by_a_question(self) -> None:
        """A file that was moved away must not be replaced by an empty one."""
        path = Path(self.mktemp()).absolute()

        async def work() -> None:
            engine = make_engine(
                database_url(f"sqlite:///{path}", Path()), query_timeout=Seconds(1.0)
            )
            directory = AccountDirectory(engine, lambda: NOON)
            with self.assertRaises(OperationalError):
                await directory.find("1")
            await directory.close()

        self.run_on_loop(work())
        self.assertFalse(path.exists())

    def test_another_file_is_refused(self) -> None:
        """A file that is no database is left as it is."""
        path = new_file(self)
        path.write_text("1000001 secret 1\n" * 100, encoding="ascii")
        before = path.read_bytes()
        url = database_url(f"sqlite:///{path}", Path())

        async def work() -> None:
            directory = AccountDirectory(
                make_engine(url, query_timeout=Seconds(1.0)), lambda: NOON
            )
            for attempt in (directory.version(), upgrade(url)):
                with self.assertRaises(ForeignDatabase):
                    await attempt
            await directory.close()

        self.run_on_loop(work())
        self.assertEqual(path.read_bytes(), before)

    def test_odd_file_name(self) -> None:
        """Blanks, percent and question marks belong to the name."""
        folder = Path(self.mktemp()).absolute() / "a b%20?c#d"
        folder.mkdir(parents=True)
        url = database_url("", folder)

        async def work() -> None:
            async with self.opened(url) as directory:
                await directory.add(make_member(), STAFF)

        self.run_on_loop(work())
        self.assertTrue((folder / "rum.sqlite").exists())
