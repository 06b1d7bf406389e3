"""The phases of a connection, and the one table of how they follow each other.

::

    CONNECTED ──logon packet──▶ AUTHENTICATING ──proved──▶ LOGGED_ON
        │                            │                        │
        └──────────refused───────────┴────────gone────────────┴──▶ CLOSED

``CLOSED`` is decided by the session and not by the socket: whatever else arrives
in the same segment as a logoff, or behind a refused logon, is not handled. While a
session is ``AUTHENTICATING``, what it gets is held back by the connection, in
order, and handled once it is known who speaks.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

__all__ = ["TRANSITIONS", "Phase"]


class Phase(Enum):
    """Where a conversation stands."""

    CONNECTED = "connected"
    AUTHENTICATING = "authenticating"
    LOGGED_ON = "logged on"
    CLOSED = "closed"


TRANSITIONS: Final[Mapping[Phase, frozenset[Phase]]] = {
    Phase.CONNECTED: frozenset({Phase.AUTHENTICATING, Phase.CLOSED}),
    Phase.AUTHENTICATING: frozenset({Phase.LOGGED_ON, Phase.CLOSED}),
    Phase.LOGGED_ON: frozenset({Phase.CLOSED}),
    Phase.CLOSED: frozenset(),
}
"""Which phase may follow which."""
