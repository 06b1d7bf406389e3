"""The ways in which TCP may cut what a client says."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Final

__all__ = ["BYTEWISE", "WHOLE", "Cut", "cut_at"]

Cut = Callable[[bytes], Sequence[bytes]]
"""Cuts bytes into segments."""


def _whole(data: bytes) -> Sequence[bytes]:
    return (data,)


def _bytewise(data: bytes) -> Sequence[bytes]:
    return tuple(data[place : place + 1] for place in range(len(data)))


WHOLE: Final[Cut] = _whole
BYTEWISE: Final[Cut] = _bytewise


def cut_at(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut ``data`` at ``places``; those outside it count for nothing."""
    inside = sorted({place for place in places if 0 < place < len(data)})
    return [data[begin:end] for begin, end in pairwise((0, *inside, len(data)))]
