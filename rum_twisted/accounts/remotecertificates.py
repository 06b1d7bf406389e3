"""Accounts that another process keeps, as far as an operator here may change them."""

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.rpc.bridge import deferred
from rum_twisted.rpc.certificates import (
    added,
    change,
    count,
    deleted,
    matching,
    modified,
)
from rum_twisted.rpc.client import XClient, XClients
from rum_twisted.rpc.errors import RpcError
from rum_twisted.rpc.passport import PASSPORT
from rum_twisted.session.certificates import (
    CertificateRow,
    CertificatesAway,
    Operator,
)
from rum_twisted.session.interfaces import ICertificates
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.units import Seconds

__all__ = ["RemoteCertificates"]

T = TypeVar("T")

_AWAY = "nobody who keeps them answers"
_UNSURE = "nobody who keeps them answers; it may have been done all the same"


@implementer(ICertificates)
class RemoteCertificates(Service):
    """The accounts of the role ``passport``.

    Args:
        clients: to be started before this.
        answer_within: how long a question may take.
    """

    def __init__(self, clients: XClients, answer_within: Seconds) -> None:
        self.setName("certificates")
        self._clients = clients
        self._answer_within = answer_within
        self._client: XClient | None = None
        self.is_permanent = False  # as the last answer said

    @override
    def __repr__(self) -> str:
        return f"<RemoteCertificates: {'open' if self._client else 'closed'}>"

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

    def count(self) -> Deferred[int]:
        """Tell how many accounts there are; see `ICertificates`."""
        return self._ask(self._count, _AWAY)

    def matching(self, text: str) -> Deferred[Sequence[CertificateRow]]:
        """List accounts; see `ICertificates`."""

        def ask(client: XClient) -> Coroutine[Any, Any, Sequence[CertificateRow]]:
            return matching(client, text, self._answer_within)

        return self._ask(ask, _AWAY)

    def add(
        self, cid: str, password: str, rating: Rating, operator: Operator
    ) -> Deferred[None]:
        """Make an account; see `ICertificates`."""
        return self._change(added(cid, password, rating, operator))

    def modify(self, cid: str, rating: Rating, operator: Operator) -> Deferred[None]:
        """Give an account another rating; see `ICertificates`."""
        return self._change(modified(cid, rating, operator))

    def delete(self, cid: str, operator: Operator) -> Deferred[None]:
        """Take an account away; see `ICertificates`."""
        return self._change(deleted(cid, operator))

    async def _count(self, client: XClient) -> int:
        counted = await count(client, self._answer_within)
        self.is_permanent = counted.is_permanent
        return counted.count

    def _change(self, request: Any) -> Deferred[None]:
        async def ask(client: XClient) -> None:
            self.is_permanent = await change(client, request, self._answer_within)

        return self._ask(ask, _UNSURE)

    def _ask(self, question: Any, trouble: str) -> Deferred[Any]:
        if self._client is None:
            return fail(CertificatesAway(_AWAY))
        return deferred(question(self._client)).addErrback(_excuse, trouble)


def _excuse(failure: Failure, trouble: str) -> Failure:
    """Return a trouble between processes in the words of `ICertificates`."""
    if failure.check(RpcError):
        return Failure(CertificatesAway(trouble))
    return failure
