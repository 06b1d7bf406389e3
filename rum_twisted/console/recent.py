"""The last things that the log was told, for who sits at a console.

Only texts are kept: an event holds the objects it speaks of, and would keep them alive.

Source: docs/console.md, "The log".
"""

from collections import deque
from dataclasses import dataclass
from itertools import islice
from time import gmtime, strftime
from typing import Final

from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    LogPublisher,
    formatEvent,
)
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.terms.measure import Measure
from rum_twisted.terms.units import Seconds

__all__ = ["LEVELS", "MOST_KEPT", "RecentLog", "Record"]

MOST_KEPT: Final = 50  # the classic server's number
_LONGEST: Final = 400  # letters of one
_RECORD: Final = 200  # bytes of one besides its text

LEVELS: Final = ("Emerg", "Alert", "Crit", "Err", "Warn", "Info", "Debug")
"""The classic server's levels, by their numbers."""

_NUMBERS: Final = {
    LogLevel.critical: 2,
    LogLevel.error: 3,
    LogLevel.warn: 4,
    LogLevel.info: 5,
    LogLevel.debug: 6,
}


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that was logged."""

    at: Seconds  # since the Unix epoch, UTC
    level: int  # 0, the worst, to 6
    text: str

    @override
    def __str__(self) -> str:
        moment = strftime("%Y-%m-%d %H:%M:%S", gmtime(self.at))
        return f"{moment} {LEVELS[self.level]}: {self.text}"


@implementer(ILogObserver)
class RecentLog:
    """Keeps the last `MOST_KEPT` texts; events may come from any thread.

    Args:
        publisher: whose events are kept, from `start` to `stop`.
    """

    def __init__(self, publisher: LogPublisher) -> None:
        self._publisher = publisher
        self._records: deque[Record] = deque(maxlen=MOST_KEPT)

    def __call__(self, event: LogEvent) -> None:
        """Take an event."""
        level = _NUMBERS.get(event.get("log_level", LogLevel.info), 5)
        text = " ".join(formatEvent(event).split())
        at = Seconds(float(event.get("log_time", 0.0)))
        self._records.append(Record(at, level, text[:_LONGEST]))

    def start(self) -> None:
        """Listen, from now on."""
        self._publisher.addObserver(self)

    def stop(self) -> None:
        """Listen no more; what was kept stays."""
        self._publisher.removeObserver(self)

    def counts(self) -> tuple[int, ...]:
        """Tell how many are kept of each level."""
        levels = [record.level for record in tuple(self._records)]
        return tuple(levels.count(level) for level in range(len(LEVELS)))

    def newest(self, worst: int, amount: int) -> list[Record]:
        """Return the newest first.

        Args:
            worst: the highest number of a level that counts.
            amount: how many at most.
        """
        latest = reversed(tuple(self._records))
        return list(islice((one for one in latest if one.level <= worst), amount))

    def forget(self, worst: int, amount: int) -> int:
        """Forget the newest; see `newest`. Return how many."""
        going = {id(record) for record in self.newest(worst, amount)}
        kept = [one for one in tuple(self._records) if id(one) not in going]
        self._records = deque(kept, maxlen=MOST_KEPT)
        return len(going)

    def measure(self) -> Measure:
        """Tell what they take."""
        texts = sum(len(record.text) for record in tuple(self._records))
        count = len(self._records)
        return Measure(count=count, bytes=count * _RECORD + texts, bound=MOST_KEPT)
