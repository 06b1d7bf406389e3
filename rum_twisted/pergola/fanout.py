"""Updates in, each receiver's bytes out, once per turn. The essay.

A position report has one sender and, on a busy evening, a thousand receivers. What
that costs is decided by two things: how often a pair of sender and receiver is
looked at, and how often the kernel is asked to send. So:

**Feeds.** `Airspace` sorts clients into cells and tells, for a report, which cells
are in range as a whole. The report's line is appended once to each such cell's
*feed*, whatever the number of its members. Only members of cells that are partly
in range get the line into their own list. What is for everybody is appended to one
common list, which every feed takes up before anything that comes later.

**Turns.** Nothing is written at once. At the end of a turn each feed is joined
once, and the same bytes are written to every member with one system call each.
Members with lines of their own get theirs in one call as well.

**Order.** What a client is owed is always his own lines, then the part of the feed
that he has not seen. Before he gets a line of his own, the unseen part of the feed
becomes his own (`Outbox.catch_up`), so that all lines reach him in the order in
which they were given here. The same step keeps a sender's own report from him: he
catches up, and counts the line that he feeds as seen. And it lets a client move to
another cell in the middle of a turn.

**News for everybody has a pace of its own.** A logon is told to all, and in a storm of
a thousand logons, writing each to all would make the reports of those who fly wait.
So news go round cell by cell, some clients at a time, and the turns of the reports
come in between. Each feed remembers how much of the common list it has heard, and
takes up what is missing before a report: order is kept. After a quiet moment the
round begins at once.

**Urgency.** Texts, queries and the server's answers do not wait for the turn. They
go to the receivers' own lists, behind what those are owed, and everything is
written when the input that caused it has been handled (`Fanout.settle`): twenty
lines in one segment are one write to each receiver.

**The turn tunes itself.** What comes after a quiet moment leaves at once. After
that, the next turn ends no sooner than `SHORTEST` later, and no sooner than
`PATIENCE` times the CPU time that the last one took, judged by the `Price` that its
writes usually have: the more clients, the more lines go into each write, until writing
takes a fixed share of the core. A turn never grows beyond its bound. Under a CPU limit
both stretch, before anything else gives (`Fanout.obey_limit`), and a single dear turn
puts off the next.

**Under pressure fewer reports are told.** Whoever guards the server's limits may have
turns lengthened (`Fanout.lengthen_turns`) and reports thinned (`Fanout.thin`): then
another one says who receives them, and all else is as ever.

**A slow client costs himself only.** The write that the kernel does not take makes
him slow; from then on his outbox keeps what he is owed within a bound. Nobody ever
waits for him.

Lists that are walked during a write are not changed by it: a client who must be cut
is noted, and cut afterwards.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from sys import getsizeof
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.pergola.outbox import Feed, Outbox, Turn, nobody_is_near
from rum_twisted.pergola.price import TRUST, Price
from rum_twisted.pergola.thinning import Thinning
from rum_twisted.session.interfaces import IConnection, IDelivery
from rum_twisted.session.tally import Tally
from rum_twisted.terms.measure import BYTES_OBJECT, Measure
from rum_twisted.terms.pace import Pace
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Seconds
from rum_twisted.wire.codec import ENCODING
from rum_twisted.world.airspace import Airspace, Cell, Spot
from rum_twisted.world.client import Client
from rum_twisted.world.roster import Roster
from rum_twisted.world.visibility import Channel

__all__ = ["Fanout"]

PATIENCE: Final = 3.0
"""How many times its cost lies between the end of a turn and that of the next."""

SHORTEST: Final = Seconds(0.004)
"""The shortest time between two turns; nobody sees it, and it saves many writes."""

NEWS_LEISURE: Final = 4.0
"""How many times longer the pauses between rounds of news are than those of reports.

