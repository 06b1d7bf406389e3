"""A fixed list of instances, for a few processes that do not move."""

from typing import Final

from rum_twisted.discovery.memory import MemoryRegistry
from rum_twisted.terms.instance import Instance, InvalidInstance
from rum_twisted.terms.units import Seconds

__all__ = ["instances_of", "static_registry"]

_NO_RULES: Final = (
    'discovery.backend is "static": its list has no versions, and no place where all '
    'processes would find a traffic rule; due is "etcd"'
)


def instances_of(entries: tuple[str, ...]) -> tuple[Instance, ...]:
    """Return the instances of a list.

    Args:
        entries: each ``service=host:port``; a service may have several.

    Raises:
        InvalidInstance: an entry is not of this form; the message names it.
    """
    instances: list[Instance] = []
    for entry in dict.fromkeys(entries):
        service, equals, address = entry.partition("=")
        if not equals:
            raise InvalidInstance(f"{entry!r}: due service=host:port")
        instances.append(
            Instance(
                service=service,
                name=f"static-{len(instances) + 1}",
                address=address,
                version="",
                started=Seconds(0.0),  # nobody knows
            )
        )
    return tuple(instances)


def static_registry(entries: tuple[str, ...]) -> MemoryRegistry:
    """Return a registry of the listed instances, and of this process's own.

    An instance in the list that is gone stays in the list: that it does not answer
    is found out by whoever calls it.

    Raises:
        InvalidInstance: see `instances_of`.
    """
    return MemoryRegistry(instances_of(entries), _NO_RULES)
