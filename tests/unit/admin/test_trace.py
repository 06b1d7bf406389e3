"""A window of tracing."""

import tracemalloc

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.trace import LONGEST_WINDOW, MOST_FRAMES, Trace
from rum_twisted.control.lines import Refused
from rum_twisted.terms.units import Seconds


class TraceTests(SynchronousTestCase):
    """Each window ends."""

    @override
    def setUp(self) -> None:
        """Begin without one."""
        if tracemalloc.is_tracing():
            self.skipTest("memory is being traced by somebody else")
        self.clock = Clock()
        self.trace = Trace(self.clock)
        self.addCleanup(self.trace.close)

    def test_the_line_that_takes_most(self) -> None:
        """It stands first, with what it took."""
        self.trace.start(Seconds(60.0), 1)
        kept = [bytes(1000) for _ in range(500)]
        found = self.trace.top(3)
        first = found["lines"][0]
        self.assertIn("admin/test_trace.py:", first["stack"][-1])
        self.assertGreater(first["bytes"], 500_000)
        self.assertLessEqual(len(found["lines"]), 3)
        del kept

    def test_it_ends_by_itself(self) -> None:
        """Nobody has to remember it, and no timer stays behind."""
        self.trace.start(Seconds(2.0), 1)
        self.clock.advance(1.9)
        self.assertTrue(tracemalloc.is_tracing())
        self.clock.advance(0.1)
        self.assertFalse(tracemalloc.is_tracing())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIn("off", repr(self.trace))

    def test_it_is_stopped(self) -> None:
        """Before its time, and once."""
        self.trace.start(Seconds(60.0), 1)
        self.trace.stop()
        self.assertFalse(tracemalloc.is_tracing())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertRaises(Refused, self.trace.stop)
        self.assertRaises(Refused, self.trace.top, 5)

    def test_one_at_a_time(self) -> None:
        """A second one is refused, and the first goes on."""
        self.trace.start(Seconds(60.0), 1)
        self.assertRaises(Refused, self.trace.start, Seconds(60.0), 1)
        self.assertTrue(self.trace.is_on)

    def test_somebody_else_traces(self) -> None:
        """His notes are left alone."""
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.assertRaises(Refused, self.trace.start, Seconds(60.0), 1)
        self.trace.close()
        self.assertTrue(tracemalloc.is_tracing())

    def test_at_the_bounds_and_past_them(self) -> None:
        """So long, and so many frames, but no more."""
        for seconds, frames in ((LONGEST_WINDOW, 1), (1.0, MOST_FRAMES)):
            self.trace.start(Seconds(seconds), frames)
            self.trace.stop()
        for seconds, frames in (
            (LONGEST_WINDOW + 1, 1),
            (0.0, 1),
            (1.0, 0),
            (1.0, MOST_FRAMES + 1),
        ):
            self.assertRaises(Refused, self.trace.start, Seconds(seconds), frames)
            self.assertFalse(tracemalloc.is_tracing())

    def test_too_many_notes(self) -> None:
        """The window is closed before they take what is to be saved."""
        self.trace.start(Seconds(60.0), 1)
        kept = [object() for _ in range(300_000)]
        self.clock.advance(1.0)
        self.assertFalse(tracemalloc.is_tracing())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        del kept
