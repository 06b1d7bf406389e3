"""A file that lines are added to, whose size and number of predecessors are bounded.

It is opened for each line: so it may be moved away by somebody else, and a full disk
needs no care but to try again. Several processes may write to one file.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from typing_extensions import override

__all__ = ["RotatingFile"]

_MODE: Final = 0o640
_ROOT: Final = 0
_TRIES: Final = 50  # at the lock
_PAUSE: Final = 0.0002  # seconds between two of them; a line takes somebody else less


class RotatingFile:
    """The file.

    Args:
        path: need not exist; its folder has to.
        largest: bytes; one line may be longer.
        kept: how many old files stay, as ``path.1`` (the newest) and so on.

    Invariant: a line is there as a whole or not at all.
    """

    def __init__(self, path: Path, *, largest: int, kept: int) -> None:
        self.path = path
        self._largest = largest
        self._kept = kept

    @override
    def __repr__(self) -> str:
        return f"<RotatingFile {self.path}>"

    def append(self, data: bytes) -> None:
        """Add a line.

        Raises:
            OSError: it cannot be; the file is as it was.
        """
        with self._locked() as descriptor:
            size = os.fstat(descriptor).st_size
            if not size or size + len(data) <= self._largest:
                _write(descriptor, data, size)
                return
            self._rotate()
        # Nobody waits for another's lock here: the name is ours to make.
        with self._locked() as descriptor:
            _write(descriptor, data, os.fstat(descriptor).st_size)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Open what stands under the name just now, and keep others away."""
        for _ in range(_TRIES):
            # Without the last, a pipe that nobody reads would hold the server up.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            flags |= os.O_NONBLOCK
            is_new = not self.path.exists()
            descriptor = os.open(self.path, flags, _MODE)
            try:
                if is_new and os.geteuid() == _ROOT:
                    # The server, which is not root as a rule, writes to it as well.
                    owner = self.path.parent.stat()
                    os.fchown(descriptor, owner.st_uid, owner.st_gid)
                if self._holds(descriptor):
                    yield descriptor
                    return
            finally:
                os.close(descriptor)
        raise BlockingIOError(errno.EAGAIN, "somebody else holds it", str(self.path))

    def _holds(self, descriptor: int) -> bool:
        """Lock a descriptor, if it is still the file of that name."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = self.path.stat()
        except (BlockingIOError, FileNotFoundError):
            time.sleep(_PAUSE)  # noqa: TID251 - 10 ms in all, or else a line is lost
            return False
        ours = os.fstat(descriptor)
        return (found.st_ino, found.st_dev) == (ours.st_ino, ours.st_dev)

    def _rotate(self) -> None:
        """Give each file the next number; the last one goes."""
        if not self._kept:
            self.path.unlink()
            return
        for number in range(self._kept, 0, -1):
            older = self._numbered(number)
            newer = self.path if number == 1 else self._numbered(number - 1)
            if newer.exists():
                newer.replace(older)

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")


def _write(descriptor: int, data: bytes, size: int) -> None:
    written = os.write(descriptor, data)
    if written < len(data):  # the disk has become full in the middle
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
