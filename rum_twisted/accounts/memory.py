"""Accounts that live as long as the process: for trials, and for tests."""

from collections.abc import Mapping

from twisted.internet.defer import Deferred, fail, succeed
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.certificate import Certificate, prove
from rum_twisted.session.interfaces import Account, IAccounts, InvalidCredentials
from rum_twisted.terms.identity import Rating, fold

__all__ = ["MemoryAccounts"]


@implementer(IAccounts)
class MemoryAccounts:
    """The accounts it was given; they never change.

    Args:
        accounts: the password and the highest rating of each CID. Of CIDs that
            differ in case only, the last counts.
    """

    def __init__(self, accounts: Mapping[str, tuple[str, Rating]]) -> None:
        self._certificates = {
            fold(cid): Certificate.of(password, rating)
            for cid, (password, rating) in accounts.items()
        }

    @override
    def __repr__(self) -> str:
        return f"<MemoryAccounts: {len(self._certificates)} accounts>"

    def authenticate(self, cid: str, password: str) -> Deferred[Account]:
        """Check a password; see `IAccounts`. The answer comes at once."""
        try:
            return succeed(prove(self._certificates, cid, password))
        except InvalidCredentials as error:
            return fail(error)
