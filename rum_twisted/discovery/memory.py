"""Instances of this process alone: all roles in one, and no etcd."""

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred, fail, succeed
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.discovery.errors import RulesUnknown
from rum_twisted.discovery.interfaces import (
    IRegistry,
    Overview,
    RegistryHealth,
    RegistryState,
)
from rum_twisted.terms.instance import Instance
from rum_twisted.terms.rule import Posted, Rule
from rum_twisted.terms.wish import Wish

__all__ = ["MemoryRegistry"]

_NO_WISHES: Final = (
    'discovery.backend is not "etcd", so no process hears of what is wanted of it '
    "elsewhere; run rumctl on its machine, with its data folder"
)


@implementer(IRegistry)
class MemoryRegistry:
    """What this process has registered, and what it was given; nobody else knows.

    Args:
        given: instances that are always there.
        refusal: why no traffic rules are kept; empty: they are.
    """

    refuses_wishes = _NO_WISHES

    def __init__(self, given: tuple[Instance, ...] = (), refusal: str = "") -> None:
        self._given = given
        self._refusal = refusal
        self._rules: dict[str, Posted] = {}
        self._revision = 0  # grows by one with each rule
        self._ruled: Callable[[tuple[Posted, ...]], None] = lambda _: None
        self._ours: dict[tuple[str, str], Instance] = {}
        self._changed: Callable[[tuple[Instance, ...]], None] | None = None
        self._writes = 0
        self._registrations = 0

    @override
    def __repr__(self) -> str:
        return f"<MemoryRegistry: {len(self._ours)} of ours, {len(self._given)} given>"

    def start(
        self,
        changed: Callable[[tuple[Instance, ...]], None],
        ruled: Callable[[tuple[Posted, ...]], None] = lambda _: None,
        wished: Callable[[tuple[Wish, ...]], None] = lambda _: None,
    ) -> None:
        """Begin; see `IRegistry`."""
        self._changed = changed
        self._ruled = ruled
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

    def look(self) -> Deferred[Overview]:
        """Read what stands here; see `IRegistry`."""
        instances = (*self._given, *self._ours.values())
        return succeed(Overview(instances, tuple(self._rules.values())))

    def post(self, service: str, rule: Rule | None, revision: int) -> Deferred[bool]:
        """Keep a rule, until this process ends; see `IRegistry`."""
        if self._refusal:
            return fail(RulesUnknown(self._refusal))
        posted = self._rules.get(service)
        is_current = revision == (0 if posted is None else posted.revision)
        if is_current:
            self._revision += 1
            if rule is None:
                self._rules.pop(service, None)
            else:
                self._rules[service] = Posted(rule, self._revision)
            self._tell()
        return succeed(is_current)

    def wish(self, wish: Wish) -> Deferred[None]:
        """Do nothing: nobody would hear of it; see `IRegistry`."""
        return succeed(None)

    def take_up(self, name: str) -> Deferred[None]:
        """Do nothing: nothing is wanted here; see `IRegistry`."""
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
            self._ruled(tuple(self._rules.values()))
            self._changed((*self._given, *self._ours.values()))
