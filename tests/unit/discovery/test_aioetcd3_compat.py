"""The repairs of aioetcd3, and what becomes of the process that loads it."""

import asyncio
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase
from typing_extensions import override

from rum_twisted.rpc.bridge import deferred
from tests.support.loop import LoopTestCase


def compat() -> Any:
    """Return the module with the repairs.

    Raises:
        SkipTest: the library is not installed.
    """
    if find_spec("aioetcd3") is None:
        raise SkipTest("aioetcd3 is not installed")
    from rum_twisted.discovery import aioetcd3_compat  # noqa: PLC0415

    return aioetcd3_compat


class MessageTests(SynchronousTestCase):
    """Its messages, in a pool of their own."""

    @override
    def setUp(self) -> None:
        """Load the library."""
        self.compat = compat()

    def test_messages_keep_what_is_put_into_them(self) -> None:
        """A request comes back from its bytes as it was."""
        from aioetcd3._etcdv3 import rpc_pb2  # noqa: PLC0415

        request = rpc_pb2.PutRequest(key=b"a", value=b"b", lease=7)
        again = rpc_pb2.PutRequest.FromString(request.SerializeToString())
        self.assertEqual((again.key, again.value, again.lease), (b"a", b"b", 7))

    def test_both_connections_fit_into_one_process(self) -> None:
        """Neither is disturbed by the other's names, in whatever order they come."""
        for modules in (
            ("etcd_lean", "etcd_aioetcd3"),
            ("etcd_aioetcd3", "etcd_lean"),
        ):
            program = "\n".join(
                f"import rum_twisted.discovery.{module}" for module in modules
            )
            subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603

    def test_another_version_is_refused(self) -> None:
        """A library without the descriptions that we know is named."""
        path = Path(self.mktemp())
        path.write_text("DESCRIPTOR = None\n")
        with self.assertRaises(ImportError) as caught:
            self.compat._serialized(path)  # noqa: SLF001 - no other way in
        self.assertIn(str(path), str(caught.exception))


class OldAsyncioTests(LoopTestCase):
    """The asyncio of 2020, as far as the library needs it."""

    @override
    def setUp(self) -> None:
        """Load the library."""
        super().setUp()
        self.old = compat()._asyncio  # noqa: SLF001 - as the library has it

    def test_loops_are_taken_and_passed_over(self) -> None:
        """What asyncio refuses today is no error."""

        async def use() -> int:
            queue = self.old.Queue(loop=self.loop)
            event = self.old.Event(loop=self.loop)
            queue.put_nowait(7)
            event.set()
            done, pending = await self.old.wait(
                [queue.get(), event.wait()], loop=self.loop
            )
            await self.old.sleep(0, loop=self.loop)
            return len(done) - len(pending)

        self.assertEqual(self.outcome_of(deferred(use(), self.loop)), 2)

    def test_tasks_end_with_those_they_have_started(self) -> None:
        """When the watch is cancelled, nothing of it is left over."""

        async def never() -> None:
            await asyncio.Event().wait()

        async def parent() -> None:
            self.old.ensure_future(never(), loop=self.loop)
            await self.old.wait([never(), never()])

        async def use() -> int:
            before = asyncio.all_tasks()
            task = asyncio.ensure_future(parent())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            started = len(asyncio.all_tasks() - before)
            await self.old.end(task)
            return started - len(asyncio.all_tasks() - before)

        self.assertEqual(self.outcome_of(deferred(use(), self.loop)), 4)
