"""Who keeps an object alive."""

import gc
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.who import MOST_CHAINS, Search, find


def chains(target: object) -> list[list[str]]:
    """Return the chains of a search that is carried out at once."""
    search = Search(target, {})
    for _ in search.steps():
        pass
    return search.chains


def path_from(roots: dict[str, object], target: object) -> list[str] | None:
    """Return the way down of such a search."""
    search = Search(target, roots)
    for _ in search.steps():
        pass
    return search.path


LEAKED: list[object] = []


class Parcel:
    """Something that is found in odd places."""


class Shelf:
    """Holds parcels in a slot."""

    __slots__ = ("parcels",)

    def __init__(self) -> None:
        self.parcels: dict[str, Any] = {}


class Store:
    """Holds shelves."""

    def __init__(self) -> None:
        self.shelves = [Shelf()]


class FindTests(SynchronousTestCase):
    """An object by its type."""

    def test_by_name(self) -> None:
        """With the module or without, the oldest or the newest."""
        kept = [Parcel(), Parcel()]
        found = {id(find("Parcel", -1)), id(find(f"{__name__}.Parcel", 0))}
        self.assertLessEqual(found, set(map(id, kept)))

    def test_there_is_none(self) -> None:
        """Neither of an unknown type, nor a hundredth."""
        kept = Parcel()
        self.assertIsNone(find("Parcels", -1))
        self.assertIsNone(find("Parcel", 100))
        del kept


class ChainsTests(SynchronousTestCase):
    """From an object to its holders."""

    @override
    def setUp(self) -> None:
        """Forget what an earlier test leaked."""
        LEAKED.clear()
        self.addCleanup(LEAKED.clear)

    def test_a_leak_leads_to_the_module(self) -> None:
        """The last link names the global that keeps it."""
        LEAKED.append(Parcel())
        found = chains(LEAKED[0])
        self.assertIn(
            [f"{__name__}.Parcel", "list of 1", f"dict of {len(globals())}"],
            [chain[:3] for chain in found],
        )
        self.assertTrue(
            any(f"module {__name__}.LEAKED" in chain for chain in found), found
        )

    def test_attributes_are_named(self) -> None:
        """Those of slots as well; the key of a table is not: it may be a secret."""
        store = Store()
        parcel = Parcel()
        store.shelves[0].parcels["hunter2"] = parcel
        found = "\n".join(" ".join(chain) for chain in chains(parcel))
        self.assertIn("dict of 1", found)
        self.assertIn(f"{__name__}.Shelf.parcels", found)
        self.assertIn(f"{__name__}.Store.shelves", found)
        self.assertNotIn("hunter2", found)

    def test_many_holders(self) -> None:
        """A bounded number of chains is told."""
        parcel = Parcel()
        holders = [[parcel] * (number + 1) for number in range(50)]
        self.assertEqual(len(chains(parcel)), MOST_CHAINS)
        del holders

    def test_a_ring(self) -> None:
        """Who holds each other is no endless chain."""
        one: list[object] = []
        two = [one]
        one.append(two)
        self.assertLessEqual(len(chains(one)), MOST_CHAINS)
        one.clear()


class PathTests(SynchronousTestCase):
    """From a root down to an object."""

    def test_the_way_is_named(self) -> None:
        """By attributes as far as there are any."""
        store = Store()
        parcel = Parcel()
        store.shelves[0].parcels["hunter2"] = parcel
        path = path_from({"store": store}, parcel)
        self.assertEqual(
            path,
            [
                "store",
                ".shelves",
                f"[{__name__}.Shelf]",
                ".parcels",
                f"[{__name__}.Parcel]",
            ],
        )

    def test_what_is_frozen_is_on_the_way(self) -> None:
        """Chains of referrers end there, this way does not."""
        store = Store()
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        parcel = Parcel()
        store.shelves[0].parcels["x"] = parcel
        path = path_from({"store": store}, parcel)
        assert path is not None
        self.assertEqual(path[0], "store")

    def test_there_is_none(self) -> None:
        """What is not below the root is not found."""
        self.assertIsNone(path_from({"store": Store()}, Parcel()))

    def test_the_root_itself(self) -> None:
        """It needs no way."""
        store = Store()
        self.assertEqual(path_from({"store": store}, store), ["store"])
