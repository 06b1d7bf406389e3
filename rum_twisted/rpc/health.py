"""Asks an endpoint of gRPC how it is, from a program that has no reactor."""

from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from rum_twisted.terms.units import Seconds

__all__ = ["is_serving"]


def is_serving(address: str, seconds: Seconds) -> bool:
    """Tell whether a server's health service says that it serves.

    Args:
        address: host:port, without TLS.
        seconds: after which it is given up.
    """
    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=seconds)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
