"""Who keeps an object alive: chains of referrers, and the way down from a root.

Python's search for referrers looks at every object that is not frozen, in one step that
cannot be divided; so there are few such searches for a question. What holds the last
link of a chain may be frozen: then the way from the roots is looked for, downward, a
bounded number of steps. Nothing tells a value: types, attributes and lengths only.
"""

import gc
from collections import deque
from collections.abc import Iterator, Mapping
from types import FrameType, FunctionType, GeneratorType, ModuleType
from typing import Any, Final

from rum_twisted.admin.census import name_of

__all__ = ["Search", "find"]

MOST_SEARCHES: Final = 12  # 15 to 60 ms each with 500,000 objects
MOST_CHAINS: Final = 6
DEEPEST: Final = 6  # links
MOST_VISITED: Final = 100_000  # objects, on the way down; 0.2 s in all
_SLICE: Final = 500  # of these between two turns of others
_SIZED: Final = (list, tuple, dict, set, frozenset, deque)
_UNFINISHED: Final = "…"
_UNSEEN: Final = "(what is older than the start, or C)"


def find(kind: str, number: int) -> object | None:
    """Return an object of the type named ``kind``, as the census names it.

    Args:
        kind: the full name, or its last part.
        number: which one; 0 is the oldest that is known, -1 the newest.
    """
    kinds: dict[type, bool] = {}
    found: list[object] = []
    for one in gc.get_objects():
        its = type(one)
        if its not in kinds:
            name = name_of(its)
            kinds[its] = name == kind or name.endswith(f".{kind}")
        if kinds[its]:
            found.append(one)
    try:
        return found[number]
    except IndexError:
        return None


class _Step:
    """An object whose holders are to be found, and how it was come to."""

    __slots__ = ("held", "links", "one", "seen")

    def __init__(
        self, one: object, held: object, links: list[str], seen: frozenset[int]
    ) -> None:
        self.one = one
        self.held = held  # by it: the link before
        self.links = links
        self.seen = seen  # ids of the links


class Search:
    """Looks for whoever keeps an object alive, step by step.

    Args:
        target: the object.
        roots: where ways down to it begin, by name.
    """

    __slots__ = ("_roots", "_target", "chains", "path")

    def __init__(self, target: object, roots: Mapping[str, object]) -> None:
        self._target = target
        self._roots = roots
        self.chains: list[list[str]] = []  # in each the object first, its holder next
        self.path: list[str] | None = None  # from a root; None: none was found

    def steps(self) -> Iterator[None]:
        """Look everywhere; others may have their turn after each step."""
        yield from self._climb()
        yield from self._descend()

    def _climb(self) -> Iterator[None]:
        """Follow referrers up, the nearest first."""
        target = self._target
        finished = self.chains
        todo = deque([_Step(target, None, [_shown(target)], frozenset({id(target)}))])
        searches = 0
        while todo and len(finished) < MOST_CHAINS:
            step = todo.popleft()
            if searches >= MOST_SEARCHES or len(step.links) > DEEPEST:
                finished.append([*step.links, _UNFINISHED])
                continue
            searches += 1
            found = [_next(holder, step) for holder in _holders(step)[:MOST_CHAINS]]
            if not found:
                finished.append([*step.links, _UNSEEN])
            for each in found:
                if isinstance(each.one, ModuleType | FrameType):
                    finished.append(each.links)
                else:
                    todo.append(each)
            del found
            yield
        finished += [[*step.links, _UNFINISHED] for step in todo]
        # Two objects of one kind look alike: told once is enough.
        different = dict.fromkeys(map(tuple, finished))
        self.chains = [list(links) for links in different][:MOST_CHAINS]

    def _descend(self) -> Iterator[None]:
        """Look for the shortest way down from the roots."""
        names = {id(one): name for name, one in self._roots.items()}
        parents: dict[int, object] = dict.fromkeys(names)
        level = deque(self._roots.values())
        while level:
            one = level.popleft()
            if one is self._target:
                self.path = _way(names, parents, one)
                return
            for member in _members(one):
                if id(member) in parents or not gc.is_tracked(member):
                    continue
                if len(parents) >= MOST_VISITED:
                    return
                parents[id(member)] = one
                level.append(member)
                if len(parents) % _SLICE == 0:
                    yield


def _next(holder: object, step: _Step) -> _Step:
    """Return the step from the object of ``step`` up to its holder."""
    links = [*step.links, _link(holder, step)]
    return _Step(holder, step.one, links, step.seen | {id(holder)})


def _holders(step: _Step) -> list[Any]:
    """Return who refers to an object, but for those who only search."""
    return [
        holder
        for holder in gc.get_referrers(step.one)
        if not _is_ours(holder) and id(holder) not in step.seen
    ]


def _is_ours(holder: object) -> bool:
    """Tell whether a referrer is there only because somebody searches."""
    if isinstance(holder, GeneratorType):
        return holder.gi_code.co_filename == __file__
    return isinstance(holder, _Step | Search)


def _way(
    names: Mapping[int, str], parents: Mapping[int, object], last: object
) -> list[str]:
    """Return the words on the way from a root to ``last``."""
    way = []
    while id(last) not in names:
        parent = parents[id(last)]
        above = parents.get(id(parent))
        if above is not None and _dict_of(above) is parent:
            parent = above  # it stands among its attributes
        way.append(_word(parent, last))
        last = parent
    way.append(names[id(last)])
    return way[::-1]


def _word(holder: object, held: object) -> str:
    """Return the attribute that refers to ``held``, or else what it is."""
    word = next((word for word, value in _attributes(holder) if value is held), None)
    return f"[{_shown(held)}]" if word is None else f".{word}"


def _members(one: object) -> list[Any]:
    """Return what ``one`` refers to, but for that from which everything is reached."""
    if isinstance(one, type | ModuleType):
        return []
    if isinstance(one, FunctionType):  # not its module
        return [one.__closure__, one.__defaults__, one.__kwdefaults__]
    return gc.get_referents(one)


def _attributes(one: object) -> Iterator[tuple[str, Any]]:
    """Go through the attributes of one object.

    Python makes a dict for that where there is none: so not of thousands.
    """
    yield from list((_dict_of(one) or {}).items())
    for kind in type(one).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            try:
                yield name, object.__getattribute__(one, name)
            except AttributeError:
                continue


def _link(holder: object, step: _Step) -> str:
    """Say how ``holder`` refers to the object of ``step``."""
    name = _shown(holder)
    names = _dict_of(holder)
    if names is not None and names is step.one:
        # The keys of this dict are attributes; those of others may be anybody's data.
        held = step.held
        word = next((word for word, value in names.items() if value is held), "?")
        return f"{name}.{word}"
    word = next((word for word, one in _attributes(holder) if one is step.one), "")
    return f"{name}.{word}" if word else name


def _dict_of(one: object) -> dict[str, Any] | None:
    """Return an object's attributes, without asking the object's own code."""
    try:
        names = object.__getattribute__(one, "__dict__")
    except (AttributeError, TypeError):
        return None
    return names if isinstance(names, dict) else None


def _shown(one: object) -> str:
    if isinstance(one, ModuleType):
        return f"module {one.__name__}"
    if isinstance(one, FrameType):
        return f"frame of {one.f_code.co_qualname}"
    name = name_of(type(one))
    return f"{name} of {len(one)}" if isinstance(one, _SIZED) else name
