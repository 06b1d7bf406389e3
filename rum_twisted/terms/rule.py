"""A traffic rule: which calls of a service go to a new version of it.

While there is a rule, the instances of a service are in two parts: those of the new
version, the canary, and all others, the stable ones. The rule tells for each call
which part it is for. It depends on nothing but the rule and the call, so every process
decides alike, and one member always meets the same version.

Source: docs/canary.md.
"""

import re
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Final

from rum_twisted.terms.identity import fold
from rum_twisted.terms.instance import LONGEST_WORD
from rum_twisted.terms.units import Seconds

__all__ = [
    "LONGEST_REASON",
    "MOST_CIDS",
    "MOST_WORDS",
    "BackOut",
    "InvalidRule",
    "Posted",
    "Rule",
    "RuleState",
    "place_of",
]

MOST_CIDS: Final = 200
MOST_WORDS: Final = 20  # groups, or zones
LONGEST_REASON: Final = 300  # characters
_ALL: Final = 100.0  # per cent
_POINT_BYTES: Final = 8
_POINTS: Final = 1 << (8 * _POINT_BYTES)
_WINDOW: Final = (5.0, 3600.0)  # seconds
_MOST_CALLS: Final = 1_000_000
_HIGHEST_RATIO: Final = 1000.0
_USUAL_WINDOW: Final = Seconds(60.0)
_NEVER: Final = Seconds(0.0)
_SERVICE: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_WORD - 1}}}\Z")
_VERSION: Final = re.compile(rf"[!-~]{{1,{LONGEST_WORD}}}\Z")


class InvalidRule(ValueError):
    """What is said of a rule cannot be; the message says what was due."""


class RuleState(Enum):
    """What became of a trial."""

    ACTIVE = "active"
    PROMOTED = "promoted"  # all calls go to the new version
    ABORTED = "aborted"  # none do: somebody has said so
    BACKED_OUT = "backed-out"  # none do: it did worse than its limits allow


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOut:
    """How much worse the new version may do before Rum ends the trial by itself.

    Raises:
        InvalidRule: a limit is out of its range, or nothing is limited.
    """

    error_points: float | None = None  # per cent of its calls, beyond the others'
    p99_ratio: float | None = None  # of its p99 to the others'
    least_calls: int = 50  # of each part, within the window, before anything is said
    window: Seconds = _USUAL_WINDOW

    def __post_init__(self) -> None:
        """Check every limit."""
        if self.error_points is None and self.p99_ratio is None:
            raise InvalidRule("limits: due error_points, p99_ratio, or both")
        _check_range("error_points", self.error_points, 0.0, _ALL)
        _check_range("p99_ratio", self.p99_ratio, 1.0, _HIGHEST_RATIO)
        _check_range("least_calls", self.least_calls, 1, _MOST_CALLS)
        _check_range("window", self.window, *_WINDOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The traffic rule of one service.

    Raises:
        InvalidRule: a field is out of range.
    """

    service: str  # whose calls it is about
    version: str  # the new one
    share: float = 0.0  # of the members, in per cent, who are served by it
    cids: frozenset[str] = frozenset()  # these are, whatever the share; folded
    groups: frozenset[str] = frozenset()  # so are calls from processes of these groups
    zones: frozenset[str] = frozenset()  # and of these zones
    state: RuleState = RuleState.ACTIVE
    reason: str = ""  # why the state is what it is
    by: str = ""  # who has changed it last: a person, or a process
    changed: Seconds = _NEVER  # when; since the Unix epoch, UTC
    limits: BackOut | None = None  # None: Rum does not end the trial by itself

    def __post_init__(self) -> None:
        """Check every field."""
        for field, pattern in (("service", _SERVICE), ("version", _VERSION)):
            value = getattr(self, field)
            if not pattern.match(value):
                raise InvalidRule(
                    f"{field} {value!r}: due 1 to {LONGEST_WORD} ASCII characters, as "
                    "instances have them"
                )
        _check_range("share", self.share, 0.0, _ALL)
        _check_words("cids", self.cids, MOST_CIDS)
        if any(fold(cid) != cid for cid in self.cids):
            raise InvalidRule("cids: due lower case")
        _check_words("groups", self.groups, MOST_WORDS)
        _check_words("zones", self.zones, MOST_WORDS)
        for field in ("reason", "by"):
            if len(getattr(self, field)) > LONGEST_REASON:
                raise InvalidRule(f"{field}: due at most {LONGEST_REASON} characters")
        if not 0 <= self.changed < float("inf"):  # so is NaN
            raise InvalidRule(f"changed {self.changed}: due a time since 1970")

    def is_for_canary(self, who: str, group: str = "", zone: str = "") -> bool:
        """Tell whether a call is for the new version.

        Args:
            who: the member on whose behalf it is made, or what stands for him.
            group: of the process that calls.
            zone: of the process that calls.
        """
        if self.state is RuleState.PROMOTED:
            return True
        if self.state is not RuleState.ACTIVE:
            return False
        if group in self.groups or zone in self.zones:
            return True
        if self.cids and fold(who) in self.cids:
            return True
        return self.share > 0 and self.place(who) < self.share

    def place(self, who: str) -> float:
        """Return where a member stands among all: from 0 to less than 100.

        Those below the share are served by the new version. So a higher share only
        adds members, and each trial begins with others.
        """
        return place_of(f"{self.service}/{self.version}/{fold(who)}")

    @property
    def may_stand_in(self) -> bool:
        """Whether the new version is asked if none of the others can be."""
        return self.state is RuleState.PROMOTED or (
            self.state is RuleState.ACTIVE and self.share > 0
        )


@dataclass(frozen=True, slots=True)
class Posted:
    """A rule as it stands in a registry."""

    rule: Rule
    revision: int  # of the registry, at its last change


def place_of(text: str) -> float:
    """Return where a text stands from 0 to less than 100: the same in every process."""
    digest = blake2b(text.encode("utf-8", "replace"), digest_size=_POINT_BYTES)
    return int.from_bytes(digest.digest(), "big") / _POINTS * _ALL


def _check_range(name: str, value: float | None, least: float, most: float) -> None:
    if value is not None and not least <= value <= most:  # NaN is in no range
        raise InvalidRule(f"{name} {value}: due {least:g} to {most:g}")


def _check_words(name: str, values: frozenset[str], most: int) -> None:
    if len(values) > most:
        raise InvalidRule(f"{name}: {len(values)}, due at most {most}")
    if any(not 1 <= len(value) <= LONGEST_WORD for value in values):
        raise InvalidRule(f"{name}: due 1 to {LONGEST_WORD} characters each")
