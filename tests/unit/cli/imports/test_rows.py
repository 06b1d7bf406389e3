"""What the values in a row may be, whatever source they come from."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.accounts.passwords import Scheme
from rum_twisted.cli.imports.rows import (
    Refusal,
    kept_password,
    moment,
    one_line,
    permissions,
    plain,
    rating,
    whole_number,
)
from rum_twisted.cli.letters import shown, wire_text
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import Permission


class ValueTests(SynchronousTestCase):
    """Each value is taken as it is, or refused with a reason."""

    def assert_refused(self, why: str, function: object, *arguments: object) -> None:
        """Assert that a value is refused, and that the reason has ``why`` in it."""
        assert callable(function)
        with self.assertRaises(Refusal) as caught:
            function(*arguments)
        self.assertIn(why, str(caught.exception))

    def test_ratings_are_those_of_fsd(self) -> None:
        """0 to 12, as a number or as text; no other number is bent to fit."""
        self.assertEqual(rating(12), Rating.ADMINISTRATOR)
        self.assertEqual(rating(" 0 "), Rating.SUSPENDED)
        for number in (-1, 13, "99"):
            self.assert_refused("not from 0 to 12", rating, number)
        for word in ("", "S1", None, 1.5, True, "1" * 40):
            self.assert_refused("no whole number", rating, word)

    def test_whole_numbers_are_named_in_the_reason(self) -> None:
        """A long value is cut, so that a report stays readable."""
        self.assertEqual(whole_number("+7", "pilot rating"), 7)
        self.assert_refused("its pilot rating 'x'", whole_number, "x", "pilot rating")
        with self.assertRaises(Refusal) as caught:
            whole_number("x" * 1000, "CID")
        self.assertLess(len(str(caught.exception)), 100)

    def test_permissions_stand_between_blanks_or_commas(self) -> None:
        """One that is not known is refused, not forgotten."""
        self.assertEqual(
            permissions("kick, notices"), {Permission.KICK, Permission.NOTICES}
        )
        self.assertEqual(permissions(""), frozenset())
        self.assert_refused("'fly' is none of kick", permissions, "kick fly")

    def test_names_have_one_line(self) -> None:
        """A line end would make two entries of one in a list."""
        self.assertEqual(one_line("  Zoë 王 ", "name"), "Zoë 王")
        self.assertEqual(one_line(None, "name"), "")
        for text in ("a\nb", "a\x1b[2Jb", "a\u2028b", "a\x85b"):
            self.assert_refused("its name", one_line, text, "name")

    def test_times_are_utc_unless_they_say_otherwise(self) -> None:
        """ISO 8601 or seconds since 1970, as text or as a database gives them."""
        due = datetime(2026, 5, 1, 18, 30, tzinfo=UTC).timestamp()
        beijing = timezone(timedelta(hours=8))
        for value in (
            due,
            str(due),
            "2026-05-01T18:30Z",
            "2026-05-01 18:30:00",
            "2026-05-02T02:30:00+08:00",
            datetime(2026, 5, 1, 18, 30),  # noqa: DTZ001 - SQLite knows no zone
            datetime(2026, 5, 2, 2, 30, tzinfo=beijing),
        ):
            self.assertEqual(moment(value, "created"), due, value)
        self.assertIsNone(moment(None, "created"))
        self.assertIsNone(moment("", "created"))

    def test_what_is_no_time_is_refused(self) -> None:
        """Also numbers that no calendar has."""
        for value in ("yesterday", "nan", "inf", "1e300", -1e300, True):
            self.assert_refused("its created", moment, value, "created")

    def test_passwords_are_those_that_can_be_checked(self) -> None:
        """A source that is known for bcrypt gives nothing else."""
        kept = "sha256$" + "ab" * 32
        self.assertEqual(kept_password(kept), kept)
        self.assert_refused("is kept by sha256", kept_password, kept, Scheme.BCRYPT)
        self.assert_refused("cannot be used", kept_password, "md5$abc")

    def test_plain_passwords_are_those_that_can_be_sent(self) -> None:
        """A colon ends a field of FSD: nobody could ever log on with one."""
        self.assertEqual(plain("two words"), "plain$two words")
        for text in ("", "a:b", "a\rb", "x" * 257):
            self.assert_refused("cannot be used", plain, text)

    @given(st.text())
    def test_text_of_the_wire_is_shown_as_it_was(self, text: str) -> None:
        """What somebody types in any script comes back so."""
        self.assertEqual(shown(wire_text(text)), text)

    @given(st.text(st.characters(max_codepoint=255)))
    def test_any_bytes_can_be_shown(self, text: str) -> None:
        """A CID in GBK is shown somehow, and breaks nothing."""
        shown(text)
