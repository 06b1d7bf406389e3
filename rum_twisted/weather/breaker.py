"""Leaves a failing source alone for a while, longer each time, then tries it again.

::

    CLOSED ──many failures in a row──▶ OPEN ──pause is over──▶ one trial
      ▲                                 ▲                        │   │
      └──────────── it answers ─────────┼────────────────────────┘   │
                                        └──── it fails: longer ──────┘

Time comes in, so that this is a plain value machine without timers.
"""

from collections.abc import Callable
from typing import Final

from typing_extensions import override

from rum_twisted.terms.units import Seconds

__all__ = ["FIRST_PAUSE", "Breaker"]

FIRST_PAUSE: Final = Seconds(10.0)
_SPREAD: Final = 0.25  # of a pause; many servers must not come back at one moment


class Breaker:
    """Tells whether a source may be asked.

    Invariant: while a pause lasts nobody may ask; when it is over, one at a time.

    Args:
        failures: how many in a row begin a pause.
        longest: no pause is longer.
        random: gives a number from 0 to 1 (1 excluded), to spread the pauses.
    """

    def __init__(
        self, *, failures: int, longest: Seconds, random: Callable[[], float]
    ) -> None:
        self._bound = failures
        self._longest = longest
        self._random = random
        self._pauses = 0  # without an answer between them
        self._tried_at: Seconds | None = None  # the trial that is under way
        self.failures = 0  # in a row
        self.paused_until: Seconds | None = None

    @override
    def __repr__(self) -> str:
        state = "closed" if self.paused_until is None else "open"
        return f"<Breaker {state}: {self.failures} failures in a row>"

    def admits(self, now: Seconds) -> bool:
        """Tell whether the source may be asked now.

        Whoever is told so after a pause makes the trial: he calls `succeed`,
        `fail` or `give_up` in the end.
        """
        if self.paused_until is None:
            return True
        if now < self.paused_until or self._tried_at is not None:
            return False
        self._tried_at = now
        return True

    def succeed(self) -> bool:
        """Take note of an answer; return whether the source was paused before."""
        was_paused = self.paused_until is not None
        self.failures = self._pauses = 0
        self.paused_until = self._tried_at = None
        return was_paused

    def fail(self, now: Seconds) -> Seconds | None:
        """Take note of a failure; return how long a pause it begins, if it does.

        Requests that were under way when the pause began make it no longer.
        """
        self.failures += 1
        is_trial = self._tried_at is not None
        self._tried_at = None
        if self.failures < self._bound:
            return None
        if self.paused_until is not None and not is_trial:
            return None
        doubled = FIRST_PAUSE * 2 ** min(self._pauses, 32)
        pause = min(doubled, self._longest) * (1 - _SPREAD * self._random())
        self._pauses += 1
        self.paused_until = Seconds(now + pause)
        return Seconds(pause)

    def give_up(self) -> None:
        """Take note that a request was given up before its outcome was known."""
        self._tried_at = None
