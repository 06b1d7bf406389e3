"""CSV files and JSON lines: what each column may hold, and what is refused."""

from rum_twisted.accounts.member import Member, RestrictionKind
from rum_twisted.cli.imports.csv import CsvFile, JsonLines
from rum_twisted.cli.imports.rows import SourceError
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import Permission
from tests.unit.cli.builders import FolderTestCase, members_of, read, refusals_of


class CsvTests(FolderTestCase):
    """The first row names the columns."""

    def reader(self, text: bytes | str) -> CsvFile:
        """Return a reader of a file with this text."""
        return CsvFile(self.write("members.csv", text))

    def one(self, **values: str) -> Member:
        """Return the member in a file with one row."""
        text = ",".join(values) + "\n" + ",".join(values.values())
        (found,) = members_of(read(self.reader(text)))
        return found

    def assert_unreadable(self, text: bytes | str, why: str) -> None:
        """Assert that a file cannot be read at all, and that it says ``why``."""
        with self.assertRaises(SourceError) as caught:
            read(self.reader(text))
        self.assertIn(why, str(caught.exception))

    def test_two_columns_are_enough(self) -> None:
        """A member without a password is kept; nobody can log on so far."""
        found = self.one(cid="1000001", rating="1")
        self.assertEqual(found.password_hash, "")
        self.assertEqual(found.rating, Rating.OBSERVER)
        self.assertIsNone(found.created)

    def test_columns_may_come_in_any_order_and_case(self) -> None:
        """Some editors write a byte order mark before the first one."""
        text = b"\xef\xbb\xbfRating, CID ,password\r\n3,1000001,pw01\r\n"
        (found,) = members_of(read(self.reader(text)))
        self.assertEqual(found.cid, "1000001")
        self.assertEqual(found.password_hash, "plain$pw01")

    def test_every_column_counts(self) -> None:
        """None is read over."""
        found = self.one(
            cid="1000001",
            rating="5",
            password_hash="sha256$" + "0" * 64,
            name="Zoë",
            email="zoe@example.org",
            pilot_rating="3",
            permissions="kick notices",
            notes="a note",
            created="2026-01-01",
            last_seen="2026-02-01T00:00:00+00:00",
            restriction="ban",
            restriction_reason="spam",
            restriction_since="2026-02-02",
            restriction_until="2030-01-01",
            restriction_by="1000012",
        )
        self.assertEqual(found.password_hash, "sha256$" + "0" * 64)
        self.assertEqual((found.name, found.email), ("Zoë", "zoe@example.org"))
        self.assertEqual(found.pilot_rating, 3)
        self.assertEqual(found.permissions, {Permission.KICK, Permission.NOTICES})
        self.assertEqual(found.notes, "a note")
        self.assertEqual(found.created, 1767225600)
        self.assertEqual(found.last_seen, 1769904000)
        assert found.restriction is not None
        self.assertIs(found.restriction.kind, RestrictionKind.BAN)
        self.assertEqual(found.restriction.reason, "spam")
        self.assertEqual(found.restriction.since, 1769990400)
        self.assertEqual(found.restriction.until, 1893456000)
        self.assertEqual(found.restriction.by, "1000012")

    def test_rows_are_refused_by_their_line(self) -> None:
        """Also where a value before it has several lines."""
        text = (
            "cid,rating,notes\n"
            '1,1,"two\nlines"\n'
            "2,x,\n"  # line 4
            "3,1\n"
            "\n"
            "4,,\n"
        )
        self.assertEqual(
            refusals_of(read(self.reader(text))),
            [
                (4, "its rating 'x' is no whole number"),
                (5, "it has 2 values for 3 columns"),
                (7, "its rating '' is no whole number"),
            ],
        )

    def test_values_that_do_not_fit_are_refused(self) -> None:
        """Each with a reason that names the column."""
        for column, value, why in (
            ("password", "a:b", "colon"),
            ("password_hash", "md5$00", "password"),
            ("name", "x" * 201, "name"),
            ("pilot_rating", "-1", "pilot_rating"),
            ("permissions", "fly", "'fly'"),
            ("created", "soon", "created"),
            ("restriction", "frown", "'frown'"),
            ("restriction", "ban", "restriction_since"),
        ):
            found = read(self.reader(f"cid,rating,{column}\n1,1,{value}\n"))
            ((number, reason),) = refusals_of(found)
            self.assertEqual(number, 2)
            self.assertIn(why, reason)

    def test_two_passwords_are_one_too_many(self) -> None:
        """Nobody can tell which is meant."""
        found = read(
            self.reader("cid,rating,password,password_hash\n1,1,pw,plain$pw\n")
        )
        self.assertIn("both", refusals_of(found)[0][1])

    def test_a_header_that_is_not_understood(self) -> None:
        """A misspelt column is not lost without a word."""
        self.assert_unreadable("cid,rating,pilotrating\n", "'pilotrating' is not known")
        self.assert_unreadable("cid,password\n", "has no column rating")
        self.assert_unreadable("cid,rating,cid\n", "named twice")
        self.assert_unreadable("", "is empty")

    def test_what_is_no_csv(self) -> None:
        """The line or the byte is named."""
        self.assert_unreadable('cid,rating\n1,"1\n', "is not CSV")
        self.assert_unreadable(b"cid,rating\n\xff,1\n", "not UTF-8 text at byte 12")


class JsonLinesTests(FolderTestCase):
    """One JSON object a line."""

    def test_objects_are_read(self) -> None:
        """Numbers may be numbers, permissions a list, and anything unknown null."""
        path = self.write(
            "members.jsonl",
            '{"cid": 1000001, "rating": 3, "permissions": ["kick"], "name": null}\n'
            "\n"
            '{"cid": "王", "rating": "1", "password": "pw"}\n',
        )
        first, second = members_of(read(JsonLines(path)))
        self.assertEqual(first.cid, "1000001")
        self.assertEqual(first.permissions, {Permission.KICK})
        self.assertEqual(first.name, "")
        self.assertEqual(second.cid, "王".encode().decode("latin-1"))

    def test_lines_that_are_none_are_refused(self) -> None:
        """One broken line costs that line only."""
        path = self.write(
            "members.jsonl",
            '{"cid"\n[1]\n{"cid": "1", "rating": 1, "level": 2}\n'
            + "[" * 100_000
            + '\n{"cid": "1"}\n',
        )
        self.assertEqual(
            [number for number, _ in refusals_of(read(JsonLines(path)))],
            [1, 2, 3, 4, 5],
        )

    def test_half_a_letter_is_refused(self) -> None:
        """JSON can name what is no text; one such value costs its line only."""
        path = self.write(
            "members.jsonl",
            '{"cid": "1\\ud800", "rating": 1}\n'
            '{"cid": "2", "rating": 1, "notes": "\\udfff"}\n'
            '{"cid": "3", "rating": 1, "password_hash": "\\ud800"}\n'
            '{"cid": "4", "rating": 1, "name": "\\ud83d\\ude00"}\n',
        )
        found = read(JsonLines(path))
        self.assertEqual(
            refusals_of(found),
            [
                (1, "its cid is not UTF-8 text"),
                (2, "its notes is not UTF-8 text"),
                (3, "its password_hash is not UTF-8 text"),
            ],
        )
        self.assertEqual([member.cid for member in members_of(found)], ["4"])
