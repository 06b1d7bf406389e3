"""gRPC's own health service, by which the usual tools ask how an endpoint is.

It is ours because gRPC's loads two megabytes of protocol buffers for its two messages.

Source: gRPC's documentation, "GRPC Health Checking Protocol".
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import grpc
import grpc.aio
from typing_extensions import override

from rum_twisted.rpc.generated import health_subset_pb2 as pb2

__all__ = ["HEALTH", "MOST_WATCHES", "Health"]

HEALTH: Final = "grpc.health.v1.Health"
MOST_WATCHES: Final = 100  # open at a time; each counts among the server's calls

_Status = pb2.HealthCheckResponse


class Health:
    """Tells that some services are served, and at last that they are not.

    Args:
        names: of the services, in full; the process as a whole is told of as "".
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(("", *names))
        self._is_over = asyncio.Event()
        self.watches = 0

    @override
    def __repr__(self) -> str:
        state = "over" if self._is_over.is_set() else "serving"
        return f"<Health: {state}, {self.watches} watches>"

    def end(self) -> None:
        """Say that nothing is served any more, and end the watches."""
        self._is_over.set()

    @property
    def handlers(self) -> grpc.GenericRpcHandler:
        """Its methods, as gRPC wants them."""
        read = pb2.HealthCheckRequest.FromString
        write = pb2.HealthCheckResponse.SerializeToString
        return grpc.method_handlers_generic_handler(
            HEALTH,
            {
                "Check": grpc.unary_unary_rpc_method_handler(self._check, read, write),
                "Watch": grpc.unary_stream_rpc_method_handler(self._watch, read, write),
            },
        )

    def _status(self, service: str) -> pb2.HealthCheckResponse:
        if service not in self._names:
            return pb2.HealthCheckResponse(status=_Status.SERVICE_UNKNOWN)
        is_over = self._is_over.is_set()
        return pb2.HealthCheckResponse(
            status=_Status.NOT_SERVING if is_over else _Status.SERVING
        )

    async def _check(
        self,
        request: pb2.HealthCheckRequest,
        context: "grpc.aio.ServicerContext[Any, Any]",
    ) -> pb2.HealthCheckResponse:
        if request.service not in self._names:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return self._status(request.service)

    async def _watch(
        self,
        request: pb2.HealthCheckRequest,
        context: "grpc.aio.ServicerContext[Any, Any]",
    ) -> AsyncIterator[pb2.HealthCheckResponse]:
        if self.watches >= MOST_WATCHES:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "too many watch already"
            )
        self.watches += 1
        try:
            if not self._is_over.is_set():
                yield self._status(request.service)
                await self._is_over.wait()
            yield self._status(request.service)
        finally:
            self.watches -= 1
