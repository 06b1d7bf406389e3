"""Addresses of databases, and what their errors mean."""

import sqlite3
from pathlib import Path

from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.accounts.engine import (
    DatabaseUrlError,
    database_url,
    make_file,
    shown,
    trouble_of,
)

SECRET = "s3cret"
DATA_DIR = Path("/var/lib/rum")


class UrlTests(SynchronousTestCase):
    """What an operator may write."""

    def test_nothing_means_a_file_in_the_data_folder(self) -> None:
        """The default is an SQLite file."""
        url = database_url("", DATA_DIR)
        self.assertEqual(shown(url), "/var/lib/rum/rum.sqlite")

    def test_drivers(self) -> None:
        """The driver need not be named; the one that Rum has is taken."""
        for setting, driver in (
            ("postgresql://u@h/d", "postgresql+asyncpg"),
            ("postgres://u@h/d", "postgresql+asyncpg"),
            ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg"),
            ("sqlite:////x", "sqlite+aiosqlite"),
            ("sqlite+aiosqlite:////x", "sqlite+aiosqlite"),
        ):
            self.assertEqual(database_url(setting, DATA_DIR).drivername, driver)

    def test_mistakes(self) -> None:
        """Each is told with what is due, and without the password."""
        for setting in (
            f"u:{SECRET}@h",
            f"mysql://u:{SECRET}@h/d",
            f"postgresql://u:{SECRET}@h:port/d",
            "sqlite://",
            "sqlite:///:memory:",
            "sqlite:///file:x?mode=memory&uri=true",
            "rum.sqlite",
        ):
            with self.assertRaises(DatabaseUrlError) as caught:
                database_url(setting, DATA_DIR)
            self.assertIn("due is", str(caught.exception), setting)
            self.assertNotIn(SECRET, str(caught.exception))

    def test_shown_without_password(self) -> None:
        """The log has host and name; neither the password nor what stands behind it."""
        url = database_url(f"postgresql://u:{SECRET}@h/d?passfile={SECRET}", DATA_DIR)
        self.assertEqual(shown(url), "postgresql+asyncpg://u:***@h/d")

    def test_unknown_option_is_refused(self) -> None:
        """A word behind the question mark that nobody knows is no setting."""
        for setting in ("sqlite:////x?color=red", "postgresql://u@h/d?color=red"):
            with self.assertRaisesRegex(DatabaseUrlError, "color.*due is"):
                database_url(setting, DATA_DIR)
        database_url("postgresql://u@/d?host=/run/postgresql&ssl=require", DATA_DIR)

    def test_file_is_made_once(self) -> None:
        """With its folder, and what is there is not touched."""
        path = Path(self.mktemp()).absolute() / "a" / "rum.sqlite"
        url = database_url("", path.parent)
        make_file(url)
        self.assertEqual(path.read_bytes(), b"")
        path.write_bytes(b"x")
        make_file(url)
        self.assertEqual(path.read_bytes(), b"x")


class _StateError(Exception):
    """An error with an SQLSTATE, as PostgreSQL's have."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("words\nof the server")
        self.sqlstate = sqlstate


class TroubleTests(SynchronousTestCase):
    """Which errors mean that waiting helps."""

    def wrapped(self, kind: type[DBAPIError], error: Exception) -> DBAPIError:
        """Return an error as SQLAlchemy raises it."""
        return kind("SELECT 1", {}, error)

    def test_away(self) -> None:
        """Locked, slow, gone, full, shut down, starting up: one line about each."""
        sqlite = sqlite3.OperationalError
        for error in (
            ConnectionRefusedError(111, "Connection refused"),
            TimeoutError(),
            PoolTimeoutError("QueuePool limit"),
            self.wrapped(OperationalError, sqlite("database is locked")),
            self.wrapped(OperationalError, sqlite("unable to open database file")),
            self.wrapped(OperationalError, sqlite("database or disk is full")),
            self.wrapped(InterfaceError, Exception("connection is closed")),
            *(
                self.wrapped(ProgrammingError, _StateError(state))
                for state in ("57P03", "08006", "53300", "57014", "28P01", "3D000")
            ),
            _StateError("57P03"),
        ):
            trouble = trouble_of(error)
            assert trouble, error
            self.assertNotIn("\n", trouble)
            self.assertNotIn("SELECT", trouble)

    def test_our_own_mistakes(self) -> None:
        """A wrong question stays an error: waiting would hide it."""
        for error in (
            ValueError("x"),
            self.wrapped(
                OperationalError, sqlite3.OperationalError("no such table: x")
            ),
            self.wrapped(ProgrammingError, _StateError("42P01")),
            self.wrapped(ProgrammingError, _StateError("23505")),
            self.wrapped(ProgrammingError, sqlite3.ProgrammingError("bad binding")),
        ):
            self.assertIsNone(trouble_of(error), error)

    def test_long_words_are_cut(self) -> None:
        """A driver's essay does not fill the log."""
        trouble = trouble_of(OSError("x" * 10_000))
        assert trouble
        self.assertLess(len(trouble), 250)
