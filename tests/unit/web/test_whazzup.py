"""The status file is kept up to date, whatever the disk does."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from twisted.application.service import MultiService
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.terms.units import Seconds
from rum_twisted.web.whazzup import CLIENTS_PER_TURN, WhazzupFile, replace_file
from rum_twisted.web.whazzup_text import render
from rum_twisted.world.client import Client
from tests.unit.web.builders import SERVER, make_pilot

DISK_FULL = Path("/dev/full")
INTERVAL = Seconds(15.0)
START = 1795405512.0  # 2026-11-23 03:45:12 UTC


class ReplaceFileTests(SynchronousTestCase):
    """A file is replaced as a whole or not at all."""

    @override
    def setUp(self) -> None:
        """Choose a path in a folder that does not exist yet."""
        self.path = Path(self.mktemp()) / "www" / "file.txt"

    def test_folders_are_made(self) -> None:
        """A fresh server needs no preparation."""
        replace_file(self.path, b"new")
        self.assertEqual(self.path.read_bytes(), b"new")
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])

    def test_everybody_may_read_it(self) -> None:
        """A web server of another account can serve it, whatever the umask."""
        self.addCleanup(os.umask, os.umask(0o077))
        replace_file(self.path, b"new")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o644)

    def test_reader_of_the_old_file_keeps_it(self) -> None:
        """Who has it open reads the old file to its end: it is not written over."""
        replace_file(self.path, b"old")
        with self.path.open("rb") as reader:
            replace_file(self.path, b"new")
            self.assertEqual(reader.read(), b"old")

    def test_full_disk_leaves_the_old_file_alone(self) -> None:
        """The former file is whole, and nothing lies beside it."""
        if not DISK_FULL.exists():
            self.skipTest("this system has no /dev/full")
        replace_file(self.path, b"old")
        self.path.with_name("file.txt.tmp").symlink_to(DISK_FULL)
        with self.assertRaisesRegex(OSError, "No space left"):
            replace_file(self.path, b"new")
        self.assertEqual(self.path.read_bytes(), b"old")
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])

    def test_folder_in_its_place_leaves_nothing_beside(self) -> None:
        """Where the file cannot be put, the one beside it is removed."""
        (self.path / "something").mkdir(parents=True)
        with self.assertRaises(OSError):
            replace_file(self.path, b"new")
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])


class WhazzupFileTests(SynchronousTestCase):
    """A service writes the file at start, now and then, and at the end."""

    @override
    def setUp(self) -> None:
        """Make a service for a network of one pilot."""
        self.path = Path(self.mktemp()) / "whazzup.txt"
        self.clock = Clock()
        self.clients = [make_pilot()]
        self.is_broken = False
        self.whazzup = WhazzupFile(
            self.path,
            interval=INTERVAL,
            clock=self.clock,
            clients=self.online,
            server=SERVER,
            now=self.now,
        )

    def online(self) -> Iterable[Client]:
        """Tell who is online, unless the source is broken."""
        if self.is_broken:
            raise ZeroDivisionError
        return iter(self.clients)

    def now(self) -> float:
        """Tell the time of day."""
        return START + self.clock.seconds()

    def start(self) -> list[str]:
        """Start the service; return what it logs above the debug level."""
        self.addCleanup(self.stop)
        with capturedLogs() as events:
            self.whazzup.startService()
        return [formatEvent(e) for e in events if e["log_level"] > LogLevel.debug]

    def stop(self) -> None:
        """Stop the service, if it runs."""
        if self.whazzup.running:
            self.whazzup.stopService()

    def wait(self) -> list[str]:
        """Let the interval pass; return what is logged."""
        with capturedLogs() as events:
            self.clock.advance(INTERVAL)
        return [formatEvent(event) for event in events]

    def assert_lists(self, clients: list[Client]) -> None:
        """Check that the file is whole, of this moment, and lists ``clients``."""
        expected = render(clients, SERVER, self.now())
        self.assertEqual(self.path.read_bytes(), expected)

    def test_file_is_written_at_start(self) -> None:
        """A map need not wait for the first interval."""
        self.assertEqual(self.start(), [])
        self.assert_lists(self.clients)

    def test_file_is_written_every_interval(self) -> None:
        """Who has logged on is there 15 s later, and not before."""
        self.start()
        self.clients.append(make_pilot("KLM2"))
        self.clock.advance(INTERVAL - 1)
        self.assertIn(b"CONNECTED CLIENTS = 1\n", self.path.read_bytes())
        self.clock.advance(1)
        self.assert_lists(self.clients)

    def test_big_network_is_written_down_over_turns(self) -> None:
        """Others get their turns before the file is complete; then it is whole."""
        self.clients = [
            make_pilot(f"KLM{number}") for number in range(2 * CLIENTS_PER_TURN + 1)
        ]
        listed = list(self.clients)
        self.start()
        self.assertFalse(self.path.exists())
        self.clients.clear()
        self.clock.advance(0)
        self.assert_lists(listed)

    def test_small_network_is_written_down_in_one_turn(self) -> None:
        """A hundred clients are written within the turn that begins the file."""
        self.clients = [
            make_pilot(f"KLM{number}") for number in range(CLIENTS_PER_TURN)
        ]
        self.start()
        self.assert_lists(self.clients)

    def test_last_file_lists_nobody(self) -> None:
        """A map of a stopped server shows no ghosts."""
        self.start()
        self.clock.advance(1)
        self.whazzup.stopService()
        self.assert_lists([])

    def test_stop_amid_a_file_lists_nobody(self) -> None:
        """A half-made list of a big network is given up for the last file."""
        self.clients = [
            make_pilot(f"KLM{number}") for number in range(CLIENTS_PER_TURN + 1)
        ]
        self.start()
        self.whazzup.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assert_lists([])

    def test_stopped_service_leaves_nothing(self) -> None:
        """It starts and stops twice; a stop without a start writes nothing."""
        self.whazzup.stopService()
        self.assertFalse(self.path.exists())
        for _ in range(2):
            self.start()
            self.assert_lists(self.clients)
            self.whazzup.stopService()
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_trouble_is_told_once_and_so_is_its_end(self) -> None:
        """A folder that cannot be made costs one warning, until it can be."""
        self.path.parent.write_bytes(b"a file in the way")
        (warning,) = self.start()
        self.assertEqual(
            warning,
            f"status file {self.path} cannot be written: File exists;"
            " it is tried again every 15.0 s",
        )
        self.assertEqual(self.wait(), [])
        self.assertEqual(repr(self.whazzup), f"<WhazzupFile {self.path}: in trouble>")
        self.path.parent.unlink()
        self.assertEqual(self.wait(), [f"status file {self.path} is written again"])
        self.assertEqual(self.wait(), [])
        self.assert_lists(self.clients)
        self.assertEqual(repr(self.whazzup), f"<WhazzupFile {self.path}: well>")

    def test_full_disk_is_told_and_outlived(self) -> None:
        """A disk that was full for a while costs the files of that while."""
        if not DISK_FULL.exists():
            self.skipTest("this system has no /dev/full")
        self.path.parent.mkdir()
        self.path.with_name("whazzup.txt.tmp").symlink_to(DISK_FULL)
        (warning,) = self.start()
        self.assertIn("No space left on device", warning)
        self.assertEqual(self.wait(), [f"status file {self.path} is written again"])
        self.assert_lists(self.clients)

    def test_unforeseen_failure_ends_no_later_file(self) -> None:
        """A fault while one file is made is logged; the next file comes."""
        self.is_broken = True
        self.start()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.is_broken = False
        self.clock.advance(INTERVAL)
        self.assert_lists(self.clients)

    def test_name_finds_it_in_the_service_tree(self) -> None:
        """The manhole reaches it as ``whazzup``."""
        root = MultiService()
        self.whazzup.setServiceParent(root)
        self.assertIs(root.getServiceNamed("whazzup"), self.whazzup)
