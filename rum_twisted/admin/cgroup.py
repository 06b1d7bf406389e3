"""What the control group of this process allows and has counted: memory and CPU.

A limit of 0.15 cores is kept by the kernel in the crudest way: 15 ms of every 100,
then the process stands still. A limit of memory is kept by killing. A server that
knows of both can give way before.

Both kinds of control groups are read. A limit of any group above counts as well.

Source: Linux, Documentation/admin-guide/cgroup-v2.rst ("cpu.max", "cpu.stat",
"memory.max"), cgroup-v1/memory.rst, and scheduler/sched-bwc.rst.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["MemoryGroup", "MemoryUse", "Throttled", "cores_allowed", "throttled"]

_ROOT: Final = Path("/")
_NO_LIMIT: Final = 1 << 60  # bytes; the first kind writes "none" as a number near 2**63
_MICROSECOND: Final = 1e-6
_NANOSECOND: Final = 1e-9


def cores_allowed(root: Path = _ROOT) -> float | None:
    """Return how many cores this process may use; ``None`` without a limit.

    What cannot be read is no limit.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    limits = []
    for is_second, folder in _folders("cpu", root):
        if is_second:
            limits.append(_quota(*_pair(_read(folder / "cpu.max"))))
        else:
            quota = _read(folder / "cpu.cfs_quota_us").strip()
            limits.append(_quota(quota, _read(folder / "cpu.cfs_period_us").strip()))
    return min((limit for limit in limits if limit is not None), default=None)


@dataclass(frozen=True, slots=True)
class Throttled:
    """How often, and for how long in all, the group stood still for its CPU limit."""

    times: int
    seconds: float


def throttled(root: Path = _ROOT) -> Throttled | None:
    """Return how the CPU limit has been felt; ``None`` where nobody counts that."""
    for _, folder in _folders("cpu", root):
        facts = _numbers(_read(folder / "cpu.stat"))
        if "nr_throttled" in facts:
            seconds = facts.get("throttled_usec", 0) * _MICROSECOND
            seconds += facts.get("throttled_time", 0) * _NANOSECOND
            return Throttled(facts["nr_throttled"], seconds)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """What a group uses and may use, in bytes."""

    used: int  # as charged to the group, what the kernel can drop included
    working: int  # without file pages that it drops first
    limit: int | None


class MemoryGroup:
    """The groups that this process is in; whose limit is the narrowest counts.

    Limits may come, go and change at any time: an operator sets them on what runs.

    Args:
        root: where ``proc`` and ``sys`` are.
    """

    def __init__(self, root: Path = _ROOT) -> None:
        # Without a limit anywhere, the innermost group that counts is told of.
        self._folders = tuple(
            (is_second, folder)
            for is_second, folder in _folders("memory", root)
            if _usage(is_second, folder) is not None
        )

    def look(self) -> MemoryUse | None:
        """Return the figures of now; ``None`` where there is no group to be seen."""
        limits = [(_limit(*each) or _NO_LIMIT, *each) for each in self._folders]
        if not limits:
            return None
        limit, is_second, folder = min(limits, key=lambda each: each[0])
        used = _usage(is_second, folder)
        if used is None:
            return None
        facts = _numbers(_read(folder / "memory.stat"))
        name = "inactive_file" if is_second else "total_inactive_file"
        return MemoryUse(
            used=used,
            working=max(0, used - facts.get(name, 0)),
            limit=limit if limit < _NO_LIMIT else None,
        )


def _usage(is_second: bool, folder: Path) -> int | None:  # noqa: FBT001 - one of two
    name = "memory.current" if is_second else "memory.usage_in_bytes"
    return _number(_read(folder / name))


def _limit(is_second: bool, folder: Path) -> int | None:  # noqa: FBT001 - one of two
    name = "memory.max" if is_second else "memory.limit_in_bytes"
    limit = _number(_read(folder / name))
    return limit if limit is not None and 0 < limit < _NO_LIMIT else None


def _folders(controller: str, root: Path) -> Iterator[tuple[bool, Path]]:
    """Go through the groups that this process is in, inner ones first.

    Yields:
        whether the group is of the second kind, and its folder.
    """
    mounted = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0" and not controllers:
            for folder in _upwards(mounted, group):
                yield True, folder
        elif controller in controllers.split(","):
            # Two names of one mount; which of them exists differs.
            for mount in dict.fromkeys((mounted / controller, mounted / controllers)):
                for folder in _upwards(mount, group):
                    yield False, folder


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


def _numbers(text: str) -> Mapping[str, int]:
    """Read lines of a name and a number; others are skipped."""
    facts = {}
    for line in text.splitlines():
        name, _, number = line.partition(" ")
        value = _number(number)
        if value is not None:
            facts[name] = value
    return facts


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _pair(text: str) -> tuple[str, str]:
    quota, _, period = text.strip().partition(" ")
    return quota, period


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, ValueError):
        return ""
