"""Turns many runs into what a reader wants: medians, ratios, goals, doubts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.figures import KINDS, Figures, Kind, medians, ratios
from bench.scenarios import Goal, Scenario

__all__ = ["OURS", "Run", "doubts", "table"]

OURS: Final = "rum"
_BUSY: Final = 0.90  # of a core: above it the generator was the limit
_LATE: Final = 0.5  # of the 99th percentile, that sends may be late
_STARVED: Final = 0.1  # of a run, that the server may wait for a core
_COMPARED: Final = ("cpu_s_per_million", "p50_ms", "p99_ms", "peak_mb")
_SLACK: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One server on one scenario, once."""

    scenario: str
    server: str
    repeat: int
    figures: Figures | None
    reason: str = ""  # why there are no figures


def doubts(run: Run) -> str:
    """Return why a run's latencies are not to be believed; empty: they are."""
    if run.figures is None:
        return ""
    busy, late, waited = (
        run.figures.get(name, 0.0) for name in ("generator", "lag_p99_ms", "waited")
    )
    if busy > _BUSY:
        return f"the generator took {busy:.0%} of a core: its own latencies"
    if late > _LATE * run.figures.get("p99_ms", late / _LATE):
        return f"the generator was late by up to {late:.1f} ms: a busy machine"
    if waited > _STARVED:
        return f"the server waited for a core {waited:.0%} of the time"
    return ""


def table(scenario: Scenario, runs: Sequence[Run]) -> str:
    """Return one scenario's runs as text.

    Args:
        scenario: of the table.
        runs: all of its.
    """
    return "\n".join(_lines(scenario, runs)) + "\n"


def _lines(scenario: Scenario, runs: Sequence[Run]) -> Iterator[str]:
    yield f"{scenario.name}: {scenario.what}"
    servers = list(dict.fromkeys(run.server for run in runs))
    found = {
        server: medians([run.figures for run in runs if run.server == server])
        for server in servers
    }
    rows = [
        [server, *(_cell(found[server], name) for name in scenario.columns)]
        for server in servers
        if found[server]
    ]
    if rows:
        head = [KINDS[name].label for name in scenario.columns]
        yield from _aligned([["", *head], *rows])
    for server in servers:
        if server != OURS and found[server] and found.get(OURS):
            yield from _comparison(server, runs)
    if found.get(OURS):
        yield from (_verdict(goal, found[OURS]) for goal in scenario.goals)
    yield from _remarks(runs)


def _cell(figures: Figures, name: str) -> str:
    return KINDS[name].printed(figures.get(name))


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *cells in rows:
        line = [first.ljust(widths[0])]
        line += [
            cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)
        ]
        yield "  " + "  ".join(line).rstrip()


def _comparison(server: str, runs: Sequence[Run]) -> Iterator[str]:
    """Tell what part of another server's figures ours are."""
    ours = {run.repeat: run.figures for run in runs if run.server == OURS}
    pairs = [
        (mine, run.figures)
        for run in runs
        if run.server == server
        and run.figures is not None
        and (mine := ours.get(run.repeat)) is not None
    ]
    found = ratios(pairs)
    parts = [
        f"{KINDS[name].label.split()[0]} {found[name]:.2f}"
        for name in _COMPARED
        if name in found
    ]
    if parts:
        yield f"  of {server}'s: {', '.join(parts)} (pairs: {len(pairs)})"


def _verdict(goal: Goal, figures: Figures) -> str:
    kind = KINDS[goal.figure]
    value = figures.get(goal.figure)
    text = f"{kind.label} {kind.printed(value)}"
    if value is None:
        return f"  ?    {text}"
    if goal.must is None:
        mark = "ok" if _meets(value, goal, goal.aim) else "-"
    else:
        mark = "ok" if _meets(value, goal, goal.must) else "MISS"
        text += f", must {_bounds(goal, kind, goal.must)}"
    if goal.aim is not None:
        reached = "reached" if _meets(value, goal, goal.aim) else "not reached"
        text += f", aim {_bounds(goal, kind, goal.aim)} {reached}"
    return f"  {mark:<4} {text}"


def _meets(value: float, goal: Goal, most: float | None) -> bool:
    is_enough = goal.least is None or value >= goal.least
    return is_enough and (most is None or value <= most + _SLACK)


def _bounds(goal: Goal, kind: Kind, most: float) -> str:
    text = f"≤ {kind.printed(most)}"
    return text if goal.least is None else f"≥ {kind.printed(goal.least)} and {text}"


def _remarks(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        where = f"  {run.server}, repeat {run.repeat + 1}"
        if run.figures is None:
            yield f"{where}: not measured: {run.reason}"
        elif doubt := doubts(run):
            yield f"{where}: doubtful: {doubt}"
