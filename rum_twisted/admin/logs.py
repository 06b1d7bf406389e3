"""Where the log goes: twistd's own place, and a file of ours.

twistd decides early where its log goes: to the terminal, or to ``--logfile``. That
stays so, and only the levels of the rooms are put before it (`observer_for`). The file
of the settings comes besides: its size is bounded, with all its predecessors, and it
may be JSON. It is opened when the services start, under the account that the process
serves with; what came up before is kept in memory until then.
"""

import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from twisted.application.service import Service
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    Logger,
    LogPublisher,
    globalLogPublisher,
    textFileLogObserver,
)
from twisted.python.logfile import LogFile as TwistedLogFile
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.admin.events import json_line, text_line
from rum_twisted.admin.levels import Levels
from rum_twisted.admin.rotating import RotatingFile
from rum_twisted.config.log_kinds import LEVELS
from rum_twisted.terms.metric import Family

__all__ = ["LogOutput", "observer_for"]

MOST_EARLY: Final = 1000  # events before the start
_DAEMONS_FILE: Final = "twistd.log"
_FORMS: Final[Mapping[str, Callable[[LogEvent], bytes]]] = {
    "json": json_line,
    "text": text_line,
}


class LogOutput(Service):
    """Writes the log to a file, and counts what is said.

    Args:
        levels: let events pass.
        file: ``None``: events are only counted.
        form: ``json`` or ``text``.
        publisher: where events come from.

    Invariants: nothing waits in memory once it has started; an event that cannot be
    written is counted as lost, and keeps nobody.
    """

    log = Logger()
    name = "log"

    def __init__(
        self,
        levels: Levels,
        file: RotatingFile | None,
        form: str = "json",
        publisher: LogPublisher = globalLogPublisher,
    ) -> None:
        self._file = file
        self._line = _FORMS[form]
        self._publisher = publisher
        self._early: deque[LogEvent] = deque(maxlen=MOST_EARLY)
        self._observer = FilteringLogObserver(_Taker(self._take), [levels])
        self._is_writing = False
        self._is_troubled = False  # the other places of the log know
        self.counts = dict.fromkeys(LEVELS, 0)
        self.lost = 0  # events, since the start

    @override
    def __repr__(self) -> str:
        return f"<LogOutput {self._file}: {self.lost} lost>"

    def listen(self) -> None:
        """Take events from now on; a second time changes nothing."""
        self._publisher.removeObserver(self._observer)
        self._publisher.addObserver(self._observer)

    @override
    def startService(self) -> None:
        """Write, beginning with what came up before."""
        super().startService()
        self.listen()
        self._is_writing = True
        while self._early:
            self._write(self._early.popleft())

    @override
    def stopService(self) -> None:
        """Take no more events; all other services have ended before."""
        super().stopService()
        self._is_writing = False
        self._publisher.removeObserver(self._observer)

    def families(self) -> Iterator[Family]:
        """Yield what is counted; see `Metered`."""
        text = "Events in the log, by level."
        counts = dict(self.counts)
        yield Family.by("level", "rum_log_events", "counter", text, counts)
        text = "Events that the file of the log did not take: mostly a full disk."
        yield Family.single("rum_log_lost_events", "counter", text, self.lost)

    def _take(self, event: LogEvent) -> None:
        level = getattr(event.get("log_level"), "name", "info")
        self.counts[level] = self.counts.get(level, 0) + 1
        if self._file is None:
            return
        if self._is_writing:
            self._write(event)
        else:
            self._early.append(event)

    def _write(self, event: LogEvent) -> None:
        assert self._file is not None, "without a file nothing is written"
        try:
            line = self._line(event)
            if line:
                self._file.append(line)
        except OSError as error:
            self.lost += 1
            self._tell(error.strerror or str(error))
        else:
            if self._is_troubled:
                self._is_troubled = False
                self.log.warn(
                    "log file {path} is written again; {lost} events are missing",
                    path=self._file.path,
                    lost=self.lost,
                )

    def _tell(self, trouble: str) -> None:
        """Tell the log's other places, once; this event comes here as well."""
        if self._is_troubled:
            return
        assert self._file is not None, "see above"
        self._is_troubled = True
        self.log.warn(
            "log file {path} cannot be written: {trouble}; events go on elsewhere",
            path=self._file.path,
            trouble=trouble,
        )


@implementer(ILogObserver)
class _Taker:
    """What Twisted calls for each event."""

    def __init__(self, take: Callable[[LogEvent], None]) -> None:
        self._take = take

    def __call__(self, event: LogEvent) -> None:
        self._take(event)


def observer_for(
    options: Mapping[str, Any], levels: Levels, *, has_file: bool
) -> Callable[[], ILogObserver] | None:
    """Return what makes twistd's observer of the log, or ``None`` to leave it alone.

    Args:
        options: twistd's own.
        levels: let events pass.
        has_file: whether the log goes to a file of the settings as well; a daemon that
            has one needs none of twistd's.
    """
    if options.get("logger") or options.get("syslog"):
        return None  # the operator has chosen something else

    def make() -> ILogObserver:
        found = FilteringLogObserver(_place(options, has_file=has_file), [levels])
        taken: ILogObserver = found
        return taken

    return make


def _place(options: Mapping[str, Any], *, has_file: bool) -> ILogObserver:
    """Return what writes to twistd's place, as twistd itself would."""
    name, in_foreground = options.get("logfile"), bool(options.get("nodaemon"))
    observer: ILogObserver
    if name == "-" and not in_foreground:
        raise SystemExit("Daemons cannot log to stdout, exiting!")
    if in_foreground and (not name or name == "-"):
        observer = textFileLogObserver(sys.stdout)
    elif not name and has_file:
        observer = _Taker(lambda event: None)
        if not signal.getsignal(signal.SIGUSR1):
            # Whoever moves logs away sends it; unheeded, it ends the process.
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    else:
        file = TwistedLogFile.fromFullPath(str(Path(name or _DAEMONS_FILE)))
        observer = _Rotating(file)
    return observer


@implementer(ILogObserver)
class _Rotating:
    """twistd's own file; SIGUSR1 begins a new one."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._write = textFileLogObserver(file)
        self._is_due = False
        if not signal.getsignal(signal.SIGUSR1):  # nobody else wants it
            signal.signal(signal.SIGUSR1, self._note)

    def __call__(self, event: LogEvent) -> None:
        if self._is_due:
            self._is_due = False
            self._file.rotate()
        self._write(event)

    def _note(self, number: int, frame: object) -> None:
        # It may come in the middle of a line.
        self._is_due = True
