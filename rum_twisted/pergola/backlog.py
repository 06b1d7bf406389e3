"""What waits for a client who reads slower than the world moves.

Lines wait by class. What the server answers, and who has left, is never dropped; if
that alone is more than the bound, the client is cut. What other clients say or cause,
their plans and logons among it, is dropped, newest first, where it would fill more
than half of the bound: nobody can have somebody else cut by talking. Of position
reports, only the newest of each aircraft waits, and when there is room for some of
them only, the nearest aircraft go first. So the memory of a frozen client is bounded,
and a slow one sees fewer updates rather than old ones.

Order per sender survives: where somebody has a position waiting and says something,
the position goes in front of what he says. Where he leaves, it is forgotten, or he
would come back as a ghost.
"""

from collections import deque
from collections.abc import Callable, MutableMapping
from typing import Final

__all__ = ["Backlog", "Nearness"]

Nearness = Callable[[bytes], float]
"""Ranks a sender (his callsign) by distance; less is nearer."""

_POSITIONS: Final = frozenset(b"@%")
_SPOKEN: Final = frozenset(
    b"#TM $CQ $CR $C? $CI $HO $HA #SB #PC $PI $PO $FP #AP #AA".split()
)  # what clients say, or cause to be said, to others
_DEPARTURES: Final = frozenset((b"#DP", b"#DA"))
_SERVER: Final = b"server:"  # as a sender
_TEXT_SHARE: Final = 2  # spoken lines may fill one half of the bound


class Backlog:
    """Lines that wait, by class.

    Args:
        bound: bytes that may wait.
        losses: counts the lines of all clients that are dropped, by class.

    Invariants: ``size`` is the number of bytes of all lines that wait, ``spoken`` of
    those that clients said, the positions that go in front of their words included;
    ``spoken`` is at most half of the bound.
    """

    __slots__ = (
        "_begun",
        "_bound",
        "_losses",
        "_positions",
        "_urgent",
        "dropped",
        "size",
        "spoken",
    )

    def __init__(self, bound: int, losses: MutableMapping[str, int]) -> None:
        self._bound = bound
        self._losses = losses
        self._begun = b""  # the rest of a line that was sent in part
        self._urgent: deque[bytes] = deque()
        self._positions: dict[bytes, bytes] = {}  # by prefix and callsign
        self.size = 0
        self.spoken = 0
        self.dropped = 0  # lines, of any class

    def __len__(self) -> int:
        """Return how many lines wait."""
        return bool(self._begun) + len(self._urgent) + len(self._positions)

    def put_first(self, rest: bytes) -> None:
        """Put the rest of a line in front that has been sent in part."""
        self._begun = rest
        self.size += len(rest)

    def add(self, line: bytes) -> None:
        """Let a line wait."""
        if line[0] in _POSITIONS:
            self._add_position(line)
        else:
            self._add_urgent(line)
        if self.size > self._bound and self._positions:
            self._shed_positions()

    @property
    def is_over_bound(self) -> bool:
        """Tell whether more waits than may, after all was dropped that can be."""
        return self.size > self._bound

    def take(self, limit: int, nearness: Nearness) -> bytes:
        """Take out about ``limit`` bytes of what should be sent next.

        At least one line is taken; empty: nothing waits.
        """
        taken = [self._begun]
        size = len(self._begun)
        self._begun = b""
        urgent = self._urgent
        while urgent and size < limit:
            line = urgent.popleft()
            taken.append(line)
            size += len(line)
            if line[0] in _POSITIONS or _is_spoken(line):
                self.spoken -= len(line)
        if size < limit and self._positions:
            room = limit - size
            for key in self._nearest_first(room, nearness):
                line = self._positions.pop(key)
                taken.append(line)
                size += len(line)
                if size >= limit:
                    break
        self.size -= size
        return b"".join(taken)

    def _nearest_first(self, room: int, nearness: Nearness) -> list[bytes]:
        """Return the waiting positions' keys in the order in which they should go."""
        positions = self._positions
        if sum(map(len, positions.values())) <= room:
            return list(positions)
        return sorted(positions, key=lambda key: nearness(key[1:]))

    def _add_position(self, line: bytes) -> None:
        prefix = line[:1]
        fields = line[1:].split(b":", 2)
        key = prefix + (fields[1] if prefix == b"@" else fields[0])
        # The newest goes to the end: it may not overtake what was said before it.
        if key in self._positions:
            self._drop_position(key)
        self._positions[key] = line
        self.size += len(line)

    def _add_urgent(self, line: bytes) -> None:
        positions = self._positions
        sender = line[3:].partition(b":")[0].rstrip()
        keys = [key for key in (b"@" + sender, b"%" + sender) if key in positions]
        if len(keys) > 1:  # hardly anybody sends both kinds
            keys.sort(key=list(positions).index)
        is_spoken = _is_spoken(line)
        spoken = sum(len(positions[key]) for key in keys) + is_spoken * len(line)
        has_room = (self.spoken + spoken) * _TEXT_SHARE <= self._bound
        if is_spoken and not has_room:
            self.dropped += 1
            self._losses["spoken"] += 1
            return
        if has_room and line[:3] not in _DEPARTURES:
            self._urgent.extend(map(positions.pop, keys))
            self.spoken += spoken
        else:
            for key in keys:
                self._drop_position(key)
        self._urgent.append(line)
        self.size += len(line)

    def _shed_positions(self) -> None:
        """Drop the oldest positions until the rest fits, or none is left."""
        while self._positions and self.size > self._bound:
            self._drop_position(next(iter(self._positions)))

    def _drop_position(self, key: bytes) -> None:
        self.size -= len(self._positions.pop(key))
        self.dropped += 1
        self._losses["position"] += 1


def _is_spoken(line: bytes) -> bool:
    """Tell whether another client said this, rather than the server."""
    return line[:3] in _SPOKEN and not line.startswith(_SERVER, 3)
