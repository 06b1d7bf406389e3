"""What is counted, for programs that watch: a word that every room can say.

Whoever counts something yields it as a `Family` when somebody asks. Nothing is built
before that, and no library is needed for it; how it is written down is the affair of
the room ``admin``.

A label has few values, known beforehand: never a callsign, a CID or an address.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from rum_twisted.terms.histogram import Histogram

__all__ = ["Family", "Metered", "Value"]

Value: TypeAlias = float | Histogram


@dataclass(frozen=True, slots=True)
class Family:
    """One metric, with all its label sets.

    Args:
        name: e.g. ``rum_lines_received``; a counter's without ``_total``.
        kind: a counter only goes up; a histogram's values are `Histogram`.
        help: a sentence.
        values: by what the labels say; without labels the key is empty.
        labels: their names.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    values: Mapping[tuple[str, ...], Value]
    labels: tuple[str, ...] = field(default=())

    @classmethod
    def single(
        cls,
        name: str,
        kind: Literal["counter", "gauge", "histogram"],
        text: str,
        value: Value,
    ) -> "Family":
        """Return a metric without labels."""
        return cls(name, kind, text, {(): value})

    @classmethod
    def by(
        cls,
        label: str,
        name: str,
        kind: Literal["counter", "gauge", "histogram"],
        text: str,
        values: Mapping[str, Value],
    ) -> "Family":
        """Return a metric with one label."""
        sets: dict[tuple[str, ...], Value] = {
            (key,): value for key, value in values.items()
        }
        return cls(name, kind, text, sets, (label,))


@runtime_checkable
class Metered(Protocol):
    """Somebody who counts."""

    def families(self) -> Iterator[Family]:
        """Yield what is counted, as it is now; any thread may ask, at any time."""
