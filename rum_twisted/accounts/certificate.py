"""What a store keeps about an account in plain words, and how it is proved.

Stores that keep passwords readable, as the classic account file does, share this
check, so that none of them tells a wrong password from an unknown CID: neither by
its answer nor by the time it takes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final, Self

from rum_twisted.session.interfaces import Account, InvalidCredentials
from rum_twisted.terms.identity import Rating, fold

__all__ = ["Certificate", "prove"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """The password of one CID, and how high it may log on."""

    password: str = field(repr=False)  # folded: it compares without regard to case
    rating: Rating

    @classmethod
    def of(cls, password: str, rating: Rating) -> Self:
        """Take a password as its owner wrote it."""
        return cls(fold(password), rating)


_NOBODY: Final = Certificate.of("no such account", Rating.SUSPENDED)


def prove(certificates: Mapping[str, Certificate], cid: str, password: str) -> Account:
    """Check a CID and a password against ``certificates``, in any case of A to Z.

    Args:
        certificates: by folded CID.
        cid: as typed at logon; an empty one is never valid.
        password: as typed at logon.

    Returns:
        the account, with the CID as typed.

    Raises:
        InvalidCredentials: the CID is unknown or the password is wrong. An unknown
            CID costs the same comparison as a known one.

    Source: docs/protocol.md, "Logon".
    """
    certificate = certificates.get(fold(cid), _NOBODY)
    matches = compare_digest(fold(password).encode(), certificate.password.encode())
    if not (matches and cid and certificate is not _NOBODY):
        raise InvalidCredentials(cid)
    return Account(cid, certificate.rating)
