"""About how much an object keeps."""

from collections import deque
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.admin.weight import MOST_VISITED, weigh

MANY = 10_000


class Keeper:
    """Keeps something."""

    def __init__(self, kept: Any) -> None:
        self.kept = kept


class Narrow:
    """Keeps something without a dict."""

    __slots__ = ("kept",)

    def __init__(self, kept: Any) -> None:
        self.kept = kept


def text(number: int) -> bytes:
    """Return a hundred bytes that nobody else has."""
    return b"%100d" % number


class WeightTests(SynchronousTestCase):
    """Containers of all kinds."""

    def assert_about(self, one: object, due: float) -> None:
        """Assert that an object weighs so many bytes, to a third."""
        _, size = weigh(one)
        self.assertTrue(due * 0.67 <= size <= due * 1.33, f"{size}, due {due}")

    def test_many_members(self) -> None:
        """A few of them stand for all, wherever they are kept."""
        texts = [text(number) for number in range(MANY)]
        each = 133 + 8
        self.assert_about(Keeper(texts), MANY * each)
        self.assert_about(Keeper(tuple(texts)), MANY * each)
        self.assert_about(Keeper(deque(texts)), MANY * each)
        self.assert_about(Keeper(set(texts)), MANY * (133 + 50))
        self.assert_about(Narrow(texts), MANY * each)
        table = {number: text(number) for number in range(MANY)}
        self.assert_about(Keeper(table), MANY * (133 + 28 + 30))

    def test_members_that_keep_something(self) -> None:
        """Of each of them, what it keeps counts as well."""
        things = [Keeper([text(number)] * 3) for number in range(MANY)]
        count, size = weigh(Keeper(things))
        self.assertGreater(size, MANY * 133)
        self.assertGreater(count, MANY)

    def test_itself(self) -> None:
        """Who refers to himself is counted once."""
        keeper = Keeper(None)
        keeper.kept = keeper
        self.assertLess(weigh(keeper)[1], 1000)

    def test_what_is_everybodys(self) -> None:
        """A reactor, a module, a class, a method: nobody keeps these."""
        clock = Clock()
        for number in range(300):
            clock.callLater(number, weigh, number)
        for shared in (clock, Clock, self.test_itself, weigh):
            self.assertLess(weigh(Keeper(shared))[1], 1000)

    def test_at_the_bound(self) -> None:
        """However deep and wide it goes, the work is bounded."""
        deep: Any = None
        for _ in range(MOST_VISITED * 2):
            deep = [deep]
        self.assertLess(weigh(deep)[0], MOST_VISITED)
        wide = [[[[text(1)] for _ in range(30)] for _ in range(30)] for _ in range(30)]
        self.assertGreater(weigh(wide)[1], 0)

    def test_growth(self) -> None:
        """Who has twice as much weighs about twice as much."""
        keeper = Keeper([text(number) for number in range(MANY)])
        before = weigh(keeper)[1]
        keeper.kept += [text(number) for number in range(MANY)]
        self.assertEqual(round(weigh(keeper)[1] / before, 1), 2.0)
