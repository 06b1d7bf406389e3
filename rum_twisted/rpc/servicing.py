"""The server's side of a call: from gRPC's handler to an object behind an interface.

What a servicer raises reaches the caller as a code and a few words, and nothing
else: the text of an exception that nobody has foreseen stays here, in the log.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import grpc
import grpc.aio
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.rpc.conversation import ServerConversation
from rum_twisted.rpc.deadline import DEADLINE
from rum_twisted.rpc.errors import Code, RpcError
from rum_twisted.rpc.method import Method
from rum_twisted.rpc.metrics import CallMetrics, Label, Series
from rum_twisted.terms.units import Seconds

if TYPE_CHECKING:
    from rum_twisted.rpc.tracing import Tracing

__all__ = [
    "Answering",
    "Conversing",
    "IServicer",
    "IUnderWay",
    "Refusal",
    "UnderWay",
    "handlers_of",
    "incoming_metadata",
]

_METADATA: Final[ContextVar[Callable[[], Any]]] = ContextVar("metadata")
_STATUS: Final = {code.value[0]: code for code in grpc.StatusCode}


class Refusal(Exception):
    """A call is answered with an error.

    Args:
        code: which.
        details: for the caller's log; never a secret.
    """

    def __init__(self, code: Code, details: str) -> None:
        super().__init__(f"{code.name}: {details}")
        self.code = code
        self.details = details


def incoming_metadata() -> dict[str, str]:
    """Return what came along with the call that is being answered.

    Raises:
        LookupError: none is.
    """
    return {key: value for key, value in _METADATA.get()() if isinstance(value, str)}


@dataclass(frozen=True, slots=True)
class Answering:
    """A method and who answers it."""

    method: Method[Any, Any]
    answer: Callable[[Any], Awaitable[Any]]  # asyncio's; may raise `Refusal`


@dataclass(frozen=True, slots=True)
class Conversing:
    """A method whose two sides talk, for as long as they like."""

    method: Method[Any, Any]
    converse: Callable[[ServerConversation[Any, Any]], Awaitable[None]]  # likewise


class IServicer(Protocol):
    """What answers the calls of one service of a contract."""

    @property
    def name(self) -> str:
        """The service's full name, e.g. ``rum.v1.Passport``."""

    @property
    def answers(self) -> tuple[Answering | Conversing, ...]:
        """All its methods."""


class IUnderWay(Protocol):
    """Tells of work that somebody waits for."""

    @property
    def count(self) -> int:
        """How much there is now."""

    @property
    def begun(self) -> int:
        """How much there was since the start."""


class UnderWay:
    """Counts the calls that are being answered, and the streams that are open.

    Invariant: each method of two sides that talk has its place in both tables from
    the start.
    """

    __slots__ = ("begun", "count", "streams", "streams_begun")

    def __init__(self) -> None:
        self.count = 0  # now
        self.begun = 0  # since the start
        # By service and method: likewise.
        self.streams: dict[tuple[str, ...], int] = {}
        self.streams_begun: dict[tuple[str, ...], int] = {}

    @override
    def __repr__(self) -> str:
        return f"<UnderWay: {self.count}, {self.begun} begun>"


