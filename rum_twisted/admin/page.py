"""A dump as one page of HTML, to be looked at in a browser, off-line.

Plots are drawn as SVG within it; it loads nothing and runs nothing. Whatever stands in
the dump is escaped: it may come from anywhere.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from rum_twisted.admin.census import WALK

__all__ = ["page_of"]

_WIDTH: Final = 720  # of a plot, in pixels
_HEIGHT: Final = 180
_LEFT: Final = 70
_BOTTOM: Final = 24
_MB: Final = 1 << 20
_LATEST: Final = 4e9  # seconds since the epoch; a file may say anything
_MOST_LINES: Final = 40
_PLOTTED_OWNERS: Final = 6
_COLORS: Final = ("#1f5fa8", "#c05020", "#3c8c3c", "#8050a0", "#a08020", "#408f9f")
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;"
    "padding:0 1em;color:#222}table{border-collapse:collapse;margin:1em 0}"
    "td,th{padding:.15em .8em;text-align:left;border-bottom:1px solid #ddd}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    "pre{background:#f5f5f5;padding:.7em;overflow:auto;font-size:13px}"
    "svg text{font-size:11px;fill:#555}h2{margin-top:2em}"
)

Points = Sequence[tuple[float, float]]  # time, value


def page_of(dump: Mapping[str, Any]) -> str:
    """Return the page of a dump, as `rum_twisted.admin.dump.read_dump` gives it."""
    at = _number(dump.get("at"))
    samples = [each for each in _list(dump.get("samples")) if isinstance(each, dict)]
    which = f"process {_text(dump.get('pid'))}, Python {_text(dump.get('python'))}"
    parts = [
        f"<h1>Rum {_text(dump.get('version'))}: {_text(dump.get('reason'))}</h1>",
        f"<p>{_moment(at)}, {which}</p>",
        *_plots(samples),
        "<h2>Owners</h2>",
        _owners(_mapping(dump.get("owners"))),
        "<h2>Types</h2>",
        _types(_mapping(dump.get("census"))),
        "<h2>The slowest stalls</h2>",
        _stalls(_mapping(dump.get("lag"))),
        "<h2>Collector</h2>",
        _facts(_mapping(dump.get("collector"))),
        "<h2>Threads</h2>",
        *_stacks(_mapping(dump.get("stacks"))),
    ]
    title = f"Rum, {_moment(at)}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _plots(samples: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    def gauge(name: str, scale: float = 1.0) -> Points:
        return _points(
            samples, lambda each: _mapping(each.get("gauges")).get(name), scale
        )

    memory = {
        "RSS": gauge("rss", _MB),
        "PSS": gauge("pss", _MB),
        "group, without what the kernel drops first": gauge("group_working", _MB),
        "limit": gauge("group_limit", _MB),
    }
    yield _plot("Memory, MB", memory)
    last = _mapping(samples[-1].get("owners")) if samples else {}
    ranked = sorted(last, key=lambda name: -_number(_second(last[name])))
    yield _plot(
        "Owners, MB",
        {
            name: _points(
                samples,
                lambda each, name=name: _second(  # type: ignore[misc]
                    _mapping(each.get("owners")).get(name)
                ),
                _MB,
            )
            for name in ranked[:_PLOTTED_OWNERS]
        },
    )
    yield _plot("Longest lag in each minute, s", {"lag": gauge("lag_longest_s")})
    yield _plot("Open files", {"files": gauge("files")})


def _points(
    samples: Sequence[Mapping[str, Any]],
    value_of: Callable[[Mapping[str, Any]], Any],
    scale: float,
) -> Points:
    found = []
    for sample in samples:
        at = _mapping(sample.get("gauges")).get("at")
        value = value_of(sample)
        if isinstance(at, int | float) and isinstance(value, int | float):
            found.append((float(at), value / scale))
    return found


def _plot(title: str, lines: Mapping[str, Points]) -> str:
    drawn = {name: points for name, points in lines.items() if points}
    if not drawn:
        return ""
    times = [at for points in drawn.values() for at, _ in points]
    first = min(times)
    last = max(*times, first + 1.0)
    top = max(value for points in drawn.values() for _, value in points) or 1.0
    width, height = _LEFT + _WIDTH, _HEIGHT + _BOTTOM
    parts = [
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img">',
        f"<title>{escape(title)}</title>",
    ]
    for share in (0.0, 0.5, 1.0):
        y = 8 + (_HEIGHT - 16) * (1 - share)
        parts.append(
            f'<line x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="#ddd"/><text x="4" y="{y + 4:.1f}">{top * share:,.3g}</text>'
        )
    for share, at in ((0.0, first), (1.0, last)):
        anchor = "end" if share else "start"
        parts.append(
            f'<text x="{_LEFT + _WIDTH * share:.0f}" y="{_HEIGHT + 16}" '
            f'text-anchor="{anchor}">{_utc(at):%H:%M}</text>'
        )
    for (_, points), color in zip(drawn.items(), _COLORS, strict=False):
        path = " ".join(
            f"{_LEFT + _WIDTH * (at - first) / (last - first):.1f},"
            f"{8 + (_HEIGHT - 16) * (1 - value / top):.1f}"
            for at, value in points
        )
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" '
            'stroke-width="1.5"/>'
        )
    parts.append("</svg>")
    names = "; ".join(
        f'<span style="color:{color}">{escape(name)}</span>'
        for name, color in zip(drawn, _COLORS, strict=False)
    )
    return f"<h2>{escape(title)}</h2><p>{names}</p>{''.join(parts)}"


def _owners(owners: Mapping[str, Any]) -> str:
    rows = [
        (
            _text(each.get("name")),
            _amount(each.get("count")),
            _amount(each.get("bytes")),
            _amount(each.get("bound")),
            _amount(each.get("oldest_s")),
            _text(each.get("made_at")),
        )
        for each in map(_mapping, _list(owners.get("owners"))[:_MOST_LINES])
    ]
    return _table(
        ("owner", "#count", "#bytes", "#bound", "#oldest, s", "made at"), rows
    )


def _types(census: Mapping[str, Any]) -> str:
    rows = [
        (
            _text(each.get("name")),
            _amount(each.get("count")),
            _amount(each.get("bytes")),
        )
        for each in map(_mapping, _list(census.get("types"))[:_MOST_LINES])
    ]
    frozen = _amount(census.get("frozen"))
    if census.get("method") == WALK:
        remark = f"{frozen} objects from before the start are among them."
    else:
        remark = f"And {frozen} objects from before the start."
    return _table(("type", "#count", "#bytes"), rows) + f"<p>{remark}</p>"


def _stalls(lag: Mapping[str, Any]) -> str:
    rows = [
        (
            _moment(_number(each.get("at"))),
            _amount(each.get("seconds")),
            _text(each.get("line")),
        )
        for each in map(_mapping, _list(lag.get("slowest"))[:_MOST_LINES])
    ]
    return _table(("when", "#seconds", "line"), rows)


def _facts(facts: Mapping[str, Any]) -> str:
    return _table(
        ("", ""), [(_text(name), _text(value)) for name, value in facts.items()]
    )


def _stacks(stacks: Mapping[str, Any]) -> Iterable[str]:
    for name, lines in stacks.items():
        text = "\n".join(map(str, _list(lines)))
        yield f"<h3>{_text(name)}</h3><pre>{escape(text)}</pre>"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are escaped already; ``#`` marks numbers."""
    if not rows:
        return "<p>None.</p>"
    marks = [' class="n"' if each.startswith("#") else "" for each in headings]
    head = "".join(
        f"<th{mark}>{escape(each.removeprefix('#'))}</th>"
        for each, mark in zip(headings, marks, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{mark}>{cell}</td>" for cell, mark in zip(row, marks, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _moment(at: float) -> str:
    return f"{_utc(at):%Y-%m-%d %H:%M:%S} UTC"


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(min(max(0.0, at), _LATEST), UTC)


def _amount(value: object) -> str:
    if not isinstance(value, int | float):
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _second(pair: object) -> Any:
    return pair[1] if isinstance(pair, list | tuple) and len(pair) > 1 else None


def _text(value: object) -> str:
    return "" if value is None else escape(str(value))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
