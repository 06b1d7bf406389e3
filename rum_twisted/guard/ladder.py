"""Steps that are climbed as something grows, and left with delay as it shrinks.

No clock, no reactor: the time is an argument. Between going up and going down lies a
gap, so that nothing is begun and ended again every second.
"""

from collections.abc import Sequence

from typing_extensions import override

from rum_twisted.terms.units import Seconds

__all__ = ["Ladder"]


class Ladder:
    """Some steps.

    Args:
        bounds: from where on each step counts, in ascending order.
        leave_below: so far below its bound a step is left.
        calm: for how long the value has to be that low; each step down takes as long
            again.
        patience: for each step, how many values in a row have to be beyond its bound
            until it counts.

    Invariant: the level is the number of steps that count, from the lowest on.
    """

    def __init__(
        self,
        bounds: Sequence[float],
        *,
        leave_below: float,
        calm: Seconds,
        patience: Sequence[int],
    ) -> None:
        self._bounds = tuple(bounds)
        self._leave_below = leave_below
        self._calm = calm
        self._last: list[float] = []  # values
        self._patience = tuple(patience)
        self._low_since: float | None = None  # None: not low enough to go down
        self.level = 0

    @override
    def __repr__(self) -> str:
        return f"<Ladder: step {self.level} of {len(self._bounds)}>"

    def step(self, value: float, now: float) -> int:
        """Take a value, and return the level that counts now.

        Args:
            value: on the scale of the bounds; to be called about once a second.
            now: seconds on any scale that does not go back.
        """
        self._last = [*self._last, value][-max(self._patience) :]
        reached = self._reached()
        if reached > self.level:
            self.level = reached
            self._low_since = None
        else:
            self._go_down(value, now)
        return self.level

    def _reached(self) -> int:
        """Return the level that the last values are enough for."""
        last = self._last
        return max(
            (
                number
                for number, (bound, patience) in enumerate(
                    zip(self._bounds, self._patience, strict=True), start=1
                )
                if len(last) >= patience and min(last[-patience:]) >= bound
            ),
            default=0,
        )

    def _go_down(self, value: float, now: float) -> None:
        if self.level == 0:
            return
        if value >= self._bounds[self.level - 1] - self._leave_below:
            self._low_since = None
        elif self._low_since is None:
            self._low_since = now
        elif now - self._low_since >= self._calm:
            self.level -= 1
            self._low_since = now
