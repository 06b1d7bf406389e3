"""``rumctl heap`` and ``rumctl owners``: what the running server's memory is made of.

The server is asked over its socket file; a dump is read from a file, which needs no
server. See docs/observe.md.
"""

import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from rum_twisted.admin.census import WALK
from rum_twisted.admin.dump import NoDump, read_dump, write_dump
from rum_twisted.cli.asking import ask_server
from rum_twisted.cli.auditing import note_without_database
from rum_twisted.cli.invocation import Invocation, pass_invocation
from rum_twisted.cli.output import Output, as_json_option, utc
from rum_twisted.terms.units import Seconds

__all__ = ["heap", "owners"]

_USUAL: Final = 20  # lines
_MOST: Final = 200
_KB: Final = 1024
_MB: Final = 1 << 20
_MINUTE: Final = 60.0  # seconds
_ACT: Final = "heap"  # as the audit log calls what is more than a look

_lines_option: Final = click.option(
    "--lines",
    type=click.IntRange(1, _MOST),
    default=_USUAL,
    show_default=True,
    help="How many at most.",
)


@click.command()
@as_json_option
@pass_invocation
def owners(invocation: Invocation, *, as_json: bool) -> None:
    """Show whose the memory is: every owner's count, bytes, bound, oldest."""
    _show_owners(_ask(invocation, "heap.owners"), Output(as_json))


@click.group()
def heap() -> None:
    """Look at the live heap: what it is made of, what grows, what holds it."""


@heap.command("owners")
@as_json_option
@pass_invocation
def heap_owners(invocation: Invocation, *, as_json: bool) -> None:
    """Show whose the memory is; the same as `rumctl owners`."""
    _show_owners(_ask(invocation, "heap.owners"), Output(as_json))


@heap.command()
@_lines_option
@as_json_option
@pass_invocation
def census(invocation: Invocation, *, lines: int, as_json: bool) -> None:
    """Count all objects by type, those that take most first.

    The server counts in slices and serves everybody meanwhile.
    """
    _show_census(_ask(invocation, "heap.census", lines=lines), Output(as_json))


@heap.command()
@as_json_option
@pass_invocation
def mark(invocation: Invocation, *, as_json: bool) -> None:
    """Remember this moment; `heap growth` compares with it."""
    found = _ask(invocation, "heap.mark")
    Output(as_json).done(f"marked: {found['objects']:,} objects", **found)


@heap.command()
@click.option(
    "--minutes",
    type=click.IntRange(1, 24 * 60),
    help="Compare with so many minutes ago instead: one sample a minute is kept.",
)
@_lines_option
@as_json_option
@pass_invocation
def growth(
    invocation: Invocation, *, minutes: int | None, lines: int, as_json: bool
) -> None:
    """Show what has grown since `heap mark`, or in the last minutes."""
    found = _ask(invocation, "heap.growth", minutes=minutes)
    output = Output(as_json)
    if as_json:
        output.record(found, {})
        return
    since, seconds = utc(Seconds(found["since"])), found["seconds"]
    output.remark(f"since {since}, {seconds:,.0f} s ago")
    for kind, heading in (("owners", "owner"), ("types", "type")):
        output.records(
            (heading, "more", "more bytes", "now", "bytes now"),
            [
                (
                    each,
                    (
                        each["name"],
                        f"{each['count']:+,}",
                        f"{each['bytes']:+,}",
                        f"{each['now_count']:,}",
                        f"{each['now_bytes']:,}",
                    ),
                )
                for each in found[kind][:lines]
            ],
        )


@heap.command()
@click.argument("type_name", metavar="TYPE")
@click.option(
    "--number",
    type=int,
    default=-1,
    show_default=True,
    help="Which object of that type: 0 is the oldest, -1 the newest.",
)
@as_json_option
@pass_invocation
def who(invocation: Invocation, type_name: str, *, number: int, as_json: bool) -> None:
    """Show who keeps an object of TYPE alive; `heap census` has the names.

    It looks at all objects some times, and holds everybody up for 15 to 60 ms each
    where there are 500,000.
    """
    found = _ask(invocation, "heap.who", type=type_name, number=number)
    output = Output(as_json)
    if as_json:
        output.record(found, {})
        return
    output.remark(f"{found['type']}, {found['bytes']:,} bytes")
    if found["path"]:
        output.remark("from the top: " + " ".join(found["path"]))
    for chain in found["chains"]:
        output.remark("- " + ", held by ".join(chain))


