"""May this account log on so, and may this client do that?"""

from typing import Final

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.errors import ErrorCode
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import Permission
from rum_twisted.world.policy import (
    AccountSuspended,
    RatingTooHigh,
    granted_rating,
    may_kill,
)

# A row for each rating that an account may have, from 0 to 12. A sign for each
# rating asked for, from -1 to 13: - suspended, ! too high, + granted.
_TRUTH: Final = (
    "---------------",
    "--+!!!!!!!!!!!!",
    "--++!!!!!!!!!!!",
    "--+++!!!!!!!!!!",
    "--++++!!!!!!!!!",
    "--+++++!!!!!!!!",
    "--++++++!!!!!!!",
    "--+++++++!!!!!!",
    "--++++++++!!!!!",
    "--+++++++++!!!!",
    "--++++++++++!!!",
    "--+++++++++++!!",
    "--++++++++++++!",
)


class GrantedRatingTests(SynchronousTestCase):
    """The rating of a logon."""

    def test_truth_table(self) -> None:
        """Every rating asked for, of every account there can be."""
        for highest, row in zip(Rating, _TRUTH, strict=True):
            for requested, verdict in zip(range(-1, 14), row, strict=True):
                self.assert_verdict(requested, highest, verdict)

    def assert_verdict(self, requested: int, highest: Rating, verdict: str) -> None:
        """Check what comes of one request."""
        typed = f"{requested:02d}x"
        if verdict == "+":
            granted = granted_rating(requested, highest, typed)
            self.assertIs(granted, Rating(requested))
            return
        error = {"-": AccountSuspended, "!": RatingTooHigh}[verdict]
        refusal = self.assertRaises(error, granted_rating, requested, highest, typed)
        self.assertEqual(refusal.parameter, typed if verdict == "!" else "")

    def test_far_ends_are_refused(self) -> None:
        """Any integer may be asked for."""
        for requested, error in (
            (2**31 - 1, RatingTooHigh),
            (-(2**31), AccountSuspended),
        ):
            self.assertRaises(
                error, granted_rating, requested, Rating.ADMINISTRATOR, ""
            )

    def test_suspended_account_reads_so_whatever_it_asks(self) -> None:
        """Suspension comes before the question whether it asked for too much."""
        error = self.assertRaises(
            AccountSuspended, granted_rating, 12, Rating.SUSPENDED, "12"
        )
        self.assertIs(error.code, ErrorCode.SUSPENDED)

    def test_refused_rating_is_given_back_as_typed(self) -> None:
        """Error 011 tells what was asked for."""
        error = self.assertRaises(
            RatingTooHigh, granted_rating, 3, Rating.OBSERVER, " 03"
        )
        self.assertIs(error.code, ErrorCode.RATING_TOO_HIGH)
        self.assertEqual(error.parameter, " 03")


class MayKillTests(SynchronousTestCase):
    """Who may end somebody else's session."""

    def test_supervisors_and_administrators_may(self) -> None:
        """Nobody below them may, instructors included."""
        killers = [rating for rating in Rating if may_kill(rating, frozenset())]
        self.assertEqual(killers, [Rating.SUPERVISOR, Rating.ADMINISTRATOR])

    def test_the_permission_lets_anybody(self) -> None:
        """With the permission to kick every rating may; with the others none more."""
        for rating in Rating:
            self.assertTrue(may_kill(rating, frozenset({Permission.KICK})))
        others = frozenset(Permission) - {Permission.KICK}
        self.assertFalse(may_kill(Rating.INSTRUCTOR3, others))
