"""A socket file that only the account which runs the server, and root, may open."""

import errno
import os
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import ServerFactory
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.control.address import socket_name

__all__ = ["CannotOpen", "SocketFile"]

_OWNER_ONLY: Final = 0o600
_NOT_OTHERS: Final = 0o177  # the mask that makes it so from the start


class CannotOpen(Exception):
    """The file cannot be made, or another server listens there; the text says why."""


class _Port(unix.Port):
    """A socket file that somebody may have removed before it is closed."""

    @override
    def connectionLost(self, reason: Failure) -> None:
        """Close the socket, and remove its file if it is still there."""
        try:
            super().connectionLost(reason)
        except FileNotFoundError:
            tcp.Port.connectionLost(self, reason)


class SocketFile:
    """Listens on a socket file.

    Invariant: the file is there exactly from `open` to `close`.

    Args:
        path: the file; folders on the way to it are made.
        reactor: what it listens on.
    """

    def __init__(self, path: Path, reactor: Any) -> None:
        self.path = path
        self._reactor = reactor
        self._port: _Port | None = None
        self._names = ExitStack()  # what the socket's name is valid in

    @override
    def __repr__(self) -> str:
        return f"{self.path}: {'open' if self._port else 'closed'}"

    def open(self, factory: ServerFactory) -> None:
        """Listen; a file that a server left behind when it was killed is removed.

        Raises:
            CannotOpen: the file cannot be made, or a server listens there.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            name = self._names.enter_context(socket_name(self.path))
            _remove_if_dead(self.path, name)
            self._port = self._listen(name, factory)
        except (CannotListenError, OSError) as error:
            self._names.close()
            reason = getattr(error, "socketError", error)
            raise CannotOpen(
                getattr(reason, "strerror", None) or str(reason)
            ) from error

    def close(self) -> Deferred[None]:
        """Listen no more, and remove the file; fires when that is done."""
        port, self._port = self._port, None
        if port is None:
            return succeed(None)
        closed: Deferred[None] = maybeDeferred(port.stopListening)
        return closed.addBoth(self._forget_name)

    def _listen(self, name: bytes, factory: ServerFactory) -> _Port:
        port = _Port(name, factory, mode=_OWNER_ONLY, reactor=self._reactor)
        mask = os.umask(_NOT_OTHERS)  # not even for a moment may others connect
        try:
            port.startListening()
        finally:
            os.umask(mask)
        return port

    def _forget_name(self, result: Any) -> Any:
        self._names.close()
        return result


def _remove_if_dead(path: Path, name: bytes) -> None:
    """Remove the socket file that a server left behind when it was killed.

    Raises:
        OSError: a server listens there, or the file cannot be removed.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)
        try:
            probe.connect(name)
        except FileNotFoundError:
            return
        except BlockingIOError:  # so many wait there that it must be alive
            pass
        except ConnectionRefusedError:
            # So is a file that is no socket; it is left alone, and told of later.
            if path.is_socket():
                path.unlink()
            return
    raise OSError(errno.EADDRINUSE, "another server listens there")
