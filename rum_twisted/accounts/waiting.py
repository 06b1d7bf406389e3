"""Logons wait for accounts that nobody keeps just now.

The process that keeps them may be started anew, or be moved: whoever logs on in that
moment had better wait than be sent away. A password that was answered for, in whatever
way, is never asked for again.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.remote import AccountsAway
from rum_twisted.session.interfaces import Account, IAccounts, TooManyFailures
from rum_twisted.terms.measure import Measure, Measuring
from rum_twisted.terms.units import Seconds

__all__ = ["WaitingAccounts"]

_NOTICE: Final = "The accounts cannot be asked at present; please try again later."
_FIRST_PAUSE: Final = Seconds(0.2)
_LONGEST_PAUSE: Final = Seconds(2.0)
_LOGON: Final = 4000  # bytes of one that waits, with its timers and its turn
_NOTICE_INTERVAL: Final = Seconds(10.0)  # the staff is there to talk to pilots
_SHOWN: Final = 32  # signs of what strangers typed, at most


@implementer(IAccounts)
class WaitingAccounts:
    """Accounts that are asked again while nobody answers.

    It also tells the staff here of whoever has to wait after wrong passwords: those
    who count them are elsewhere, and have no staff.

    Args:
        accounts: of another process.
        clock: times the trials.
        random: spreads them.
        tell: says a line to the staff.
        longest: how long a logon waits for an answer.
        most: how many may wait; one more is sent away at once.

    Invariant: at most ``most`` questions are under way, each for ``longest`` at most.
    """

    def __init__(
        self,
        accounts: IAccounts,
        clock: IReactorTime,
        random: Random,
        tell: Callable[[str], None],
        *,
        longest: Seconds,
        most: int,
    ) -> None:
        self._accounts = accounts
        self._clock = clock
        self._random = random
        self._tell = tell
        self._longest = longest
        self._most = most
        self._told_at: float | None = None
        self.waiting = 0  # questions that are under way

    @override
    def __repr__(self) -> str:
        return f"<WaitingAccounts: {self.waiting} waiting, {self._accounts}>"

    def measures(self) -> dict[str, Measuring]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"logons": self._measure}

    def _measure(self) -> Measure:
        return Measure(
            count=self.waiting, bytes=self.waiting * _LOGON, bound=self._most
        )

    def authenticate(
        self, cid: str, password: str, address: str = ""
    ) -> Deferred[Account]:
        """Check a password; see `IAccounts`."""
        if self.waiting >= self._most:
            return fail(AccountsAway(notice=_NOTICE))
        self.waiting += 1
        asking = Deferred.fromCoroutine(self._ask(cid, password, address))
        asking.addTimeout(self._longest, self._clock, self._give_up)
        return asking.addBoth(self._note, cid, address)

    async def _ask(self, cid: str, password: str, address: str) -> Account:
        """Ask until somebody answers; the timeout ends it."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._accounts.authenticate(cid, password, address)
            except AccountsAway:
                # When it is back, not all come at the same moment.
                share = 0.5 + self._random.random() / 2
            await deferLater(self._clock, share * pause)
            pause = Seconds(min(2 * pause, _LONGEST_PAUSE))

    def _give_up(self, outcome: object, _: float) -> Failure:
        return Failure(AccountsAway(notice=_NOTICE))

    def _note(
        self, outcome: Account | Failure, cid: str, address: str
    ) -> Account | Failure:
        self.waiting -= 1
        if isinstance(outcome, Failure) and outcome.check(TooManyFailures):
            self._tell_of_guesses(cid, address)
        return outcome

    def _tell_of_guesses(self, cid: str, address: str) -> None:
        now = self._clock.seconds()
        if self._told_at is None or now - self._told_at >= _NOTICE_INTERVAL:
            self._told_at = now
            shown = "".join(sign if "!" <= sign <= "~" else "?" for sign in cid)
            self._tell(
                f"too many wrong passwords: CID {shown[:_SHOWN]} from "
                f"{address or 'an unknown address'} has to wait"
            )
