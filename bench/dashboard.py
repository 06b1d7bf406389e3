"""Fills the dashboard of etc/grafana from a run of the load, and draws it.

    python -m bench.dashboard [--minutes 10]

A server, fsdload and Prometheus run on this machine. Pilots and controllers fly, talk,
ask, come and go, and three read nothing; in the middle of the run 300 log on at one
instant, and later somebody tries wrong passwords. Then every query of the dashboard is
asked of Prometheus, and each panel is drawn with what it answers. It is a picture of
the panels' queries, not of Grafana.

Prometheus itself has to be installed (Debian: the package ``prometheus``).
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from bench import machine
from bench.load import Load
from bench.processes import ROOT, Running, free_port, pause, running
from bench.servers import rum
from bench.workshop import OUT, CannotBuild, compile_source, environment_with

__all__ = ["main"]

_BOARD: Final = ROOT / "etc" / "grafana" / "rum.json"
_SCRIPT: Final = ROOT / "bench" / "dashboard_plot.py"
_MATPLOTLIB: Final = "matplotlib>=3.8"
_EVERY: Final = 5  # seconds between two scrapes
_WINDOW: Final = "30s"  # in place of Grafana's own choice
_MINUTE: Final = 60.0
_CROWD: Final = (
    *("--pilots", "200", "--controllers", "20", "--layout", "hubs"),
    *("--login-rate", "20", "--text-per-min", "1", "--query-per-min", "0.5"),
    *("--ping-interval", "30", "--slow-readers", "3", "--churn", "1"),
)
_STORM: Final = (
    *("--storm", "--pilots", "300", "--pilot-prefix", "STM", "--layout", "hubs"),
    *("--warmup", "1"),
)
_GUESSES: Final = (
    *("--pilots", "40", "--pilot-prefix", "BAD", "--password", "wrong"),
    *("--login-rate", "4", "--login-timeout", "15", "--duration", "1"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.dashboard")
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args(arguments)
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        print("Nothing is drawn: Prometheus is not installed")
        return 0
    here = machine.look()
    print(here)
    try:
        load = Load(compile_source(ROOT / "bench/fsdload/fsdload.cpp"), OUT)
        plotting = environment_with(_MATPLOTLIB, "plotting") / "python"
    except CannotBuild as error:
        print(f"Nothing is drawn: {error}")
        return 0
    http = free_port()
    server = rum(
        f'pergola.http="tcp:{http}:interface=127.0.0.1"',
        "pergola.stall_timeout=120",  # so that there is something to see of the slow
        'accounts.allow=["192.0.2.0/24"]',
    )
    with ExitStack() as stack:
        serving = stack.enter_context(server.serve(OUT / "run" / "dashboard"))
        asked = stack.enter_context(_prometheus(prometheus, http))
        begun = time.time()  # noqa: TID251 - Prometheus goes by the clock on the wall
        _fly(load, serving, options.minutes * _MINUTE)
        ended = time.time()  # noqa: TID251 - see above
        found = _ask_all(asked, begun, ended)
    results = OUT / "dashboard.json"
    title = (
        f"Rum at {here.commit}, {here.date[:10]}: {options.minutes:g} minutes of "
        "fsdload; the panels' queries, answered by Prometheus"
    )
    results.write_text(json.dumps({"title": title, "panels": found}), "utf-8")
    subprocess.run(  # noqa: S603 - our own script
        [
            *(str(plotting), str(_SCRIPT), str(results)),
            str(results.with_suffix(".png")),
        ],
        check=True,
    )
    print(f"Written to {results.parent}: dashboard.json, dashboard.png")
    return 0


def _fly(load: Load, server: Running, seconds: float) -> None:
    """Have the crowd fly, the storm come, and somebody guess."""
    crowd = ("--duration", str(seconds - _MINUTE / 2), *_CROWD)
    with load.started(server, *crowd, name="crowd"):
        pause(seconds * 0.4)
        stay = ("--duration", str(seconds * 0.1))
        with load.started(server, *_STORM, *stay, name="storm"):
            pause(seconds * 0.3)
        with load.started(server, *_GUESSES, name="guesses"):
            pause(seconds * 0.3)


@contextmanager
def _prometheus(program: str, http: int) -> Iterator[str]:
    """Run Prometheus; yields where it answers."""
    folder = OUT / "run" / "prometheus"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    text = (ROOT / "etc" / "prometheus.yml").read_text("utf-8")
    text = text.replace("15s", f"{_EVERY}s").replace(
        "127.0.0.1:6810", f"127.0.0.1:{http}"
    )
    (folder / "prometheus.yml").write_text(text)
    shutil.copy(ROOT / "etc" / "rum.rules.yml", folder)
    address = f"127.0.0.1:{free_port()}"
    command = (
        *(program, f"--config.file={folder / 'prometheus.yml'}"),
        *(f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"),
    )
    with running(command, folder, {}):
        yield f"http://{address}"


def _ask_all(address: str, begun: float, ended: float) -> list[dict[str, Any]]:
    """Return every panel with the series that its queries give."""
    board = json.loads(_BOARD.read_text("utf-8"))
    panels = []
    for panel in board["panels"]:
        series = []
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", _WINDOW)
            query = query.replace("$instance", ".*")
            for found in _ask(address, query, begun, ended):
                label = _label(target["legendFormat"], found["metric"])
                points = [(at - begun, float(value)) for at, value in found["values"]]
                series.append({"label": label, "points": points})
        unit = panel["fieldConfig"]["defaults"]["unit"]
        stacked = (
            panel["fieldConfig"]["defaults"]
            .get("custom", {})
            .get("stacking", {})
            .get("mode")
            == "normal"
        )
        panels.append(
            {
                "title": panel["title"],
                "unit": unit,
                "is_stacked": stacked,
                "is_number": panel["type"] == "stat",
                "series": series,
            }
        )
    return panels


def _ask(address: str, query: str, begun: float, ended: float) -> list[Any]:
    fields = {"query": query, "start": begun, "end": ended, "step": _EVERY}
    url = f"{address}/api/v1/query_range?{urllib.parse.urlencode(fields)}"
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - ours
        found: list[Any] = json.load(answer)["data"]["result"]
        return found


def _label(form: str, labels: dict[str, str]) -> str:
    for name, value in labels.items():
        form = form.replace(f"{{{{{name}}}}}", "" if name == "instance" else value)
    return form.strip()


if __name__ == "__main__":
    sys.exit(main())
