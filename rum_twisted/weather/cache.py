"""The last good report of each station, in little memory and never more of it.

A report is kept as one ``bytes`` object: when it was made and when a source last
said that it is the newest, 4 bytes each, then its text. With its key and its place
in the dict that is 220 to 240 bytes for a station, 1.1 MB for 5,000; tuples of a text
and two times take 1.8 MB.
"""

from dataclasses import dataclass
from struct import Struct
from typing import Final

from typing_extensions import override

from rum_twisted.terms.measure import Measure
from rum_twisted.terms.units import Seconds

__all__ = ["ENTRY_COST", "Report", "ReportCache"]

_HEAD: Final = Struct(">II")  # made at, checked at: seconds since the Unix epoch
_LATEST: Final = (1 << 32) - 1
ENTRY_COST: Final = 140  # bytes of an entry besides text and head: objects, dict
MOST_MISSING: Final = 2000  # stations without a report; whoever asks may name any


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report and its age; times are seconds since the Unix epoch, UTC."""

    text: str
    made_at: Seconds  # at the station
    checked_at: Seconds  # when a source last gave it, or said that it is unchanged


class ReportCache:
    """Reports by station, and which stations have none.

    Invariants: there are at most ``most`` reports, and they cost at most
    ``largest`` bytes; what was asked for the longest time ago stands first, and
    goes first.

    Args:
        most: reports.
        largest: bytes, counted with what Python needs for each of them.
    """

    def __init__(self, *, most: int, largest: int) -> None:
        self._most = most
        self._largest = largest
        self._reports: dict[int, bytes] = {}
        self._missing: dict[int, Seconds] = {}
        self.cost = 0  # bytes

    def __len__(self) -> int:
        """Return how many reports there are."""
        return len(self._reports)

    @override
    def __repr__(self) -> str:
        return f"<ReportCache: {len(self)} reports, {self.cost} bytes>"

    def measure(self) -> Measure:
        """Tell what the reports take, and the stations without any."""
        return Measure(
            count=len(self._reports) + len(self._missing),
            bytes=self.cost + len(self._missing) * ENTRY_COST,
            bound=self._most + MOST_MISSING,
            bytes_bound=self._largest + MOST_MISSING * ENTRY_COST,
        )

    def get(self, station: bytes) -> Report | None:
        """Return a station's report, if there is one, and keep it longer."""
        key = _key(station)
        packed = self._reports.pop(key, None)
        if packed is None:
            return None
        self._reports[key] = packed  # to the end
        return _unpack(packed)

    def store(self, station: bytes, report: Report) -> bool:
        """Keep a report, unless a later one is known; return whether it is kept.

        A report of the same minute replaces the one before: it corrects it.
        """
        key = _key(station)
        before = self._reports.get(key)
        if before is not None and _unpack(before).made_at > report.made_at:
            return False
        self._missing.pop(key, None)
        packed = _pack(report)
        self.cost += _cost(packed) - (_cost(before) if before is not None else 0)
        self._reports[key] = packed
        while len(self._reports) > self._most or self.cost > self._largest:
            self._drop(next(iter(self._reports)))
        return key in self._reports

    def confirm(self, station: bytes, now: Seconds) -> bool:
        """Take note that a station's report is still the newest; ``False``: none."""
        key = _key(station)
        packed = self._reports.get(key)
        if packed is None:
            return False
        made_at, _ = _HEAD.unpack_from(packed)
        self._reports[key] = _HEAD.pack(made_at, _whole(now)) + packed[_HEAD.size :]
        return True

    def miss(self, station: bytes, now: Seconds) -> None:
        """Take note that no source has a report of a station."""
        key = _key(station)
        self._missing.pop(key, None)
        self._missing[key] = now
        if len(self._missing) > MOST_MISSING:
            del self._missing[next(iter(self._missing))]

    def missed_at(self, station: bytes) -> Seconds | None:
        """Return when sources last said that a station has no report."""
        return self._missing.get(_key(station))

    def drop_older(self, made_before: Seconds) -> None:
        """Forget reports that were made before a time."""
        bound = _HEAD.pack(_whole(made_before), 0)
        # The head begins with the time, so bytes compare as times do: 1 ms for
        # 5,000 reports.
        for key in [key for key, it in self._reports.items() if it < bound]:
            self._drop(key)

    def shrink(self) -> int:
        """Drop the half that was not asked for longest; return how many bytes go.

        Of stations without a report all are forgotten: whoever asks is told anew.
        """
        before = self.cost + len(self._missing) * ENTRY_COST
        self._missing.clear()
        for key in list(self._reports)[: len(self._reports) // 2]:
            self._drop(key)
        return before - self.cost

    def ages(self, now: Seconds) -> list[Seconds]:
        """Return how old each report is."""
        return [
            Seconds(now - _HEAD.unpack_from(packed)[0])
            for packed in self._reports.values()
        ]

    def _drop(self, key: int) -> None:
        self.cost -= _cost(self._reports.pop(key))


def _key(station: bytes) -> int:
    return int.from_bytes(station, "big")


def _cost(packed: bytes) -> int:
    return len(packed) + ENTRY_COST


def _whole(time: Seconds) -> int:
    return min(max(int(time), 0), _LATEST)


def _pack(report: Report) -> bytes:
    head = _HEAD.pack(_whole(report.made_at), _whole(report.checked_at))
    return head + report.text.encode("latin-1", "replace")


def _unpack(packed: bytes) -> Report:
    made_at, checked_at = _HEAD.unpack_from(packed)
    return Report(
        text=packed[_HEAD.size :].decode("latin-1"),
        made_at=Seconds(made_at),
        checked_at=Seconds(checked_at),
    )
