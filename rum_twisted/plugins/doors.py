"""The doors of the role ``plugin``: where servers come in, and plugins of any language.

Each who comes in has a stream. What waits to be said to him is bounded, and a stream
that ends, in whatever way, takes with it what it brought: a server its clients, a
plugin its hooks.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from itertools import count
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.defer import TimeoutError as WaitTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.plugins.context import NotPermitted, PluginContext
from rum_twisted.plugins.guard import Guard
from rum_twisted.plugins.host import PluginHost
from rum_twisted.plugins.interfaces import IFront, IGuest, ILink
from rum_twisted.plugins.manifest import (
    MAY_KICK,
    USUAL_BUDGET,
    Manifest,
    Option,
    OptionValue,
    UnfitPlugin,
)
from rum_twisted.rpc.bridge import future
from rum_twisted.rpc.convert import Unreadable
from rum_twisted.rpc.errors import Code
from rum_twisted.rpc.plugins import (
    FindMetar,
    FromHost,
    FromPlugin,
    FromRole,
    FromServer,
    Hello,
    HelloOption,
    HostServicer,
    RoleServicer,
    Talk,
)
from rum_twisted.rpc.servicing import Refusal
from rum_twisted.session.hooks import Act, Kick, Subscription, Verdict
from rum_twisted.terms.measure import Measure, Measuring
from rum_twisted.terms.units import Seconds

__all__ = ["PluginDoors"]

AT_A_TIME: Final = 256  # events in one message
MOST_ACTS: Final = 10_000  # that wait for one server
METAR_WITHIN: Final = Seconds(12.0)  # a server's own bound is 10
LONGEST_SERVER: Final = 64  # characters of its name
LONGEST_TEXT: Final = 400  # characters of an answer's text
QUIET: Final = 0.5  # seconds without a sign of work, until we believe that it is done
LEAVE_WITHIN: Final = Seconds(15.0)  # longer than a report may take
_BETWEEN_LOOKS: Final = 0.05  # seconds
_BREATHER: Final = 0.01  # seconds for which a plugin that does too much is not read
_ACT: Final = 300  # bytes

SettingsOf = Callable[[Manifest], Mapping[str, OptionValue]]


class PluginDoors(Service):
    """Lets servers and plugins of other processes in.

    Args:
        host: takes them.
        clock: the reactor.
        allowed: names of plugins that may join.
        settings_of: tells a plugin's settings; raises `UnfitPlugin`.
    """

    log = Logger()
    name = "plugin doors"

    def __init__(
        self,
        host: PluginHost,
        clock: IReactorTime,
        allowed: tuple[str, ...],
        settings_of: SettingsOf,
    ) -> None:
        self._host = host
        self._clock = clock
        self._allowed = allowed
        self._settings_of = settings_of
        self._endings: set[asyncio.Future[None]] = set()
        self._servers: set[_ServerEnd] = set()
        self.servicers = (
            RoleServicer(self._serve_server),
            HostServicer(self._serve_plugin),
        )

    @override
    def __repr__(self) -> str:
        return f"<PluginDoors: {len(self._endings)} streams>"

    def measures(self) -> dict[str, Measuring]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"plugin acts": self._measure}

    @override
    def stopService(self) -> None:
        """End all streams; those who talked read that it is over."""
        super().stopService()
        for ending in list(self._endings):
            if not ending.done():
                ending.set_result(None)

    def _measure(self) -> Measure:
        waiting = sum(len(server.acts) for server in tuple(self._servers))
        return Measure(count=waiting, bytes=waiting * _ACT)

    # Servers.

    async def _serve_server(self, talk: Talk[FromRole, FromServer]) -> None:
        first = await talk.hear()
        if first is None:
            return
        if not 0 < len(first.server) <= LONGEST_SERVER:
            raise Unreadable(f"server: due is a name of up to {LONGEST_SERVER}")
        front = _ServerEnd(self._clock)
        try:
            link = self._host.attend(first.server, front)
        except UnfitPlugin as error:
            raise Refusal(Code.RESOURCE_EXHAUSTED, str(error)) from error
        self._servers.add(front)
        self.log.info("plugins extend {server}", server=first.server)
        try:
            front.subscribe(self._host.subscription)
            await self._until_one_ends(
                front.say_all(talk),
                _hear_all(talk, front, link),
                self._until_done_with(front),
            )
        finally:
            self._servers.discard(front)
            front.end()
            if front.leaves.is_set():
                link.part()
            else:
                link.close()
            self.log.info("plugins extend {server} no more", server=first.server)

    async def _until_done_with(self, front: "_ServerEnd") -> None:
        """Return when a server leaves, and all that it gave is done with.

        Plugins of other processes do not tell that they are done: there has to be
        quiet for a moment. Where others keep the plugins busy, that ends, too.
        """
        await front.leaves.wait()
        host, now = self._host, self._clock.seconds
        deadline = now() + LEAVE_WITHIN
        begun, quiet_since = host.begun, now()
        while now() - quiet_since < QUIET and now() < deadline:
            await asyncio.sleep(_BETWEEN_LOOKS)
            if host.begun != begun or not host.is_idle or not front.is_idle:
                begun, quiet_since = host.begun, now()

    # Plugins.

    async def _serve_plugin(self, talk: Talk[FromHost, FromPlugin]) -> None:
        first = await talk.hear()
        if first is None:
            return
        guest = _RemoteGuest(self._clock)
        try:
            guard, context, settings = self._let_in(first.hello, guest)
        except Refusal as error:
            self.log.warn("a plugin may not join: {reason}", reason=error.details)
            raise
        self.log.info("plugin {plugin} has joined", plugin=guard.name)
        try:
            online = tuple(self._host.online())
            await talk.say(FromHost(settings=settings, online=online))
            await self._until_one_ends(
                guest.say_all(talk), _obey_all(talk, guest, guard, context)
            )
        finally:
            await future(self._host.remove(guard))
            self.log.info("plugin {plugin} has left", plugin=guard.name)

    def _let_in(
        self, hello: Hello | None, guest: "_RemoteGuest"
    ) -> tuple[Guard, PluginContext, Mapping[str, OptionValue]]:
        if hello is None:
            raise Refusal(Code.INVALID_ARGUMENT, "due is a Hello first")
        if hello.name not in self._allowed:
            raise Refusal(
                Code.PERMISSION_DENIED,
                f"plugin {hello.name[:LONGEST_SERVER]!r}: due is its name in "
                "plugins.remote",
            )
        try:
            manifest = _manifest_of(hello)
            settings = self._settings_of(manifest)
        except UnfitPlugin as error:
            raise Refusal(Code.INVALID_ARGUMENT, str(error)) from error
        host = self._host
        context = host.context(hello.name)
        may_kick = settings[MAY_KICK.name] is True
        try:
            guard = host.add(guest, manifest, may_kick=may_kick)
        except UnfitPlugin as error:
            raise Refusal(Code.ALREADY_EXISTS, str(error)) from error
        context.bind(guard)
        return guard, context, settings

    async def _until_one_ends(self, *talks: Coroutine[Any, Any, None]) -> None:
        """Run what a stream consists of, until one part ends or we do."""
        ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        tasks = [asyncio.ensure_future(each) for each in talks]
        self._endings.add(ending)
        try:
            done, _ = await asyncio.wait(
                (*tasks, ending), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            self._endings.discard(ending)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for each in done:
            each.result()


@implementer(IFront)
class _ServerEnd:
    """A server at the other end of a stream: what waits to be said to it.

    Args:
        clock: times reports.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self.acts: deque[Act | FindMetar] = deque()
        self.dropped = 0  # acts, because too many waited
        self._clock = clock
        self._subscription: Subscription | None = None
        self._verdicts: list[tuple[int, Verdict]] = []
        self._numbers = count(1)
        self._metars: dict[int, Deferred[str | None]] = {}
        self._wake = asyncio.Event()
        self._is_saying = False
        self.leaves = asyncio.Event()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be said, or to be heard."""
        waiting = self._verdicts or self.acts or self._metars
        return not waiting and not self._is_saying

    def subscribe(self, subscription: Subscription) -> None:
        """Have it build these events; see `IFront`."""
        self._subscription = subscription
        self._wake.set()

    def answer(self, number: int, verdict: Verdict) -> None:
        """Give it an answer; see `IFront`."""
        self._verdicts.append((number, verdict))
        self._wake.set()

    def act(self, act: Act | FindMetar) -> None:
        """Have it do something; see `IFront`."""
        if len(self.acts) >= MOST_ACTS:
            if not self.dropped:
                self.log.warn(
                    "{count} acts wait for a server; more are dropped", count=MOST_ACTS
                )
            self.dropped += 1
            return
        self.acts.append(act)
        self._wake.set()

    def find_metar(self, station: str) -> Deferred[str | None]:
        """Have it look a report up; see `IFront`."""
        number = next(self._numbers)
        answer: Deferred[str | None] = Deferred()
        self._metars[number] = answer
        answer.addTimeout(METAR_WITHIN, self._clock)
        answer.addErrback(self._know_nothing, number)
        self.act(FindMetar(number, station))
        return answer

    def take_metar(self, number: int, report: str) -> None:
        """Take a report that it has found, or nothing."""
        answer = self._metars.pop(number, None)
        if answer is not None:
            answer.callback(report or None)

    def end(self) -> None:
        """Know that it is gone."""
        while self._metars:
            self._metars.popitem()[1].callback(None)

    async def say_all(self, talk: Talk[FromRole, FromServer]) -> None:
        """Say what waits, whenever something does."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._subscription is not None or self._verdicts or self.acts:
                subscription, self._subscription = self._subscription, None
                verdicts, self._verdicts = self._verdicts, []
                acts = [
                    self.acts.popleft() for _ in range(min(AT_A_TIME, len(self.acts)))
                ]
                self._is_saying = True
                await talk.say(FromRole(subscription, verdicts, acts))
                self._is_saying = False

    def _know_nothing(self, failure: Failure, number: int) -> None:
        failure.trap(WaitTimeout)
        self._metars.pop(number, None)


