"""What a client reads first: the product, then the message of the day."""

from pathlib import Path
from typing import Final

from rum_twisted import __version__

__all__ = ["PRODUCT", "Greeting"]

PRODUCT: Final = f"Rum FSD server {__version__}"
_LONGEST: Final = 65_536  # bytes of a message of the day; what is beyond is left out


class Greeting:
    """The lines of the greeting; the file is looked at anew for each logon.

    Args:
        path: of the message of the day; it need not exist. An empty line in it is
            an empty line of the greeting. It may be in any encoding.
        operator: how members reach the operator; may be empty.
    """

    __slots__ = ("_first", "_lines", "_path", "_stamp")

    def __init__(self, path: Path, operator: str = "") -> None:
        self._path = path
        self._first = f"{PRODUCT}, {operator}" if operator else PRODUCT
        self._stamp: tuple[int, int, int] | None = None
        self._lines: tuple[str, ...] = ()

    def __call__(self) -> tuple[str, ...]:
        """Return the lines; reads the file only if it has changed."""
        try:
            status = self._path.stat()
            stamp = status.st_mtime_ns, status.st_size, status.st_ino
            if stamp != self._stamp:
                self._lines = self._read()
                self._stamp = stamp
        except OSError:
            # No message of the day is a usual thing, and no reason to keep anybody
            # out.
            self._stamp = None
            self._lines = ()
        return (self._first, *self._lines)

    def _read(self) -> tuple[str, ...]:
        with self._path.open("rb") as file:
            text = file.read(_LONGEST).decode("latin-1")
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if lines[-1] == "":
            del lines[-1]
        return tuple(lines)
