"""A whole server in memory, and clients who are connected to it.

Everything is the real thing, from the protocol to the fan-out; only sockets and the
reactor are Twisted's stand-ins for tests, and the clock stands still between calls.

What a client's end does as a real one does: it gets nothing to read while the server
has paused it, and nothing at all once the server has closed the connection.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from rum_twisted.accounts.memorylogbook import MemoryLogbook
from rum_twisted.pergola.connections import Connections
from rum_twisted.pergola.factory import FSDFactory
from rum_twisted.pergola.fanout import Fanout
from rum_twisted.session.hooks import NO_PLUGINS
from rum_twisted.session.interfaces import IAccounts, IPlugins, IWeather
from rum_twisted.session.session import Session
from rum_twisted.terms.units import Seconds
from rum_twisted.world.roster import Roster
from tests.support.builders import GREETING, make_limits, make_network
from tests.support.segments import WHOLE, Cut

__all__ = ["MemoryServer", "Terminal", "connect"]

_ENCODING: Final = "latin-1"
_END: Final = b"\r\n"
_LONGEST_TURN: Final = Seconds(0.1)


class MemoryServer:
    """A server without sockets.

    Args:
        accounts: the members; by default those of `tests.support.builders`.
        weather: the reports; likewise.
        max_clients: more are turned away.
        max_line: the longest line, its end included.
        extend: returns who extends the network; by default nobody does.
    """

    def __init__(
        self,
        *,
        accounts: IAccounts | None = None,
        weather: IWeather | None = None,
        extend: Callable[[Clock, Roster], IPlugins] | None = None,
        max_clients: int = 1000,
        max_line: int = 2048,
    ) -> None:
        self.clock = Clock()
        self.roster = Roster()
        # The CPU clock stands still: a turn costs nothing, and the next is short.
        self.fanout = Fanout(self.clock, float, _LONGEST_TURN, self.roster)
        self.logbook = MemoryLogbook()
        network = make_network(
            accounts=accounts,
            logbook=self.logbook,
            weather=weather,
            roster=self.roster,
            delivery=self.fanout,
        )
        self.network = replace(
            network,
            tally=self.fanout.tally,
            plugins=NO_PLUGINS if extend is None else extend(self.clock, self.roster),
        )
        self.connections = Connections(self.clock, max_clients)
        self._factory = FSDFactory(
            self.network, self.fanout, make_limits(max_line=max_line), self.connections
        )
        self.terminals: list[Terminal] = []

    def connect(self) -> "Terminal":
        """Return the client's end of a new connection."""
        terminal = Terminal(self, self._factory)
        self.terminals.append(terminal)
        self.turn()
        return terminal

    def turn(self) -> None:
        """Let everything happen that is due, until nothing is left to do."""
        while True:
            self.clock.advance(_LONGEST_TURN)
            moved = [terminal.work() for terminal in self.terminals]
            if not any(moved):
                return

    def log_on_pilot(self, callsign: str, *, rating: int = 1) -> "Terminal":
        """Return the end of a pilot who is on and has read his greeting."""
        return self._log_on(pilot_logon(callsign, rating=rating))

    def log_on_pilot_later(self, callsign: str) -> "Terminal":
        """Return the end of a pilot who has asked to log on, and may have to wait."""
        terminal = self.connect()
        terminal.say(pilot_logon(callsign))
        return terminal

    def log_on_controller(self, callsign: str, *, rating: int = 5) -> "Terminal":
        """Return the end of a controller who is on and has read his greeting."""
        return self._log_on(controller_logon(callsign, rating=rating))

    def _log_on(self, line: str) -> "Terminal":
        terminal = self.connect()
        terminal.say(line)
        read = terminal.read()
        if len(read) != len(GREETING):
            raise AssertionError(f"{line} was answered with {read}")
        for other in self.terminals:
            other.read()
        return terminal


class Terminal:
    """The client's end of one connection."""

    def __init__(self, server: MemoryServer, factory: FSDFactory) -> None:
        self._server = server
        self._transport = StringTransport()
        self._unread: deque[bytes] = deque()  # segments that the server did not take
        self._is_lost = False
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self._transport)

    @property
    def session(self) -> Session:
        """What the server knows of this client."""
        return self.protocol.session

    @property
    def is_closed(self) -> bool:
        """Tell whether the server has closed the connection."""
        return bool(self._transport.disconnecting)

    @property
    def is_paused(self) -> bool:
        """Tell whether the server takes nothing for now."""
        return bool(self._transport.producerState == "paused")

    def say(self, *lines: str, cut: Cut = WHOLE) -> None:
        """Send whole lines, all in one write, and let the server handle them."""
        data = b"".join(line.encode(_ENCODING) + _END for line in lines)
        self.feed(cut(data))

    def feed(self, segments: Iterable[bytes]) -> None:
        """Send segments as they are, and let the server handle them."""
        self._unread.extend(segments)
        self._server.turn()

    def read(self) -> list[str]:
        """Return the lines that came since the last time, without their ends.

        Raises:
            AssertionError: what came is not whole lines, each with CR LF at its end
                and with neither of them anywhere else.
        """
        data = self._transport.value()
        self._transport.clear()
        *lines, rest = data.split(_END)
        if rest or any(b"\r" in line or b"\n" in line for line in lines):
            raise AssertionError(f"not whole lines: {data!r}")
        return [line.decode(_ENCODING) for line in lines]

    def hang_up(self) -> None:
        """Close the socket without a word."""
        self._unread.clear()
        self._lose()
        self._server.turn()

    def work(self) -> bool:
        """Hand over what the server takes; tell whether there was anything to do."""
        moved = False
        while self._unread and not self.is_paused and not self._is_lost:
            self.protocol.dataReceived(self._unread.popleft())
            moved = True
        if self.is_closed and not self._is_lost:
            self._lose()
            moved = True
        if self._is_lost:
            self._unread.clear()
        return moved

    def _lose(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            self.protocol.connectionLost(Failure(ConnectionDone()))


def connect(server: MemoryServer | None = None) -> Terminal:
    """Return the client's end of a new connection, to a new server if none is given."""
    return (server or MemoryServer()).connect()


def pilot_logon(callsign: str, *, rating: int = 1) -> str:
    """Return the line with which a member of that rating logs on as a pilot."""
    account = f"10000{rating:02d}:pw{rating:02d}"
    return f"#AP{callsign}:SERVER:{account}:{rating}:9:2:Joe Pilot"


def controller_logon(callsign: str, *, rating: int = 5) -> str:
    """Return the line with which a member of that rating logs on as a controller."""
    account = f"10000{rating:02d}:pw{rating:02d}"
    return f"#AA{callsign}:SERVER:Ann Controller:{account}:{rating}:9"