@heap.group()
def trace() -> None:
    """Find the lines that take memory, within a window of time."""


@trace.command()
@click.option(
    "--seconds",
    type=click.FloatRange(1.0, 600.0),
    default=_MINUTE,
    show_default=True,
    help="When it ends by itself.",
)
@click.option(
    "--frames",
    type=click.IntRange(1, 5),
    default=1,
    show_default=True,
    help="Lines of the stack to keep for each piece of memory.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json_option
@pass_invocation
def start(
    invocation: Invocation, *, seconds: float, frames: int, yes: bool, as_json: bool
) -> None:
    """Begin; what it costs is told first."""
    from rum_twisted.admin.trace import COST  # noqa: PLC0415 - for this alone

    if not yes:
        click.echo(COST, err=True)
        click.confirm("Begin?", abort=True, err=True)
    found = _ask(invocation, "heap.trace.start", seconds=seconds, frames=frames)
    note_without_database(invocation, _ACT, "trace start")
    Output(as_json).done(f"memory is traced for {seconds:g} s", **found)


@trace.command()
@as_json_option
@pass_invocation
def stop(invocation: Invocation, *, as_json: bool) -> None:
    """End it; what it found is gone."""
    _ask(invocation, "heap.trace.stop")
    note_without_database(invocation, _ACT, "trace stop")
    Output(as_json).done("memory is traced no more", done=True)


@trace.command()
@_lines_option
@as_json_option
@pass_invocation
def top(invocation: Invocation, *, lines: int, as_json: bool) -> None:
    """Show the lines that took most of what is kept since the start."""
    found = _ask(invocation, "heap.trace.top", lines=lines)
    output = Output(as_json)
    if as_json:
        output.record(found, {})
        return
    traced, seconds = found["traced"], found["seconds"]
    output.remark(f"{traced:,} bytes were taken and kept in {seconds:g} s")
    output.records(
        ("bytes", "count", "line"),
        [
            (
                each,
                (
                    f"{each['bytes']:,}",
                    f"{each['count']:,}",
                    " < ".join(reversed(each["stack"])),
                ),
            )
            for each in found["lines"]
        ],
    )


@heap.command()
@click.option("--collect", is_flag=True, help="Have it look at everything now.")
@as_json_option
@pass_invocation
def gc(invocation: Invocation, *, collect: bool, as_json: bool) -> None:
    """Show what the garbage collector does."""
    found = _ask(invocation, "heap.gc", collect=collect)
    if collect:
        note_without_database(invocation, _ACT, "gc --collect")
    Output(as_json).record(
        found, {name.replace("_", " "): str(value) for name, value in found.items()}
    )


@heap.command()
@as_json_option
@pass_invocation
def lag(invocation: Invocation, *, as_json: bool) -> None:
    """Show what held the server up, the slowest first, with the line it was in."""
    found = _ask(invocation, "heap.lag")
    output = Output(as_json)
    if as_json:
        output.record(found, {})
    else:
        _show_stalls(found["slowest"], output)


@heap.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@as_json_option
@pass_invocation
def dump(invocation: Invocation, file: Path, *, as_json: bool) -> None:
    """Write a dump to FILE: counts, bytes, names and lines; no values, no secrets."""
    found = _ask(invocation, "heap.dump")
    note_without_database(invocation, _ACT, f"dump {file}")
    try:
        write_dump(file, found)
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror or error}") from error
    size = file.stat().st_size
    Output(as_json).done(f"{file}: {size:,} bytes", file=str(file), bytes=size)


@heap.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page with plots to this file instead.",
)
@click.option("--open", "is_opened", is_flag=True, help="Show that page in a browser.")
@_lines_option
@as_json_option
def show(
    file: Path, *, html: Path | None, is_opened: bool, lines: int, as_json: bool
) -> None:
    """Show a dump that was written earlier; no server is needed."""
    try:
        found = read_dump(file)
    except NoDump as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror or error}") from error
    if html is not None:
        _write_page(found, html, is_opened=is_opened)
    elif as_json:
        Output(as_json).record(found, {})
    else:
        _show_dump(found, lines)


