"""The log and the audit log of a real server."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.support.twistd import PATIENCE, ROOT, serve

_BETWEEN_TRIALS = 0.05  # seconds


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


class LogTests(SynchronousTestCase):
    """A daemon with a file of its own, whose levels are changed."""

    def rumctl(self, folder: Path, *arguments: str) -> str:
        """Return what ``rumctl`` prints."""
        done = subprocess.run(  # noqa: S603 - nothing comes from outside
            (
                *(
                    sys.executable,
                    "-c",
                    "from rum_twisted.cli.main import main; main()",
                ),
                *("--set", f"data_dir={json.dumps(str(folder / 'data'))}"),
                *arguments,
            ),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr}")
        return done.stdout

    def test_a_daemon(self) -> None:
        """JSON in its file, text in twistd's, levels that change, and who did it."""
        folder = Path(self.mktemp()).absolute()
        (folder / "data").mkdir(parents=True)
        (folder / "data" / "cert.txt").write_text("1000001 pw01 1\n")
        path = folder / "rum.jsonl"
        settings = ("--set", f"log.file={json.dumps(str(path))}")
        with serve(folder, "rum", *settings, daemon=True) as server:
            shown = self.rumctl(folder, "log", "level", "--json")
            self.assertEqual({line["level"] for line in json.loads(shown)}, {"info"})
            changed = self.rumctl(folder, "log", "level", "all", "warn")
            self.assertIn("pergola", changed)
            self.rumctl(folder, "log", "level", "control", "debug")
            one = self.rumctl(folder, "log", "level", "control", "--json")
            self.assertEqual(json.loads(one), [{"room": "control", "level": "debug"}])
            self.rumctl(folder, "log", "level", "all", "info")
            server.terminate()
            self.assertIn("log level of", server.log)
        found = lines_of(path)
        texts = [line["text"] for line in found]
        self.assertTrue(any("starting up" in text for text in texts), texts[:5])
        self.assertTrue(any("is up." in text for text in texts), texts[:20])
        changes = [line for line in found if "threshold" in line]
        self.assertEqual(
            [(line["field_room"], line["threshold"]) for line in changes],
            [("all other rooms", "info")],
        )
        for line in found:
            self.assertLessEqual({"time", "level", "room", "logger", "text"}, set(line))
        acts = lines_of(folder / "data" / "audit.jsonl")
        self.assertEqual(
            [(line["act"], line["whom"]) for line in acts],
            [
                ("loglevel", "all=warn"),
                ("loglevel", "control=debug"),
                ("loglevel", "all=info"),
            ],
        )

    def test_members(self) -> None:
        """What rumctl does to members stands in the file as in the database."""
        folder = Path(self.mktemp()).absolute()
        with serve(folder_made(folder), "rum", daemon=False) as server:
            server.wait_for("is up.")
            deadline = time.monotonic() + PATIENCE
            while not (folder / "data" / "rum.sqlite").exists():
                self.assertLess(time.monotonic(), deadline)
                time.sleep(_BETWEEN_TRIALS)
            server.wait_for("administrator")
            self.rumctl(
                folder, "account", "add", "1000002", "--generate", "--rating", "5"
            )
            self.rumctl(folder, "account", "suspend", "1000002", "--reason", "noise")
        acts = lines_of(folder / "data" / "audit.jsonl")
        self.assertEqual(
            [(line["act"], line["whom"]) for line in acts],
            [("add", "1000002"), ("suspend", "1000002")],
        )
        self.assertIn("noise", acts[1]["detail"])
        self.assertTrue(all(line["who"] for line in acts))


def folder_made(folder: Path) -> Path:
    """Make a folder, and return it."""
    folder.mkdir(parents=True)
    return folder
