"""What the heap is made of: objects by type, counted a slice at a time.

The list of all objects is Python's own, and taking it is one step that cannot be
divided: 2 to 5 ms for 100,000 objects. All else is done in slices, between which others
have their turn.

That list has containers only. Texts, bytes and numbers are found through whoever
refers to them, and each reference counts for its share: of a text with four
references, one quarter. So nothing needs to be remembered of them, and what modules
share weighs little.

Objects that were there when the server had started are frozen (see `tap`): they are in
no list, and are told as one number.
"""

import gc
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from twisted.internet.defer import Deferred
from typing_extensions import override

__all__ = ["Census", "Kind", "Tally", "count_all", "name_of"]

SLICE: Final = 500  # objects between two turns of others: less than 1 ms
MOST_KINDS: Final = 2000  # types that are told apart
_OTHERS: Final = "(others)"
_DEEP: Final = 4  # steps from a container to what stands in tuples it holds
_OWN_REFERENCES: Final = 3  # to a leaf while it is counted: ours, not the heap's
_EXACT: Final = frozenset((str, bytes, int, float, complex, bytearray))


@dataclass(frozen=True, slots=True)
class Kind:
    """All objects of one type."""

    name: str
    count: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What a census has found."""

    kinds: tuple[Kind, ...]  # most bytes first
    objects: int  # that were counted one by one
    bytes: int
    frozen: int  # objects from before the start, not looked at
    waiting_deferreds: int  # that have no result yet

    def top(self, most: int) -> tuple[Kind, ...]:
        """Return those kinds that take most, and the rest as one."""
        if len(self.kinds) <= most:
            return self.kinds
        rest = self.kinds[most:]
        count, size = sum(kind.count for kind in rest), sum(kind.bytes for kind in rest)
        return (*self.kinds[:most], Kind(_OTHERS, count, size))


class Census:
    """Counts objects, step by step.

    Args:
        leaves: also look for texts, bytes and numbers; it takes three times as long.

    Invariant: it keeps no object alive once it has been counted.
    """

    def __init__(self, *, leaves: bool = True) -> None:
        self._leaves = leaves
        self._found: dict[type, list[float]] = {}  # count and bytes
        self._objects = 0
        self._waiting = 0
        self._work = 0  # leaves that were looked at

    @override
    def __repr__(self) -> str:
        return f"<Census of {self._objects} objects so far>"

    def steps(self) -> Iterator[None]:
        """Count everything; others may have their turn after each step."""
        # All generations at once: an object may grow old while others are counted.
        objects = gc.get_objects()
        yield
        while objects:
            some = objects[-SLICE:]
            # What nobody else keeps any more goes with its slice, not all at once.
            del objects[-SLICE:]
            yield from self._count(some)
            yield

    def tally(self) -> Tally:
        """Return what has been counted so far."""
        kinds = [
            Kind(name_of(kind), round(count), round(size))
            for kind, (count, size) in self._found.items()
        ]
        kinds.sort(key=lambda kind: -kind.bytes)
        return Tally(
            kinds=tuple(kinds),
            objects=self._objects,
            bytes=sum(kind.bytes for kind in kinds),
            frozen=gc.get_freeze_count(),
            waiting_deferreds=self._waiting,
        )

    def _count(self, some: list[Any]) -> Iterator[None]:
        self._objects += len(some)
        own = (some, self.__dict__, self._found)
        while some:
            one = some.pop()
            if any(one is each for each in own):
                continue
            kind = type(one)
            self._add(kind, 1.0, _size_of(one))
            if kind is Deferred and not one.called:
                self._waiting += 1
            if self._leaves:
                yield from self._count_leaves(one)

    def _count_leaves(self, one: object) -> Iterator[None]:
        """Count what ``one`` refers to and the collector does not know of.

        A tuple or dict that holds nothing but leaves is in no list either.
        """
        todo: list[tuple[object, float, int]] = [(one, 1.0, 0)]
        while todo:
            branch, weight, depth = todo.pop()
            for leaf in _members(branch):
                self._work += 1
                if self._work % SLICE == 0:
                    yield
                if gc.is_tracked(leaf):
                    continue
                kind = type(leaf)
                share = weight / max(1, sys.getrefcount(leaf) - _OWN_REFERENCES)
                self._add(kind, share, _size_of(leaf) * share)
                if kind not in _EXACT and depth < _DEEP:
                    todo.append((leaf, share, depth + 1))

    def _add(self, kind: type, count: float, size: float) -> None:
        sums = self._found.get(kind)
        if sums is None:
            if len(self._found) >= MOST_KINDS:
                kind = _Others
            sums = self._found.setdefault(kind, [0.0, 0.0])
        sums[0] += count
        sums[1] += size


class _Others:
    """Stands for all types beyond `MOST_KINDS`."""


def count_all(*, leaves: bool = True) -> Tally:
    """Count everything at once; for a thread beside the reactor's."""
    census = Census(leaves=leaves)
    for _ in census.steps():
        pass
    return census.tally()


def name_of(kind: type) -> str:
    """Return a type's name with its module, unless it is built in."""
    if kind is _Others:
        return _OTHERS
    module = kind.__module__
    name = kind.__qualname__
    return name if module == "builtins" else f"{module}.{name}"


def _members(branch: object) -> Iterable[object]:
    """Return what ``branch`` refers to; of a long list a part at a time."""
    if type(branch) is list and len(branch) > SLICE:
        parts = range(0, len(branch), SLICE)
        return chain.from_iterable(branch[begin : begin + SLICE] for begin in parts)
    if type(branch) is dict:  # Python does not tell of keys that are texts
        return chain(list(branch), list(branch.values()))
    return gc.get_referents(branch)


def _size_of(one: object) -> int:
    try:
        return sys.getsizeof(one, 0)
    except Exception:  # noqa: BLE001 - an object's own __sizeof__ may do anything
        return 0
