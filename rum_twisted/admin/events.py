"""Events of the log as lines: of text for people, of JSON for programs.

Whatever an event holds, its line has a bound, and is one line of JSON, or one that
begins with its time and is followed by lines that are indented.
"""

import math
from typing import Any, Final

from twisted.logger import LogEvent, formatEvent, formatEventAsClassicLogText

from rum_twisted.admin.jsonlines import json_bytes, plain
from rum_twisted.admin.levels import room_of
from rum_twisted.admin.moments import written

__all__ = ["LONGEST", "json_line", "text_line"]

LONGEST: Final = 16_384  # bytes of a line
_TEXT: Final = 4000  # signs of what an event says
_FIELD: Final = 1000  # signs of one field
_TRACEBACK: Final = 6000  # signs; the end says more than the begin
_MOST_FIELDS: Final = 32
_LARGEST: Final = 1 << 63  # of numbers; readers know no larger ones
_UNSHOWN: Final = "(an event that cannot be shown)"
_OURS: Final = frozenset(
    ("time", "level", "room", "logger", "text", "event", "failure")
)
# What Twisted puts into each event for observers of an older kind.
_LEGACY: Final = frozenset(("format", "message", "isError", "system", "why", "time"))


def text_line(event: LogEvent) -> bytes:
    """Return an event as twistd writes it, with its traceback."""
    try:
        text = formatEventAsClassicLogText(event)
    except Exception:  # noqa: BLE001 - whatever is in an event, it is told of
        text = f"- [{_logger_of(event)}] {_UNSHOWN}\n"
    if text is None:
        return b""
    data = plain(text)
    if len(data) > LONGEST:
        data = data[: LONGEST - 4] + b"...\n"
    return data


def json_line(event: LogEvent) -> bytes:
    """Return an event as one line of JSON; its fields stand beside what all have."""
    try:
        line = _line_of(event)
        data = json_bytes(line)
    except Exception:  # noqa: BLE001 - as above
        line = {**_begin(event, _UNSHOWN), "event": ""}
        data = json_bytes(line)
    if len(data) >= LONGEST:
        kept = {name: line[name] for name in ("time", "level", "room", "logger")}
        kept["text"] = line["text"][: _FIELD * 2]
        data = json_bytes(kept)
    return data + b"\n"


def _line_of(event: LogEvent) -> dict[str, Any]:
    line = _begin(event, formatEvent(event)[:_TEXT])
    line["event"] = str(event.get("log_format", ""))[:_FIELD]
    failure = event.get("log_failure")
    if failure is not None:
        line["failure"] = _traceback(failure)
    for name, value in event.items():
        if len(line) >= _MOST_FIELDS:
            break
        if not name.startswith("log_") and name not in _LEGACY:
            line[f"field_{name}" if name in _OURS else name] = _plain(value)
    return line


def _begin(event: LogEvent, text: str) -> dict[str, Any]:
    """Return what each line has."""
    logger = _logger_of(event)
    return {
        "time": _moment_of(event),
        "level": getattr(event.get("log_level"), "name", "info"),
        "room": room_of(logger),
        "logger": logger,
        "text": text,
    }


def _logger_of(event: LogEvent) -> str:
    return str(event.get("log_namespace", "-"))[:_FIELD]


def _moment_of(event: LogEvent) -> str:
    """Return when it came up; what is no time becomes the epoch."""
    try:
        return written(float(event.get("log_time", 0.0)))
    except (TypeError, ValueError, OverflowError):
        return written(0.0)


def _plain(value: object) -> object:
    """Return a value as JSON can hold it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= _LARGEST:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    try:
        return str(value)[:_FIELD]
    except Exception:  # noqa: BLE001 - an object that cannot be shown is shown as such
        return f"<{type(value).__name__} that cannot be shown>"


def _traceback(failure: Any) -> str:
    try:
        text = str(failure.getTraceback())
    except Exception:  # noqa: BLE001 - likewise
        return f"<{type(failure).__name__} that cannot be shown>"
    return text[-_TRACEBACK:]
