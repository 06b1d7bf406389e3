"""What can be called: the methods of the services in ``proto/``.

They are taken from the generated code, so that a path, a request and its answer
cannot disagree with the contract.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

__all__ = ["Method"]

Q = TypeVar("Q", bound=Message)  # the request
A = TypeVar("A", bound=Message)  # the answer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Method(Generic[Q, A]):
    """One method of a service."""

    path: str  # e.g. /rum.v1.Passport/Authenticate
    write: Callable[[Q], bytes]
    read: Callable[[bytes], A]
    read_request: Callable[[bytes], Q]
    write_answer: Callable[[A], bytes]
    may_repeat: bool  # asking twice does no more than asking once

    @classmethod
    def of(
        cls,
        service: Any,
        name: str,
        request: type[Q],
        answer: type[A],
        *,
        may_repeat: bool,
    ) -> "Method[Q, A]":
        """Find a method in a contract.

        Args:
            service: the descriptor of its service.
            name: as the contract has it.
            request: the class of the request.
            answer: the class of the answer.
            may_repeat: see `Method`.

        Raises:
            ValueError: the contract says otherwise.
        """
        found = service.methods_by_name[name]
        for due, given in ((found.input_type, request), (found.output_type, answer)):
            if due is not given.DESCRIPTOR:
                raise ValueError(f"{name}: {given.__name__}: due {due.full_name}")
        return cls(
            path=f"/{service.full_name}/{name}",
            write=request.SerializeToString,
            read=answer.FromString,
            read_request=request.FromString,
            write_answer=answer.SerializeToString,
            may_repeat=may_repeat,
        )
