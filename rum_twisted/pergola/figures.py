"""What the front has counted, as programs that watch read it; see docs/metrics.md."""

from collections.abc import Iterator, Mapping
from typing import Any

from rum_twisted.pergola.connections import Connections
from rum_twisted.pergola.limits import Limits
from rum_twisted.session.tally import Tally
from rum_twisted.terms.metric import Family
from rum_twisted.world.roster import Roster

__all__ = ["FrontFigures"]


class FrontFigures:
    """The front in figures.

    Args:
        tally: counts.
        connections: all of them.
        roster: who is on.
        limits: of one connection.
    """

    def __init__(
        self, tally: Tally, connections: Connections, roster: Roster, limits: Limits
    ) -> None:
        self._tally = tally
        self._connections = connections
        self._roster = roster
        self._limits = limits

    def status(self) -> Mapping[str, Any]:
        """Return how many there are, and how many there may be, for JSON."""
        connections, limits = self._connections, self._limits
        slow, waiting, _ = connections.fill()
        return {
            "connections": len(connections.open),
            "pilots": self._roster.count_of_pilots,
            "controllers": self._roster.count_of_controllers,
            "slow": slow,
            "waiting_bytes": waiting,
            "limits": {
                "max_clients": connections.max_clients,
                "max_line": limits.max_line,
                "outbox_bytes": limits.outbox_bytes,
                "flood_limit": limits.flood_limit,
                "idle_timeout": limits.idle_timeout,
                "login_timeout": limits.login_timeout,
                "stall_timeout": limits.stall_timeout,
            },
        }

    def families(self) -> Iterator[Family]:
        """Yield what is counted; see `Metered`."""
        yield from self._clients()
        yield from self._lines()
        yield from self._outboxes()
        yield from self._sessions()

    def _clients(self) -> Iterator[Family]:
        connections, roster = self._connections, self._roster
        kinds = {
            "pilot": roster.count_of_pilots,
            "controller": roster.count_of_controllers,
        }
        text = "Who is logged on."
        yield Family.by("kind", "rum_clients", "gauge", text, kinds)
        yield Family.single(
            "rum_clients_limit",
            "gauge",
            "How many may be connected (pergola.max_clients).",
            connections.max_clients,
        )
        states = {
            "open": len(connections.open),
            "closing": connections.count_of_lingering,
        }
        text = "Connections of clients, logged on or not, and those on their way out."
        yield Family.by("state", "rum_connections", "gauge", text, states)
        yield Family.single(
            "rum_connections_accepted",
            "counter",
            "Connections that clients have made.",
            self._tally.accepted,
        )

    def _lines(self) -> Iterator[Family]:
        tally, delays = self._tally, self._tally.delays
        text = "Lines that came from clients, by packet."
        lines = dict(tally.lines_in)
        yield Family.by("packet", "rum_lines_received", "counter", text, lines)
        text = "Lines that were due to clients, each counted for each, by packet."
        lines = dict(tally.lines_out)
        yield Family.by("packet", "rum_lines_sent", "counter", text, lines)
        for name, text, count in (
            ("rum_received_bytes", "Bytes that came from clients.", tally.bytes_in),
            (
                "rum_sent_bytes",
                "Bytes that the kernel took for clients.",
                tally.bytes_out,
            ),
            ("rum_writes", "Writes to sockets of clients.", tally.writes),
            ("rum_turns", "Turns in which reports were written.", tally.turns),
        ):
            yield Family.single(name, "counter", text, count)
        yield Family.single(
            "rum_report_receivers",
            "histogram",
            "How many were in sight of a position report.",
            tally.receivers,
        )
        yield Family.by(
            "class",
            "rum_line_delay_seconds",
            "histogram",
            "From the reading of a line to the writing of what it caused, to the last.",
            {
                "report": delays.report,
                "news": delays.news,
                "direct": delays.direct,
            },
        )

    def _outboxes(self) -> Iterator[Family]:
        slow, waiting, fullest = self._connections.fill()
        yield Family.single(
            "rum_outbox_slow_clients",
            "gauge",
            "Clients who have not taken all that they were sent.",
            slow,
        )
        yield Family.single(
            "rum_outbox_bytes", "gauge", "What waits for them in all.", waiting
        )
        yield Family.single(
            "rum_outbox_fullest_ratio",
            "gauge",
            "How full the fullest outbox is; at 1 its client is cut.",
            fullest / self._limits.outbox_bytes,
        )
        yield Family.by(
            "class",
            "rum_lines_dropped",
            "counter",
            "Lines that slow clients were spared, or lost when they went.",
            dict(self._tally.dropped),
        )

    def _sessions(self) -> Iterator[Family]:
        tally = self._tally
        text = "Logons, by what became of them."
        yield Family.by("result", "rum_logons", "counter", text, tally.results())
        yield Family.by(
            "reason",
            "rum_sessions_ended",
            "counter",
            "Connections that ended, by the reason.",
            {why.value: count for why, count in tuple(tally.closings.items())},
        )
