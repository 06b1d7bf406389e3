"""Whether a process can do its work just now: a word that every room can say."""

from typing import Protocol, runtime_checkable

__all__ = ["Needed"]


@runtime_checkable
class Needed(Protocol):
    """A part without which the process cannot take new work."""

    def unready(self) -> str:
        """Return why it cannot be used just now, in a few words; empty: it can.

        Any thread may ask, at any time; it takes a moment only.
        """
