"""What the guard needs of others; whoever has these methods can be given to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rum_twisted.session.door import ClosedTo
from rum_twisted.terms.pace import Pace

__all__ = ["Crowd", "Delivery", "Door", "Expendable", "Front", "Shrinkable"]


@runtime_checkable
class Shrinkable(Protocol):
    """Keeps what it can get again, and can do with less of it."""

    def shrink(self) -> int:
        """Let some of it go; return how many bytes, about."""


@runtime_checkable
class Expendable(Protocol):
    """Has parts that the server can do without, if they grow beyond all bounds."""

    def expendables(self) -> Mapping[str, Callable[[], object]]:
        """Return what ends each such part, by the owner's name that it is known as.

        Called, it has the part work no more, and let go of all it keeps.
        """


class Delivery(Protocol):
    """Carries position reports."""

    def lengthen_turns(self, times: float) -> None:
        """Write so many times more seldom."""

    def thin(self, pace: Pace) -> None:
        """Tell fewer reports of those who are far away."""

    def thin_no_more(self) -> None:
        """Tell all of them again."""

    @property
    def kept_back(self) -> int:
        """How many reports not all in sight were told, since the start."""


class Door(Protocol):
    """Lets newcomers in."""

    refused: int  # so far

    def close(self, closed_to: ClosedTo, reason: str) -> None:
        """Let nobody of those in any more."""

    def open(self) -> None:
        """Let everybody in."""


class Crowd(Protocol):
    """Has all connections."""

    def largest_outboxes(self, most: int, *, least: int, needed: bool) -> list[str]:
        """Return the names of those whom `cut_largest` would cut."""

    def cut_largest(
        self, most: int, *, least: int, needed: bool, reason: str
    ) -> list[str]:
        """Cut those for whom most waits; return their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What there is where clients connect."""

    delivery: Delivery
    door: Door
    crowd: Crowd
    tell_everybody: Callable[[str], None]
    tell_staff: Callable[[str], None]
