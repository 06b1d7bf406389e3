"""Who is there, by service, and who wants to know of changes.

No clock, no connection: what is told here comes from a registry, see `interfaces`.
"""

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.terms.instance import Instance
from rum_twisted.terms.measure import Measure

__all__ = ["Changed", "Directory", "Watch"]

Changed: TypeAlias = Callable[[tuple[Instance, ...]], None]

_INSTANCE: Final = 370  # bytes: the object, its texts and their tables
_WATCH: Final = 400  # bytes: the object, its place in a table


class Watch:
    """Somebody who is told of the changes of one service until he stops."""

    def __init__(self, directory: "Directory", service: str, changed: Changed) -> None:
        self._directory = directory
        self.service = service
        self.changed = changed

    @override
    def __repr__(self) -> str:
        return f"<Watch of {self.service}>"

    def stop(self) -> None:
        """Be told nothing more, from now on; a second time does nothing."""
        self._directory.forget(self)


class Directory:
    """The instances of every service, as they were told last.

    Invariant: ``_instances`` has a service only if it has an instance, and its
    instances are sorted by name; ``_watches`` has a service only if somebody watches.
    """

    log = Logger()

    def __init__(self) -> None:
        self._instances: dict[str, tuple[Instance, ...]] = {}
        self._watches: dict[str, dict[Watch, None]] = {}

    @override
    def __repr__(self) -> str:
        count = sum(map(len, self._instances.values()))
        return (
            f"<Directory: {count} instances of {len(self._instances)} services, "
            f"{self.watches} watches>"
        )

    @property
    def watches(self) -> int:
        """How many are told of changes."""
        return sum(map(len, self._watches.values()))

    def measure(self) -> Measure:
        """Tell what the instances take."""
        count = sum(map(len, tuple(self._instances.values())))
        return Measure(count=count, bytes=count * _INSTANCE)

    def measure_watches(self) -> Measure:
        """Tell what those take who are told of changes."""
        return Measure(count=self.watches, bytes=self.watches * _WATCH)

    def services(self) -> tuple[str, ...]:
        """Return the services that anybody plays, by name."""
        return tuple(sorted(self._instances))

    def instances(self, service: str) -> tuple[Instance, ...]:
        """Return the instances of a service, by name; all states are among them."""
        return self._instances.get(service, ())

    def watch(self, service: str, changed: Changed) -> Watch:
        """Call ``changed`` with all instances of a service after each change."""
        watch = Watch(self, service, changed)
        self._watches.setdefault(service, {})[watch] = None
        return watch

    def forget(self, watch: Watch) -> None:
        """Tell a watch nothing more."""
        watches = self._watches.get(watch.service, {})
        watches.pop(watch, None)
        if not watches:
            self._watches.pop(watch.service, None)

    def replace(self, instances: Iterable[Instance]) -> None:
        """Take over who is there now; tell of the services that have changed."""
        found: dict[str, list[Instance]] = {}
        for instance in instances:
            found.setdefault(instance.service, []).append(instance)
        before = self._instances
        self._instances = {
            service: tuple(sorted(members, key=lambda member: member.name))
            for service, members in found.items()
        }
        for service in sorted(before.keys() | self._instances.keys()):
            if before.get(service) != self._instances.get(service):
                self._tell(service)

    def _tell(self, service: str) -> None:
        members = self.instances(service)
        for watch in tuple(self._watches.get(service, ())):
            if watch not in self._watches.get(service, ()):
                continue  # stopped by one who was told before
            try:
                watch.changed(members)
            except Exception:  # noqa: BLE001 - one listener must not silence others
                self.log.failure("{watch}: not told", watch=watch)