async def _hear_all(
    talk: Talk[FromRole, FromServer], front: _ServerEnd, link: ILink
) -> None:
    """Take what a server gives, until it has ended."""
    while (said := await talk.hear()) is not None:
        if said.events:
            link.take(said.events)
        for number, report in said.metars:
            front.take_metar(number, report)
        if said.leaves:
            front.leaves.set()


@implementer(IGuest)
class _RemoteGuest:
    """A plugin at the other end of a stream.

    Args:
        clock: tells how long it does not read.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._guard: Guard | None = None
        self._metars: list[tuple[int, str]] = []
        self._busy_since: float | None = None
        self._wake = asyncio.Event()

    def start(self, guard: Guard) -> None:
        """Begin; see `IGuest`."""
        self._guard = guard

    def wake(self) -> None:
        """Note that there is something in the inbox; see `IGuest`."""
        self._wake.set()

    def busy_since(self) -> float | None:
        """Tell since when it does not read; see `IGuest`."""
        return self._busy_since

    def stop(self) -> Deferred[None]:
        """End; see `IGuest`."""
        self._guard = None
        return succeed(None)

    def give_metar(self, report: str | None, number: int) -> None:
        """Tell it of a report."""
        self._metars.append((number, report or ""))
        self._wake.set()

    async def say_all(self, talk: Talk[FromHost, FromPlugin]) -> None:
        """Tell it what is in its inbox, whenever something is."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while (guard := self._guard) is not None:
                events = guard.inbox.take(AT_A_TIME)
                metars, self._metars = self._metars, []
                if not events and not metars:
                    break
                self._busy_since = self._clock.seconds()
                await talk.say(FromHost(events=events, metars=metars))
                self._busy_since = None
                if any(number == 0 for number, _ in events):
                    guard.note_done()


