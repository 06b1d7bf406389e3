"""Who is looked up while a question is under way shares the next one with others.

On the evening of an event a thousand members log on at the same moment. A question to
a database costs the reactor half a millisecond, whatever it finds: that is the way
through SQLAlchemy and the driver, there and back. One more row costs a tenth of it. So
whoever comes alone is asked for at once, and while that takes its time, the next ones
gather.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Generic, TypeVar

from typing_extensions import override

__all__ = ["Lookups"]

T = TypeVar("T")


class Lookups(Generic[T]):
    """Looks things up by their keys, several with one question.

    Args:
        ask: puts one question; returns what there is, by key.
        most: keys in one question.

    Invariants: at most one question is under way, and nobody waits while none is;
    keys are asked for in the order in which they came; a question that nobody waits
    for any more is given up.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[str]], Coroutine[Any, Any, Mapping[str, T]]],
        most: int,
    ) -> None:
        self._ask = ask
        self._most = most
        self._waiting: dict[asyncio.Future[T | None], str] = {}  # in order
        self._asked: dict[asyncio.Future[T | None], str] = {}
        self._work: asyncio.Task[None] | None = None

    @override
    def __repr__(self) -> str:
        return f"<Lookups: {len(self._asked)} asked, {len(self._waiting)} waiting>"

    async def find(self, key: str) -> T | None:
        """Look a key up; ``None``: there is nothing.

        Raises:
            Exception: what the question raised; so does each other key of it.
        """
        waiter: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = key
        if self._work is None:
            self._begin()
        try:
            return await waiter
        except asyncio.CancelledError:
            await self._leave(waiter)
            raise

    def _begin(self) -> None:
        self._work = asyncio.get_running_loop().create_task(self._answer())
        self._work.add_done_callback(self._end)

    async def _answer(self) -> None:
        """Put questions as long as anybody waits for one."""
        while self._waiting:
            for waiter in list(self._waiting)[: self._most]:
                self._asked[waiter] = self._waiting.pop(waiter)
            try:
                found = await self._ask(tuple(dict.fromkeys(self._asked.values())))
            except Exception as error:  # noqa: BLE001 - of whoever waits, not ours
                for waiter in self._staying():
                    waiter.set_exception(error)
            else:
                for waiter in self._staying():
                    waiter.set_result(found.get(self._asked[waiter]))
            self._asked.clear()

    def _staying(self) -> "list[asyncio.Future[T | None]]":
        """Return who was asked for and waits; others may have left a moment ago."""
        return [waiter for waiter in self._asked if not waiter.done()]

    def _end(self, _work: "asyncio.Task[None]") -> None:
        """Begin anew if somebody has come while a question was given up."""
        self._work = None
        for waiter in self._asked:  # none, but where the loop itself comes to its end
            waiter.cancel()
        self._asked.clear()
        if self._waiting:
            self._begin()

    async def _leave(self, waiter: "asyncio.Future[T | None]") -> None:
        """Forget who waits no more; the last one of a question waits for its end."""
        self._waiting.pop(waiter, None)
        if self._asked.pop(waiter, None) is None or self._asked:
            return
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])
