"""A picture of the process, written and read again."""

import gc
import json
import stat
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.dump import (
    FORMAT,
    LARGEST,
    LARGEST_READ,
    MOST_FILES,
    Dumps,
    NoDump,
    make_dump,
    read_dump,
    write_dump,
)
from rum_twisted.admin.owners import MOST_OWNERS
from rum_twisted.admin.page import page_of
from rum_twisted.admin.sampler import MINUTES
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.units import Seconds
from tests.unit.admin.builders import NOON, Room


class DumpTestCase(SynchronousTestCase):
    """A room with some samples."""

    @override
    def setUp(self) -> None:
        """Begin; what is there already need not be counted."""
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        self.room = Room()
        self.room.owners.register("outboxes", lambda: Measure(count=2, bytes=9))
        self.room.sampler.startService()
        self.addCleanup(self.room.sampler.stopService)
        self.room.work()
        self.path = Path(self.mktemp())

    def make(self) -> dict[str, Any]:
        """Return a dump."""
        return make_dump(
            self.room.heap, self.room.heap.census_now(), Seconds(NOON), "a test"
        )


class MakeDumpTests(DumpTestCase):
    """What is in a dump."""

    def test_it_is_read_as_it_was_written(self) -> None:
        """By its owner only."""
        dump = self.make()
        write_dump(self.path, dump)
        self.assertEqual(read_dump(self.path), json.loads(json.dumps(dump)))
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_what_is_in_it(self) -> None:
        """Everything that can be asked of a running server."""
        dump = self.make()
        self.assertEqual((dump["format"], dump["at"]), (FORMAT, NOON))
        self.assertEqual(dump["reason"], "a test")
        self.assertEqual(dump["owners"]["owners"][0]["name"], "outboxes")
        self.assertEqual(len(dump["samples"]), 1)
        self.assertTrue(dump["census"]["types"])
        self.assertTrue(dump["stacks"])

    def test_no_values(self) -> None:
        """Whatever is in memory, its words are not in the dump."""
        secret = {"password": "correct horse", "callsign": "KLM1023"}
        text = json.dumps(self.make())
        for word in secret.values():
            self.assertNotIn(word, text)

    def test_a_full_one_is_small_enough(self) -> None:
        """With all samples, and as many owners as there can be."""
        for number in range(MOST_OWNERS - 1):
            self.room.owners.register(
                f"an owner of a rather long name {number}",
                lambda: Measure(count=1 << 40, bytes=1 << 50),
            )
        for _ in range(MINUTES):
            self.room.clock.advance(60)
            self.room.work()
        dump = self.make()
        self.assertLessEqual(len(json.dumps(dump, separators=(",", ":"))), LARGEST)
        self.assertGreater(len(dump["samples"]), MINUTES // 2)


class ReadDumpTests(DumpTestCase):
    """What is no dump is said to be none."""

    def test_no_dump(self) -> None:
        """Other files, and damaged ones."""
        for text in ("", "{", "[]", "{}", '{"format":"something"}', "[" * 100_000):
            self.path.write_text(text)
            self.assertRaises(NoDump, read_dump, self.path)

    def test_too_large(self) -> None:
        """It is not read at all."""
        with self.path.open("wb") as file:
            file.truncate(LARGEST_READ + 1)
        self.assertRaises(NoDump, read_dump, self.path)

    def test_no_file(self) -> None:
        """The system's own error says so."""
        self.assertRaises(FileNotFoundError, read_dump, self.path)


class DumpsTests(DumpTestCase):
    """The dumps that the server writes by itself."""

    def result(self, answer: Deferred[Path | None]) -> Path | None:
        """Return where a dump is when everybody has had his turns."""
        self.room.work()
        return self.successResultOf(answer)

    def test_it_is_written(self) -> None:
        """In slices, to a folder that is made for it; the log tells where."""
        dumps = Dumps(self.path / "data" / "dumps", self.room.heap, self.room.now)
        with capturedLogs() as events:
            path = self.result(dumps.write("memory is at 70 %"))
        assert path is not None
        self.assertEqual(path.name, f"heap-{NOON:.0f}.json")
        self.assertEqual(read_dump(path)["reason"], "memory is at 70 %")
        (event,) = (event for event in events if "reason" in event)
        self.assertEqual((event["path"], event["reason"]), (path, "memory is at 70 %"))

    def test_old_ones_go(self) -> None:
        """A server that writes one each hour does not fill the disk."""
        dumps = Dumps(self.path, self.room.heap, self.room.now)
        for _ in range(MOST_FILES + 3):
            self.result(dumps.write("again"))
            self.room.clock.advance(60)
            self.room.work()
        names = sorted(path.name for path in self.path.iterdir())
        self.assertEqual(len(names), MOST_FILES)
        self.assertEqual(names[-1], f"heap-{NOON + 60 * (MOST_FILES + 2):.0f}.json")

    def test_a_folder_that_cannot_be_made(self) -> None:
        """The log says so, and the server goes on."""
        self.path.write_text("a file")
        dumps = Dumps(self.path / "dumps", self.room.heap, self.room.now)
        with capturedLogs() as events:
            self.assertIsNone(self.result(dumps.write("memory is at 70 %")))
        self.assertIn("Not a directory", [event.get("trouble") for event in events])


class PageTests(DumpTestCase):
    """A dump in a browser."""

    def test_a_page(self) -> None:
        """With tables and plots, and nothing that is loaded from elsewhere."""
        for _ in range(3):
            self.room.clock.advance(60)
            self.room.work()
        page = page_of(self.make())
        self.assertIn("<td>outboxes</td>", page)
        self.assertIn("<polyline", page)
        self.assertIn("2026-11-21 12:00:00 UTC", page)
        for word in ("<script", "http:", "https:", "src="):
            self.assertNotIn(word, page)

    def test_whatever_is_in_it(self) -> None:
        """A dump may come from anywhere: all of it is escaped."""
        dump = self.make()
        evil = "<script>alert(1)</script>"
        dump["reason"] = dump["version"] = evil
        dump["owners"]["owners"][0]["name"] = evil
        dump["census"]["types"][0]["name"] = evil
        dump["stacks"] = {evil: [evil]}
        dump["samples"][0]["owners"] = {evil: [1, 2]}
        dump["at"] = 1e300
        self.assertNotIn("<script", page_of(dump))

    def test_damaged(self) -> None:
        """What is missing or of another kind leaves a gap, no traceback."""
        full = self.make()
        for name in full:
            for value in (None, 7, "x", [1], {"gauges": 1}, [{"gauges": {"at": "x"}}]):
                page = page_of({**full, name: value})
                self.assertTrue(page.endswith("</html>\n"), name)
        self.assertTrue(page_of({}).endswith("</html>\n"))
