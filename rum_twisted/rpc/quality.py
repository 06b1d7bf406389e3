"""How well a version does beside the others: error rate and p99, within a window.

Figures are those that `CallMetrics` has counted; what is compared is their growth.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rum_twisted.rpc.calling import NOBODY
from rum_twisted.rpc.errors import Code
from rum_twisted.rpc.metrics import BUCKETS, Series, p99_of
from rum_twisted.terms.rule import BackOut
from rum_twisted.terms.units import Seconds

__all__ = ["NOTHING", "Tally", "tallies", "tally", "verdict"]

_PER_CENT: Final = 100.0
_BUCKETS: Final = len(BUCKETS) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What was counted about some calls; those that the caller gave up are not there.

    A call that could not be sent, since no instance of its version could be asked, is
    an error that took no time, and is in no bucket.
    """

    calls: int = 0
    errors: int = 0
    buckets: tuple[int, ...] = (0,) * _BUCKETS  # those of `CallMetrics`

    def __add__(self, other: "Tally") -> "Tally":
        """Return what was counted about both."""
        return Tally(
            calls=self.calls + other.calls,
            errors=self.errors + other.errors,
            buckets=tuple(map(int.__add__, self.buckets, other.buckets)),
        )

    def since(self, before: "Tally") -> "Tally":
        """Return what has been counted since then; never less than nothing."""
        return Tally(
            calls=max(self.calls - before.calls, 0),
            errors=max(self.errors - before.errors, 0),
            buckets=tuple(
                max(now - then, 0)
                for now, then in zip(self.buckets, before.buckets, strict=True)
            ),
        )

    @property
    def error_rate(self) -> float:
        """How many calls have failed, in per cent."""
        return _PER_CENT * self.errors / self.calls if self.calls else 0.0

    @property
    def p99(self) -> float:
        """How long 99 of 100 calls have taken at most, in seconds."""
        return p99_of(self.buckets)


NOTHING: Final = Tally()


def tallies(series: Iterable[Series], service: str, version: str) -> tuple[Tally, ...]:
    """Return what was counted about a version, and about all others together."""
    canary, others = NOTHING, NOTHING
    for each in series:
        label = each.label
        if label.service != service:
            continue
        if label.version == version:
            canary += tally(each)
        elif label.address != NOBODY:  # else it is nobody's fault in particular
            others += tally(each)
    return canary, others


def tally(series: Series) -> Tally:
    """Return what a series tells."""
    given_up = series.codes.get(Code.CANCELLED, 0)
    is_unsent = series.label.address == NOBODY
    return Tally(
        calls=series.calls - given_up,
        errors=series.errors - given_up,
        buckets=NOTHING.buckets if is_unsent else tuple(series.buckets),
    )


def verdict(limits: BackOut, canary: Tally, others: Tally, window: Seconds) -> str:
    """Tell why a version does too badly; nothing if it does not, or nobody knows.

    Args:
        limits: how much worse it may do.
        canary: its calls within the window.
        others: the others' calls.
        window: how long both were counted.
    """
    if min(canary.calls, others.calls) < limits.least_calls:
        return ""
    within = f"in {window:.0f} s"
    points = canary.error_rate - others.error_rate
    if limits.error_points is not None and points > limits.error_points:
        return (
            f"{canary.error_rate:.1f} % of {canary.calls} calls failed {within}, "
            f"{others.error_rate:.1f} % of {others.calls} with the others; allowed "
            f"are {limits.error_points:g} points more"
        )
    ratio = limits.p99_ratio
    if ratio is not None and canary.p99 > others.p99 * ratio:
        return (
            f"p99 of {canary.calls} calls was {canary.p99 * 1000:.1f} ms {within}, "
            f"{others.p99 * 1000:.1f} ms of {others.calls} with the others; allowed "
            f"is {ratio:g} times as much"
        )
    return ""
