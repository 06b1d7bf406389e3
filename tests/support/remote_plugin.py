"""A plugin at the other end of a stream, in this process: it speaks the contract."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc.aio

from rum_twisted.plugins.manifest import Manifest
from rum_twisted.rpc.generated import plugin_pb2 as pb2
from rum_twisted.rpc.plugin_convert import event_of, numbers_of_hooks
from rum_twisted.session.hooks import Event, Verdict

__all__ = ["RemotePlugin", "hello_of"]

_ATTACH: Final = "/rum.v1.PluginHost/Attach"


def hello_of(manifest: Manifest) -> pb2.Hello:
    """Return what a plugin of this manifest says first."""
    return pb2.Hello(
        name=manifest.name,
        hooks=numbers_of_hooks(manifest.hooks),
        commands=manifest.commands,
        prefixes=manifest.prefixes,
        budget=manifest.budget,
    )


class RemotePlugin:
    """Joins a host and passes on what it hears.

    Args:
        address: of the host.
        handle: takes an event; what it returns is the answer to a question.
    """

    def __init__(
        self, address: str, handle: Callable[[Event], Awaitable[Verdict | None]]
    ) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._handle = handle
        self._stream: Any = None
        self.welcome: pb2.Welcome | None = None
        self.metars: list[tuple[int, str]] = []
        self.ended = ""  # with what code the stream ended

    async def join(self, hello: pb2.Hello) -> None:
        """Say Hello, and serve until the stream ends."""
        open_stream = self._channel.stream_stream(
            _ATTACH,
            request_serializer=pb2.PluginMessage.SerializeToString,
            response_deserializer=pb2.HostMessage.FromString,
        )
        self._stream = open_stream()
        try:
            await self._stream.write(pb2.PluginMessage(hello=hello))
            while (said := await self._stream.read()) is not grpc.aio.EOF:
                await self._take(said)
            self.ended = (await self._stream.code()).name
        except grpc.aio.AioRpcError as error:
            self.ended = error.code().name
        except asyncio.CancelledError:
            self.ended = "CANCELLED"

    async def act(self, **act: Any) -> None:
        """Want something done."""
        await self._stream.write(pb2.PluginMessage(acts=[pb2.Act(**act)]))

    async def close(self) -> None:
        """Be gone."""
        await self._channel.close(None)

    async def _take(self, said: pb2.HostMessage) -> None:
        if said.HasField("welcome"):
            self.welcome = said.welcome
        self.metars += [(metar.number, metar.report) for metar in said.metars]
        for event in said.events:
            asyncio.ensure_future(self._answer(event))  # noqa: RUF006 - soon done

    async def _answer(self, event: pb2.Event) -> None:
        answer = await self._handle(event_of(event))
        if event.question:
            verdict = answer or Verdict()
            message = pb2.Verdict(
                question=event.question, stops=verdict.stops, text=verdict.text
            )
            await self._stream.write(pb2.PluginMessage(verdicts=[message]))
