"""Counting what the heap is made of."""

import gc
from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.census import (
    LIST,
    MOST_BESIDES,
    MOST_LISTED,
    SLICE,
    WALK,
    Census,
    Kind,
    Population,
    Tally,
    name_of,
)

KEPT: list[object] = []  # within reach of a walk; variables of a test are not


class Blip:
    """Something that can be counted."""


def tally_of(*kinds: Kind, objects: int = 0, method: str = LIST) -> Tally:
    """Return what a census may have found."""
    return Tally(
        kinds=kinds,
        objects=objects,
        bytes=sum(kind.bytes for kind in kinds),
        frozen=0,
        waiting_deferreds=0,
        method=method,
    )


def counts(tally: Tally) -> dict[str, tuple[int, int]]:
    """Return count and bytes by type."""
    return {kind.name: (kind.count, kind.bytes) for kind in tally.kinds}


class CensusTests(SynchronousTestCase):
    """A census before, and one after."""

    @override
    def setUp(self) -> None:
        """Freeze what is there already: it need not be counted."""
        gc.collect()
        gc.freeze()
        self.addCleanup(gc.unfreeze)

    def difference(self, make: object) -> dict[str, int]:
        """Return how many of each type have come with what ``make`` returns."""
        gc.collect()
        before = counts(Census().at_once())
        kept = make()  # type: ignore[operator]
        after = counts(Census().at_once())
        del kept
        return {
            name: count - before.get(name, (0, 0))[0]
            for name, (count, _) in after.items()
        }

    def test_objects_are_counted(self) -> None:
        """Each of them, under the name of its type."""
        found = self.difference(lambda: [Blip() for _ in range(3000)])
        self.assertEqual(found[f"{__name__}.Blip"], 3000)

    def test_texts_are_counted(self) -> None:
        """Python's own list does not have them; who refers to them leads there."""
        found = self.difference(lambda: [f"text {number}" for number in range(3000)])
        self.assertTrue(2950 <= found["str"] <= 3100, found["str"])

    def test_what_is_shared_counts_once(self) -> None:
        """However many refer to it."""

        def make() -> list[list[str]]:
            texts = [f"text {number}" for number in range(1000)]
            return [list(texts) for _ in range(10)]

        found = self.difference(make)
        self.assertTrue(950 <= found["str"] <= 1100, found["str"])

    def test_tables_of_texts(self) -> None:
        """A table of texts alone is in no list either, nor is what it holds."""

        def make() -> list[dict[bytes, bytes]]:
            return [{b"key %d" % n: b"value %d" % n} for n in range(2000)]

        found = self.difference(make)
        self.assertTrue(1950 <= found["dict"] <= 2100, found["dict"])
        self.assertTrue(3900 <= found["bytes"] <= 4200, found["bytes"])

    def test_quickly(self) -> None:
        """Without texts it counts containers only."""
        kept = [f"text {number}" for number in range(3000)]
        names = {kind.name for kind in Census(leaves=False).at_once().kinds}
        self.assertIn("list", names)
        self.assertNotIn("str", names)
        del kept

    def test_waiting_deferreds(self) -> None:
        """Those without a result are told apart."""
        before = Census(leaves=False).at_once().waiting_deferreds
        waiting: list[Deferred[None]] = [Deferred() for _ in range(5)]
        waiting[0].callback(None)
        self.assertEqual(Census(leaves=False).at_once().waiting_deferreds, before + 4)

    def test_it_goes_in_slices(self) -> None:
        """Others have their turn after a bounded number of objects, be it one list."""
        kept = [Blip() for _ in range(20 * SLICE)]
        texts = [str(number) for number in range(20 * SLICE)]
        census = Census()
        steps = sum(1 for _ in census.steps())
        self.assertGreater(steps, 60)
        del kept, texts

    def test_it_keeps_nothing_alive(self) -> None:
        """What was counted may go before the census has ended."""

        class Rare:
            """Only here."""

        gc.collect()
        kept = [Rare() for _ in range(10)]
        census = Census()
        for _ in census.steps():
            pass
        del kept
        self.assertFalse(any(isinstance(one, Rare) for one in gc.get_objects()))
        found = counts(census.tally())
        self.assertEqual(found[name_of(Rare)][0], 10)

    def test_a_size_that_cannot_be_told(self) -> None:
        """A type's own idea of its size may fail; it counts as nothing."""

        class Odd:
            """Fails to tell its size."""

            @override
            def __sizeof__(self) -> int:
                """Tell nothing."""
                raise OSError

        kept = [Odd()]
        self.assertEqual(counts(Census().at_once())[name_of(Odd)], (1, 0))
        del kept

    def test_the_rest_is_one_line(self) -> None:
        """Where few lines are wanted, no byte is lost."""
        kinds = tuple(Kind(str(number), 1, number) for number in (50, 30, 20, 10))
        tally = tally_of(*kinds, objects=4)
        self.assertEqual(tally.top(2), (kinds[0], kinds[1], Kind("(others)", 2, 30)))
        self.assertEqual(tally.top(4), kinds)

    def test_kinds_of_one_name(self) -> None:
        """Two types that are called alike are one line, and nothing is lost."""
        kept = [type("Twin", (), {"__module__": "sky"})() for _ in range(2)]
        self.assertEqual(counts(Census().at_once())["sky.Twin"][0], 2)
        del kept

    def test_without(self) -> None:
        """What was there before is taken off, and what has gone of it is not missed."""
        before = tally_of(Kind("a", 3, 30), Kind("b", 2, 20), Kind("c", 1, 10))
        now = tally_of(
            Kind("a", 5, 50),
            Kind("b", 2, 90),
            Kind("c", 1, 10),
            Kind("d", 4, 4),
            objects=12,
        )
        left = now.without(before)
        self.assertEqual(
            left.kinds, (Kind("b", 0, 70), Kind("a", 2, 20), Kind("d", 4, 4))
        )
        self.assertEqual((left.objects, left.bytes), (6, 94))
        self.assertEqual(before.without(now).kinds, ())


