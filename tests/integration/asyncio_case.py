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
_TURNS = 50  # of the loop, for what has been cancelled to end


class AsyncioTestCase(TestCase):
    """A test that awaits asyncio's futures; `make test` gives it its reactor.

    Invariant: no task outlives its test; one that does fails it.
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
        for _ in range(_TURNS):
            left = asyncio.all_tasks() - {asyncio.current_task()}
            if not left:
                return []
            await asyncio.sleep(0)
        return sorted(repr(task) for task in left)
