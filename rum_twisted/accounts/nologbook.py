"""No logbook: what a server without a database writes down about its clients."""

from typing_extensions import override
from zope.interface import implementer

from rum_twisted.session.interfaces import ILogbook, StaffAct
from rum_twisted.world.client import Client

__all__ = ["NoLogbook"]


@implementer(ILogbook)
class NoLogbook:
    """Forgets everything at once; see `ILogbook`."""

    @override
    def __repr__(self) -> str:
        return "<NoLogbook>"

    def logged_on(self, client: Client, address: str) -> None:
        """Note nothing."""

    def logged_off(self, client: Client) -> None:
        """Note nothing."""

    def acted(self, act: StaffAct) -> None:
        """Note nothing."""
