"""The connections, for an operator: who is silent or slow, and what was counted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from rum_twisted.pergola.connections import SWEEP_INTERVAL, Connections
from rum_twisted.pergola.fanout import Fanout
from rum_twisted.pergola.protocol import FSDProtocol
from rum_twisted.pergola.trace import Take
from rum_twisted.session.phases import Phase
from rum_twisted.session.tally import OTHER, Closing, Tally
from rum_twisted.terms.units import Seconds
from rum_twisted.world.client import Client

__all__ = ["MOST_SHOWN", "Overview", "WaitingConnection"]

MOST_SHOWN: Final = 4  # clients whose lines are shown at the same time


_CLOSINGS: Final[Mapping[str, tuple[Closing, ...]]] = MappingProxyType(
    {
        "command": (Closing.LOGOFF,),
        "flood": (Closing.FLOODING,),
        "initialtimeout": (Closing.NO_LOGON,),
        "stalled": (
            *(Closing.SILENCE, Closing.STALLED),
            *(Closing.OVERFLOW, Closing.MEMORY),
        ),
        "closed": (Closing.LOST, Closing.SHUTDOWN),
        "writeerr": (Closing.BROKEN,),
        "killed": (Closing.KILLED,),
        "protocol": (Closing.REFUSED, Closing.FULL, Closing.BUG),
    }
)
"""Why connections ended, in the classic server's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingConnection:
    """A connection with something that waits."""

    callsign: str
    waiting_in: int  # bytes
    waiting_out: int  # bytes
    dropped: int  # lines that he was spared
    idle_s: float  # for which he has taken nothing
    is_slow: bool


class Overview:
    """Looks at the connections, and into one of them.

    Args:
        connections: of all clients.
        fanout: carries lines to them.
        tally: counts.
    """

    def __init__(self, connections: Connections, fanout: Fanout, tally: Tally) -> None:
        self._connections = connections
        self._fanout = fanout
        self._tally = tally
        self._shown: list[Showing] = []

    def idle_times(self) -> dict[Client, Seconds]:
        """Tell for how long each client has said nothing."""
        now = self._connections.clock.seconds()
        return {
            connection.session.client: Seconds(now - connection.traffic.last_line_at)
            for connection in self._protocols()
            if connection.session.client is not None
        }

    def backlogged(self) -> list[WaitingConnection]:
        """List the connections with something that waits, the most first."""
        found = [
            WaitingConnection(
                callsign=connection.session.name,
                waiting_in=connection.waiting_in,
                waiting_out=connection.outbox.waiting,
                dropped=connection.outbox.dropped,
                idle_s=connection.outbox.idle_sweeps * SWEEP_INTERVAL,
                is_slow=connection.outbox.is_slow,
            )
            for connection in self._protocols()
            if connection.waiting_in or connection.outbox.is_slow
        ]
        return sorted(found, key=lambda one: -one.waiting_in - one.waiting_out)

    def figures(self) -> list[tuple[str, int]]:
        """Tell what was counted, by the classic server's names."""
        tally, open_now = self._tally, len(self._connections.open)
        lines_in, lines_out = tally.lines_in.values(), tally.lines_out.values()
        return [
            ("interface.client.current", open_now),
            ("interface.client.total", tally.accepted),
            ("interface.client.peak", self._connections.peak),
            *(
                (f"interface.client.{name}", sum(tally.closings[one] for one in why))
                for name, why in _CLOSINGS.items()
            ),
            ("protocol.lines.in", sum(lines_in)),
            ("protocol.lines.out", sum(lines_out)),
            ("protocol.bytes.in", tally.bytes_in),
            ("protocol.bytes.out", tally.bytes_out),
            ("protocol.errors.invalidcommand", tally.lines_in[OTHER]),
            ("protocol.positions.dropped", tally.dropped["position"]),
        ]

    def trace(self, client: Client, take: Take) -> Callable[[], None]:
        """Show what goes to and comes from a client, from now on.

        Args:
            client: who is on.
            take: is given each line without its end, and whether the client said it;
                without secrets.

        Returns:
            what ends it; harmless where it has ended.

        Raises:
            LookupError: he is gone, or too many are shown already.
        """
        self._shown = [shown for shown in self._shown if shown.is_on]
        if len(self._shown) >= MOST_SHOWN:
            raise LookupError(f"{MOST_SHOWN} clients are shown already")
        for connection in self._protocols():
            if connection.session.client is client:
                if not connection.show(take):
                    raise LookupError("somebody else is shown him already")
                showing = Showing(connection)
                self._shown.append(showing)
                return showing.end
        raise LookupError("he is gone")

    def settle(self) -> None:
        """Let what was said to clients leave."""
        self._fanout.settle()

    def _protocols(self) -> list[FSDProtocol]:
        return [one for one in self._connections.open if isinstance(one, FSDProtocol)]


class Showing:
    """One client who is shown."""

    __slots__ = ("_connection",)

    def __init__(self, connection: FSDProtocol) -> None:
        self._connection: FSDProtocol | None = connection

    @property
    def is_on(self) -> bool:
        """Whether it has not ended, and he is still there."""
        connection = self._connection
        return connection is not None and connection.session.phase is not Phase.CLOSED

    def end(self) -> None:
        """Show him no more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.hide()
