"""Questions that wait for an answer, on either side of the plugins."""

from collections.abc import Callable
from itertools import count
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from typing_extensions import override

from rum_twisted.session.hooks import GO_ON, Verdict
from rum_twisted.terms.units import Seconds

__all__ = ["Pending"]

FIRST: Final = 1  # 0 is what is told, and needs no answer


class Pending:
    """The questions that are asked just now, by number.

    Invariant: each is answered once, by whoever is asked or as its asker says when its
    time is over, or is withdrawn by who waits for it.

    Args:
        clock: tells when the time of one is over.
        withdrawn: called with the number when who waits wants the answer no more.
    """

    def __init__(self, clock: IReactorTime, withdrawn: Callable[[int], None]) -> None:
        self._clock = clock
        self._withdrawn = withdrawn
        self._numbers = count(FIRST)
        self._asked: dict[int, tuple[Deferred[Verdict], IDelayedCall]] = {}

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._asked)

    @override
    def __repr__(self) -> str:
        return f"<Pending: {len(self)}>"

    def add(
        self, within: Seconds, be_late: Callable[[int], None]
    ) -> tuple[int, Deferred[Verdict]]:
        """Begin to wait.

        Args:
            within: the time for an answer.
            be_late: called with the number when that is over; settles it.

        Returns:
            the question's number, and what its answer will come by.
        """
        number = next(self._numbers)
        answer: Deferred[Verdict] = Deferred(lambda _: self._withdraw(number))
        late = self._clock.callLater(within, be_late, number)
        self._asked[number] = (answer, late)
        return number, answer

    def settle(self, number: int, verdict: Verdict = GO_ON) -> bool:
        """Answer one; tell whether it still waited."""
        asked = self._asked.pop(number, None)
        if asked is None:
            return False
        answer, late = asked
        if late.active():
            late.cancel()
        answer.callback(verdict)
        return True

    def settle_all(self, verdict: Verdict = GO_ON) -> None:
        """Let everybody who waits now go on."""
        for number in list(self._asked):
            self.settle(number, verdict)

    def _withdraw(self, number: int) -> None:
        asked = self._asked.pop(number, None)
        if asked is not None:
            if asked[1].active():
                asked[1].cancel()
            self._withdrawn(number)
