"""gRPC's statuses, as etcd uses them, become our errors.

Source: https://github.com/etcd-io/etcd, ``api/v3rpc/rpctypes/error.go``.
"""

from typing import Final

import grpc

from rum_twisted.discovery.errors import (
    AccessDenied,
    EtcdError,
    EtcdUnavailable,
    LeaseLost,
    RequestRefused,
    TokenExpired,
)

__all__ = ["error_for", "is_lost_token"]

_LEASE_LOST: Final = "requested lease not found"
_LONGEST_DETAILS: Final = 200  # characters of another's words in our log

_REFUSED: Final = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
# Said with a status that says nothing of it.
_TOKEN_WORDS: Final = (
    "invalid auth token",
    "revision of auth store is old",
    "user name is empty",
)
_LOGON_WORDS: Final = "authentication failed"


def error_for(
    code: grpc.StatusCode | None, details: str | None, endpoint: str
) -> EtcdError:
    """Return our error for a status; what is unknown may pass, so try again.

    Args:
        code: the status.
        details: etcd's own words.
        endpoint: of the member that was asked.
    """
    words = (details or "")[:_LONGEST_DETAILS]
    name = code.name if code is not None else "no status"
    text = f"{endpoint}: {name}: {words}"
    if _LEASE_LOST in words:
        return LeaseLost(text)
    if code is grpc.StatusCode.UNAUTHENTICATED or any(
        part in words for part in _TOKEN_WORDS
    ):
        return TokenExpired(text)
    if code is grpc.StatusCode.PERMISSION_DENIED or _LOGON_WORDS in words:
        return AccessDenied(text)
    if code in _REFUSED:
        return RequestRefused(text)
    return EtcdUnavailable(text)


def is_lost_token(reason: str) -> bool:
    """Tell whether a watch was ended because its token is no longer good.

    It is how etcd says so: as if something were forbidden.
    """
    return "permission denied" in reason or any(part in reason for part in _TOKEN_WORDS)
