"""The bytes that one client is yet to be sent, and the only writer to his socket.

While a client reads, an outbox holds nothing between turns: what he is owed is
written with one system call, straight to the socket, which spares the reactor's
detour by way of "writable" events. What the kernel does not take makes the client
*slow*: from then on a `Backlog` keeps what he is owed, and the transport asks for
more as it drains.

What a client is owed within a turn comes from two lists, in order: his ``own`` lines,
and the part of his cell's `Feed` that he has not ``seen`` yet (see `fanout`). Lines for
many are appended to a feed once, and not to thousands of lists.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.internet.tcp import Server
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.pergola.backlog import Backlog, Nearness
from rum_twisted.pergola.trace import Tap
from rum_twisted.session.tally import Tally
from rum_twisted.world.airspace import Spot
from rum_twisted.world.client import Client

__all__ = ["Feed", "Outbox", "Owner", "Turn", "nobody_is_near"]

_CHUNK: Final = 4_096
"""Bytes given to the transport of a slow client at a time.

Only when all of them have gone is he seen to read; so few, or a line of a few hundred
bytes a second would count as dead.
"""

_LINE_COST: Final = 75  # bytes of a line that waits, besides its own: objects, tables


def nobody_is_near(callsign: bytes) -> float:
    """Rank senders for a client who is not in the airspace: all alike."""
    return 0.0


class Owner(Protocol):
    """The connection that an outbox belongs to."""

    def cut(self, reason: str) -> None:
        """Disconnect the client at once; the reason is for the log."""

    def disconnect(self) -> None:
        """End the client's session; what was sent to him before is delivered."""


class Turn:
    """What has come up since the last turn ended.

    Args:
        tally: counts it.

    Invariant: ``announced`` has the time of each of the common lines.
    """

    __slots__ = (
        "announced",
        "common",
        "condemned",
        "due",
        "read_at",
        "reported",
        "tally",
    )

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.read_at: float | None = None  # by the clock: the input that is handled
        self.reported: list[float] = []  # when the turn's reports were read
        self.announced: list[float] = []
        self.common: list[bytes] = []  # lines for everybody
        self.due: list[Outbox] = []  # to be written before the reactor turns
        self.condemned: dict[Outbox, str] = {}  # to be cut, and why


class Feed:
    """What one cell's members are owed of this turn.

    Invariant: ``lines`` holds the first ``heard`` of the turn's common lines, and
    between them what was for this cell, in the order in which it came.
    """

    __slots__ = ("has_reports", "heard", "lines")

    def __init__(self, heard: int) -> None:
        self.has_reports = False  # and is to be written at the end of the turn
        self.heard = heard
        self.lines: list[bytes] = []

    def bring_up(self, common: list[bytes]) -> None:
        """Take up the common lines that have come since."""
        if self.heard < len(common):
            self.lines += common[self.heard :]
            self.heard = len(common)


