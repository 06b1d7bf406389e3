"""What may be asked over the control socket, and over HTTP."""

import gc
import json
import sys
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.http import Asked, AskedWrongly
from rum_twisted.admin.lag import TICK
from rum_twisted.admin.questions import STUCK, HeapCommands, Pages
from rum_twisted.control.lines import Refused
from rum_twisted.terms.measure import Measure
from tests.unit.admin.builders import NOON, Room


class QuestionsTestCase(SynchronousTestCase):
    """A room with one owner and one sample."""

    @override
    def setUp(self) -> None:
        """Begin; what is there already need not be counted."""
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        self.room = Room(sys._getframe())  # noqa: SLF001 - what is looked at
        self.room.owners.register("outboxes", lambda: Measure(count=2, bytes=9))
        self.room.sampler.startService()
        self.addCleanup(self.room.sampler.stopService)
        self.room.work()


class HeapCommandsTests(QuestionsTestCase):
    """Over the control socket."""

    @override
    def setUp(self) -> None:
        """Have the commands."""
        super().setUp()
        self.heap_commands = HeapCommands(
            self.room.heap, self.room.now, self.room.clock
        )
        self.addCleanup(self.heap_commands.close)
        self.commands = self.heap_commands.commands

    def ask(self, name: str, **arguments: Any) -> Any:
        """Return the answer to a question when everybody has had his turns."""
        answer = self.commands[f"heap.{name}"](arguments)
        if isinstance(answer, Deferred):
            self.room.work()
            answer = self.successResultOf(answer)
        json.dumps(answer)
        return answer

    def test_each_is_answered(self) -> None:
        """And JSON can hold the answer."""
        self.ask("mark")
        for name in ("census", "owners", "growth", "gc", "lag", "samples", "stacks"):
            self.assertTrue(self.ask(name), name)
        self.assertEqual(self.ask("dump")["owners"]["owners"][0]["name"], "outboxes")
        self.assertTrue(self.ask("who", type="Room")["chains"])

    def test_how_many_lines(self) -> None:
        """As many as are asked for, and one for the rest."""
        self.assertEqual(len(self.ask("census", lines=2)["types"]), 3)

    def test_wrong_questions(self) -> None:
        """It is said what was due."""
        for name, arguments in (
            ("census", {"lines": 0}),
            ("census", {"lines": 201}),
            ("census", {"lines": "2"}),
            ("census", {"lines": True}),
            ("growth", {}),
            ("growth", {"minutes": 0}),
            ("growth", {"minutes": 1.5}),
            ("samples", {"minutes": 10_000}),
            ("who", {}),
            ("who", {"type": 7}),
            ("who", {"type": "Room", "number": "1"}),
            ("who", {"type": "NoSuchThing"}),
            ("trace.start", {"seconds": "1"}),
            ("trace.start", {"seconds": True}),
            ("trace.start", {"seconds": 1, "frames": 99}),
            ("trace.stop", {}),
            ("trace.top", {}),
        ):
            self.assertRaises(Refused, self.ask, name, **arguments)

    def test_collecting_is_logged(self) -> None:
        """It changes something; to look does not."""
        with capturedLogs() as events:
            self.assertNotIn("unreachable", self.ask("gc"))
            self.assertEqual(events, [])
            self.assertIn("unreachable", self.ask("gc", collect=True))
        self.assertEqual(len(events), 1)

    def test_tracing(self) -> None:
        """Started, read and stopped; what it costs is told."""
        with capturedLogs() as events:
            started = self.ask("trace.start", seconds=30)
            self.assertIn("slow", started["cost"])
            self.assertIn("lines", self.ask("trace.top"))
            self.ask("trace.stop")
        self.assertEqual(len(events), 2)

    def test_a_window_ends_with_the_server(self) -> None:
        """Whatever was left open."""
        self.ask("trace.start", seconds=30)
        self.heap_commands.close()
        self.assertRaises(Refused, self.ask, "trace.stop")


