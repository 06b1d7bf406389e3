"""What stands between a server, the host of the plugins, and a plugin."""

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from rum_twisted.session.hooks import Act, Ask, Subscription, Verdict

__all__ = ["IFront", "IGuest", "ILink", "IPlugin"]


class IPlugin(Interface):
    """A plugin in Python.

    For each `Hook` in its manifest it has a method of the hook's value: ``logged_on``,
    ``command`` and so on, which takes the event. A plain method is run in a thread of
    the plugin's own and may wait; an ``async def`` is run by the reactor and must not.
    The events of one plugin are handled one after the other.

    Questions (``logging_on``, ``line``) are answered with a `Verdict`, or with ``None``
    for `GO_ON`. What other methods return counts for nothing.
    """

    manifest = Attribute("Its `Manifest`; the class has it already.")

    def __call__(rum: Any, settings: Mapping[str, Any]) -> Any:
        """Return the plugin; the class itself is called with this.

        Args:
            rum: its `PluginContext`, for all that it may do.
            settings: one for each of its options, and ``may_kick``.
        """


class IFront(Interface):
    """A server, as the host of plugins sees it."""

    def subscribe(subscription: Subscription) -> None:
        """From now on, build these events and no others."""

    def answer(number: int, verdict: Verdict) -> None:
        """Take the answer to a question; one that comes too late is nothing."""

    def act(act: Act) -> None:
        """Do something to a client; nothing if he is not on."""

    def find_metar(station: str) -> Deferred[str | None]:
        """Look a station's report up.

        Returns:
            a Deferred that fires with the report, or ``None`` if there is none or it
            cannot be asked for. It never fails, and fires within a bounded time.
        """


class ILink(Interface):
    """The host of plugins, as a server sees it."""

    def take(events: Sequence[Ask]) -> Deferred[None]:
        """Take events, in their order.

        Returns:
            a Deferred that fires when more may be given. It fails if the host is gone.
        """

    def part() -> None:
        """Give no more: another host has the server, and its clients are not gone.

        What was asked is still answered, and acts are still done.
        """

    def close() -> None:
        """Give no more; closing twice does no harm."""


class IGuest(Interface):
    """A plugin, wherever it runs, as its guard sees it."""

    def start(guard: Any) -> None:
        """Begin to take events out of the guard's inbox, and answer to the guard."""

    def wake() -> None:
        """Note that there is something in the inbox."""

    def busy_since() -> float | None:
        """Tell since when it has been at what it took last; ``None``: at nothing."""

    def stop() -> Deferred[None]:
        """End; fires when it has, or after a bounded time."""
