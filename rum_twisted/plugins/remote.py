"""A server's way to the role ``plugin`` in another process.

It takes one of the processes that play the role, and stays with it while it is up. When
the stream ends, the server goes on as if there were no plugins, and looks for another.
"""

from collections.abc import Sequence
from hashlib import blake2b
from random import Random
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.plugins.front import PluginFront
from rum_twisted.plugins.interfaces import ILink
from rum_twisted.rpc.bridge import deferred
from rum_twisted.rpc.channels import Channels, Endpoint
from rum_twisted.rpc.convert import Unreadable
from rum_twisted.rpc.errors import RpcError
from rum_twisted.rpc.interfaces import IInstances, IWatch
from rum_twisted.rpc.plugins import (
    PLUGIN,
    FindMetar,
    FromRole,
    FromServer,
    Talk,
    attend,
)
from rum_twisted.session.hooks import Ask
from rum_twisted.terms.instance import Instance, InstanceState
from rum_twisted.terms.units import Seconds

__all__ = ["RemotePlugins"]

FIRST_PAUSE: Final = Seconds(0.2)  # before it is tried again
LONGEST_PAUSE: Final = Seconds(5.0)
_JITTER: Final = 0.25  # of a pause, either way


class RemotePlugins(Service):
    """Keeps a server joined to a process that plays ``plugin``, while there is one.

    Args:
        front: the server's side.
        instances: tells who plays it.
        channels: the ways to them.
        clock: the reactor.
        random: spreads pauses.
        server: our name, which no other process and no other start of ours has.
        group: whom we may take; empty: anybody.
    """

    log = Logger()
    name = "plugin link"

    def __init__(  # noqa: PLR0913 - each from another part of the fabric
        self,
        front: PluginFront,
        instances: IInstances,
        channels: Channels,
        clock: IReactorTime,
        random: Random,
        *,
        server: str,
        group: str = "",
    ) -> None:
        self._front = front
        self._instances = instances
        self._channels = channels
        self._clock = clock
        self._random = random
        self._server = server
        self._group = group
        self._watch: IWatch | None = None
        self._current: Instance | None = None
        self._talking: Deferred[None] | None = None
        self._pause: Deferred[None] | None = None
        self._running: Deferred[None] | None = None
        self._wait = FIRST_PAUSE
        self.link: _StreamLink | None = None

    @override
    def __repr__(self) -> str:
        place = "nobody" if self.link is None else f"{self._current}"
        return f"<RemotePlugins: {place}>"

    @override
    def startService(self) -> None:
        """Look for somebody from now on; this waits for nobody."""
        if self.running:
            return
        super().startService()
        self._watch = self._instances.watch(PLUGIN, self._note_change)
        self._running = Deferred.fromCoroutine(self._run())

    @override
    def stopService(self) -> Deferred[None]:
        """Part; fires when the stream has ended."""
        super().stopService()
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        running, self._running = self._running, None
        for waiting in (self._talking, self._pause):
            if waiting is not None:
                waiting.cancel()
        return succeed(None) if running is None else running

    async def _run(self) -> None:
        """Join whoever is there, again and again."""
        while self.running:
            instance = self._choose()
            if instance is not None:
                await self._attend(instance)
            if self.running:
                await self._rest()

    async def _attend(self, instance: Instance) -> None:
        self._current = instance
        endpoint = self._channels.acquire(instance.address)
        trouble = "it has ended"
        try:
            self._talking = deferred(self._talk(endpoint))
            await self._talking
        except CancelledError:
            trouble = "we leave it"
        except (RpcError, Unreadable) as error:
            trouble = str(error)
        except Exception:  # noqa: BLE001 - a bug here must not end the plugins for ever
            self.log.failure("plugins: a stream met a bug")
        finally:
            self._talking = self._current = None
            self._channels.release(endpoint, Seconds(0.0))
        if self.link is not None:
            self.link = None
            self._front.detach()
            if self.running:
                self.log.warn(
                    "plugins at {address} are gone: {trouble}",
                    address=instance.address,
                    trouble=trouble,
                )

    async def _talk(self, endpoint: Endpoint) -> None:
        """Talk until the stream ends; asyncio's."""
        talk = attend(endpoint)
        try:
            await talk.say(FromServer(server=self._server))
            link = _StreamLink(talk)
            while (said := await talk.hear()) is not None:
                self._take(said, link)
        finally:
            talk.close()

    def _take(self, said: FromRole, link: "_StreamLink") -> None:
        front = self._front
        if self.link is None:
            self.link = link
            self._wait = FIRST_PAUSE
            front.attach(link)
            self.log.info(
                "plugins at {address} extend this server",
                address=self._current.address if self._current else "",
            )
        if said.subscription is not None:
            front.subscribe(said.subscription)
        for number, verdict in said.verdicts:
            front.answer(number, verdict)
        for act in said.acts:
            if isinstance(act, FindMetar):
                found = front.find_metar(act.station)
                found.addCallback(link.give_metar, act.number)
            else:
                front.act(act)

    async def _rest(self) -> None:
        """Wait before the next trial, or until others are there."""
        pause = self._wait * (1 + self._random.uniform(-_JITTER, _JITTER))
        self._wait = Seconds(min(self._wait * 2, LONGEST_PAUSE))
        self._pause = deferLater(self._clock, pause)
        try:
            await self._pause
        except CancelledError:
            pass  # there is news
        finally:
            self._pause = None

    def _choose(self) -> Instance | None:
        """Return whom to take: others may take others, and we always the same."""
        fit = [
            each for each in self._instances.instances(PLUGIN) if self._may_take(each)
        ]
        return max(fit, key=self._rank, default=None)

    def _may_take(self, instance: Instance) -> bool:
        return (
            instance.state is InstanceState.UP
            and instance.weight > 0
            and (not self._group or instance.group == self._group)
        )

    def _rank(self, instance: Instance) -> bytes:
        return blake2b(f"{self._server} {instance.name}".encode()).digest()

    def _note_change(self, instances: tuple[Instance, ...]) -> None:
        """Leave whom we have if he is to be left; look at once if we have nobody."""
        current = self._current
        if current is None:
            if self._pause is not None:
                self._wait = FIRST_PAUSE
                self._pause.cancel()
            return
        is_there = any(
            each.name == current.name
            and each.address == current.address
            and self._may_take(each)
            for each in instances
        )
        if not is_there and self._talking is not None:
            self._talking.cancel()


@implementer(ILink)
class _StreamLink:
    """The host of plugins at the other end of a stream.

    Args:
        talk: the stream.
    """

    def __init__(self, talk: Talk[FromServer, FromRole]) -> None:
        self._talk = talk

    def take(self, events: Sequence[Ask]) -> Deferred[None]:
        """Say what has happened; see `ILink`."""
        return deferred(self._talk.say(FromServer(events=events)))

    def give_metar(self, report: str | None, number: int) -> None:
        """Say what was found."""
        saying = deferred(self._talk.say(FromServer(metars=[(number, report or "")])))
        saying.addErrback(self._be_cut_off)

    def _be_cut_off(self, failure: Failure) -> None:
        failure.trap(RpcError)  # the stream is gone, and who asked with it

    def close(self) -> None:
        """Say no more; see `ILink`."""
        self._talk.close()
