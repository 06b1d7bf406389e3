"""Whether the settings of a process that plays some of the roles fit together."""

from collections.abc import Iterator
from typing import Final

from rum_twisted.config.settings import Config
from rum_twisted.config.sources import Mistake

__all__ = ["mistakes_of_roles"]

_EVERYWHERE: Final = ("0.0.0.0", "[::]")  # noqa: S104 - looked for, not listened on


def mistakes_of_roles(config: Config) -> Iterator[Mistake]:
    """Yield a line for each setting that would leave a role alone.

    Args:
        config: the settings.
    """
    if not config.uses_fabric:
        return
    yield from _unfound(config)
    yield from _unfindable(config)


def _unfound(config: Config) -> Iterator[Mistake]:
    """Yield what keeps us from finding whom we need."""
    missing = config.services.missing
    backend = config.discovery.backend
    if missing and backend == "memory":
        yield Mistake(
            "discovery.backend",
            f'"memory" finds nobody who plays {" and ".join(missing)}: due "static" '
            'or "etcd", or these roles too',
        )
    if backend == "static":
        listed = {entry.partition("=")[0] for entry in config.discovery.endpoints}
        for role in missing:
            if role not in listed:
                yield Mistake(
                    "discovery.endpoints",
                    f'nobody plays {role}: due "{role}=host:port"',
                )


def _unfindable(config: Config) -> Iterator[Mistake]:
    """Yield what keeps others from finding us."""
    services = config.services
    if not services.offered:
        return
    host, _, port = services.listen.rpartition(":")
    if config.discovery.backend != "etcd":
        if int(port) == 0:
            yield Mistake(
                "services.listen",
                f"{services.listen} is a port that nobody knows: due a fixed one, or "
                'discovery.backend = "etcd"',
            )
    elif host in _EVERYWHERE and not services.advertise:
        yield Mistake(
            "services.advertise",
            f"services.listen = {services.listen} is no address to call: due the one "
            "that others reach",
        )