class _Handler:
    """Answers one method, within its time."""

    log = Logger()

    def __init__(
        self,
        answering: Answering,
        clock: IReactorTime,
        longest: Seconds,
        series: Series,
        under_way: UnderWay,
        tracing: "Tracing | None",
    ) -> None:
        self._tracing = tracing
        self._series = series
        self._under_way = under_way
        self._path = answering.method.path
        self._answer = answering.answer
        self._clock = clock
        self._longest = longest

    async def serve(
        self, request: Any, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> Any:
        """Answer a call; the caller's deadline holds, and our own bound."""
        self._under_way.count += 1
        self._under_way.begun += 1
        try:
            if self._tracing is None:
                return await self._serve(request, context, _untraced)
            metadata = context.invocation_metadata() or ()
            with self._tracing.server(self._path, metadata) as ended:
                return await self._serve(request, context, ended)
        finally:
            self._under_way.count -= 1

    async def _serve(
        self,
        request: Any,
        context: "grpc.aio.ServicerContext[Any, Any]",
        ended: Callable[[Code], None],
    ) -> Any:
        remaining = context.time_remaining()
        limit = self._longest
        if remaining is not None and remaining < limit:
            limit = Seconds(remaining)
        _METADATA.set(context.invocation_metadata)
        begun = self._clock.seconds()
        DEADLINE.set(Seconds(begun + limit))
        code = Code.CANCELLED  # unless it ends otherwise
        try:
            async with asyncio.timeout(limit):
                answer = await self._answer(request)
        except Refusal as error:
            code, details = error.code, error.details
        except RpcError as error:
            # Somebody else has failed us, and his words are not ours.
            code, details = Code.UNAVAILABLE, f"{error.method} has failed"
        except TimeoutError:
            code, details = Code.DEADLINE_EXCEEDED, f"not answered in {limit:.3f} s"
        except Exception:  # noqa: BLE001 - a bug must not tell callers of our insides
            self.log.failure("{method}: not answered", method=self._path)
            code, details = Code.INTERNAL, "internal error; the server's log has more"
        else:
            code = Code.OK
            return answer
        finally:
            self._series.observe(self._clock.seconds() - begun, code)
            ended(code)
        await context.abort(_STATUS[code], details)
        raise AssertionError("abort() raises")


def _untraced(code: Code) -> None:
    """Take note of nothing."""


class _Host:
    """Serves one method of two sides that talk; its end is the handler's affair."""

    log = Logger()

    def __init__(
        self, conversing: Conversing, service: str, under_way: UnderWay
    ) -> None:
        self._path = conversing.method.path
        self._converse = conversing.converse
        self._under_way = under_way
        self._place = (service, self._path)
        for table in (under_way.streams, under_way.streams_begun):
            table.setdefault(self._place, 0)

    async def serve(
        self, requests: Any, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> None:
        """Talk until the handler has had enough."""
        under_way, place = self._under_way, self._place
        under_way.streams[place] += 1
        under_way.streams_begun[place] += 1
        try:
            await self._serve(context)
        finally:
            under_way.streams[place] -= 1

    async def _serve(self, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        try:
            await self._converse(ServerConversation(context, self._path))
        except Refusal as error:
            code, details = error.code, error.details
        except RpcError:
            return  # the other side is gone, and hears nothing
        except Exception:  # noqa: BLE001 - a bug must not tell callers of our insides
            self.log.failure("{method}: not served", method=self._path)
            code, details = Code.INTERNAL, "internal error; the server's log has more"
        else:
            return
        await context.abort(_STATUS[code], details)


def handlers_of(
    servicer: IServicer,
    clock: IReactorTime,
    longest: Seconds,
    metrics: CallMetrics,
    under_way: UnderWay,
    tracing: "Tracing | None" = None,
) -> grpc.GenericRpcHandler:
    """Return gRPC's handlers of a service.

    Args:
        servicer: answers.
        clock: what deadlines are kept on.
        longest: a call may take, whatever its caller allows.
        metrics: counts the calls.
        under_way: counts those that are being answered, and open streams.
        tracing: makes spans of them; ``None``: nobody does.
    """

    def series(method: Method[Any, Any]) -> Series:
        label = Label(service=servicer.name, method=method.path, address="", version="")
        return metrics.series(label)

    def handler_of(entry: Answering | Conversing) -> Any:
        method = entry.method
        if isinstance(entry, Conversing):
            return grpc.stream_stream_rpc_method_handler(
                _Host(entry, servicer.name, under_way).serve,
                request_deserializer=method.read_request,
                response_serializer=method.write_answer,
            )
        return grpc.unary_unary_rpc_method_handler(
            _Handler(entry, clock, longest, series(method), under_way, tracing).serve,
            request_deserializer=method.read_request,
            response_serializer=method.write_answer,
        )

    return grpc.method_handlers_generic_handler(
        servicer.name,
        {
            entry.method.path.rpartition("/")[2]: handler_of(entry)
            for entry in servicer.answers
        },
    )