class WalkedCensusTests(SynchronousTestCase):
    """A census that goes from object to object."""

    @override
    def setUp(self) -> None:
        """Keep nothing yet."""
        self.addCleanup(KEPT.clear)

    def test_everything_is_counted(self) -> None:
        """Each once, what was there at the start as well; but not its own work."""
        numbers = [complex(number) for number in range(20_000)]
        blips = [Blip() for _ in range(5000)]
        gc.collect()
        before = counts(Census(method=WALK).at_once())
        KEPT.extend((numbers, list(numbers), blips))
        gc.collect()
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        KEPT.append(census := Census(method=WALK))
        tally = census.at_once()
        found = counts(tally)
        self.assertEqual(tally.method, WALK)
        self.assertEqual(found[f"{__name__}.Blip"][0], 5000)
        more = found["complex"][0] - before.get("complex", (0, 0))[0]
        self.assertEqual(more, 20_000)
        self.assertGreater(tally.objects, 5000 + tally.frozen / 3)
        for name in ("walk.Walk", "walk.Marks", "census.Census"):
            self.assertNotIn(f"rum_twisted.admin.{name}", found)

    def test_containers_alone(self) -> None:
        """Without texts it finds what the list has."""
        KEPT.extend(Blip() for _ in range(500))
        KEPT.append(waiting := Deferred[None]())
        gc.collect()
        listed = Census(leaves=False).at_once()
        walked = Census(leaves=False, method=WALK).at_once()
        self.assertEqual(counts(walked)[f"{__name__}.Blip"][0], 500)
        self.assertNotIn("str", counts(walked))
        self.assertGreater(walked.waiting_deferreds, 0)
        # Python's own types, and variables of functions that run, are what is missed.
        self.assertTrue(0.4 <= walked.objects / listed.objects <= 1.1)
        waiting.callback(None)


