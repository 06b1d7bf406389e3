"""A wish as the value of a key, and back.

The value is a JSON object, readable with etcdctl; the instance is in the key. Fields
that are unknown are passed over.

Source: docs/discovery.md, "What lies in etcd".
"""

import json
from typing import Any, Final

from rum_twisted.discovery.keys import name_of_wish
from rum_twisted.terms.units import Seconds
from rum_twisted.terms.wish import InvalidWish, Wish, WishKind

__all__ = [
    "LONGEST_WISH",
    "WISH_LIVES",
    "UnreadableWish",
    "decode_wish",
    "encode_wish",
]

LONGEST_WISH: Final = 4096  # bytes
WISH_LIVES: Final = Seconds(60.0)
"""How long a wish stands that nobody takes up: then who asked has given up, too."""


class UnreadableWish(ValueError):
    """What stands under a key is no wish; the message says why."""


def encode_wish(wish: Wish) -> bytes:
    """Return the value for a wish."""
    fields = {
        "kind": wish.kind.value,
        "by": wish.by,
        "where": wish.where,
        "asked": wish.asked,
    }
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def decode_wish(base_path: str, key: str, value: bytes) -> Wish:
    """Return the wish that stands under a key.

    Raises:
        UnreadableWish: key or value are not as `encode_wish` makes them.
    """
    name = name_of_wish(base_path, key)
    if name is None:
        raise UnreadableWish(f"key {key!r}: due a name behind {base_path}/wishes/")
    if len(value) > LONGEST_WISH:
        raise UnreadableWish(f"{key}: {len(value)} bytes, due at most {LONGEST_WISH}")
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise UnreadableWish(f"{key}: no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise UnreadableWish(f"{key}: due a JSON object")
    try:
        return Wish(
            name=name,
            kind=WishKind(fields.get("kind")),
            by=_text(fields, "by"),
            where=_text(fields, "where"),
            asked=_seconds(fields, "asked"),
        )
    except ValueError as error:  # InvalidWish is one
        raise UnreadableWish(f"{key}: {error}") from error


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise InvalidWish(f"{name} {value!r}: due text")
    return value


def _seconds(fields: dict[str, Any], name: str) -> Seconds:
    value = fields.get(name, 0)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise InvalidWish(f"{name} {value!r}: due a number")
    try:
        return Seconds(float(value))
    except OverflowError as error:
        raise InvalidWish(f"{name}: due a smaller number") from error
