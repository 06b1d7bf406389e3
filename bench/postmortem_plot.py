"""Draws the memory of server and etcd over time.

    python postmortem_plot.py careless.json careless.png

Run by `bench.postmortem` with the environment that has matplotlib; nothing else needs
that, so it is looked up late and not among the tools of developers.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

__all__ = ["draw"]

_MB: Final = 1 << 20


def draw(results: Path, picture: Path) -> None:
    """Draw what one part of `bench.postmortem` has written down."""
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = import_module("matplotlib.pyplot")
    found = json.loads(results.read_text("utf-8"))
    figure, panel = pyplot.subplots(figsize=(7.5, 3.6))
    times = [point[0] for point in found["points"]]
    for place, name in ((1, "server"), (2, "etcd")):
        panel.plot(times, [point[place] / _MB for point in found["points"]], label=name)
    if found["limit"]:
        panel.axhline(found["limit"] / _MB, color="C3", linestyle="--", label="limit")
    before: list[str] = []
    top = panel.get_ylim()[1]
    for look in found["looks"]:
        for rung in look["in_force"]:
            if rung not in before:
                panel.axvline(look["at"], color="0.7", linewidth=0.8)
                panel.text(
                    look["at"], top * 0.02 + 9 * len(before), f" {rung}", fontsize=7
                )
                before.append(rung)
    panel.axvline(0.0, color="0.5", linestyle=":")
    panel.set(title=found["title"], xlabel="seconds", ylabel="RSS, MB", ylim=(0, None))
    panel.grid(visible=True, alpha=0.3)
    panel.legend(loc="upper left", fontsize="small")
    figure.tight_layout()
    figure.savefig(picture, dpi=90)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
