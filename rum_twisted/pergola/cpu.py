"""How much of a core this process may use, as its control group says.

A limit of 0.15 cores is kept by the kernel in the crudest way: 15 ms of every 100,
then the process stands still. A server that knows of it writes in fewer, larger
turns before anything else has to give (see `fanout`).

Both kinds of control groups are read. A limit of any group above counts as well.

Source: Linux, Documentation/admin-guide/cgroup-v2.rst ("cpu.max") and
Documentation/scheduler/sched-bwc.rst ("cpu.cfs_quota_us").
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["cores_allowed"]

_ROOT: Final = Path("/")


def cores_allowed(root: Path = _ROOT) -> float | None:
    """Return how many cores this process may use; ``None`` without a limit.

    What cannot be read is no limit.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    limits = [limit for limit in _limits(root) if limit is not None]
    return min(limits, default=None)


def _limits(root: Path) -> Iterator[float | None]:
    """Read the limits of all groups that this process is in."""
    mounted = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0" and not controllers:
            for folder in _upwards(mounted, group):
                yield _quota(*_pair(_read(folder / "cpu.max")))
        elif "cpu" in controllers.split(","):
            # Two names of one mount; which of them exists differs.
            for mount in (mounted / "cpu", mounted / controllers):
                for folder in _upwards(mount, group):
                    quota = _read(folder / "cpu.cfs_quota_us").strip()
                    yield _quota(quota, _read(folder / "cpu.cfs_period_us").strip())


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    """Go from a group's folder up to the mount."""
    folder = mount / group.lstrip("/")
    yield folder
    for parent in folder.parents:
        if not parent.is_relative_to(mount):
            return
        yield parent


def _quota(quota: str, period: str) -> float | None:
    """Return the cores that ``quota`` of every ``period`` is."""
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max", or no such file
        return None
    return cores if cores > 0 else None  # -1: no limit


def _pair(text: str) -> tuple[str, str]:
    quota, _, period = text.strip().partition(" ")
    return quota, period


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, ValueError):
        return ""
