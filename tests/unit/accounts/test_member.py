"""What can be said about a member, and what cannot."""

from dataclasses import FrozenInstanceError
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.accounts.member import (
    LONGEST,
    InvalidMember,
    Restriction,
    RestrictionKind,
    is_possible_cid,
)
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import Permission
from rum_twisted.terms.units import Seconds
from tests.support.builders import NOON
from tests.support.members import make_member, make_record


class MemberTests(SynchronousTestCase):
    """Somebody who is registered."""

    def test_cid_is_folded(self) -> None:
        """FSD tells no case in a CID, so the kept one has none."""
        self.assertEqual(make_member("AbC").cid, "abc")

    def test_possible_cids(self) -> None:
        """Any word of up to 64 letters, in any script."""
        for cid in ("1", "1000001", "x" * 64, "Zoë", "王", "a-b_c.d"):
            self.assertTrue(is_possible_cid(cid), cid)
            make_member(cid)

    def test_impossible_cids(self) -> None:
        """None, more than 64 letters, or what parts words and fields on the line."""
        for cid in ("", "x" * 65, "a b", "a:b", "a\tb", "\0", "a\x7f", "a\r"):
            self.assertFalse(is_possible_cid(cid), cid)
            with self.assertRaises(InvalidMember):
                make_member(cid)

    def test_longest_texts(self) -> None:
        """A text of the column's width is taken; one letter more is refused by name."""
        for name in ("name", "email", "notes", "password_hash"):
            fields: dict[str, Any] = {name: "é" * LONGEST[name]}
            make_member(**fields)
            with self.assertRaisesRegex(InvalidMember, name):
                make_member(**{name: "é" * (LONGEST[name] + 1)})

    def test_nul_is_refused(self) -> None:
        """PostgreSQL could not keep it."""
        for name in ("name", "email", "notes", "password_hash"):
            with self.assertRaisesRegex(InvalidMember, name):
                make_member(**{name: "a\0b"})

    def test_pilot_rating(self) -> None:
        """It has a range."""
        for rating in (0, 1023):
            make_member(pilot_rating=rating)
        for rating in (-1, 1024):
            with self.assertRaisesRegex(InvalidMember, "pilot_rating"):
                make_member(pilot_rating=rating)

    def test_changes(self) -> None:
        """What staff may change is a new value; the rest has its own ways."""
        member = make_member()
        changed = member.with_changes({"rating": Rating.STUDENT1, "email": "a@b"})
        self.assertEqual((changed.rating, changed.email), (Rating.STUDENT1, "a@b"))
        self.assertEqual(member.email, "")
        for name in ("cid", "password_hash", "restriction", "created", "color"):
            with self.assertRaisesRegex(InvalidMember, name):
                member.with_changes({name: None})
        with self.assertRaises(FrozenInstanceError):
            member.name = "x"  # type: ignore[misc]

    def test_hash_is_not_shown(self) -> None:
        """Looking at a member in a log or the manhole shows nothing of his password."""
        self.assertNotIn("pw01", repr(make_member()))

    def test_words_of_permissions(self) -> None:
        """No permission's word is part of another: the database looks for parts."""
        words = [permission.value for permission in Permission]
        for word in words:
            self.assertNotIn(" ", word)
            self.assertEqual([w for w in words if word in w], [word])


class RestrictionTests(SynchronousTestCase):
    """Suspensions and bans."""

    def make(self, until: float | None) -> Restriction:
        """Return one that begins at noon."""
        return Restriction(
            kind=RestrictionKind.SUSPENSION,
            reason="abuse on frequency",
            since=NOON,
            until=None if until is None else Seconds(until),
        )

    def test_it_ends_by_itself(self) -> None:
        """In force until its end, and not at it; without an end for ever."""
        member = make_member(restriction=self.make(NOON + 60))
        self.assertIsNotNone(member.restriction_at(Seconds(NOON + 59.9)))
        self.assertIsNone(member.restriction_at(Seconds(NOON + 60)))
        endless = make_member(restriction=self.make(None))
        self.assertIsNotNone(endless.restriction_at(Seconds(NOON * 2)))
        self.assertIsNone(make_member().restriction_at(NOON))

    def test_end_before_the_beginning_is_refused(self) -> None:
        """A slip in a date must not let somebody in."""
        self.make(NOON)
        with self.assertRaisesRegex(InvalidMember, "until"):
            self.make(NOON - 1)

    def test_long_reason_is_refused(self) -> None:
        """The reason has a bound."""
        with self.assertRaisesRegex(InvalidMember, "reason"):
            Restriction(kind=RestrictionKind.BAN, reason="x" * 501, since=NOON)


class SessionRecordTests(SynchronousTestCase):
    """Visits."""

    def test_minutes(self) -> None:
        """A visit is never shorter than nothing, even if a clock was set back."""
        self.assertEqual(make_record(minutes=90).minutes, 90)
        self.assertEqual(make_record(minutes=-1).minutes, 0)
