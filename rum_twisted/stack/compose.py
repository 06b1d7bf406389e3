"""Reads a compose file: the services, what they need, and what they may take.

Only what `ServicePlan` holds is read; the rest is for containers. What is read and not
understood is refused, not passed over.

Source: the Compose Specification, compose-spec.io.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Final

import yaml

from rum_twisted.terms.units import Seconds

__all__ = ["ComposeError", "HealthPlan", "PublishedPort", "ServicePlan", "read_compose"]

_VARIABLE: Final = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<plain>[A-Za-z_]\w*)"
    r"|\{(?P<name>[A-Za-z_]\w*)(?P<how>:?-)?(?P<default>[^}]*)\})"
)
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)")
_SECONDS_IN: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES: Final = re.compile(r"(\d+)([bkmg])b?", re.IGNORECASE)
_BYTES_IN: Final = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_PORTS: Final = re.compile(r"(?:(?P<host>[\d.]+):)?(?P<published>\d+):(?P<own>\d+)")
_HEALTHY: Final = "service_healthy"
_STARTED: Final = "service_started"
# What the specification says of a service that does not.
_HALF_A_MINUTE: Final = Seconds(30.0)
_START_INTERVAL: Final = Seconds(5.0)
_NO_TIME: Final = Seconds(0.0)
_GRACE: Final = Seconds(10.0)
_RESTARTS: Final = ("no", "always", "on-failure", "unless-stopped")


class ComposeError(Exception):
    """The file cannot be used; the text says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPlan:
    """How it is found out whether a service is well."""

    command: tuple[str, ...]
    interval: Seconds = _HALF_A_MINUTE
    timeout: Seconds = _HALF_A_MINUTE
    retries: int = 3
    start_period: Seconds = _NO_TIME
    start_interval: Seconds = _START_INTERVAL


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPort:
    """A port of a service that others than services reach."""

    host: str  # the address of this machine; empty: all of them
    published: int
    own: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """One service, as the file has it."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ports: tuple[PublishedPort, ...] = ()
    volumes: tuple[tuple[str, str], ...] = ()  # from where, and where to
    healthy_before: tuple[str, ...] = ()  # services that have to be well before
    started_before: tuple[str, ...] = ()
    health: HealthPlan | None = None
    restart: str = "no"
    stop_grace: Seconds = _GRACE
    cpus: float | None = None  # cores
    memory: int | None = None  # bytes
    reserved: int | None = None  # bytes
    build: Mapping[str, Any] = field(default_factory=dict)

    @property
    def needs(self) -> tuple[str, ...]:
        """The services that are started before this one."""
        return self.healthy_before + self.started_before


def read_compose(path: Path, environ: Mapping[str, str]) -> tuple[ServicePlan, ...]:
    """Return the services of a file, each behind those that it needs.

    Args:
        path: of the file.
        environ: where its variables are looked up.

    Raises:
        ComposeError: it cannot be used.
    """
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ComposeError(f"{path}: {error}") from error
    services = content.get("services") if isinstance(content, dict) else None
    if not isinstance(services, dict) or not services:
        raise ComposeError(f"{path}: due are services")
    plans = {}
    for name, facts in services.items():
        try:
            plans[name] = _service(name, _filled_in(facts, environ))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ComposeError(f"{path}: service {name}: {error}") from error
    return tuple(plans[name] for name in _in_order(path, plans))


def _in_order(path: Path, plans: Mapping[str, ServicePlan]) -> Iterable[str]:
    for plan in plans.values():
        for name in plan.needs:
            if name not in plans:
                raise ComposeError(f"{path}: {plan.name} needs {name}: no such service")
    needs = {name: plan.needs for name, plan in plans.items()}
    try:
        return tuple(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise ComposeError(f"{path}: {error}") from error


def _filled_in(value: Any, environ: Mapping[str, str]) -> Any:
    """Return a value of the file with its variables filled in."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _variable(match, environ), value)
    if isinstance(value, list):
        return [_filled_in(each, environ) for each in value]
    if isinstance(value, dict):
        return {key: _filled_in(each, environ) for key, each in value.items()}
    return value


