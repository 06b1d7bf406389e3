"""Limits that hold: control groups of Linux, of both versions, where we may make them.

A service's group has its memory and CPU limit, and counts what the service takes, its
health checks included, as a container would. Where no group can be made (no rights, no
such file system), limits are only shown.

Groups are made below our own, so limits that hold for us go on to hold. The first
version has a tree for each controller; of the second, the nearest group above us that
hands out both memory and CPU is taken, since a group with processes in it cannot.

Source: Linux, Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst.
"""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from typing_extensions import override

__all__ = ["GroupUse", "Groups", "ServiceGroup", "find_groups"]

_ROOT: Final = Path("/")
_PERIOD: Final = 100_000  # microseconds, the kernel's own
_KINDS: Final = ("memory", "cpu")
_WITHOUT_DROPPABLE: Final = ("inactive_file", "total_inactive_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupUse:
    """What a group's processes take; bytes and counts."""

    memory: int | None = None  # file pages included
    working: int | None = None  # without those that the kernel drops first
    peak: int | None = None  # of ``memory``
    kills: int | None = None  # processes that were killed for passing the limit
    throttled: float | None = None  # seconds in which it waited for its CPU share


class ServiceGroup:
    """The group of one service.

    Args:
        folders: of the group, by controller; both the same in the second version.
        is_second: of which version.
    """

    def __init__(self, folders: Mapping[str, Path], *, is_second: bool) -> None:
        self._folders = dict(folders)
        self._is_second = is_second

    @override
    def __repr__(self) -> str:
        return f"<ServiceGroup {self._folders['memory']}>"

    def limit(self, *, memory: int | None, cpus: float | None) -> None:
        """Let the kernel hold these limits; ``None``: there is none.

        Args:
            memory: bytes.
            cpus: cores.

        Raises:
            OSError: it does not.
        """
        quota = None if cpus is None else int(cpus * _PERIOD)
        if self._is_second:
            self._write("memory", "memory.max", "max" if memory is None else memory)
            self._write(
                "cpu", "cpu.max", f"{'max' if quota is None else quota} {_PERIOD}"
            )
            return
        self._write("memory", "memory.limit_in_bytes", -1 if memory is None else memory)
        self._write("cpu", "cpu.cfs_period_us", _PERIOD)
        self._write("cpu", "cpu.cfs_quota_us", -1 if quota is None else quota)

    def join(self) -> None:
        """Move the calling process into it.

        Raises:
            OSError: it may not.
        """
        for folder in dict.fromkeys(self._folders.values()):
            (folder / "cgroup.procs").write_text(str(os.getpid()), "ascii")

    def processes(self) -> tuple[int, ...]:
        """Return the numbers of the processes in it."""
        text = _read(self._folders["memory"] / "cgroup.procs")
        return tuple(int(word) for word in text.split())

    def kill(self) -> None:
        """End what is left in it at once."""
        for number in self.processes():
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)

    def forget_peak(self) -> None:
        """Begin to look for the most memory anew, where the kernel can."""
        name = "memory.peak" if self._is_second else "memory.max_usage_in_bytes"
        with suppress(OSError):
            self._write("memory", name, 0)

    def use(self) -> GroupUse:
        """Return what its processes take."""
        folder, cpu = self._folders["memory"], self._folders["cpu"]
        facts = _table(folder / "memory.stat")
        times = _table(cpu / "cpu.stat")
        if self._is_second:
            memory = _number(folder / "memory.current")
            peak = _number(folder / "memory.peak")
            kills = _table(folder / "memory.events").get("oom_kill")
            throttled = _scaled(times.get("throttled_usec"), 1e-6)
        else:
            memory = _number(folder / "memory.usage_in_bytes")
            peak = _number(folder / "memory.max_usage_in_bytes")
            kills = _table(folder / "memory.oom_control").get("oom_kill")
            throttled = _scaled(times.get("throttled_time"), 1e-9)
        droppable = facts.get(_WITHOUT_DROPPABLE[not self._is_second], 0)
        return GroupUse(
            memory=memory,
            working=None if memory is None else max(0, memory - droppable),
            peak=peak,
            kills=kills,
            throttled=throttled,
        )

    def remove(self) -> None:
        """Take it away; its processes must have ended."""
        for folder in dict.fromkeys(self._folders.values()):
            with suppress(OSError):
                folder.rmdir()

    def _write(self, kind: str, name: str, value: object) -> None:
        (self._folders[kind] / name).write_text(str(value), "ascii")


