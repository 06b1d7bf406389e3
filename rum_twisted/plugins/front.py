"""A server's side of the plugins: what happens becomes events, if anybody waits for it.

Nothing here costs anything while nobody is interested: handlers look at ``wanted``
before they build an event. What is built waits in a bounded queue, and leaves in
batches after a moment; a question leaves at once. Positions are not taken from the
reports: a round over the roster looks where everybody is, so that the path of a report
is the same with plugins and without.

If the host of the plugins is gone, hangs, or answers late, clients do not notice: each
question has a deadline, and after some that were not answered nobody asks for a while.

While a new version of the role is tried, there are two of it: this one has the clients
of the others and, by `Parting`, gives those of the new version to its twin.
"""

from collections import deque
from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.plugins.interfaces import IFront, ILink
from rum_twisted.plugins.manifest import PREFIXES
from rum_twisted.plugins.pending import Pending
from rum_twisted.plugins.rate import Rate
from rum_twisted.rpc.breaker import Breaker, BreakerState
from rum_twisted.rpc.errors import Code
from rum_twisted.rpc.metrics import Series
from rum_twisted.session.hooks import (
    GO_ON,
    Act,
    Ask,
    Event,
    Hook,
    Kick,
    PositionSample,
    Question,
    Subscription,
    Verdict,
    coming_of,
)
from rum_twisted.session.interfaces import (
    IDelivery,
    ILogbook,
    IPlugins,
    IWeather,
    StaffAct,
)
from rum_twisted.session.replies import ANNOUNCER, notice_line
from rum_twisted.terms.measure import NOTHING, Measure, Measuring
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Seconds
from rum_twisted.wire.codec import ENCODING, encode
from rum_twisted.wire.messages.control import Kill
from rum_twisted.world.client import Client
from rum_twisted.world.roster import Roster

if TYPE_CHECKING:
    from rum_twisted.plugins.parting import Parting

__all__ = ["BATCH", "PluginFront"]

BATCH: Final = 256  # events that leave together
_FLUSH_AFTER: Final = Seconds(0.02)  # nobody is waited for
_LOOK_EVERY: Final = Seconds(0.1)
MOST_ACTS: Final = 5000.0  # in a second
_METAR_WITHIN: Final = Seconds(10.0)
_TELL_EVERY: Final = Seconds(60.0)
_EVENT: Final = 300  # bytes of an event that waits, most of it its texts


