"""A traffic rule as the value of a key, and back.

The value is a JSON object, readable with etcdctl; the service is in the key. A field
that is missing has its default, and one that is unknown is passed over when the rule
is read and kept when it is written, so that versions can be mixed.

Source: docs/discovery.md, "What lies in etcd".
"""

import json
from math import isfinite
from typing import Any, Final

from rum_twisted.discovery.keys import service_of_rule
from rum_twisted.terms.identity import fold
from rum_twisted.terms.rule import BackOut, InvalidRule, Rule, RuleState
from rum_twisted.terms.units import Seconds

__all__ = [
    "LONGEST_RULE",
    "UnreadableRule",
    "decode_rule",
    "encode_rule",
    "fields_of",
    "rule_of",
]

LONGEST_RULE: Final = 16_384  # bytes; 200 CIDs of usual length are 3,000

_KNOWN: Final = (
    *("version", "share", "cids", "groups", "zones"),
    *("state", "reason", "by", "changed", "limits"),
)


class UnreadableRule(ValueError):
    """What stands under a key is no rule; the message says why."""


def fields_of(rule: Rule) -> dict[str, Any]:
    """Return a rule as JSON has it, without its service."""
    limits = rule.limits
    return {
        "version": rule.version,
        "share": rule.share,
        "cids": sorted(rule.cids),
        "groups": sorted(rule.groups),
        "zones": sorted(rule.zones),
        "state": rule.state.value,
        "reason": rule.reason,
        "by": rule.by,
        "changed": rule.changed,
        "limits": None
        if limits is None
        else {
            "error_points": limits.error_points,
            "p99_ratio": limits.p99_ratio,
            "least_calls": limits.least_calls,
            "window": limits.window,
        },
    }


def rule_of(service: str, fields: dict[str, Any]) -> Rule:
    """Return the rule that `fields_of` gives these fields of.

    Raises:
        InvalidRule: a field is of another kind, or out of range.
    """
    return Rule(
        service=service,
        version=_text(fields, "version"),
        share=_number(fields, "share", 0.0),
        cids=frozenset(map(fold, _words(fields, "cids"))),
        groups=_words(fields, "groups"),
        zones=_words(fields, "zones"),
        state=_state(fields),
        reason=_text(fields, "reason", ""),
        by=_text(fields, "by", ""),
        changed=Seconds(_number(fields, "changed", 0.0)),
        limits=_limits(fields),
    )


def encode_rule(rule: Rule, over: bytes = b"") -> bytes:
    """Return the value for a rule.

    Args:
        rule: what is written.
        over: the value that stood there; if it is about the same version, what we do
            not know of it is kept.

    Raises:
        InvalidRule: it is too long.
    """
    fields = {**_unknown_in(over, rule.version), **fields_of(rule)}
    value = json.dumps(fields, separators=(",", ":")).encode("ascii")
    if len(value) > LONGEST_RULE:
        raise InvalidRule(
            f"{rule.service}: {len(value)} bytes, due at most {LONGEST_RULE}"
        )
    return value


def decode_rule(base_path: str, key: str, value: bytes) -> Rule:
    """Return the rule that stands under a key.

    Raises:
        UnreadableRule: key or value are not as `encode_rule` makes them.
    """
    service = service_of_rule(base_path, key)
    if service is None:
        raise UnreadableRule(f"key {key!r}: due a service behind {base_path}/rules/")
    if len(value) > LONGEST_RULE:
        raise UnreadableRule(f"{key}: {len(value)} bytes, due at most {LONGEST_RULE}")
    try:
        fields = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise UnreadableRule(f"{key}: no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise UnreadableRule(f"{key}: due a JSON object")
    try:
        return rule_of(service, fields)
    except InvalidRule as error:
        raise UnreadableRule(f"{key}: {error}") from error


def _unknown_in(value: bytes, version: str) -> dict[str, Any]:
    """Return the fields that somebody else has a use for, from a later version."""
    try:
        fields = json.loads(value) if value else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(fields, dict) or fields.get("version") != version:
        return {}
    return {name: field for name, field in fields.items() if name not in _KNOWN}


def _limits(fields: dict[str, Any]) -> BackOut | None:
    limits = fields.get("limits")
    if limits is None:
        return None
    if not isinstance(limits, dict):
        raise InvalidRule(f"limits {limits!r}: due an object")
    error_points = _number_if_any(limits, "error_points")
    p99_ratio = _number_if_any(limits, "p99_ratio")
    if error_points is None and p99_ratio is None:
        return None  # what else a later version may limit, we do not look at
    usual = BackOut(error_points=0.0)
    return BackOut(
        error_points=error_points,
        p99_ratio=p99_ratio,
        least_calls=int(_number(limits, "least_calls", usual.least_calls)),
        window=Seconds(_number(limits, "window", usual.window)),
    )


def _text(fields: dict[str, Any], name: str, default: str | None = None) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise InvalidRule(f"{name} {value!r}: due text")
    return value


def _number(fields: dict[str, Any], name: str, default: float) -> float:
    value = fields.get(name, default)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise InvalidRule(f"{name} {value!r}: due a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise InvalidRule(f"{name}: due a smaller number") from error
    if not isfinite(number):
        raise InvalidRule(f"{name} {number}: due a number")
    return number


def _number_if_any(fields: dict[str, Any], name: str) -> float | None:
    return None if fields.get(name) is None else _number(fields, name, 0.0)


def _words(fields: dict[str, Any], name: str) -> frozenset[str]:
    values = fields.get(name, [])
    if not isinstance(values, list) or not all(
        isinstance(value, str) for value in values
    ):
        raise InvalidRule(f"{name}: due a list of texts")
    return frozenset(values)


def _state(fields: dict[str, Any]) -> RuleState:
    """Return the state; one that a later version invented sends nobody anywhere."""
    value = fields.get("state", RuleState.ACTIVE.value)
    try:
        return RuleState(value)
    except ValueError:
        return RuleState.ABORTED
