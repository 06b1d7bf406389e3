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

What still waits in the store under a CID or an address that has just been locked is
taken back: a thousand guesses from one address shall not keep others waiting.

**Refusals leave in steps.** How long a wrong password takes depends on how it is kept,
and for most stores on whether the CID exists. So a refusal leaves at the next full half
second after it was asked for. That costs a connection, no work.
"""

from collections.abc import Callable, Iterable, Sequence
from math import ceil
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, fail, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.throttle import (
    Counted,
    Lockout,
    Throttle,
    address_key,
    cid_key,
)
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
_TAKEN_BACK_AT_ONCE: Final = 32  # checks; a millisecond or two


class _Check:
    """A password that the store checks."""

    __slots__ = ("address", "answer", "asked_at", "cid", "is_taken_back")

    def __init__(self, cid: str, address: str, asked_at: Seconds) -> None:
        self.cid = cid
        self.address = address
        self.asked_at = asked_at
        self.is_taken_back = False
        self.answer: Deferred[Account]

    @property
    def keys(self) -> tuple[tuple[Counted, str], tuple[Counted, str]]:
        """What its failure would be counted for."""
        return (
            (Counted.CID, cid_key(self.cid)),
            (Counted.ADDRESS, address_key(self.address)),
        )


@implementer(IAccounts)
class GuardedAccounts:
    """A store behind a guard.

    Args:
        accounts: the store that is asked.
        throttle: counts, and says who has to wait.
        clock: for the times of failures, and for the steps of refusals.
        tell: says a line to the staff.
        step: refusals leave at multiples of this after the question; 0: at once.

    Invariants: no answer of the store is passed on to whoever had to wait when it came;
    a check is under both of its keys from its beginning to its end.
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
        self._checks: dict[tuple[Counted, str], dict[_Check, None]] = {}  # in order
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
        check = _Check(cid, address, asked_at)
        for key in check.keys:
            self._checks.setdefault(key, {})[check] = None
        check.answer = maybeDeferred(
            self._accounts.authenticate, cid, password, address
        )
        return check.answer.addBoth(self._end, check).addCallbacks(
            self._admit, self._refuse, callbackArgs=(check,), errbackArgs=(check,)
        )

    def lockouts(self) -> tuple[Lockout, ...]:
        """Return all CIDs and addresses in back-off, the longest wait first."""
        return self._throttle.lockouts(self._now())

    def lift(self, key: str) -> bool:
        """Forget the failures of a CID or an address; tell whether there were any."""
        return self._throttle.lift(key)

    def _end(self, outcome: Any, check: _Check) -> Any:
        """Forget a check that has its answer, or that nobody wants any more."""
        for key in check.keys:
            checks = self._checks[key]
            del checks[check]
            if not checks:
                del self._checks[key]
        return outcome

    def _admit(self, account: Account, check: _Check) -> Account | Deferred[Account]:
        """Pass an account on, unless it was locked while the store was asked."""
        wait = self._wait(check)
        if wait > 0:
            return self._in_step(Failure(_refusal(check.cid, wait)), check.asked_at)
        self._throttle.succeed(check.cid, check.address)
        return account

    def _refuse(self, failure: Failure, check: _Check) -> Failure | Deferred[Account]:
        """Count a wrong password; pass other errors on."""
        is_taken_back = check.is_taken_back and failure.check(CancelledError)
        if not is_taken_back and not failure.check(InvalidCredentials):
            return failure
        wait = self._wait(check)
        if wait > 0 or is_taken_back:
            return self._in_step(Failure(_refusal(check.cid, wait)), check.asked_at)
        now = self._now()
        for counted in self._throttle.fail(check.cid, check.address, now):
            self._warn(counted, check.cid, check.address, now)
        if self._wait(check) > 0:
            self._take_back([other for key in check.keys for other in self._under(key)])
        return self._in_step(failure, check.asked_at)

    def _wait(self, check: _Check) -> Seconds:
        return self._throttle.wait(check.cid, check.address, self._now())

    def _under(self, key: tuple[Counted, str]) -> Iterable[_Check]:
        return self._checks.get(key, ())

    def _take_back(self, checks: Sequence[_Check]) -> None:
        """Take checks of locked CIDs and addresses back, some in each turn."""
        if checks:
            self._clock.callLater(0, self._take_some_back, checks)

    def _take_some_back(self, checks: Sequence[_Check]) -> None:
        for check in checks[:_TAKEN_BACK_AT_ONCE]:
            # The store may have answered, or somebody lifted the lock.
            if check in self._under(check.keys[0]) and self._wait(check) > 0:
                check.is_taken_back = True
                check.answer.cancel()
        self._take_back(checks[_TAKEN_BACK_AT_ONCE:])

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
