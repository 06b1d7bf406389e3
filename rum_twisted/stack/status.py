"""How the processes of a stack do: a table for people, facts for programs."""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from rum_twisted.stack.groups import Groups
from rum_twisted.stack.memory import memory_of

__all__ = ["groups_of", "measured", "table_of"]

_MB: Final = 1 << 20
_PER_CENT: Final = 100.0
_MINUTE: Final = 60
_HOUR: Final = 3600


def groups_of(state: Mapping[str, Any]) -> Groups | None:
    """Return the control groups that a state tells of."""
    facts = state.get("groups")
    if not facts:
        return None
    folders = {kind: Path(place) for kind, place in facts["folders"].items()}
    return Groups(folders, is_second=facts["is_second"])


def measured(state: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return what is told of each service, with its memory as it is now.

    Args:
        state: as the supervisor tells it.
    """
    groups = groups_of(state)
    now = time.monotonic()
    services = []
    for facts in state.get("services", ()):
        memory = memory_of(facts["pid"]) if facts["pid"] else None
        use = None if groups is None else groups.of(facts["name"]).use()
        services.append(
            {
                **facts,
                "up_s": None if not facts["pid"] else round(now - facts["since"], 1),
                "rss": memory and memory.rss,
                "pss": memory and memory.pss,
                "rss_peak": memory and memory.peak,
                "charged": use and use.memory,
                "working": use and use.working,
                "charged_peak": use and use.peak,
                "kills": use and use.kills,
                "throttled_s": use and use.throttled,
            }
        )
    return services


def table_of(services: Iterable[Mapping[str, Any]], *, is_limited: bool) -> Table:
    """Return a table of services; memory in MB.

    Args:
        services: as `measured` returns them.
        is_limited: whether the kernel holds their limits. Then the last column has
            the most that was charged to the service against its limit, and else the
            most that its process had (RSS).
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("service")
    table.add_column("state")
    for name in ("up", "starts", "CPU", "RSS", "PSS", "peak"):
        table.add_column(name, justify="right")
    if is_limited:
        table.add_column("charged", justify="right")
        table.add_column("at most", justify="right")
    table.add_column("limit", justify="right")
    table.add_column("", justify="right")
    for each in services:
        most = each["charged_peak"] if is_limited else each["rss_peak"]
        table.add_row(
            each["name"],
            each["state"] if each["health"] == "none" else _state(each),
            _duration(each["up_s"]),
            str(each["restarts"] + 1),
            "" if each["cpus"] is None else f"{each['cpus']:.2f}",
            _mb(each["rss"]),
            _mb(each["pss"]),
            _mb(each["rss_peak"]),
            *((_mb(each["charged"]), _mb(most)) if is_limited else ()),
            _mb(each["memory"]),
            _share(most, each["memory"]),
        )
    return table


def _state(facts: Mapping[str, Any]) -> str:
    return str(facts["health"] if facts["state"] == "running" else facts["state"])


def _mb(count: int | None) -> str:
    return "" if count is None else f"{count / _MB:.1f}"


def _share(part: int | None, whole: int | None) -> str:
    return "" if not part or not whole else f"{part / whole * _PER_CENT:.0f} %"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"
