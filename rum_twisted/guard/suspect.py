"""Who has grown: an owner, or, if none has, a type of objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from typing_extensions import override

from rum_twisted.admin.owners import Owners
from rum_twisted.admin.sampler import Sample, Sampler
from rum_twisted.terms.units import Seconds

__all__ = ["Suspect", "grown_owner", "grown_type"]

_MB: Final = 1 << 20
_LEAST: Final = 1 << 20  # bytes; whoever has grown by less is not to blame
_SHARE: Final = 4  # nor who has grown by less than one part in so many of all growth

_Sums = Mapping[str, tuple[int, int]]  # count and bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """Who has grown most."""

    name: str
    is_owner: bool  # or else a type
    grown: int  # bytes
    count: int  # of what it keeps, now
    seconds: Seconds  # in this time
    made_at: str = ""

    @override
    def __str__(self) -> str:
        """Return it in words."""
        what = "owner" if self.is_owner else "type"
        place = f", made at {self.made_at}" if self.made_at else ""
        return (
            f"{what} {self.name!r} has grown by {self.grown / _MB:.1f} MB in "
            f"{self.seconds:.0f} s, to {self.count:,}{place}"
        )


def grown_owner(
    owners: Owners, sampler: Sampler, now: Seconds, rss: int | None
) -> Suspect | None:
    """Return the owner that has grown most since the oldest sample.

    ``None``: none has by so much that it could be to blame.

    Args:
        owners: who is asked.
        sampler: knows how much they had.
        now: seconds since the epoch.
        rss: of the process, bytes.
    """
    oldest = _oldest(sampler)
    before: _Sums = {} if oldest is None else oldest.owners
    after: dict[str, tuple[int, int, str]] = {}
    for owner in owners.table():
        count, size, place = after.get(owner.name, (0, 0, owner.measure.made_at))
        measure = owner.measure
        after[owner.name] = (count + measure.count, size + measure.bytes, place)
    grown = {name: size - _had(before, name) for name, (_, size, _) in after.items()}
    most = max(grown, key=lambda name: grown[name], default=None)
    if most is None or grown[most] < _enough(oldest, rss):
        return None
    count, _, made_at = after[most]
    return Suspect(
        name=most,
        is_owner=True,
        grown=grown[most],
        count=count,
        seconds=_since(oldest, now),
        made_at=made_at,
    )


def grown_type(growth: Mapping[str, Any]) -> Suspect | None:
    """Return the type of objects that has grown most.

    Args:
        growth: as `Heap.growth` tells it.
    """
    most = next((kind for kind in growth["types"] if kind["bytes"] > 0), None)
    if most is None:
        return None
    return Suspect(
        name=most["name"],
        is_owner=False,
        grown=most["bytes"],
        count=most["now_count"],
        seconds=Seconds(growth["seconds"]),
    )


def _oldest(sampler: Sampler) -> Sample | None:
    samples = sampler.samples()
    return samples[0] if samples else None


def _had(before: _Sums, name: str) -> int:
    return before[name][1] if name in before else 0


def _enough(oldest: Sample | None, rss: int | None) -> int:
    """Return by how much somebody must have grown to be to blame."""
    before = None if oldest is None else oldest.gauges["rss"]
    if rss is None or before is None:
        return _LEAST
    return max(_LEAST, round((rss - before) / _SHARE))


def _since(oldest: Sample | None, now: Seconds) -> Seconds:
    at = None if oldest is None else oldest.gauges["at"]
    return Seconds(0.0 if at is None else now - at)
