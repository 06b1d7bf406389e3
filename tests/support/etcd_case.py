"""Tests with real etcds."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from twisted.internet import reactor  # noqa: TID251 - of real connections
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, TestCase
from typing_extensions import override

from rum_twisted.terms.units import Seconds
from tests.support.etcd import PATIENCE, Etcd

__all__ = ["CLOCK", "REQUEST_TIMEOUT", "EtcdTestCase", "shared_etcd", "until"]

CLOCK: Final[Any] = reactor
REQUEST_TIMEOUT: Final = Seconds(30.0)  # of connections that no test makes wait
_BETWEEN_TRIALS: Final = 0.02  # seconds
_LEAK_PATIENCE: Final = 30.0  # seconds for a cancelled task to end


async def until(
    condition: Callable[[], object], what: str, within: float = PATIENCE
) -> None:
    """Wait for something that comes by itself.

    Raises:
        AssertionError: it did not come.
    """
    deadline = CLOCK.seconds() + within
    while not condition():
        if CLOCK.seconds() > deadline:
            raise AssertionError(f"not within {within} s: {what}")
        await deferLater(CLOCK, _BETWEEN_TRIALS)


@cache
def shared_etcd() -> Etcd:
    """Return an etcd that serves all tests of this run; it ends with the reactor.

    A test that uses it has keys of its own, and does it no harm.
    """
    etcd = Etcd(Path("shared_etcd").absolute())
    CLOCK.addSystemEventTrigger("after", "shutdown", etcd.kill)
    etcd.start_and_wait()
    return etcd


class EtcdTestCase(TestCase):
    """A test with real etcds, on the asyncio reactor; no task outlives it."""

    timeout = 300

    @override
    def setUp(self) -> None:
        """See what runs already."""
        if not isinstance(reactor, AsyncioSelectorReactor):
            raise SkipTest("grpc.aio needs the asyncio reactor: --reactor=asyncio")
        self._tasks = asyncio.all_tasks(self._loop)
        self.addCleanup(self._look_for_tasks)

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_event_loop_policy().get_event_loop()

    async def _look_for_tasks(self) -> None:
        with suppress(AssertionError):
            await until(
                lambda: not asyncio.all_tasks(self._loop) - self._tasks,
                "the end of all tasks",
                _LEAK_PATIENCE,
            )
        left = asyncio.all_tasks(self._loop) - self._tasks
        for task in left:
            task.cancel()
        self.assertEqual(left, set(), "tasks have outlived their test")

    def make_etcd(self, *arguments: str, **options: Any) -> Etcd:
        """Return an etcd that is not started; it ends with the test."""
        etcd = Etcd(Path(self.mktemp()), *arguments, **options)
        self.addCleanup(etcd.kill)
        return etcd

    def start_etcd(self, *arguments: str, **options: Any) -> Etcd:
        """Return an etcd that serves."""
        etcd = self.make_etcd(*arguments, **options)
        etcd.start_and_wait()
        return etcd