async def _obey_all(
    talk: Talk[FromHost, FromPlugin],
    guest: _RemoteGuest,
    guard: Guard,
    context: PluginContext,
) -> None:
    """Take what a plugin says, until it has ended."""
    while (said := await talk.hear()) is not None:
        for number, verdict in said.verdicts:
            guard.answer(number, Verdict(verdict.stops, verdict.text[:LONGEST_TEXT]))
        for act in said.acts:
            refused = guard.counts.refused
            _obey(act, guest, guard, context)
            if guard.counts.refused != refused:
                # Not read, it cannot say more than the stream holds.
                await asyncio.sleep(_BREATHER)


def _obey(
    act: Act | FindMetar, guest: _RemoteGuest, guard: Guard, context: PluginContext
) -> None:
    if isinstance(act, FindMetar):
        found = context.metar(act.station)
        found.addCallback(guest.give_metar, act.number)
    elif isinstance(act, Kick):
        try:
            context.kick(act.callsign, act.reason)
        except NotPermitted as error:
            guard.fail(0, str(error))
    else:
        context.tell(act.callsign, act.text)


def _manifest_of(hello: Hello) -> Manifest:
    """Return what a plugin declares, checked.

    Raises:
        UnfitPlugin: it does not fit.
    """
    return Manifest(
        name=hello.name,
        hooks=hello.hooks,
        commands=hello.commands,
        prefixes=hello.prefixes,
        options=tuple(map(_option_of, hello.options)),
        budget=Seconds(hello.budget or USUAL_BUDGET),
    )


def _option_of(option: HelloOption) -> Option:
    if option.default is None:
        raise UnfitPlugin(f"setting {option.name[:64]!r}: due is a default")
    bounds: dict[str, float] = {}
    if option.least is not None:
        bounds["least"] = option.least
    if option.most is not None:
        bounds["most"] = option.most
    return Option(
        name=option.name,
        default=option.default,
        about=option.about,
        is_required=option.is_required,
        is_secret=option.is_secret,
        **bounds,
    )
