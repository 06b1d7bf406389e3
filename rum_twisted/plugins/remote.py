"""A server's way to the role ``plugin`` in another process.

It takes one of the processes that play the role, and stays with it while it is up. When
the stream ends, the server goes on as if there were no plugins, and looks for another.

A process that is about to end says so in the registry. The server then goes to another
one, and leaves the first when it has it, or when there is none: what that was asked, it
still answers.

Where a traffic rule tries a new version of the role, there is a second one of this,
which stays with a process of that version; see `Parting`.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
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
from rum_twisted.rpc.interfaces import PLUGIN, IInstances, IRules, IWatch
from rum_twisted.rpc.metrics import CallMetrics, Label, Series
from rum_twisted.session.hooks import Ask
from rum_twisted.terms.instance import Instance, InstanceState
from rum_twisted.terms.rule import Posted, Rule
from rum_twisted.terms.units import Seconds

# What is said is loaded when somebody is there to hear it: half a megabyte.
if TYPE_CHECKING:
    from rum_twisted.plugins.parting import Parting
    from rum_twisted.rpc.plugins import FromRole, FromServer, Talk

__all__ = ["RemotePlugins"]

FIRST_PAUSE: Final = Seconds(0.2)  # before it is tried again
LONGEST_PAUSE: Final = Seconds(5.0)
JOIN_WITHIN: Final = Seconds(5.0)  # then another is tried
PART_WITHIN: Final = Seconds(20.0)  # the role's own bound is 15
_JITTER: Final = 0.25  # of a pause, either way
_METHOD: Final = "/rum.v1.PluginRole/Attend"  # that answers are counted under


class RemotePlugins(Service):
    """Keeps a server joined to a process that plays ``plugin``, while there is one.

    Invariant: the front has a link exactly while `attended` is somebody.

    Args:
        front: the server's side.
        instances: tells who plays it.
        channels: the ways to them.
        clock: the reactor.
        random: spreads pauses.
        server: our name, which no other process and no other start of ours has.
        group: whom we may take; empty: anybody.
        place: our group and zone, for traffic rules.
        rules: tells of them; ``None``: there are none.
        metrics: counts how well each process of the role does; ``None``: nobody does.
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
        place: tuple[str, str] = ("", ""),
        rules: IRules | None = None,
        metrics: CallMetrics | None = None,
    ) -> None:
        self.takes: Callable[[Instance], bool] = lambda _: True
        self._place = place
        self._rules = rules
        self._metrics = metrics
        self._rules_watch: IWatch | None = None
        self._rule: Rule | None = None
        self._parting: Parting | None = None
        self._other: RemotePlugins | None = None  # for the version that is tried
        self._lost = ""  # the name of the one whose stream has ended last
        self._front = front
        self._instances = instances
        self._channels = channels
        self._clock = clock
        self._random = random
        self._server = server
        self._group = group
        self._watch: IWatch | None = None
        self.attended: _Stream | None = None
        self._joining: _Stream | None = None
        self._streams: set[_Stream] = set()  # those that we have left, too
        self._failed: set[str] = set()  # names of those who did not let us in
        self._unheard: set[str] = set()  # the same, and they may be tried again
        self._pause: Deferred[None] | None = None
        self._running: Deferred[None] | None = None
        self._wait = FIRST_PAUSE

    @override
    def __repr__(self) -> str:
        place = "nobody" if self.attended is None else f"{self.attended.instance}"
        return f"<RemotePlugins: {place}>"

    @override
    def startService(self) -> None:
        """Look for somebody from now on; this waits for nobody."""
        if self.running:
            return
        super().startService()
        self._watch = self._instances.watch(PLUGIN, self._note_change)
        if self._rules is not None:
            self._rules_watch = self._rules.watch_rules(self._note_rules)
            self._note_rules(self._rules.rules())
        self._running = Deferred.fromCoroutine(self._run())

    @override
    def stopService(self) -> Deferred[None]:
        """Part; fires when all streams have ended."""
        super().stopService()
        for watch in (self._watch, self._rules_watch):
            if watch is not None:
                watch.stop()
        self._watch = self._rules_watch = None
        running, self._running = self._running, None
        if self._pause is not None:
            self._pause.cancel()
        endings = [] if running is None else [running]
        for stream in list(self._streams):
            endings.append(stream.serving)
            stream.cancel()
        endings.append(self._end_trial())
        return Deferred.fromCoroutine(_all(endings))

    # A version that is tried.

    def _note_rules(self, rules: tuple[Posted, ...]) -> None:
        """Go by the rule of the role, if there is one."""
        found = [posted.rule for posted in rules if posted.rule.service == PLUGIN]
        rule = found[0] if found else None
        if rule == self._rule:
            return
        before, self._rule = self._rule, rule
        if self._parting is None:
            self._begin_trial()
        assert self._parting is not None, "begun just now"
        if before is not None and rule is not None and before.version != rule.version:
            assert self._other is not None, "begun with the parting"
            self._other.leave()  # or members of the next version would be with this one
        self._parting.change_rule(rule)

    def _begin_trial(self) -> None:
        # Most networks never try one.
        from rum_twisted.plugins.parting import Parting  # noqa: PLC0415

        parting = self._parting = Parting(
            self._front,
            *self._place,
            is_forlorn=lambda: self.is_forlorn,
            look_again=self._look_again_both,
        )
        twin = parting.twin
        twin.parting = parting
        self.takes = parting.fits_front
        other = self._other = RemotePlugins(
            twin,
            self._instances,
            self._channels,
            self._clock,
            self._random,
            server=self._server,
            group=self._group,
            metrics=self._metrics,
        )
        other.takes = parting.fits_twin
        twin.startService()
        other.startService()

    def _end_trial(self) -> Deferred[None]:
        parting, other = self._parting, self._other
        self._parting = self._other = self._rule = None
        if parting is None or other is None:
            return succeed(None)
        ending = other.stopService()
        parting.twin.stopService()
        parting.twin.parting = self._front.parting = None
        self._front.show()
        self.takes = lambda _: True
        return ending

    def _look_again_both(self) -> None:
        self.look_again()
        if self._other is not None:
            self._other.look_again()

    @property
    def is_forlorn(self) -> bool:
        """Whether nobody is there to attend the front, as far as we know."""
        return not any(
            each.name not in self._unheard and each.name != self._lost
            for each in self._fit()
        )

    def leave(self) -> None:
        """Have nobody attend the front, until the next look round."""
        if self._joining is not None:
            self._joining.cancel()
        if self.attended is not None:
            self._leave(self.attended)
            self._front.part()

    # Joining.

    async def _run(self) -> None:
        """Join whoever is there, again and again."""
        while self.running:
            attended = self.attended
            if attended is not None and self._is_up(attended.instance):
                await self._rest(None)
                if self.attended is None:
                    await self._pause_between()
                continue
            instance = self._choose()
            if instance is not None:
                await self._join(instance)
            elif attended is not None:
                self._leave(attended)
                self._front.part()
            if self.attended in (None, attended):
                await self._pause_between()

    async def _join(self, instance: Instance) -> None:
        """Begin to talk to somebody; returns when he has answered, or will not."""
        stream = self._joining = _Stream(instance)
        self._streams.add(stream)
        late = self._clock.callLater(JOIN_WITHIN, stream.cancel)
        stream.serving = Deferred.fromCoroutine(self._serve(stream))
        await stream.joined
        if late.active():
            late.cancel()
        self._joining = None

    async def _serve(self, stream: "_Stream") -> None:
        """Talk until a stream ends, however that is."""
        address = stream.instance.address
        endpoint = self._channels.acquire(address)
        trouble = "it has ended"
        try:
            stream.talking = deferred(self._talk(endpoint, stream))
            await stream.talking
        except CancelledError:
            trouble = "we leave it"
        except (RpcError, Unreadable) as error:
            trouble = str(error)
        except Exception:  # noqa: BLE001 - a bug here must not end the plugins for ever
            self.log.failure("plugins: a stream met a bug")
        finally:
            self._channels.release(endpoint, Seconds(0.0))
        if stream is self.attended:
            self.attended = None
            self._lost = stream.instance.name
            self._front.detach()
            if self.running:
                self.log.warn(
                    "plugins at {address} are gone: {trouble}",
                    address=address,
                    trouble=trouble,
                )
            self.look_again()
        self._forget(stream)  # the front has counted by now what has broken off
        if not stream.joined.called:
            self._failed.add(stream.instance.name)
            self._unheard.add(stream.instance.name)
            self._front.note_change()
            stream.joined.callback(None)

    def _forget(self, stream: "_Stream") -> None:
        self._streams.discard(stream)
        if stream.series is not None and self._metrics is not None:
            stream.series.streams -= 1
            self._metrics.retire((stream.series,))
        if stream.late is not None and stream.late.active():
            stream.late.cancel()

    async def _talk(self, endpoint: Endpoint, stream: "_Stream") -> None:
        """Talk until the stream ends; asyncio's."""
        from rum_twisted.rpc.plugins import FromServer, attend  # noqa: PLC0415 - as above

        talk = attend(endpoint)
        try:
            await talk.say(FromServer(server=self._server))
            link = _StreamLink(talk)
            while (said := await talk.hear()) is not None:
                if not stream.joined.called:
                    self._attend(stream, link)
                self._take(said, link)
        finally:
            talk.close()

    def _attend(self, stream: "_Stream", link: "_StreamLink") -> None:
        """Give everything to a stream from now on, and leave the one before."""
        before, self.attended = self.attended, stream
        if before is not None:
            self._leave(before)
        self._wait = FIRST_PAUSE
        self._failed.clear()
        self._unheard.clear()
        self._lost = ""
        stream.series = self._series_of(stream.instance)
        if stream.series is not None:
            stream.series.streams += 1
        self._front.attach(link, stream.series)
        self.log.info(
            "plugins at {address} extend this server", address=stream.instance.address
        )
        stream.joined.callback(None)

    def _series_of(self, instance: Instance) -> Series | None:
        if self._metrics is None:
            return None
        label = Label(
            service=PLUGIN,
            method=_METHOD,
            address=instance.address,
            version=instance.version,
        )
        return self._metrics.series(label)

    def _leave(self, stream: "_Stream") -> None:
        """Take what a process still answers that is about to end, but not for long."""
        if stream is self.attended:
            self.attended = None
        stream.late = self._clock.callLater(PART_WITHIN, stream.cancel)
        self.log.info(
            "plugins at {address} are left: they take us no more",
            address=stream.instance.address,
        )

    def _take(self, said: "FromRole", link: "_StreamLink") -> None:
        from rum_twisted.rpc.plugins import FindMetar  # noqa: PLC0415 - as above

        front = self._front
        if said.subscription is not None and front.is_attended_by(link):
            front.subscribe(said.subscription)
        for number, verdict in said.verdicts:
            front.answer(number, verdict)
        for act in said.acts:
            if isinstance(act, FindMetar):
                found = front.find_metar(act.station)
                found.addCallback(link.give_metar, act.number)
            else:
                front.act(act)

    async def _pause_between(self) -> None:
        """Wait before the next trial; longer each time."""
        if self.running:
            pause = self._wait * (1 + self._random.uniform(-_JITTER, _JITTER))
            self._wait = Seconds(min(self._wait * 2, LONGEST_PAUSE))
            await self._rest(pause)

    async def _rest(self, pause: float | None) -> None:
        """Wait for news, or for so many seconds."""
        self._pause = Deferred() if pause is None else deferLater(self._clock, pause)
        try:
            await self._pause
        except CancelledError:
            pass  # there is news
        finally:
            self._pause = None

    def look_again(self) -> None:
        """See at once whether whom we have is the right one."""
        if self._pause is not None:
            self._pause.cancel()

    def _choose(self) -> Instance | None:
        """Return whom to take: others may take others, and we always the same."""
        fit = self._fit()
        if all(each.name in self._failed for each in fit):
            self._failed.clear()
        fit = [each for each in fit if each.name not in self._failed]
        return max(fit, key=self._rank, default=None)

    def _fit(self) -> list[Instance]:
        return [
            each for each in self._instances.instances(PLUGIN) if self._may_take(each)
        ]

    def _may_take(self, instance: Instance) -> bool:
        return (
            instance.state is InstanceState.UP
            and instance.weight > 0
            and self.takes(instance)
            and (not self._group or instance.group == self._group)
        )

    def _is_up(self, instance: Instance) -> bool:
        return any(
            each.name == instance.name
            and each.address == instance.address
            and self._may_take(each)
            for each in self._instances.instances(PLUGIN)
        )

    def _rank(self, instance: Instance) -> bytes:
        return blake2b(f"{self._server} {instance.name}".encode()).digest()

    def _note_change(self, instances: tuple[Instance, ...]) -> None:
        """Look at once whether whom we have is to be left, and who else is there."""
        self._unheard &= {each.name for each in instances}
        joining = self._joining
        if joining is not None and not self._is_up(joining.instance):
            joining.cancel()
        self._front.note_change()
        self._wait = FIRST_PAUSE
        self.look_again()


