"""An instance as the value of a key, and back.

The value is a JSON object, readable with etcdctl. Service and name are not in it:
they are in the key. A field that is missing has its default, and one that is unknown
is passed over, so that versions can be mixed.

Source: docs/discovery.md, "What lies in etcd".
"""

import json
from typing import Final

from rum_twisted.discovery.keys import service_and_name
from rum_twisted.terms.instance import Instance, InstanceState, InvalidInstance
from rum_twisted.terms.units import Seconds

__all__ = ["LONGEST_VALUE", "UnreadableInstance", "decode", "encode"]

LONGEST_VALUE: Final = 4096  # bytes; ours are below 600


class UnreadableInstance(ValueError):
    """What stands under a key is no instance; the message says why."""


def encode(instance: Instance) -> bytes:
    """Return the value for an instance; the same for equal instances."""
    return json.dumps(
        {
            "address": instance.address,
            "weight": instance.weight,
            "version": instance.version,
            "group": instance.group,
            "zone": instance.zone,
            "state": instance.state.value,
            "started": instance.started,
        },
        separators=(",", ":"),
    ).encode("ascii")


def decode(base_path: str, key: str, value: bytes) -> Instance:
    """Return the instance that stands under a key.

    Raises:
        UnreadableInstance: key or value are not as `encode` makes them.
    """
    whose = service_and_name(base_path, key)
    if whose is None:
        raise UnreadableInstance(f"key {key!r}: due service/name behind {base_path}")
    if len(value) > LONGEST_VALUE:
        raise UnreadableInstance(
            f"{key}: {len(value)} bytes, due at most {LONGEST_VALUE}"
        )
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise UnreadableInstance(f"{key}: no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise UnreadableInstance(f"{key}: due a JSON object")
    try:
        return Instance(
            service=whose[0],
            name=whose[1],
            address=_text(fields, "address"),
            weight=_whole_number(fields, "weight", 100),
            version=_text(fields, "version", ""),
            group=_text(fields, "group", ""),
            zone=_text(fields, "zone", ""),
            state=_state(fields),
            started=_time(fields, "started"),
        )
    except InvalidInstance as error:
        raise UnreadableInstance(f"{key}: {error}") from error


def _text(fields: dict[str, object], name: str, default: str | None = None) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise InvalidInstance(f"{name} {value!r}: due text")
    return value


def _whole_number(fields: dict[str, object], name: str, default: int) -> int:
    value = fields.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidInstance(f"{name} {value!r}: due a whole number")
    return value


def _time(fields: dict[str, object], name: str) -> Seconds:
    value = fields.get(name, 0.0)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise InvalidInstance(f"{name} {value!r}: due a number of seconds")
    try:
        return Seconds(float(value))
    except OverflowError as error:
        raise InvalidInstance(f"{name}: due a time since 1970") from error


def _state(fields: dict[str, object]) -> InstanceState:
    """Return the state; one that a later version invented is no call to call it."""
    value = fields.get("state", InstanceState.UP.value)
    try:
        return InstanceState(value)
    except ValueError:
        return InstanceState.INACTIVE
