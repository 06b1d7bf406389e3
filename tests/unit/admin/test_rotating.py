"""A file whose size and number of predecessors are bounded."""

import errno
import fcntl
import os
import time
from multiprocessing import get_context
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.rotating import RotatingFile

LINE = b"0123456789\n"
PATIENCE = 60.0  # seconds
_BETWEEN_TRIALS = 0.001  # seconds


def write_many(path: str, word: str) -> None:
    """Write a hundred lines; in a process of its own.

    On a busy machine the other one may hold the file for longer than a server waits: a
    line that was not written is written again.
    """
    file = RotatingFile(Path(path), largest=700, kept=100)
    deadline = time.monotonic() + PATIENCE
    for number in range(100):
        while True:
            try:
                file.append(f"{word} {number:03d}\n".encode())
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_BETWEEN_TRIALS)  # noqa: TID251 - another process is awaited


class RotatingFileTests(SynchronousTestCase):
    """Files of three lines each, of which two old ones are kept."""

    @override
    def setUp(self) -> None:
        """Have a folder."""
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "rum.log"
        self.file = RotatingFile(self.path, largest=3 * len(LINE), kept=2)

    def names(self) -> list[str]:
        """Return what is in the folder."""
        return sorted(path.name for path in self.folder.iterdir())

    def test_at_the_bound_and_one_past_it(self) -> None:
        """Three lines are in one file, the fourth begins the next."""
        for _ in range(3):
            self.file.append(LINE)
        self.assertEqual(self.names(), ["rum.log"])
        self.assertEqual(self.path.read_bytes(), 3 * LINE)
        self.file.append(b"next\n")
        self.assertEqual(self.names(), ["rum.log", "rum.log.1"])
        self.assertEqual(self.path.read_bytes(), b"next\n")
        self.assertEqual((self.folder / "rum.log.1").read_bytes(), 3 * LINE)

    def test_the_oldest_goes(self) -> None:
        """However much is written, two old files are left, the newest is number 1."""
        for number in range(100):
            self.file.append(f"line {number:04d}\n".encode())
        self.assertEqual(self.names(), ["rum.log", "rum.log.1", "rum.log.2"])
        lines = [
            int(line.split()[1])
            for name in ("rum.log.2", "rum.log.1", "rum.log")
            for line in (self.folder / name).read_text().splitlines()
        ]
        self.assertEqual(lines, list(range(lines[0], 100)))

    def test_no_old_files(self) -> None:
        """The file begins anew."""
        file = RotatingFile(self.path, largest=20, kept=0)
        for _ in range(5):
            file.append(LINE)
        self.assertEqual(self.names(), ["rum.log"])

    def test_a_line_that_is_longer_than_a_file(self) -> None:
        """It stands alone."""
        long = b"x" * 100 + b"\n"
        self.file.append(LINE)
        self.file.append(long)
        self.assertEqual(self.path.read_bytes(), long)

    def test_moved_away_by_somebody_else(self) -> None:
        """A new one is begun with the next line."""
        self.file.append(LINE)
        self.path.rename(self.folder / "moved")
        self.file.append(LINE)
        self.assertEqual(self.names(), ["moved", "rum.log"])

    def test_a_disk_that_is_full(self) -> None:
        """It is told, and tried again with the next line."""
        self.path.symlink_to("/dev/full")
        error = self.assertRaises(OSError, self.file.append, LINE)
        self.assertEqual(error.errno, errno.ENOSPC)
        self.path.unlink()
        self.file.append(LINE)
        self.assertEqual(self.path.read_bytes(), LINE)

    def test_a_folder_that_is_not_there(self) -> None:
        """It is told."""
        file = RotatingFile(self.folder / "none" / "log", largest=100, kept=1)
        self.assertRaises(FileNotFoundError, file.append, LINE)

    def test_somebody_who_does_not_let_go(self) -> None:
        """Nobody waits for him for long."""
        self.file.append(LINE)
        with self.path.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.assertRaises(BlockingIOError, self.file.append, LINE)
        self.file.append(LINE)

    def test_what_root_makes_is_the_servers(self) -> None:
        """The file belongs to whom the folder belongs."""
        if os.geteuid() != 0:
            raise SkipTest("only root makes files for others")
        os.chown(self.folder, 65534, 65534)
        for _ in range(4):
            self.file.append(LINE)
        for path in self.folder.iterdir():
            self.assertEqual(path.stat().st_uid, 65534, path)

    def test_a_pipe_that_nobody_reads(self) -> None:
        """It cannot be written, and holds nobody up."""
        os.mkfifo(self.path)
        with self.assertRaises(OSError) as caught:
            self.file.append(LINE)
        self.assertEqual(caught.exception.errno, errno.ENXIO)

    def test_two_processes(self) -> None:
        """Every line of both is there, whole and once, whoever rotates."""
        context = get_context("spawn")
        processes = [
            context.Process(target=write_many, args=(str(self.path), word))
            for word in ("left", "right")
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(2 * PATIENCE)
            self.assertEqual(process.exitcode, 0)
        lines = [
            line
            for path in self.folder.iterdir()
            for line in path.read_text().splitlines()
        ]
        due = [
            f"{word} {number:03d}"
            for word in ("left", "right")
            for number in range(100)
        ]
        self.assertEqual(sorted(lines), due)
