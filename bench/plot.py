"""Draws CPU per million lines, and the 99th percentile, over the number of clients.

    python plot.py results.json results.png

Run by `bench.run` with the environment that has matplotlib; nothing else needs that,
so it is looked up late and not among the tools of developers.
"""

import json
import sys
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

__all__ = ["draw"]

_PANELS: Final = (
    ("cpu_s_per_million", "CPU seconds per million lines delivered"),
    ("p99_ms", "99th percentile of latency, ms"),
)
_STYLES: Final = {5.0: "-o", 1.0: "--s", 0.2: ":^"}  # by interval, s


def draw(results: Path, picture: Path) -> None:
    """Draw the medians that `bench.run` wrote to ``results``."""
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = import_module("matplotlib.pyplot")
    found = json.loads(results.read_text("utf-8"))
    figure, panels = pyplot.subplots(1, len(_PANELS), figsize=(13, 5.5))
    for panel, (name, label) in zip(panels, _PANELS, strict=True):
        for (server, interval), points in _series(found["medians"], name).items():
            panel.plot(
                *zip(*sorted(points), strict=True),
                _STYLES.get(interval, "-x"),
                color=f"C{_number(found['medians'], server)}",
                label=f"{server}, every {interval:g} s",
            )
        panel.set(xlabel="clients who all see each other", ylabel=label)
        panel.set(xscale="log", yscale="log")
        shown = filter(itemgetter("interval"), found["medians"])
        clients = sorted({row["clients"] for row in shown})
        panel.set_xticks(clients, map(str, clients))
        panel.set_xticks([], minor=True)
        panel.grid(visible=True, which="both", alpha=0.3)
        panel.legend(fontsize="x-small")
    machine = found["machine"]
    figure.suptitle(
        f"Rum at {machine['commit']}, {machine['date'][:10]}, "
        f"{machine['cores']} cores {machine['name']}",
        fontsize="medium",
    )
    figure.tight_layout()
    figure.savefig(picture, dpi=110)


def _series(
    rows: list[dict[str, Any]], name: str
) -> dict[tuple[str, float], list[tuple[float, float]]]:
    """Collect the points of each line: by server and interval."""
    series: dict[tuple[str, float], list[tuple[float, float]]] = {}
    for row in rows:
        if row["interval"] and name in row["figures"]:
            point = row["clients"], row["figures"][name]
            series.setdefault((row["server"], row["interval"]), []).append(point)
    return series


def _number(rows: list[dict[str, Any]], server: str) -> int:
    """Give each server its color, the same in all panels."""
    return list(dict.fromkeys(row["server"] for row in rows)).index(server)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
