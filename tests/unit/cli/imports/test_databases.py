"""The databases of pyfsd, openfsd and SimpleFSD, in SQLite files."""

import hashlib
from typing import Final

import bcrypt
from argon2 import PasswordHasher

from rum_twisted.accounts.passwords import Hasher
from rum_twisted.cli.imports.openfsd import OpenfsdAccounts
from rum_twisted.cli.imports.pyfsd import PyfsdAccounts
from rum_twisted.cli.imports.rows import SourceError
from rum_twisted.cli.imports.simplefsd import SimplefsdAccounts
from rum_twisted.cli.imports.sql import Table
from rum_twisted.terms.identity import Rating
from tests.support.loop import run
from tests.unit.cli.builders import (
    FolderTestCase,
    make_table,
    members_of,
    read,
    refusals_of,
)

PASSWORD: Final = "pw01"
SHA256: Final = hashlib.sha256(PASSWORD.encode()).hexdigest()
ARGON2: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
BCRYPT: Final = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
PYFSD: Final = "callsign VARCHAR PRIMARY KEY, password VARCHAR(64), rating INTEGER"
OPENFSD: Final = (
    "cid integer PRIMARY KEY AUTOINCREMENT, password text(60) NOT NULL,"
    " first_name text(255), last_name text(255), network_rating integer NOT NULL"
)
SIMPLEFSD: Final = (
    "id integer PRIMARY KEY AUTOINCREMENT, username text, email text, cid integer,"
    " password text, rating integer DEFAULT 0, permission integer, created_at datetime"
)


class PyfsdTests(FolderTestCase):
    """pyfsd's table has a callsign, which is a CID, a password and a rating."""

    def reader(self, *rows: tuple[object, ...]) -> PyfsdAccounts:
        """Return a reader of a database with these rows."""
        path = self.folder / "pyfsd.db"
        make_table(path, PYFSD, rows)
        return PyfsdAccounts(str(path))

    def test_both_kinds_of_password_are_understood(self) -> None:
        """A member logs on with the password that he has there."""
        found = members_of(
            read(self.reader(("1", SHA256.upper(), 1), ("2", ARGON2, 12)))
        )
        self.assertEqual([one.rating for one in found], [1, 12])
        for one in found:
            self.assertTrue(Hasher().verify(one.password_hash, PASSWORD).ok)

    def test_rows_that_make_no_account_are_refused(self) -> None:
        """Each with its place in the table, which is read in the order of CIDs."""
        found = read(
            self.reader(
                ("1", "tooshort", 1),
                ("2", SHA256, 13),
                ("3", None, 1),
                ("4", SHA256, "high"),
                ("5 6", SHA256, 1),
                ("7", BCRYPT, 1),
            )
        )
        self.assertEqual(members_of(found), [])
        self.assertEqual(
            [number for number, _ in refusals_of(found)], [1, 2, 3, 4, 5, 6]
        )


class OpenfsdTests(FolderTestCase):
    """openfsd's table has numbers for CIDs, two names and bcrypt."""

    def reader(self, columns: str, *rows: tuple[object, ...]) -> OpenfsdAccounts:
        """Return a reader of a database with these rows."""
        path = self.folder / "openfsd.db"
        make_table(path, columns, rows)
        return OpenfsdAccounts(str(path))

    def test_members_come_over_whole(self) -> None:
        """Name, rating and password; Go writes passwords as bytes."""
        reader = self.reader(
            OPENFSD,
            (1, BCRYPT.encode(), "Default", "Administrator", 12),
            (2, BCRYPT, None, None, 1),
        )
        first, second = members_of(read(reader))
        self.assertEqual(first.cid, "1")
        self.assertEqual(first.name, "Default Administrator")
        self.assertEqual(first.rating, Rating.ADMINISTRATOR)
        self.assertEqual(second.name, "")
        for one in (first, second):
            self.assertTrue(Hasher().verify(one.password_hash, PASSWORD).ok)

    def test_newer_databases_have_a_pilot_rating(self) -> None:
        """It is taken over where there is one."""
        reader = self.reader(
            OPENFSD + ", pilot_rating integer NOT NULL DEFAULT 0",
            (1, BCRYPT, "", "", 1, 3),
        )
        (one,) = members_of(read(reader))
        self.assertEqual(one.pilot_rating, 3)

    def test_who_is_not_active_is_suspended(self) -> None:
        """Its rating -1 has no counterpart; a note keeps what it was."""
        (one,) = members_of(read(self.reader(OPENFSD, (1, BCRYPT, "", "", -1))))
        self.assertEqual(one.rating, Rating.SUSPENDED)
        self.assertEqual(one.notes, "not active in openfsd")

    def test_rows_that_make_no_account_are_refused(self) -> None:
        """Ratings beyond the scale, and passwords that are no bcrypt."""
        found = read(
            self.reader(
                OPENFSD,
                (1, BCRYPT, "", "", 13),
                (2, "secret", "", "", 1),
                (3, BCRYPT, "a\nb", "", 1),
            )
        )
        self.assertEqual([number for number, _ in refusals_of(found)], [1, 2, 3])


