"""What the library aioetcd3 1.13 needs today: four repairs.

It dates from 2020, and no set of versions lets it work with Python 3.10 and later. So
it is repaired as it is imported:

1. **Its messages.** They were generated for protobuf 3, and protobuf 4 and later
   refuse to load them. The descriptions in them are sound; they are taken out of the
   library's sources, and classes are made of them by the protobuf that is installed.
   They live in a pool of their own, where their names disturb nobody.
2. **Its loop arguments.** asyncio lost them with Python 3.10. Its watch gets an asyncio
   that takes them and does nothing with them, and that knows which tasks it started:
   when the watch is cancelled, they are left over.
3. **Its tokens.** gRPC refuses to send them as credentials without TLS. They go as
   metadata, which the library sends anyway.
4. **Its streams**, which belong to aiogrpc. One that is cancelled logs an error, and
   one that is cut logs another.

Importing this module loads grpc, protobuf and the library.
"""

import ast
import asyncio
import importlib
import importlib.util
import sys
from collections.abc import Coroutine, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

import aiogrpc.utils
from aiogrpc.utils import WrappedIterator
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from typing_extensions import override

__all__ = ["Client", "Mod", "library"]

_PACKAGE: Final = "aioetcd3._etcdv3"
_MODULES: Final = ("kv_pb2", "auth_pb2", "rpc_pb2")  # each needs those before it


def _serialized(path: Path) -> bytes:
    """Return the description of the messages that stands in a generated module.

    Raises:
        ImportError: there is none; the library is not the one that we know.
    """
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.keyword) and node.arg == "serialized_pb":
            for part in ast.walk(node.value):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    return part.value.encode("latin-1")
    raise ImportError(f"{path}: no description of messages; due aioetcd3 1.13")


def _rebuild(folder: Path) -> None:
    """Put modules with usable messages where the library looks for them."""
    pool = descriptor_pool.DescriptorPool()
    for name in _MODULES:
        serialized = _serialized(folder / f"{name}.py")
        pool.AddSerializedFile(serialized)
        described = descriptor_pb2.FileDescriptorProto.FromString(serialized)
        package = f"{described.package}." if described.package else ""
        module = ModuleType(f"{_PACKAGE}.{name}", "Made by rum_twisted.discovery.")
        for message in described.message_type:
            descriptor = pool.FindMessageTypeByName(f"{package}{message.name}")
            setattr(module, message.name, message_factory.GetMessageClass(descriptor))
        for enum in described.enum_type:
            for value in enum.value:
                setattr(module, value.name, value.number)
        sys.modules[module.__name__] = module


def _import_library() -> tuple[ModuleType, ModuleType]:
    """Import the library, repaired.

    Raises:
        ImportError: it is not installed, or another version.
    """
    spec = importlib.util.find_spec("aioetcd3")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            'the package aioetcd3 is not installed; due for discovery.client "aioetcd3"'
        )
    if f"{_PACKAGE}.rpc_pb2" not in sys.modules:
        _rebuild(Path(spec.submodule_search_locations[0]) / "_etcdv3")
    aiogrpc.utils.WrappedIterator = _Stream
    watch = importlib.import_module("aioetcd3.watch")
    watch.asyncio = _asyncio  # type: ignore[attr-defined]  # what it imports
    return importlib.import_module("aioetcd3.client"), watch


class _OldAsyncio:
    """As much of asyncio as the library's watch uses, as it was in 2020."""

    CancelledError = asyncio.CancelledError
    FIRST_COMPLETED = asyncio.FIRST_COMPLETED

    class Event(asyncio.Event):
        """An event that takes a loop."""

        def __init__(self, *, loop: object = None) -> None:
            super().__init__()

    class Queue(asyncio.Queue[Any]):
        """A queue that takes a loop."""

        def __init__(self, maxsize: int = 0, *, loop: object = None) -> None:
            super().__init__(maxsize)

    def __init__(self) -> None:
        self._started: WeakKeyDictionary[Any, WeakSet[Any]] = WeakKeyDictionary()

    def ensure_future(self, awaitable: Any, *, loop: object = None) -> Any:
        """Start a task, and remember who did."""
        task = asyncio.ensure_future(awaitable)
        parent = asyncio.current_task()
        if parent is not None:
            self._started.setdefault(parent, WeakSet()).add(task)
        return task

    async def wait(
        self, awaitables: Iterable[Any], *, loop: object = None, **options: Any
    ) -> Any:
        """Wait; coroutines are allowed."""
        tasks = [self.ensure_future(each) for each in awaitables]
        return await asyncio.wait(tasks, **options)

    def sleep(self, delay: float, *, loop: object = None) -> Coroutine[Any, Any, None]:
        """Sleep."""
        return asyncio.sleep(delay)

    async def end(self, task: "asyncio.Task[Any]") -> None:
        """Cancel a task and those it has started, and wait for all of them."""
        task.cancel()
        await asyncio.wait({task})
        left = {each for each in self._started.pop(task, ()) if not each.done()}
        for each in left:
            each.cancel()
        if left:
            await asyncio.wait(left)


class _Stream(WrappedIterator):  # type: ignore[misc]  # untyped
    """The answers of a stream, whose end is nobody's error."""

    _next_future: Any

    async def __anext__(self) -> Any:
        if self._next_future is None:
            if self._iterator is None:
                raise StopAsyncIteration
            self._next_future = self._loop.run_in_executor(
                self._stream_executor, self._next
            )
            self._next_future.add_done_callback(
                lambda future: future.cancelled() or future.exception()
            )
        try:
            return await asyncio.shield(self._next_future)
        finally:
            if self._next_future is not None and self._next_future.done():
                self._next_future = None


_asyncio: Final = _OldAsyncio()
_client_module, library = _import_library()
Mod: Final = importlib.import_module("aioetcd3.transaction").Mod


class Client(_client_module.Client):  # type: ignore[name-defined,misc]  # untyped
    """The library's client, which can forget its token and be closed for good."""

    @override
    async def _authenticate(self) -> None:
        await super()._authenticate()
        self._call_credentials = None  # the token goes as metadata

    @property
    def token(self) -> object:
        """What is shown to etcd; ``None`` before the first request."""
        return self._metadata

    def forget_token(self) -> None:
        """Log on again before the next request."""
        self._metadata = None

    async def finish(self) -> None:
        """Close the channel, and wait for the task that serves the watches."""
        serving = self._watch_task_running
        if serving is not None:
            await _asyncio.end(serving)
        await self.close()
