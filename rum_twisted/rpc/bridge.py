"""The one crossing between Twisted's Deferreds and asyncio's coroutines.

A coroutine that awaits asyncio's futures, as all of grpc.aio does, has to run as a
task of the event loop; one that awaits Deferreds need not. This module turns each
into what the other side understands. It starts no loop and no thread: reactor and
loop are one, since `twistd rum` runs on Twisted's asyncio reactor.

Cancelling goes through in both directions. Whoever cancels on one side reads the
cancellation of his own side: ``twisted.internet.defer.CancelledError`` at a Deferred,
``asyncio.CancelledError`` at an ``await``. Every other exception comes out as it is.

Whoever keeps an exception keeps what stands in its traceback, and on the way through
here it may be part of a cycle. So gRPC's calls are kept out of it, by `forgetting`.
"""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

__all__ = ["deferred", "forgetting", "future"]

T = TypeVar("T")


def deferred(
    coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop | None = None
) -> Deferred[T]:
    """Run an asyncio coroutine as a task, and tell its outcome as a Deferred.

    Args:
        coroutine: it may await asyncio's futures, and Deferreds wrapped by `future`.
        loop: what it runs on; by default the loop that runs now or, before the
            reactor runs, the one that the asyncio reactor was installed with.

    Returns:
        a Deferred that fires with what the coroutine returns, never before this
        function has returned. Cancelling it cancels the task, and it fires when the
        task has ended: with a ``CancelledError``, unless the coroutine chose to end
        otherwise. Cancelled a second time, it fires at once.
    """
    task = (loop or _loop()).create_task(coroutine)
    return Deferred.fromFuture(task).addErrback(_say_it_as_twisted_does)


def future(
    outcome: Deferred[T], loop: asyncio.AbstractEventLoop | None = None
) -> "asyncio.Future[T]":
    """Return what asyncio code can await, once, in place of a Deferred.

    Args:
        outcome: nothing else may be added to it afterwards.
        loop: that of the code which awaits; by default as for `deferred`.

    Returns:
        a future with the outcome. Cancelling it, as by cancelling the task that
        awaits it, cancels the Deferred in the next turn of the loop.
    """
    return outcome.asFuture(loop or _loop())


async def forgetting(answer: Awaitable[T]) -> T:
    """Return what a call of gRPC's answers; an error does not remember the call.

    While somebody keeps a call, and be it in a traceback, its channel stays connected
    or tries to be, closed or not (gRPC 1.85). So who has one in a variable drops it
    before an error goes on, too.

    Args:
        answer: a call, or what is read from or written to a stream.
    """
    try:
        return await answer
    except BaseException as error:
        error.__traceback__ = error.__context__ = None
        del answer
        raise


def _loop() -> asyncio.AbstractEventLoop:
    """Return the running loop, or that which the reactor was installed with."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        # Services start before the reactor runs.
        return asyncio.get_event_loop_policy().get_event_loop()


def _say_it_as_twisted_does(failure: Failure) -> Failure:
    """Let whoever cancelled a Deferred find what he knows from all others."""
    if failure.check(asyncio.CancelledError):
        return Failure(CancelledError())
    return failure