class Groups:
    """The groups of a stack, in one of their own.

    Args:
        folders: of that one, by controller.
        is_second: of which version.
    """

    def __init__(self, folders: Mapping[str, Path], *, is_second: bool) -> None:
        self._folders = dict(folders)
        self._is_second = is_second

    @override
    def __repr__(self) -> str:
        return f"<Groups in {self._folders['memory']}>"

    @property
    def facts(self) -> Mapping[str, object]:
        """What makes the same object in another process, for JSON."""
        return {
            "folders": {kind: str(path) for kind, path in self._folders.items()},
            "is_second": self._is_second,
        }

    def of(self, name: str) -> ServiceGroup:
        """Return the group of a service, whether it has been made or not."""
        return ServiceGroup(
            {kind: folder / name for kind, folder in self._folders.items()},
            is_second=self._is_second,
        )

    def make(self, name: str) -> ServiceGroup:
        """Make the group of a service; one that is there is emptied.

        Raises:
            OSError: it cannot be made.
        """
        group = self.of(name)
        group.kill()
        for folder in dict.fromkeys(self._folders.values()):
            (folder / name).mkdir(exist_ok=True)
        group.forget_peak()
        return group

    def remove(self) -> None:
        """Take all of them away; what is left in them is killed."""
        for folder in dict.fromkeys(self._folders.values()):
            for child in _folders_in(folder):
                self.of(child.name).kill()
        for folder in dict.fromkeys(self._folders.values()):
            for child in _folders_in(folder):
                self.of(child.name).remove()
            with suppress(OSError):
                folder.rmdir()


def find_groups(name: str, *, root: Path = _ROOT) -> Groups | None:
    """Make a group for the groups of a stack.

    Args:
        name: of it.
        root: where ``proc`` and ``sys`` are.

    Returns:
        it; ``None`` where none can be made.
    """
    for is_second, folders in _candidates(root):
        own = {kind: folder / name for kind, folder in folders.items()}
        with suppress(OSError):
            _make(own, is_second=is_second)
            return Groups(own, is_second=is_second)
    return None


def _make(folders: Mapping[str, Path], *, is_second: bool) -> None:
    made = []
    try:
        for folder in dict.fromkeys(folders.values()):
            if not folder.is_dir():
                folder.mkdir()
                made.append(folder)
        if is_second:
            (folders["memory"] / "cgroup.subtree_control").write_text(
                " ".join(f"+{kind}" for kind in _KINDS), "ascii"
            )
    except OSError:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        raise


def _candidates(root: Path) -> Iterator[tuple[bool, Mapping[str, Path]]]:
    """Yield where groups might be made: the version, and a folder by controller."""
    mounted = root / "sys/fs/cgroup"
    first: dict[str, Path] = {}
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0" and not controllers:
            yield from _of_second(mounted, group)
        for kind in set(controllers.split(",")) & set(_KINDS):
            for mount in (mounted / kind, mounted / controllers):
                folder = mount / group.lstrip("/")
                if (folder / "cgroup.procs").exists():
                    first.setdefault(kind, folder)
    if len(first) == len(_KINDS):
        yield False, first


def _of_second(mounted: Path, group: str) -> Iterator[tuple[bool, Mapping[str, Path]]]:
    folder = mounted / group.lstrip("/")
    for above in (folder, *folder.parents):
        if not above.is_relative_to(mounted):
            return
        handed_out = _read(above / "cgroup.subtree_control").split()
        if set(_KINDS) <= set(handed_out):
            yield True, dict.fromkeys(_KINDS, above)


def _folders_in(folder: Path) -> tuple[Path, ...]:
    with suppress(OSError):
        return tuple(child for child in folder.iterdir() if child.is_dir())
    return ()


def _table(path: Path) -> Mapping[str, int]:
    facts = {}
    for line in _read(path).splitlines():
        name, _, number = line.partition(" ")
        with suppress(ValueError):
            facts[name] = int(number)
    return facts


def _number(path: Path) -> int | None:
    with suppress(ValueError):
        return int(_read(path))
    return None


def _scaled(number: int | None, unit: float) -> float | None:
    return None if number is None else number * unit


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, ValueError):
        return ""
