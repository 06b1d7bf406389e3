"""SQLAlchemy's engine on an event loop, and nothing more of SQLAlchemy than that.

Its asyncio extension does the same and more, but brings the object-relational mapper
along: 6 MB that nobody here uses, of the 64 that a small box has. What makes the
drivers asynchronous is below both: the engine works in a greenlet, which gives way to
the loop wherever the driver waits (`sqlalchemy.util.concurrency.greenlet_spawn`).

`LoopEngine` has the names and the ways of the extension's ``AsyncEngine``, but one. A
statement of SQLite runs in a thread, and nobody can stop it there: who is cancelled
hears of it when the statement has come to its end. Else its connection would be closed
around it, and could hold the file's lock for as long as a traceback lives.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, CursorResult, Dialect, Engine, Executable
from sqlalchemy.util.concurrency import greenlet_spawn
from typing_extensions import override

__all__ = ["LoopConnection", "LoopEngine"]

T = TypeVar("T")
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]


Work = Callable[..., Coroutine[Any, Any, Any]]
"""Calls a function with arguments, in a greenlet."""


async def _in_turn(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a greenlet, when the loop has gone round.

    To take a connection that lies ready, to begin, and to put a question need no wait
    in between, and are 2 to 4 ms of work each once the core's caches hold other things.
    """
    await asyncio.sleep(0)
    result: T = await greenlet_spawn(function, *arguments)
    return result


async def _finished(task: "asyncio.Task[Any]") -> None:
    """Wait for the end of a task, and only then hear of having been cancelled."""
    is_cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled:
        raise asyncio.CancelledError


async def _to_its_end(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function in a greenlet; whoever cancels that has to wait for its end."""
    task = asyncio.create_task(greenlet_spawn(function, *arguments))
    try:
        await _finished(task)
    except asyncio.CancelledError:
        task.exception()  # of no more use
        raise
    return task.result()


class LoopConnection:
    """A connection that is asked from coroutines, one question at a time.

    Args:
        connection: SQLAlchemy's, of an engine with an asynchronous driver.
        work: see `Work`.
    """

    def __init__(self, connection: Connection, work: Work) -> None:
        self._connection = connection
        self._work = work

    @override
    def __repr__(self) -> str:
        return f"<LoopConnection of {self._connection!r}>"

    async def execute(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> CursorResult[Any]:
        """Run a statement; its rows have all been read when it returns."""
        done: CursorResult[Any] = await self._work(
            self._connection.execute, statement, parameters
        )
        return done

    async def run_sync(self, work: Callable[[Connection], T]) -> T:
        """Have a plain function work with the connection."""
        result: T = await self._work(work, self._connection)
        return result


class LoopEngine:
    """An engine that is asked from coroutines.

    Args:
        sync_engine: SQLAlchemy's, with an asynchronous driver.
    """

    def __init__(self, sync_engine: Engine) -> None:
        self.sync_engine = sync_engine
        self._can_stop = sync_engine.dialect.name != "sqlite"
        self._work: Work = _in_turn if self._can_stop else _to_its_end

    @override
    def __repr__(self) -> str:
        return f"<LoopEngine of {self.sync_engine!r}>"

    @property
    def dialect(self) -> Dialect:
        """Which database it speaks to."""
        return self.sync_engine.dialect

    def execution_options(self, **options: Any) -> Self:
        """Return the same engine, whose connections have other options."""
        return type(self)(self.sync_engine.execution_options(**options))

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[LoopConnection]:
        """Give a connection; what is not committed at the end is undone."""
        connection = await self._open()
        try:
            yield LoopConnection(connection, self._work)
        finally:
            # Whoever is cancelled twice must not leave it half given back.
            await asyncio.shield(
                asyncio.ensure_future(greenlet_spawn(connection.close))
            )

    async def _open(self) -> Connection:
        if self._can_stop:
            return await greenlet_spawn(self.sync_engine.connect)
        task = asyncio.create_task(greenlet_spawn(self.sync_engine.connect))
        try:
            await _finished(task)
        except asyncio.CancelledError:
            if task.exception() is None:  # it came too late: nobody will use it
                await greenlet_spawn(task.result().close)
            raise
        return task.result()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[LoopConnection]:
        """Give a connection in a transaction, which ends well or not at all."""
        async with self.connect() as connection:
            transaction = await connection.run_sync(Connection.begin)
            try:
                yield connection
            except BaseException:
                await self._work(transaction.rollback)
                raise
            await self._work(transaction.commit)

    async def dispose(self) -> None:
        """Close the connections that nobody uses; the next question opens others."""
        await greenlet_spawn(self.sync_engine.dispose)
