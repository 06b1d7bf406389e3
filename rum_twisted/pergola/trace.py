"""One client's lines, shown to an operator while they come and go.

A client who is not shown pays nothing for it: what is shown stands in the way of his
lines only while somebody looks.
"""

from collections.abc import Callable
from typing import Final

from twisted.logger import Logger

from rum_twisted.session.session import Session
from rum_twisted.wire.secrets import without_secrets

__all__ = ["Take", "Tap"]

Take = Callable[[bool, bytes], None]
"""Is given a line without its end, and whether the client said it."""

_LONGEST_LINE: Final = 65_536  # bytes; of a longer one the begin is not shown


class Tap:
    """Stands between a client and who handles his lines.

    Invariant: a bug in what shows the lines does the client no harm; it ends the show.

    Args:
        receive: handles his lines.
        send: takes what he is sent, and tells how much of it.
        take: shows them.
    """

    __slots__ = ("_begun", "_receive", "_send", "_take")

    log = Logger()

    def __init__(
        self,
        receive: Callable[[Session, bytes], None],
        send: Callable[[bytes], int],
        take: Take,
    ) -> None:
        self._receive = receive
        self._send = send
        self._take: Take | None = take
        self._begun = b""  # a line that was written in part

    def close(self, last_words: bytes = b"") -> None:
        """Show nothing more.

        Args:
            last_words: shown before that; empty: none.
        """
        if last_words:
            self._show(False, last_words)  # noqa: FBT003 - not the client's
        self._take = None

    def receive(self, session: Session, line: bytes) -> None:
        """Show what the client says, then have it handled."""
        self._show(True, line)  # noqa: FBT003 - the one who said it
        self._receive(session, line)

    def send(self, data: bytes) -> int:
        """Send the client something, and show what was taken."""
        sent = self._send(data)
        self.note_sent(data[:sent])
        return sent

    def note_sent(self, data: bytes) -> None:
        """Show what the client was sent in another way."""
        *lines, begun = (self._begun + data).split(b"\n")
        for line in lines:
            self._show(False, line.rstrip(b"\r"))  # noqa: FBT003 - as above
        self._begun = begun[-_LONGEST_LINE:]

    def _show(self, is_input: bool, line: bytes) -> None:  # noqa: FBT001
        take = self._take
        if take is None:
            return
        try:
            take(is_input, without_secrets(line))
        except Exception:  # noqa: BLE001 - an operator's trouble is not the client's
            self._take = None
            self.log.failure("a client's lines could not be shown")
