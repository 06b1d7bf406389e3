"""Every object that can be reached, once each, a slice at a time.

Python has a list of all containers, but taking it is one step that cannot be divided:
4 to 60 ms for 500,000 of them, by how they are scattered. So here objects are found as
the collector finds them: from the modules on, from each to those that it refers to.

Whom a walk has met is marked by a bit for the place in memory at which the object
begins: one byte for 128, 0.8 % of the heap. It holds on to those objects only that it
has met and not left yet; what others let go of meanwhile goes.

What it misses: what moves meanwhile from where it has not been to where it has, garbage
in circles that is past its youth, what only C keeps, variables of functions that are
running, and what Python's built-in types are made of.
"""

import asyncio
import contextvars
import gc
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from types import CodeType
from typing import Any, Final

from typing_extensions import override

__all__ = ["CHUNK", "EDGES", "LARGE", "Marks", "Walk", "roots"]

EDGES: Final = 1000  # references that are followed between two turns of others
LARGE: Final = 200  # items; a container of more is read in parts
CHUNK: Final = 25_000  # items of a table that are taken at once: less than 1 ms
_USUAL: Final = 8  # references of an object that does not tell how many it has
_PAGE: Final = 8192  # bytes of marks, for 1 MiB of addresses
_BITS: Final = tuple(1 << bit for bit in range(8))
_HAS_REFERENCES: Final = 1 << 14  # in a type's flags: Py_TPFLAGS_HAVE_GC
_OLDER_THAN_YOUNG: Final = 2  # the generation of the collector that may be long
_SIZED: Final[tuple[type, ...]] = (list, dict, tuple, set, frozenset, deque)


class Marks:
    """Remembers objects by where they are.

    No two begin within the same 16 bytes, so each has a bit of its own.
    """

    __slots__ = ("pages",)

    def __init__(self) -> None:
        self.pages: dict[int, bytearray] = {}  # by address, in MiB

    @override
    def __repr__(self) -> str:
        return f"<Marks: {self.bytes} bytes>"

    @property
    def bytes(self) -> int:
        """What the marks themselves take."""
        sizes = map(sys.getsizeof, list(self.pages.values()))
        return sys.getsizeof(self.pages) + sum(sizes)

    def fresh(self, some: Iterable[object]) -> list[Any]:
        """Return those that were not marked yet, and mark them."""
        pages, bits = self.pages, _BITS
        found = []
        for one in some:
            address = id(one)
            page = pages.get(address >> 20)
            if page is None:
                page = pages[address >> 20] = bytearray(_PAGE)
            place = address >> 7 & 8191
            bit = bits[address >> 4 & 7]
            if not page[place] & bit:
                page[place] |= bit
                found.append(one)
        return found


def roots() -> list[Any]:
    """Return where a walk begins: whatever keeps the rest alive.

    The young are a few thousand at most; with them comes what only C keeps for now.
    """
    found: list[Any] = [sys.modules, contextvars.copy_context()]
    for generation in range(_OLDER_THAN_YOUNG):
        found += gc.get_objects(generation)
    with suppress(RuntimeError):  # no loop runs here
        found += asyncio.all_tasks()
    return found


