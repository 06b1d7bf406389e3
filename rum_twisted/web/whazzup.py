"""Keeps the status file up to date, and lets nothing about it disturb the network.

Maps fetch the file at any moment, so it is written beside and put in place whole.
What goes wrong with it, a full disk or a folder that is gone, is the operator's to
know, once, and never a client's to feel.

Source: docs/protocol.md, "Status file".
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.terms.units import Seconds
from rum_twisted.web.whazzup_text import (
    ServerIdentity,
    client_line,
    head,
    render,
    tail,
)
from rum_twisted.world.client import Client

__all__ = ["ServerIdentity", "WhazzupFile", "render", "replace_file"]

# As many as take about half a millisecond of a modern core; a share of one core of
# a small machine stretches that to a few.
CLIENTS_PER_TURN: Final = 100
# Web servers of other accounts read it, and a daemon's usual umask would hide it.
_PUBLIC: Final = 0o644


def replace_file(path: Path, text: bytes) -> None:
    """Put ``text`` in the place of the file at ``path``, as a whole or not at all.

    Folders on the way are made; the file may be read by everybody.

    Raises:
        OSError: it cannot be done; the former file is as it was, and nothing is
            left beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.tmp")
    try:
        with beside.open("wb") as file:
            file.write(text)
        beside.chmod(_PUBLIC)
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise


class WhazzupFile(Service):
    """Writes the status file at start, every ``interval``, and once at the end.

    A few clients are written down in each turn of the reactor, so that a big
    network's file delays nobody's position. Each line is true of one moment; the
    first and the last may be some turns apart.

    The file of a server that was stopped lists nobody: no map shows ghosts.

    Args:
        path: where the file belongs; a ``.tmp`` beside it is used for writing.
        interval: from one beginning to the next, in seconds.
        clock: tells when to write.
        clients: tells who is online.
        server: how the server presents itself.
        now: tells the seconds since the Unix epoch, UTC.
    """

    log = Logger()
    name = "whazzup"

    def __init__(
        self,
        path: Path,
        *,
        interval: Seconds,
        clock: IReactorTime,
        clients: Callable[[], Iterable[Client]],
        server: ServerIdentity,
        now: Callable[[], float],
    ) -> None:
        self._path = path
        self._interval = interval
        self._clock = clock
        self._clients = clients
        self._server = server
        self._now = now
        self._writes: LoopingCall | None = None
        self._writing: Deferred[None] | None = None
        self._is_in_trouble = False

    @override
    def __repr__(self) -> str:
        state = "in trouble" if self._is_in_trouble else "well"
        return f"<WhazzupFile {self._path}: {state}>"

    @override
    def startService(self) -> None:
        """Write the file, and go on writing it."""
        super().startService()
        self._writes = LoopingCall(self._write)
        self._writes.clock = self._clock
        finished = self._writes.start(self._interval)
        finished.addErrback(
            lambda reason: self.log.failure("status file: writing ended", reason)
        )

    @override
    def stopService(self) -> None:
        """Write a last file without clients, and write no more."""
        super().stopService()
        if self._writes is None:
            return
        self._writes.stop()
        self._writes = None
        if self._writing is not None:
            self._writing.cancel()
        self._store(render((), self._server, self._now()))

    def _write(self) -> Deferred[None]:
        """Write the file once; the Deferred fires with no failure, ever."""
        self._writing = Deferred.fromCoroutine(self._list_and_store())
        return self._writing

    async def _list_and_store(self) -> None:
        try:
            self._store(await self._list())
        except CancelledError:
            return  # the service stops: its last file is due instead
        except Exception:  # noqa: BLE001 - one bad file must not end all later ones
            self.log.failure("status file {path}: not written", path=self._path)

    async def _list(self) -> bytes:
        clients = tuple(self._clients())
        text = bytearray(head(len(clients), self._server, self._now()))
        for start in range(0, len(clients), CLIENTS_PER_TURN):
            if start:
                await deferLater(self._clock, 0)
            for client in clients[start : start + CLIENTS_PER_TURN]:
                text += client_line(client, self._server.ident)
        text += tail(self._server)
        return bytes(text)

    def _store(self, text: bytes) -> None:
        """Put the file in place; tell once that it cannot be done, or can again."""
        try:
            replace_file(self._path, text)
        except OSError as error:
            if not self._is_in_trouble:
                self._is_in_trouble = True
                self.log.warn(
                    "status file {path} cannot be written: {trouble}; it is tried"
                    " again every {seconds} s",
                    path=self._path,
                    trouble=error.strerror or str(error),
                    seconds=self._interval,
                )
        else:
            if self._is_in_trouble:
                self._is_in_trouble = False
                self.log.info("status file {path} is written again", path=self._path)
