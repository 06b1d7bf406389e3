"""Going from object to object through the heap."""

import gc
import sys
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin import process
from rum_twisted.admin.walk import CHUNK, EDGES, LARGE, Marks, Walk, roots


class Blip:
    """Something that can be met."""


class Slotted:
    """Keeps what it has in slots."""

    __slots__ = ("kept", "other")

    def __init__(self, kept: object) -> None:
        self.kept = kept

    def keep(self) -> None:
        """Do nothing: a method that is bound keeps its object."""


class Table(dict[Any, Any]):
    """A table with attributes."""

    kept: object


class Row(list[Any]):
    """A list that tells a wrong length."""

    @override
    def __len__(self) -> int:
        """Tell it."""
        raise OSError


def walk_from(*begin: object) -> Walk:
    """Return a walk that does not get from here into the rest of the process."""
    walk = Walk(begin)
    walk.marks.fresh((globals(), Blip, Slotted, Table, Row, sys.modules))
    return walk


def met_by(walk: Walk, between: Callable[[], object] = tuple) -> list[Any]:
    """Return what a walk meets; ``between`` two steps something is done."""
    met = []
    for found in walk.steps():
        met += found
        between()
    return met


def closure_of(kept: object) -> Callable[[], object]:
    """Return a function that keeps something."""
    return lambda: kept


def waiting_with(kept: object) -> Iterator[object]:
    """Keep something while nobody asks for it."""
    yield 1
    yield kept


class MarksTests(SynchronousTestCase):
    """Bits for places in memory."""

    def test_each_is_fresh_once(self) -> None:
        """Be they as small as an object can be, and beside each other."""
        marks = Marks()
        some = [object() for _ in range(10_000)]
        self.assertEqual(marks.fresh(some), some)
        self.assertEqual(marks.fresh(some), [])
        other = object()
        self.assertEqual(marks.fresh([*some, other, other]), [other])

    def test_their_memory(self) -> None:
        """It is a small share of what is marked, not so much for each."""
        marks = Marks()
        some = [[number] for number in range(200_000)]
        marks.fresh(some)
        self.assertLess(marks.bytes, (process.rss() or 0) / 50 + (1 << 20))
        before = marks.bytes
        marks.fresh(some)
        self.assertEqual(marks.bytes, before)


class WalkTests(SynchronousTestCase):
    """Walks through objects that are known."""

    def test_each_is_met_once(self) -> None:
        """However many refer to it, and in circles."""
        text = "".join(("sha", "red"))
        inner = [text, text]
        outer: list[Any] = [inner, inner, text]
        outer.append(outer)
        met = met_by(walk_from(outer))
        self.assertEqual(sorted(map(id, met)), sorted(map(id, (outer, inner, text))))

    def test_whatever_keeps_it(self) -> None:
        """Every way in which Python lets one object keep another is gone."""
        waiting = waiting_with(Blip())
        next(waiting)
        one = Blip()
        one.kept = Blip()  # type: ignore[attr-defined]
        keepers: list[Any] = [
            [Blip()],
            (Blip(),),
            {"a text": Blip()},
            {Blip(): 1},
            {(1, Blip()): 1},
            {Blip()},
            frozenset({Blip()}),
            deque([Blip()]),
            OrderedDict(key=Blip()),
            Slotted(Blip()),
            one.__dict__,
            closure_of(Blip()),
            waiting,
            partial(print, Blip()),
            iter([Blip()]),
            Slotted(Blip()).keep,
        ]
        for keeper in keepers:
            met = met_by(walk_from(keeper))
            count = sum(type(each) is Blip for each in met)
            self.assertEqual(count, 1, keeper)

    def test_large_containers(self) -> None:
        """Of one more than is read at once, nothing is missed."""
        number = LARGE + 1
        for make in (list, tuple, set, frozenset, deque, dict.fromkeys, Row):
            keeper = make(Blip() for _ in range(number))
            for walk in (walk_from(keeper), walk_from([keeper])):
                met = met_by(walk)
                self.assertEqual(sum(type(each) is Blip for each in met), number)
        table = Table((number, Blip()) for number in range(number))
        table.kept = Blip()
        met = met_by(walk_from(table))
        self.assertEqual(sum(type(each) is Blip for each in met), number + 1)

    def test_leaves(self) -> None:
        """Keys that are texts, and what code consists of, are met if wanted."""
        key = "".join(("k", "ey"))
        code = compile("'a docstring of its own'", "a file of its own", "exec")
        for leaves in (True, False):
            walk = Walk([{key: 1}, [code]], leaves=leaves)
            met = list(map(id, met_by(walk)))
            self.assertEqual(id(key) in met, leaves)
            self.assertEqual(id(code.co_consts) in met, leaves)

    def test_weak_references(self) -> None:
        """They keep nothing."""
        one = Blip()
        walk = walk_from(weakref.ref(one))
        self.assertNotIn(one, met_by(walk))

    def test_it_does_not_meet_itself(self) -> None:
        """Nor its marks."""
        keeper: list[Any] = []
        walk = walk_from(keeper)
        keeper.append(walk)
        self.assertEqual(met_by(walk), [keeper])


