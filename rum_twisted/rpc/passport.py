"""Accounts across processes: `IAccounts` on one side, gRPC between, and back again.

Contract: ``proto/rum/v1/passport.proto``, service Passport.
"""

from typing import Final, TypeAlias

from rum_twisted.rpc.bridge import future
from rum_twisted.rpc.client import XClient
from rum_twisted.rpc.convert import Unreadable, account_of, message_of_account
from rum_twisted.rpc.generated import passport_pb2 as pb2
from rum_twisted.rpc.method import Method
from rum_twisted.rpc.servicing import Answering
from rum_twisted.session.interfaces import (
    Account,
    AccountsUnavailable,
    IAccounts,
    InvalidCredentials,
    TooManyFailures,
)
from rum_twisted.terms.errors import WorldError
from rum_twisted.terms.units import Seconds

__all__ = ["PASSPORT", "PassportServicer", "authenticate"]

PASSPORT: Final = "passport"
"""The role, as instances announce it."""

_SERVICE: Final = pb2.DESCRIPTOR.services_by_name["Passport"]
_AUTHENTICATE: Final = Method.of(
    _SERVICE,
    "Authenticate",
    pb2.AuthenticateRequest,
    pb2.AuthenticateResponse,
    may_repeat=True,
)
_Reason: TypeAlias = type[InvalidCredentials | TooManyFailures | AccountsUnavailable]
_REASONS: Final[dict[int, _Reason]] = {
    pb2.Refusal.INVALID_CREDENTIALS: InvalidCredentials,
    pb2.Refusal.TOO_MANY_FAILURES: TooManyFailures,
}
_NUMBERS: Final = {
    InvalidCredentials: pb2.Refusal.INVALID_CREDENTIALS,
    TooManyFailures: pb2.Refusal.TOO_MANY_FAILURES,
}


class PassportServicer:
    """Lets other processes ask a store of accounts.

    Args:
        accounts: is asked.
    """

    name: str = _SERVICE.full_name

    def __init__(self, accounts: IAccounts) -> None:
        self._accounts = accounts
        self.answers = (Answering(_AUTHENTICATE, self._authenticate),)

    async def _authenticate(
        self, request: pb2.AuthenticateRequest
    ) -> pb2.AuthenticateResponse:
        asked = self._accounts.authenticate(
            request.cid, request.password, request.address
        )
        try:
            account = await future(asked)
        except WorldError as error:
            reason = _NUMBERS.get(type(error), pb2.Refusal.UNAVAILABLE)
            refusal = pb2.Refusal(reason=reason, notice=error.notice)
            return pb2.AuthenticateResponse(refusal=refusal)
        return pb2.AuthenticateResponse(account=message_of_account(account))


async def authenticate(
    client: XClient, cid: str, password: str, address: str, timeout: Seconds
) -> Account:
    """Ask the accounts of another process; see `IAccounts.authenticate`.

    Args:
        client: of `PASSPORT`.
        cid: as typed at logon.
        password: as typed at logon.
        address: where it comes from.
        timeout: for the answer.

    Raises:
        InvalidCredentials: as in one process; so `TooManyFailures` and
            `AccountsUnavailable`.
        RpcError: nobody has answered.
        Unreadable: the answer is none.
    """
    request = pb2.AuthenticateRequest(cid=cid, password=password, address=address)
    answer = await client.call(
        _AUTHENTICATE, request, timeout=timeout, key=cid, who=cid
    )
    match answer.WhichOneof("outcome"):
        case "account":
            return account_of(answer.account)
        case "refusal":
            refusal = answer.refusal
            error = _REASONS.get(refusal.reason, AccountsUnavailable)
            raise error(cid, refusal.notice)
    raise Unreadable("an answer without an outcome: due is an account or a refusal")
