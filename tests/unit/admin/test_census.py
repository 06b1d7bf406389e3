"""Counting what the heap is made of."""

import gc

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.census import SLICE, Census, Kind, Tally, count_all, name_of


class Blip:
    """Something that can be counted."""


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
        before = counts(count_all())
        kept = make()  # type: ignore[operator]
        after = counts(count_all())
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
        names = {kind.name for kind in count_all(leaves=False).kinds}
        self.assertIn("list", names)
        self.assertNotIn("str", names)
        del kept

    def test_waiting_deferreds(self) -> None:
        """Those without a result are told apart."""
        before = count_all(leaves=False).waiting_deferreds
        waiting: list[Deferred[None]] = [Deferred() for _ in range(5)]
        waiting[0].callback(None)
        self.assertEqual(count_all(leaves=False).waiting_deferreds, before + 4)

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
        self.assertEqual(counts(count_all())[name_of(Odd)], (1, 0))
        del kept

    def test_the_rest_is_one_line(self) -> None:
        """Where few lines are wanted, no byte is lost."""
        kinds = tuple(Kind(str(number), 1, number) for number in (50, 30, 20, 10))
        tally = Tally(kinds=kinds, objects=4, bytes=110, frozen=0, waiting_deferreds=0)
        self.assertEqual(tally.top(2), (kinds[0], kinds[1], Kind("(others)", 2, 30)))
        self.assertEqual(tally.top(4), kinds)
