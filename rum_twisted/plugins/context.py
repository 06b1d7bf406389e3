"""What a plugin may do: all of it, and from any thread."""

import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.threads import blockingCallFromThread
from twisted.logger import Logger

from rum_twisted.plugins.guard import Guard
from rum_twisted.session.hooks import Kick, LoggedOn, Tell
from rum_twisted.terms.units import Seconds

__all__ = ["NotPermitted", "PluginContext"]

LONGEST_TEXT: Final = 400  # characters of what a client is told in one text
LONGEST_NOTE: Final = 500  # … of what is written into the log
_BREATHER: Final = 0.01  # seconds that a thread waits which does too much


class NotPermitted(Exception):
    """The plugin's settings do not permit it."""


class PluginContext:
    """The network, to one plugin.

    Every method may be called from any thread, at any time after the plugin was made.
    What is more than `plugins.actions` a second is dropped, and counted.

    Args:
        name: the plugin's.
        reactor: what the role runs on.
        online: tells who is online.
        find_metar: looks a report up.
        folder: where it may keep files; it need not exist.
        now: tells the seconds since the Unix epoch, UTC.
    """

    log = Logger(namespace="rum.plugin")

    def __init__(
        self,
        name: str,
        reactor: Any,
        *,
        online: Callable[[], Iterable[LoggedOn]],
        find_metar: Callable[[str], Deferred[str | None]],
        folder: Path,
        now: Callable[[], Seconds],
    ) -> None:
        self.name = name
        self.reactor = reactor
        self.folder = folder
        self.now = now
        self._online = online
        self._find_metar = find_metar
        self._guard: Guard | None = None

    def bind(self, guard: Guard) -> None:
        """Let it act, through its guard; called once, by the host."""
        self._guard = guard

    def tell(self, callsign: str, text: str) -> None:
        """Send a text of the server to somebody; nothing if he is not on.

        Args:
            callsign: whom.
            text: in any script, one line for each; what is longer than a packet is cut.
        """
        for line in text.splitlines():
            if line.strip():
                self._do(Tell(callsign, line[:LONGEST_TEXT]))

    def kick(self, callsign: str, reason: str) -> None:
        """End somebody's session; nothing if he is not on.

        Args:
            callsign: whom.
            reason: he reads it, and it stands in the logbook.

        Raises:
            NotPermitted: ``may_kick`` is not among the plugin's settings.
        """
        if self._guard is None or not self._guard.may_kick:
            raise NotPermitted(
                f"plugins.settings.{self.name}.may_kick = true: due before a kick"
            )
        self._do(Kick(callsign, reason[:LONGEST_TEXT], self.name))

    def online(self) -> tuple[LoggedOn, ...]:
        """Return who is online, in the order in which they came."""
        if _is_elsewhere(self.reactor):
            found: tuple[LoggedOn, ...] = blockingCallFromThread(
                self.reactor, self._look_round
            )
            return found
        return self._look_round()

    def metar(self, station: str) -> Deferred[str | None]:
        """Look a station's report up; for methods that are ``async def``.

        Args:
            station: e.g. ``EHAM``.

        Returns:
            a Deferred with the report, or ``None`` if there is none. It never fails.
        """
        if self._guard is None or not self._guard.admits():
            return succeed(None)
        return self._find_metar(station)

    def find_metar(self, station: str) -> str | None:
        """Return a station's report, or ``None``; for plain methods: this waits.

        Raises:
            RuntimeError: it was called by the reactor, which would wait for itself.
        """
        if not _is_elsewhere(self.reactor):
            raise RuntimeError("find_metar() waits: in `async def`, await metar()")
        wait: Any = blockingCallFromThread  # typed for functions without a Deferred
        found: str | None = wait(self.reactor, self.metar, station)
        return found

    def note(self, text: str) -> None:
        """Write a line into the server's log."""
        if self._guard is not None and self._pass():
            self.log.info(
                "{plugin}: {text}", plugin=self.name, text=text[:LONGEST_NOTE]
            )

    def _look_round(self) -> tuple[LoggedOn, ...]:
        return tuple(self._online())

    def _do(self, act: Tell | Kick) -> None:
        guard = self._guard
        if guard is None or not self._pass():
            return
        if _is_elsewhere(self.reactor):
            self.reactor.callFromThread(guard.act, act)
        else:
            guard.act(act)

    def _pass(self) -> bool:
        assert self._guard is not None, "asked before"
        if self._guard.admits():
            return True
        if _is_elsewhere(self.reactor):
            # A loop that only asks would take half of the processor from all others.
            threading.Event().wait(_BREATHER)
        return False


def _is_elsewhere(reactor: Any) -> bool:
    """Tell whether this is not the reactor's thread."""
    threadable = sys.modules.get("twisted.python.threadable")
    io_thread = None if threadable is None else threadable.ioThread
    return io_thread is not None and threading.get_ident() != io_thread
