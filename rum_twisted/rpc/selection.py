"""Which of several instances is asked: one class for each `SelectMode`.

A selector is told the members when they change, and then picks one of those that may
be asked just now, in the order of the members. It keeps nothing about calls: how
busy an instance is stands in its `Load`.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from math import exp2
from random import Random
from typing import Any, Final, Protocol, TypeVar

from typing_extensions import override

from rum_twisted.rpc.options import SelectMode
from rum_twisted.terms.instance import Instance
from rum_twisted.terms.units import Seconds

__all__ = [
    "Candidate",
    "Closest",
    "ConsistentHash",
    "Load",
    "PowerOfTwoChoices",
    "RandomSelect",
    "RoundRobin",
    "Selector",
    "WeightedRoundRobin",
    "make_selector",
]

HALF_LIFE: Final = 5.0  # seconds; what was measured counts half after that time
PENALTY: Final = 1.0  # seconds; a quick failure shall not look like a quick answer
UNMEASURED: Final = 0.001  # seconds; so an unknown instance is tried soon
_NEWEST_SHARE: Final = 0.3  # of the newest measurement in the average, if it is lower
POINTS_PER_WEIGHT: Final = 0.4  # 40 points on the ring for an instance of weight 100
_MOST_POINTS: Final = 400
_POINT_BYTES: Final = 8


class Load:
    """How busy an instance is: calls under way, and how long they take.

    A measurement that is longer than the average replaces it at once, a shorter one
    moves it; and with time it fades, so that a slow instance is tried again.
    """

    __slots__ = ("_latency", "_measured_at", "in_flight")

    def __init__(self) -> None:
        self.in_flight = 0
        self._latency = UNMEASURED
        self._measured_at = 0.0

    @override
    def __repr__(self) -> str:
        return f"<Load: {self.in_flight} under way, {self._latency:.4f} s>"

    def measure(self, seconds: float, now: Seconds) -> None:
        """Take up how long a call has taken."""
        latency = self.latency(now)
        if seconds < latency:
            seconds = latency + (seconds - latency) * _NEWEST_SHARE
        self._latency = seconds
        self._measured_at = now

    def latency(self, now: Seconds) -> float:
        """Return how long a call is expected to take, in seconds."""
        age = now - self._measured_at
        if age <= 0:
            self._measured_at = now  # the clock may have been put back by an hour
            return self._latency
        return self._latency * exp2(-age / HALF_LIFE)

    def score(self, now: Seconds, weight: int) -> float:
        """Return how little should be added: the lower, the better."""
        return (self.latency(now) + UNMEASURED) * (self.in_flight + 1) / weight


class Candidate(Protocol):
    """An instance, as seen by who selects."""

    @property
    def instance(self) -> Instance:
        """Who it is."""

    @property
    def load(self) -> Load:
        """How busy it is."""


C = TypeVar("C", bound=Candidate)


class Selector(Protocol):
    """A way to select."""

    def change(self, members: Sequence[Candidate]) -> None:
        """Take note of who there is; nobody twice."""

    def select(self, able: Sequence[C], key: str, now: Seconds) -> C:
        """Pick one.

        Args:
            able: those of the members who may be asked; never empty.
            key: what is asked for, where that is to decide.
            now: on the clock of the load's measurements.
        """


class RandomSelect:
    """Any of them, each as often as the others."""

    def __init__(self, random: Random) -> None:
        self._random = random.random

    def change(self, members: Sequence[Candidate]) -> None:
        """Take note of who there is, which does not matter here."""

    def select(self, able: Sequence[C], key: str, now: Seconds) -> C:
        """Pick one; see `Selector`."""
        return able[int(self._random() * len(able))]


class RoundRobin:
    """One after the other."""

    def __init__(self) -> None:
        self._turn = -1

    def change(self, members: Sequence[Candidate]) -> None:
        """Take note of who there is, which does not matter here."""

    def select(self, able: Sequence[C], key: str, now: Seconds) -> C:
        """Pick one; see `Selector`."""
        self._turn = (self._turn + 1) % len(able)
        return able[self._turn]


class WeightedRoundRobin:
    """In turn, each as often as it weighs, and those turns spread evenly.

    Each time, everybody's credit grows by his weight; whoever has most is picked and
    pays the sum of the weights. Source: nginx's "smooth weighted round robin".
    """

    def __init__(self) -> None:
        self._credit: dict[str, int] = {}

    def change(self, members: Sequence[Candidate]) -> None:
        """Keep the credit of those who stay."""
        names = [member.instance.name for member in members]
        self._credit = {name: self._credit.get(name, 0) for name in names}

    def select(self, able: Sequence[C], key: str, now: Seconds) -> C:
        """Pick one; see `Selector`."""
        credit = self._credit
        total = 0
        best = able[0]
        most: int | None = None
        for each in able:
            instance = each.instance
            total += instance.weight
            has = credit[instance.name] = credit[instance.name] + instance.weight
            if most is None or has > most:
                best, most = each, has
        credit[best.instance.name] -= total
        return best


class PowerOfTwoChoices:
    """Of two at random, the one with less to do.

    Nearly as even as asking whoever has the least to do; but callers who know only
    their own calls do not all run to the same instance.
    """

    def __init__(self, random: Random) -> None:
        self._random = random.random

    def change(self, members: Sequence[Candidate]) -> None:
        """Take note of who there is, which does not matter here."""

    def select(self, able: Sequence[C], key: str, now: Seconds) -> C:
        """Pick one; see `Selector`."""
        count = len(able)
        if count == 1:
            return able[0]
        one = int(self._random() * count)
        other = int(self._random() * (count - 1))
        if other >= one:
            other += 1
        a, b = able[one], able[other]
        score = a.load.score(now, a.instance.weight)
        return a if score <= b.load.score(now, b.instance.weight) else b


class ConsistentHash:
    """The same one for the same key, as long as it may be asked.

    Each instance stands at many points of a ring, at more if it weighs more; a key
    belongs to the next point behind its own. So when an instance goes, only its own
    keys move. No key is a key as well: all such calls go to the same one.
    """

    def __init__(self) -> None:
        self._points: list[int] = []
        self._names: list[str] = []  # whose the point at the same place is
        self._able: Sequence[Any] = ()  # as given last, so by name:
        self._by_name: dict[str, Any] = {}

    def change(self, members: Sequence[Candidate]) -> None:
        """Build the ring anew."""
        ring = sorted(
            (_point(f"{member.instance.name}#{number}"), member.instance.name)
            for member in members
            for number in range(_points_of(member.instance.weight))
        )
        self._points = [point for point, _ in ring]
        self._names = [name for _, name in ring]

    def select(self, able: Sequence[C], key: str, now: Seconds) -> C:
        """Pick one; see `Selector`."""
        if able is not self._able:
            self._able = able
            self._by_name = {each.instance.name: each for each in able}
        names, by_name = self._names, self._by_name
        start = bisect_left(self._points, _point(key))
        for place in range(start, start + len(names)):
            found: C | None = by_name.get(names[place % len(names)])
            if found is not None:
                return found
        return able[0]


class Closest:
    """Of those in our own zone; where none of these may be asked, of all.

    Args:
        zone: where we are.
        random: for `PowerOfTwoChoices` among them.
    """

    def __init__(self, zone: str, random: Random) -> None:
        self._zone = zone
        self._among = PowerOfTwoChoices(random)

    def change(self, members: Sequence[Candidate]) -> None:
        """Take note of who there is, which does not matter here."""

    def select(self, able: Sequence[C], key: str, now: Seconds) -> C:
        """Pick one; see `Selector`."""
        near = [each for each in able if each.instance.zone == self._zone]
        return self._among.select(near or able, key, now)


def make_selector(mode: SelectMode, zone: str, random: Random) -> Selector:
    """Return a selector.

    Args:
        mode: how it selects.
        zone: where we are.
        random: where there is something to choose at random.
    """
    makers: Mapping[SelectMode, Callable[[], Any]] = {
        SelectMode.RANDOM: lambda: RandomSelect(random),
        SelectMode.ROUND_ROBIN: RoundRobin,
        SelectMode.WEIGHTED_ROUND_ROBIN: WeightedRoundRobin,
        SelectMode.P2C: lambda: PowerOfTwoChoices(random),
        SelectMode.CONSISTENT_HASH: ConsistentHash,
        SelectMode.CLOSEST: lambda: Closest(zone, random),
    }
    selector: Selector = makers[mode]()
    return selector


def _points_of(weight: int) -> int:
    return max(1, min(int(weight * POINTS_PER_WEIGHT), _MOST_POINTS))


def _point(text: str) -> int:
    """Return where on the ring a text lies: the same in every process."""
    digest = blake2b(text.encode("utf-8", "replace"), digest_size=_POINT_BYTES)
    return int.from_bytes(digest.digest(), "big")
