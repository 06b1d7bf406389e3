"""What strangers do to the console: counted, and told in one line now and then.

A hundred wrong passwords a second may not fill the log.
"""

from collections import Counter
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from rum_twisted.terms.units import Seconds

__all__ = ["INTERVAL", "Complaints"]

INTERVAL: Final = Seconds(60.0)
"""From the first thing that is worth a word to the line that tells of all."""


class Complaints:
    """Counts, and writes one line a minute, if there is anything to tell.

    Args:
        clock: times the lines.

    Invariant: a line is due exactly while something is counted.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._last = ""
        self._due: IDelayedCall | None = None

    def note(self, what: str, address: str) -> None:
        """Count something.

        Args:
            what: in the plural, e.g. ``wrong passwords``; one of a few.
            address: where it came from.
        """
        self._counts[what] += 1
        self._last = address
        if self._due is None:
            self._due = self._clock.callLater(INTERVAL, self.tell)

    def tell(self) -> None:
        """Write the line, now; nothing where nothing is counted."""
        due, self._due = self._due, None
        if due is None:
            return
        if due.active():
            due.cancel()
        counts, self._counts = self._counts, Counter()
        summary = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
        self.log.warn(
            "console: {summary} within {seconds:g} s; the last from {address}",
            summary=summary,
            seconds=INTERVAL,
            address=self._last or "an unknown place",
        )
