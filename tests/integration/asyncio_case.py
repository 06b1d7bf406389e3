"""Tests on the asyncio reactor."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet import reactor as installed_reactor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, TestCase
from typing_extensions import override

from rum_twisted.rpc.bridge import deferred

__all__ = ["AsyncioTestCase"]

T = TypeVar("T")

_PATIENCE = 120.0  # seconds, for everything that must come in the end
_TIDYING = 30.0  # seconds, for what has been cancelled or hung up on to end
_PAUSE = 0.01  # seconds, between two looks


class AsyncioTestCase(TestCase):
    """A test that awaits asyncio's futures; `make test` gives it its reactor.

    Invariant: no task outlives its test; one that does fails it. gRPC needs a moment,
    on a busy machine a long one, to hear from its own threads that a call is over.
    """

    timeout = 240.0  # seconds; trial's own bound of a test

    @override
    def setUp(self) -> None:
        """Look whether the reactor is the right one."""
        if not isinstance(installed_reactor, AsyncioSelectorReactor):
            raise SkipTest("needs the asyncio reactor: trial --reactor=asyncio")
        self.reactor: Any = installed_reactor
        self.addCleanup(self._check_tasks)

    def run_here(self, coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
        """Return the outcome of asyncio code; it has to come within two minutes."""
        return deferred(asyncio.wait_for(coroutine, _PATIENCE))

    async def _check_tasks(self) -> None:
        left = await deferred(self._tasks_left())
        self.assertEqual(left, [], "tasks have outlived their test")

    async def _tasks_left(self) -> list[str]:
        loop = asyncio.get_running_loop()
        latest = loop.time() + _TIDYING
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            if loop.time() > latest:
                break
            await asyncio.sleep(_PAUSE)
        return sorted(repr(task) for task in left)
