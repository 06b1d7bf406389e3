"""``rumctl guard``: what the running server does before memory or CPU run out.

See docs/observe.md.
"""

from collections.abc import Mapping
from typing import Any, Final

import click

from rum_twisted.cli.asking import ask_server
from rum_twisted.cli.invocation import (
    Invocation,
    pass_invocation,
    process_operator,
    process_whereabouts,
)
from rum_twisted.cli.output import Output, as_json_option, utc
from rum_twisted.terms.units import Seconds

__all__ = ["guard"]

_MB: Final = 1 << 20
_USUAL: Final = 60.0  # seconds
_LONGEST: Final = 600.0
_SHOWN: Final = 10  # events
_COST: Final = (
    "Until it ends, everything up to this rung is really done (positions are thinned, "
    "logons are refused, everybody is told of it at the last), but nobody is cut and "
    "nothing is ended."
)
_DID: Final = (
    ("bytes_freed", "caches have shrunk by"),
    ("objects_collected", "garbage collected"),
    ("reports_kept_back", "reports kept back"),
    ("logons_refused", "logons refused"),
    ("clients_cut", "clients cut"),
)


@click.group(invoke_without_command=True)
@as_json_option
@click.pass_context
def guard(context: click.Context, *, as_json: bool) -> None:
    """Show how near the limits are, and what is done about it."""
    if context.invoked_subcommand is None:
        invocation = context.find_object(Invocation)
        assert invocation is not None, "the command above makes it"
        _show(_ask(invocation, "guard.status"), Output(as_json))


@guard.command()
@click.argument("rung")
@click.option(
    "--seconds",
    type=click.FloatRange(0.0, _LONGEST, min_open=True),
    default=_USUAL,
    show_default=True,
    help="When it ends by itself.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json_option
@pass_invocation
def rehearse(
    invocation: Invocation, rung: str, *, seconds: float, yes: bool, as_json: bool
) -> None:
    """Act for a while as if RUNG, and those below it, were reached.

    The names of rungs are in `rumctl guard`. Nobody is cut, and nothing is ended: it
    is told whom that would hit.
    """
    invocation.refuse_name()
    if not yes:
        click.echo(_COST, err=True)
        click.confirm("Begin?", abort=True, err=True)
    by = f"{process_operator()} at {process_whereabouts()}"
    found = _ask(invocation, "guard.rehearse", rung=rung, seconds=seconds, by=by)
    output = Output(as_json)
    if as_json:
        output.record(found, {})
        return
    output.remark(f"{rung} is rehearsed for {seconds:g} s, until {utc(found['until'])}")
    output.remark("in force: " + ", ".join(found["in_force"]))
    if found["would_cut"]:
        output.remark("would be cut: " + ", ".join(found["would_cut"]))
    if found["suspect"]:
        output.remark("has grown most: " + _suspect(found["suspect"]))


@guard.command()
@as_json_option
@pass_invocation
def end(invocation: Invocation, *, as_json: bool) -> None:
    """End a rehearsal before its time."""
    _ask(invocation, "guard.end")
    Output(as_json).done("nothing is rehearsed any more")


def _ask(invocation: Invocation, command: str, **arguments: Any) -> Any:
    """Ask the running server; nothing of this is done in a member's name."""
    invocation.refuse_name()
    return ask_server(invocation, command, **arguments)


def _show(found: Mapping[str, Any], output: Output) -> None:
    if output.as_json:
        output.record(found, {})
        return
    output.remark(_state(found))
    output.records(
        ("rung", "at", "in force", "since", "times", "what is done"),
        [(rung, _cells(rung)) for rung in found["rungs"]],
    )
    did = found["did"]
    said = [f"{words} {did[name]:,}" for name, words in _DID if did[name]]
    if did["ended"]:
        said.append("ended: " + ", ".join(did["ended"]))
    if said:
        output.remark("so far: " + "; ".join(said))
    if found["suspect"]:
        output.remark("has grown most: " + _suspect(found["suspect"]))
    for event in found["events"][-_SHOWN:]:
        output.remark(f"{utc(event['at'])}  {event['rung']}: {event['text']}")


def _state(found: Mapping[str, Any]) -> str:
    """Return the first line: how near the limits are."""
    if not found["enabled"]:
        return "guard.enabled is false: nothing is done"
    memory = found["memory"]
    used = "there is no memory limit"
    if memory is not None:
        whose = "control group" if memory["is_group"] else "process"
        used = (
            f"memory at {memory['percent']:.1f} %: {memory['used'] / _MB:.1f} of "
            f"{memory['limit'] / _MB:.1f} MB ({whose}; "
            f"{memory['base'] / _MB:.1f} at the start)"
        )
    rehearsal = found["rehearsal"]
    rehearsed = ""
    if rehearsal is not None:
        rehearsed = (
            f"; {rehearsal['rung']} is rehearsed until {utc(rehearsal['until'])}"
        )
    return (
        f"{used}; lag {found['lag_s']:.2f} s, standing still "
        f"{found['throttled_percent']:.0f} % of the time{rehearsed}"
    )


def _cells(rung: Mapping[str, Any]) -> tuple[str, ...]:
    bounds = rung["bounds"]
    lag = f"{bounds.get('lag_s', 0):g} s"
    at = f"{bounds['percent']:g} %" if "percent" in bounds else lag
    state = "yes" if rung["is_reached"] else "rehearsed" if rung["is_in_force"] else ""
    since = rung["since"]
    return (
        rung["name"],
        at,
        state,
        "" if since is None else utc(Seconds(since)),
        str(rung["times"] or ""),
        rung["doing"],
    )


def _suspect(suspect: Mapping[str, Any]) -> str:
    what = "owner" if suspect["is_owner"] else "type"
    place = f", made at {suspect['made_at']}" if suspect["made_at"] else ""
    return (
        f"{what} {suspect['name']}, by {suspect['grown'] / _MB:.1f} MB in "
        f"{suspect['seconds']:.0f} s, to {suspect['count']:,}{place}"
    )
