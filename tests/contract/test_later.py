"""Answers that are held back are the same answers."""

from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface.verify import verifyObject

from rum_twisted.accounts.memory import MemoryAccounts
from rum_twisted.session.interfaces import (
    Account,
    IAccounts,
    InvalidCredentials,
    IWeather,
)
from rum_twisted.terms.identity import Rating
from rum_twisted.weather.memory import MemoryWeather
from rum_twisted.world.metar import decode
from tests.support.builders import ACCOUNTS, REPORTS
from tests.support.later import LaterAccounts, LaterWeather

T = TypeVar("T")


class LaterAccountsTests(SynchronousTestCase):
    """The promises of `IAccounts`, kept later."""

    @override
    def setUp(self) -> None:
        """Make accounts whose answers are held back."""
        self.accounts = LaterAccounts(MemoryAccounts(ACCOUNTS))

    def test_interface_is_whole(self) -> None:
        """They have every method of the interface."""
        self.assertTrue(verifyObject(IAccounts, self.accounts))

    def test_account_is_told_later(self) -> None:
        """The right password proves the account, once the answer is let go."""
        answer = self.accounts.authenticate("1000001", "pw01")
        self.assertNoResult(answer)
        self.accounts.release()
        self.assertEqual(
            self.successResultOf(answer), Account("1000001", Rating.OBSERVER)
        )

    def test_refusal_is_told_later(self) -> None:
        """A wrong password is refused, once the answer is let go."""
        answer = self.accounts.authenticate("1000001", "wrong")
        self.assertNoResult(answer)
        self.accounts.release()
        error = self.failureResultOf(answer, InvalidCredentials).value
        self.assertEqual(error.parameter, "1000001")

    def test_cancelling_gives_the_check_up(self) -> None:
        """Who has lost interest gets no answer, and none is held for him."""
        answer = self.accounts.authenticate("1000001", "pw01")
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual((len(self.accounts), self.accounts.given_up), (0, 1))


class LaterWeatherTests(SynchronousTestCase):
    """The promises of `IWeather`, kept later."""

    @override
    def setUp(self) -> None:
        """Make weather whose answers are held back."""
        self.weather = LaterWeather(MemoryWeather(REPORTS))

    def told(self, answer: Deferred[T]) -> T:
        """Let the only answer go, and return it."""
        self.assertNoResult(answer)
        self.weather.release()
        result: T = self.successResultOf(answer)
        return result

    def test_interface_is_whole(self) -> None:
        """It has every method of the interface."""
        self.assertTrue(verifyObject(IWeather, self.weather))

    def test_reports_are_told_later(self) -> None:
        """A report and its decoded form come once they are let go."""
        self.assertEqual(self.told(self.weather.metar("EHAM")), REPORTS["EHAM"])
        self.assertEqual(
            self.told(self.weather.weather("EHAM")), decode(REPORTS["EHAM"])
        )

    def test_missing_reports_are_told_later(self) -> None:
        """That there is no report is an answer as well."""
        self.assertIsNone(self.told(self.weather.metar("ZZZZ")))
        self.assertIsNone(self.told(self.weather.weather("ZZZZ")))
