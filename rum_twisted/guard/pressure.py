"""How near the limits are, once a second, from the sampler's pulse."""

from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from rum_twisted.admin.sampler import Pulse
from rum_twisted.terms.units import Seconds

__all__ = ["Memory", "Pressure"]

_PERCENT: Final = 100.0
_MAIN: Final = 2  # a group's main user has at least one part in so many of its use
_STILL_MAIN: Final = 3  # who has been it stays it down to this


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is used, and what may be."""

    used: int  # bytes
    limit: int
    base: int  # what was used at the start
    percent: float  # of the limit; or, if the start took much of it, of what was left
    is_group: bool  # the control group's, not this process's own

    @property
    def is_hopeless(self) -> bool:
        """Whether the start alone took more than there may be."""
        return self.base >= self.limit


class Pressure:
    """Compares what is used with the limits.

    The control group's use counts where this process is its main user; what others
    use could not be given back by anybody here. Where the start alone took more than
    the lowest bound, percents are of the room that was left above it: otherwise the
    lowest steps would count for ever, and the highest soon.

    Args:
        limit: of this process's own memory, bytes; 0: none.
        lowest: the lowest bound, percent.
    """

    def __init__(self, *, limit: int, lowest: float) -> None:
        self._limit = limit
        self._lowest = lowest
        self._base: dict[bool, int] = {}  # at the start: the group's, our own
        self._before: Pulse | None = None
        self._is_main = False
        self.others_at: float | None = None  # percent: the group is full of others

    @override
    def __repr__(self) -> str:
        return f"<Pressure on {self._limit} bytes>"

    def memory(self, pulse: Pulse) -> Memory | None:
        """Return the limit that is nearest; ``None``: there is none, or no figure."""
        found = []
        self.others_at = None
        if pulse.rss is not None and self._limit:
            found.append(self._compare(pulse.rss, self._limit, is_group=False))
        if pulse.used is not None:
            # Now, and not when we become its main user, which may be by a leak, or
            # when somebody sets a limit.
            self._base.setdefault(True, pulse.used)
        if pulse.used is not None and pulse.limit:
            if self._is_main_user(pulse.rss, pulse.used):
                found.append(self._compare(pulse.used, pulse.limit, is_group=True))
            else:
                self.others_at = pulse.used / pulse.limit * _PERCENT
        return max(found, key=lambda each: each.percent, default=None)

    def throttled(self, pulse: Pulse) -> float:
        """Return for how much of the time since the last pulse we stood still, %."""
        before, self._before = self._before, pulse
        if before is None or pulse.at <= before.at:
            return 0.0
        stood = Seconds(pulse.throttled_s - before.throttled_s)
        # Many threads may stand still at the same time, and are counted one by one.
        return min(max(stood / (pulse.at - before.at), 0.0), 1.0) * _PERCENT

    def _is_main_user(self, rss: int | None, used: int) -> bool:
        """Tell whether most of the group's use is ours; who is stays it for longer."""
        parts = _STILL_MAIN if self._is_main else _MAIN
        self._is_main = rss is None or rss * parts >= used
        return self._is_main

    def _compare(self, used: int, limit: int, *, is_group: bool) -> Memory:
        base = self._base.setdefault(is_group, used)
        percent = used / limit * _PERCENT
        if base >= limit:
            percent = 0.0  # nothing that can be done would help
        elif base * _PERCENT >= self._lowest * limit:
            percent = max(0.0, (used - base) / (limit - base)) * _PERCENT
        return Memory(
            used=used, limit=limit, base=base, percent=percent, is_group=is_group
        )
