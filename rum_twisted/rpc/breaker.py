"""The circuit breaker: an instance that fails is left alone for a while.

::

    CLOSED ──too many failures──▶ OPEN ──its pause is over──▶ one call is let through
      ▲                            ▲                            │            │
      │                            └──failed: a longer pause────┘            │
      └──────────────────────────────answered────────────────────────────────┘

Calls given up by whoever made them say nothing about an instance, and do not count.
"""

from enum import Enum
from random import Random
from typing import Final

from typing_extensions import override

from rum_twisted.terms.units import Seconds

__all__ = ["Breaker", "BreakerState"]

FAILURES_IN_A_ROW: Final = 3
WINDOW: Final = Seconds(10.0)
FEWEST_CALLS: Final = 20  # in a window, before a share of failures tells anything
FAILING_SHARE: Final = 0.5
FIRST_PAUSE: Final = Seconds(0.5)
LONGEST_PAUSE: Final = Seconds(8.0)  # so long an instance may be back, and idle
_JITTER: Final = 0.25  # of a pause, either way: callers shall not come back as one


class BreakerState(Enum):
    """Whether an instance is asked."""

    CLOSED = "closed"  # yes
    OPEN = "open"  # no
    PROBING = "probing"  # one call is under way that will tell


class Breaker:
    """Decides whether one instance is asked.

    Args:
        random: spreads the pauses.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self.state = BreakerState.CLOSED
        self.opened = 0  # how often it has opened
        self._in_a_row = 0
        self._calls = 0  # answered or failed, since the window began
        self._failures = 0  # of these
        self._window_ends = Seconds(0.0)
        self._pause = FIRST_PAUSE
        self._opened_at = Seconds(0.0)
        self._probe_at = Seconds(0.0)

    @override
    def __repr__(self) -> str:
        return f"<Breaker {self.state.value}: opened {self.opened} times>"

    def admits(self, now: Seconds) -> bool:
        """Tell whether the instance may be asked; one that may be need not be."""
        if self.state is BreakerState.CLOSED:
            return True
        # Before it opened: the clock was put back, perhaps by an hour.
        is_due = now >= self._probe_at or now < self._opened_at
        return self.state is BreakerState.OPEN and is_due

    def begin(self) -> None:
        """Note that the instance is asked; `admits` has told that it may be."""
        if self.state is BreakerState.OPEN:
            self.state = BreakerState.PROBING

    def succeed(self) -> bool:
        """Note that the instance has answered; tell whether that closes the breaker."""
        self._calls += 1
        self._in_a_row = 0
        if self.state is BreakerState.CLOSED:
            return False
        self._close()
        return True

    def give_up(self) -> None:
        """Note that the caller did not wait for the answer."""
        if self.state is BreakerState.PROBING:
            self.state = BreakerState.OPEN  # the next call is let through instead

    def fail(self, now: Seconds) -> bool:
        """Note that the instance has failed; tell whether that opens the breaker.

        Failures of calls that began before it opened do not make the pause longer.
        """
        if self.state is BreakerState.OPEN:
            return False
        if self.state is BreakerState.PROBING:
            self._pause = Seconds(min(self._pause * 2, LONGEST_PAUSE))
            self._open(now)
            return True
        if now >= self._window_ends:
            self._window_ends = Seconds(now + WINDOW)
            self._calls = self._failures = 0
        self._calls += 1
        self._failures += 1
        self._in_a_row += 1
        is_failing = (
            self._calls >= FEWEST_CALLS
            and self._failures >= self._calls * FAILING_SHARE
        )
        if self._in_a_row < FAILURES_IN_A_ROW and not is_failing:
            return False
        self._open(now)
        return True

    def _open(self, now: Seconds) -> None:
        self.state = BreakerState.OPEN
        self.opened += 1
        self._opened_at = now
        jitter = 1 + self._random.uniform(-_JITTER, _JITTER)
        self._probe_at = Seconds(now + self._pause * jitter)

    def _close(self) -> None:
        self.state = BreakerState.CLOSED
        self._pause = FIRST_PAUSE
        self._in_a_row = self._calls = self._failures = 0
        self._window_ends = Seconds(0.0)
