"""Whoever guesses passwords has to wait, longer each time.

Wrong passwords are counted for each CID and for each address. Some are free, as
everybody mistypes; after that each one costs a wait, 2 s at first and twice as long
each time, up to a bound. Failures are forgotten when so long a time has passed without
one; waiting is part of no such time. A logon that succeeds clears its CID. It does not
clear its address: else one good account would be a licence to try all others.

Nobody shall be able to lock a member out for ever by typing wrong passwords for him.
So an address from which he has logged on is not held up by what others do to his CID.
A store that keeps addresses tells them after a start (`rum_twisted.accounts.homes`).

Unknown CIDs are counted as known ones are; that somebody has to wait tells nothing.

Whatever strangers can fill is bounded: the oldest failures are forgotten first. Of IPv6
a subscriber has at least a /64, so that is what counts as one address.

No clock and no I/O: times come in. They may be of a wall clock: one that is set back
prolongs no wait beyond the bound.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from itertools import islice
from typing import Final

from typing_extensions import override

from rum_twisted.terms.identity import fold
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.units import Seconds

__all__ = ["Counted", "Limits", "Lockout", "Throttle", "address_key", "cid_key"]

Network = IPv4Network | IPv6Network

_FIRST_WAIT: Final = Seconds(2.0)  # nobody who mistypes minds
_LONGEST_WAIT: Final = Seconds(900.0)
_DOUBLINGS: Final = 32  # 270 years; what keeps the power of two a sensible number
_SUBSCRIBER: Final = 64  # bits of an IPv6 address that are one subscriber's
_HOMES: Final = 8  # addresses of one CID; one member shall not crowd all others out
_RECORD_COST: Final = 210  # bytes: counts, times, the key, its place in a table
_MEMBER_COST: Final = 116  # bytes: a CID with known addresses, its place in a table
_HOME_COST: Final = 80  # bytes: each of those addresses
_KEY_LENGTH: Final = 64  # signs; no store has longer CIDs, no address is longer


class Counted(Enum):
    """What failures are counted for."""

    CID = "cid"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much guessing costs."""

    free_per_cid: int = 5  # wrong passwords without a wait
    free_per_address: int = 20
    longest: Seconds = _LONGEST_WAIT  # failures are forgotten after as long
    capacity: int = 4096  # CIDs, addresses, and CIDs with known addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Lockout:
    """A CID or an address that had more than its free failures."""

    counted: Counted
    key: str  # the CID in lower case; the address, or its /64
    failures: int
    seconds: Seconds  # until the next try may come; 0: it may come now


def address_key(address: str) -> str:
    """Return what an address is counted as; empty: it is not counted.

    Example: ``2001:db8::1`` is counted as ``2001:db8::/64``, ``::ffff:192.0.2.1`` as
    ``192.0.2.1``.
    """
    parsed = _parse(address)
    match parsed:
        case IPv4Address():
            return str(parsed)
        case IPv6Address():
            return str(ip_network((int(parsed), _SUBSCRIBER), strict=False))
        case None:
            return address[:_KEY_LENGTH]


def cid_key(cid: str) -> str:
    """Return what a CID is counted as, in any case and of any length."""
    return fold(cid[:_KEY_LENGTH])


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address):
        return parsed.ipv4_mapped or parsed
    return parsed


class _Record:
    """The failures of one CID or address."""

    __slots__ = ("at", "failures", "wait")

    def __init__(self) -> None:
        self.failures = 0
        self.at = Seconds(0.0)  # the last one
        self.wait = Seconds(0.0)  # from then on


class _Counter:
    """Counts failures by key; invariant: at most ``capacity`` keys are kept."""

    def __init__(self, free: int, longest: Seconds, capacity: int) -> None:
        self._free = free
        self._longest = longest
        self._capacity = capacity
        self._records: dict[str, _Record] = {}  # the last to fail is last

    def __len__(self) -> int:
        return len(self._records)

    def wait(self, key: str, now: Seconds) -> Seconds:
        """Return how long ``key`` has to wait; 0: not at all."""
        record = self._current(key, now)
        if record is None:
            return Seconds(0.0)
        return Seconds(max(0.0, record.at + record.wait - now))

    def add(self, key: str, now: Seconds) -> bool:
        """Count a failure; tell whether it is the first beyond the free ones."""
        record = self._current(key, now) or _Record()
        self._records.pop(key, None)
        while len(self._records) >= self._capacity:
            del self._records[next(iter(self._records))]
        self._records[key] = record
        record.failures += 1
        record.at = now
        beyond = record.failures - self._free
        if beyond > 0:
            doubled = _FIRST_WAIT * 2 ** min(beyond - 1, _DOUBLINGS)
            record.wait = Seconds(min(doubled, self._longest))
        return beyond == 1

    def clear(self, key: str) -> bool:
        """Forget the failures of ``key``; tell whether there were any."""
        return self._records.pop(key, None) is not None

    def beyond(self, now: Seconds) -> list[tuple[str, int, Seconds]]:
        """Return each key that had more than its free failures, and its wait."""
        return [
            (key, record.failures, self.wait(key, now))
            for key in list(self._records)
            if (record := self._current(key, now)) and record.failures > self._free
        ]

    def _current(self, key: str, now: Seconds) -> _Record | None:
        """Return the record of ``key``, unless it is to be forgotten by now."""
        record = self._records.get(key)
        if record is None:
            return None
        record.at = min(record.at, now)  # later than now: the clock was set back
        if now - record.at >= record.wait + self._longest:
            del self._records[key]
            return None
        return record


