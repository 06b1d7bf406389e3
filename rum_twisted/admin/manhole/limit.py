"""Ends what a prompt has the reactor's own thread do, when it takes too long.

While it runs nothing else does: no client is served, and no key that the operator hits
is read. So a thread beside it keeps the time, looks whether he asks for an end, and
then sends the reactor's thread a signal. That ends loops of Python and waits in the
kernel; a single step inside a C function, ``sum(range(10**12))`` say, it cannot end.
"""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Final

from typing_extensions import override

from rum_twisted.terms.units import Seconds

__all__ = ["Interrupted", "Limit"]

_SIGNAL: Final = signal.SIGALRM  # neither Python nor Twisted uses it
_LOOK: Final = 0.05  # seconds between looks, and between signals to one who goes on


class Interrupted(KeyboardInterrupt):
    """What was running has been ended; the text says why."""


def _nobody_asks() -> bool:
    return False


class Limit:
    """How long something may run.

    Args:
        seconds: from its start.
        is_asked: tells whether somebody asks for an end; called by another thread.
    """

    def __init__(
        self, seconds: Seconds, is_asked: Callable[[], bool] = _nobody_asks
    ) -> None:
        self._seconds = seconds
        self._is_asked = is_asked
        self._is_running = False
        self._reason = ""

    @override
    def __repr__(self) -> str:
        state = "runs" if self._is_running else "rests"
        return f"<Limit of {self._seconds:g} s: {state}>"

    def run(self, work: Callable[[], object]) -> None:
        """Do ``work``, in the main thread, and nowhere longer than may be.

        Raises:
            Interrupted: it has been ended, and did not see to that by itself; or it
                was not begun, since no thread could be had.
        """
        done = threading.Event()
        watch = threading.Thread(
            target=self._watch,
            args=(done, threading.get_ident()),
            name="manhole limit",
            daemon=True,
        )
        before = signal.signal(_SIGNAL, self._interrupt)
        try:
            watch.start()
        except RuntimeError as error:
            signal.signal(_SIGNAL, before)
            raise Interrupted(f"{error}, to keep the time") from error
        try:
            try:
                self._is_running = True
                work()
            finally:
                self._is_running = False
        finally:
            # Again: the signal may have come just before that line.
            self._is_running = False
            done.set()
            watch.join()  # no signal comes after this
            signal.signal(_SIGNAL, before)

    def _watch(self, done: threading.Event, ident: int) -> None:
        end = time.monotonic() + self._seconds
        while not done.wait(_LOOK):
            if time.monotonic() >= end:
                self._reason = f"longer than {self._seconds:g} s"
            elif self._is_asked():
                self._reason = "as asked"
                end = 0.0  # and again, should it go on
            else:
                continue
            signal.pthread_kill(ident, _SIGNAL)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._is_running:
            raise Interrupted(self._reason)
