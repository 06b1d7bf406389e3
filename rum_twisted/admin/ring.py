"""A fixed piece of memory for the last samples: what comes in pushes the oldest out."""

from array import array
from collections.abc import Iterator, Sequence
from math import nan

from typing_extensions import override

__all__ = ["Ring"]


class Ring:
    """The last rows of numbers, all of one width.

    A number that is not known is NaN. Memory is taken at once and never grows: one
    million samples need as much as one.

    Args:
        rows: how many are kept.
        width: how many numbers each has.
    """

    def __init__(self, rows: int, width: int) -> None:
        self._rows = rows
        self._width = width
        self._numbers = array("d", [nan]) * (rows * width)
        self._next = 0  # the row that is written next
        self._written = 0

    @override
    def __repr__(self) -> str:
        return f"<Ring of {len(self)} rows, at most {self._rows}, {self.bytes} bytes>"

    def __len__(self) -> int:
        """Return how many rows there are."""
        return min(self._written, self._rows)

    @property
    def bytes(self) -> int:
        """What it takes; always the same."""
        return len(self._numbers) * self._numbers.itemsize

    def push(self, numbers: Sequence[float]) -> None:
        """Write a row; what is missing in it is not known.

        Raises:
            ValueError: it is too wide.
        """
        if len(numbers) > self._width:
            raise ValueError(f"{len(numbers)} numbers: due at most {self._width}")
        begin = self._next * self._width
        for place in range(self._width):
            value = numbers[place] if place < len(numbers) else nan
            self._numbers[begin + place] = value
        self._next = (self._next + 1) % self._rows
        self._written += 1

    def rows(self) -> Iterator[Sequence[float]]:
        """Go through the rows, the oldest first."""
        count = len(self)
        for number in range(count):
            row = (self._next - count + number) % self._rows
            begin = row * self._width
            yield self._numbers[begin : begin + self._width]
