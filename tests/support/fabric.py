"""Who plays a service, as a test names and changes it."""

from collections.abc import Callable
from random import Random
from typing import Any

from typing_extensions import override
from zope.interface import implementer

from rum_twisted.rpc.interfaces import IInstances, IWatch
from rum_twisted.terms.instance import Instance
from rum_twisted.terms.units import Seconds

__all__ = ["ListedInstances", "chance", "make_instance"]

Changed = Callable[[tuple[Instance, ...]], None]


def chance(seed: int = 1) -> Random:
    """Return chances that are the same each time."""
    return Random(seed)  # noqa: S311 - nothing here is secret


def make_instance(
    name: str = "a", address: str = "127.0.0.1:7001", **fields: Any
) -> Instance:
    """Return an instance of ``weather``, most of it as it usually is."""
    usual = {
        "service": "weather",
        "version": "4.0.0",
        "started": Seconds(1_790_000_000.0),
    }
    return Instance(name=name, address=address, **{**usual, **fields})


@implementer(IWatch)
class _Watch:
    def __init__(self, watches: list["_Watch"], service: str, changed: Changed) -> None:
        self._watches = watches
        self.service = service
        self.changed = changed
        watches.append(self)

    def stop(self) -> None:
        """Tell no more; see `IWatch`."""
        if self in self._watches:
            self._watches.remove(self)


@implementer(IInstances)
class ListedInstances:
    """The instances that it was told of last."""

    def __init__(self, *instances: Instance) -> None:
        self._instances = instances
        self.watches: list[_Watch] = []

    @override
    def __repr__(self) -> str:
        return f"<ListedInstances: {len(self._instances)}, {len(self.watches)} watches>"

    def instances(self, service: str) -> tuple[Instance, ...]:
        """Return the instances of a service; see `IInstances`."""
        return tuple(each for each in self._instances if each.service == service)

    def watch(self, service: str, changed: Changed) -> IWatch:
        """Ask to be told of changes; see `IInstances`."""
        return _Watch(self.watches, service, changed)

    def change(self, *instances: Instance) -> None:
        """From now on, these are all there are."""
        self._instances = instances
        for watch in list(self.watches):
            watch.changed(self.instances(watch.service))
