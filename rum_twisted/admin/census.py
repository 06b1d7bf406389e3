"""What the heap is made of: objects by type, counted a slice at a time.

There are two ways. The **list** is Python's own, of all containers. Taking it is one
step that cannot be divided: less than 7 ms for 50,000 objects, however they are
scattered, 60 ms for 500,000. The **walk** (`rum_twisted.admin.walk`) finds objects
through each other, and has no such step. So the list is taken where it is known to be
short, which `Population` tells, and else the walk is gone.

The list has containers only. Texts, bytes and numbers are found through whoever
refers to them, and each reference counts for its share: of a text with four
references, one quarter. So nothing needs to be remembered of them, and what modules
share weighs little. The walk meets each of them once, and counts it as one.

Objects that were there when the server had started are frozen (see `tap`): they are in
no list, and are told as one number. The walk meets them like all others.
"""

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

from twisted.internet.defer import Deferred
from typing_extensions import override

__all__ = [
    "LIST",
    "WALK",
    "Census",
    "Comparable",
    "Kind",
    "Population",
    "Tally",
    "name_of",
]

LIST: Final = "list"  # the ways to count
WALK: Final = "walk"
SLICE: Final = 500  # objects between two turns of others: less than 1 ms
MOST_LISTED: Final = 50_000  # objects; where there may be more, the list is not taken
MOST_KINDS: Final = 10_000  # types that are told apart; each takes more by itself
MOST_BESIDES: Final = 300  # types that the walk meets besides are told apart
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
    objects: int  # containers that were counted one by one
    bytes: int
    frozen: int  # containers from before the start: in no list, but on the walk
    waiting_deferreds: int  # that have no result yet
    method: str = LIST

    def top(self, most: int) -> tuple[Kind, ...]:
        """Return those kinds that take most, and the rest as one."""
        if len(self.kinds) <= most:
            return self.kinds
        rest = self.kinds[most:]
        count, size = sum(kind.count for kind in rest), sum(kind.bytes for kind in rest)
        return (*self.kinds[:most], Kind(_OTHERS, count, size))

    def without(self, others: "Tally") -> "Tally":
        """Return what is left when ``others`` are not counted."""
        sums = {kind.name: (kind.count, kind.bytes) for kind in others.kinds}
        kinds, objects = [], self.objects
        for kind in self.kinds:
            count, size = sums.get(kind.name, (0, 0))
            left = Kind(
                kind.name, max(0, kind.count - count), max(0, kind.bytes - size)
            )
            objects -= kind.count - left.count
            if left.count or left.bytes:
                kinds.append(left)
        kinds.sort(key=lambda kind: -kind.bytes)
        return replace(
            self,
            kinds=tuple(kinds),
            objects=objects,
            bytes=sum(kind.bytes for kind in kinds),
        )


class Census:
    """Counts objects, step by step.

    Args:
        leaves: also look for texts, bytes and numbers; it takes three times as long.
        method: `LIST` or `WALK`.

    Invariant: it keeps no object alive once it has been counted.
    """

    def __init__(self, *, leaves: bool = True, method: str = LIST) -> None:
        self._leaves = leaves
        self._method = method
        self._found: dict[type, list[float]] = {}  # count and bytes
        self._objects = 0
        self._waiting = 0
        self._work = 0  # leaves that were looked at

    @override
    def __repr__(self) -> str:
        return f"<Census of {self._objects} objects so far, by {self._method}>"

    def steps(self) -> Iterator[None]:
        """Count everything; others may have their turn after each step."""
        return self._go() if self._method == WALK else self._go_through_list()

    def at_once(self) -> Tally:
        """Count everything, without letting anybody have a turn."""
        for _ in self.steps():
            pass
        return self.tally()

    def tally(self) -> Tally:
        """Return what has been counted so far."""
        # Two types may have one name.
        sums: dict[str, tuple[float, float]] = {}
        for kind, (count, size) in self._found.items():
            name = name_of(kind)
            before = sums.get(name, (0.0, 0.0))
            sums[name] = (before[0] + count, before[1] + size)
        kinds = [
            Kind(name, round(count), round(size))
            for name, (count, size) in sums.items()
        ]
        kinds.sort(key=lambda kind: -kind.bytes)
        return Tally(
            kinds=tuple(kinds),
            objects=self._objects,
            bytes=sum(kind.bytes for kind in kinds),
            frozen=gc.get_freeze_count(),
            waiting_deferreds=self._waiting,
            method=self._method,
        )

    def _go(self) -> Iterator[None]:
        # Most servers have so few objects that they never need it.
        from rum_twisted.admin.walk import Walk, roots  # noqa: PLC0415

        walk = Walk(roots(), leaves=self._leaves)
        walk.marks.fresh((self, self.__dict__, self._found))
        for met in walk.steps():
            self._count_met(met)
            yield

    def _count_met(self, met: list[Any]) -> None:
        """Count objects that the walk has met; ``met`` is empty afterwards."""
        if self._leaves:
            self._objects += sum(map(gc.is_tracked, met))
            self._sum(met)
        else:
            containers = [one for one in met if gc.is_tracked(one)]
            self._objects += len(containers)
            self._sum(containers)
        met.clear()

    def _go_through_list(self) -> Iterator[None]:
        # All generations at once: an object may grow old while others are counted.
        objects = gc.get_objects()
        yield
        while objects:
            some = objects[-SLICE:]
            # What nobody else keeps any more goes with its slice, not all at once.
            del objects[-SLICE:]
            yield from self._count(some)
            yield

    def _count(self, some: list[Any]) -> Iterator[None]:
        self._objects += len(some)
        own = {id(some), id(self.__dict__), id(self._found)}
        some[:] = [one for one in some if id(one) not in own]
        self._sum(some)
        while self._leaves and some:
            yield from self._count_leaves(some.pop())
        some.clear()

    def _sum(self, some: list[Any]) -> None:
        """Add objects to the sums of their types, each as one."""
        found, size_of = self._found, sys.getsizeof
        for one in some:
            kind = type(one)
            sums = found.get(kind)
            if sums is None:
                sums = self._sums_of(kind)
            sums[0] += 1.0
            try:
                size = size_of(one, 0)
            except Exception:  # noqa: BLE001 - as in `_size_of`
                size = 0
            sums[1] += size
            if kind is Deferred and not one.called:
                self._waiting += 1

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
        sums = self._sums_of(kind)
        sums[0] += count
        sums[1] += size

    def _sums_of(self, kind: type) -> list[float]:
        sums = self._found.get(kind)
        if sums is None:
            if len(self._found) >= MOST_KINDS:
                kind = _Others
            sums = self._found.setdefault(kind, [0.0, 0.0])
        return sums


