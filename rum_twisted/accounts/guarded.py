"""Accounts behind a guard who lets nobody guess passwords at leisure.

What is counted, and who has to wait, is in `rum_twisted.accounts.throttle`. Here it is
joined to the store and to the staff.

Only a password that proved wrong is a failure. Whoever connects and closes, or goes
away while his password is checked, has learned nothing and is not counted; neither is
a store that does not answer.

**Many guesses at the same moment** all come to the store before the first has failed.
So the guard asks twice: before the store, which saves its work, and once more when the
answer is there. What was locked meanwhile stays closed, to the right password too; and
as neither is counted then, nothing tells the one from the other.

**Refusals leave in steps.** How long a wrong password takes depends on how it is kept,
and for most stores on whether the CID exists. So a refusal leaves at the next full half
second after it was asked for. That costs a connection, no work.
"""

from collections.abc import Callable
from math import ceil
from typing import Final

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.throttle import Counted, Lockout, Throttle, address_key
from rum_twisted.session.interfaces import (
    Account,
    IAccounts,
    InvalidCredentials,
    TooManyFailures,
)
from rum_twisted.terms.units import Seconds

__all__ = ["GuardedAccounts"]

_REFUSAL_STEP: Final = Seconds(0.5)  # above a check of bcrypt at its usual cost
_NOTICE_INTERVAL: Final = Seconds(10.0)  # the staff is there to talk to pilots
_SHOWN: Final = 32  # signs of what strangers typed, at most
_SECONDS_SHOWN: Final = 90  # longer waits are told in minutes


@implementer(IAccounts)
class GuardedAccounts:
    """A store behind a guard.

    Args:
        accounts: the store that is asked.
        throttle: counts, and says who has to wait.
        clock: for the times of failures, and for the steps of refusals.
        tell: says a line to the staff.
        step: refusals leave at multiples of this after the question; 0: at once.

    Invariant: no answer of the store is passed on to whoever had to wait when it came.
    """

    log = Logger()

    def __init__(
        self,
        accounts: IAccounts,
        throttle: Throttle,
        clock: IReactorTime,
        tell: Callable[[str], None],
        *,
        step: Seconds = _REFUSAL_STEP,
    ) -> None:
        self._accounts = accounts
        self._throttle = throttle
        self._clock = clock
        self._tell = tell
        self._step = step
        self._told_at: Seconds | None = None
        self._untold = 0  # lockouts since then

    @override
    def __repr__(self) -> str:
        return f"<GuardedAccounts: {self._throttle}, {self._accounts}>"

    def authenticate(
        self, cid: str, password: str, address: str = ""
    ) -> Deferred[Account]:
        """Check a password, unless too many have been wrong; see `IAccounts`."""
        asked_at = self._now()
        wait = self._throttle.wait(cid, address, asked_at)
        if wait > 0:
            return fail(_refusal(cid, wait))
        answer: Deferred[Account] = maybeDeferred(
            self._accounts.authenticate, cid, password, address
        )
        return answer.addCallbacks(
            self._admit,
            self._refuse,
            callbackArgs=(cid, address, asked_at),
            errbackArgs=(cid, address, asked_at),
        )

    def lockouts(self) -> tuple[Lockout, ...]:
        """Return all CIDs and addresses in back-off, the longest wait first."""
        return self._throttle.lockouts(self._now())

    def lift(self, key: str) -> bool:
        """Forget the failures of a CID or an address; tell whether there were any."""
        return self._throttle.lift(key)

    def _admit(
        self, account: Account, cid: str, address: str, asked_at: Seconds
    ) -> Account | Deferred[Account]:
        """Pass an account on, unless it was locked while the store was asked."""
        wait = self._throttle.wait(cid, address, self._now())
        if wait > 0:
            return self._in_step(Failure(_refusal(cid, wait)), asked_at)
        self._throttle.succeed(cid, address)
        return account

    def _refuse(
        self, failure: Failure, cid: str, address: str, asked_at: Seconds
    ) -> Failure | Deferred[Account]:
        """Count a wrong password; pass other errors on."""
        if not failure.check(InvalidCredentials):
            return failure
        now = self._now()
        wait = self._throttle.wait(cid, address, now)
        if wait > 0:
            return self._in_step(Failure(_refusal(cid, wait)), asked_at)
        for counted in self._throttle.fail(cid, address, now):
            self._warn(counted, cid, address, now)
        return self._in_step(failure, asked_at)

    def _in_step(self, failure: Failure, asked_at: Seconds) -> Deferred[Account]:
        """Let a refusal leave at the next full step after the question."""
        if self._step <= 0:
            return fail(failure)
        passed = max(0.0, self._now() - asked_at)
        steps = max(1, ceil(passed / self._step))
        return deferLater(self._clock, steps * self._step - passed).addCallback(
            lambda _: fail(failure)
        )

    def _warn(self, counted: Counted, cid: str, address: str, now: Seconds) -> None:
        """Tell of a lockout: the log of each, the staff now and then."""
        key = cid if counted is Counted.CID else address_key(address)
        place = address or "an unknown address"
        self.log.warn(
            "too many wrong passwords for {counted} {key}, the last from {place}: "
            "further tries have to wait; `rumctl lockouts` shows and lifts that",
            counted=_NAMES[counted],
            key=_plain(key),
            place=place,
        )
        if self._told_at is not None and 0 <= now - self._told_at < _NOTICE_INTERVAL:
            self._untold += 1
            return
        others = f", and {self._untold} others before" if self._untold else ""
        self._told_at, self._untold = now, 0
        self._tell(
            f"too many wrong passwords for {_NAMES[counted]} {_plain(key)}, "
            f"the last from {place}{others}"
        )

    def _now(self) -> Seconds:
        return Seconds(self._clock.seconds())


_NAMES: Final = {Counted.CID: "CID", Counted.ADDRESS: "address"}


def _refusal(cid: str, wait: Seconds) -> TooManyFailures:
    due = f"{ceil(wait / 60)} min" if wait > _SECONDS_SHOWN else f"{ceil(wait)} s"
    return TooManyFailures(cid, f"too many wrong passwords; wait {due}")


def _plain(word: str) -> str:
    """Return what a stranger typed, fit for a log and a chat."""
    shown = "".join(sign if "!" <= sign <= "~" else "?" for sign in word[:_SHOWN])
    return f"{shown}..." if len(word) > _SHOWN else shown
