"""`IAccounts` as the front of another process has them: see `test_accounts`."""

from random import Random

from twisted.internet.task import Clock
from typing_extensions import override

from rum_twisted.accounts.waiting import WaitingAccounts
from rum_twisted.session.interfaces import IAccounts
from rum_twisted.terms.units import Seconds
from tests.contract import test_accounts


class WaitingAccountsTests(test_accounts.MemoryAccountsTests):
    """The promises, kept for accounts that are there."""

    @override
    def make_accounts(self) -> IAccounts:
        """Return accounts that would be waited for."""
        return WaitingAccounts(
            super().make_accounts(),
            Clock(),
            Random(1),  # noqa: S311 - for pauses
            lambda notice: self.fail(f"guesses: {notice}"),
            longest=Seconds(45.0),
            most=10,
        )