def _ask(invocation: Invocation, command: str, **arguments: Any) -> Any:
    """Ask the running server; nothing of this is done in a member's name."""
    invocation.refuse_name()
    return ask_server(invocation, command, **arguments)


def _write_page(found: Mapping[str, Any], path: Path, *, is_opened: bool) -> None:
    from rum_twisted.admin.page import page_of  # noqa: PLC0415 - for this alone

    try:
        path.write_text(page_of(found), "utf-8")
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror or error}") from error
    click.echo(f"{path}: written")
    if is_opened:
        webbrowser.open(path.resolve().as_uri())


def _show_dump(found: Mapping[str, Any], lines: int) -> None:
    output = Output()
    try:
        output.remark(
            f"Rum {found['version']}, process {found['pid']}, "
            f"{utc(Seconds(found['at']))}: {found['reason']}"
        )
        _show_owners(found["owners"], output)
        kinds = {**found["census"], "types": found["census"]["types"][:lines]}
        _show_census(kinds, output)
        _show_stalls(found["lag"]["slowest"], output)
        _show_samples(found["samples"][-lines:], output)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise click.ClickException(
            f"the dump is damaged: {error!r} where something else was due"
        ) from error


def _show_owners(found: Mapping[str, Any], output: Output) -> None:
    if output.as_json:
        output.record(found, {})
        return
    output.records(
        ("owner", "count", "kB", "bound", "oldest", "made at"),
        [(each, _owner_cells(each)) for each in found["owners"]],
    )
    told, rss = found["bytes"] / _MB, (found["rss"] or 0) / _MB
    output.remark(f"{told:.1f} MB have an owner; {rss:.1f} MB are resident")


def _owner_cells(owner: Mapping[str, Any]) -> tuple[str, ...]:
    trouble = owner.get("trouble")
    bound = owner.get("bound")
    bytes_bound = owner.get("bytes_bound")
    oldest = owner.get("oldest_s")
    return (
        owner["name"],
        f"{owner['count']:,}",
        f"{owner['bytes'] / _KB:,.1f}",
        " and ".join(
            ([f"{bound:,}"] if bound is not None else [])
            + ([f"{bytes_bound / _KB:,.0f} kB"] if bytes_bound is not None else [])
        ),
        "" if oldest is None else f"{oldest:,.0f} s",
        f"not measured: {trouble}" if trouble else owner.get("made_at", ""),
    )


def _show_census(found: Mapping[str, Any], output: Output) -> None:
    if output.as_json:
        output.record(found, {})
        return
    output.records(
        ("type", "count", "bytes"),
        [
            (each, (each["name"], f"{each['count']:,}", f"{each['bytes']:,}"))
            for each in found["types"]
        ],
    )
    # A dump may be of an older server, which did not say it.
    were = "among them" if found.get("method") == WALK else "not"
    output.remark(
        f"{found['objects']:,} objects were counted, and {found['frozen']:,} that are "
        f"as old as the server were {were}"
    )


def _show_stalls(stalls: Sequence[Mapping[str, Any]], output: Output) -> None:
    output.records(
        ("when", "seconds", "line"),
        [
            (each, (utc(Seconds(each["at"])), f"{each['seconds']:.3f}", each["line"]))
            for each in stalls
        ],
    )


def _show_samples(samples: Sequence[Mapping[str, Any]], output: Output) -> None:
    output.records(
        ("when", "RSS MB", "limit MB", "lag s", "largest owner", "MB"),
        [(sample, _sample_cells(sample)) for sample in samples],
    )


def _sample_cells(sample: Mapping[str, Any]) -> tuple[str, ...]:
    gauges = sample["gauges"]
    sizes = {name: size for name, (_, size) in sample["owners"].items()}
    most = max(sizes, key=lambda name: int(sizes[name]), default="")
    return (
        utc(Seconds(gauges["at"])),
        _megabytes(gauges["rss"]),
        _megabytes(gauges["group_limit"]),
        f"{gauges['lag_longest_s']:.3f}",
        most,
        _megabytes(sizes.get(most)),
    )


def _megabytes(size: float | None) -> str:
    return "" if size is None else f"{size / _MB:,.1f}"
