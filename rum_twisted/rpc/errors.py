"""How a call can fail, in words that need no grpc.

The numbers are gRPC's own. Whoever calls a service catches `RpcError` and looks at
its code; grpc's exceptions do not leave this room.
"""

from enum import IntEnum
from typing import Final

__all__ = ["ClientClosed", "Code", "NoInstance", "RpcError", "TooManyServices"]


class Code(IntEnum):
    """What a call has ended with.

    Source: gRPC's documentation, "Status codes and their use in gRPC".
    """

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

    @property
    def blames_instance(self) -> bool:
        """Whether another instance might have answered, as far as one can tell."""
        return self in _OF_INSTANCE


_OF_INSTANCE: Final = frozenset(
    {
        Code.DATA_LOSS,
        Code.DEADLINE_EXCEEDED,
        Code.INTERNAL,
        Code.RESOURCE_EXHAUSTED,
        Code.UNAVAILABLE,
        Code.UNIMPLEMENTED,  # an older version, while a newer one is brought in
        Code.UNKNOWN,
    }
)
"""The other codes are answers: asking again gives the same one."""


class RpcError(Exception):
    """A call has failed.

    Args:
        code: how.
        details: what the service, or gRPC, says of it; for the log, not for pilots.
        method: of what was called, e.g. ``/rum.v1.Passport/Authenticate``.
        address: the instance that was asked; empty if none was.
    """

    def __init__(
        self, code: Code, details: str, *, method: str = "", address: str = ""
    ) -> None:
        place = f" at {address}" if address else ""
        super().__init__(f"{method}{place}: {code.name}: {details}")
        self.code = code
        self.details = details
        self.method = method
        self.address = address


class NoInstance(RpcError):
    """There is nobody to ask: none is known, or none has answered of late."""


class TooManyServices(Exception):
    """A client was asked for by one more name than there can be services."""


class ClientClosed(Exception):
    """A client was used after its end, or before the beginning of its service."""
