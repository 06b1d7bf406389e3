"""What is measured in a run, by name, with unit and how it is printed.

Less is better in all of them, but for the number of lines. A figure that a run does
not yield (no position arrived, so there is no latency) is missing from it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

__all__ = ["KINDS", "Figures", "Kind", "medians", "ratios", "read_figures"]

Figures = Mapping[str, float]
"""The figures of one run, or the medians of several, by the names in `KINDS`."""

_KB: Final = 1024  # in a MB, as fsdload counts


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of figure.

    Args:
        label: head of its column.
        digits: behind the point.
        scale: what it is multiplied by for printing.
    """

    label: str
    digits: int = 0
    scale: float = 1.0

    def printed(self, value: float | None) -> str:
        """Return a value of this kind as text."""
        return "-" if value is None else f"{value * self.scale:.{self.digits}f}"


KINDS: Final[Mapping[str, Kind]] = {
    "lines_per_s": Kind("lines/s"),
    "lost": Kind("lost %", 2, 100.0),
    "missing": Kind("not in"),
    "p50_ms": Kind("p50 ms", 1),
    "p99_ms": Kind("p99 ms", 1),
    "wire_p99_ms": Kind("p99 on the wire ms", 1),
    "cpu": Kind("CPU %", 1, 100.0),
    "cpu_s_per_million": Kind("CPU-s/M", 2),
    "idle_mb": Kind("idle MB", 1),
    "peak_mb": Kind("peak MB", 1),
    "client_kb": Kind("KB/client", 1),
    "last_login_s": Kind("last in s", 2),
    "calm_wire_ms": Kind("calm p99 on the wire ms", 1),
    "wire_share": Kind("p99 on the wire + %", 0, 100.0),
    "early_s": Kind("storm before the window s", 1),
    "calm_ms": Kind("calm p99 ms", 1),
    "others_ms": Kind("others' p99 + ms", 1),
    "others_share": Kind("others' p99 + %", 0, 100.0),
    "frozen_kb": Kind("KB/frozen", 0),
    "not_cut": Kind("not cut"),
    "cut_after_s": Kind("first cut s", 0),
    "generator": Kind("generator CPU %", 0, 100.0),
    "lag_p99_ms": Kind("send lag p99 ms", 1),
    "waited": Kind("waited for a core %", 0, 100.0),
}


def read_figures(report: Mapping[str, Any]) -> dict[str, float]:
    """Take the figures out of what fsdload wrote with ``--json``."""
    config, logins, server = report["config"], report["logins"], report["server"]
    updates, latency = report["updates"], report["latency_ms"]
    asked = config["pilots"] + config["controllers"]
    found = {
        "lines_per_s": report["delivered_lines_per_s"],
        "missing": asked - logins["ok"],
        "cpu": server["cpu_s"] / config["duration_s"],
        "idle_mb": server["rss_idle_mb"],
        "peak_mb": server["rss_peak_mb"],
        "last_login_s": logins["last_s"],
        "generator": report["generator"]["cpu_share"],
    }
    if logins["ok"]:
        grown = server["rss_logged_in_mb"] - server["rss_idle_mb"]
        found["client_kb"] = grown * _KB / logins["ok"]
    if report["delivered_lines"]:
        found["cpu_s_per_million"] = server["cpu_s_per_million_lines"]
    if updates["expected_min"]:
        found["lost"] = updates["lost"] / updates["expected_min"]
    if "position" in latency:
        found["p50_ms"] = latency["position"]["p50"]
        found["p99_ms"] = latency["position"]["p99"]
    found |= {
        name: latency[kind]["p99"]
        for name, kind in (("wire_p99_ms", "position_wire"), ("lag_p99_ms", "send_lag"))
        if kind in latency
    }
    if config["slow_readers"]:
        found["not_cut"] = config["slow_readers"] - report["slow_disconnects"]
        if report["slow_disconnects"]:
            # Traffic begins when everybody is in; before that nothing can fill up.
            first = report["slow_disconnect_first_s"]
            found["cut_after_s"] = first - logins["phase_s"]
    return found


def medians(runs: Iterable[Figures | None]) -> Figures:
    """Return the median of each figure over the runs that have it.

    Args:
        runs: ``None`` for one that failed.
    """
    good = [run for run in runs if run is not None]
    return {
        name: median(run[name] for run in good if name in run)
        for name in KINDS
        if any(name in run for run in good)
    }


def ratios(pairs: Sequence[tuple[Figures, Figures]]) -> Figures:
    """Return, for each figure, the median of what the first is of the second.

    Args:
        pairs: of runs that stood side by side in time, so that noise hit both.
    """
    return medians(
        {name: ours[name] / theirs[name] for name in ours if theirs.get(name)}
        for ours, theirs in pairs
    )
