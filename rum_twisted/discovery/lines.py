"""The way to an etcd of one or several members: one of them at a time is in use.

When a member does not answer, the next takes its place. Requests that are still under
way to the former keep its connection until they end.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from typing_extensions import override

from rum_twisted.discovery.errors import EtcdUnavailable, TokenExpired
from rum_twisted.terms.units import Seconds

__all__ = ["Line", "Lines"]

C = TypeVar("C")
T = TypeVar("T")


class Line(Generic[C]):
    """A connection to one member, and how many requests it has."""

    def __init__(self, endpoint: str, connection: C) -> None:
        self.endpoint = endpoint
        self.connection = connection
        self.users = 0
        self.is_retired = False

    @override
    def __repr__(self) -> str:
        return f"<Line to {self.endpoint}: {self.users} users>"


class Lines(Generic[C]):
    """Connections to the members of an etcd.

    Invariant: at most one line is not retired; a retired one has users.

    Args:
        endpoints: host:port of each member, in the order of trial.
        connect: makes a connection to one of them, within a running event loop.
        close: closes one that nobody uses.
        request_timeout: the longest wait for an answer, all trials together.
    """

    def __init__(
        self,
        endpoints: tuple[str, ...],
        *,
        connect: Callable[[str], C],
        close: Callable[[C], Coroutine[Any, Any, None]],
        request_timeout: Seconds,
    ) -> None:
        self._endpoints = endpoints
        self._connect = connect
        self._close = close
        self._request_timeout = request_timeout
        self._place = 0
        self._current: Line[C] | None = None
        self._lines: set[Line[C]] = set()
        self._closing: set[asyncio.Task[None]] = set()

    @override
    def __repr__(self) -> str:
        return f"<Lines: {sorted(line.endpoint for line in self._lines)}>"

    def __len__(self) -> int:
        return len(self._lines)

    @contextmanager
    def line(self) -> Iterator[Line[C]]:
        """Use the line to the member whose turn it is, opened if need be.

        If that ends with ``EtcdUnavailable``, it is the next one's turn.
        """
        line = self._current
        if line is None:
            endpoint = self._endpoints[self._place]
            line = self._current = Line(endpoint, self._connect(endpoint))
            self._lines.add(line)
        line.users += 1
        try:
            yield line
        except EtcdUnavailable:
            self._move_on(line)
            raise
        finally:
            line.users -= 1
            self._release(line)

    async def ask(self, attempt: Callable[[Line[C], float], Awaitable[T]]) -> T:
        """Make a request: to each member in turn until one answers.

        Args:
            attempt: makes it over a line, and takes no longer than so many seconds.

        Raises:
            EtcdError: none has answered, or etcd refused.
        """
        left = len(self._endpoints)
        within = self._request_timeout / left
        has_new_token = False
        while True:
            try:
                with self.line() as line:
                    return await attempt(line, within)
            except TokenExpired:
                if has_new_token:
                    raise
                has_new_token = True
            except EtcdUnavailable:
                left -= 1
                if not left:
                    raise

    async def close(self) -> None:
        """Close every connection; nothing may be under way over them."""
        self._current = None
        lines, self._lines = self._lines, set()
        for line in lines:
            await self._close(line.connection)
        if self._closing:
            await asyncio.wait(self._closing)

    def _move_on(self, line: Line[C]) -> None:
        """Let the next member take the place of one that did not answer."""
        if line is self._current and len(self._endpoints) > 1:
            self._current = None
            self._place = (self._place + 1) % len(self._endpoints)
            line.is_retired = True

    def _release(self, line: Line[C]) -> None:
        if line.is_retired and not line.users and line in self._lines:
            self._lines.remove(line)
            closing = asyncio.get_running_loop().create_task(
                self._close(line.connection)
            )
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