Nobody minds to hear a quarter of a second later that somebody has logged on, and of
the logons of that time everybody hears in one write.
"""

TOLD_AT_A_TIME: Final = 64
"""Clients that news are written to at a stretch: half a millisecond."""

_WRITING_SHARE: Final = 0.5  # of the CPU that is allowed
_LONGEST_STRETCH: Final = 4.0  # of turns under a CPU limit
_NOTHING: Final[list[bytes]] = []
_FARTHEST: Final = 5.0  # beyond any squared chord of the unit sphere


@implementer(IDelivery)
class Fanout:
    """Carries lines to clients, once per turn.

    Args:
        clock: schedules turns.
        cpu_clock: CPU seconds of the reactor's thread so far; turns are tuned by it,
            and not by wall time, which a CPU limit stretches.
        longest_turn: the bound of a turn.
        roster: who is on, to find the aircraft of a waiting position.
        told_at_a_time: to how many clients news are written at a stretch.
        tally: counts what goes out.

    Invariants: a feed with reports is marked so, and belongs to one of the fed cells;
    an outbox with lines of its own is in a fed cell, touched, or due; while any of
    that is so, the end of the turn is scheduled, or it is ripe. While there are
    common lines, a round of news is scheduled, or it is ripe.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        cpu_clock: Callable[[], float],
        longest_turn: Seconds,
        roster: Roster,
        told_at_a_time: int = TOLD_AT_A_TIME,
        *,
        tally: Tally | None = None,
    ) -> None:
        self.tally = tally or Tally()
        self.turn = Turn(self.tally)
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._turn_max = longest_turn
        self._longest_turn = float(longest_turn)
        self._patience = PATIENCE
        self._cores: float | None = None
        self._lengthening = 1.0
        self._roster = roster
        self._airspace: Airspace[Outbox, Feed] = Airspace(self._make_feed)
        self._audience = self._airspace.within  # or that of a `Thinning`
        self.thinning: Thinning | None = None  # while reports are thinned
        self._kept_back = 0  # reports, before they were thinned the last time
        self._outboxes: dict[Client, Outbox] = {}
        self._fed: list[Cell[Outbox, Feed]] = []
        self._touched: list[Outbox] = []
        self._end: IDelayedCall | None = None  # of the turn
        self._is_ripe = False  # the turn ends with this input
        self._price = Price(clock.seconds())
        self._not_before = 0.0  # by the clock: the earliest end of the next turn
        self._told_at_a_time = told_at_a_time
        self._round: Iterator[Cell[Outbox, Feed]] | None = None  # who is to hear news
        self._round_cost = 0.0  # CPU seconds so far
        self._next_news: IDelayedCall | None = None
        self._are_news_ripe = False  # they go out with this input
        self._no_news_before = 0.0  # by the clock: the earliest next round

    @override
    def __repr__(self) -> str:
        """Tell how many are on, and how they are spread."""
        return f"<Fanout to {len(self._outboxes)} in {self._airspace!r}>"

    def join(self, client: Client, connection: IConnection) -> None:
        """Take up a client who has just logged on: lines may be sent to him."""
        outbox: Outbox = connection.outbox
        outbox.client = client
        outbox.spot = self._airspace.add(outbox, client.kind)
        outbox.nearness = partial(self._nearness, outbox.spot)
        outbox.start_with(outbox.spot.cell.feed)
        self._outboxes[client] = outbox

    def leave(self, client: Client) -> None:
        """Forget a client; what he is owed is still delivered."""
        outbox = self._outboxes.pop(client, None)
        if outbox is None or outbox.spot is None:
            return
        if not outbox.is_dead:
            outbox.catch_up()
        self._airspace.remove(outbox.spot)
        if self.thinning is not None:
            self.thinning.forget(outbox.spot)
        outbox.spot = None
        outbox.seen = 0
        outbox.nearness = nobody_is_near

    def disconnect(self, client: Client) -> None:
        """End a client's session; what was sent to him before is delivered."""
        outbox = self._outboxes.get(client)
        if outbox is not None:
            outbox.owner.disconnect()

    def report(self, client: Client, line: bytes) -> None:
        """Tell everybody in sight where ``client`` is, within one turn."""
        outbox = self._outboxes.get(client)
        if outbox is None or outbox.spot is None or client.position is None:
            return
        spot = outbox.spot
        self._move(outbox, spot, client, client.position)
        whole, single = self._audience(spot, Channel.POSITION)
        turn = self.turn
        common = turn.common
        mine = spot.cell
        receivers = len(single)
        for cell in whole:
            receivers += len(cell.members)
            feed = cell.feed
            if feed.heard < len(common):
                feed.bring_up(common)
            if not feed.has_reports:
                feed.has_reports = True
                self._fed.append(cell)
            if cell is mine:
                outbox.take_over(feed)
                outbox.seen += 1
                receivers -= 1
            feed.lines.append(line)
        for other in single:
            self._touched.append(other.owner)
            other.owner.put(line)
        self.tally.count_out(line, receivers)
        self.tally.receivers.observe(receivers)
        read_at = turn.read_at
        turn.reported.append(self._clock.seconds() if read_at is None else read_at)
        self._schedule()

    def announce(self, line: bytes, sender: Client | None) -> None:
        """Tell everybody but ``sender`` something, within one turn."""
        if not self._outboxes:
            return
        outbox = self._outboxes.get(sender) if sender else None
        if outbox is not None and outbox.spot is not None:
            outbox.catch_up()
            self._append_news(line)
            outbox.start_with(outbox.spot.cell.feed)
        else:
            self._append_news(line)
        self.tally.count_out(line, len(self._outboxes) - (outbox is not None))
        self._schedule_news()

    def _append_news(self, line: bytes) -> None:
        turn = self.turn
        read_at = turn.read_at
        turn.announced.append(self._clock.seconds() if read_at is None else read_at)
        turn.common.append(line)

    def send(self, line: bytes, receiver: Client) -> None:
        """Give one client a line, at once."""
        outbox = self._outboxes.get(receiver)
        if outbox is not None:
            outbox.push(line)

    def multicast(self, line: bytes, receivers: Iterable[Client]) -> None:
        """Give the same line to many clients, at once."""
        for receiver in receivers:
            self.send(line, receiver)

    def in_range(self, sender: Client, channel: Channel) -> list[Client]:
        """Who hears ``sender`` on ``channel``; nobody while he has no position."""
        outbox = self._outboxes.get(sender)
        if outbox is None or outbox.spot is None or sender.position is None:
            return []
        whole, single = self._airspace.within(outbox.spot, channel)
        for cell in whole:
            single += cell.members
        owners = (spot.owner for spot in single)
        return [
            owner.client
            for owner in owners
            if owner is not outbox and owner.client is not None
        ]

    def settle(self) -> None:
        """Write what cannot wait, and cut who must be cut.

        To be called whenever an input has been handled, before the reactor turns.
        After a quiet moment it ends the turn as well.
        """
        turn = self.turn
        if turn.due:
            due, turn.due = turn.due, []
            for outbox in due:
                outbox.settle()
            if turn.read_at is not None:
                delay = self._clock.seconds() - turn.read_at
                self.tally.delays.direct.observe(delay)
        while turn.condemned:
            outbox, reason = turn.condemned.popitem()
            outbox.owner.cut(reason)
        if self._are_news_ripe:
            self._tell_news()
        if self._is_ripe:
            self.end_turn()

    def end_turn(self) -> None:
        """Write the reports, and what single clients are owed."""
        tally = self.tally
        started, written = self._cpu_clock(), tally.writes
        self._end = None
        self._is_ripe = False
        fed, self._fed = self._fed, []
        touched, self._touched = self._touched, []
        for cell in fed:
            _write_to_members(cell, tally)
        has_news = bool(self.turn.common)
        for outbox in touched:
            if outbox.own and has_news:
                outbox.settle()  # what he has seen of the news counts until later
            elif outbox.own:
                outbox.end_turn(_NOTHING)
        self.settle()
        now = self._clock.seconds()
        cost = self._cpu_clock() - started
        judged = self._price.judge(tally.writes - written, cost, now)
        if self._is_limited:  # what a dear turn has spent, whatever else is due lacks
            judged = max(judged, cost / TRUST)
        self._not_before = now + self._pause_after(judged)
        tally.turns += 1
        reported, self.turn.reported = self.turn.reported, []
        tally.delays.report.observe_since(reported, now)

    @property
    def _is_limited(self) -> bool:
        """Tell whether this process may use less than a core."""
        return self._cores is not None and self._cores < 1.0

    def _pause_after(self, cost: float) -> float:
        """Return how long to write nothing after so many CPU seconds of writing."""
        return min(max(cost * self._patience, SHORTEST), self._longest_turn)

    def _tell_news(self) -> None:
        """Write the news to some of those who have not heard them."""
        started = self._cpu_clock()
        self._next_news = None
        self._are_news_ripe = False
        common = self.turn.common
        if self._round is None:
            self._round = iter(list(self._airspace.cells()))
            self._round_cost = 0.0
        told = 0
        for cell in self._round:
            cell.feed.bring_up(common)
            if cell.feed.lines and not cell.feed.has_reports:  # else with those
                _write_to_members(cell, self.tally)
                told += len(cell.members)
                if told >= self._told_at_a_time:
                    self._next_news = self._clock.callLater(0, self._tell_news)
                    break
        else:
            self._round = None
        self._round_cost += self._cpu_clock() - started
        if self._round is None:
            self._end_round()
        self.settle()

    def _end_round(self) -> None:
        """Forget the news that everybody has heard."""
        pause = self._pause_after(self._round_cost) * NEWS_LEISURE
        now = self._clock.seconds()
        self._no_news_before = now + pause
        cells = list(self._airspace.cells())
        common = self.turn.common
        heard = min((cell.feed.heard for cell in cells), default=len(common))
        del common[:heard]
        announced = self.turn.announced
        self.tally.delays.news.observe_since(announced[:heard], now)
        del announced[:heard]
        for cell in cells:
            cell.feed.heard -= heard
        if common:
            self._schedule_news()

    def _make_feed(self) -> Feed:
        """Return the feed of a cell that is new in this turn."""
        return Feed(len(self.turn.common))

    def measure(self) -> Measure:
        """Tell what waits for the end of the turn, and the memory of the cells."""
        lines = [self.turn.common, *(cell.feed.lines for cell in tuple(self._fed))]
        # Feeds share their lines: each is counted once.
        different = {id(line): len(line) for some in lines for line in tuple(some)}
        return Measure(
            count=len(different),
            bytes=sum(different.values())
            + len(different) * BYTES_OBJECT
            + sum(map(getsizeof, lines))
            + getsizeof(self._outboxes),
        )

    def measure_airspace(self) -> Measure:
        """Tell what the airspace takes."""
        return self._airspace.measure()

    def obey_limit(self, cores: float | None) -> None:
        """Fit the turns into a CPU limit, before it makes itself felt.

        Writing gets half of what is allowed, so turns lie farther apart, and may be
        longer than otherwise.

        Args:
            cores: what this process may use; ``None``: all it can get.
        """
        self._cores = cores
        self._fit_turns()

    def lengthen_turns(self, times: float) -> None:
        """Have turns lie so many times as far apart, and be so much longer.

        Args:
            times: as far as they would otherwise; 1 is as usual.
        """
        self._lengthening = times
        self._fit_turns()

    def thin(self, pace: Pace) -> None:
        """Have reports told to those who are far away now and then only.

        Where they are thinned already, nothing changes.
        """
        if self.thinning is None:
            thinning = Thinning(self._airspace, self._clock.seconds, pace)
            thinning.kept_back = self._kept_back
            self.thinning = thinning
            self._audience = thinning.within

    def thin_no_more(self) -> None:
        """Have every report told to everybody in sight again."""
        self._kept_back = self.kept_back  # first: another thread may look at any time
        self.thinning = None
        self._audience = self._airspace.within

    @property
    def kept_back(self) -> int:
        """How many reports not all in sight were told, since the start."""
        thinning = self.thinning
        return self._kept_back if thinning is None else thinning.kept_back

    def shrink(self) -> int:
        """Let go of what can be worked out anew; return how many bytes that is."""
        return self._airspace.shrink()

    def _fit_turns(self) -> None:
        share = min(self._cores or 1.0, 1.0) * _WRITING_SHARE
        patience = max(PATIENCE, 1.0 / share - 1.0)
        stretch = min(patience / PATIENCE, _LONGEST_STRETCH)
        self._patience = patience * self._lengthening
        self._longest_turn = self._turn_max * stretch * self._lengthening

    def stop(self) -> None:
        """Deliver nothing more to anybody: the server goes down."""
        for call in (self._end, self._next_news):
            if call is not None:
                call.cancel()
        self._end = self._next_news = self._round = None
        for client in list(self._outboxes):
            self.leave(client)
        for cell in self._airspace.cells():
            cell.feed = Feed(0)
        self._fed.clear()
        self._touched.clear()
        self.turn.common.clear()
        self.turn.announced.clear()
        self.turn.reported.clear()
        self._is_ripe = self._are_news_ripe = False

    def _schedule(self) -> None:
        """See to it that the turn ends."""
        if self._end is not None or self._is_ripe:
            return
        wait = self._not_before - self._clock.seconds()
        if wait > 0.0:
            self._end = self._clock.callLater(wait, self.end_turn)
        else:
            self._is_ripe = True

    def _schedule_news(self) -> None:
        """See to it that everybody hears the news."""
        if self._next_news is not None or self._are_news_ripe:
            return
        wait = self._no_news_before - self._clock.seconds()
        if wait > 0.0:
            self._next_news = self._clock.callLater(wait, self._tell_news)
        else:
            self._are_news_ripe = True

    def _move(
        self,
        outbox: Outbox,
        spot: Spot[Outbox, Feed],
        client: Client,
        position: Position,
    ) -> None:
        """Put a client where he says he is, with what he has been fed so far."""
        old = spot.cell
        self._airspace.place(spot, position, client.radio_range, client.visual_range)
        if spot.cell is old:
            return
        old.feed.bring_up(self.turn.common)
        outbox.take_over(old.feed)
        if outbox.own:
            # His new cell may be fed nothing in this turn.
            self._touched.append(outbox)
        outbox.start_with(spot.cell.feed)

    def _nearness(self, spot: Spot[Outbox, Feed], callsign: bytes) -> float:
        """Rank a sender by his distance from ``spot``; the unplaced come last."""
        sender = self._roster.find(callsign.decode(ENCODING))
        outbox = self._outboxes.get(sender) if sender else None
        if outbox is None or outbox.spot is None:
            return _FARTHEST
        there = outbox.spot
        return 2.0 - 2.0 * (spot.x * there.x + spot.y * there.y + spot.z * there.z)


def _write_to_members(cell: Cell[Outbox, Feed], tally: Tally) -> None:
    """Write what a cell was fed to all its members, and give it an empty feed.

    This loop is where the time of a busy server goes: nearly every pass is one
    system call and nothing else.
    """
    fed = cell.feed.lines
    cell.feed = Feed(cell.feed.heard)
    data = b"".join(fed)
    size = len(data)
    # Counted for all at once; whoever is not written all of it is taken off.
    writes = len(cell.members)
    missed = 0  # bytes
    for spot in cell.members:
        outbox = spot.owner
        try:
            if outbox.own is not None:
                writes -= 1
                missed += size
                outbox.end_turn(fed)
                continue
            try:
                sent = outbox.send(data)
            except BlockingIOError:
                sent = 0
            if sent != size:
                missed += size - sent
                outbox.fall_behind(data[sent:])
        except OSError:
            missed += size
            outbox.fail()
        except Exception:  # noqa: BLE001  # a bug may cost one client, not the turn
            Fanout.log.failure("{outbox} cannot be written", outbox=outbox)
            missed += size
            outbox.fail()
    tally.writes += writes
    tally.bytes_out += size * len(cell.members) - missed
