"""A logbook that lasts as long as the process: for trials, and for tests."""

from collections import deque
from typing import Final

from typing_extensions import override
from zope.interface import implementer

from rum_twisted.session.interfaces import ILogbook, StaffAct
from rum_twisted.world.client import Client

__all__ = ["MemoryLogbook"]

_LONGEST: Final = 1000  # entries of each kind; the oldest are forgotten first


@implementer(ILogbook)
class MemoryLogbook:
    """Keeps the last thousand visits and acts; see `ILogbook`.

    Invariant: ``online`` holds exactly those who came and have not left.
    """

    def __init__(self) -> None:
        self.online: dict[Client, str] = {}  # with the address each came from
        self.visits: deque[tuple[Client, str]] = deque(maxlen=_LONGEST)  # that ended
        self.acts: deque[StaffAct] = deque(maxlen=_LONGEST)

    @override
    def __repr__(self) -> str:
        return f"<MemoryLogbook: {len(self.online)} on, {len(self.visits)} visits>"

    def logged_on(self, client: Client, address: str) -> None:
        """Note that a client came."""
        self.online[client] = address

    def logged_off(self, client: Client) -> None:
        """Note that he left; a client who never came was never noted."""
        self.visits.append((client, self.online.pop(client)))

    def acted(self, act: StaffAct) -> None:
        """Note what was done."""
        self.acts.append(act)
