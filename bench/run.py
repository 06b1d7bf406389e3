"""Measures Rum beside its yardsticks, and says what came out.

    python -m bench.run                  everything, five times: two hours
    python -m bench.run --quick          a taste, within three minutes
    python -m bench.run c400 c1500 --servers rum,pyfsd --repeats 3

Within a repeat every server has its turn at a scenario before the next scenario
begins, and who goes first changes from repeat to repeat: noise of the machine hits
all alike. Figures are medians; ratios are medians of the ratios of such pairs.
"""

import argparse
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bench import machine
from bench.confines import Unavailable
from bench.figures import KINDS, Figures, medians
from bench.load import Load, LoadFailed
from bench.measures import Pace, Place
from bench.processes import ROOT, NotServing
from bench.report import OURS, Run, doubts, table
from bench.scenarios import QUICK, SCENARIOS, Scenario
from bench.servers import Server, original_fsd, pyfsd, relay, rum
from bench.workshop import OUT, CannotBuild, compile_source, environment_with

__all__ = ["main"]

_PYFSD: Final = "pyfsd==0.0.1.2.dev0"
_MATPLOTLIB: Final = "matplotlib>=3.8"
_RELAYS: Final = {
    "relay-naive": 0,
    "relay-50ms": 50,  # as long as Rum's longest turn
}
_QUICK_END: Final = 120.0  # seconds: no run begins later, installing included
_REPEATS: Final = 5
_NAMED: Final = {scenario.name: scenario for scenario in SCENARIOS}
_TOLD: Final = frozenset(("missing", "lost", "p99_ms", "cpu_s_per_million"))
_BUSY: Final = 0.5  # load average beyond which the machine is not quiet


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run."""

    scenarios: tuple[Scenario, ...]
    servers: tuple[Server, ...]
    repeats: int
    pace: Pace


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; returns the exit status."""
    begun = time.monotonic()
    options = _parse(arguments)
    here = machine.look()
    print(here)
    if here.load > _BUSY:
        print("This machine is busy: what follows is noisy.")
    _allow_many_files()
    try:
        load = Load(compile_source(ROOT / "bench/fsdload/fsdload.cpp"), OUT)
    except CannotBuild as error:
        print(f"Nothing is measured: {error}")
        return 0
    plan = Plan(
        tuple(_NAMED[name] for name in options.scenarios),
        tuple(_servers(options)),
        options.repeats,
        Pace(options.quick),
    )
    deadline = begun + _QUICK_END if options.quick else None
    # To be told to end is no reason to leave servers behind, or to lose two hours.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runs: list[Run] = []
    try:
        for run in _measure(plan, load, deadline):
            runs.append(run)  # noqa: PERF402 - what came before an end is kept
    except KeyboardInterrupt:
        print("Stopped early; this is what was measured until then.")
    text = "\n".join(
        table(one, [run for run in runs if run.scenario == one.name])
        for one in plan.scenarios
    )
    after = f"load average {machine.load_average():.2f} after\n"
    text = f"{here}\n{after}repeats: {plan.repeats}\n\n{text}"
    print(f"\n{text}")
    _write(OUT / options.name, here, plan, runs, text)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    names = tuple(_NAMED)
    parser = argparse.ArgumentParser(prog="python -m bench.run")
    parser.add_argument(
        "scenarios",
        nargs="*",
        metavar="SCENARIO",
        help=f"which to run (all): {', '.join(names)}",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a few, once, short; within 3 minutes"
    )
    parser.add_argument("--repeats", type=int, help=f"of everything ({_REPEATS})")
    parser.add_argument(
        "--servers",
        metavar="NAME,...",
        help="only these of: rum, pyfsd, fsd, relay-naive, relay-50ms",
    )
    parser.add_argument(
        "--fsd",
        metavar="COMMAND",
        help="a classic FSD server to compare with; run in a folder with fsd.conf "
        "and cert.txt; {port} and {folder} in it are replaced",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SETTING",
        help="a setting of Rum, as behind twistd rum --set",
    )
    parser.add_argument(
        "--name", default="results", help="of the files written to bench/out (results)"
    )
    options = parser.parse_args(arguments)
    options.scenarios = options.scenarios or (QUICK if options.quick else names)
    if unknown := set(options.scenarios) - set(names):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    options.repeats = options.repeats or (1 if options.quick else _REPEATS)
    return options