@implementer(IPullProducer, IPushProducer)
class Outbox:
    """One client's share of the fan-out.

    Args:
        owner: the connection.
        transport: its transport; a plain TCP one is written to directly.
        bound: bytes that may wait in user space.
        turn: of the fan-out; shared by all outboxes.

    Invariants: ``own is None`` means that the client has nothing of his own, has
    seen nothing of the feed and is not slow, so that he can share what is written
    to others; ``seen`` is 0 then.
    """

    __slots__ = (
        "_backlog",
        "_bound",
        "_finished",
        "_is_direct",
        "_is_paused",
        "_transport",
        "_turn",
        "client",
        "idle_sweeps",
        "is_broken",
        "is_dead",
        "is_due",
        "is_known_slow",
        "nearness",
        "own",
        "owner",
        "seen",
        "send",
        "spot",
        "tap",
    )

    def __init__(self, owner: Owner, transport: Any, bound: int, turn: Turn) -> None:
        self.owner = owner
        self.client: Client | None = None  # once he is on
        self._transport = transport
        self._bound = bound
        self._turn = turn
        self._backlog: Backlog | None = None
        self._finished: Callable[[], None] | None = None
        self._is_paused = False
        # Anything but bare TCP (TLS, a proxy's wrapper) must be written to in its
        # own way: straight to the socket would go past the encryption.
        self._is_direct = type(transport) is Server
        self.send: Callable[[bytes], int] = self._write
        if self._is_direct:
            self.send = transport.getHandle().send
        else:
            transport.registerProducer(self, streaming=True)
        self.tap: Tap | None = None  # while an operator is shown what is sent
        self.is_due = False
        self.is_dead = False  # the connection is gone; nothing is written any more
        self.is_broken = False  # and a write was what told
        self.nearness: Nearness = nobody_is_near
        self.own: list[bytes] | None = None
        self.seen = 0
        self.spot: Spot[Outbox, Feed] | None = None
        self.idle_sweeps = 0  # since a slow client last took anything
        self.is_known_slow = False  # the staff was told

    @override
    def __repr__(self) -> str:
        """Tell how much waits."""
        return f"<Outbox: {self.waiting} bytes wait>"

    @property
    def is_slow(self) -> bool:
        """Tell whether the client has not taken all he was sent."""
        return self._backlog is not None

    @property
    def is_thinned(self) -> bool:
        """Tell whether a slow client was spared lines that he could not take."""
        return self._backlog is not None and self._backlog.dropped > 0

    @property
    def dropped(self) -> int:
        """Lines that a slow client was spared."""
        return self._backlog.dropped if self._backlog is not None else 0

    def untap(self) -> None:
        """Write to the socket again without showing it to anybody."""
        self.tap = None
        if not self.is_dead:
            self.send = (
                self._transport.getHandle().send if self._is_direct else self._write
            )

    @property
    def waiting(self) -> int:
        """Bytes that wait in user space, the transport's own buffer not counted."""
        return self._backlog.size if self._backlog is not None else 0

    @property
    def cost(self) -> int:
        """Bytes of memory that what waits takes, objects and tables counted."""
        backlog = self._backlog
        return 0 if backlog is None else backlog.size + len(backlog) * _LINE_COST

    def push(self, line: bytes) -> None:
        """Give the client a line that must leave before the reactor turns."""
        self._turn.tally.count_out(line, 1)
        self.put(line)
        if not self.is_due:
            self.is_due = True
            self._turn.due.append(self)

    def put(self, line: bytes) -> None:
        """Give the client a line that leaves with the turn, behind all before it."""
        self.catch_up()
        assert self.own is not None, "catch_up() sets it"
        self.own.append(line)

    def catch_up(self) -> None:
        """Make what his cell has been fed so far his own."""
        if self.own is None:
            self.own = []
        if self.spot is not None:
            feed = self.spot.cell.feed
            feed.bring_up(self._turn.common)
            self.take_over(feed)

    def take_over(self, feed: Feed) -> None:
        """Make what he has not seen of ``feed`` his own."""
        if self.own is None:
            self.own = []
        if self.seen < len(feed.lines):
            self.own += feed.lines[self.seen :]
            self.seen = len(feed.lines)

    def start_with(self, feed: Feed) -> None:
        """Begin in a new cell: what it was fed before is not his."""
        feed.bring_up(self._turn.common)
        self.seen = len(feed.lines)
        if self.seen and self.own is None:
            self.own = []

    def settle(self) -> None:
        """Write what he is owed now, in the middle of a turn."""
        self.is_due = False
        self.catch_up()
        lines = self.own
        assert lines is not None, "catch_up() sets it"
        # What he has seen of this turn's feed counts until the turn ends.
        self.own = [] if self.seen or self.is_slow else None
        self._write_out(lines)

    def end_turn(self, fed: list[bytes]) -> None:
        """Write what he is owed at the end of a turn.

        Args:
            fed: all that his cell was fed during the turn.
        """
        lines = self.own or []
        if self.seen < len(fed):
            lines += fed[self.seen :]
        self.own = [] if self.is_slow else None
        self.seen = 0
        self._write_out(lines)

    def fall_behind(self, rest: bytes) -> None:
        """Keep what the kernel did not take of a write, and begin to be slow."""
        backlog = self._backlog = Backlog(self._bound, self._turn.tally.dropped)
        if self.own is None:
            self.own = []
        begun, end, lines = rest.partition(b"\n")
        backlog.put_first(begun + end)
        for line in lines.splitlines(keepends=True):
            backlog.add(line)
        self.idle_sweeps = 0
        if self._is_direct:
            self._transport.registerProducer(self, streaming=False)
        self._check_bound(backlog)

    def fail(self) -> None:
        """Note that the socket is dead: nothing more can be sent.

        Reading will tell of it as well, and end the connection in its turn: a
        thousand that break at the same moment must not be ended all at once.
        """
        self.is_dead = self.is_broken = True
        self.own = []

    def finish(self, finished: Callable[[], None]) -> None:
        """Write what is left, then call ``finished``; perhaps at once."""
        self.settle()
        if self._backlog is None:
            self._end_production()
            finished()
        else:
            self._finished = finished

    def _write_out(self, lines: list[bytes]) -> None:
        if not lines or self.is_dead:
            return
        if self._backlog is not None:
            self._wait(lines)
            return
        data = b"".join(lines)
        tally = self._turn.tally
        tally.writes += 1
        try:
            sent = self.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.fail()
            return
        tally.bytes_out += sent
        if sent != len(data):
            self.fall_behind(data[sent:])

    def _wait(self, lines: list[bytes]) -> None:
        """Let lines wait for a slow client."""
        backlog = self._backlog
        assert backlog is not None, "only a slow client waits"
        for line in lines:
            backlog.add(line)
        self._check_bound(backlog)

    def _check_bound(self, backlog: Backlog) -> None:
        if backlog.is_over_bound:
            self._condemn(f"{backlog.size} bytes wait for him")

    def _condemn(self, reason: str) -> None:
        self._turn.condemned.setdefault(self, reason)

    def _write(self, data: bytes) -> int:
        """Write to a transport that buffers by itself; returns the bytes taken."""
        if self._is_paused:
            return 0
        self._transport.write(data)
        return len(data)

    def _catch_breath(self) -> None:
        """Be slow no longer: everything was taken."""
        self._backlog = None
        if self.own is not None and not self.own and not self.seen:
            self.own = None
        if self._finished is not None:
            finished, self._finished = self._finished, None
            self._end_production()
            finished()

    def _end_production(self) -> None:
        if not self._is_direct:
            self._transport.unregisterProducer()

    # Twisted's words: the transport calls these as it drains.

    def pauseProducing(self) -> None:
        """Stop writing: the transport's buffer is full."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """Write more of what waits: the transport has room again."""
        self._is_paused = False
        self.idle_sweeps = 0
        while self._backlog is not None and not self._is_paused:
            data = self._backlog.take(_CHUNK, self.nearness)
            if data:
                if self.tap is not None:
                    self.tap.note_sent(data)
                self._transport.write(data)
                tally = self._turn.tally
                tally.writes += 1
                tally.bytes_out += len(data)
            else:
                if self._is_direct:
                    self._transport.unregisterProducer()
                self._catch_breath()
            if self._is_direct:
                return  # a pulling transport asks again

    def stopProducing(self) -> None:
        """Forget what waits: the connection is gone."""
        self.is_dead = True
        if self._backlog is not None:
            self._turn.tally.dropped["gone"] += len(self._backlog)
        self._backlog = None
        self._finished = None
        self.send = len  # taken, and forgotten; not a method that keeps us alive
