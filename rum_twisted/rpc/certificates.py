"""Accounts for operators across processes: `ICertificates` on one side, gRPC between.

Contract: ``proto/rum/v1/certificates.proto``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from twisted.internet.defer import Deferred

from rum_twisted.rpc.bridge import future
from rum_twisted.rpc.client import XClient
from rum_twisted.rpc.errors import Code
from rum_twisted.rpc.generated import certificates_pb2 as pb2
from rum_twisted.rpc.method import Method
from rum_twisted.rpc.servicing import Answering, Refusal
from rum_twisted.session.certificates import (
    CertificateExists,
    CertificateRow,
    CertificatesAway,
    CertificateTrouble,
    NoSuchCertificate,
    Operator,
    UnfitCertificate,
)
from rum_twisted.session.interfaces import ICertificates
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.units import Seconds

__all__ = [
    "CertificatesServicer",
    "Counted",
    "added",
    "change",
    "count",
    "deleted",
    "matching",
    "modified",
]

_SERVICE: Final = pb2.DESCRIPTOR.services_by_name["Certificates"]
_COUNT: Final = Method.of(
    _SERVICE, "Count", pb2.CountRequest, pb2.CountResponse, may_repeat=True
)
_LIST: Final = Method.of(
    _SERVICE, "List", pb2.ListRequest, pb2.ListResponse, may_repeat=True
)
_CHANGE: Final = Method.of(
    _SERVICE, "Change", pb2.ChangeRequest, pb2.ChangeResponse, may_repeat=False
)
_NUMBERS: Final = {
    CertificatesAway: pb2.AWAY,
    CertificateExists: pb2.EXISTS,
    NoSuchCertificate: pb2.MISSING,
    UnfitCertificate: pb2.UNFIT,
}
_TROUBLES: Final = {
    pb2.EXISTS: CertificateExists,
    pb2.MISSING: NoSuchCertificate,
    pb2.UNFIT: UnfitCertificate,
}
_NOT_ALLOWED: Final = "the process that plays passport does not allow it"
_AWAY: Final = "they do not answer"


@dataclass(frozen=True, slots=True)
class Counted:
    """What is known of a store."""

    count: int
    is_permanent: bool


class CertificatesServicer:
    """Lets operators of other processes list and change accounts.

    Args:
        certificates: are asked; ``None``: nobody is let.
    """

    name: str = _SERVICE.full_name

    def __init__(self, certificates: ICertificates | None) -> None:
        self._certificates = certificates
        self.answers = (
            Answering(_COUNT, self._count),
            Answering(_LIST, self._list),
            Answering(_CHANGE, self._change),
        )

    async def _count(self, request: pb2.CountRequest) -> pb2.CountResponse:
        store = self._certificates
        if store is None:
            return pb2.CountResponse(trouble=pb2.NOT_ALLOWED)
        try:
            number = await future(store.count())
        except CertificateTrouble as error:
            return pb2.CountResponse(trouble=_number_of(error))
        return pb2.CountResponse(count=number, is_permanent=store.is_permanent)

    async def _list(self, request: pb2.ListRequest) -> pb2.ListResponse:
        store = self._certificates
        if store is None:
            return pb2.ListResponse(trouble=pb2.NOT_ALLOWED)
        try:
            rows = await future(store.matching(request.text))
        except CertificateTrouble as error:
            return pb2.ListResponse(trouble=_number_of(error))
        return pb2.ListResponse(rows=map(_message_of, rows))

    async def _change(self, request: pb2.ChangeRequest) -> pb2.ChangeResponse:
        store = self._certificates
        if store is None:
            return pb2.ChangeResponse(trouble=pb2.NOT_ALLOWED)
        try:
            await future(_begun(store, request))
        except CertificateTrouble as error:
            return pb2.ChangeResponse(trouble=_number_of(error), notice=str(error))
        return pb2.ChangeResponse(is_permanent=store.is_permanent)


async def count(client: XClient, timeout: Seconds) -> Counted:
    """Ask how many accounts another process has.

    Raises:
        CertificatesAway: it does not tell.
        RpcError: nobody has answered.
    """
    answer = await client.call(_COUNT, pb2.CountRequest(), timeout=timeout)
    if answer.WhichOneof("outcome") != "count":
        _check(answer.trouble or pb2.AWAY, "")
    return Counted(answer.count, answer.is_permanent)


async def matching(
    client: XClient, text: str, timeout: Seconds
) -> Sequence[CertificateRow]:
    """Ask for accounts of another process; see `ICertificates.matching`.

    Raises:
        CertificatesAway: it does not tell.
        RpcError: nobody has answered.
    """
    request = pb2.ListRequest(text=text)
    answer = await client.call(_LIST, request, timeout=timeout)
    _check(answer.trouble, "")
    return tuple(map(_row_of, answer.rows))


async def change(client: XClient, request: pb2.ChangeRequest, timeout: Seconds) -> bool:
    """Have an account of another process changed.

    Returns:
        whether that outlives the process.

    Raises:
        CertificateTrouble: it was not.
        RpcError: nobody has answered.
    """
    answer = await client.call(_CHANGE, request, timeout=timeout)
    _check(answer.trouble, answer.notice)
    return answer.is_permanent


def added(
    cid: str, password: str, rating: Rating, operator: Operator
) -> pb2.ChangeRequest:
    """Return the wish for a new account."""
    new = pb2.NewCertificate(cid=cid, password=password, rating=rating)
    return pb2.ChangeRequest(operator=operator.name, address=operator.address, add=new)


def modified(cid: str, rating: Rating, operator: Operator) -> pb2.ChangeRequest:
    """Return the wish for another rating."""
    new = pb2.NewRating(cid=cid, rating=rating)
    return pb2.ChangeRequest(
        operator=operator.name, address=operator.address, modify=new
    )


def deleted(cid: str, operator: Operator) -> pb2.ChangeRequest:
    """Return the wish that an account were gone."""
    return pb2.ChangeRequest(
        operator=operator.name, address=operator.address, delete=cid
    )


def _begun(store: ICertificates, request: pb2.ChangeRequest) -> Deferred[None]:
    """Begin what was asked for.

    Raises:
        Refusal: nothing was, or with a rating that there is not.
    """
    operator = Operator(request.operator, request.address)
    match request.WhichOneof("change"):
        case "add":
            new = request.add
            return store.add(new.cid, new.password, _rating(new.rating), operator)
        case "modify":
            rating = _rating(request.modify.rating)
            return store.modify(request.modify.cid, rating, operator)
        case "delete":
            return store.delete(request.delete, operator)
    raise Refusal(Code.INVALID_ARGUMENT, "due a change")


def _rating(number: int) -> Rating:
    try:
        return Rating(number)
    except ValueError:
        raise Refusal(Code.INVALID_ARGUMENT, f"rating {number}: due 0 to 12") from None


def _number_of(error: CertificateTrouble) -> pb2.CertificateTrouble:
    return _NUMBERS.get(type(error), pb2.AWAY)


def _check(trouble: pb2.CertificateTrouble, notice: str) -> None:
    """Raise what another process has met."""
    if trouble == pb2.CERTIFICATE_TROUBLE_UNSPECIFIED:
        return
    if trouble == pb2.NOT_ALLOWED:
        raise CertificatesAway(_NOT_ALLOWED)
    raise _TROUBLES.get(trouble, CertificatesAway)(notice or _AWAY)


def _message_of(row: CertificateRow) -> pb2.CertificateRow:
    return pb2.CertificateRow(
        cid=row.cid,
        rating=row.rating,
        origin=row.origin,
        created=row.created,
        last_used=row.last_used,
    )


def _row_of(message: pb2.CertificateRow) -> CertificateRow:
    return CertificateRow(
        cid=message.cid,
        rating=Rating(min(message.rating, Rating.ADMINISTRATOR)),
        origin=message.origin,
        created=_moment(message, "created"),
        last_used=_moment(message, "last_used"),
    )


def _moment(message: pb2.CertificateRow, name: str) -> Seconds | None:
    return Seconds(getattr(message, name)) if message.HasField(name) else None
