"""Reflection: what an endpoint serves, told to tools such as ``grpcurl``.

gRPC's library for it, with all of protocol buffers that it needs, is two megabytes.
Hardly anybody asks, so it is loaded at the first question.
"""

from collections.abc import Iterable
from typing import Any, Final

import grpc
from twisted.logger import Logger
from typing_extensions import override

__all__ = ["Reflection"]

REFLECTION: Final = "grpc.reflection.v1alpha.ServerReflection"
_METHOD: Final = "ServerReflectionInfo"


class Reflection(grpc.GenericRpcHandler):
    """Answers questions about what is served, and learns how at the first of them.

    Args:
        names: of the services, in full.
    """

    log = Logger()

    def __init__(self, names: Iterable[str]) -> None:
        self._names = (*names, REFLECTION)
        self._handlers: grpc.GenericRpcHandler | None = None

    @override
    def __repr__(self) -> str:
        state = "not asked yet" if self._handlers is None else "loaded"
        return f"<Reflection of {len(self._names)} services: {state}>"

    @override
    def service(self, handler_call_details: Any) -> Any:
        """Return what answers a call, if it is a question for us; gRPC calls this."""
        if handler_call_details.method != f"/{REFLECTION}/{_METHOD}":
            return None
        if self._handlers is None:
            self._handlers = self._load()
        return self._handlers.service(handler_call_details)

    def _load(self) -> grpc.GenericRpcHandler:
        self.log.info("somebody asks what is served; reflection is loaded")
        # The health service's messages are described there, too.
        from grpc_health.v1 import health_pb2  # noqa: F401, PLC0415 - see above
        from grpc_reflection.v1alpha import (  # noqa: PLC0415
            reflection,
            reflection_pb2,
        )

        servicer = reflection.aio.ReflectionServicer(self._names)
        return grpc.method_handlers_generic_handler(
            REFLECTION,
            {
                _METHOD: grpc.stream_stream_rpc_method_handler(
                    servicer.ServerReflectionInfo,
                    reflection_pb2.ServerReflectionRequest.FromString,
                    reflection_pb2.ServerReflectionResponse.SerializeToString,
                )
            },
        )
