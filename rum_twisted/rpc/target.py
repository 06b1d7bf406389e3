"""One instance as a client sees it: how to ask it, and what came of that so far."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final, TypeVar

import grpc.aio
from google.protobuf.message import Message
from typing_extensions import override

from rum_twisted.rpc.breaker import Breaker, BreakerState
from rum_twisted.rpc.channels import Endpoint
from rum_twisted.rpc.errors import Code, RpcError
from rum_twisted.rpc.method import Method
from rum_twisted.rpc.metrics import CallMetrics, Label, Series
from rum_twisted.rpc.selection import PENALTY, Load
from rum_twisted.terms.instance import Instance
from rum_twisted.terms.units import Seconds

__all__ = ["Metadata", "Target"]

A = TypeVar("A", bound=Message)
Metadata = Sequence[tuple[str, str]]

LEAST_TIMEOUT: Final = Seconds(0.001)  # gRPC takes 0 for a deadline that has passed


class Target:
    """An instance that may be asked.

    Args:
        instance: who it is; a later one of the same name and address may follow.
        endpoint: where it is; whoever makes the target acquires and releases it.
        now: the clock.
        random: for the breaker.
        metrics: counts the calls.
        changed: called when the breaker opens or closes.
    """

    def __init__(
        self,
        instance: Instance,
        endpoint: Endpoint,
        *,
        now: Callable[[], Seconds],
        random: Random,
        metrics: CallMetrics,
        changed: Callable[[], None],
    ) -> None:
        self.instance = instance
        self.endpoint = endpoint
        self.load = Load()
        self.breaker = Breaker(random)
        self._now = now
        self._metrics = metrics
        self._changed = changed
        self._series: dict[str, Series] = {}
        self.is_gone = False  # it is not an instance any more, or we stop

    @override
    def __repr__(self) -> str:
        instance = self.instance
        state = self.breaker.state.value
        return f"<Target {instance.name} at {instance.address}: {state}>"

    async def attempt(
        self,
        method: Method[Any, A],
        request: Any,
        timeout: float,
        metadata: Metadata | None,
    ) -> A:
        """Ask the instance once.

        Args:
            method: what is called.
            request: of the method's kind.
            timeout: in seconds, for the whole attempt.
            metadata: goes along.

        Raises:
            RpcError: it has failed, or has answered with an error.
        """
        if self.is_gone:
            # Its endpoint may be closed, and would be opened again for ever.
            raise self._error(Code.UNAVAILABLE, "the instance is gone", method)
        load, breaker = self.load, self.breaker
        if breaker.state is not BreakerState.CLOSED:
            breaker.begin()
        series = self._series.get(method.path) or self._series_of(method.path)
        load.in_flight += 1
        endpoint = self.endpoint
        endpoint.calls += 1
        began = self._now()
        try:
            answer: A = await endpoint.callable(method)(
                request, timeout=max(timeout, LEAST_TIMEOUT), metadata=metadata
            )
            now = self._now()
            seconds = now - began
            load.measure(seconds, now)
            series.observe(seconds, Code.OK)
            if breaker.succeed():
                self._changed()
        except grpc.aio.AioRpcError as error:
            error.__traceback__ = None  # see `forgetting`, which costs time here
            code = Code(error.code().value[0])
            self._note(code, began, series)
            raise self._error(code, error.details() or "", method) from None
        except asyncio.CancelledError as error:
            error.__traceback__ = None
            self._note(Code.CANCELLED, began, series)
            if _is_cancelled():
                raise
            # The channel was closed under way.
            raise self._error(Code.CANCELLED, "channel closed", method) from None
        except Exception:
            breaker.give_up()  # a slip of ours, such as metadata that cannot be sent
            raise
        finally:
            load.in_flight -= 1
            endpoint.end_call()
            self._finish_retiring()
        return answer

    def _error(self, code: Code, details: str, method: Method[Any, Any]) -> RpcError:
        return RpcError(
            code, details, method=method.path, address=self.instance.address
        )

    def retire(self) -> None:
        """Be asked no more; what was counted goes to those who are gone."""
        self.is_gone = True
        self._finish_retiring()

    def _finish_retiring(self) -> None:
        if self.is_gone and self.load.in_flight == 0:
            self._metrics.retire(self._series.values())
            self._series.clear()

    def _note(self, code: Code, began: Seconds, series: Series) -> None:
        """Take up that the instance has failed, or has answered with an error."""
        now = self._now()
        seconds = now - began
        series.observe(seconds, code)
        has_changed = False
        if code.blames_instance:
            self.load.measure(max(seconds, PENALTY), now)
            has_changed = self.breaker.fail(now)
        elif code is Code.CANCELLED:
            self.breaker.give_up()
        else:
            self.load.measure(seconds, now)
            has_changed = self.breaker.succeed()
        if has_changed:
            self._changed()

    def _series_of(self, path: str) -> Series:
        instance = self.instance
        label = Label(
            service=instance.service,
            method=path,
            address=instance.address,
            version=instance.version,
        )
        series = self._series[path] = self._metrics.series(label)
        return series


def _is_cancelled() -> bool:
    """Whether the task that runs was itself cancelled."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
