"""Whether a process takes new work."""

import json
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.http import Asked
from rum_twisted.admin.lag import TICK, LagWatch
from rum_twisted.admin.readiness import LATE, Readiness
from rum_twisted.admin.status import Status
from rum_twisted.assembly.root import RumService
from rum_twisted.config import load
from rum_twisted.terms.units import Seconds
from tests.unit.admin.builders import NOON


class Part(Service):
    """Something that the process needs."""

    reason = ""
    is_broken = False

    def unready(self) -> str:
        """Tell what is wrong."""
        if self.is_broken:
            raise ZeroDivisionError
        return self.reason


class ReadinessTests(SynchronousTestCase):
    """A process with one part, whose reactor is late when a test says so."""

    @override
    def setUp(self) -> None:
        """Start it."""
        self.clock = Clock()
        self.late = 0.0
        self.lag = LagWatch(
            self.clock,
            lambda: Seconds(NOON),
            monotonic=lambda: self.clock.seconds() + self.late,
        )
        self.lag.startService()
        self.addCleanup(self.lag.stopService)
        self.readiness = Readiness(self.lag)
        self.part = Part()
        self.readiness.need("part", self.part)

    def begin(self) -> None:
        """Let the process have started."""
        self.clock.advance(0)
        self.readiness.begin()

    def ask(self) -> tuple[int, str, dict[str, str]]:
        """Return HTTP's status, ours, and the reasons."""
        answer = self.readiness.page(Asked())
        facts: dict[str, Any] = json.loads(answer.body)
        return answer.status, facts["status"], facts["reasons"]

    def test_starting(self) -> None:
        """Before all has been started it is not ready, whatever its parts say."""
        self.clock.advance(0)
        self.assertEqual(self.ask(), (503, "starting", {"process": "starting"}))

    def test_a_reactor_that_has_not_begun(self) -> None:
        """Services are started before it runs."""
        self.readiness.begin()
        self.assertEqual(self.ask()[::2], (503, {"reactor": "has not begun"}))

    def test_ready(self) -> None:
        """Everything is there."""
        self.begin()
        self.assertEqual(self.ask(), (200, "ready", {}))
        self.assertEqual(self.readiness.family().values[()], 1.0)

    def test_a_part_that_is_not_there(self) -> None:
        """It says why; when it is back, so is the process."""
        self.begin()
        self.part.reason = "does not answer"
        self.assertEqual(self.ask(), (503, "not ready", {"part": "does not answer"}))
        self.assertEqual(self.readiness.family().values[()], 0.0)
        self.part.reason = ""
        self.assertEqual(self.ask()[0], 200)

    def test_a_part_that_cannot_be_asked(self) -> None:
        """The process is not ready then, and all pages say so: none is missing."""
        self.begin()
        self.part.is_broken = True
        reasons = {"part": "cannot be asked (ZeroDivisionError)"}
        self.assertEqual(self.ask(), (503, "not ready", reasons))
        self.assertEqual(self.readiness.family().values[()], 0.0)

    def test_a_reactor_that_stands_still(self) -> None:
        """At the bound it is not ready any more; a moment before it is."""
        self.begin()
        self.late = TICK + LATE - 0.01
        self.assertEqual(self.ask()[0], 200)
        self.late = TICK + LATE + 0.01
        status, _, reasons = self.ask()
        self.assertEqual(status, 503)
        self.assertIn("stands still", reasons["reactor"])

    def test_draining_comes_before_anything_ends(self) -> None:
        """From the first moment of the end, while ports are open still."""
        root = RumService(load(None, [], {}), lambda line: None, on_terminal=False)
        root.readiness = self.readiness

        class Port(Service):
            """Takes a while to close."""

            closed: Deferred[None] = Deferred()

            @override
            def stopService(self) -> Deferred[None]:
                return self.closed

        Port().setServiceParent(root)
        self.clock.advance(0)
        root.startService()
        self.assertEqual(self.ask()[0], 200)
        stopped = root.stopService()
        self.assertNoResult(stopped)
        self.assertEqual(self.ask(), (503, "draining", {"process": "draining"}))
        Port.closed.callback(None)
        self.successResultOf(stopped)

    def test_status(self) -> None:
        """What runs here, how long, whether it is ready, and what parts tell."""
        self.begin()
        now = [NOON]
        status = Status(self.readiness, lambda: Seconds(now[0]), ("weather",))
        status.add("clients", lambda: {"pilots": 3})
        now[0] += 5.0
        facts = json.loads(status.page(Asked()).body)
        self.assertEqual(facts["roles"], ["weather"])
        self.assertEqual((facts["up_s"], facts["ready"]), (5.0, True))
        self.assertEqual(facts["clients"], {"pilots": 3})
        self.assertIn("Status of weather", repr(status))
        self.assertIn("started, 1 parts", repr(self.readiness))
