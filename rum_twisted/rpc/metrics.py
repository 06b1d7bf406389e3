"""What is counted about calls: by service, method, endpoint and version.

The number of series has a bound, whatever comes: services whose instances come and
go, each at another port, would else fill the memory of everybody who calls them.
The counts of an instance that is gone are kept, under the address ``gone``, by version:
what is told of a version's calls never goes down.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from typing_extensions import override

from rum_twisted.rpc.errors import Code
from rum_twisted.terms.histogram import Histogram
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.metric import Family
from rum_twisted.terms.units import Seconds

__all__ = ["BUCKETS", "GONE", "OTHER", "CallMetrics", "Label", "Series", "p99_of"]

BUCKETS: Final = tuple(
    Seconds(limit)
    for limit in (
        *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
        *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    )
)
"""Upper limits of the histogram's buckets, in seconds; one more is above them all."""

_P99: Final = 0.99
MOST_SERIES: Final = 1000
_SERIES: Final = 700  # bytes of one, with its label, counts and histogram
GONE: Final = "gone"  # the address of those who are no more
MOST_VERSIONS: Final = 10  # of a method, of those who are no more
OTHER: Final = "other"  # what is counted together once there are too many


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a series counts the calls of."""

    service: str
    method: str  # e.g. /rum.v1.Passport/Authenticate
    address: str
    version: str


class Series:
    """The counts of one label.

    Invariant: ``calls`` is the sum of ``buckets``, and the sum of ``codes``.
    """

    __slots__ = ("buckets", "calls", "codes", "label", "seconds", "streams")

    def __init__(self, label: Label) -> None:
        self.label = label
        self.streams = 0  # open ones that count here; it is kept apart until they end
        self.calls = 0
        self.seconds = 0.0  # of all calls together
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.codes: dict[Code, int] = {}

    @override
    def __repr__(self) -> str:
        return f"<Series {self.label.method} {self.label.address}: {self.calls} calls>"

    @property
    def errors(self) -> int:
        """How many calls have not been answered as hoped for."""
        return self.calls - self.codes.get(Code.OK, 0)

    def observe(self, seconds: float, code: Code) -> None:
        """Count a call that has taken that long and has ended so."""
        self.calls += 1
        self.seconds += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        codes = self.codes
        codes[code] = codes.get(code, 0) + 1

    def add(self, other: "Series") -> None:
        """Count the calls of another series here too."""
        self.calls += other.calls
        self.seconds += other.seconds
        for place, count in enumerate(other.buckets):
            self.buckets[place] += count
        for code, count in other.codes.items():
            self.codes[code] = self.codes.get(code, 0) + count


class CallMetrics:
    """All series.

    Invariant: there are at most ``most``, and one for the rest.

    Args:
        most: how many are counted apart from each other.
    """

    def __init__(self, most: int = MOST_SERIES) -> None:
        self._most = most
        self._series: dict[Label, Series] = {}

    @override
    def __repr__(self) -> str:
        return f"<CallMetrics: {len(self._series)} series>"

    def measure(self) -> Measure:
        """Tell how many series are kept."""
        count = len(self._series)
        return Measure(count=count, bytes=count * _SERIES, bound=self._most + 1)

    def series(self, label: Label) -> Series:
        """Return the series of a label, or the common one if there are too many."""
        found = self._series.get(label)
        if found is None:
            if len(self._series) >= self._most:
                label = Label(service=OTHER, method=OTHER, address=OTHER, version=OTHER)
            found = self._series.setdefault(label, Series(label))
        return found

    def retire(self, gone: Iterable[Series]) -> None:
        """Keep the counts of an instance that is gone, but not apart any more."""
        for series in gone:
            label = series.label
            if series.streams:
                continue
            if label.address in (GONE, OTHER) or self._series.get(label) is not series:
                continue
            del self._series[label]
            self._heir(label).add(series)

    def families(self, side: str) -> Iterator[Family]:
        """Yield the counts by method and version, whatever the address.

        Args:
            side: ``client`` or ``server``.
        """
        names = ("service", "method", "version")
        codes: dict[tuple[str, ...], float] = {}
        times: dict[tuple[str, ...], Histogram] = {}
        for series in self.snapshot():
            label = series.label
            key = (label.service, label.method, label.version)
            time = times.setdefault(key, Histogram(BUCKETS))
            time.sum += series.seconds
            for place, count in enumerate(list(series.buckets)):
                time.buckets[place] += count
            for code, count in dict(series.codes).items():
                one = (*key, code.name)
                codes[one] = codes.get(one, 0) + count
        yield Family(
            f"rum_rpc_{side}_calls",
            "counter",
            f"Calls between processes, on the {side}'s side, by how they ended.",
            codes,
            (*names, "code"),
        )
        yield Family(
            f"rum_rpc_{side}_seconds",
            "histogram",
            f"How long they took, on the {side}'s side.",
            times,
            names,
        )

    def _heir(self, label: Label) -> Series:
        """Return the series that takes up the counts of one that is gone."""
        heir = replace(label, address=GONE)
        if heir not in self._series:
            versions = sum(
                (each.service, each.method, each.address)
                == (heir.service, heir.method, GONE)
                for each in self._series
            )
            if versions >= MOST_VERSIONS:
                heir = replace(heir, version=OTHER)
        return self.series(heir)

    def snapshot(self) -> tuple[Series, ...]:
        """Return all series as they are now, in no particular order."""
        return tuple(self._series.values())


def p99_of(buckets: Iterable[int]) -> float:
    """Return the 99th percentile of a histogram with `BUCKETS`, in seconds.

    Within a bucket, calls are taken to lie evenly; beyond the last one, at its edge.
    """
    counts = tuple(buckets)
    rank = sum(counts) * _P99
    below = 0.0
    for place, count in enumerate(counts[: len(BUCKETS)]):
        if count and below + count >= rank:
            lower = BUCKETS[place - 1] if place else 0.0
            return lower + (BUCKETS[place] - lower) * (rank - below) / count
        below += count
    return float(BUCKETS[-1]) if sum(counts) else 0.0
