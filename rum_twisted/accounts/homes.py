"""After a start, the guard learns where members have logged on before.

From such an address a member is not held up by what others type for him
(`rum_twisted.accounts.throttle`). Without this, whoever guesses could lock everybody
out of his own home by waiting for a restart.

The logbook has the addresses. The last sessions are read, the newest first, a page at a
time, so that nobody waits for it; an address that somebody had long ago may be another
one's by now, and is left out.
"""

from collections.abc import Callable
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.accounts.member import SessionRecord
from rum_twisted.accounts.patient import DatabaseAway, PatientDatabase
from rum_twisted.accounts.throttle import Throttle
from rum_twisted.terms.units import Seconds

__all__ = ["FormerHomes"]

PAGE: Final = 200  # sessions at a time: a millisecond of the reactor
MOST: Final = 20_000  # sessions in all; of a large club, the last days
OLDEST: Final = Seconds(30 * 86_400.0)
"""How old a session may be: lines of homes keep their address for weeks."""


class FormerHomes(Service):
    """Tells the guard, once, where members have logged on before this run.

    Args:
        database: has the sessions; waited for until it is there.
        throttle: is told.
        now: tells the seconds since the Unix epoch.
    """

    log = Logger()
    name = "former homes"

    def __init__(
        self,
        database: PatientDatabase,
        throttle: Throttle,
        now: Callable[[], Seconds],
    ) -> None:
        self._database = database
        self._throttle = throttle
        self._now = now
        self._work: Deferred[None] | None = None

    @override
    def startService(self) -> None:
        """Begin to wait for the database."""
        super().startService()
        self._work = Deferred.fromCoroutine(self._tell()).addErrback(self._excuse)

    @override
    def stopService(self) -> None:
        """Read no more."""
        super().stopService()
        work, self._work = self._work, None
        if work is not None:
            work.cancel()

    async def _tell(self) -> None:
        since = Seconds(self._now() - OLDEST)
        last: SessionRecord | None = None
        for _ in range(MOST // PAGE):
            page = await self._page(since, last)
            for record in page:
                if not self._throttle.recall(record.cid, record.address):
                    return
            if len(page) < PAGE:
                return
            last = page[-1]

    def _page(
        self, since: Seconds, last: SessionRecord | None
    ) -> Deferred[list[SessionRecord]]:
        return self._database.ask(
            lambda directory: directory.last_sessions(since, PAGE, before=last), None
        )

    def _excuse(self, failure: Failure) -> None:
        if self.running and not failure.check(DatabaseAway, CancelledError):
            self.log.failure("former homes of members cannot be read", failure)
