"""Steps up at once, and down with delay."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.guard.ladder import Ladder
from rum_twisted.terms.units import Seconds

BOUNDS = (70.0, 80.0, 90.0)
CALM = 10


def make(patience: int = 1) -> Ladder:
    """Return a ladder of three steps."""
    return Ladder(BOUNDS, leave_below=5.0, calm=Seconds(CALM), patience=[patience] * 3)


class LadderTests(SynchronousTestCase):
    """A value that grows and shrinks."""

    def levels(self, ladder: Ladder, *values: float, begin: int = 0) -> list[int]:
        """Return the level after each value; one comes each second."""
        return [ladder.step(value, begin + n) for n, value in enumerate(values)]

    def test_up(self) -> None:
        """At the bound, and not one below; several steps at once if need be."""
        self.assertEqual(
            self.levels(make(), 69.9, 70.0, 79.9, 80.0, 90.0), [0, 1, 1, 2, 3]
        )
        self.assertEqual(self.levels(make(), 95.0), [3])

    def test_a_moments_peak(self) -> None:
        """Only what lasts for so many values counts."""
        ladder = make(patience=3)
        values = (99.0, 99.0, 10.0, 99.0, 99.0, 75.0, 99.0)
        self.assertEqual(self.levels(ladder, *values), [0, 0, 0, 0, 0, 1, 1])

    def test_the_highest_at_once(self) -> None:
        """Where there is no time to lose one value is enough, for all below as well."""
        ladder = Ladder(BOUNDS, leave_below=5.0, calm=Seconds(CALM), patience=(2, 2, 1))
        self.assertEqual(self.levels(ladder, 89.9, 75.0, 85.0, 90.0), [0, 1, 1, 3])

    def test_down_is_slower(self) -> None:
        """A step each `CALM` seconds, as long as the value stays low."""
        ladder = make()
        ladder.step(90.0, 0)
        levels = self.levels(ladder, *[10.0] * 31, begin=1)
        self.assertEqual(levels, [3] * 10 + [2] * 10 + [1] * 10 + [0])

    def test_not_low_enough(self) -> None:
        """Within the gap below its bound a step stays for ever."""
        ladder = make()
        ladder.step(70.0, 0)
        self.assertEqual(set(self.levels(ladder, *[65.0] * 100, begin=1)), {1})
        self.assertEqual(self.levels(ladder, *[64.9] * 11, begin=101)[-1], 0)

    def test_calm_begins_anew(self) -> None:
        """With every value that is not low."""
        ladder = make()
        ladder.step(70.0, 0)
        values = ([10.0] * 10 + [66.0]) * 5
        self.assertEqual(set(self.levels(ladder, *values, begin=1)), {1})

    def test_no_flapping(self) -> None:
        """A value that swings around a bound changes the level once."""
        ladder = make()
        levels = self.levels(ladder, *[79.0, 81.0, 76.0] * 100)
        self.assertEqual(levels, [1] + [2] * 299)

    @given(st.lists(st.floats(0.0, 120.0), max_size=60))
    def test_whatever_comes(self, values: list[float]) -> None:
        """It climbs to what is reached, and never more than a step down at a time."""
        ladder = make()
        before = 0
        for now, value in enumerate(values):
            level = ladder.step(value, now)
            self.assertGreaterEqual(level, sum(value >= bound for bound in BOUNDS))
            self.assertGreaterEqual(level, before - 1)
            before = level

    def test_repr(self) -> None:
        """The manhole shows where it stands."""
        self.assertEqual(repr(make()), "<Ladder: step 0 of 3>")
