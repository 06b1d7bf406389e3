"""Accounts in memory, beyond what every store promises."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.accounts.memory import MemoryAccounts
from rum_twisted.session.interfaces import Account, InvalidCredentials
from rum_twisted.terms.identity import Rating


class MemoryAccountsTests(SynchronousTestCase):
    """A mapping becomes a store."""

    def test_later_changes_of_the_mapping_do_not_count(self) -> None:
        """The store keeps what it was given, whatever becomes of the mapping."""
        given = {"1": ("one", Rating.OBSERVER)}
        accounts = MemoryAccounts(given)
        given["2"] = ("two", Rating.OBSERVER)
        self.failureResultOf(accounts.authenticate("2", "two"), InvalidCredentials)

    def test_last_of_alike_cids_counts(self) -> None:
        """Two CIDs that differ in case only are one account, the later."""
        accounts = MemoryAccounts(
            {"Ann": ("one", Rating.OBSERVER), "ANN": ("two", Rating.STUDENT1)}
        )
        self.failureResultOf(accounts.authenticate("Ann", "one"), InvalidCredentials)
        proved = self.successResultOf(accounts.authenticate("Ann", "two"))
        self.assertEqual(proved, Account("Ann", Rating.STUDENT1))

    def test_empty_cid_of_the_mapping_is_never_valid(self) -> None:
        """An account without a CID lets nobody in."""
        accounts = MemoryAccounts({"": ("pw", Rating.OBSERVER)})
        self.failureResultOf(accounts.authenticate("", "pw"), InvalidCredentials)

    def test_repr_tells_how_many(self) -> None:
        """One line for the manhole."""
        accounts = MemoryAccounts({"1": ("one", Rating.OBSERVER)})
        self.assertEqual(repr(accounts), "<MemoryAccounts: 1 accounts>")
