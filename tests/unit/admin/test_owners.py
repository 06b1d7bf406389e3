"""Whose the memory is."""

import gc
from dataclasses import replace
from functools import partial

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.owners import (
    MOST_FOLLOWED,
    MOST_OWNERS,
    MOST_PLACES,
    Makings,
    Owners,
)
from rum_twisted.terms.measure import Measure


class Thing:
    """Something that is made here and there."""


def sized(size: int) -> Measure:
    """Return the measure of one thing."""
    return Measure(count=1, bytes=size)


class OwnersTests(SynchronousTestCase):
    """The table of owners."""

    @override
    def setUp(self) -> None:
        """Begin without any."""
        self.owners = Owners()

    def test_the_largest_comes_first(self) -> None:
        """An operator looks at the top of the table."""
        for name, size in (("plans", 10), ("outboxes", 30), ("roster", 20)):
            self.owners.register(name, partial(sized, size))
        found = [(owner.name, owner.measure.bytes) for owner in self.owners.table()]
        self.assertEqual(found, [("outboxes", 30), ("roster", 20), ("plans", 10)])

    def test_one_that_fails_does_not_hide_the_others(self) -> None:
        """It stays in the table with the reason, and the log tells once."""
        self.owners.register("broken", lambda: sized(1 // 0))
        self.owners.register("roster", lambda: sized(20))
        for _ in range(2):
            roster, broken = self.owners.table()
            self.assertEqual(roster.measure.bytes, 20)
            self.assertIn("ZeroDivisionError", broken.trouble)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_what_changes_meanwhile_is_asked_again(self) -> None:
        """Another thread may be adding to a table just now."""
        tries = iter((True, False))

        def measure() -> Measure:
            if next(tries):
                raise RuntimeError("dictionary changed size during iteration")
            return sized(7)

        self.owners.register("busy", measure)
        (owner,) = self.owners.table()
        self.assertEqual((owner.measure.bytes, owner.trouble), (7, ""))

    def test_an_owner_of_many_lines(self) -> None:
        """What is made in many places has a line of the table for each."""
        made = (
            replace(sized(5), made_at="a.py:1"),
            replace(sized(6), made_at="b.py:2"),
        )
        self.owners.register("clients", lambda: made)
        found = [(each.name, each.measure.made_at) for each in self.owners.table()]
        self.assertEqual(found, [("clients", "b.py:2"), ("clients", "a.py:1")])
        self.owners.register("nothing", tuple)
        self.assertEqual(len(self.owners.table()), 2)

    def test_names_are_different(self) -> None:
        """Two owners of one name could not be told apart."""
        self.owners.register("roster", lambda: sized(1))
        self.assertRaises(ValueError, self.owners.register, "roster", lambda: sized(2))
        self.assertRaises(ValueError, self.owners.follow, "roster", 1, float)

    def test_at_the_bound_and_one_past_it(self) -> None:
        """The sampler has room for so many."""
        for number in range(MOST_OWNERS):
            self.owners.register(f"owner {number}", lambda: sized(1))
        self.assertEqual(len(self.owners.table()), MOST_OWNERS)
        self.assertRaises(ValueError, self.owners.register, "more", lambda: sized(1))

    def test_followed_things_are_owners_by_line(self) -> None:
        """One line of the table for each line of code that makes them."""
        makings = self.owners.follow("channels", 500, float)
        kept = [Thing() for _ in range(3)]
        for thing, place in zip(kept, ("a.py:1", "a.py:1", "b.py:2"), strict=True):
            makings.note(thing, place)
        found = [
            (owner.name, owner.measure.made_at, owner.measure.bytes)
            for owner in self.owners.table()
        ]
        self.assertEqual(
            found, [("channels", "a.py:1", 1000), ("channels", "b.py:2", 500)]
        )
        self.assertIn("1 followed", repr(self.owners))


class MakingsTests(SynchronousTestCase):
    """Things that are followed while they live."""

    @override
    def setUp(self) -> None:
        """Begin with none, at ten o'clock."""
        self.now = 10.0
        self.makings = Makings(100, lambda: self.now)

    def test_who_is_gone_is_not_counted(self) -> None:
        """Following something does not keep it alive."""
        thing = Thing()
        self.makings.note(thing, "a.py:1")
        self.assertEqual(len(self.makings.measures()), 1)
        del thing
        gc.collect()
        self.assertEqual(self.makings.measures(), ())

    def test_the_line_is_that_of_the_caller(self) -> None:
        """Whoever makes a thing is named, not the function that takes note."""
        thing = Thing()

        def make() -> None:
            self.makings.note(thing)

        make()  # this line
        (measure,) = self.makings.measures()
        line = make.__code__.co_firstlineno + 3
        self.assertEqual(measure.made_at, f"admin/test_owners.py:{line}")

    def test_the_oldest_has_an_age(self) -> None:
        """A thing that should live a moment and is an hour old is a leak."""
        old, young = Thing(), Thing()
        self.makings.note(old, "a.py:1")
        self.now = 3610.0
        self.makings.note(young, "a.py:1")
        (measure,) = self.makings.measures()
        self.assertEqual((measure.count, measure.oldest_s), (2, 3600.0))

    def test_many_lines(self) -> None:
        """Past the bound all further lines are one."""
        things = [Thing() for _ in range(MOST_PLACES + 5)]
        for number, thing in enumerate(things):
            self.makings.note(thing, f"a.py:{number}")
        measures = self.makings.measures()
        self.assertEqual(len(measures), MOST_PLACES + 1)
        self.assertEqual(measures[0].made_at, "(elsewhere)")
        self.assertEqual(measures[0].count, 5)

    def test_very_many_things(self) -> None:
        """Past the bound they are counted, not followed."""
        things = [Thing() for _ in range(MOST_FOLLOWED + 1)]
        for thing in things:
            self.makings.note(thing, "a.py:1")
        self.assertEqual(self.makings.measures()[0].count, MOST_FOLLOWED)
        self.assertEqual(self.makings.missed, 1)
