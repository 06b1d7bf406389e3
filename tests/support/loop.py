"""Event loops beside the reactor's: driven by hand, or until something is done."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

__all__ = ["LoopTestCase", "keep_event_loop", "run"]

T = TypeVar("T")

_TURNS_AT_MOST = 100  # whatever has not come by then waits for something outside


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, on a loop of its own.

    `asyncio.run` does the same, but takes the reactor's loop from the thread.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def keep_event_loop(case: SynchronousTestCase) -> None:
    """Give the thread its loop back after a test of code that calls `asyncio.run`."""
    try:
        loop = asyncio.get_event_loop_policy().get_event_loop()
    except RuntimeError:
        return  # there is none
    case.addCleanup(asyncio.set_event_loop, loop)


class LoopTestCase(SynchronousTestCase):
    """A test with a loop of its own, which runs only when the test says so.

    Invariant: no task outlives its test; one that does fails it.
    """

    @override
    def setUp(self) -> None:
        """Make the loop."""
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self._close_loop)

    def turn(self, times: int = 1) -> None:
        """Let everything that is ready run, ``times`` times over."""
        for _ in range(times):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()

    def outcome_of(self, deferred: Deferred[T]) -> T | Failure:
        """Run the loop until ``deferred`` has fired; return what it fired with."""
        outcomes: list[T | Failure] = []
        deferred.addBoth(outcomes.append)
        for _ in range(_TURNS_AT_MOST):
            if outcomes:
                return outcomes[0]
            self.turn()
        raise AssertionError(f"{deferred} has not fired within {_TURNS_AT_MOST} turns")

    def _close_loop(self) -> None:
        self.turn()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        self.turn(2)
        self.loop.close()
        self.assertEqual(left, set(), "tasks have outlived their test")
