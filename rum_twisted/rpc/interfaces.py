"""What calls to other processes need to be told: who plays a service."""

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from zope.interface import Interface

from rum_twisted.terms.instance import Instance
from rum_twisted.terms.rule import Posted, Rule

__all__ = ["PLUGIN", "IInstances", "IRules", "IWatch"]

PLUGIN: Final = "plugin"
"""The role that is not called but talked with, as instances announce it."""


class IWatch(Interface):
    """Somebody who is told of changes until he says that it is enough."""

    def stop() -> None:
        """Tell no more; stopping twice does no harm."""


class IInstances(Interface):
    """Knows the instances of services, now and as they change."""

    def instances(service: str) -> tuple[Instance, ...]:
        """Return the instances of a service that are known now; never waits.

        Args:
            service: its name, e.g. ``passport``.

        Returns:
            one for each name, whatever its state; empty if none is known.
        """

    def watch(service: str, changed: Callable[[tuple[Instance, ...]], None]) -> IWatch:
        """Ask to be told whenever the instances of a service are others.

        Args:
            service: its name.
            changed: called with all that there are then. It is not called during
                this call: `instances` tells how things are now. It must not raise.
        """


class IRules(Interface):
    """Knows the traffic rules of services, now and as they change."""

    def rules() -> tuple[Posted, ...]:
        """Return the rules that are known now; never waits."""

    def watch_rules(changed: Callable[[tuple[Posted, ...]], None]) -> IWatch:
        """Ask to be told whenever the rules are others.

        Args:
            changed: called with all that there are then, before anybody is told of
                instances that came with them. It must not raise.
        """

    def post(service: str, rule: Rule | None, revision: int) -> Deferred[bool]:
        """Write a rule if the one that was read with ``revision`` still stands.

        Returns:
            a Deferred that fires with whether it was written; of several who write,
            for exactly one it was. It fails where rules cannot be written now.
        """
