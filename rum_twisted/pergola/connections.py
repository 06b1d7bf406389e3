"""Who is connected, logged on or not, and who is on the way out."""

from math import ceil
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from typing_extensions import override

from rum_twisted.session.tally import Closing
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.units import Seconds

__all__ = [
    "LINGER",
    "MOST_GOES",
    "SWEEP_INTERVAL",
    "SWEEP_PAUSE",
    "SWEPT_AT_ONCE",
    "Connection",
    "Connections",
]

SWEEP_INTERVAL: Final = Seconds(1.0)
"""How often each connection is looked after."""

SWEPT_AT_ONCE: Final = 100
"""Connections that are looked after in one go: all of 2,000 take several milliseconds,
and who flies would wait for that."""

MOST_GOES: Final = 16
"""Goes of one round; of more than 1,600 connections more are looked after in each."""

SWEEP_PAUSE: Final = Seconds(SWEEP_INTERVAL / 20)
"""Between two goes of a round: `MOST_GOES` take less than a `SWEEP_INTERVAL`."""

LINGER: Final = 2.0
"""Seconds for which a closed connection is read, so that its last words arrive."""

_CONNECTION: Final = 2800  # bytes: the objects of an idle one, the transport's too

_MOST_LINGERING: Final = 1000
"""Closed connections that are read; where there are more, the oldest are dropped."""


class Connection(Protocol):
    """One connection, as far as keeping count goes."""

    transport: Any

    @property
    def waiting_in(self) -> int:
        """Bytes of input that wait to be handled."""

    @property
    def waiting_out(self) -> int:
        """Bytes of memory that output takes which waits to be taken."""

    @property
    def is_needed(self) -> bool:
        """Whether others rely on him, so that they are cut first."""

    @property
    def name(self) -> str:
        """What he is addressed by."""

    @property
    def queued(self) -> int:
        """Bytes of output that wait to be taken, as they count for the bound."""

    def check(self, now: float) -> None:
        """Look after it, about once a second."""

    def say(self, text: str) -> None:
        """Send the client a text of the server, if he is on."""

    def disconnect(self, why: Closing = ...) -> None:
        """End the session as if the client had logged off."""

    def cut(self, reason: str, why: Closing = ...) -> None:
        """Disconnect him at once; the reason is for the log."""


