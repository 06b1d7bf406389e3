"""Passwords that proved right a moment ago."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.verified import VerifiedLogons
from rum_twisted.terms.units import Seconds

NOW = Seconds(1000.0)
LIFETIME = Seconds(60.0)


class VerifiedTests(SynchronousTestCase):
    """What is remembered, and for how long."""

    @override
    def setUp(self) -> None:
        """Remember one of two."""
        self.verified = VerifiedLogons(2, LIFETIME)
        self.verified.remember("ann", "pw", "hash", NOW)

    def test_same_password_is_known(self) -> None:
        """Who comes again within the time needs no hash, however often."""
        for later in (0.0, 1.0, 59.9):
            self.assertTrue(
                self.verified.is_verified("ann", "pw", "hash", Seconds(NOW + later))
            )

    def test_anything_else_is_not(self) -> None:
        """Another password, CID or hash is to be checked as always."""
        for cid, password, stored in (
            ("ann", "PW", "hash"),
            ("ann", "", "hash"),
            ("bob", "pw", "hash"),
            ("ann", "pwh", "ash"),
            ("annp", "w", "hash"),
        ):
            self.assertFalse(self.verified.is_verified(cid, password, stored, NOW))

    def test_new_password_ends_it(self) -> None:
        """With another hash in the table the old password is worth nothing."""
        self.assertFalse(self.verified.is_verified("ann", "pw", "new hash", NOW))

    def test_time_ends_it(self) -> None:
        """After its time the password is checked again, used or not."""
        self.verified.is_verified("ann", "pw", "hash", Seconds(NOW + 59.9))
        self.assertFalse(
            self.verified.is_verified("ann", "pw", "hash", Seconds(NOW + 60.0))
        )
        self.assertEqual(len(self.verified), 0)

    def test_clock_that_is_set_back_prolongs_nothing(self) -> None:
        """Before the time it was remembered at, nothing is believed."""
        self.assertFalse(
            self.verified.is_verified("ann", "pw", "hash", Seconds(NOW - 0.1))
        )
        self.assertFalse(self.verified.is_verified("ann", "pw", "hash", NOW))

    def test_least_used_goes_first(self) -> None:
        """Beyond its size, what was not used for longest is forgotten."""
        self.verified.remember("bob", "pw", "hash", NOW)
        self.assertTrue(self.verified.is_verified("ann", "pw", "hash", NOW))
        self.verified.remember("eve", "pw", "hash", NOW)
        known = [
            cid
            for cid in ("ann", "bob", "eve")
            if self.verified.is_verified(cid, "pw", "hash", NOW)
        ]
        self.assertEqual(known, ["ann", "eve"])

    def test_member_has_one_place(self) -> None:
        """A member who logs on with a new password takes no second place."""
        self.verified.remember("ann", "new", "new hash", NOW)
        self.assertEqual(len(self.verified), 1)
        self.assertTrue(self.verified.is_verified("ann", "new", "new hash", NOW))

    def test_none_is_remembered_where_there_is_no_place(self) -> None:
        """A size of 0 turns it off."""
        verified = VerifiedLogons(0)
        verified.remember("ann", "pw", "hash", NOW)
        self.assertFalse(verified.is_verified("ann", "pw", "hash", NOW))

    def test_all_can_be_forgotten(self) -> None:
        """An operator in doubt starts over."""
        self.verified.forget()
        self.assertFalse(self.verified.is_verified("ann", "pw", "hash", NOW))

    def test_looking_at_it_shows_no_secret(self) -> None:
        """What is kept is of use to nobody, in another process too."""
        self.assertEqual(repr(self.verified), "<VerifiedLogons: 1 of 2>")
        kept = str(vars(self.verified)["_proofs"])
        self.assertNotIn("pw", kept)
        other = VerifiedLogons(2, LIFETIME)
        other.remember("ann", "pw", "hash", NOW)
        self.assertNotEqual(kept, str(vars(other)["_proofs"]))

    @given(st.lists(st.tuples(st.sampled_from("abcdef"), st.text(max_size=2))))
    def test_only_the_last_password_of_a_member_is_known(
        self, logons: list[tuple[str, str]]
    ) -> None:
        """Whoever comes in whatever order, no more than its size is kept."""
        verified = VerifiedLogons(3, LIFETIME)
        last: dict[str, str] = {}
        for cid, password in logons:
            verified.remember(cid, password, "hash", NOW)
            last[cid] = password
        self.assertEqual(len(verified), min(3, len(last)))
        for cid, password in logons:
            if verified.is_verified(cid, password, "hash", NOW):
                self.assertEqual(last[cid], password)
