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
a thousand logons each writing to all would make those who fly wait. So a turn that
comes too soon after the last common writing writes only to the cells that were fed,
and each feed remembers how much of the common list it has heard. What is written to
a cell still holds the common lines that came before its reports, so order is kept.

**Urgency.** Texts, queries and the server's answers do not wait for the turn. They
go to the receivers' own lists, behind what those are owed, and everything is
written when the input that caused it has been handled (`Fanout.settle`): twenty
lines in one segment are one write to each receiver.

**The turn tunes itself.** What comes after a quiet moment leaves at once. After
that, the next turn ends no sooner than `SHORTEST` later, and no sooner than
`PATIENCE` times the CPU time that the last one took: the more clients, the more
lines go into each write, until writing takes a fixed share of the core. A turn never
grows beyond its bound. Under a CPU limit both stretch, before anything else gives
(`Fanout.obey_limit`).

**A slow client costs himself only.** The write that the kernel does not take makes
him slow; from then on his outbox keeps what he is owed within a bound. Nobody ever
waits for him.

Lists that are walked during a write are not changed by it: a client who must be cut
is noted, and cut afterwards.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.pergola.outbox import Feed, Outbox, Turn, nobody_is_near
from rum_twisted.session.interfaces import IConnection, IDelivery
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

_WRITING_SHARE: Final = 0.5  # of the CPU that is allowed
_LONGEST_STRETCH: Final = 4.0  # of turns under a CPU limit
_NOTHING: Final[list[bytes]] = []
_FARTHEST: Final = 5.0  # beyond any squared chord of the unit sphere