def _variable(match: re.Match[str], environ: Mapping[str, str]) -> str:
    if match["dollar"]:
        return "$"
    name, how = match["plain"] or match["name"], match["how"]
    if match["default"] and not how:
        raise ValueError(f"{match[0]}: due ${{NAME}} or ${{NAME:-default}}")
    value = environ.get(name)
    if how and (value is None or (how == ":-" and not value)):
        return match["default"]
    return value or ""


def _service(name: str, facts: Mapping[str, Any]) -> ServicePlan:
    limits = _resources(facts, "limits")
    needs = {
        other: (wish or {}).get("condition", _STARTED)
        for other, wish in _as_table(facts.get("depends_on")).items()
    }
    for condition in needs.values():
        if condition not in (_HEALTHY, _STARTED):
            raise ValueError(f"depends_on: {condition!r} is not known here")
    restart = str(facts.get("restart", "no"))
    if restart not in _RESTARTS:
        raise ValueError(f"restart: {restart!r} is not known here")
    return ServicePlan(
        name=name,
        command=_words(facts["command"], "command"),
        environment={
            key: "" if value is None else str(value)
            for key, value in (facts.get("environment") or {}).items()
        },
        ports=tuple(_port(text) for text in facts.get("ports") or ()),
        volumes=tuple(_volume(text) for text in facts.get("volumes") or ()),
        healthy_before=tuple(sorted(n for n, c in needs.items() if c == _HEALTHY)),
        started_before=tuple(sorted(n for n, c in needs.items() if c == _STARTED)),
        health=_health(facts.get("healthcheck")),
        restart=restart,
        stop_grace=_seconds(facts.get("stop_grace_period", "10s")),
        cpus=float(limits["cpus"]) if "cpus" in limits else None,
        memory=_bytes(limits.get("memory")),
        reserved=_bytes(_resources(facts, "reservations").get("memory")),
        build=facts.get("build") or {},
    )


def _resources(facts: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (
        facts.get("deploy", {}).get("resources", {}).get(kind, {})
    )
    return found


def _as_table(value: Any) -> Mapping[str, Any]:
    """Return ``depends_on`` in its long form, whichever it has."""
    if isinstance(value, list):
        return dict.fromkeys(value)
    return value or {}


def _words(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"{key}: due is a list of words")
    return tuple(str(word) for word in value)


def _port(text: Any) -> PublishedPort:
    match = _PORTS.fullmatch(str(text))
    if match is None:
        raise ValueError(f"ports: {text!r}: due [ADDRESS:]PORT:PORT")
    return PublishedPort(
        host=match["host"] or "",
        published=int(match["published"]),
        own=int(match["own"]),
    )


def _volume(text: Any) -> tuple[str, str]:
    source, _, rest = str(text).partition(":")
    target = rest.partition(":")[0]
    if not source or not target.startswith("/"):
        raise ValueError(f"volumes: {text!r}: due SOURCE:/TARGET")
    return source, target


def _health(facts: Mapping[str, Any] | None) -> HealthPlan | None:
    if not facts:
        return None
    kind, *command = _words(facts["test"], "healthcheck.test")
    if kind != "CMD":
        raise ValueError(f"healthcheck.test: {kind!r}: due CMD and words")
    times = {
        key: _seconds(facts[key])
        for key in ("interval", "timeout", "start_period", "start_interval")
        if key in facts
    }
    return HealthPlan(
        command=tuple(command), retries=int(facts.get("retries", 3)), **times
    )


def _seconds(text: Any) -> Seconds:
    parts = _DURATION.findall(str(text))
    if not parts or "".join(number + unit for number, unit in parts) != str(text):
        raise ValueError(f"{text!r} is no time: due 500ms, 20s, 1m30s")
    return Seconds(sum(float(number) * _SECONDS_IN[unit] for number, unit in parts))


def _bytes(text: Any) -> int | None:
    if text is None:
        return None
    match = _BYTES.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{text!r} is no size: due 64M")
    return int(match[1]) * _BYTES_IN[match[2].lower()]
