"""What a member is to a program that reads JSON, and to a person who reads a table.

A password's hash never appears; of what kind it is does, for an operator wants to
know how many are still to be renewed.
"""

from typing import Final

from rum_twisted.accounts.member import Member, Restriction
from rum_twisted.cli.letters import shown
from rum_twisted.cli.output import Facts, iso, utc
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.units import Seconds

__all__ = ["member_facts", "member_words", "password_scheme", "rating_word"]

_SCHEMES: Final = (
    ("$argon2id$", "argon2id"),
    ("$2", "bcrypt"),
    ("sha256$", "sha256"),
    ("plain$", "plain"),
)


def rating_word(rating: Rating) -> str:
    """Return a rating as a person reads it, e.g. ``3 student2``."""
    return f"{rating.value} {rating.name.lower()}"


def password_scheme(password_hash: str) -> str:
    """Return how a password is kept; ``none`` where nobody can log on with it."""
    if not password_hash:
        return "none"
    for prefix, scheme in _SCHEMES:
        if password_hash.startswith(prefix):
            return scheme
    return "unknown"


def member_facts(member: Member, now: Seconds) -> Facts:
    """Return everything about a member but the password."""
    return {
        "cid": shown(member.cid),
        "name": member.name,
        "email": member.email,
        "rating": member.rating.value,
        "pilot_rating": member.pilot_rating,
        "permissions": _permission_words(member),
        "notes": member.notes,
        "created": iso(member.created),
        "last_seen": iso(member.last_seen),
        "password": password_scheme(member.password_hash),
        "restriction": _restriction_facts(member.restriction, now),
    }


def member_words(member: Member, now: Seconds) -> dict[str, str]:
    """Return the same in words."""
    return {
        "CID": shown(member.cid),
        "name": member.name,
        "mail": member.email,
        "rating": rating_word(member.rating),
        "pilot rating": str(member.pilot_rating) if member.pilot_rating else "",
        "permissions": " ".join(_permission_words(member)),
        "restriction": restriction_words(member.restriction, now),
        "password": password_scheme(member.password_hash),
        "created": utc(member.created),
        "last seen": utc(member.last_seen) or "never",
        "notes": member.notes,
    }


def restriction_words(restriction: Restriction | None, now: Seconds) -> str:
    """Return why somebody may not log on, and until when; nothing if he may."""
    if restriction is None:
        return ""
    end = f"until {utc(restriction.until)}" if restriction.until else "until lifted"
    over = "" if restriction.holds_at(now) else " (over)"
    by = f", by {restriction.by}" if restriction.by else ""
    return f"{restriction.kind.value} {end}{over}: {restriction.reason}{by}"


def _permission_words(member: Member) -> list[str]:
    return sorted(permission.value for permission in member.permissions)


def _restriction_facts(restriction: Restriction | None, now: Seconds) -> Facts | None:
    if restriction is None:
        return None
    return {
        "kind": restriction.kind.value,
        "reason": restriction.reason,
        "since": iso(restriction.since),
        "until": iso(restriction.until),
        "by": restriction.by,
        "holds": restriction.holds_at(now),
    }
