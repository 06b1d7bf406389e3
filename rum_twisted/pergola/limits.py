"""The bounds of one connection, and what is counted against them.

Source: docs/protocol.md, "Timers" and "Limits".
"""

from dataclasses import dataclass
from typing import Final

from rum_twisted.terms.units import Seconds

__all__ = ["Limits", "Traffic"]

_SMOOTHING: Final = 300.0  # s; a sample of n seconds weighs n/300
_SAMPLE: Final = 3.0  # s between two samples of the input rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one connection may cost; see etc/rum.toml.example for the reasons."""

    max_line: int  # bytes, line end included
    idle_timeout: Seconds
    login_timeout: Seconds
    flood_limit: int  # bytes/s, smoothed over minutes
    outbox_bytes: int
    send_buffer: int  # bytes, of the kernel
    stall_timeout: Seconds


class Traffic:
    """What a client has sent, and how fast.

    The rate is smoothed as the classic server did it: only a flood that goes on
    counts, not a burst after a logon.
    """

    __slots__ = (
        "_rate",
        "_received",
        "_sampled_at",
        "begun_at",
        "last_line_at",
        "read_at",
    )

    def __init__(self, now: float) -> None:
        self.begun_at = now  # by the clock, as all times here
        self.last_line_at = now  # any complete line counts
        self.read_at = now  # when the input came that is handled
        self._sampled_at = now
        self._received = 0
        self._rate = 0.0

    def count(self, size: int) -> None:
        """Note that ``size`` bytes came in."""
        self._received += size

    def is_flooding(self, now: float, limit: int) -> bool:
        """Tell whether the smoothed rate is above ``limit`` bytes/s."""
        elapsed = now - self._sampled_at
        if elapsed >= _SAMPLE:
            weight = min(elapsed / _SMOOTHING, 1.0)
            sample = self._received / elapsed
            self._rate += (sample - self._rate) * weight
            self._received = 0
            self._sampled_at = now
        return self._rate > limit