class StepTests(SynchronousTestCase):
    """What is done between two turns of others."""

    def assert_bounded(self, walk: Walk, most_pending: int) -> None:
        """Assert that each step follows few references, and how much is kept."""
        before = pending = met = 0
        for found in walk.steps():
            self.assertLessEqual(walk.followed - before, EDGES)
            self.assertLessEqual(len(found), EDGES)
            before = walk.followed
            met += len(found)
            found.clear()
            pending = max(pending, walk.pending)
        self.assertGreater(met, 20_000)
        self.assertLessEqual(pending, most_pending)

    def test_wide(self) -> None:
        """A few containers with very many, and very many with a few."""
        self.assert_bounded(walk_from([[n] for n in range(40_000)]), 3 * EDGES)
        self.assert_bounded(walk_from({n: [n] for n in range(CHUNK * 2)}), 3 * EDGES)
        rows = [[[n, m] for n in range(LARGE)] for m in range(200)]
        self.assert_bounded(walk_from(rows), 4 * EDGES + LARGE)
        rows = [[[n, m] for n in range(LARGE + 1)] for m in range(200)]
        self.assert_bounded(walk_from(rows), 4 * EDGES + LARGE)

    def test_deep(self) -> None:
        """A chain of many links, each with something beside it."""
        chain: list[Any] = []
        for number in range(30_000):
            chain = [{"number": [number]}, chain]
        self.assert_bounded(walk_from(chain), 3 * EDGES)
        while chain:  # Python would go deep to free it
            chain = chain[1]

    def test_a_tree(self) -> None:
        """Ever more the farther it goes."""

        def grow(depth: int) -> list[Any]:
            return [grow(depth - 1) for _ in range(6)] if depth else []

        self.assert_bounded(walk_from(grow(6)), 6 * EDGES)


class MeanwhileTests(SynchronousTestCase):
    """Others have their turns, and change everything."""

    def assert_all_met(self, keeper: Any, change: Callable[[], object]) -> None:
        """Assert that what was there is met, whatever comes and goes."""
        kept = list(keeper)
        met = {id(each) for each in met_by(walk_from(keeper), change)}
        self.assertTrue(all(id(each) in met for each in kept))

    def test_a_table_that_grows(self) -> None:
        """It is read on from where it was; so are its values."""
        values = [[number] for number in range(2 * CHUNK + 10)]
        table: dict[Any, Any] = dict(enumerate(values))
        met = met_by(walk_from(table), lambda: table.update({object(): 1}))
        self.assertGreater(len(table), 2 * CHUNK + 50)
        ids = set(map(id, met))
        self.assertTrue(all(id(each) in ids for each in values))

    def test_a_set_that_changes(self) -> None:
        """It may get another order by that."""
        some = {object() for _ in range(2 * CHUNK + 10)}
        self.assert_all_met(some, lambda: some.update({object(), object()}))

    def test_a_list_and_a_queue_that_grow(self) -> None:
        """Their order is kept."""
        row: Any
        for row in ([object() for _ in range(9999)], deque(map(str, range(60_000)))):
            self.assert_all_met(row, partial(row.append, None))

    def test_what_is_emptied(self) -> None:
        """The walk goes on without it."""
        for make in (list, set, deque, dict.fromkeys):
            row: Any = make([object() for _ in range(2 * CHUNK + 10)])
            met = met_by(walk_from(row), row.clear)
            self.assertLessEqual(len(met), CHUNK + 1)

    def test_what_is_let_go_of_goes(self) -> None:
        """The walk keeps what it has met and not left yet only."""
        many = [[Blip()] for _ in range(20_000)]
        alive: weakref.WeakSet[Blip] = weakref.WeakSet(each[0] for each in many)
        walk = walk_from(many, [[number] for number in range(20_000)])
        met = 0
        for found in walk.steps():
            met += sum(type(each) is Blip for each in found)
            found.clear()
            if met > 10_000 and many:
                many.clear()
                self.assertLess(len(alive), walk.pending + EDGES)
        self.assertGreater(met, 10_000)
        self.assertLess(met, 20_000)
        self.assertEqual(len(alive), 0)

    def test_what_comes_meanwhile(self) -> None:
        """It is met where the walk has not been yet, and does no harm elsewhere."""
        early: list[Any] = []
        late: list[Any] = [[number] for number in range(10 * EDGES)]
        walk = walk_from([early, late])

        def change() -> None:
            early.append(Blip())
            if len(late) == 10 * EDGES:
                late.append(Blip())

        met = met_by(walk, change)
        self.assertIn(late[-1], met)
        self.assertLess(sum(type(each) is Blip for each in met), len(early))

    def test_ended_in_the_middle(self) -> None:
        """Nothing is kept by whoever goes no further."""
        many = [[Blip()] for _ in range(20_000)]
        alive: weakref.WeakSet[Blip] = weakref.WeakSet(each[0] for each in many)
        walk = walk_from(many)
        steps = walk.steps()
        for _ in range(10):
            next(steps)
        self.assertGreater(walk.pending, 0)
        many.clear()
        steps.close()
        del steps, walk, _
        self.assertEqual(len(alive), 0)

    def test_two_at_once(self) -> None:
        """Each meets everything."""
        many = [[Blip()] for _ in range(20_000)]
        walks = [walk_from(many), walk_from(many)]
        counts = [0, 0]
        going = [iter(walk.steps()) for walk in walks]
        while going:
            for number, steps in enumerate(list(going)):
                found = next(steps, None)
                if found is None:
                    going.remove(steps)
                    continue
                counts[number] += sum(type(each) is Blip for each in found)
        self.assertEqual(counts, [20_000, 20_000])


class RootsTests(SynchronousTestCase):
    """Where a walk begins."""

    def test_nothing_is_far(self) -> None:
        """All that the collector knows of the young, and every module."""
        gc.collect()
        one: list[Any] = [Blip()]
        found = roots()
        self.assertTrue(any(each is sys.modules for each in found))
        self.assertTrue(any(each is one for each in found))
