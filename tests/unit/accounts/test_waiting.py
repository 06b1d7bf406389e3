"""Logons that wait for accounts that nobody keeps just now."""

from random import Random

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.remote import AccountsAway
from rum_twisted.accounts.waiting import WaitingAccounts
from rum_twisted.session.interfaces import (
    Account,
    AccountsUnavailable,
    IAccounts,
    InvalidCredentials,
    TooManyFailures,
)
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.units import Seconds

ANN = Account("1000001", Rating.OBSERVER)
LONGEST = Seconds(45.0)
MOST = 3
HIGHEST_PAUSE = 2.0  # seconds


@implementer(IAccounts)
class FarStore:
    """Answers with what the test puts there; while nothing is there, it hangs."""

    def __init__(self) -> None:
        self.answer: Account | Exception | None = AccountsAway()
        self.asked = 0
        self.given_up = 0

    def authenticate(
        self, cid: str, password: str, address: str = ""
    ) -> Deferred[Account]:
        """Answer; see `IAccounts`."""
        self.asked += 1
        if self.answer is None:
            return Deferred(self._give_up)
        if isinstance(self.answer, Exception):
            return fail(self.answer)
        return succeed(self.answer)

    def _give_up(self, _: object) -> None:
        self.given_up += 1


class WaitingTests(SynchronousTestCase):
    """A store in another process, which may be away."""

    @override
    def setUp(self) -> None:
        """Begin with a store that is away."""
        self.clock = Clock()
        self.store = FarStore()
        self.told: list[str] = []
        self.accounts = WaitingAccounts(
            self.store,
            self.clock,
            Random(5),  # noqa: S311 - for pauses
            self.told.append,
            longest=LONGEST,
            most=MOST,
        )

    def ask(self, cid: str = "1000001") -> Deferred[Account]:
        """Let somebody log on."""
        return self.accounts.authenticate(cid, "pw", "192.0.2.1")

    def test_logon_waits_until_the_accounts_are_back(self) -> None:
        """He notices a pause, and nothing else."""
        answer = self.ask()
        self.clock.pump([0.5] * 20)
        self.assertNoResult(answer)
        self.store.answer = ANN
        self.clock.advance(HIGHEST_PAUSE)
        self.assertEqual(self.successResultOf(answer), ANN)
        self.assertEqual(self.accounts.waiting, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_pauses_grow(self) -> None:
        """A store that comes back is not run over."""
        self.ask().addErrback(lambda _: None)
        self.clock.pump([0.1] * 440)
        self.assertLess(self.store.asked, 44 / (HIGHEST_PAUSE / 2) + 6)
        self.assertGreater(self.store.asked, 44 / HIGHEST_PAUSE)

    def test_wait_has_an_end(self) -> None:
        """Then he reads that the accounts cannot be asked."""
        answer = self.ask()
        self.clock.pump([1.0] * 44)
        self.assertNoResult(answer)
        self.clock.advance(1.0)
        failure = self.failureResultOf(answer, AccountsUnavailable)
        self.assertIn("cannot be asked", failure.value.notice)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_store_that_hangs(self) -> None:
        """It is given up at the same time."""
        self.store.answer = None
        answer = self.ask()
        self.clock.advance(LONGEST)
        self.failureResultOf(answer, AccountsUnavailable)
        self.assertEqual(self.store.given_up, 1)

    def test_answers_are_final(self) -> None:
        """A wrong password, or a store that is overloaded, is not asked again."""
        for error in (InvalidCredentials("1"), AccountsUnavailable(notice="full")):
            self.store.answer = error
            asked = self.store.asked
            failure = self.failureResultOf(self.ask(), type(error))
            self.assertIs(failure.value, error)
            self.assertEqual(self.store.asked, asked + 1)

    def test_waiting_has_a_bound(self) -> None:
        """One more is told at once, and not asked for."""
        waiting = [self.ask() for _ in range(MOST)]
        asked = self.store.asked
        self.failureResultOf(self.ask(), AccountsUnavailable)
        self.assertEqual(self.store.asked, asked)
        for answer in waiting:
            answer.cancel()
            self.failureResultOf(answer, CancelledError)
        self.assertEqual(self.accounts.waiting, 0)
        self.store.answer = ANN
        self.successResultOf(self.ask())

    def test_who_goes_away_is_not_asked_for(self) -> None:
        """His question ends, in a pause and while it is asked."""
        answer = self.ask()
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.store.answer = None
        answer = self.ask()
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual(self.store.given_up, 1)

    def test_staff_is_told_of_guesses(self) -> None:
        """Who counts them is elsewhere; a burst of them is one line."""
        self.store.answer = TooManyFailures("1000001", "wait 2 s")
        for _ in range(3):
            self.failureResultOf(self.ask("1000001\x07"), TooManyFailures)
        (line,) = self.told
        self.assertIn("1000001?", line)
        self.assertIn("192.0.2.1", line)
        self.clock.advance(10.0)
        self.failureResultOf(self.ask(), TooManyFailures)
        self.assertEqual(len(self.told), 2)
