"""Twisted's clock on a bare asyncio loop, for tests that run one by themselves.

The database's drivers need a loop that really runs, and trial may have been given a
reactor without one.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.interfaces import (
    IDelayedCall,
    IReactorFromThreads,
    IReactorTime,
)
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface import implementer

from tests.support.loop import run

__all__ = ["LoopClock", "RunningLoopTestCase"]

T = TypeVar("T")

_LEAK_PATIENCE = 30.0  # seconds for a task to end


@implementer(IReactorTime, IReactorFromThreads)
class LoopClock:
    """The time of the running loop; to be made while it runs.

    Invariant: ``calls`` holds those that are to come.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.calls: set[_Call] = set()

    @override
    def __repr__(self) -> str:
        return f"<LoopClock: {len(self.calls)} calls to come>"

    def seconds(self) -> float:
        """Tell the loop's time."""
        return self.loop.time()

    def callLater(  # noqa: N802 - Twisted's name
        self,
        delay: float,
        callable: Callable[..., Any],  # noqa: A002
        *args: Any,
        **kwargs: Any,
    ) -> IDelayedCall:
        """Call later."""
        return _Call(self, delay, lambda: callable(*args, **kwargs))

    def getDelayedCalls(self) -> list[IDelayedCall]:  # noqa: N802 - Twisted's name
        """Tell what is to come."""
        return list(self.calls)

    def callFromThread(  # noqa: N802 - Twisted's name
        self,
        callable: Callable[..., Any],  # noqa: A002
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Have the loop call something."""
        self.loop.call_soon_threadsafe(lambda: callable(*args, **kwargs))


@implementer(IDelayedCall)
class _Call:
    """One call that is to come."""

    def __init__(self, clock: LoopClock, delay: float, work: Callable[[], Any]) -> None:
        self._clock = clock
        self._work = work
        self._handle = clock.loop.call_later(delay, self._run)
        clock.calls.add(self)

    def _run(self) -> None:
        self._clock.calls.discard(self)
        self._work()

    def cancel(self) -> None:
        """Do it never."""
        self._clock.calls.remove(self)
        self._handle.cancel()

    def active(self) -> bool:
        """Tell whether it is to come."""
        return self in self._clock.calls

    def getTime(self) -> float:  # noqa: N802 - Twisted's name
        """Tell when it comes."""
        return self._handle.when()

    def delay(self, secondsLater: float) -> None:  # noqa: N803 - Twisted's
        """Put it off."""
        self.reset(self.getTime() + secondsLater - self._clock.seconds())

    def reset(self, secondsFromNow: float) -> None:  # noqa: N803
        """Have it come so long from now."""
        self._handle.cancel()
        self._handle = self._clock.loop.call_later(secondsFromNow, self._run)


class RunningLoopTestCase(SynchronousTestCase):
    """A test that runs a coroutine on a loop of its own, to its end."""

    def run_on_loop(self, work: Coroutine[Any, Any, T], within: float = 120.0) -> T:
        """Run a coroutine, and see that no task outlives it.

        Args:
            work: what is tested.
            within: seconds after which it has failed.
        """
        return run(self._bounded(work, within))

    async def _bounded(self, work: Coroutine[Any, Any, T], within: float) -> T:
        async with asyncio.timeout(within):
            result = await work
        # Connections that were closed say so to the loop later, some from a thread.
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            _, left = await asyncio.wait(left, timeout=_LEAK_PATIENCE)
        self.assertEqual(left, set(), "tasks have outlived their test")
        return result
