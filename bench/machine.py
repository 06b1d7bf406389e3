"""On what, and when, something was measured: no figure means anything without it."""

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from typing_extensions import override

from bench.processes import ROOT

__all__ = ["Machine", "load_average", "look"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a reader needs to know before comparing figures."""

    name: str  # of the processor
    cores: int
    memory_gib: float
    kernel: str
    python: str
    twisted: str
    date: str  # UTC, ISO 8601
    commit: str  # "+" behind it: the tree had changes
    load: float  # of the last minute, before the first run

    @override
    def __str__(self) -> str:
        """Tell all of it in three lines."""
        return (
            f"{self.name}, {self.cores} cores, {self.memory_gib:.0f} GiB, "
            f"Linux {self.kernel}\n"
            f"Python {self.python}, Twisted {self.twisted}, "
            f"Rum at {self.commit}\n"
            f"{self.date}, load average {self.load:.2f} before"
        )


def look() -> Machine:
    """Return what this machine is now."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        name=_processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=pages / 2**30,
        kernel=platform.release(),
        python=platform.python_version(),
        twisted=version("twisted"),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_commit(),
        load=load_average(),
    )


def load_average() -> float:
    """Return how many processes wanted to run in the last minute."""
    return os.getloadavg()[0]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    command = ("git", "-C", str(ROOT), "describe", "--always", "--dirty=+")
    try:
        found = subprocess.run(  # noqa: S603 - a constant command
            command, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "an unknown commit"
    return found.stdout.strip()
