"""Whether this process can take new work: what ``/health/ready`` tells.

Alive and ready are two things. A process that is not alive had better be started anew;
one that is not ready only wants no new clients for now.
"""

from collections.abc import Callable
from typing import Final

from typing_extensions import override

from rum_twisted.admin.http import Answer, Asked, json_answer
from rum_twisted.admin.lag import LagWatch
from rum_twisted.terms.metric import Family
from rum_twisted.terms.readiness import Needed
from rum_twisted.terms.units import Seconds

__all__ = ["Readiness"]

LATE: Final = Seconds(1.0)  # a reactor that is so late takes no new work
_SERVICE_UNAVAILABLE: Final = 503
_OK: Final = 200


class Readiness:
    """Asks all parts that the process needs.

    Args:
        lag: tells whether the reactor goes round.

    Invariant: it is ready only between `begin` and `drain`.
    """

    def __init__(self, lag: LagWatch) -> None:
        self._lag = lag
        self._needed: dict[str, Callable[[], str]] = {}
        self._state = "starting"

    @override
    def __repr__(self) -> str:
        return f"<Readiness: {self._state}, {len(self._needed)} parts>"

    def need(self, name: str, part: Needed) -> None:
        """Ask a part too, from now on."""
        self._needed[name] = part.unready

    def begin(self) -> None:
        """All services have been started."""
        self._state = "started"

    def drain(self) -> None:
        """The process is about to end, before anything of it does."""
        self._state = "draining"

    def reasons(self) -> dict[str, str]:
        """Return what stands in the way, by part; for any thread."""
        if self._state != "started":
            return {"process": self._state}
        found = {}
        if not self._lag.is_watching:
            found["reactor"] = "has not begun"
        elif self._lag.overdue >= LATE:
            found["reactor"] = f"stands still for {self._lag.overdue:.1f} s"
        for name, unready in tuple(self._needed.items()):
            try:
                reason = unready()
            except Exception as error:  # noqa: BLE001 - one may not hide the others
                reason = f"cannot be asked ({type(error).__name__})"
            if reason:
                found[name] = reason
        return found

    def page(self, query: Asked) -> Answer:
        """Tell whether it is ready, and else why not."""
        reasons = self.reasons()
        status = "not ready" if reasons else "ready"
        if self._state != "started":
            status = self._state
        facts = {"status": status, "reasons": reasons}
        return json_answer(facts, _SERVICE_UNAVAILABLE if reasons else _OK)

    def family(self) -> Family:
        """Return the same for programs that watch."""
        text = "1 while the process can take new work, as /health/ready says."
        return Family.single("rum_ready", "gauge", text, float(not self.reasons()))
