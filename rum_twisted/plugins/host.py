"""The host of all plugins: what servers give goes to those who wait for it."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.plugins.context import PluginContext
from rum_twisted.plugins.guard import Guard, Rules
from rum_twisted.plugins.interfaces import IFront, IGuest, ILink
from rum_twisted.plugins.local import HOOK_OF
from rum_twisted.plugins.manifest import Manifest, UnfitPlugin
from rum_twisted.session.hooks import (
    FAILED,
    GO_ON,
    Act,
    Ask,
    Command,
    Event,
    Gone,
    Kick,
    Line,
    LoggedOn,
    LoggingOn,
    Subscription,
    Verdict,
)
from rum_twisted.session.hooks import Service as ServerEvent
from rum_twisted.terms.identity import fold
from rum_twisted.terms.measure import Measure, Measuring
from rum_twisted.terms.units import Seconds

__all__ = ["PluginHost"]

LOOK_EVERY: Final = 0.25  # seconds
MOST_FRONTS: Final = 64
_ONLINE: Final = 600  # bytes of somebody who is online


class PluginHost(Service):
    """Knows the plugins and the servers that they extend.

    Invariant: what each server has been told to build is what the plugins that are well
    wait for.

    Args:
        reactor: what this process runs on.
        random: spreads the pauses of breakers.
        rules: bounds of each plugin.
        folder: where plugins may keep files, in folders of their own.
        now: tells the seconds since the Unix epoch, UTC.
    """

    log = Logger()
    name = "plugin host"

    def __init__(
        self,
        reactor: Any,
        random: Random,
        rules: Rules,
        *,
        folder: Path,
        now: Callable[[], Seconds],
    ) -> None:
        self.reactor = reactor
        self.rules = rules
        self._folder = folder
        self._now = now
        self._random = random
        self._guards: dict[str, Guard] = {}
        self._fronts: dict[_Attendance, None] = {}
        self._subscription = Subscription()
        self._looks = LoopingCall(self._look)
        self._looks.clock = reactor

    @override
    def __repr__(self) -> str:
        return f"<PluginHost: {', '.join(self._guards)}; {len(self._fronts)} servers>"

    @property
    def subscription(self) -> Subscription:
        """What all plugins together wait for just now."""
        return self._subscription

    @property
    def guards(self) -> tuple[Guard, ...]:
        """All plugins, in the order in which they came."""
        return tuple(self._guards.values())

    @property
    def count(self) -> int:
        """How much is under way: servers that are here, and what plugins are at."""
        return len(self._fronts) + sum(guard.under_way for guard in self.guards)

    @property
    def begun(self) -> int:
        """How much was begun since the start; that it stays the same is what counts."""
        counts = [guard.counts for guard in self.guards]
        return sum(each.given + each.answered + each.acted for each in counts)

    @property
    def is_idle(self) -> bool:
        """Whether no plugin is at anything."""
        return not any(guard.under_way for guard in self.guards)

    def measures(self) -> dict[str, Measuring]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"plugins": self._measure, "plugin roster": self._measure_online}

    @override
    def startService(self) -> None:
        """Let the plugins take part."""
        if self.running:
            return
        super().startService()
        for guard in self.guards:
            guard.start()
        self._looks.start(LOOK_EVERY, now=False).addErrback(
            lambda reason: self.log.failure("plugins: nobody looks any more", reason)
        )
        self._resubscribe()

    @override
    def stopService(self) -> Deferred[None]:
        """Let nobody take part any more; fires when all have ended, or soon after."""
        super().stopService()
        if self._looks.running:
            self._looks.stop()
        self._resubscribe()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for front in list(self._fronts):
            front.close()
        for ending in [guard.stop() for guard in self.guards]:
            await ending

    # Plugins.

    def add(
        self, guest: IGuest, manifest: Manifest, *, may_kick: bool = False
    ) -> Guard:
        """Take a plugin up; it takes part while this runs.

        Raises:
            UnfitPlugin: its name, or one of its commands, is another's.
        """
        if manifest.name in self._guards:
            raise UnfitPlugin(f"plugin {manifest.name!r} is there already")
        for other in self.guards:
            if both := set(manifest.commands) & set(other.manifest.commands):
                raise UnfitPlugin(
                    f"plugin {manifest.name!r}: .{min(both)} is a command of "
                    f"{other.name!r}"
                )
        guard = Guard(
            guest,
            manifest,
            clock=self.reactor,
            random=self._random,
            rules=self.rules,
            changed=self._resubscribe,
            act=self._act,
            may_kick=may_kick,
        )
        self._guards[manifest.name] = guard
        if self.running:
            guard.start()
            self._resubscribe()
        return guard

    def remove(self, guard: Guard) -> Deferred[None]:
        """Forget a plugin; fires when it has ended, or after a bounded time."""
        if self._guards.get(guard.name) is not guard:
            return succeed(None)
        del self._guards[guard.name]
        ending = guard.stop()
        self._resubscribe()
        return ending

    def context(self, name: str) -> PluginContext:
        """Return what the plugin of this name may do; still to be bound."""
        return PluginContext(
            name,
            self.reactor,
            online=self.online,
            find_metar=self.find_metar,
            folder=self._folder / f"{name}.d",
            now=self._now,
        )

    # Servers.

    def attend(self, server: str, front: IFront) -> ILink:
        """Take a server up; it is told what to build, now and whenever that changes.

        Args:
            server: its name, which no other server and no other start of it has.
            front: the server.

        Returns:
            where it gives its events. `subscription` is what it has to build.

        Raises:
            UnfitPlugin: there are too many.
        """
        if len(self._fronts) >= MOST_FRONTS:
            raise UnfitPlugin(f"{MOST_FRONTS} servers are here already")
        attendance = _Attendance(self, server, front)
        self._fronts[attendance] = None
        self._tell(ServerEvent(server, is_there=True))
        return attendance

    def leave(self, attendance: "_Attendance") -> None:
        """Forget a server, and all who were on it."""
        if attendance in self._fronts:
            others = self._newer(attendance)
            del self._fronts[attendance]
            for callsign in list(attendance.online):
                if not any(callsign in other.online for other in others):
                    self._tell(Gone(callsign))
            if not others:
                self._tell(ServerEvent(attendance.server, is_there=False))

    def part(self, attendance: "_Attendance") -> None:
        """Forget a server that another host has: nobody is gone."""
        self._fronts.pop(attendance, None)

    def online(self) -> Iterable[LoggedOn]:
        """Yield who is online, on whatever server."""
        for front in self._fronts:
            others = self._newer(front)
            for callsign, client in front.online.items():
                if not any(callsign in other.online for other in others):
                    yield client

    def find_metar(self, station: str) -> Deferred[str | None]:
        """Ask a server for a report; see `IFront.find_metar`."""
        front = next(iter(self._fronts), None)
        return succeed(None) if front is None else front.front.find_metar(station)

    # What comes from servers.

    def take(self, event: Event) -> None:
        """Give an event to the plugins that wait for it."""
        if isinstance(event, Command):
            for guard in self.guards:
                if event.word in guard.manifest.commands:
                    guard.tell(event)
        else:
            self._tell(event)

    def ask(self, question: LoggingOn | Line) -> Deferred[Verdict]:
        """Ask the plugins that wait for it, all at the same time.

        Returns:
            a Deferred that never fails: with the first answer that stops, else with the
            first text when all have answered, else with `FAILED` if one has failed, and
            with `GO_ON` if none has.
        """
        hook = HOOK_OF[type(question)]
        asked = [
            guard.ask(question)
            for guard in self.guards
            if hook in guard.manifest.hooks and _concerns(guard.manifest, question)
        ]
        if not asked:
            return succeed(GO_ON)
        return _Poll(asked).verdict

    def _tell(self, event: Event) -> None:
        hook = HOOK_OF[type(event)]
        for guard in self.guards:
            if hook in guard.manifest.hooks:
                guard.tell(event)

    def _act(self, act: Act) -> None:
        callsign = fold(act.callsign)
        for front in list(self._fronts):
            if callsign not in front.online:
                continue
            if any(callsign in other.online for other in self._newer(front)):
                continue
            if isinstance(act, Kick):
                self.log.info(
                    "plugin {plugin} kicks {callsign}: {reason!r}",
                    plugin=act.plugin,
                    callsign=act.callsign,
                    reason=act.reason,
                )
            front.front.act(act)

    def _newer(self, attendance: "_Attendance") -> list["_Attendance"]:
        """Return later streams of a server that is back before the first has ended."""
        fronts = list(self._fronts)
        later = fronts[fronts.index(attendance) + 1 :]
        return [each for each in later if each.server == attendance.server]

    def _resubscribe(self) -> None:
        """Tell the servers what to build, if that has changed."""
        wanted = [guard.subscription for guard in self.guards] if self.running else []
        subscription = Subscription(
            frozenset().union(*(each.hooks for each in wanted)),
            frozenset().union(*(each.prefixes for each in wanted)),
            frozenset().union(*(each.commands for each in wanted)),
        )
        if subscription == self._subscription:
            return
        self._subscription = subscription
        for front in list(self._fronts):
            front.front.subscribe(subscription)

    def _look(self) -> None:
        for guard in self.guards:
            try:
                guard.look()
            except Exception:  # noqa: BLE001 - one must not keep us from the others
                self.log.failure("{guard} not looked after", guard=guard)

    def _measure(self) -> Measure:
        each = [guard.measure() for guard in self.guards]
        return Measure(
            count=sum(one.count for one in each),
            bytes=sum(one.bytes for one in each),
            bound=self.rules.queue * len(each) if each else None,
        )

    def _measure_online(self) -> Measure:
        count = sum(len(front.online) for front in tuple(self._fronts))
        return Measure(count=count, bytes=count * _ONLINE)


@implementer(ILink)
class _Attendance:
    """A server, while it is here.

    Args:
        host: gets what it gives.
        server: its name.
        front: itself.
    """

    def __init__(self, host: PluginHost, server: str, front: IFront) -> None:
        self.server = server
        self.front = front
        self.online: dict[str, LoggedOn] = {}  # by folded callsign
        self._host = host

    @override
    def __repr__(self) -> str:
        return f"<Attendance of {self.server}: {len(self.online)} online>"

    def take(self, events: Sequence[Ask]) -> Deferred[None]:
        """Give events to the host; see `ILink`."""
        host = self._host
        for number, event in events:
            if isinstance(event, LoggedOn):
                self.online[fold(event.callsign)] = event
            elif isinstance(event, Gone):
                self.online.pop(fold(event.callsign), None)
            if number and isinstance(event, LoggingOn | Line):
                verdict = host.ask(event)
                verdict.addCallback(partial(self.front.answer, number))
            else:
                host.take(event)
        return succeed(None)

    def part(self) -> None:
        """Give no more, and stay online; see `ILink`."""
        self._host.part(self)

    def close(self) -> None:
        """Give no more; see `ILink`."""
        self._host.leave(self)


class _Poll:
    """Waits for the answers of some plugins to one question.

    Args:
        asked: what they answer; none of them fails.
    """

    def __init__(self, asked: Sequence[Deferred[Verdict]]) -> None:
        self.verdict: Deferred[Verdict] = Deferred()
        self._answers: list[Verdict | None] = [None] * len(asked)
        for place, answer in enumerate(asked):
            answer.addCallback(partial(self._note, place))

    def _note(self, place: int, verdict: Verdict) -> None:
        self._answers[place] = verdict
        if self.verdict.called:
            return
        if verdict.stops:
            self.verdict.callback(verdict)
            return
        answers = [each for each in self._answers if each is not None]
        if len(answers) == len(self._answers):
            texts = (each for each in answers if each.text)
            is_failed = any(each.failed for each in answers)
            self.verdict.callback(next(texts, FAILED if is_failed else GO_ON))


def _concerns(manifest: Manifest, question: LoggingOn | Line) -> bool:
    """Tell whether a question is one of those that a plugin wants to be asked."""
    if isinstance(question, LoggingOn):
        return True
    return question.line.startswith(manifest.prefixes)
