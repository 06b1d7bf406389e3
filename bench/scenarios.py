"""The table of what is run, and what Rum has to show there.

A scenario is a way to measure one server, on a load. The goals are for one core of
the project's machine; elsewhere the ratios to the yardsticks say more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.measures import Frozen, Place, Steady, Storm
from bench.servers import Server

__all__ = ["QUICK", "SCENARIOS", "Goal", "Scenario"]

Measure = Callable[[Server, Place], Mapping[str, float]]
"""Measures one server once, and returns its figures."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What one figure has to be.

    Args:
        figure: see `bench.figures`.
        must: at most; ``None``: there is only the aim.
        aim: at most, and better.
        least: where too little is wrong as well.
    """

    figure: str
    must: float | None
    aim: float | None = None
    least: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One row of the table.

    Args:
        name: on the command line.
        what: it is, in a line.
        measure: runs it once.
        goals: for Rum.
        rivals: names of the yardsticks that it makes sense for.
        columns: the figures to print.
        clients: for the plot.
        interval: seconds between a client's reports, for the plot; 0: not plotted.
    """

    name: str
    what: str
    measure: Measure
    goals: tuple[Goal, ...]
    rivals: tuple[str, ...]
    columns: tuple[str, ...]
    clients: int
    interval: float = 0.0


def _steady_goals(
    price: tuple[float, float], p50_ms: float, p99_ms: float
) -> tuple[Goal, ...]:
    """Return goals: (must, aim) in CPU-s per million lines, then latencies."""
    return (
        Goal("cpu_s_per_million", *price),
        Goal("p50_ms", p50_ms),
        Goal("p99_ms", p99_ms),
        Goal("lost", 0.0),
        Goal("missing", 0.0),
    )


_ALL: Final = ("pyfsd", "fsd", "relay-naive", "relay-50ms")
_WITH_RANGES: Final = ("pyfsd", "fsd")  # a relay has none
_COLUMNS: Final = (
    *("lines_per_s", "lost", "missing", "p50_ms", "p99_ms", "cpu"),
    *("cpu_s_per_million", "idle_mb", "peak_mb", "client_kb"),
)

