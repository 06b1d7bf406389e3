"""What an operator wants of one process, wherever that runs.

Source: docs/canary.md, "Draining from elsewhere".
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from rum_twisted.terms.instance import LONGEST_WORD
from rum_twisted.terms.units import Seconds

__all__ = ["LONGEST_WHO", "InvalidWish", "Wish", "WishKind"]

LONGEST_WHO: Final = 200  # characters: who wants it, and where he sits
_NAME: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_WORD - 1}}}\Z")


class InvalidWish(ValueError):
    """What is said of a wish cannot be; the message says what was due."""


class WishKind(Enum):
    """What somebody wants a process to do."""

    END = "end"  # drain, then end
    STAY = "stay"  # drain, then stand aside
    SERVE = "serve"  # serve again


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted of a process; its name is of one start, so no later one has it.

    Raises:
        InvalidWish: a field is out of range.
    """

    name: str  # of the instance
    kind: WishKind
    by: str  # the account of whoever wants it
    where: str  # where he sits: an address, a terminal
    asked: Seconds  # when; since the Unix epoch, UTC

    def __post_init__(self) -> None:
        """Check every field."""
        if not _NAME.match(self.name):
            raise InvalidWish(f"name {self.name!r}: due that of an instance")
        for field in ("by", "where"):
            value = getattr(self, field)
            if not value.isprintable() or len(value) > LONGEST_WHO:
                raise InvalidWish(
                    f"{field}: due one line of at most {LONGEST_WHO} characters"
                )
        if not 0 <= self.asked < float("inf"):  # so is NaN
            raise InvalidWish(f"asked {self.asked}: due a time since 1970")
