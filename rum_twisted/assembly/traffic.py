"""The control commands about who serves which calls: services and traffic rules."""

import re
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred

from rum_twisted.control.lines import Refused
from rum_twisted.control.server import Command
from rum_twisted.discovery.errors import EtcdError, RulesUnknown
from rum_twisted.discovery.interfaces import Overview
from rum_twisted.discovery.rules import fields_of, rule_of
from rum_twisted.discovery.service import DiscoveryClient
from rum_twisted.rpc.judge import Judge
from rum_twisted.rpc.metrics import CallMetrics
from rum_twisted.rpc.quality import NOTHING, Tally, tally
from rum_twisted.terms.instance import Instance, InstanceState
from rum_twisted.terms.rule import InvalidRule, Posted, Rule, RuleState
from rum_twisted.terms.units import Seconds
from rum_twisted.terms.wish import InvalidWish

__all__ = ["Traffic", "one_line", "told"]

_ENDS: Final = {
    "promote": RuleState.PROMOTED,
    "abort": RuleState.ABORTED,
}
_NOT_PARTED: Final = {
    "pergola": "nobody calls a pergola, so there is nothing to part",
}
_CHANGED_MEANWHILE: Final = "the rule was changed meanwhile; look at it and try again"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class Traffic:
    """Answers what an operator asks about services, and carries out what he decides.

    Args:
        discovery: knows instances and rules, and writes rules.
        metrics: what this process has counted about its calls.
        judge: how versions have done, as this process sees it; ``None``: it calls
            nobody.
        name: tells who we are.
        now: tells the seconds since the Unix epoch, UTC.
    """

    def __init__(
        self,
        discovery: DiscoveryClient,
        metrics: CallMetrics,
        judge: Judge | None,
        name: Callable[[], str],
        now: Callable[[], Seconds],
    ) -> None:
        self._discovery = discovery
        self._metrics = metrics
        self._judge = judge
        self._name = name
        self._now = now

    @property
    def commands(self) -> dict[str, Command]:
        """The commands by name."""
        return {
            "services.list": lambda _: told(self._list()),
            "canary.list": lambda _: told(self._list_rules()),
            "canary.set": lambda arguments: told(self._set(arguments)),
            "canary.end": lambda arguments: told(self._end(arguments)),
            "canary.clear": lambda arguments: told(self._clear(arguments)),
        }

    # Looking.

    async def _list(self) -> dict[str, object]:
        """Return all instances, and how they have answered our calls."""
        trouble = ""
        try:
            instances = (await self._discovery.look()).instances
        except EtcdError as error:
            trouble = str(error)
            instances = tuple(
                instance
                for service in self._discovery.services()
                for instance in self._discovery.instances(service)
            )
        counted = self._counted()
        return {
            "process": self._name(),
            "trouble": trouble,
            "instances": [
                _instance_facts(
                    each, counted.get((each.service, each.address), NOTHING)
                )
                for each in instances
            ],
        }

    def _counted(self) -> dict[tuple[str, str], Tally]:
        """Return what was counted about each endpoint of each service."""
        counted: dict[tuple[str, str], Tally] = {}
        for series in self._metrics.snapshot():
            place = series.label.service, series.label.address
            counted[place] = counted.get(place, NOTHING) + tally(series)
        return counted

    async def _list_rules(self) -> dict[str, object]:
        """Return all rules, and how the versions have done as we see it."""
        overview = await self._discovery.look()
        sights = () if self._judge is None else self._judge.sights()
        return {
            "process": self._name(),
            "rules": [
                {
                    "service": posted.rule.service,
                    **fields_of(posted.rule),
                    "instances": _count_of(overview, posted.rule),
                }
                for posted in overview.rules
            ],
            "sights": [
                {
                    "service": sight.rule.service,
                    "version": sight.rule.version,
                    "seconds": round(sight.seconds, 1),
                    "canary": _tally_facts(sight.canary),
                    "others": _tally_facts(sight.others),
                }
                for sight in sights
            ],
        }

    # Deciding.

    async def _set(self, arguments: Mapping[str, Any]) -> dict[str, object]:
        """Begin to try a version, or change how it is tried.

        What is not among the arguments stays as it is, as long as it is about the
        same version.
        """
        service, version = (
            one_line(arguments, "service"),
            one_line(arguments, "version"),
        )
        if service in _NOT_PARTED:
            raise Refused(f"{service}: {_NOT_PARTED[service]}")
        overview = await self._discovery.look()
        posted = _posted(overview, service)
        fields: dict[str, Any] = {}
        if posted is not None and posted.rule.version == version:
            fields = fields_of(posted.rule)
        elif posted is not None:
            _check_end(overview, posted.rule, is_forced=_flag(arguments, "force"))
        for name in ("share", "cids", "groups", "zones"):
            if arguments.get(name) is not None:
                fields[name] = arguments[name]
        limits = arguments.get("limits")
        if isinstance(limits, dict):
            given = {name: value for name, value in limits.items() if value is not None}
            fields["limits"] = {**(fields.get("limits") or {}), **given}
        rule = rule_of(
            service,
            {
                **fields,
                "version": version,
                "state": RuleState.ACTIVE.value,
                "reason": "",
                "by": one_line(arguments, "by"),
                "changed": self._now(),
            },
        )
        if isinstance(limits, dict) and rule.limits is None:
            raise Refused("limits: due an error rate, a p99, or both")
        await self._post(rule, posted)
        return {**fields_of(rule), "instances": _count_of(overview, rule)}

    async def _end(self, arguments: Mapping[str, Any]) -> dict[str, object]:
        """End a trial, well or not."""
        service, how = one_line(arguments, "service"), arguments.get("how")
        if how not in _ENDS:
            raise Refused(f"how {how!r}: due {' or '.join(_ENDS)}")
        overview = await self._discovery.look()
        posted = _posted(overview, service)
        if posted is None:
            raise Refused(f"{service}: there is no rule")
        before = fields_of(posted.rule)
        if how == "promote" and not any(_count_of(overview, posted.rule).values()):
            raise Refused(f"{service}: nobody plays {posted.rule.version}")
        rule = rule_of(
            service,
            {
                **before,
                "state": _ENDS[how].value,
                "reason": str(arguments.get("reason") or ""),
                "by": one_line(arguments, "by"),
                "changed": self._now(),
            },
        )
        await self._post(rule, posted)
        return {**fields_of(rule), "instances": _count_of(overview, rule)}

    async def _clear(self, arguments: Mapping[str, Any]) -> dict[str, object]:
        """Delete a rule: all instances are called alike again."""
        service = one_line(arguments, "service")
        overview = await self._discovery.look()
        posted = _posted(overview, service)
        if posted is None:
            raise Refused(f"{service}: there is no rule")
        _check_end(overview, posted.rule, is_forced=_flag(arguments, "force"))
        if not await self._discovery.post(service, None, posted.revision):
            raise Refused(f"{service}: {_CHANGED_MEANWHILE}")
        return fields_of(posted.rule)

    async def _post(self, rule: Rule, before: Posted | None) -> None:
        revision = 0 if before is None else before.revision
        if not await self._discovery.post(rule.service, rule, revision):
            raise Refused(f"{rule.service}: {_CHANGED_MEANWHILE}")