class _Others:
    """Stands for all types beyond `MOST_KINDS`."""


class Population:
    """How many containers there are, known without a look at each.

    Python tells at once how many pieces of memory are taken, and each new container
    takes one at least. So there are at most so many as were counted, and one for each
    piece that was taken since; unless others were given back meanwhile, so it is a
    good guess and no more.

    Args:
        blocks: tells how many pieces of memory are taken.
    """

    def __init__(self, blocks: Callable[[], int] = sys.getallocatedblocks) -> None:
        self._blocks = blocks
        self._known = (0, blocks())  # containers that were counted, and blocks then
        self._besides: Tally | None = None  # what the walk meets, and no list has

    @override
    def __repr__(self) -> str:
        return f"<Population of {self.most} at most>"

    @property
    def most(self) -> int:
        """How many containers Python's list has at most, as far as is known."""
        count, blocks = self._known
        return count + max(0, self._blocks() - blocks)

    def census(self, *, leaves: bool) -> Census:
        """Return a census that holds nobody up for long, by list if it can be."""
        method = LIST if self.most <= MOST_LISTED else WALK
        return Census(leaves=leaves, method=method)

    def learn(self, tally: Tally) -> None:
        """Learn from a census how many there are."""
        self._known = (self._listed(tally), self._blocks())

    def is_ripe(self, tally: Tally) -> bool:
        """Tell whether the other way should be gone as well, for `compare`.

        Either the list gets long, and soon will be too long; or the walk, which was
        gone because nobody knew, has shown that it is not too long yet.

        Args:
            tally: a census without leaves that has just been made.
        """
        if self._besides is not None:
            return False
        least = -1 if tally.method == WALK else MOST_LISTED // 2
        return least < self._listed(tally) <= MOST_LISTED

    def compare(self, one: Tally, other: Tally) -> None:
        """See what the walk meets besides: mostly what is as old as the server.

        Args:
            one: a census without leaves.
            other: the same the other way, right after it.
        """
        walked, listed = (one, other) if one.method == WALK else (other, one)
        besides = walked.without(listed)
        self._besides = replace(besides, kinds=besides.kinds[:MOST_BESIDES])

    def _listed(self, tally: Tally) -> int:
        """Return how many containers of a census are in the list, nearly."""
        if tally.method == WALK and self._besides is None:
            return max(0, tally.objects - tally.frozen)
        return self.as_listed(tally).objects

    def as_listed(self, tally: Tally) -> Tally:
        """Return a census without leaves as one by list would be.

        So, whatever their method, they can be compared; if `compare` had its time.
        """
        if tally.method == LIST or self._besides is None:
            return tally
        return tally.without(self._besides)


class Comparable:
    """A census without leaves that can be compared, whatever its method.

    Args:
        population: chooses the method, and knows what the walk meets besides.
    """

    def __init__(self, population: Population) -> None:
        self._population = population
        self._tally: Tally | None = None

    @override
    def __repr__(self) -> str:
        return f"<Comparable census: {'counted' if self._tally else 'not counted yet'}>"

    def steps(self) -> Iterator[None]:
        """Count everything; others may have their turn after each step."""
        population = self._population
        census = population.census(leaves=False)
        yield from census.steps()
        tally = census.tally()
        population.learn(tally)
        if population.is_ripe(tally):
            yield
            method = LIST if tally.method == WALK else WALK
            other = Census(leaves=False, method=method)
            yield from other.steps()
            population.compare(tally, other.tally())
        self._tally = population.as_listed(tally)

    def tally(self) -> Tally:
        """Return what was counted, when all steps are done."""
        assert self._tally is not None
        return self._tally


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