class Walk:
    """Goes from object to object until there is none that it has not met.

    Args:
        begin: the objects to begin with; they are met, too.
        leaves: meet keys of tables that are texts, and the parts of code, too. It is
            quicker without; whatever refers to others is met anyway.

    Invariant: between two steps it holds on to objects that it has not left only: in
    all, at most as many as there are, and mostly a few thousand.
    """

    def __init__(self, begin: Iterable[object], *, leaves: bool = True) -> None:
        self._leaves = leaves
        self._ways = _Ways(leaves=leaves)
        self._parts: list[list[Any]] = []  # met and not left
        self._large: deque[Any] = deque()  # these are read one after the other
        self._begin = list(begin)
        self.marks = Marks()
        self.followed = 0  # references
        # It does not meet itself, nor what it holds.
        own = (self, self.__dict__, self._ways, self._parts, self._large)
        self.marks.fresh((*own, self._begin, self.marks, self.marks.pages))

    @override
    def __repr__(self) -> str:
        return f"<Walk: {self.followed} references, {self.pending} objects to leave>"

    @property
    def pending(self) -> int:
        """How many objects it has met and not left."""
        return len(self._begin) + len(self._large) + sum(map(len, self._parts))

    def steps(self) -> Generator[list[Any], None, None]:
        """Meet everything; others may have their turn after each step.

        Yields:
            those that are met for the first time, `EDGES` at most; the list is the
            reader's, who had better empty it before the next step.
        """
        yield from self._meet(self._begin)
        reader: Iterator[list[Any]] = iter(())
        while True:
            if self._parts:
                yield from self._meet(self._leave(self._parts[-1]))
            elif (some := next(reader, None)) is not None:
                yield from self._meet(some)
            elif self._large:
                reader = self._read(self._large.popleft())
            else:
                return

    def _meet(self, some: list[Any]) -> Iterator[list[Any]]:
        """Mark some objects, the last first; ``some`` is empty afterwards."""
        for few in _taken_apart(some):
            self.followed += len(few)
            found = self.marks.fresh(few)
            self._keep(found)
            few.clear()
            yield found

    def _keep(self, found: list[Any]) -> None:
        """Remember those that lead to others."""
        ways = self._ways
        branches = [one for one in found if ways[type(one)] is not None]
        if not branches:
            return
        # Many short lists would take more than the objects in them.
        if self._parts and len(self._parts[-1]) < EDGES:
            self._parts[-1] += branches
        else:
            self._parts.append(branches)

    def _leave(self, part: list[Any]) -> list[Any]:
        """Return what the last objects of a part refer to, and forget those."""
        ways = self._ways
        budget = EDGES
        few: list[Any] = []
        more: list[Any] = []
        while part and budget > 0:
            one = part.pop()
            way = ways[type(one)]
            if way is object:
                budget -= _USUAL
                few.append(one)
            elif way is CodeType:
                budget -= _USUAL
                more += _parts_of(one)
            elif way is None:  # it has become another's instance meanwhile
                continue
            elif (size := way.__len__(one)) > LARGE:
                self._large.append(one)
            else:
                budget -= size + 1
                few.append(one)
                if way is dict and self._leaves:
                    more += dict.keys(one)
        if not part:
            self._parts.pop()
        return gc.get_referents(*few) + more

    def _read(self, one: Any) -> Iterator[list[Any]]:
        """Return the items of a large container, in parts.

        What comes behind the last one meanwhile is not read: it might never end.
        """
        way = self._ways[type(one)]
        size = way.__len__(one)
        if way is list or way is tuple:
            for begin in range(0, size, EDGES):
                yield list(way.__getitem__(one, slice(begin, begin + EDGES)))
        elif way is dict:
            yield from _read_in_chunks(lambda: iter(dict.values(one)), size)
            yield from _read_in_chunks(lambda: iter(dict.keys(one)), size)
        else:
            items = partial(way.__iter__, one)
            yield from _read_in_chunks(items, size, in_order=way is deque)
        if type(one) is not way:
            with suppress(AttributeError):
                yield [object.__getattribute__(one, "__dict__")]


class _Ways(dict[type, Any]):
    """How objects of each type are left; ``None``: they lead nowhere.

    Either the built-in container that the type is, or derives from, or the type of
    code, which tells nobody what it refers to, or `object` for all else.

    Args:
        leaves: the parts of code are wanted.
    """

    __slots__ = ("_leaves",)

    def __init__(self, *, leaves: bool) -> None:
        super().__init__()
        self._leaves = leaves

    def __missing__(self, kind: type) -> Any:
        """Look at a type once."""
        way: Any = object if kind.__flags__ & _HAS_REFERENCES else None
        if kind is CodeType:
            way = kind if self._leaves else None
        else:
            way = next((base for base in _SIZED if issubclass(kind, base)), way)
        self[kind] = way
        return way


def _parts_of(code: Any) -> tuple[object, ...]:
    """Return what code consists of, but for what is made when it is asked for."""
    return (
        code.co_consts,
        code.co_names,
        code.co_filename,
        code.co_name,
        code.co_qualname,
        code.co_linetable,
        code.co_exceptiontable,
    )


def _read_in_chunks(
    begin: Callable[[], Iterator[Any]], size: int, *, in_order: bool = True
) -> Iterator[list[Any]]:
    """Return all items in parts, whatever happens to the container meanwhile.

    Args:
        begin: begins at the first item.
        size: how many there are.
        in_order: items keep their order when others come and go. Else, if some do, all
            are taken at once.
    """
    items, read = begin(), 0
    while read < size:
        try:
            some = list(islice(items, CHUNK))
        except RuntimeError:  # it has changed: what was read is passed over anew
            items = begin()
            part = (read, read + CHUNK) if in_order else (0, None)
            some = list(islice(items, *part))
        if not some:
            return
        read += len(some)
        yield from _taken_apart(some)


def _taken_apart(some: list[Any]) -> Iterator[list[Any]]:
    """Return a list's items in parts, and forget them with their part."""
    while some:
        part = some[-EDGES:]
        del some[-EDGES:]
        yield part