def told(doing: Coroutine[Any, Any, dict[str, object]]) -> Deferred[dict[str, object]]:
    """Return what comes of it; what an operator can mend is a refusal."""
    return Deferred.fromCoroutine(_excused(doing))


async def _excused(
    doing: Coroutine[Any, Any, dict[str, object]],
) -> dict[str, object]:
    try:
        return await doing
    except EtcdError as error:
        raise Refused(f"etcd: {error}") from error
    except (InvalidRule, RulesUnknown, InvalidWish) as error:
        raise Refused(str(error)) from error


def _posted(overview: Overview, service: str) -> Posted | None:
    found = [each for each in overview.rules if each.rule.service == service]
    return found[0] if found else None


def _check_end(overview: Overview, rule: Rule, *, is_forced: bool) -> None:
    """Make sure that nobody is called by accident whom a rule keeps from being called.

    Raises:
        Refused: somebody would be.
    """
    counts = _count_of(overview, rule)
    side = "others" if rule.state is RuleState.PROMOTED else "canary"
    if is_forced or not counts[side]:
        return
    who = f"of {rule.version}" if side == "canary" else f"not of {rule.version}"
    raise Refused(
        f"{rule.service}: {counts[side]} instances {who} still run, and without this "
        "rule they would be called like all others; drain them first, or use --force"
    )


def _count_of(overview: Overview, rule: Rule) -> dict[str, int]:
    """Return how many instances of both parts may be called."""
    versions = [
        each.version
        for each in overview.instances
        if each.service == rule.service
        and each.state is InstanceState.UP
        and each.weight > 0
    ]
    canary = versions.count(rule.version)
    return {"canary": canary, "others": len(versions) - canary}


def _instance_facts(instance: Instance, counted: Tally) -> dict[str, object]:
    return {
        "service": instance.service,
        "name": instance.name,
        "address": instance.address,
        "version": instance.version,
        "group": instance.group,
        "zone": instance.zone,
        "state": instance.state.value,
        "weight": instance.weight,
        "started": instance.started,
        **_tally_facts(counted),
    }


def _tally_facts(counted: Tally) -> dict[str, object]:
    return {
        "calls": counted.calls,
        "errors": counted.errors,
        "buckets": list(counted.buckets),
    }


def one_line(arguments: Mapping[str, Any], name: str) -> str:
    """Return an argument that has to be there.

    Raises:
        Refused: it is not, or it is more than one line.
    """
    value = arguments.get(name)
    if not isinstance(value, str) or not value or _CONTROL.search(value):
        raise Refused(f"{name} {value!r}: due one line of text")
    return value


def _flag(arguments: Mapping[str, Any], name: str) -> bool:
    return arguments.get(name) is True
