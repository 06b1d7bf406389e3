"""May this account log on so, and may this client do that?

Source: docs/protocol.md, "Logon" and "Kill".
"""

from typing import Final

from rum_twisted.terms.errors import ErrorCode, WorldError
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import Permission

__all__ = [
    "AccountSuspended",
    "RatingTooHigh",
    "granted_rating",
    "may_kill",
]

_KILLERS: Final = Rating.SUPERVISOR


class AccountSuspended(WorldError):
    """The account may not log on, or a rating was asked for that nobody has."""

    code = ErrorCode.SUSPENDED


class RatingTooHigh(WorldError):
    """A rating above the account's; the parameter is the rating as typed."""

    code = ErrorCode.RATING_TOO_HIGH


def granted_rating(requested: int, highest: Rating, typed: str) -> Rating:
    """Return the rating a client gets.

    Args:
        requested: the number asked for; a negative one counts as 0.
        highest: his account's.
        typed: what he typed, for the error.

    Raises:
        AccountSuspended: what would be granted is 0. A suspended account reads this
            whatever it asks for, and so does a request for 0.
        RatingTooHigh: more was asked for than the account has.
    """
    granted = min(max(requested, 0), highest)
    if granted == Rating.SUSPENDED:
        raise AccountSuspended
    if requested > granted:
        raise RatingTooHigh(typed)
    return Rating(granted)


def may_kill(rating: Rating, permissions: frozenset[Permission]) -> bool:
    """Tell whether a client may end somebody else's session.

    His rating lets him from supervisor on, whatever he logged on as; a permission of
    his account lets him at any rating.
    """
    return rating >= _KILLERS or Permission.KICK in permissions
