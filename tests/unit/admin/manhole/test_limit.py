"""The end of what runs too long, at the worst of moments."""

import signal
import sys
import threading
from types import FrameType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.admin.manhole.limit import Interrupted, Limit
from rum_twisted.terms.units import Seconds


class WorstMomentTests(SynchronousTestCase):
    """A signal that comes between the end of the work and the next line."""

    def test_nothing_of_the_limit_is_left(self) -> None:
        """Whatever the server does afterwards is not interrupted."""
        before = signal.getsignal(signal.SIGALRM)
        limit = Limit(Seconds(60.0))
        has_ended = False

        def work() -> None:
            nonlocal has_ended
            has_ended = True

        def follow(frame: FrameType, event: str, _: Any) -> Any:
            if frame.f_code is not Limit.run.__code__:
                return None
            if has_ended and event == "line":
                sys.settrace(usual)
                signal.raise_signal(signal.SIGALRM)
            return follow

        usual = sys.gettrace()
        self.addCleanup(sys.settrace, usual)
        sys.settrace(follow)
        self.assertRaises(Interrupted, limit.run, work)
        self.assertIs(signal.getsignal(signal.SIGALRM), before)
        names = [thread.name for thread in threading.enumerate()]
        self.assertNotIn("manhole limit", names)
        self.assertIn("rests", repr(limit))
