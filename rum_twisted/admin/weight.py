"""About how much an object keeps: for those who do not count it themselves.

It goes from the object down through what it refers to, a bounded number of steps. Of a
long container a few members are looked at, and stand for all. So the answer comes in
a millisecond or two, and is good to a half where members are alike; for a plugin that
grows without end that is enough.
"""

import sys
from collections import deque
from collections.abc import Iterator, Mapping, Set
from itertools import islice
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import Any, Final

__all__ = ["Weight", "weigh"]

MOST_VISITED: Final = 2000  # objects
SAMPLE: Final = 24  # members of a container
_DEEPEST: Final = 8  # steps down
_SEQUENCES: Final = (list, tuple, deque)
_LEAVES: Final = (str, bytes, bytearray, int, float, complex, bool, type(None))
_NOT_KEPT: Final = (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    MethodType,
    ModuleType,
    type,
)
# Objects of these rooms are everybody's: whoever refers to one does not keep it.
_SHARED: Final = (
    "rum_twisted.plugins.",
    "twisted.",
    "asyncio",
    "_asyncio",
    "threading",
)
_OWN: Final = "rum_twisted.plugins.bundled."

Weight = tuple[int, int]
"""How many objects, and bytes; both estimated."""


def weigh(root: object) -> Weight:
    """Return what an object keeps, itself included.

    It may change meanwhile, in another thread.

    Raises:
        RuntimeError: it changed just so that it could not be read.
    """
    count, size = 0.0, 0.0
    seen = {id(root)}
    todo: deque[tuple[object, float, int]] = deque([(root, 1.0, 0)])
    for _ in range(MOST_VISITED):
        if not todo:
            break
        one, stands_for, depth = todo.popleft()
        count += stands_for
        size += sys.getsizeof(one, 0) * stands_for
        if depth == _DEEPEST or isinstance(one, _LEAVES):
            continue
        for member, each in _members(one):
            if id(member) in seen or _is_shared(member):
                continue
            if not isinstance(member, _LEAVES):
                seen.add(id(member))
            todo.append((member, stands_for * each, depth + 1))
    return round(count), round(size)


def _members(one: object) -> Iterator[tuple[object, float]]:
    """Go through what an object refers to, and for how many each of them stands."""
    if isinstance(one, Mapping):
        for key, value in _spread(one.items(), len(one)):
            yield key, max(1.0, len(one) / SAMPLE)
            yield value, max(1.0, len(one) / SAMPLE)
    elif isinstance(one, (*_SEQUENCES, Set)):
        for member in _spread(one, len(one)):
            yield member, max(1.0, len(one) / SAMPLE)
    yield from ((value, 1.0) for value in _attributes(one))


def _spread(members: Any, size: int) -> Iterator[Any]:
    """Go through some members, from all over a container."""
    if size <= SAMPLE or isinstance(members, deque):
        yield from islice(members, SAMPLE)
    elif isinstance(members, list | tuple):
        yield from (members[place * size // SAMPLE] for place in range(SAMPLE))
    else:  # to walk a table is quicker than to copy it
        yield from islice(members, 0, size, size // SAMPLE + 1)


def _attributes(one: object) -> Iterator[object]:
    names = getattr(one, "__dict__", None)
    if isinstance(names, dict):
        yield from tuple(names.values())
    for kind in type(one).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            value = getattr(one, name, None)
            if value is not None:
                yield value


def _is_shared(one: object) -> bool:
    if isinstance(one, _NOT_KEPT):
        return True
    module = type(one).__module__
    return module.startswith(_SHARED) and not module.startswith(_OWN)
