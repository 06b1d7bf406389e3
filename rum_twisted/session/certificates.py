"""What an operator may do to accounts while the server runs.

The classic server calls an account a certificate: a CID, a password and a highest
rating, its *level*. What can be done is in `ICertificates`.
"""

from dataclasses import dataclass
from typing import Final

from rum_twisted.terms.identity import Rating
from rum_twisted.terms.units import Seconds

__all__ = [
    "MOST_LISTED",
    "CertificateExists",
    "CertificateRow",
    "CertificateTrouble",
    "CertificatesAway",
    "NoSuchCertificate",
    "Operator",
    "UnfitCertificate",
]

MOST_LISTED: Final = 5000
"""Accounts that one list has at most; a longer one asks for a narrower question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRow:
    """One account, as lists show it."""

    cid: str
    rating: Rating
    origin: str = ""  # the server that made it; empty: this one
    created: Seconds | None = None  # since the Unix epoch, UTC; None: not known
    last_used: Seconds | None = None  # likewise; None: never, or not known


@dataclass(frozen=True, slots=True)
class Operator:
    """Who changes an account, and from where."""

    name: str  # e.g. "console"
    address: str = ""


class CertificateTrouble(Exception):
    """An account was not changed; the text tells an operator why."""


class CertificateExists(CertificateTrouble):
    """There is an account of this CID."""


class NoSuchCertificate(CertificateTrouble):
    """There is no account of this CID."""


class UnfitCertificate(CertificateTrouble):
    """No account could have such a CID or password."""


class CertificatesAway(CertificateTrouble):
    """The store cannot be asked, or does not let us."""