class Connections:
    """All connections of one server.

    Invariants: a connection is open, lingering, or unknown; never more than
    ``max_clients`` are open.
    """

    __slots__ = (
        "_all_gone",
        "_go",
        "_lingering",
        "_unswept",
        "clock",
        "max_clients",
        "open",
        "peak",
    )

    def __init__(self, clock: IReactorTime, max_clients: int) -> None:
        self.clock = clock
        self.max_clients = max_clients
        self.open: dict[Connection, None] = {}
        self.peak = 0  # the most that were open so far
        self._lingering: dict[Connection, float] = {}  # until when
        self._unswept: list[Connection] = []  # of this round; some may be gone
        self._go = SWEPT_AT_ONCE  # connections of one go
        self._all_gone: Deferred[None] | None = None

    @override
    def __repr__(self) -> str:
        """Tell how many there are."""
        return f"<Connections: {len(self.open)} open, {len(self._lingering)} closing>"

    def admit(self, connection: Connection) -> bool:
        """Take a new connection up, unless the server is full."""
        if len(self.open) >= self.max_clients:
            return False
        self.open[connection] = None
        self.peak = max(self.peak, len(self.open))
        return True

    def dismiss(self, connection: Connection) -> None:
        """Count a connection as closed; it may take a moment to go."""
        self.open.pop(connection, None)
        self._lingering[connection] = self.clock.seconds() + LINGER
        if len(self._lingering) > _MOST_LINGERING:
            oldest = next(iter(self._lingering))
            oldest.transport.abortConnection()
            self._lingering.pop(oldest, None)

    def forget(self, connection: Connection) -> None:
        """Note that a connection is gone."""
        self.open.pop(connection, None)
        self._lingering.pop(connection, None)
        if self._all_gone is not None and not self.open and not self._lingering:
            all_gone, self._all_gone = self._all_gone, None
            all_gone.callback(None)

    def begin_round(self) -> None:
        """Have `sweep` look after everybody; to be called once in a `SWEEP_INTERVAL`.

        Whoever is left of the last round is looked after first, and then once more.
        """
        self._unswept = [*self.open, *self._unswept]
        self._go = max(SWEPT_AT_ONCE, ceil(len(self._unswept) / MOST_GOES))
        now = self.clock.seconds()
        for connection, until in list(self._lingering.items()):
            if now >= until:
                connection.transport.abortConnection()

    def sweep(self) -> None:
        """Look after the next `SWEPT_AT_ONCE` connections of this round.

        Where there are very many, more at once, so that a round has `MOST_GOES` goes
        at most. One whose check fails is done with, and ends the go.
        """
        now = self.clock.seconds()
        for _ in range(min(self._go, len(self._unswept))):
            connection = self._unswept.pop()
            if connection in self.open:
                connection.check(now)

    @property
    def unswept(self) -> int:
        """How many connections are left of this round; some may be gone."""
        return len(self._unswept)

    def measure(self) -> Measure:
        """Tell what connections take, with the input that waits."""
        everybody = [*self.open, *self._lingering]
        waiting = sum(connection.waiting_in for connection in everybody)
        return Measure(
            count=len(everybody),
            bytes=len(everybody) * _CONNECTION + waiting,
            bound=self.max_clients + _MOST_LINGERING,
        )

    def measure_outboxes(self) -> Measure:
        """Tell how many do not take all that they are sent, and what waits for them."""
        waiting = [
            size
            for connection in (*self.open, *self._lingering)
            if (size := connection.waiting_out)
        ]
        return Measure(count=len(waiting), bytes=sum(waiting))

    def largest_outboxes(self, most: int, *, least: int, needed: bool) -> list[str]:
        """Return the names of those for whom most waits; see `cut_largest`."""
        found = self._largest(most, least=least, needed=needed)
        return [connection.name for connection in found]

    def cut_largest(
        self, most: int, *, least: int, needed: bool, reason: str
    ) -> list[str]:
        """Cut those for whom most waits.

        Sizes of about the same (within a factor of two) count as equal: of those,
        who has been connected for the shortest time goes first.

        Args:
            most: how many at most.
            least: bytes; nobody for whom less waits is cut, since it would free
                nothing.
            needed: whether those on whom others rely (`Connection.is_needed`) may be
                cut, when nobody else is left.
            reason: for the log.

        Returns:
            the names of those who were.
        """
        found = self._largest(most, least=least, needed=needed)
        for connection in found:
            connection.cut(reason, Closing.MEMORY)
        return [connection.name for connection in found]

    def _largest(self, most: int, *, least: int, needed: bool) -> list[Connection]:
        # In the order of their coming; a stable sort keeps the last one first.
        waiting = [
            connection
            for connection in reversed(self.open)
            if connection.waiting_out >= least
        ]
        waiting.sort(key=lambda each: -each.waiting_out.bit_length())
        others = [each for each in waiting if not each.is_needed]
        if others or not needed:
            return others[:most]
        return waiting[:most]

    @property
    def count_of_lingering(self) -> int:
        """How many are closed, and read for a moment; any thread may ask."""
        return len(self._lingering)

    def fill(self) -> tuple[int, int, int]:
        """Tell how outboxes are filled; any thread may ask.

        Returns:
            how many clients have not taken all, the bytes that wait for them, and
            those that wait for the one for whom most does.
        """
        queued = [
            size
            for connection in (*self.open, *self._lingering)
            if (size := connection.queued)
        ]
        return len(queued), sum(queued), max(queued, default=0)

    def when_all_gone(self) -> Deferred[None]:
        """Return a Deferred that fires when no connection is left.

        Cancelling it gives the wait up.
        """
        self._unswept.clear()  # nobody is looked after any more
        if not self.open and not self._lingering:
            return succeed(None)
        self._all_gone = Deferred(self._stop_waiting)
        return self._all_gone

    def abort_all(self) -> None:
        """Drop every connection that is left."""
        for connection in (*self.open, *self._lingering):
            connection.transport.abortConnection()

    def _stop_waiting(self, deferred: Deferred[None]) -> None:
        self._all_gone = None
