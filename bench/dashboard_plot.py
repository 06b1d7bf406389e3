"""Draws the panels of `bench.dashboard`.

    python dashboard_plot.py dashboard.json dashboard.png

Run with the environment that has matplotlib; nothing else needs that.
"""

import json
import math
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

__all__ = ["draw"]

_ACROSS: Final = 4
_SIZE: Final = (17.0, 2.3)  # of the whole, and of a row, in inches
_DPI: Final = 65
_MOST_LABELS: Final = 9
_COLORS: Final = 64  # so that the picture is small enough for the docs
_UNITS: Final = {
    "s": "s",
    "bytes": "MB",
    "Bps": "kB/s",
    "cps": "a second",
    "percentunit": "%",
    "short": "",
    "bool_yes_no": "1: yes",
}
_SCALES: Final = {"bytes": 1 / (1 << 20), "Bps": 1e-3, "percentunit": 100.0}
_MINUTE: Final = 60.0


def draw(results: Path, picture: Path) -> None:
    """Draw what `bench.dashboard` wrote to ``results``."""
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = import_module("matplotlib.pyplot")
    found = json.loads(results.read_text("utf-8"))
    panels = [panel for panel in found["panels"] if panel["series"]]
    rows = math.ceil(len(panels) / _ACROSS)
    figure, axes = pyplot.subplots(rows, _ACROSS, figsize=(_SIZE[0], _SIZE[1] * rows))
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for panel, axis in zip(panels, axes.flat, strict=False):
        _draw_panel(panel, axis)
    figure.suptitle(found["title"], fontsize="medium")
    figure.tight_layout(rect=(0, 0, 1, 0.99))
    figure.savefig(picture, dpi=_DPI)
    image: Any = import_module("PIL.Image")  # comes with matplotlib
    with image.open(picture) as drawn:
        drawn.convert("RGB").quantize(_COLORS).save(picture, optimize=True)


def _draw_panel(panel: dict[str, Any], axis: Any) -> None:
    scale = _SCALES.get(panel["unit"], 1.0)
    series = sorted(panel["series"], key=lambda each: -_mean(each["points"]))
    base: dict[float, float] = {}
    moments = sorted({time for each in series for time, _ in each["points"]})
    for number, each in enumerate(series):
        points = dict(map(tuple, each["points"]))
        times = moments if panel["is_stacked"] else sorted(points)
        values = [points.get(time, 0.0) for time in times]
        heights = [value * scale for value in values]
        if panel["is_stacked"]:
            below = [base.get(time, 0.0) for time in times]
            heights = [one + two for one, two in zip(heights, below, strict=True)]
            base.update(zip(times, heights, strict=True))
        label = each["label"] if number < _MOST_LABELS else None
        minutes = [time / _MINUTE for time in times]
        (line,) = axis.plot(minutes, heights, linewidth=0.9, label=label)
        if panel["is_stacked"]:
            axis.fill_between(
                minutes, below, heights, color=line.get_color(), alpha=0.2, linewidth=0
            )
    unit = _UNITS.get(panel["unit"], panel["unit"])
    title = f"{panel['title']}, {unit}" if unit else panel["title"]
    if panel["is_number"]:
        last = series[0]["points"][-1][1] * scale
        title = f"{title}: {last:.3g} at the end"
    axis.set_title(title, fontsize=8)
    axis.set_ylim(bottom=0)
    axis.tick_params(labelsize=6)
    axis.grid(visible=True, alpha=0.3)
    if any(each["label"] for each in series):
        axis.legend(fontsize=5, loc="upper left", ncols=2)


def _mean(points: list[tuple[float, float]]) -> float:
    values = [value for _, value in points if math.isfinite(value)]
    return sum(values) / len(values) if values else 0.0


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
