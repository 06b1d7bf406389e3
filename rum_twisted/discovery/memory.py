"""Instances of this process alone: all roles in one, and no etcd."""

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.discovery.interfaces import IRegistry, RegistryHealth, RegistryState
from rum_twisted.terms.instance import Instance

__all__ = ["MemoryRegistry"]


@implementer(IRegistry)
class MemoryRegistry:
    """What this process has registered, and what it was given; nobody else knows.

    Args:
        given: instances that are always there.
    """

    def __init__(self, given: tuple[Instance, ...] = ()) -> None:
        self._given = given
        self._ours: dict[tuple[str, str], Instance] = {}
        self._changed: Callable[[tuple[Instance, ...]], None] | None = None
        self._writes = 0
        self._registrations = 0

    @override
    def __repr__(self) -> str:
        return f"<MemoryRegistry: {len(self._ours)} of ours, {len(self._given)} given>"

    def start(self, changed: Callable[[tuple[Instance, ...]], None]) -> None:
        """Begin; see `IRegistry`."""
        self._changed = changed
        if self._ours:
            self._registrations += 1
        self._tell()

    def stop(self) -> Deferred[None]:
        """End; see `IRegistry`."""
        self._changed = None
        self._ours.clear()
        return succeed(None)

    def follow(self) -> None:
        """Do nothing: everything is known already."""

    def register(self, instance: Instance) -> None:
        """List an instance, or change it; see `IRegistry`."""
        if self._ours.get((instance.service, instance.name)) == instance:
            return
        if not self._ours and self._changed is not None:
            self._registrations += 1
        self._ours[instance.service, instance.name] = instance
        self._writes += 1
        self._tell()

    def deregister(self) -> Deferred[None]:
        """Take our instances away; see `IRegistry`."""
        self._ours.clear()
        self._tell()
        return succeed(None)

    def health(self) -> RegistryHealth:
        """Tell how things stand; see `IRegistry`."""
        is_open = self._changed is not None
        return RegistryHealth(
            state=RegistryState.LIVE if is_open else RegistryState.STOPPED,
            is_registered=is_open and bool(self._ours),
            watches=0,
            leases=0,
            registrations=self._registrations,
            writes=self._writes,
            trouble="",
        )

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed((*self._given, *self._ours.values()))