@implementer(IDelivery)
class Fanout:
    """Carries lines to clients, once per turn.

    Args:
        clock: schedules turns.
        cpu_clock: CPU seconds of this process so far; turns are tuned by it, and
            not by wall time, which a CPU limit stretches.
        longest_turn: the bound of a turn.
        roster: who is on, to find the aircraft of a waiting position.

    Invariants: a feed with reports is marked so, and belongs to one of the fed cells;
    an outbox with lines of its own is in a fed cell, touched, or due; while any of
    that is so, or there are common lines, the end of the turn is scheduled, or it is
    ripe.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        cpu_clock: Callable[[], float],
        longest_turn: Seconds,
        roster: Roster,
    ) -> None:
        self.turn = Turn()
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._turn_max = longest_turn
        self._longest_turn = float(longest_turn)
        self._patience = PATIENCE
        self._roster = roster
        self._airspace: Airspace[Outbox, Feed] = Airspace(self._make_feed)
        self._outboxes: dict[Client, Outbox] = {}
        self._fed: list[Cell[Outbox, Feed]] = []
        self._touched: list[Outbox] = []
        self._end: IDelayedCall | None = None  # of the turn
        self._is_ripe = False  # the turn ends with this input
        self._not_before = 0.0  # by the clock: the earliest end of the next turn
        self._no_news_before = 0.0  # and of one that writes to everybody
        self._pause = float(SHORTEST)  # between the last turns of reports
        self._is_news = False  # the scheduled end waits for no report

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
        whole, single = self._airspace.within(spot, Channel.POSITION)
        common = self.turn.common
        mine = spot.cell
        for cell in whole:
            feed = cell.feed
            if feed.heard < len(common):
                feed.bring_up(common)
            if not feed.has_reports:
                feed.has_reports = True
                self._fed.append(cell)
            if cell is mine:
                outbox.take_over(feed)
                outbox.seen += 1
            feed.lines.append(line)
        for other in single:
            self._touched.append(other.owner)
            other.owner.put(line)
        self._schedule()

    def announce(self, line: bytes, sender: Client | None) -> None:
        """Tell everybody but ``sender`` something, within one turn."""
        if not self._outboxes:
            return
        outbox = self._outboxes.get(sender) if sender else None
        if outbox is not None and outbox.spot is not None:
            outbox.catch_up()
            self.turn.common.append(line)
            outbox.start_with(outbox.spot.cell.feed)
        else:
            self.turn.common.append(line)
        self._schedule()

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
        while turn.condemned:
            outbox, reason = turn.condemned.popitem()
            outbox.owner.cut(reason)
        if self._is_ripe:
            self.end_turn()

    def end_turn(self) -> None:
        """Write what everybody is owed; news for all only when their time has come."""
        started = self._cpu_clock()
        self._end = None
        self._is_ripe = False
        fed, self._fed = self._fed, []
        touched, self._touched = self._touched, []
        has_news = bool(self.turn.common)
        is_for_all = has_news and self._clock.seconds() >= self._no_news_before
        if is_for_all:
            self._write_to_all()
        else:
            for cell in fed:
                _write_to_members(cell, cell.feed.lines)
                cell.feed = Feed(cell.feed.heard)
        for outbox in touched:
            if outbox.own and has_news and not is_for_all:
                outbox.settle()  # what he has seen of the news counts until later
            elif outbox.own:
                outbox.end_turn(_NOTHING)
        self.settle()
        self._pace(self._cpu_clock() - started, is_for_all=is_for_all)

    def _pace(self, cost: float, *, is_for_all: bool) -> None:
        """Put the next turn off by what the last one took.

        Args:
            cost: CPU seconds.
            is_for_all: whether it was a writing to everybody; reports need not wait
                for the cost of that.
        """
        now = self._clock.seconds()
        pause = min(max(cost * self._patience, SHORTEST), self._longest_turn)
        if is_for_all:
            self._no_news_before = now + pause
            pause = min(pause, self._pause)
        self._pause = pause
        self._not_before = now + pause
        if self.turn.common:
            self._schedule()

    def _write_to_all(self) -> None:
        """Write to everybody: there is something for everybody."""
        common, self.turn.common = self.turn.common, []
        for cell in list(self._airspace.cells()):
            cell.feed.bring_up(common)
            _write_to_members(cell, cell.feed.lines)
            cell.feed = Feed(0)

    def _make_feed(self) -> Feed:
        """Return the feed of a cell that is new in this turn."""
        return Feed(len(self.turn.common))

    def obey_limit(self, cores: float | None) -> None:
        """Fit the turns into a CPU limit, before it makes itself felt.

        Writing gets half of what is allowed, so turns lie farther apart, and may be
        longer than otherwise.

        Args:
            cores: what this process may use; ``None``: all it can get.
        """
        share = min(cores or 1.0, 1.0) * _WRITING_SHARE
        self._patience = max(PATIENCE, 1.0 / share - 1.0)
        stretch = min(self._patience / PATIENCE, _LONGEST_STRETCH)
        self._longest_turn = self._turn_max * stretch

    def stop(self) -> None:
        """Deliver nothing more to anybody: the server goes down."""
        if self._end is not None:
            self._end.cancel()
            self._end = None
        for client in list(self._outboxes):
            self.leave(client)
        for cell in self._airspace.cells():
            cell.feed = Feed(0)
        self._fed.clear()
        self._touched.clear()
        self.turn.common.clear()
        self._is_ripe = False

    def _schedule(self) -> None:
        """See to it that the turn ends, and not later than reports want it."""
        is_news = not self._fed and not self._touched
        if self._is_ripe or (self._end is not None and (is_news or not self._is_news)):
            return
        not_before = self._not_before
        if is_news:
            not_before = max(not_before, self._no_news_before)
        if self._end is not None:
            self._end.cancel()
            self._end = None
        wait = not_before - self._clock.seconds()
        if wait > 0.0:
            self._end = self._clock.callLater(wait, self.end_turn)
            self._is_news = is_news
        else:
            self._is_ripe = True

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


def _write_to_members(cell: Cell[Outbox, Feed], fed: list[bytes]) -> None:
    """Write what a cell was fed to all its members.

    This loop is where the time of a busy server goes: nearly every pass is one
    system call and nothing else.
    """
    data = b"".join(fed)
    size = len(data)
    for spot in cell.members:
        outbox = spot.owner
        try:
            if outbox.own is not None:
                outbox.end_turn(fed)
                continue
            try:
                sent = outbox.send(data)
            except BlockingIOError:
                sent = 0
            if sent != size:
                outbox.fall_behind(data[sent:])
        except OSError:
            outbox.fail()
        except Exception:  # noqa: BLE001  # a bug may cost one client, not the turn
            Fanout.log.failure("{outbox} cannot be written", outbox=outbox)
            outbox.fail()