SCENARIOS: Final = (
    Scenario(
        name="c100",
        what="100 pilots who all see each other, a report every 5 s",
        measure=Steady(100, seconds=20.0),  # CPU time comes in steps of 10 ms
        goals=_steady_goals((7.0, 5.0), 2.5, 8.0),
        rivals=_ALL,
        columns=_COLUMNS,
        clients=100,
        interval=5.0,
    ),
    Scenario(
        name="c400",
        what="400 pilots who all see each other, a report every 5 s",
        measure=Steady(400),
        goals=_steady_goals((4.0, 2.5), 5.0, 12.0),
        rivals=_ALL,
        columns=_COLUMNS,
        clients=400,
        interval=5.0,
    ),
    Scenario(
        name="c400x1",
        what="400 pilots who all see each other, a report every second",
        measure=Steady(400, ("--interval", "1")),
        goals=_steady_goals((1.7, 1.2), 8.0, 20.0),
        rivals=_ALL,
        columns=_COLUMNS,
        clients=400,
        interval=1.0,
    ),
    Scenario(
        name="c100hi",
        what="100 pilots who all see each other, a report every 0.2 s",
        measure=Steady(100, ("--interval", "0.2")),
        goals=_steady_goals((2.4, 1.8), 5.0, 15.0),
        rivals=_ALL,
        columns=_COLUMNS,
        clients=100,
        interval=0.2,
    ),
    Scenario(
        name="c1500",
        what="1,500 pilots who all see each other, a report every 5 s",
        measure=Steady(1500),
        goals=(
            *_steady_goals((1.0, 0.6), 40.0, 90.0),
            Goal("idle_mb", 45.0, 40.0),
            Goal("client_kb", 6.0, 4.0),
            Goal("peak_mb", 60.0),
        ),
        rivals=_ALL,
        columns=_COLUMNS,
        clients=1500,
        interval=5.0,
    ),
    Scenario(
        name="c1000x1",
        what="1,000 pilots who all see each other, a report every second",
        measure=Steady(1000, ("--interval", "1")),
        goals=(
            Goal("cpu", 0.60, 0.35),
            Goal("p99_ms", 150.0),
            Goal("lost", 0.0),
            Goal("missing", 0.0),
        ),
        rivals=("relay-50ms",),
        columns=_COLUMNS,
        clients=1000,
        interval=1.0,
    ),
    Scenario(
        name="hubs1000",
        what="1,000 pilots between 8 airports, a report every 5 s",
        measure=Steady(1000, ("--layout", "hubs")),
        goals=_steady_goals((5.0, 3.0), 15.0, 40.0),
        rivals=_WITH_RANGES,
        columns=_COLUMNS,
        clients=1000,
    ),
    Scenario(
        name="spread1500",
        what="1,500 pilots all over the world, a report every 5 s",
        measure=Steady(1500, ("--layout", "spread")),
        goals=(Goal("cpu", 0.12, 0.06), Goal("lost", 0.0), Goal("missing", 0.0)),
        rivals=_WITH_RANGES,
        columns=_COLUMNS,
        clients=1500,
    ),
    Scenario(
        name="box1200",
        what="0.15 of a core; 1,200 pilots who all see each other, every 5 s",
        measure=Steady(1200, in_box=True),
        goals=(
            Goal("lost", 0.0),
            Goal("missing", 0.0),
            Goal("p99_ms", 400.0),
            Goal("peak_mb", 60.0),
        ),
        rivals=("relay-50ms",),
        columns=_COLUMNS,
        clients=1200,
    ),
    Scenario(
        name="box2000",
        what="0.15 of a core; 2,000 pilots who all see each other, every 5 s",
        measure=Steady(2000, in_box=True),
        goals=(
            Goal("lost", None, 0.0),
            Goal("missing", None, 0.0),
            Goal("p99_ms", None, 700.0),
            Goal("peak_mb", None, 60.0),
        ),
        rivals=("relay-50ms",),
        columns=_COLUMNS,
        clients=2000,
    ),
    Scenario(
        name="storm1000",
        what="1,000 log on at one instant while 200 fly",
        measure=Storm(1000),
        goals=(
            Goal("missing", 0.0),
            Goal("last_login_s", 2.0, 0.5),
            Goal("others_ms", 20.0),
        ),
        rivals=_WITH_RANGES,
        columns=("missing", "last_login_s", "p99_ms", "others_ms", "peak_mb"),
        clients=1000,
    ),
    Scenario(
        name="frozen",
        what="10 of 60 never read; the kernel holds 64 kB for each; 738 lines/s each",
        measure=Frozen(60),
        goals=(
            Goal("others_share", 0.20),
            Goal("frozen_kb", 256.0),
            Goal("not_cut", 0.0),
            Goal("cut_after_s", 60.0, least=30.0),
            Goal("lost", 0.0),
        ),
        rivals=_WITH_RANGES,
        columns=(
            *("lines_per_s", "lost", "p50_ms", "p99_ms", "others_share"),
            *("frozen_kb", "not_cut", "cut_after_s", "peak_mb"),
        ),
        clients=60,
    ),
    Scenario(
        name="idle100",
        what="100 are on and say nothing",
        measure=Steady(
            100, ("--interval", "0", "--no-flight-plans", "--warmup", "3"), seconds=20.0
        ),
        goals=(Goal("cpu", 0.002), Goal("idle_mb", 45.0, 40.0)),
        rivals=_WITH_RANGES,
        columns=("missing", "cpu", "idle_mb", "peak_mb", "client_kb"),
        clients=100,
    ),
)

QUICK: Final = ("c400x1", "box1200", "storm1000", "c100hi")
"""What a quick run is made of, most telling first: it may run out of time."""
