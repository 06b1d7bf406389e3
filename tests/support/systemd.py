"""The end of a notification socket at which systemd listens, for tests."""

import socket
from typing import Final

__all__ = ["Systemd"]

_LONGEST: Final = 4096  # bytes of what is said at once


class Systemd:
    """Hears what services say of themselves.

    Args:
        address: as in the variable ``NOTIFY_SOCKET``; one that begins with ``@`` is no
            file.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))

    def heard(self) -> list[str]:
        """Return what was said since the last call."""
        self._socket.setblocking(False)  # noqa: FBT003 - the library's own
        words = []
        while True:
            try:
                words.append(self._socket.recv(_LONGEST).decode("ascii"))
            except BlockingIOError:
                return words

    def hear(self, seconds: float) -> str:
        """Return the next word.

        Raises:
            TimeoutError: nothing is said for so long.
        """
        self._socket.settimeout(seconds)
        return self._socket.recv(_LONGEST).decode("ascii")

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()
