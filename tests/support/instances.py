"""Instances and registries for tests of discovery."""

from dataclasses import replace
from typing import Any

from rum_twisted.terms.instance import Instance
from rum_twisted.terms.units import Seconds

__all__ = ["Told", "make_instance"]

_PASSPORT = Instance(
    service="passport",
    name="a-1",
    address="127.0.0.1:7001",
    version="4.0.0",
    started=Seconds(1_790_000_000.5),
)


def make_instance(name: str = "a-1", **fields: Any) -> Instance:
    """Return an instance of ``passport`` unless told otherwise."""
    return replace(_PASSPORT, name=name, **fields)


class Told:
    """What a registry has told, all times."""

    def __init__(self) -> None:
        self.times: list[tuple[Instance, ...]] = []

    def __call__(self, instances: tuple[Instance, ...]) -> None:
        """Note it."""
        self.times.append(tuple(sorted(instances, key=lambda each: each.name)))

    @property
    def last(self) -> tuple[Instance, ...] | None:
        """What was told last; ``None``: nothing yet."""
        return self.times[-1] if self.times else None

    @property
    def names(self) -> list[str] | None:
        """The names of those who were told last."""
        return None if self.last is None else [each.name for each in self.last]
