"""Accounts that another process keeps, behind the same interface as all others."""

from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.rpc.bridge import deferred
from rum_twisted.rpc.client import XClient, XClients
from rum_twisted.rpc.convert import Unreadable
from rum_twisted.rpc.errors import RpcError
from rum_twisted.rpc.passport import PASSPORT, authenticate
from rum_twisted.session.interfaces import Account, AccountsUnavailable, IAccounts
from rum_twisted.terms.units import Seconds

__all__ = ["AccountsAway", "RemoteAccounts"]

_NOTICE: Final = "The accounts cannot be asked at present; please try again later."


class AccountsAway(AccountsUnavailable):
    """Nobody has answered at all; somebody may in a moment."""


@implementer(IAccounts)
class RemoteAccounts(Service):
    """The accounts of the role ``passport``.

    Args:
        clients: to be started before this.
        answer_within: how long a check may take, with everything.
    """

    log = Logger()
    name = "accounts"

    def __init__(self, clients: XClients, answer_within: Seconds) -> None:
        self._clients = clients
        self._answer_within = answer_within
        self._client: XClient | None = None
        self._is_away = False  # as told to the operator

    @override
    def __repr__(self) -> str:
        return f"<RemoteAccounts: {'away' if self._is_away else 'there'}>"

    @override
    def startService(self) -> None:
        """Begin to look for the accounts."""
        if not self.running:
            self._client = self._clients.client(PASSPORT)
            super().startService()

    @override
    def stopService(self) -> None:
        """Ask no more."""
        super().stopService()
        if self._client is not None:
            self._client.close()
            self._client = None

    def unready(self) -> str:
        """Tell why nobody can log on; see `Needed`.

        A front that has not asked yet is ready: nobody has come.
        """
        return "the accounts do not answer" if self._is_away else ""

    def authenticate(
        self, cid: str, password: str, address: str = ""
    ) -> Deferred[Account]:
        """Check a password; see `IAccounts`."""
        if self._client is None:
            return fail(AccountsAway(notice=_NOTICE))
        asked = authenticate(
            self._client, cid, password, address, timeout=self._answer_within
        )
        return deferred(asked).addCallbacks(self._note_answer, self._note_trouble)

    def _note_answer(self, account: Account) -> Account:
        self._note(None)
        return account

    def _note_trouble(self, failure: Failure) -> Failure:
        """Tell refusals from troubles, and the operator of troubles, once."""
        error = failure.value
        if isinstance(error, RpcError | Unreadable):
            self._note(error)
            return Failure(AccountsAway(notice=_NOTICE))
        if not isinstance(error, AccountsUnavailable):
            self._note(None)
        return failure

    def _note(self, trouble: Exception | None) -> None:
        is_away = trouble is not None
        if is_away == self._is_away:
            return
        self._is_away = is_away
        if is_away:
            self.log.warn("accounts cannot be asked: {trouble}", trouble=trouble)
        else:
            self.log.info("accounts can be asked again")
