"""What is counted of clients and their lines, from the start of the process on.

Plain numbers that only go up, in tables whose keys are all there from the start:
nothing that a client says becomes a key, so they never grow, and another thread may
read them at any time. What they mean to an operator stands in docs/metrics.md.

Where thousands of lines leave at once they are counted together: a report counts with
all its receivers in one step, and the delays of a turn's reports at its end.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from typing_extensions import override

from rum_twisted.terms.errors import RumError
from rum_twisted.terms.histogram import Histogram
from rum_twisted.wire.packets import FROM_CLIENT, FROM_SERVER

__all__ = ["ADMITTED", "OTHER", "Closing", "Delays", "Tally"]

OTHER: Final = "other"  # what has no row in the table of packets
ADMITTED: Final = "admitted"  # the result of a logon that is none of the errors
_RESULTS: Final = (
    ADMITTED,
    *("AccountSuspended", "AccountsUnavailable", "CallsignInUse", "InvalidCallsign"),
    *("InvalidCredentials", "InvalidRevision", "RatingTooHigh", "RefusedByPlugin"),
    *("ServerFull", "TooManyFailures", "TooManyLogons"),
    OTHER,
)
"""Of a logon: all from the start, or the first of a kind would be missed by alerts."""
_LONG_PREFIX: Final = 3
_POSITIONS: Final = frozenset(b"@%")
_RECEIVERS: Final = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Closing(Enum):
    """Why a session ended."""

    LOGOFF = "logoff"  # the client said so
    LOST = "lost"  # his socket is gone
    BROKEN = "broken"  # his socket took nothing more, and then was gone
    REFUSED = "refused"  # he was not let in
    FULL = "full"  # there was no room for him
    KILLED = "killed"  # by the staff
    SILENCE = "silence"
    NO_LOGON = "no logon"  # in time
    FLOODING = "flooding"
    STALLED = "stalled"  # he took nothing
    OVERFLOW = "overflow"  # too much waited for him
    MEMORY = "memory"  # it was short, and most waited for him
    BUG = "bug"  # of ours
    SHUTDOWN = "shutdown"


class Delays:
    """How long lines were here: from being read to being written."""

    __slots__ = ("direct", "news", "report")

    def __init__(self) -> None:
        self.report = Histogram()  # positions, until all in sight have them
        self.news = Histogram()  # logons and departures, until everybody has them
        self.direct = Histogram()  # all else, until it is written to those addressed

    @override
    def __repr__(self) -> str:
        return f"<Delays: {self.report.count} reports>"


class Tally:
    """All counts of one front.

    Invariant: no table has more keys than it was made with.
    """

    __slots__ = (
        "_keys",
        "accepted",
        "bytes_in",
        "bytes_out",
        "closings",
        "delays",
        "dropped",
        "lines_in",
        "lines_out",
        "logons",
        "receivers",
        "turns",
        "writes",
    )

    def __init__(self) -> None:
        prefixes = {packet.prefix for packet in FROM_CLIENT.values()}
        prefixes |= {packet.prefix for packet in FROM_SERVER.values()}
        self.lines_in = dict.fromkeys((*sorted(prefixes), OTHER), 0)
        self.lines_out = dict.fromkeys((*sorted(prefixes), OTHER), 0)
        self._keys = {prefix.encode("ascii"): prefix for prefix in prefixes}
        self.bytes_in = 0
        self.bytes_out = 0
        self.writes = 0  # to sockets, a turn's lines in each
        self.turns = 0
        self.receivers = Histogram(_RECEIVERS)  # of each position report
        self.delays = Delays()
        self.dropped = {"position": 0, "spoken": 0, "gone": 0}  # lines, by class
        self.accepted = 0  # connections
        self.logons = dict.fromkeys(_RESULTS, 0)
        self.closings = dict.fromkeys(Closing, 0)

    @override
    def __repr__(self) -> str:
        return f"<Tally: {self.accepted} connections, {self.turns} turns>"

    def count_out(self, line: bytes, receivers: int) -> None:
        """Count a line that was given to so many clients, whether they take it or not.

        Args:
            line: as it goes out.
            receivers: how many.
        """
        prefix = line[:1] if line[0] in _POSITIONS else line[:_LONG_PREFIX]
        self.lines_out[self._keys.get(prefix, OTHER)] += receivers

    def count_refusal(self, error: RumError) -> None:
        """Count a logon that was refused, by the error or what it is a kind of."""
        logons = self.logons
        names = (kind.__name__ for kind in type(error).__mro__)
        logons[next((name for name in names if name in logons), OTHER)] += 1

    def results(self) -> Mapping[str, int]:
        """Return the logons by result; for any thread."""
        return dict(self.logons)
