"""How much memory somebody answers for: a word that every room can say.

Whoever keeps something that grows tells how many there are, what they take, and what
the bound is. Sizes are estimates, made in a moment and good to a third: the tables
of containers as Python counts them, lengths of texts as they are, and for the objects
of each entry a constant that was measured once. What is shared by many is counted by
one of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, runtime_checkable

from rum_twisted.terms.units import Seconds

__all__ = ["BYTES_OBJECT", "NOTHING", "Measure", "Measured", "Measuring"]

BYTES_OBJECT: Final = 33  # bytes of a ``bytes`` object besides its content


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What one owner keeps just now."""

    count: int
    bytes: int  # estimated, see above
    oldest_s: Seconds | None = None  # age of the oldest; None: nobody keeps count
    bound: int | None = None  # of ``count``; None: it is bounded by something else
    bytes_bound: int | None = None  # of ``bytes``; likewise
    made_at: str = ""  # file and line, where things of one kind are made in many places


NOTHING: Final = Measure(count=0, bytes=0)

Measuring: TypeAlias = Callable[[], Measure | tuple[Measure, ...]]
"""Tells what an owner keeps; one measure for each place where things are made.

It may be called at any time and by any thread, and takes a moment only.
"""


@runtime_checkable
class Measured(Protocol):
    """Somebody who keeps something that grows."""

    def measures(self) -> Mapping[str, Measuring]:
        """Return what tells how much it is, by the names that operators read."""
