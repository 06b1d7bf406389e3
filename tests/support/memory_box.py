"""A control group whose memory is limited, for tests and the bench.

It needs root, and a container may forbid it; then `NoBox` says why.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ["NoBox", "memory_box"]

_MOUNT: Final = Path("/sys/fs/cgroup")
_ENTER: Final = 'echo $$ > "$0" && exec "$@"'
_TRIALS: Final = 100  # to remove a group that a dying process is still in
_BETWEEN_TRIALS: Final = 0.05  # seconds


class NoBox(Exception):
    """This machine does not let us limit memory; the text says why."""


@contextmanager
def memory_box(limit: int) -> Iterator[tuple[str, ...]]:
    """Make a group that gets so many bytes, and take it away afterwards.

    Yields:
        words to put in front of a command, so that it runs there.

    Raises:
        NoBox: it cannot be made.
    """
    name = f"rum-memory-{os.getpid()}-{time.monotonic_ns()}"
    old = _MOUNT / "memory"
    is_second = not (old / "cgroup.procs").exists()
    group = (_MOUNT if is_second else old) / name
    try:
        group.mkdir()
        bound = group / ("memory.max" if is_second else "memory.limit_in_bytes")
        is_controlled = bound.exists()
        if is_controlled:
            bound.write_text(str(limit))
    except OSError as error:
        raise NoBox(f"no memory control group: {error}") from error
    if not is_controlled:
        group.rmdir()
        raise NoBox("the memory controller is not enabled")
    try:
        yield ("sh", "-c", _ENTER, str(group / "cgroup.procs"))
    finally:
        for _ in range(_TRIALS):
            try:
                group.rmdir()
                break
            except OSError:
                time.sleep(_BETWEEN_TRIALS)  # noqa: TID251 - another process is awaited
