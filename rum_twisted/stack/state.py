"""What the supervisor tells others of itself: a lock, and a file beside it.

The lock is held as long as the supervisor lives, however it ends, so a file that a
crash has left behind deceives nobody.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

__all__ = ["Running", "State"]

_LOCK: Final = "lock"
_FILE: Final = "state.json"


class Running(Exception):
    """Somebody else holds the lock."""


class State:
    """The lock and the file in a stack's folder.

    Args:
        folder: of the stack; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = folder / _LOCK
        self._file = folder / _FILE

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock.

        Raises:
            Running: a supervisor has it.
        """
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Running from error
            os.ftruncate(number, 0)
            os.pwrite(number, str(os.getpid()).encode("ascii"), 0)
            yield
        finally:
            os.close(number)

    def holder(self) -> int | None:
        """Return the number of the supervisor's process, while it lives."""
        try:
            number = os.open(self._lock, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(number, 32, 0).decode("ascii")
            return int(text) if text.isdecimal() else None
        else:
            return None
        finally:
            os.close(number)

    def write(self, facts: Mapping[str, Any]) -> None:
        """Tell others; they read all of it or what was there before."""
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(facts), "utf-8")
        part.replace(self._file)

    def read(self) -> Mapping[str, Any]:
        """Return what was told last, by whomever; nothing if there is no more."""
        try:
            facts: Mapping[str, Any] = json.loads(self._file.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return {}
        return facts

    def forget(self) -> None:
        """Take the file away."""
        self._file.unlink(missing_ok=True)
