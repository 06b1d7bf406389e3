"""What the kernel tells of another process's memory.

Source: Linux, proc(5).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["ProcessMemory", "memory_of"]

_PROC: Final = Path("/proc")
_KB: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessMemory:
    """Of one process, in bytes; ``None`` where it is not told."""

    rss: int | None = None
    pss: int | None = None  # what is shared counts by its share
    peak: int | None = None  # of ``rss``


def memory_of(number: int) -> ProcessMemory:
    """Return the memory of a process; nothing of one that has ended."""
    status = _lines(_PROC / str(number) / "status")
    shares = _lines(_PROC / str(number) / "smaps_rollup")
    return ProcessMemory(
        rss=_bytes(status, "VmRSS"),
        pss=_bytes(shares, "Pss"),
        peak=_bytes(status, "VmHWM"),
    )


def _lines(path: Path) -> dict[str, str]:
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return {}
    rows = (line.partition(":") for line in text.splitlines())
    return {name: rest.strip() for name, _, rest in rows}


def _bytes(facts: dict[str, str], name: str) -> int | None:
    words = facts.get(name, "").split()
    return int(words[0]) * _KB if words and words[0].isdecimal() else None
