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
    columns = ((1, "server, RSS"), (2, "etcd, RSS"), (3, "server, against the limit"))
    for place, name in columns:
        values = [point[place] for point in found["points"]]
        if None not in values[len(values) // 2 :]:
            panel.plot(
                times,
                [None if each is None else each / _MB for each in values],
                label=name,
            )
    if found["limit"]:
        panel.axhline(found["limit"] / _MB, color="C3", linestyle="--", label="limit")
    for number, (rung, at) in enumerate(found["rungs"].items()):
        panel.axvline(at, color="0.7", linewidth=0.8)
        panel.text(at, 2 + 6 * number, f" {rung}", fontsize=7)
    panel.axvline(0.0, color="0.5", linestyle=":")
    panel.set(title=found["title"], xlabel="seconds", ylabel="MB", ylim=(0, None))
    panel.grid(visible=True, alpha=0.3)
    panel.legend(loc="upper left", fontsize="x-small")
    figure.tight_layout()
    figure.savefig(picture, dpi=90)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
