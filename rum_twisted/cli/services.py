"""``rumctl services``, ``drain`` and ``undrain``: who plays what, and who shall not.

The processes of this data folder are asked over their socket files. Who there is
stands in the registry, so any of them knows it; how somebody answers is known to those
who have called him, and is added up. What is wanted of a process of another folder, or
of another machine, goes by way of the registry, too.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from rum_twisted.cli.asking import Processes
from rum_twisted.cli.invocation import (
    Invocation,
    pass_invocation,
    process_operator,
    process_whereabouts,
)
from rum_twisted.cli.output import Facts, Output, as_json_option, iso
from rum_twisted.control.client import NotAnswering
from rum_twisted.rpc.metrics import p99_of
from rum_twisted.terms.units import Seconds

__all__ = ["calls_cell", "drain", "errors_cell", "p99_cell", "services", "undrain"]

_HEADINGS: Final = (
    *("service", "instance", "version", "group", "zone"),
    *("state", "weight", "calls", "errors", "p99"),
)
_BETWEEN_LOOKS: Final = 0.2  # seconds
_BETWEEN_LOOKS_AFAR: Final = 0.5  # each of them is a question to etcd
_HEARS_WITHIN: Final = 15.0  # seconds; etcd may stand still so long unnoticed
_AIMS: Final = {"end": "gone", "stay": "inactive", "serve": "up"}
_WORDS: Final = {
    "gone": "ended",
    "inactive": "aside",
    "up": "serving",
    "draining": "draining",
}
_MS: Final = 1000.0


@click.command()
@click.option("--watch", is_flag=True, help="Look again and again, until interrupted.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600.0),
    default=2.0,
    show_default=True,
    help="Seconds between two looks, with --watch.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    help="Look so many times, with --watch, and end.",
)
@as_json_option
@pass_invocation
def services(
    invocation: Invocation,
    *,
    watch: bool,
    interval: float,
    rounds: int | None,
    as_json: bool,
) -> None:
    """Show every instance of every service, and how it has answered.

    Calls, errors and p99 are those of the processes of this data folder, since each
    was started.
    """
    processes = Processes(invocation)
    output = Output(as_json)

    def look() -> list[tuple[Facts, tuple[str, ...]]]:
        return [(_facts(each), _cells(each)) for each in _instances(processes, output)]

    if watch:
        output.watch(look, _HEADINGS, interval, rounds)
    else:
        output.records(_HEADINGS, look())


_within_option: Final = click.option(
    "--within",
    type=click.FloatRange(0.1, 60.0),
    default=_HEARS_WITHIN,
    show_default=True,
    help="Seconds until a process elsewhere must have heard.",
)


@click.command()
@click.argument("instance")
@click.option(
    "--stay", is_flag=True, help="Let it run on, aside, until it is undrained."
)
@click.option("--no-wait", is_flag=True, help="Do not wait until it is done.")
@_within_option
@as_json_option
@pass_invocation
def drain(
    invocation: Invocation,
    instance: str,
    *,
    stay: bool,
    no_wait: bool,
    within: float,
    as_json: bool,
) -> None:
    """Take INSTANCE out of service: nobody calls it any more, and then it ends.

    `rumctl services` has the names. It leaves the registry first, answers what is
    under way, and ends; whatever looks after it may start it again. It may run
    anywhere: if it has no socket file in this data folder, it hears by the registry.
    """
    processes = Processes(invocation)
    path, others = _place_of(processes, instance)
    if path is None:
        kind = "stay" if stay else "end"
        found = _want(processes, instance, kind, others)
    else:
        found = _asked(processes, path, "drain.begin", instance, stays=stay)
    whom = f"{'+'.join(found['services'])} {instance}"
    processes.note("drain", whom, "stays" if stay else "ends")
    if path is None:
        bound = 0.0 if no_wait else within
        state = _wait_afar(processes, instance, _AIMS[kind], bound)
    elif no_wait:
        state = str(found["state"])
    else:
        state = str(_wait(processes, path, instance, found)["state"])
    words = {
        "asked": f"{instance} is asked to, and has not heard as yet",
        "draining": f"{instance} takes no new calls",
        "aside": f"{instance} is drained, and stands aside",
        "ended": f"{instance} is drained, and has ended",
    }
    Output(as_json).done(
        words.get(state, f"{instance}: {state}"), name=instance, state=state
    )


@click.command()
@click.argument("instance")
@_within_option
@as_json_option
@pass_invocation
def undrain(
    invocation: Invocation, instance: str, *, within: float, as_json: bool
) -> None:
    """Bring INSTANCE back into service, if it has not ended."""
    processes = Processes(invocation)
    path, others = _place_of(processes, instance)
    if path is None:
        found = _want(processes, instance, "serve", others)
    else:
        found = _asked(processes, path, "drain.undo", instance)
    processes.note("undrain", f"{'+'.join(found['services'])} {instance}", "")
    if path is None:
        state = _wait_afar(processes, instance, _AIMS["serve"], within)
        if state == "ended":
            raise click.ClickException(f"{instance} has ended meanwhile")
    Output(as_json).done(f"{instance} serves again", name=instance, state="serving")


def _place_of(processes: Processes, instance: str) -> tuple[Path | None, list[str]]:
    """Return the socket file of a process; ``None``, and who else can be asked here."""
    names: list[str] = []
    for path, found in processes.each("drain.look"):
        if found["name"] == instance:
            return path, []
        names.append(f"{found['name']} ({', '.join(found['services'])})")
    return None, names


def _want(
    processes: Processes, instance: str, kind: str, others: Sequence[str]
) -> Mapping[str, Any]:
    """Let a process that cannot be asked here know by the registry what is wanted.

    Raises:
        click.ClickException: it cannot be reached like that.
    """
    words = {"by": process_operator(), "where": process_whereabouts()}
    try:
        found: Mapping[str, Any] = processes.any(
            "wish.make", name=instance, kind=kind, **words
        )
    except click.ClickException as error:
        raise click.ClickException(
            f"{instance}: no process that can be asked here has this name; those that "
            f"can are {', '.join(others) or 'none'}. By way of the registry: "
            f"{error.message}"
        ) from error
    return found


def _wait_afar(processes: Processes, instance: str, aim: str, within: float) -> str:
    """Wait until a process has heard, and then until it is done.

    Args:
        processes: any of them looks into the registry.
        instance: the process.
        aim: its state there, when it is done.
        within: how long it may take to hear, in seconds; 0: do not wait.

    Returns:
        what it is at, in the words of one that can be asked.

    Raises:
        click.ClickException: it does not hear, or somebody wants something else.
    """
    until = time.monotonic() + within
    while True:
        found = processes.any("wish.look", name=instance)
        state = found["state"]
        if state in (aim, "gone") or (not within and state == "draining"):
            return _WORDS[state]
        if not within:
            return "asked"
        if found["is_heard"] and state == "draining":
            until = time.monotonic() + within  # it has bounds of its own
        elif time.monotonic() > until:
            raise click.ClickException(
                f"{instance} serves all the same: somebody else has undrained it"
                if found["is_heard"] and state == "up"
                else f"{instance} has not heard: it has lost etcd, or is older than "
                "this; what is wanted of it is forgotten after a minute"
            )
        time.sleep(_BETWEEN_LOOKS_AFAR)  # noqa: TID251 - another process is awaited


def _asked(
    processes: Processes, path: Path, command: str, instance: str, **arguments: Any
) -> Any:
    try:
        return processes.at(
            path, command, name=instance, by=process_operator(), **arguments
        )
    except NotAnswering as error:
        raise click.ClickException(str(error)) from error


def _wait(
    processes: Processes, path: Path, instance: str, found: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Wait until it stands aside or has ended; it has bounds of its own."""
    while found["state"] in ("draining", "ending"):
        time.sleep(_BETWEEN_LOOKS)  # noqa: TID251 - another process is awaited
        try:
            found = processes.at(path, "drain.look")
        except (NotAnswering, click.ClickException):
            return {"state": "ended"}
        if found["name"] != instance:  # it has been started anew
            return {"state": "ended"}
    return found


