"""Tells systemd that this process is ready, that it ends, and that it goes round.

systemd names a datagram socket in the environment of a service that it starts with
``Type=notify``; words that are sent there count. Where ``WatchdogSec=`` is set, it
kills and starts anew a service that has not said ``WATCHDOG=1`` for so long. Here the
reactor says it, so a process whose reactor stands still is ended, however alive its
threads are.

Source: systemd, sd_notify(3), sd_watchdog_enabled(3).
"""

import os
import socket
from collections.abc import Callable, MutableMapping
from typing import Final

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.terms.units import Seconds

__all__ = ["SOCKET", "SystemdNotifier", "take_notifier"]

SOCKET: Final = "NOTIFY_SOCKET"
"""The variable that is there where somebody waits for our words."""

_INTERVAL: Final = "WATCHDOG_USEC"
_PROCESS: Final = "WATCHDOG_PID"
_SHARE: Final = 0.5  # of the time that systemd waits, as it recommends
_MICROSECONDS: Final = 1_000_000  # in a second
_ABSTRACT: Final = "@"  # stands for the zero byte of a name without a file


class SystemdNotifier(Service):
    """Tells systemd what becomes of this process.

    It is started last and stopped first: what it says is true of all others. What
    cannot be said is logged once and does no harm here; systemd draws its own
    conclusions.

    Args:
        address: of the socket, as systemd names it.
        interval: between two words of the watchdog; ``None``: it is not waited for.
        clock: the reactor.
    """

    log = Logger()
    name = "systemd"

    def __init__(
        self, address: str, interval: Seconds | None, clock: IReactorTime
    ) -> None:
        self._address = address
        self._interval = interval
        self._clock = clock
        self._is_heard = True
        self._loop: LoopingCall | None = None

    @override
    def __repr__(self) -> str:
        watchdog = "no watchdog" if self._interval is None else f"{self._interval} s"
        return f"<SystemdNotifier to {self._address}: {watchdog}>"

    @override
    def startService(self) -> None:
        """Say that we are ready as soon as the reactor goes round; then, that it does.

        A second time changes nothing.
        """
        if self.running:
            return
        super().startService()
        self._clock.callLater(0, self._begin)

    @override
    def stopService(self) -> None:
        """Say that we end."""
        if not self.running:
            return
        super().stopService()
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.stop()
        self._say("STOPPING=1")

    def _begin(self) -> None:
        if not self.running or self._loop is not None:
            return  # stopped before it was ready
        self._say("READY=1")
        if self._interval is None:
            return
        self._loop = LoopingCall(self._say, "WATCHDOG=1")
        self._loop.clock = self._clock
        self._loop.start(self._interval)

    def _say(self, word: str) -> None:
        name = self._address
        if name.startswith(_ABSTRACT):
            name = "\0" + name.removeprefix(_ABSTRACT)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
                speaker.setblocking(False)  # noqa: FBT003 - the library's own
                speaker.sendto(word.encode("ascii"), name)
        except OSError as error:
            if self._is_heard:
                self.log.warn(
                    "systemd cannot be told {word} at {address}: {trouble}",
                    word=word,
                    address=self._address,
                    trouble=error.strerror or str(error),
                )
            self._is_heard = False
        else:
            self._is_heard = True


def take_notifier(
    environ: MutableMapping[str, str],
    clock: IReactorTime,
    *,
    own_number: Callable[[], int] = os.getpid,
) -> SystemdNotifier | None:
    """Return what tells systemd, if it waits for that; its variables go.

    Processes that we start must not speak for us.

    Args:
        environ: of this process.
        clock: the reactor.
        own_number: tells the number of this process.
    """
    address = environ.pop(SOCKET, "")
    interval = environ.pop(_INTERVAL, "")
    meant = environ.pop(_PROCESS, "") or str(own_number())
    if not address:
        return None
    is_waited_for = (
        interval.isdecimal() and int(interval) and meant == str(own_number())
    )
    return SystemdNotifier(
        address,
        Seconds(int(interval) / _MICROSECONDS * _SHARE) if is_waited_for else None,
        clock,
    )