class PopulationTests(SynchronousTestCase):
    """How many objects there are, as a guess; and which way they are counted."""

    @override
    def setUp(self) -> None:
        """Begin with 1,000 pieces of memory taken."""
        self.blocks = 1000
        self.population = Population(lambda: self.blocks)

    def method(self) -> str:
        """Return how it would count."""
        name = repr(self.population.census(leaves=False)).rpartition(" ")[2]
        return name.strip(">")

    def test_the_bound(self) -> None:
        """At it the list is taken, one past it no more."""
        self.assertEqual(self.method(), LIST)
        self.blocks += MOST_LISTED
        self.assertEqual((self.population.most, self.method()), (MOST_LISTED, LIST))
        self.blocks += 1
        self.assertEqual(self.method(), WALK)

    def test_what_a_census_teaches(self) -> None:
        """Most pieces of memory are no containers, and fewer of them tell nothing."""
        self.blocks += 10 * MOST_LISTED
        self.population.learn(tally_of(objects=MOST_LISTED - 5))
        self.assertEqual(self.method(), LIST)
        self.blocks -= 100
        self.assertEqual(self.population.most, MOST_LISTED - 5)
        self.blocks += 106
        self.assertEqual(self.method(), WALK)
        self.population.learn(tally_of(objects=7, method=WALK))
        self.assertEqual((self.population.most, self.method()), (7, LIST))

    def test_both_ways_compared(self) -> None:
        """What the walk meets besides is known, and taken off from then on."""
        self.addCleanup(KEPT.clear)
        gc.collect()
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        listed = Census(leaves=False).at_once()
        before = Census(leaves=False, method=WALK).at_once()
        self.assertIs(self.population.as_listed(before), before)
        self.population.compare(listed, before)
        KEPT.extend(Blip() for _ in range(5000))
        gc.collect()
        listed = Census(leaves=False).at_once()
        everything = Census(leaves=False, method=WALK).at_once()
        self.assertIs(self.population.as_listed(listed), listed)
        walked = self.population.as_listed(everything)
        for tally in (listed, walked):
            self.assertEqual(counts(tally)[f"{__name__}.Blip"][0], 5000)
            self.assertIn(f"{__name__}.Blip", [kind.name for kind in tally.kinds[:5]])
        self.assertLess(walked.objects, listed.objects + gc.get_freeze_count() / 4)
        self.population.learn(everything)
        self.assertEqual(self.population.most, walked.objects)

    def test_when_they_are_compared(self) -> None:
        """Once, when the list gets long, or the walk tells that it is not too long."""
        for objects, is_ripe in (
            (MOST_LISTED // 2, False),
            (MOST_LISTED // 2 + 1, True),
            (MOST_LISTED, True),
            (MOST_LISTED + 1, False),
        ):
            tally = tally_of(objects=objects)
            self.assertEqual(self.population.is_ripe(tally), is_ripe, objects)
        for objects, is_ripe in (
            (6, True),
            (MOST_LISTED + 7, True),
            (MOST_LISTED + 8, False),
        ):
            walked = replace(tally_of(objects=objects, method=WALK), frozen=7)
            self.assertEqual(self.population.is_ripe(walked), is_ripe, objects)
        tally = tally_of(objects=MOST_LISTED)
        self.population.compare(tally, walked)
        self.assertFalse(self.population.is_ripe(tally))

    def test_little_is_remembered(self) -> None:
        """Of what is met besides only those types that take most."""
        kinds = [Kind(f"kind {n}", 1, n) for n in range(MOST_BESIDES + 50, 0, -1)]
        walked = tally_of(*kinds, objects=len(kinds), method=WALK)
        self.population.compare(walked, tally_of())
        left = self.population.as_listed(walked)
        self.assertEqual(left.kinds, tuple(kinds[MOST_BESIDES:]))
        self.assertEqual(left.objects, 50)
