"""``rumctl canary``: tries a new version of a service, and ends the trial.

Rules are kept in the registry, so any process of the network is asked.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from rum_twisted.cli.asking import Processes
from rum_twisted.cli.invocation import Invocation, pass_invocation, process_operator
from rum_twisted.cli.letters import shown, wire_text
from rum_twisted.cli.output import Facts, Output, as_json_option, iso, utc
from rum_twisted.cli.services import calls_cell, errors_cell, p99_cell
from rum_twisted.rpc.metrics import p99_of
from rum_twisted.terms.units import Seconds

__all__ = ["canary"]

_force_option: Final = click.option(
    "--force", is_flag=True, help="Even if that brings a version back into service."
)
_STATES: Final = {
    "active": "is tried",
    "promoted": "has all calls",
    "aborted": "has no calls",
    "backed-out": "has no calls: it was backed out",
}


@click.group()
def canary() -> None:
    """Try a new version of a service with some of its calls, or end the trial."""


@canary.command("set")
@click.argument("service")
@click.argument("version")
@click.option(
    "--share",
    type=click.FloatRange(0.0, 100.0),
    help="Of the members, how many per cent are served by it; 0 to begin with.",
)
@click.option("--cid", "cids", multiple=True, help='Also this member; "" for none.')
@click.option(
    "--group",
    "groups",
    multiple=True,
    help='Also all calls of processes of this group; "" for none.',
)
@click.option(
    "--zone",
    "zones",
    multiple=True,
    help='Also all calls of processes in this zone; "" for none.',
)
@click.option(
    "--max-errors",
    type=click.FloatRange(0.0, 100.0),
    help="Back out if its error rate is so many points above the others'.",
)
@click.option(
    "--max-p99",
    type=click.FloatRange(1.0, 1000.0),
    help="Back out if its p99 is so many times the others'.",
)
@click.option(
    "--least-calls",
    type=click.IntRange(1, 1_000_000),
    help="But not before both have had so many calls within the window; 50.",
)
@click.option(
    "--window",
    type=click.FloatRange(5.0, 3600.0),
    help="How many seconds are looked back; 60.",
)
@_force_option
@as_json_option
@pass_invocation
def set_rule(  # noqa: PLR0913 - the options of a rule
    invocation: Invocation,
    service: str,
    version: str,
    *,
    share: float | None,
    cids: Sequence[str],
    groups: Sequence[str],
    zones: Sequence[str],
    max_errors: float | None,
    max_p99: float | None,
    least_calls: int | None,
    window: float | None,
    force: bool,
    as_json: bool,
) -> None:
    """Let VERSION of SERVICE serve some of the members, or change which.

    What is not given stays as it is, as long as it is about the same version. A rule
    may be set before anybody plays the version: then nobody meets it by accident.
    """
    limits = {
        "error_points": max_errors,
        "p99_ratio": max_p99,
        "least_calls": least_calls,
        "window": window,
    }
    processes = Processes(invocation)
    rule = processes.any(
        "canary.set",
        service=service,
        version=version,
        share=share,
        cids=_list([wire_text(cid) for cid in cids]),
        groups=_list(groups),
        zones=_list(zones),
        limits=None if set(limits.values()) == {None} else limits,
        force=force,
        by=process_operator(),
    )
    _done(processes, service, rule, "set", as_json=as_json)


@canary.command()
@click.argument("service")
@as_json_option
@pass_invocation
def promote(invocation: Invocation, service: str, *, as_json: bool) -> None:
    """Let the version that is tried have all calls of SERVICE.

    The others are asked only if it cannot be; drain them, then `canary clear`.
    """
    _end(invocation, service, "promote", "", as_json=as_json)


@canary.command()
@click.argument("service")
@click.option("--reason", default="", help="Why; for those who look later.")
@as_json_option
@pass_invocation
def abort(invocation: Invocation, service: str, *, reason: str, as_json: bool) -> None:
    """Let the version that is tried have no call of SERVICE any more.

    Drain its instances, then `canary clear`.
    """
    _end(invocation, service, "abort", reason, as_json=as_json)


@canary.command()
@click.argument("service")
@_force_option
@as_json_option
@pass_invocation
def clear(invocation: Invocation, service: str, *, force: bool, as_json: bool) -> None:
    """Forget the rule of SERVICE: all its instances are called alike."""
    processes = Processes(invocation)
    rule = processes.any(
        "canary.clear", service=service, force=force, by=process_operator()
    )
    processes.note("canary", f"{service} {rule['version']}", "clear")
    Output(as_json).done(f"{service}: there is no rule any more", service=service)


@canary.command()
@click.argument("service", required=False)
@as_json_option
@pass_invocation
def show(invocation: Invocation, service: str | None, *, as_json: bool) -> None:
    """Show what is tried, and how it does; with SERVICE, that one alone."""
    processes = Processes(invocation)
    answers = [answer for _, answer in processes.each("canary.list")]
    if not answers:
        answers = [processes.any("canary.list")]  # says why not
    output = Output(as_json)
    rules = [
        _facts(rule, answers)
        for rule in answers[0]["rules"]
        if service in (None, rule["service"])
    ]
    if service is not None and not rules:
        raise click.ClickException(f"{service}: there is no rule")
    if as_json:
        output.records((), [(rule, ()) for rule in rules])
        return
    if not rules:
        output.remark("nothing is tried")
    for rule in rules:
        _show(output, rule)


def _list(values: Sequence[str]) -> list[str] | None:
    """Return a list that was typed; ``None``: it stays; an empty word: it is empty."""
    return [value for value in values if value] if values else None


def _end(
    invocation: Invocation, service: str, how: str, reason: str, *, as_json: bool
) -> None:
    processes = Processes(invocation)
    rule = processes.any(
        "canary.end", service=service, how=how, reason=reason, by=process_operator()
    )
    _done(processes, service, rule, how, as_json=as_json)


def _done(
    processes: Processes,
    service: str,
    rule: Mapping[str, Any],
    act: str,
    *,
    as_json: bool,
) -> None:
    """Write it down, and tell what stands now."""
    version, state = rule["version"], rule["state"]
    detail = f"{act}: {rule['share']:g} %"
    if rule["reason"]:
        detail += f": {rule['reason']}"
    processes.note("canary", f"{service} {version}", detail)
    output = Output(as_json)
    whom = _whom(rule) if state == "active" else ""
    output.done(
        f"{service} {version} {_STATES[state]}{whom and f': {whom}'}",
        **{"service": service, **rule},
    )
    if not any(rule["instances"].values()):
        output.remark(f"nobody plays {service} as yet, in whatever version")
    elif not rule["instances"]["canary"]:
        output.remark(f"nobody plays {version} as yet: the others have all calls")


def _whom(rule: Mapping[str, Any]) -> str:
    """Return whom the version serves."""
    parts = [f"{rule['share']:g} % of the members"]
    for name, one, many in (
        ("cids", "member", "members"),
        ("groups", "group", "groups"),
        ("zones", "zone", "zones"),
    ):
        values = [shown(value) for value in rule[name]]
        if values:
            parts.append(f"{one if len(values) == 1 else many} {', '.join(values)}")
    return "; ".join(parts)


def _limits(rule: Mapping[str, Any]) -> str:
    """Return when it is backed out."""
    limits = rule["limits"]
    if limits is None:
        return "none"
    parts = []
    if limits["error_points"] is not None:
        parts.append(f"errors {limits['error_points']:g} points above the others'")
    if limits["p99_ratio"] is not None:
        parts.append(f"p99 {limits['p99_ratio']:g} times the others'")
    return (
        f"{', '.join(parts)}, after {limits['least_calls']} calls of each within "
        f"{limits['window']:g} s"
    )


def _facts(rule: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> Facts:
    """Return a rule, and how it does as each process sees it."""
    return {
        **rule,
        "cids": [shown(cid) for cid in rule["cids"]],
        "changed": iso(Seconds(rule["changed"])),
        "changed_at": rule["changed"],
        "seen": [
            {
                "process": answer["process"],
                "seconds": sight["seconds"],
                **{
                    part: {
                        "calls": sight[part]["calls"],
                        "errors": sight[part]["errors"],
                        "p99": round(p99_of(sight[part]["buckets"]), 6),
                        "buckets": sight[part]["buckets"],
                    }
                    for part in ("canary", "others")
                },
            }
            for answer in answers
            for sight in answer["sights"]
            if (sight["service"], sight["version"])
            == (rule["service"], rule["version"])
        ],
    }


def _show(output: Output, rule: Facts) -> None:
    facts: Mapping[str, Any] = rule
    counts = facts["instances"]
    output.record(
        facts,
        {
            "service": facts["service"],
            "version": facts["version"],
            "state": f"{facts['state']}: it {_STATES[facts['state']]}",
            "why": facts["reason"],
            "for": _whom(facts),
            "limits": _limits(facts),
            "instances": f"{counts['canary']} of it, {counts['others']} others",
            "changed": f"{utc(Seconds(facts['changed_at']))}, by {facts['by']}",
        },
    )
    output.records(
        ("seen by", "within", "version", "calls", "errors", "p99"),
        [
            (
                sight,
                (
                    str(sight["process"]),
                    f"{sight['seconds']:.0f} s",
                    str(facts["version"]) if part == "canary" else "others",
                    calls_cell(sight[part]),
                    errors_cell(sight[part]),
                    p99_cell(sight[part]),
                ),
            )
            for sight in facts["seen"]
            for part in ("canary", "others")
        ],
    )
