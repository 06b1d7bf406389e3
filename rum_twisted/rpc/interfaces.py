"""What calls to other processes need to be told: who plays a service."""

from collections.abc import Callable

from zope.interface import Interface

from rum_twisted.terms.instance import Instance

__all__ = ["IInstances", "IWatch"]


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