class SimplefsdTests(FolderTestCase):
    """SimpleFSD's table has user names, mail addresses and a scale of its own."""

    def reader(self, *rows: tuple[object, ...]) -> SimplefsdAccounts:
        """Return a reader of a database with these rows."""
        path = self.folder / "simplefsd.db"
        make_table(path, SIMPLEFSD, rows)
        return SimplefsdAccounts(str(path))

    def row(self, cid: int, rating: int) -> tuple[object, ...]:
        """Return a row that is about a CID and a rating."""
        when = "2025-03-01 20:00:00.123456789+08:00"
        return (cid, f"user{cid}", f"{cid}@example.org", cid, BCRYPT, rating, 0, when)

    def test_members_come_over_whole(self) -> None:
        """With four digits at least in a CID, which is what they type."""
        short, long = members_of(read(self.reader(self.row(7, 3), self.row(23456, 5))))
        self.assertEqual(short.cid, "0007")
        self.assertEqual(short.name, "user7")
        self.assertEqual(short.email, "7@example.org")
        self.assertEqual(short.rating, Rating.STUDENT2)
        self.assertEqual(int(short.created or 0), 1740830400)
        self.assertEqual(long.cid, "23456")
        self.assertTrue(Hasher().verify(short.password_hash, PASSWORD).ok)

    def test_its_scale_begins_lower(self) -> None:
        """-1 is a ban, 0 a pilot: FSD's 0 would suspend everybody who only flies."""
        banned, pilot, observer = members_of(
            read(self.reader(self.row(1, -1), self.row(2, 0), self.row(3, 1)))
        )
        self.assertEqual(banned.rating, Rating.SUSPENDED)
        self.assertEqual(banned.notes, "banned in SimpleFSD")
        self.assertEqual(pilot.rating, Rating.OBSERVER)
        self.assertEqual(observer.rating, Rating.OBSERVER)

    def test_ratings_beyond_the_scale_are_refused(self) -> None:
        """Nobody becomes an administrator by a slip."""
        found = read(self.reader(self.row(1, 13), self.row(2, -2)))
        self.assertEqual([number for number, _ in refusals_of(found)], [1, 2])


class TableTests(FolderTestCase):
    """A source that is not what it should be is named, and why."""

    def assert_unreadable(self, place: str, why: str) -> None:
        """Assert that a place cannot be read, and that the reason has ``why`` in it."""
        table = Table(place, "users", ("callsign", "password"))
        with self.assertRaises(SourceError) as caught:
            run(table.count())
        self.assertIn(why, str(caught.exception))

    def test_a_missing_file(self) -> None:
        """It does not come into being by being read."""
        path = self.folder / "none.db"
        self.assert_unreadable(str(path), "none.db: there is no such file")
        self.assertFalse(path.exists())

    def test_a_file_that_is_no_database(self) -> None:
        """A cert.txt under the wrong name, perhaps."""
        path = self.write("text.db", "1000001 pw01 1\n" * 100)
        self.assert_unreadable(path, "file is not a database")

    def test_another_table(self) -> None:
        """The table or the column that is missing is named."""
        path = self.folder / "other.db"
        make_table(path, "callsign TEXT", [])
        self.assert_unreadable(str(path), "table users has no column password")
        empty = self.write("empty.db", "")
        self.assert_unreadable(empty, "has no table users")

    def test_another_kind_of_database(self) -> None:
        """The password in the URL is not told."""
        url = "mysql://root:geheim@localhost/fsd"
        self.assert_unreadable(url, "due a SQLite file's path or a URL postgresql://")
        with self.assertRaises(SourceError) as caught:
            run(Table(url, "users", ("cid",)).count())
        self.assertNotIn("geheim", str(caught.exception))

    def test_a_server_that_is_not_there(self) -> None:
        """Port 9 of this machine: nobody listens."""
        url = "postgresql://rum:geheim@127.0.0.1:9/fsd"
        self.assert_unreadable(url, "127.0.0.1:9/fsd: cannot be reached")

    def test_a_name_with_odd_signs(self) -> None:
        """A folder may have blanks, question marks and percent signs."""
        path = self.folder / "a b?c%20d#.db"
        make_table(path, "callsign TEXT, password TEXT", [("1", "x")])
        table = Table(str(path), "users", ("callsign", "password"))
        self.assertEqual(run(table.count()), 1)

    def test_the_source_is_only_read(self) -> None:
        """It may be the database of a server that runs."""
        path = self.folder / "source.db"
        make_table(path, PYFSD, [("1", SHA256, 1)])
        before = path.read_bytes()
        read(PyfsdAccounts(str(path)))
        self.assertEqual(path.read_bytes(), before)
        self.assertEqual([entry.name for entry in self.folder.iterdir()], ["source.db"])
