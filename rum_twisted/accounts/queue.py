"""Logons wait their turn: in order, and not without end.

A store may take a moment for each password, and on the evening of an event a
thousand members come at the same time. So only a few are checked at once, the
others wait in the order in which they came, and when too many wait, the next is told
so at once, rather than after a minute.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, fail, maybeDeferred
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.session.interfaces import Account, IAccounts
from rum_twisted.terms.errors import ErrorCode, WorldError
from rum_twisted.terms.measure import Measure

__all__ = ["QueuedAccounts", "TooManyLogons"]

_LOGON: Final = 440  # bytes of one that waits: its Deferred and its texts


class TooManyLogons(WorldError):
    """More logons wait than the server keeps waiting; a later try may succeed."""

    code = ErrorCode.SERVER_FULL


@implementer(IAccounts)
class QueuedAccounts:
    """A store behind a queue.

    Args:
        accounts: the store that is asked.
        at_once: how many checks it is given at the same time.
        longest: how many logons may wait.

    Invariants: at most ``at_once`` checks are under way; nobody waits while fewer
    are; nobody is asked for before those who came before him.
    """

    def __init__(self, accounts: IAccounts, *, at_once: int, longest: int) -> None:
        self._accounts = accounts
        self._at_once = at_once
        self._longest = longest
        self._checks: dict[Deferred[Account], Deferred[Account]] = {}  # under way
        self._waiting: deque[tuple[Deferred[Account], str, str, str]] = deque()
        self._is_going_on = False

    @override
    def __repr__(self) -> str:
        asked = len(self._checks)
        return f"<QueuedAccounts: {asked} asked, {self.waiting} waiting>"

    @property
    def waiting(self) -> int:
        """How many logons wait."""
        return len(self._waiting)

    def measures(self) -> dict[str, Callable[[], Measure]]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"logons": self.measure}

    def measure(self) -> Measure:
        """Tell how many logons wait, and what they take."""
        return Measure(
            count=self.waiting, bytes=self.waiting * _LOGON, bound=self._longest
        )

    def authenticate(
        self, cid: str, password: str, address: str = ""
    ) -> Deferred[Account]:
        """Check a password when its turn has come; see `IAccounts`.

        It fails with `TooManyLogons` if too many wait already.
        """
        answer: Deferred[Account] = Deferred(self._give_up)
        if len(self._checks) < self._at_once and not self._waiting:
            self._ask(answer, cid, password, address)
        elif len(self._waiting) < self._longest:
            self._waiting.append((answer, cid, password, address))
        else:
            return fail(TooManyLogons())
        return answer

    def _ask(
        self, answer: Deferred[Account], cid: str, password: str, address: str
    ) -> None:
        check: Deferred[Account] = maybeDeferred(
            self._accounts.authenticate, cid, password, address
        )
        self._checks[answer] = check
        check.addBoth(self._finish, answer)

    def _finish(self, result: Any, answer: Deferred[Account]) -> None:
        """Pass a store's answer on; then the next have their turn."""
        del self._checks[answer]
        if not answer.called:
            answer.callback(result)
        if not self._is_going_on:
            self._go_on()

    def _go_on(self) -> None:
        """Ask for those who wait, as long as there is room.

        A store may answer at once: then this loop goes on, and not a loop within it.
        """
        self._is_going_on = True
        while self._waiting and len(self._checks) < self._at_once:
            self._ask(*self._waiting.popleft())
        self._is_going_on = False

    def _give_up(self, answer: Deferred[Account]) -> None:
        """Forget a logon whose client is gone."""
        check = self._checks.get(answer)
        if check is not None:
            check.cancel()
        else:
            self._waiting = deque(
                each for each in self._waiting if each[0] is not answer
            )