def _instances(processes: Processes, output: Output) -> Iterator[dict[str, Any]]:
    """Yield all instances, with what all processes have counted about them."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    troubles: dict[str, None] = {}
    is_answered = False
    for _, answer in processes.each("services.list"):
        is_answered = True
        if answer["trouble"]:
            troubles[str(answer["trouble"])] = None
        for each in answer["instances"]:
            before = found.setdefault((each["service"], each["name"]), each)
            if before is not each:
                _add(before, each)
    if not is_answered:
        processes.any("services.list")  # says why
    for trouble in troubles:
        click.echo(f"as known last: etcd: {trouble}", err=True)
    yield from (found[key] for key in sorted(found))


def _add(to: dict[str, Any], other: Mapping[str, Any]) -> None:
    to["calls"] += other["calls"]
    to["errors"] += other["errors"]
    to["buckets"] = [
        a + b for a, b in zip(to["buckets"], other["buckets"], strict=True)
    ]


def _facts(each: Mapping[str, Any]) -> Facts:
    return {
        **{name: each[name] for name in ("service", "name", "address", "version")},
        **{name: each[name] for name in ("group", "zone", "state", "weight")},
        "started": iso(Seconds(each["started"])),
        "calls": each["calls"],
        "errors": each["errors"],
        "p99": round(p99_of(each["buckets"]), 6),
    }


def _cells(each: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(each["service"]),
        str(each["name"]),
        str(each["version"]),
        str(each["group"]),
        str(each["zone"]),
        str(each["state"]),
        str(each["weight"]),
        calls_cell(each),
        errors_cell(each),
        p99_cell(each),
    )


def calls_cell(counted: Mapping[str, Any]) -> str:
    """Return how many calls there were."""
    return f"{counted['calls']:,}"


def errors_cell(counted: Mapping[str, Any]) -> str:
    """Return how many of them failed, and which share that is."""
    calls, errors = counted["calls"], counted["errors"]
    return f"{errors:,} ({100 * errors / calls:.1f} %)" if errors and calls else "0"


def p99_cell(counted: Mapping[str, Any]) -> str:
    """Return how long 99 of 100 have taken at most; nothing if there were none."""
    if not counted["calls"]:
        return ""
    return f"{p99_of(counted['buckets']) * _MS:.1f} ms"
