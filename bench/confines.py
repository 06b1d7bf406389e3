"""Places that are smaller than this machine: some cores, a bit of one, small buffers.

Each yields words to put in front of a command, so that it runs there; all take
themselves away afterwards. Not every place can be made everywhere: a bit of a core and
small buffers need root, and a container may forbid them. Then `Unavailable` says why,
and its runs are left out.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.processes import pause

__all__ = ["Prefix", "Unavailable", "core_apart", "cpu_box", "small_buffers"]

Prefix = tuple[str, ...]

_MOUNT: Final = Path("/sys/fs/cgroup")
_PERIOD_US: Final = 100_000
_ENTER_GROUP: Final = 'echo $$ > "$0" && exec "$@"'
_TRIALS: Final = 50  # to remove a group that a dying process is still in
_BETWEEN_TRIALS: Final = 0.1  # seconds

# Ends when its standard input does, and the namespace with it.
_HOLD_NAMESPACE: Final = (
    'ip link set lo up && echo "4096 16384 $0" > /proc/sys/net/ipv4/tcp_wmem '
    "&& echo ready && read -r _"
)


class Unavailable(Exception):
    """This machine does not let us make such a place; the message says why."""


@contextmanager
def core_apart() -> Iterator[Prefix]:
    """Set one core apart: this process and its other children keep off it meanwhile.

    What measures goes there. Where it shares its cores with what is measured, its own
    waiting for one counts as the server's delay.

    Raises:
        Unavailable: there is only one core, no ``taskset``, or the kernel does not let
            us choose.
    """
    cores = os.sched_getaffinity(0)
    core = max(cores)
    if len(cores) == 1:
        raise Unavailable("no core can be set apart: there is only one")
    if shutil.which("taskset") is None:
        raise Unavailable("no core can be set apart: taskset is missing")
    try:
        os.sched_setaffinity(0, cores - {core})
    except OSError as error:
        raise Unavailable(f"no core can be set apart: {error}") from error
    try:
        yield ("taskset", "-c", str(core))
    finally:
        os.sched_setaffinity(0, cores)


@contextmanager
def cpu_box(cores: float) -> Iterator[Prefix]:
    """Make a control group that gets ``cores`` of a core, e.g. 15 ms of every 100.

    Raises:
        Unavailable: there is no cpu controller, or it is not ours.
    """
    group = _make_group(round(cores * _PERIOD_US))
    try:
        yield ("sh", "-c", _ENTER_GROUP, str(group / "cgroup.procs"))
    finally:
        _remove_group(group)


@contextmanager
def small_buffers(most: int) -> Iterator[Prefix]:
    """Make a network in which the kernel holds ``most`` bytes for a sender.

    Raises:
        Unavailable: no network namespace can be made.
    """
    command = ("unshare", "--net", "sh", "-c", _HOLD_NAMESPACE, str(most))
    try:
        holder = subprocess.Popen(  # noqa: S603 - a constant command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise Unavailable(f"no network namespace: {error}") from error
    with holder:
        assert holder.stdout is not None
        assert holder.stderr is not None
        if holder.stdout.readline() != "ready\n":
            raise Unavailable(f"no network namespace: {holder.stderr.read().strip()}")
        yield ("nsenter", f"--net=/proc/{holder.pid}/ns/net")


def _make_group(quota_us: int) -> Path:
    """Make a group for this process's children, of whichever kind there is."""
    name = f"rum-bench-{os.getpid()}"
    old = _MOUNT / "cpu"
    try:
        if (old / "cgroup.procs").exists():
            group = old / name
            group.mkdir()
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota_us))
            return group
        group = _MOUNT / name
        group.mkdir()
        if not (group / "cpu.max").exists():
            group.rmdir()
            raise Unavailable("no cpu control group: the controller is not enabled")
        (group / "cpu.max").write_text(f"{quota_us} {_PERIOD_US}")
    except OSError as error:
        raise Unavailable(f"no cpu control group: {error}") from error
    return group


def _remove_group(group: Path) -> None:
    for _ in range(_TRIALS):
        try:
            group.rmdir()
        except OSError:
            pause(_BETWEEN_TRIALS)
        else:
            return
