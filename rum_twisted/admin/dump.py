"""A picture of the process to take home: bounded, without secrets, readable later.

It has names of types, owners and lines of code, and numbers; no value of any variable,
no callsign, no address, no setting. `rumctl heap show` prints one, or makes a page of
it (`rum_twisted.admin.page`).
"""

import json
import os
import platform
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted import __version__
from rum_twisted.admin.heap import Heap
from rum_twisted.terms.units import Seconds

__all__ = [
    "FORMAT",
    "TOP_TYPES",
    "Dumps",
    "NoDump",
    "make_dump",
    "read_dump",
    "write_dump",
]

FORMAT: Final = "rum heap dump 1"
TOP_TYPES: Final = 100
LARGEST: Final = 900_000  # bytes; the longest answer of the control socket holds it
LARGEST_READ: Final = 4 << 20
MOST_FILES: Final = 5  # of those that the server writes by itself
_OWNER_ONLY: Final = 0o600
_PREFIX: Final = "heap-"
_SUFFIX: Final = ".json"
_HALF: Final = 2


class NoDump(ValueError):
    """A file is no dump; the text says why."""


def make_dump(
    heap: Heap, census: Mapping[str, Any], now: Seconds, reason: str
) -> dict[str, Any]:
    """Return a dump; for any thread, also beside a reactor that stands still.

    Args:
        heap: what is dumped.
        census: of it, as `Heap.census` or `Heap.census_now` gives it.
        now: seconds since the epoch.
        reason: why, in a few words.
    """
    dump: dict[str, Any] = {
        "format": FORMAT,
        "version": __version__,
        "python": platform.python_version(),
        "pid": os.getpid(),
        "at": now,
        "reason": reason,
        "owners": heap.owners_now(),
        "census": census,
        "collector": heap.collector_now(),
        "lag": heap.lag_now(),
        "stacks": heap.stacks_now(),
        **heap.samples_now(),
    }
    # Older samples go first, should it ever be too large.
    while len(_bytes_of(dump)) > LARGEST and dump["samples"]:
        dump["samples"] = dump["samples"][len(dump["samples"]) // _HALF + 1 :]
    return dump


def read_dump(path: Path) -> dict[str, Any]:
    """Read a dump from a file.

    Raises:
        NoDump: it is none.
        OSError: it cannot be read.
    """
    if path.stat().st_size > LARGEST_READ:
        raise NoDump(f"{path} is larger than any dump")
    try:
        dump = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise NoDump(f"{path} is no dump: due JSON") from error
    if not isinstance(dump, dict) or dump.get("format") != FORMAT:
        raise NoDump(f'{path} is no dump: due "format": "{FORMAT}"')
    return dump


class Dumps:
    """The dumps that the server writes by itself, in a folder; the oldest go.

    Args:
        folder: made when it is needed; only its owner may read what is in it.
        heap: what is dumped.
        now: tells the seconds since the epoch.
    """

    log = Logger()

    def __init__(self, folder: Path, heap: Heap, now: Callable[[], Seconds]) -> None:
        self._folder = folder
        self._heap = heap
        self._now = now

    @override
    def __repr__(self) -> str:
        return f"<Dumps in {self._folder}>"

    def write(self, reason: str) -> Deferred[Path | None]:
        """Count everything in slices, and write a dump.

        Args:
            reason: why, in a few words.

        Returns:
            a Deferred that fires with where it is; ``None``: it could not be written.
        """
        counted = self._heap.census(TOP_TYPES)
        return counted.addCallback(self._write, reason)

    def _write(self, census: Mapping[str, Any], reason: str) -> Path | None:
        now = self._now()
        path = self._folder / f"{_PREFIX}{now:.0f}{_SUFFIX}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room()
            write_dump(path, make_dump(self._heap, census, now, reason))
        except OSError as error:
            self.log.warn(
                "heap dump {path} cannot be written: {trouble}",
                path=path,
                trouble=error.strerror or str(error),
            )
            return None
        self.log.info("heap dump {path}: {reason}", path=path, reason=reason)
        return path

    def _make_room(self) -> None:
        ours = sorted(self._folder.glob(f"{_PREFIX}*{_SUFFIX}"))
        for path in ours[: max(0, len(ours) - MOST_FILES + 1)]:
            with suppress(FileNotFoundError):
                path.unlink()


def write_dump(path: Path, dump: Mapping[str, Any]) -> None:
    """Write a dump to a file that only its owner may read.

    Raises:
        OSError: it cannot be written.
    """
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
    with os.fdopen(number, "wb") as file:
        file.write(_bytes_of(dump))


def _bytes_of(dump: Mapping[str, Any]) -> bytes:
    return json.dumps(dump, separators=(",", ":")).encode("ascii")
