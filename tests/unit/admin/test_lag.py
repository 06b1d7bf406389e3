"""How late the reactor is, and why."""

import sys
import threading
from types import FrameType

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.lag import (
    DEEPEST,
    LATE,
    MOST_LINES,
    MOST_RECENT,
    MOST_STALLS,
    TICK,
    stack_of,
)
from tests.unit.admin.builders import NOON, Room


def fetch_weather() -> FrameType:
    """Return what a thread is seen doing that is in here."""
    return sys._getframe()  # noqa: SLF001 - what is looked at


def count_all_flights() -> FrameType:
    """Return another such place."""
    return sys._getframe()  # noqa: SLF001 - what is looked at


class LagWatchTests(SynchronousTestCase):
    """A watch whose thread is played by the tests."""

    @override
    def setUp(self) -> None:
        """Begin to watch a reactor that fetches weather whenever it is looked at."""
        self.room = Room(fetch_weather())
        self.lag = self.room.lag
        self.lag.startService()
        self.addCleanup(self.lag.stopService)
        self.room.clock.advance(0)

    def stall(self, *looks: float) -> None:
        """Hold the reactor up, and look after so many seconds each."""
        before = self.room.late
        for late in looks:
            self.room.late = before + TICK + late
            self.lag.look()
        self.room.late = before + looks[-1]
        self.room.clock.advance(TICK)

    def test_a_reactor_that_goes_round(self) -> None:
        """There is nothing to tell of."""
        self.room.clock.pump([TICK] * 10)
        self.lag.look()
        self.assertIsNone(self.lag.current)
        self.assertEqual(self.lag.slowest(), ())
        self.assertEqual(self.lag.take_lateness().longest, 0.0)
        self.assertTrue(self.lag.is_watching)

    def test_the_line_is_named_while_it_lasts(self) -> None:
        """That is when an operator asks."""
        self.room.late = TICK + 3.0
        self.lag.look()
        current = self.lag.current
        assert current is not None
        self.assertAlmostEqual(current.seconds, 3.0)
        self.assertAlmostEqual(current.at, NOON + TICK)
        self.assertRegex(current.line, r"^admin/test_lag\.py:\d+ fetch_weather$")
        self.assertEqual(current.stack[-1], current.line)
        self.assertAlmostEqual(self.lag.overdue, 3.0)

    def test_at_the_bound_and_below(self) -> None:
        """A tick a little late is no stall."""
        self.room.late = TICK + LATE - 0.001
        self.lag.look()
        self.assertIsNone(self.lag.current)
        self.room.late = TICK + LATE + 0.001
        self.lag.look()
        self.assertIsNotNone(self.lag.current)

    def test_it_is_kept_when_it_is_over(self) -> None:
        """With the whole time that it took."""
        self.stall(0.1, 0.5)
        (stall,) = self.lag.slowest()
        self.assertAlmostEqual(stall.seconds, 0.5)
        self.assertIsNone(self.lag.current)
        self.assertEqual(self.lag.recent(), (stall,))

    def test_the_line_seen_most_often(self) -> None:
        """Where a stall is in many lines, the one that was met most is the one."""
        self.room.late = TICK + 0.1
        self.lag.look()
        self.room.frame = count_all_flights()
        self.stall(0.2, 0.3, 0.4)
        (stall,) = self.lag.slowest()
        self.assertIn("count_all_flights", stall.line)
        self.assertEqual([looks for _, looks in stall.lines], [3, 1])

    def test_many_lines_of_one_stall(self) -> None:
        """So many are told apart."""
        code = "def f(): return g()\n" + "\n" * 50
        for number in range(MOST_LINES + 3):
            space: dict[str, object] = {"g": lambda: sys._getframe(1)}  # noqa: SLF001
            exec("\n" * number + code, space)  # noqa: S102 - frames of many lines
            self.room.frame = space["f"]()  # type: ignore[operator]
            self.room.late = TICK + 0.1 + number
            self.lag.look()
        current = self.lag.current
        assert current is not None
        self.assertEqual(len(current.lines), MOST_LINES)

    def test_the_slowest_stay(self) -> None:
        """However many short ones come after."""
        self.stall(9.0)
        for _ in range(MOST_STALLS + MOST_RECENT):
            self.stall(0.1)
        self.assertEqual(len(self.lag.slowest()), MOST_STALLS)
        self.assertAlmostEqual(self.lag.slowest()[0].seconds, 9.0)
        self.assertEqual(len(self.lag.recent()), MOST_RECENT)
        self.assertAlmostEqual(self.lag.recent()[0].seconds, 0.1)

    def test_lateness_is_taken_once(self) -> None:
        """Each sample has the time since the one before."""
        self.stall(0.4)
        self.room.clock.advance(TICK)
        lateness = self.lag.take_lateness()
        self.assertAlmostEqual(lateness.longest, 0.4)
        self.assertAlmostEqual(lateness.mean, 0.2)
        self.assertEqual(self.lag.take_lateness().longest, 0.0)

    def test_lateness_in_a_stall(self) -> None:
        """One that lasts counts before it is over."""
        self.room.late = TICK + 7.0
        self.assertAlmostEqual(self.lag.take_lateness().longest, 7.0)

    def test_start_and_stop_twice(self) -> None:
        """No thread and no timer stays behind."""
        for _ in range(2):
            self.lag.startService()
            self.lag.startService()
            self.room.clock.advance(0)
            names = [thread.name for thread in threading.enumerate()]
            self.assertEqual(names.count("lag"), 1)
            self.lag.stopService()
            self.lag.stopService()
            self.assertFalse(self.lag.is_watching)
            self.assertEqual(self.room.clock.getDelayedCalls(), [])
            names = [thread.name for thread in threading.enumerate()]
            self.assertNotIn("lag", names)

    def test_repr(self) -> None:
        """It tells how late the reactor is."""
        self.assertIn("0.000 s late", repr(self.lag))


class StackTests(SynchronousTestCase):
    """What a thread does, in lines."""

    def test_no_thread(self) -> None:
        """One that has ended does nothing."""
        self.assertEqual(stack_of(None), ())

    def test_deep(self) -> None:
        """Of a deep stack the innermost frames are told."""

        def dive(depth: int) -> tuple[str, ...]:
            if depth == 0:
                return stack_of(sys._getframe())  # noqa: SLF001 - what is looked at
            return dive(depth - 1)

        stack = dive(100)
        self.assertEqual(len(stack), DEEPEST)
        self.assertTrue(all(line.endswith(" dive") for line in stack))