def _servers(options: argparse.Namespace) -> Iterator[Server]:
    """Give the servers that were asked for and can be had, ours first."""
    makers: dict[str, Callable[[], Server]] = {OURS: lambda: rum(*options.set)}
    if options.fsd:
        makers["fsd"] = lambda: original_fsd(options.fsd)
    makers["pyfsd"] = lambda: pyfsd(environment_with(_PYFSD, "pyfsd"))
    makers |= {name: partial(_relay, name) for name in _RELAYS}
    for name, make in makers.items():
        if options.servers and name not in options.servers.split(","):
            continue
        try:
            yield make()
        except CannotBuild as error:
            print(f"Without {name}: {error}")


def _relay(name: str) -> Server:
    program = compile_source(ROOT / "bench/relay/relay.cpp")
    return relay(name, program, _RELAYS[name])


def _measure(plan: Plan, load: Load, deadline: float | None) -> Iterator[Run]:
    """Run everything, repeat by repeat, and tell of each run."""
    for repeat in range(plan.repeats):
        first = repeat % max(1, len(plan.servers))
        servers = (*plan.servers[first:], *plan.servers[:first])
        for scenario in plan.scenarios:
            for server in servers:
                if not _takes_part(server, scenario, plan.pace):
                    continue
                place = Place(load, OUT / "run" / server.name, plan.pace)
                run = _run_once(scenario, server, place, repeat, deadline)
                _tell(run)
                yield run


def _takes_part(server: Server, scenario: Scenario, pace: Pace) -> bool:
    """Tell whether a server is run on a scenario; quick runs leave most rivals out."""
    if server.name == OURS:
        return True
    return server.name in scenario.rivals and (
        bool(scenario.interval) or not pace.is_quick
    )


def _run_once(
    scenario: Scenario,
    server: Server,
    place: Place,
    repeat: int,
    deadline: float | None,
) -> Run:
    figures, reason = None, ""
    if deadline is not None and time.monotonic() > deadline:
        reason = "no time left in a quick run"
    else:
        try:
            figures = scenario.measure(server, place)
        except (Unavailable, NotServing, LoadFailed) as error:
            reason = str(error)
    return Run(
        scenario=scenario.name,
        server=server.name,
        repeat=repeat,
        figures=figures,
        reason=reason,
    )


def _tell(run: Run) -> None:
    name = f"{run.scenario:<11}{run.server:<12} repeat {run.repeat + 1}"
    if run.figures is None:
        print(f"{name}  not measured: {run.reason}", flush=True)
        return
    told = [
        f"{kind.label} {kind.printed(run.figures[figure])}"
        for figure, kind in KINDS.items()
        if figure in _TOLD and figure in run.figures
    ]
    doubt = "  (doubtful)" if doubts(run) else ""
    print(f"{name}  {', '.join(told)}{doubt}", flush=True)


def _write(
    path: Path, here: machine.Machine, plan: Plan, runs: Sequence[Run], text: str
) -> None:
    """Leave the figures as JSON, the table as text, and a picture if it can be had."""
    rows = [
        {
            "scenario": scenario.name,
            "clients": scenario.clients,
            "interval": scenario.interval,
            "server": server.name,
            "figures": found,
        }
        for scenario in plan.scenarios
        for server in plan.servers
        if (found := medians(_figures(runs, scenario, server)))
    ]
    document = {
        "machine": asdict(here),
        "medians": rows,
        "runs": [asdict(run) for run in runs],
    }
    results = path.with_suffix(".json")
    results.write_text(json.dumps(document, indent=1), "utf-8")
    path.with_suffix(".txt").write_text(text, "utf-8")
    written = [".json", ".txt"]
    if any(row["interval"] for row in rows) and _draw(results):
        written.append(".png")
    print(f"Written to {path.parent}: {path.name}{', '.join(written)}")


def _draw(results: Path) -> bool:
    """Draw a picture beside ``results``; return whether that was possible."""
    script, picture = ROOT / "bench/plot.py", results.with_suffix(".png")
    try:
        python = environment_with(_MATPLOTLIB, "plotting") / "python"
        subprocess.run(  # noqa: S603 - our own script
            [str(python), str(script), str(results), str(picture)], check=True
        )
    except (CannotBuild, subprocess.CalledProcessError) as error:
        print(f"Without a picture: {error}")
        return False
    return True


def _figures(
    runs: Sequence[Run], scenario: Scenario, server: Server
) -> Iterator[Figures | None]:
    for run in runs:
        if (run.scenario, run.server) == (scenario.name, server.name):
            yield run.figures


def _allow_many_files() -> None:
    """Let the servers and the generator open as many sockets as the system permits."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    sys.exit(main())