class Throttle:
    """Counts wrong passwords, and says who has to wait.

    Args:
        limits: how many are free, and how long waits become.
        allow: networks from which failures are not counted, for any CID, and from
            which everybody may try at any time.

    Invariant: of CIDs, addresses, and CIDs with known addresses, at most
    ``limits.capacity`` each; of those addresses, at most eight for each CID.
    """

    def __init__(self, limits: Limits, allow: Iterable[Network] = ()) -> None:
        self._limits = limits
        self._allow = tuple(allow)
        longest, capacity = limits.longest, limits.capacity
        self._cids = _Counter(limits.free_per_cid, longest, capacity)
        self._addresses = _Counter(limits.free_per_address, longest, capacity)
        # Addresses by CID: of who has logged on, the last to do so last; and of who did
        # in a former run only, the last to do so first.
        self._homes: dict[str, tuple[str, ...]] = {}
        self._earlier: dict[str, tuple[str, ...]] = {}

    @override
    def __repr__(self) -> str:
        return (
            f"<Throttle: failures of {len(self._cids)} CIDs "
            f"and {len(self._addresses)} addresses>"
        )

    def wait(self, cid: str, address: str, now: Seconds) -> Seconds:
        """Return how long somebody has to wait before he may try; 0: not at all.

        Args:
            cid: as typed at logon.
            address: where he is; empty if not known.
            now: the time.
        """
        if self._is_allowed(address):
            return Seconds(0.0)
        member, place = cid_key(cid), address_key(address)
        waits = [self._addresses.wait(place, now)]
        if not place or place not in self._homes_of(member):
            waits.append(self._cids.wait(member, now))
        return max(waits)

    def fail(self, cid: str, address: str, now: Seconds) -> tuple[Counted, ...]:
        """Count a wrong password; arguments as for `wait`.

        Returns:
            what has had more than its free failures by this one, and not before.
        """
        if self._is_allowed(address):
            return ()
        member, place = cid_key(cid), address_key(address)
        crossed = []
        if member and self._cids.add(member, now):
            crossed.append(Counted.CID)
        if place and self._addresses.add(place, now):
            crossed.append(Counted.ADDRESS)
        return tuple(crossed)

    def succeed(self, cid: str, address: str) -> None:
        """Note that a member has logged on; arguments as for `wait`."""
        member, place = cid_key(cid), address_key(address)
        self._cids.clear(member)
        if not place:
            return
        known = self._homes_of(member)
        self._homes.pop(member, None)
        self._earlier.pop(member, None)
        if self._is_full:
            self._forget_oldest()
        others = (home for home in known if home != place)
        self._homes[member] = (place, *islice(others, _HOMES - 1))

    def recall(self, cid: str, address: str) -> bool:
        """Note where a member has logged on in a former run.

        To be told from the newest back; what he has done in this run counts as newer.

        Returns:
            whether there is room for members who are not known yet.
        """
        member, place = cid_key(cid), address_key(address)
        homes = self._homes if member in self._homes else self._earlier
        known = homes.get(member, ())
        has_room = bool(known) or not self._is_full
        if place and place not in known and len(known) < _HOMES and has_room:
            homes[member] = (*known, place)
        return not self._is_full

    def _homes_of(self, member: str) -> tuple[str, ...]:
        return self._homes.get(member) or self._earlier.get(member, ())

    @property
    def _is_full(self) -> bool:
        return len(self._homes) + len(self._earlier) >= self._limits.capacity

    def _forget_oldest(self) -> None:
        """Forget the homes of the member who has not logged on for longest."""
        if self._earlier:
            self._earlier.popitem()
        else:
            del self._homes[next(iter(self._homes))]

    def measures(self) -> dict[str, Callable[[], Measure]]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"throttle": self.measure}

    def measure(self) -> Measure:
        """Tell what is kept of failures, and of who is at home where."""
        counters = len(self._cids) + len(self._addresses)
        places = (*self._homes.values(), *self._earlier.values())
        members, homes = len(places), sum(map(len, places))
        return Measure(
            count=counters + members,
            bytes=counters * _RECORD_COST + members * _MEMBER_COST + homes * _HOME_COST,
            bound=3 * self._limits.capacity,
        )

    def lockouts(self, now: Seconds) -> tuple[Lockout, ...]:
        """Return all CIDs and addresses in back-off, the longest wait first."""
        found = [
            Lockout(counted=counted, key=key, failures=failures, seconds=seconds)
            for counted, counter in (
                (Counted.CID, self._cids),
                (Counted.ADDRESS, self._addresses),
            )
            for key, failures, seconds in counter.beyond(now)
        ]
        found.sort(key=lambda lockout: -lockout.seconds)
        return tuple(found)

    def lift(self, key: str) -> bool:
        """Forget the failures of a CID or an address; tell whether there were any.

        Args:
            key: the CID in any case, or an address; of IPv6 any in its /64, or that.
        """
        lifted = self._cids.clear(cid_key(key))
        place = address_key(key.removesuffix(f"/{_SUBSCRIBER}"))
        return self._addresses.clear(place) or lifted

    def _is_allowed(self, address: str) -> bool:
        parsed = _parse(address)
        return parsed is not None and any(parsed in network for network in self._allow)
