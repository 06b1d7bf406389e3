"""Accounts that live as long as the process: for trials, and for tests."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from twisted.internet.defer import Deferred, fail, succeed
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.certificate import Certificate, prove
from rum_twisted.session.interfaces import Account, IAccounts, InvalidCredentials
from rum_twisted.terms.identity import Rating, fold
from rum_twisted.terms.permissions import NO_PERMISSIONS, Permission

__all__ = ["MemoryAccounts"]

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@implementer(IAccounts)
class MemoryAccounts:
    """The accounts it was given; they never change.

    Args:
        accounts: the password and the highest rating of each CID. Of CIDs that
            differ in case only, the last counts.
        permissions: what staff may do besides, by CID.
        notices: why members are suspended, by CID.
    """

    def __init__(
        self,
        accounts: Mapping[str, tuple[str, Rating]],
        permissions: Mapping[str, frozenset[Permission]] = _NOTHING,
        notices: Mapping[str, str] = _NOTHING,
    ) -> None:
        self._certificates = {
            fold(cid): Certificate.of(password, rating)
            for cid, (password, rating) in accounts.items()
        }
        self._permissions = {fold(cid): given for cid, given in permissions.items()}
        self._notices = {fold(cid): notice for cid, notice in notices.items()}

    @override
    def __repr__(self) -> str:
        return f"<MemoryAccounts: {len(self._certificates)} accounts>"

    def authenticate(
        self, cid: str, password: str, address: str = ""
    ) -> Deferred[Account]:
        """Check a password; see `IAccounts`. The answer comes at once."""
        try:
            account = prove(self._certificates, cid, password)
        except InvalidCredentials as error:
            return fail(error)
        key = fold(cid)
        return succeed(
            replace(
                account,
                permissions=self._permissions.get(key, NO_PERMISSIONS),
                notice=self._notices.get(key, ""),
            )
        )