class _Stream:
    """One stream to a process that plays the role.

    Args:
        instance: the process.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.joined: Deferred[None] = Deferred()  # or ended
        self.talking: Deferred[None] | None = None
        self.serving: Deferred[None] = succeed(None)
        self.late: IDelayedCall | None = None  # ends it, when we have left it
        self.series: Series | None = None  # counts how well it does

    @override
    def __repr__(self) -> str:
        return f"<Stream to {self.instance}>"

    def cancel(self) -> None:
        """End it at once."""
        if self.talking is not None:
            self.talking.cancel()


@implementer(ILink)
class _StreamLink:
    """The host of plugins at the other end of a stream.

    Args:
        talk: the stream.
    """

    def __init__(self, talk: "Talk[FromServer, FromRole]") -> None:
        self._talk = talk

    def take(self, events: Sequence[Ask]) -> Deferred[None]:
        """Say what has happened; see `ILink`."""
        from rum_twisted.rpc.plugins import FromServer  # noqa: PLC0415 - as above

        return deferred(self._talk.say(FromServer(events=events)))

    def give_metar(self, report: str | None, number: int) -> None:
        """Say what was found."""
        from rum_twisted.rpc.plugins import FromServer  # noqa: PLC0415 - as above

        saying = deferred(self._talk.say(FromServer(metars=[(number, report or "")])))
        saying.addErrback(self._be_cut_off)

    def part(self) -> None:
        """Say that we are with another host now; see `ILink`."""
        from rum_twisted.rpc.plugins import FromServer  # noqa: PLC0415 - as above

        leaving = deferred(self._talk.say(FromServer(leaves=True)))
        leaving.addErrback(self._be_cut_off)

    def _be_cut_off(self, failure: Failure) -> None:
        failure.trap(RpcError)  # the stream is gone, and who asked with it

    def close(self) -> None:
        """Say no more; see `ILink`."""
        self._talk.close()


async def _all(endings: Iterable[Deferred[None]]) -> None:
    """Return when all have ended."""
    for ending in endings:
        await ending
