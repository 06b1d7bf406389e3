"""What the database keeps about people: members, their sessions, what staff did.

Values only; how they are kept is in `rum_twisted.accounts.schema`, and what can be
asked and changed in `rum_twisted.accounts.directory`. All times are seconds since
the Unix epoch, UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final, Self

from rum_twisted.terms.identity import ClientKind, Rating, fold
from rum_twisted.terms.permissions import NO_PERMISSIONS, Permission
from rum_twisted.terms.units import Seconds

__all__ = [
    "CHANGEABLE",
    "LONGEST",
    "Actor",
    "AuditEntry",
    "Hours",
    "InvalidMember",
    "Member",
    "MemberFilter",
    "Restriction",
    "RestrictionKind",
    "SessionRecord",
    "is_possible_cid",
]

LONGEST: Final[Mapping[str, int]] = {
    "cid": 64,
    "name": 200,
    "email": 254,
    "notes": 10_000,
    "password_hash": 512,
    "reason": 500,
}
"""Letters; columns are not wider, and an import cannot fill a disk by one row."""

CHANGEABLE: Final = frozenset(
    {"name", "email", "rating", "pilot_rating", "permissions", "notes"}
)
"""What staff may change of a member as it likes; the rest has its own ways."""

HIGHEST_PILOT_RATING: Final = 1023  # networks use bits (1, 3, 7 … 63) or plain numbers
_SECONDS_IN_A_MINUTE: Final = 60
_BEFORE_PRINTABLE: Final = " "  # and what is not above it parts the words of a line
_DELETE: Final = "\x7f"


class InvalidMember(ValueError):
    """A value that no member can have; the text names the field and what is due."""


def is_possible_cid(cid: str) -> bool:
    """Tell whether somebody could be registered under ``cid``, in whatever case.

    A logon packet may carry anything; what no member can have need not be looked
    up, and PostgreSQL could not even be asked for some of it.
    """
    return 0 < len(cid) <= LONGEST["cid"] and all(
        _BEFORE_PRINTABLE < sign != _DELETE and sign != ":" for sign in cid
    )


def _check_text(name: str, text: str) -> None:
    """Raise unless ``text`` fits its column.

    Raises:
        InvalidMember: too long, or it holds a NUL, which PostgreSQL cannot keep.
    """
    longest = LONGEST[name]
    if len(text) > longest:
        raise InvalidMember(
            f"{name}: {len(text)} letters; at most {longest} can be kept"
        )
    if "\0" in text:
        raise InvalidMember(f"{name}: holds a NUL; only text can be kept")


class RestrictionKind(Enum):
    """Why a member may not log on; the value is what the database keeps."""

    SUSPENSION = "suspension"  # for a time, as a rule
    BAN = "ban"  # for good, as a rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """A member may not log on, whatever his rating."""

    kind: RestrictionKind
    reason: str  # told to the member
    since: Seconds
    until: Seconds | None = None  # ``None``: until staff lift it
    by: str = ""  # who decided

    def __post_init__(self) -> None:
        """Check.

        Raises:
            InvalidMember: a text is too long, or it would end before it begins.
        """
        _check_text("reason", self.reason)
        _check_text("name", self.by)
        if self.until is not None and self.until < self.since:
            raise InvalidMember("until: lies before since; a restriction ends later")

    def holds_at(self, now: Seconds) -> bool:
        """Tell whether it is in force: it ends by itself when its time is over."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody who is registered.

    The CID is folded (`rum_twisted.terms.identity.fold`) whatever is given, since
    FSD tells no case in it.

    Raises:
        InvalidMember: a field is too long or out of its range.
    """

    cid: str
    name: str = ""
    email: str = ""
    rating: Rating
    pilot_rating: int = 0
    permissions: frozenset[Permission] = NO_PERMISSIONS
    notes: str = ""  # of staff, for staff
    password_hash: str = field(repr=False)  # tagged with its scheme; empty: no logon
    created: Seconds | None = None  # ``None`` before it is kept
    last_seen: Seconds | None = None  # ``None``: never
    restriction: Restriction | None = None

    def __post_init__(self) -> None:
        """Fold the CID, and check."""
        if not is_possible_cid(self.cid):
            raise InvalidMember(
                f"cid {self.cid[: LONGEST['cid']]!r}: 1 to {LONGEST['cid']} letters"
                " are due, without blanks, colons and control codes"
            )
        object.__setattr__(self, "cid", fold(self.cid))
        for name in ("name", "email", "notes", "password_hash"):
            _check_text(name, getattr(self, name))
        if not 0 <= self.pilot_rating <= HIGHEST_PILOT_RATING:
            raise InvalidMember(
                f"pilot_rating {self.pilot_rating}: 0 to {HIGHEST_PILOT_RATING} is due"
            )

    def with_changes(self, changes: Mapping[str, Any]) -> Self:
        """Return the member with some of the fields that staff may change.

        Raises:
            InvalidMember: a field is not among `CHANGEABLE`, or its value is wrong.
        """
        unknown = sorted(changes.keys() - CHANGEABLE)
        if unknown:
            raise InvalidMember(f"{unknown[0]}: is not changed this way")
        return replace(self, **changes)

    def restriction_at(self, now: Seconds) -> Restriction | None:
        """Return what keeps him from logging on at ``now``, if anything does."""
        restriction = self.restriction
        if restriction is not None and restriction.holds_at(now):
            return restriction
        return None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something to the accounts, and from where."""

    name: str  # a member's CID, an operating system's user, or the server's own
    address: str = ""  # network address or terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that staff did; such entries are never changed."""

    at: Seconds
    by: Actor
    act: str  # one word: add, change, password, suspend, ban, lift, delete, kill …
    whom: str  # a CID, as a rule
    detail: str = ""
    key: str = ""  # of its writer's making: the same entry is never kept twice


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """One visit of a member, from logon to logoff."""

    key: str  # of its writer's making: a record that comes again replaces itself
    server: str  # the ident of the server he was on
    cid: str
    callsign: str
    kind: ClientKind
    facility: int = 0  # the last reported; 0 for pilots and observers
    rating: int  # that he logged on with
    address: str = ""
    began: Seconds
    seen: Seconds  # he is known to have been on until then
    is_open: bool = False  # he still was, when this was written

    @property
    def minutes(self) -> float:
        """How long he was on."""
        return max(0.0, self.seen - self.began) / _SECONDS_IN_A_MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """How long a member has been on, since records began."""

    pilot_minutes: float
    controller_minutes: Mapping[tuple[int, str], float]  # by facility and callsign

    @property
    def all_controller_minutes(self) -> float:
        """The minutes at all positions together."""
        return sum(self.controller_minutes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFilter:
    """Which members are meant; each field that is given narrows them down."""

    text: str = ""  # a part of CID, name or mail address, in any case of A to Z
    lowest_rating: Rating | None = None
    highest_rating: Rating | None = None
    is_restricted: bool | None = None  # at the time of asking
    permission: Permission | None = None
    seen_before: Seconds | None = None  # last seen earlier than this, or never
