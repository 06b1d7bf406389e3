"""A call that is asked of two: of one at once, and after a moment of another too.

The first attempt runs in the caller's own task, since a task for each call would cost
a fifth of the call, and most are answered in time. So when the second wins, it
interrupts that task, the way `asyncio.timeout` does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from rum_twisted.rpc.errors import RpcError

__all__ = ["Hedge"]


class Hedge:
    """One such call.

    Invariant: when `run` has ended, the second attempt has ended too.

    Args:
        ask_another: begins the second attempt; ``None``: there is nobody to ask.
    """

    def __init__(self, ask_another: Callable[[], "asyncio.Task[Any] | None"]) -> None:
        self._ask_another = ask_another
        self._caller: asyncio.Task[Any] | None = None  # while he waits for the first
        self._second: asyncio.Task[Any] | None = None
        self._has_won = False  # the second, while the first was being waited for

    async def run(self, first: Awaitable[Any], delay: float) -> Any:
        """Return what is answered first; if both fail, fail as the first.

        Args:
            first: the first attempt.
            delay: until another is asked, in seconds.
        """
        self._caller = asyncio.current_task()
        timer = asyncio.get_running_loop().call_later(delay, self._begin)
        try:
            return await first
        except RpcError as error:
            self._caller = None
            if not error.code.blames_instance:
                raise
            return await self._second_instead_of(error)
        except asyncio.CancelledError:
            caller, self._caller = self._caller, None
            if not self._has_won or caller is None or caller.uncancel():
                raise  # it was not us, or not only
            assert self._second is not None, "it has won"
            return self._second.result()
        finally:
            self._caller = None
            timer.cancel()
            if self._second is not None and not self._second.done():
                self._second.cancel()
                await asyncio.gather(self._second, return_exceptions=True)

    async def _second_instead_of(self, error: RpcError) -> Any:
        """Wait for the second attempt, begun by now or not."""
        self._begin()
        if self._second is None:
            raise error
        try:
            return await self._second
        except RpcError as second_error:
            # An answer is an answer; of two failures, the first one's is told.
            if second_error.code.blames_instance:
                raise error from None
            raise

    def _begin(self) -> None:
        if self._second is None:
            self._second = self._ask_another()
            if self._second is not None:
                self._second.add_done_callback(self._end)

    def _end(self, second: "asyncio.Task[Any]") -> None:
        """Interrupt the caller, if the second has an answer before the first."""
        if self._caller is None or second.cancelled():
            return
        error = second.exception()
        if isinstance(error, RpcError) and error.code.blames_instance:
            return
        self._has_won = True
        self._caller.cancel()
