"""A process of its own that brings the tables forward, and ends.

What it imports for that, and what the work fills, goes with it.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from typing_extensions import override

import rum_twisted
from rum_twisted.accounts.migrate import Outcome
from rum_twisted.terms.units import Seconds

__all__ = ["migrate_in_child"]

_PROGRAM: Final = "rum_twisted.accounts.migrate"
_TIMEOUT: Final = Seconds(900.0)  # a large table on a slow disk
_LONGEST_OUTPUT: Final = 10_000  # bytes that are kept; a traceback is less
_NO_WORDS: Final = "the process that migrates said nothing"


def migrate_in_child(url: URL, reactor: Any) -> Deferred[tuple[Outcome, str]]:
    """Bring a database's tables forward in another process.

    Args:
        url: the database's; its password is handed over where nobody else sees it.
        reactor: starts the process, and ends it after 15 minutes.

    Returns:
        a Deferred that fires with what came of it, and one line about that.
        Cancelling it ends the process, and it fires when that is gone.
    """
    child = _Child(url.render_as_string(hide_password=False))
    path = str(Path(rum_twisted.__file__).parents[1])
    earlier = os.environ.get("PYTHONPATH")
    environ = {
        **os.environ,
        "PYTHONPATH": f"{path}{os.pathsep}{earlier}" if earlier else path,
    }
    arguments = [sys.executable, "-m", _PROGRAM]
    reactor.spawnProcess(child, sys.executable, arguments, environ)
    return child.ended.addTimeout(_TIMEOUT, reactor, _say_too_slow)


def _say_too_slow(
    _outcome: tuple[Outcome, str] | Failure, timeout: float
) -> tuple[Outcome, str]:
    return Outcome.AWAY, f"the tables were not renewed within {timeout:.0f} s"


class _Child(ProcessProtocol):
    """The other process: one line in, what it says out."""

    def __init__(self, line: str) -> None:
        # Fires with None when it is cancelled: then the end has still to come.
        told: Deferred[tuple[Outcome, str] | None] = Deferred(self._kill)
        self.ended = told.addCallback(self._wait_for_end)
        self._told = told
        self._gone: Deferred[tuple[Outcome, str]] = Deferred()
        self._line = line
        self._output = b""
        self.transport: Any

    @override
    def connectionMade(self) -> None:
        """Say the one line."""
        self.transport.write(f"{self._line}\n".encode())
        self.transport.closeStdin()

    @override
    def outReceived(self, data: bytes) -> None:
        """Keep what it says."""
        self._output = (self._output + data)[-_LONGEST_OUTPUT:]

    @override
    def errReceived(self, data: bytes) -> None:
        """Keep its traceback, if there is one."""
        self.outReceived(data)

    @override
    def processEnded(self, reason: Failure) -> None:
        """Tell the end."""
        if self._told.called:
            self._gone.errback(CancelledError())
            return
        words = self._output.decode("utf-8", "replace").strip() or _NO_WORDS
        try:
            outcome = Outcome(getattr(reason.value, "exitCode", Outcome.FAILED))
        except ValueError:  # a signal, or a status that the program does not have
            outcome = Outcome.FAILED
        self._told.callback((outcome, words))

    def _kill(self, told: Deferred[tuple[Outcome, str] | None]) -> None:
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")
        told.callback(None)

    def _wait_for_end(
        self, told: tuple[Outcome, str] | None
    ) -> Deferred[tuple[Outcome, str]]:
        return self._gone if told is None else succeed(told)
