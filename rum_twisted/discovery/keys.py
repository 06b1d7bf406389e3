"""Where things lie in etcd: ``/rum/services/SERVICE/NAME``, ``/rum/rules/SERVICE``.

Source: docs/discovery.md, "What lies in etcd".
"""

import re
from random import Random
from typing import Final

from rum_twisted.terms.instance import Instance

__all__ = [
    "all_prefix",
    "instance_key",
    "name_of_wish",
    "rule_key",
    "rules_prefix",
    "service_and_name",
    "service_of_rule",
    "services_prefix",
    "unique_name",
    "wish_key",
    "wishes_prefix",
]

_SERVICES: Final = "services"
_RULES: Final = "rules"
_WISHES: Final = "wishes"
_UNFIT: Final = re.compile(r"[^A-Za-z0-9.-]+")
_HOST_LENGTH: Final = 40  # of a host's name, in that of an instance
_CHANCE_BITS: Final = 48
_PARTS: Final = 2  # service and name, behind the prefix


def all_prefix(base_path: str) -> str:
    """Return what all keys of a network begin with.

    Args:
        base_path: the setting ``discovery.base_path``, e.g. ``/rum``.
    """
    return f"{base_path.rstrip('/')}/"


def services_prefix(base_path: str) -> str:
    """Return what the keys of all instances begin with.

    Args:
        base_path: the setting ``discovery.base_path``, e.g. ``/rum``.
    """
    return f"{all_prefix(base_path)}{_SERVICES}/"


def rules_prefix(base_path: str) -> str:
    """Return what the keys of all traffic rules begin with."""
    return f"{all_prefix(base_path)}{_RULES}/"


def rule_key(base_path: str, service: str) -> str:
    """Return the key of a service's traffic rule."""
    return f"{rules_prefix(base_path)}{service}"


def service_of_rule(base_path: str, key: str) -> str | None:
    """Return whose rule lies under this key; ``None``: nobody's."""
    return _behind(rules_prefix(base_path), key)


def wishes_prefix(base_path: str) -> str:
    """Return what the keys of all wishes begin with."""
    return f"{all_prefix(base_path)}{_WISHES}/"


def wish_key(base_path: str, name: str) -> str:
    """Return the key of what is wanted of the instance of this name."""
    return f"{wishes_prefix(base_path)}{name}"


def name_of_wish(base_path: str, key: str) -> str | None:
    """Return the instance of which something is wanted; ``None``: that is no wish."""
    return _behind(wishes_prefix(base_path), key)


def instance_key(base_path: str, instance: Instance) -> str:
    """Return the key of one instance."""
    return f"{services_prefix(base_path)}{instance.service}/{instance.name}"


def service_and_name(base_path: str, key: str) -> tuple[str, str] | None:
    """Return whose key this is; ``None``: nobody's."""
    prefix = services_prefix(base_path)
    parts = key.removeprefix(prefix).split("/")
    if not key.startswith(prefix) or len(parts) != _PARTS:
        return None
    return parts[0], parts[1]


def unique_name(host: str, random: Random) -> str:
    """Return a name that no other process has, nor had before.

    A process that is started again is another one: its entry must not be mixed up
    with that of the one that has ended.

    Args:
        host: so that people see where it runs.
        random: the system's, since each process needs another chance.
    """
    place = _UNFIT.sub("-", host)[:_HOST_LENGTH].strip(".-")
    return f"{place or 'rum'}-{random.getrandbits(_CHANCE_BITS):012x}"


def _behind(prefix: str, key: str) -> str | None:
    """Return the one word behind a prefix; ``None``: it is something else."""
    word = key.removeprefix(prefix)
    return word if key.startswith(prefix) and word and "/" not in word else None