class PagesTests(QuestionsTestCase):
    """Over HTTP."""

    @override
    def setUp(self) -> None:
        """Have the pages, and a reactor that is watched."""
        super().setUp()
        self.pages = Pages(self.room.heap, self.room.lag, self.room.now).pages

    def watch(self) -> None:
        """Let the reactor run."""
        self.room.lag.startService()
        self.addCleanup(self.room.lag.stopService)
        self.room.clock.advance(0)

    def get(self, path: str, **query: str) -> Any:
        """Return what a page says, read as JSON."""
        return json.loads(self.pages[path](Asked(query.items())).body)

    def live(self) -> tuple[int, Mapping[str, Any]]:
        """Return status and facts of ``/health/live``."""
        answer = self.pages["/health/live"](Asked())
        return answer.status, json.loads(answer.body)

    def test_starting(self) -> None:
        """A reactor that does not run yet is not alive."""
        status, facts = self.live()
        self.assertEqual((status, facts["status"]), (503, "starting"))

    def test_alive(self) -> None:
        """One that goes round is."""
        self.watch()
        status, facts = self.live()
        self.assertEqual((status, facts["status"]), (200, "alive"))
        self.assertNotIn("line", facts)

    def test_late(self) -> None:
        """A moment's delay has its line named, and kills nobody."""
        self.watch()
        self.room.late = TICK + STUCK - 0.01
        status, facts = self.live()
        self.assertEqual((status, facts["status"]), (200, "late"))
        self.assertIn("setUp", facts["line"])

    def test_stuck(self) -> None:
        """A reactor that stands is not alive, and its line is named."""
        self.watch()
        self.room.late = TICK + STUCK + 2.0
        self.room.lag.look()
        status, facts = self.live()
        self.assertEqual((status, facts["status"]), (503, "stuck"))
        self.assertIn("admin/test_questions.py", facts["line"])
        self.assertEqual(facts["late_s"], 3.0)

    def test_each_page(self) -> None:
        """Has the same facts as the command of its name."""
        heap = self.room.heap
        self.assertEqual(
            self.get("/owners.json")["owners"], heap.owners_now()["owners"]
        )
        (sample,) = self.get("/samples.json")["samples"]
        self.assertEqual(sample["owners"], {"outboxes": [2, 9]})
        self.assertEqual(self.get("/samples.json", minutes="0"), {"samples": []})
        self.assertEqual(self.get("/heap/lag.json"), heap.lag_now())
        self.assertIn("pause_s", self.get("/heap/gc.json"))
        self.assertIn("types", self.get("/heap/growth.json", minutes="5"))
        self.assertEqual(self.get("/heap/dump.json")["at"], NOON)
        self.assertIn(b"test_each_page", self.pages["/stacks"](Asked()).body)

    def test_census(self) -> None:
        """Quick, unless texts are asked for."""
        kept = [f"text {number}" for number in range(2000)]

        def names(**query: str) -> set[str]:
            found = self.get("/heap/census.json", **query)["types"]
            return {each["name"] for each in found}

        self.assertNotIn("str", names())
        self.assertIn("str", names(texts="1"))
        self.assertEqual(len(self.get("/heap/census.json", lines="2")["types"]), 3)
        del kept

    def test_wrong_questions(self) -> None:
        """It is said what was due."""
        for path, query in (
            ("/heap/growth.json", {}),
            ("/heap/growth.json", {"minutes": "x"}),
            ("/samples.json", {"minutes": "-1"}),
            ("/samples.json", {"minutes": "99999"}),
            ("/heap/census.json", {"lines": "²"}),
        ):
            self.assertRaises(AskedWrongly, self.pages[path], Asked(query.items()))

    def test_no_sample_yet(self) -> None:
        """Growth has nothing to be compared with."""
        pages = Pages((other := Room()).heap, other.lag, other.now).pages
        self.assertRaises(
            AskedWrongly, pages["/heap/growth.json"], Asked([("minutes", "1")])
        )