@implementer(IPlugins, IFront)
class PluginFront(Service):
    """What a server's sessions see of the plugins.

    Invariants: while there is no link, nothing waits; each question is answered once;
    at most one batch is under way.

    Args:
        clock: schedules batches and deadlines.
        random: spreads the breaker's pauses.
        roster: who is on.
        deadline: for an answer.
        position_interval: between two samples of one aircraft, at least.
        queue: how many events may wait.
        name: of the service, and in the log.
    """

    log = Logger()

    def __init__(  # noqa: PLR0913 - what it stands on, and its bounds
        self,
        clock: IReactorTime,
        random: Random,
        roster: Roster,
        *,
        deadline: Seconds,
        position_interval: Seconds,
        queue: int,
        name: str = "plugins",
    ) -> None:
        self.name = name
        self.is_attended = False
        self.wanted: frozenset[Hook] = frozenset()
        self.prefixes: frozenset[str] = frozenset()
        self.commands: frozenset[str] = frozenset()
        self.dropped = 0  # events, because too many waited
        self.late = 0  # questions that were not answered in time
        self.told = 0  # events that were given to the host
        self.refused = 0  # acts, because there were too many
        self.parting: Parting | None = None
        self._acts = Rate(MOST_ACTS, clock.seconds)
        self._clock = clock
        self._random = random
        self.roster = roster
        self._deadline = deadline
        self._interval = position_interval
        self._longest = queue
        self._delivery: IDelivery | None = None
        self._logbook: ILogbook | None = None
        self._weather: IWeather | None = None
        self._link: ILink | None = None
        self._series: Series | None = None  # where its answers are counted
        self._asked_at: dict[int, tuple[float, Series]] = {}
        self._subscription = Subscription()
        self._breaker = Breaker(random)
        self._waiting: deque[Ask] = deque()
        self._sending = False
        self._flush: IDelayedCall | None = None
        self._is_flush_urgent = False
        self._asked = Pending(clock, self._give_up)
        self._looks = LoopingCall(self._look)
        self._looks.clock = clock
        self._round: Iterator[Client] | None = None
        self._left_in_round = 0
        self._round_ends = 0.0
        self._seen: dict[Client, Position] = {}  # when last told
        self._summarized = (0, 0)
        self._summarized_at: float | None = None

    @override
    def __repr__(self) -> str:
        state = "alone" if self._link is None else f"{len(self.wanted)} hooks"
        return f"<PluginFront: {state}, {len(self._waiting)} wait>"

    def serve(self, delivery: IDelivery, logbook: ILogbook, weather: IWeather) -> None:
        """Take up what plugins act through; to be called once, before the start."""
        self._delivery = delivery
        self._logbook = logbook
        self._weather = weather

    def make_twin(self) -> "PluginFront":
        """Return one more, for a version that is tried; it is not started."""
        twin = PluginFront(
            self._clock,
            self._random,
            self.roster,
            deadline=self._deadline,
            position_interval=self._interval,
            queue=self._longest,
            name="plugins on trial",
        )
        twin._delivery = self._delivery
        twin._logbook = self._logbook
        twin._weather = self._weather
        return twin

    @property
    def has_link(self) -> bool:
        """Whether a host has the events of this one."""
        return self._link is not None

    @property
    def waiting(self) -> int:
        """How many events wait to be given to the host."""
        return len(self._waiting)

    def measures(self) -> dict[str, Measuring]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {
            "plugin events": self.measure,
            "plugin events on trial": self._measure_twin,
        }

    @override
    def startService(self) -> None:
        """Look round now and then."""
        if self.running:
            return
        super().startService()
        self._looks.start(_LOOK_EVERY, now=False).addErrback(
            lambda reason: self.log.failure("plugins: nobody looks any more", reason)
        )

    @override
    def stopService(self) -> None:
        """Tell nobody any more."""
        super().stopService()
        if self._looks.running:
            self._looks.stop()
        link = self._link
        self.detach()
        if link is not None:
            link.close()
        self._summarize()

    # The way to the host.

    def attach(self, link: ILink, series: Series | None = None) -> None:
        """Give events to a host from now on, who is online to begin with.

        One that had them before is parted from.

        Args:
            link: the host.
            series: counts how it takes them, and answers.
        """
        self._part()
        self._link = link
        self._series = series
        for client in self._clients():
            self.put(coming_of(client, "", is_new=False))
        self.note_change()

    def is_attended_by(self, link: ILink) -> bool:
        """Tell whether it is this host that has the events now."""
        return link is self._link

    def detach(self) -> None:
        """Give no more: the host is gone. Whoever waits for an answer goes on."""
        series = self._series
        self._forget_link()
        asked, self._asked_at = self._asked_at, {}
        if series is not None:
            series.observe(0.0, Code.UNAVAILABLE)
        for _, one in asked.values():
            one.observe(0.0, Code.UNAVAILABLE)
        self.note_change()
        self._asked.settle_all()

    def part(self) -> None:
        """Give the host what waits for it, and then no more: it will end soon.

        It still answers what it was asked.
        """
        self._part()
        self.note_change()

    def _part(self) -> None:
        link = self._link
        if link is None:
            return
        rest = list(self._waiting)
        self._forget_link()
        if rest:
            self.told += len(rest)
            link.take(rest).addErrback(self._lose_rest, len(rest))
        link.part()

    def _lose_rest(self, failure: Failure, count: int) -> None:
        """Count what a host that we were about to leave did not live to take."""
        self.told -= count
        self.dropped += count

    def _forget_link(self) -> None:
        self._link = None
        self._series = None
        self._subscription = Subscription()
        self._waiting.clear()
        self._seen.clear()
        self._round = None
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        self._is_flush_urgent = False
        self._sending = False

    def note_change(self) -> None:
        """Show sessions what is wanted now, here or by the new version."""
        self.show()
        if self.parting is not None:
            self.parting.sync()

    def show(self) -> None:
        """Show sessions what is wanted."""
        own, parting = self._subscription, self.parting
        self.is_attended = self._link is not None
        self.wanted = own.hooks
        self.commands = own.commands
        # Logons hold passwords, and positions do not wait: whatever somebody asks for.
        self.prefixes = own.prefixes & PREFIXES
        if parting is not None and parting.twin is not self:
            self.is_attended = self.is_attended or parting.twin.is_attended
            self.wanted |= parting.twin.wanted
            self.prefixes |= parting.twin.prefixes

    # What sessions call.

    def answers(self, callsign: str, word: str) -> bool:
        """Tell whether somebody answers a client's command; see `IPlugins`."""
        parting = self.parting
        if parting is not None and parting.serves(callsign):
            return word in parting.twin.commands
        return word in self.commands

    def tell(self, event: Event) -> None:
        """Tell those who are interested; see `IPlugins`."""
        parting = self.parting
        if parting is not None and parting.is_for_twin(event):
            parting.twin.put(event)
        else:
            self.put(event)

    def put(self, event: Event) -> None:
        """Tell the host here, whoever the event is about."""
        if self._link is None:
            return
        if len(self._waiting) >= self._longest:
            self._drop()
            return
        self._waiting.append((0, event))
        if self._flush is None and not self._sending:
            self._flush = self._clock.callLater(_FLUSH_AFTER, self._send)

    def ask(self, question: Question) -> Deferred[Verdict]:
        """Ask those who are interested; see `IPlugins`."""
        parting = self.parting
        if parting is not None and parting.is_for_twin(question):
            return parting.twin.put_question(question)
        return self.put_question(question)

    def put_question(self, question: Question) -> Deferred[Verdict]:
        """Ask the host here, whoever the question is about; see `IPlugins.ask`."""
        if self._link is None:
            return succeed(GO_ON)
        if not self._may_ask():
            if self._series is not None:
                self._series.observe(0.0, Code.UNAVAILABLE)
            return succeed(GO_ON)
        if len(self._waiting) >= self._longest:
            self._drop()
            return succeed(GO_ON)
        number, answer = self._asked.add(self._deadline, self._be_late)
        if self._series is not None:
            self._asked_at[number] = self._clock.seconds(), self._series
        self._waiting.append((number, question))
        self._send_soon()
        return answer

    # What the host calls.

    def subscribe(self, subscription: Subscription) -> None:
        """Build these events from now on; see `IFront`."""
        self._subscription = subscription
        self.note_change()

    def answer(self, number: int, verdict: Verdict) -> None:
        """Take the answer to a question; see `IFront`."""
        self._observe(number, Code.INTERNAL if verdict.failed else Code.OK)
        if self._asked.settle(number, GO_ON if verdict.failed else verdict):
            self._breaker.succeed()

    def act(self, act: Act) -> None:
        """Do something to a client; see `IFront`.

        The host bounds each plugin; this is for a host that has lost its mind.
        """
        if not self._acts.admits():
            self.refused += 1
            return
        client = self.roster.find(act.callsign)
        delivery = self._delivery
        if client is None or delivery is None:
            return
        if isinstance(act, Kick):
            self._kick(client, act, delivery)
        else:
            delivery.send(notice_line(client.callsign, act.text), client)

    def find_metar(self, station: str) -> Deferred[str | None]:
        """Look a station's report up; see `IFront`."""
        if self._weather is None or not station:
            return succeed(None)
        looked_up = self._weather.metar(station)
        looked_up.addTimeout(_METAR_WITHIN, self._clock)
        return looked_up.addErrback(self._know_nothing)

    # Inside.

    def _clients(self) -> Roster | list[Client]:
        """Return who is served here: all, or those of one version."""
        if self.parting is None:
            return self.roster
        return [client for client in self.roster if self._serves(client)]

    def _serves(self, client: Client) -> bool:
        parting = self.parting
        if parting is None:
            return True
        return parting.serves(client.callsign) is (parting.twin is self)

    def _drop(self) -> None:
        self.dropped += 1
        if self._series is not None:
            self._series.observe(0.0, Code.RESOURCE_EXHAUSTED)

    def _observe(self, number: int, code: Code) -> None:
        """Count how a question has ended, if anybody counts."""
        asked = self._asked_at.pop(number, None)
        if asked is not None:
            since, series = asked
            series.observe(self._clock.seconds() - since, code)

    def _know_nothing(self, failure: Failure) -> None:
        """Know no report, whatever the reason; the weather has told the operator."""

    def _kick(self, client: Client, act: Kick, delivery: IDelivery) -> None:
        if self._logbook is not None:
            self._logbook.acted(
                StaffAct(
                    who_cid="",
                    who_callsign=f"plugin {act.plugin}",
                    act="kill",
                    whom=f"{client.cid} {client.callsign}",
                    detail=act.reason,
                    where="",
                )
            )
        reason = " ".join(act.reason.replace(":", " ").split())
        text = reason.encode(errors="replace").decode(ENCODING)
        delivery.send(encode(Kill(ANNOUNCER, client.callsign, text)), client)
        delivery.disconnect(client)

    def _may_ask(self) -> bool:
        breaker = self._breaker
        if breaker.state is BreakerState.CLOSED:
            return True
        if not breaker.admits(Seconds(self._clock.seconds())):
            return False
        breaker.begin()
        return True

    def _send_soon(self) -> None:
        """Give what waits at the end of this turn of the reactor."""
        if self._sending or self._is_flush_urgent:
            return
        if self._flush is not None:
            self._flush.cancel()
        self._is_flush_urgent = True
        self._flush = self._clock.callLater(0, self._send)

    def _send(self) -> None:
        """Give a batch, and the next one when it has been taken."""
        self._flush = None
        self._is_flush_urgent = False
        while self._waiting and self._link is not None and not self._sending:
            waiting = self._waiting
            batch = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
            self.told += len(batch)
            link = self._link
            self._sending = True
            since = self._clock.seconds()
            taken = link.take(batch)
            if not taken.called:
                taken.addCallbacks(
                    lambda _, link=link, since=since: self._go_on(link, since),
                    lambda _, link=link: self._lose(link),
                )
                return
            self._sending = False
            self._note_taken(since)

    def _note_taken(self, since: float) -> None:
        if self._series is not None:
            self._series.observe(self._clock.seconds() - since, Code.OK)

    def _go_on(self, link: ILink, since: float) -> None:
        if link is self._link:
            self._sending = False
            self._note_taken(since)
            self._send()

    def _lose(self, link: ILink) -> None:
        if link is self._link:
            self.detach()

    def _be_late(self, number: int) -> None:
        self.late += 1
        self._observe(number, Code.DEADLINE_EXCEEDED)
        self._breaker.fail(Seconds(self._clock.seconds()))
        self._asked.settle(number)

    def _give_up(self, number: int) -> None:
        """Learn nothing from a question: the client is gone."""
        self._observe(number, Code.CANCELLED)
        self._breaker.give_up()

    def _look(self) -> None:
        """Look where some are, and tell the operator; whatever happens, go on."""
        try:
            if Hook.POSITION in self._subscription.hooks:
                self._look_round()
            now = self._clock.seconds()
            last = self._summarized_at
            if last is None or now - last >= _TELL_EVERY:
                self._summarize()
        except Exception:  # noqa: BLE001 - one bad look must not end all later
            self.log.failure("plugins: a look round failed")

    def _look_round(self) -> None:
        """Tell of the next part of all clients; a round takes the whole interval."""
        now = self._clock.seconds()
        if self._round is None:
            if now < self._round_ends:
                return
            everybody = list(self._clients())
            self._round = iter(everybody)
            self._left_in_round = len(everybody)
            self._round_ends = now + self._interval
        looks_left = max(int((self._round_ends - now) / _LOOK_EVERY), 1)
        share = -(-self._left_in_round // looks_left)
        self._left_in_round -= share
        for _ in range(share):
            client = next(self._round, None)
            if client is None:
                self._end_round()
                return
            self._sample(client)
        if self._left_in_round <= 0:
            self._end_round()

    def _end_round(self) -> None:
        self._round = None
        clients = self._clients()
        if len(self._seen) > len(clients):
            online = set(clients)
            self._seen = {
                client: place
                for client, place in self._seen.items()
                if client in online
            }

    def _sample(self, client: Client) -> None:
        place = client.position
        if place is None or self._seen.get(client) is place:
            return
        if self.roster.find(client.callsign) is not client:
            return  # he is gone since the round began
        if not self._serves(client):
            return  # he is with the other version since then
        self._seen[client] = place
        self.put(
            PositionSample(
                client.callsign,
                place.latitude,
                place.longitude,
                client.altitude,
                client.groundspeed,
                client.squawk,
            )
        )

    def _summarize(self) -> None:
        """Tell of what was lost since the last time, in one line, if anything was."""
        dropped, late = self._summarized
        if (self.dropped, self.late) == (dropped, late):
            return
        self._summarized = (self.dropped, self.late)
        self._summarized_at = self._clock.seconds()
        self.log.warn(
            "{who}: {dropped} events dropped, {late} questions not answered in time",
            who=self.name,
            dropped=self.dropped - dropped,
            late=self.late - late,
        )

    def _measure_twin(self) -> Measure:
        return NOTHING if self.parting is None else self.parting.twin.measure()

    def measure(self) -> Measure:
        """Tell what waits for the host."""
        waiting = len(self._waiting)
        return Measure(
            count=waiting,
            bytes=waiting * _EVENT + len(self._seen) * 100,
            bound=self._longest,
        )
