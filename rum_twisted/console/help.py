"""The help file: pages of text, each under a topic.

A page begins with a line ``%topic name:TITLE`` and ends before the next; so does a
classic server's file, which is read as it is. The file is looked at for each question,
and read anew when it has changed.

Source: docs/console.md, "The help file".
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["LARGEST_FILE", "SHIPPED", "HelpFile", "Page"]

SHIPPED: Final = Path(__file__).with_name("help.txt")
LARGEST_FILE: Final = 65_536  # bytes; what is beyond is left out
_TOPIC: Final = "%topic"


@dataclass(frozen=True, slots=True)
class Page:
    """One topic."""

    topic: str
    title: str
    lines: tuple[str, ...]


class HelpFile:
    """Finds pages.

    Args:
        own: the operator's file; where there is none, the one that came with Rum.
    """

    def __init__(self, own: Path) -> None:
        self._own = own
        self._stamp: tuple[object, ...] | None = None  # of the last reading
        self._pages: tuple[Page, ...] = ()

    def pages(self) -> tuple[Page, ...]:
        """Return all pages, in the order of the file.

        Raises:
            OSError: it cannot be read.
        """
        path, status = self._own, None
        with suppress(FileNotFoundError):
            status = path.stat()
        if status is None:
            path = SHIPPED
            status = path.stat()
        stamp = path, status.st_mtime_ns, status.st_size, status.st_ino
        if stamp != self._stamp:
            with path.open("rb") as file:
                text = file.read(LARGEST_FILE).decode("latin-1")
            self._pages = tuple(_pages_of(text))
            self._stamp = stamp
        return self._pages

    def find(self, topic: str) -> Page | None:
        """Return the page of a topic, in any case.

        Raises:
            OSError: see `pages`.
        """
        wanted = topic.lower()
        return next((page for page in self.pages() if page.topic == wanted), None)


def _pages_of(text: str) -> Iterator[Page]:
    topic = title = ""
    lines: list[str] = []
    for line in (*text.splitlines(), _TOPIC):
        if not line.startswith(_TOPIC):
            lines.append(line)
            continue
        if topic:
            yield Page(topic.lower(), title, tuple(lines))
        topic, _, title = line.removeprefix(_TOPIC).strip().partition(":")
        lines = []
