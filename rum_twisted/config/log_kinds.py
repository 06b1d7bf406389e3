"""Kinds of values that say what stands in the log."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from zope.interface import implementer

from rum_twisted.config.interfaces import IKind, Unfit

__all__ = ["LEVELS", "ROOMS", "HttpAddress", "RoomLevels"]

LEVELS: Final = ("debug", "info", "warn", "error", "critical")
ROOMS: Final = (
    *("accounts", "admin", "assembly", "console", "control", "discovery", "guard"),
    *("pergola", "plugins", "rpc", "session", "stack", "tap", "weather", "web"),
    "twisted",
)
"""Who writes to the log: the rooms of the program, and Twisted."""


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class RoomLevels:
    """How much single rooms say: ``room=level`` each."""

    is_text: bool = False

    def read(self, value: object, folder: Path) -> tuple[str, ...]:
        """Return the entries; see `IKind`."""
        due = (
            'a list such as ["pergola=debug"], of the rooms '
            f"{', '.join(ROOMS)} and the levels {', '.join(LEVELS)}"
        )
        if not isinstance(value, list):
            raise Unfit(due)
        entries = []
        for entry in value:
            room, _, level = (
                entry.partition("=") if isinstance(entry, str) else ("",) * 3
            )
            if room not in ROOMS or level not in LEVELS:
                raise Unfit(due)
            entries.append(f"{room}={level}")
        return tuple(entries)


@implementer(IKind)
@dataclass(frozen=True, slots=True)
class HttpAddress:
    """The address of something that is reached over HTTP; may be empty."""

    is_text: bool = True

    def read(self, value: object, folder: Path) -> str:
        """Return the address; see `IKind`."""
        due = 'an address such as "http://127.0.0.1:4318", or ""'
        if value == "":
            return ""
        if not isinstance(value, str) or not value.isascii():
            raise Unfit(due)
        try:
            parts = urlsplit(value)
            is_fit = parts.scheme in ("http", "https") and bool(parts.hostname)
            is_fit = is_fit and parts.port != 0
        except ValueError as error:
            raise Unfit(due) from error
        if not is_fit:
            raise Unfit(due)
        return value
