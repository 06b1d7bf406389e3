"""Who is on in numbers, what runs here and what bounds it: ``/status.json``.

For pages of an operator's own, and for people with a browser. No names, no addresses
and no secrets: whoever reaches the port may read it.
"""

import platform
from collections.abc import Callable, Mapping
from typing import Any

from typing_extensions import override

from rum_twisted import __version__
from rum_twisted.admin.http import Answer, Asked, json_answer
from rum_twisted.admin.readiness import Readiness
from rum_twisted.terms.units import Seconds
from twisted import __version__ as twisted_version

__all__ = ["Status"]

Telling = Callable[[], Mapping[str, Any]]
"""Tells facts that JSON can hold; in any thread, at any time."""


class Status:
    """The facts of a process.

    Args:
        readiness: tells whether it takes new work.
        now: tells the seconds since the epoch.
        roles: of this process.
    """

    def __init__(
        self, readiness: Readiness, now: Callable[[], Seconds], roles: tuple[str, ...]
    ) -> None:
        self._readiness = readiness
        self._now = now
        self._roles = roles
        self._begun = now()
        self._parts: dict[str, Telling] = {}

    @override
    def __repr__(self) -> str:
        return f"<Status of {', '.join(self._roles)}>"

    def add(self, name: str, telling: Telling) -> None:
        """Tell of a part too, from now on."""
        self._parts[name] = telling

    def page(self, query: Asked) -> Answer:
        """Return all facts."""
        reasons = self._readiness.reasons()
        return json_answer(
            {
                "version": __version__,
                "python": platform.python_version(),
                "twisted": twisted_version,
                "roles": list(self._roles),
                "started": round(self._begun, 3),
                "up_s": round(self._now() - self._begun, 1),
                "ready": not reasons,
                "reasons": reasons,
                **{name: telling() for name, telling in tuple(self._parts.items())},
            }
        )
