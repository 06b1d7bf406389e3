"""Streams in both directions: two sides that say what they like, in order.

Either side reads until the other has ended. One message at a time is written; a writer
waits while the other side does not read, so nothing piles up in between.
"""

import asyncio
from typing import Any, Generic, TypeVar

import grpc.aio
from google.protobuf.message import Message

from rum_twisted.rpc.bridge import forgetting
from rum_twisted.rpc.errors import Code, RpcError

__all__ = ["ClientConversation", "Conversation", "ServerConversation"]

S = TypeVar("S", bound=Message)  # what is said
H = TypeVar("H", bound=Message)  # what is heard

_EOF: Any = grpc.aio.EOF


class Conversation(Generic[S, H]):
    """One side of a stream; see the two that follow for what it is made of.

    Args:
        stream: grpc.aio's call, or context.
        method: for errors.
        address: likewise.
    """

    def __init__(self, stream: Any, method: str, address: str = "") -> None:
        self._stream = stream
        self._method = method
        self._address = address
        self._turn = asyncio.Lock()  # of writers

    async def read(self) -> H | None:
        """Return what the other side says next; ``None``: it has ended.

        Raises:
            RpcError: the stream has failed.
        """
        try:
            heard = await forgetting(self._stream.read())
        except grpc.aio.AioRpcError as error:
            raise self._error(error) from None
        except grpc.aio.UsageError:  # the stream is over, from this side's view
            return None
        return None if heard is _EOF or heard is None else heard

    async def write(self, message: S) -> None:
        """Say something; returns when it is on the way.

        Raises:
            RpcError: the stream has failed, or has ended.
        """
        async with self._turn:
            try:
                await forgetting(self._stream.write(message))
            except grpc.aio.AioRpcError as error:
                raise self._error(error) from None
            except (grpc.aio.UsageError, asyncio.InvalidStateError) as error:
                raise RpcError(
                    Code.UNAVAILABLE,
                    "the stream has ended",
                    method=self._method,
                    address=self._address,
                ) from error

    def _error(self, error: grpc.aio.AioRpcError) -> RpcError:
        return RpcError(
            Code(error.code().value[0]),
            error.details() or "",
            method=self._method,
            address=self._address,
        )


class ServerConversation(Conversation[S, H]):
    """The side of whoever serves; ends when its handler returns."""


class ClientConversation(Conversation[S, H]):
    """The side of whoever has called."""

    def close(self) -> None:
        """End the stream at once, whatever is under way; it is forgotten."""
        stream, self._stream = self._stream, _Over()
        stream.cancel()


class _Over:
    """Stands for a stream that has been closed: see `forgetting`."""

    async def read(self) -> Any:
        """Hear nothing more."""
        return _EOF

    async def write(self, message: Any) -> None:
        """Refuse."""
        raise asyncio.InvalidStateError

    def cancel(self) -> None:
        """Do nothing."""
