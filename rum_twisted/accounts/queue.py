"""Logons wait their turn: in order, and not without end.

A store may take a moment for each password, and on the evening of an event a
thousand members come at the same time. So only a few are checked at once, the
others wait in the order in which they came, and when too many wait, the next is told
so at once, rather than after a minute.
"""

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.session.interfaces import Account, IAccounts
from rum_twisted.terms.errors import ErrorCode, WorldError

__all__ = ["QueuedAccounts", "TooManyLogons"]


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
        self._under_way = 0
        self._waiting: deque[tuple[Deferred[Account], str, str]] = deque()

    @override
    def __repr__(self) -> str:
        return f"<QueuedAccounts: {self._under_way} asked, {self.waiting} waiting>"

    @property
    def waiting(self) -> int:
        """How many logons wait."""
        return len(self._waiting)

    def authenticate(self, cid: str, password: str) -> Deferred[Account]:
        """Check a password when its turn has come; see `IAccounts`.

        It fails with `TooManyLogons` if too many wait already.
        """
        if self._under_way < self._at_once:
            return self._ask(cid, password)
        if len(self._waiting) >= self._longest:
            return fail(TooManyLogons())
        answer: Deferred[Account] = Deferred(self._give_up)
        self._waiting.append((answer, cid, password))
        return answer

    def _ask(self, cid: str, password: str) -> Deferred[Account]:
        self._under_way += 1
        answer: Deferred[Account] = maybeDeferred(
            self._accounts.authenticate, cid, password
        )
        return answer.addBoth(self._go_on)

    def _go_on(self, result: Any) -> Any:
        """Pass an answer on, after the next in the queue was asked for."""
        self._under_way -= 1
        while self._waiting and self._under_way < self._at_once:
            answer, cid, password = self._waiting.popleft()
            self._ask(cid, password).addBoth(_pass_on, answer)
        return result

    def _give_up(self, answer: Deferred[Account]) -> None:
        """Take a logon out of the queue whose client is gone."""
        self._waiting = deque(each for each in self._waiting if each[0] is not answer)


def _pass_on(result: Any, answer: Deferred[Account]) -> None:
    """Answer one who waited, unless he has gone in the meantime."""
    if not answer.called:
        answer.callback(result)
