"""Events of the log as lines: of text for people, of JSON for programs.

Whatever an event holds, its line has a bound, and is one line of JSON, or one that
begins with its time and is followed by lines that are indented.
"""

import json
import math
from typing import Any, Final

from twisted.logger import LogEvent, formatEvent, formatEventAsClassicLogText

from rum_twisted.admin.levels import room_of
from rum_twisted.admin.moments import written

__all__ = ["LONGEST", "json_line", "text_line"]

LONGEST: Final = 16_384  # bytes of a line
_TEXT: Final = 4000  # signs of what an event says
_FIELD: Final = 1000  # signs of one field
_TRACEBACK: Final = 6000  # signs; the end says more than the begin
_MOST_FIELDS: Final = 32
_OURS: Final = frozenset(
    ("time", "level", "room", "logger", "text", "event", "failure")
)
# What Twisted puts into each event for observers of an older kind.
_LEGACY: Final = frozenset(("format", "message", "isError", "system", "why", "time"))


def text_line(event: LogEvent) -> bytes:
    """Return an event as twistd writes it, with its traceback."""
    text = formatEventAsClassicLogText(event)
    if text is None:
        return b""
    data = text.encode("utf-8", "replace")
    if len(data) > LONGEST:
        data = data[: LONGEST - 4] + b"...\n"
    return data


def json_line(event: LogEvent) -> bytes:
    """Return an event as one line of JSON; its fields stand beside what all have."""
    logger = str(event.get("log_namespace", "-"))
    level = event.get("log_level")
    line: dict[str, Any] = {
        "time": written(float(event.get("log_time", 0.0))),
        "level": getattr(level, "name", "info"),
        "room": room_of(logger),
        "logger": logger,
        "text": formatEvent(event)[:_TEXT],
        "event": str(event.get("log_format", ""))[:_FIELD],
    }
    failure = event.get("log_failure")
    if failure is not None:
        line["failure"] = _traceback(failure)
    for name, value in event.items():
        if len(line) >= _MOST_FIELDS:
            break
        if not name.startswith("log_") and name not in _LEGACY:
            line[f"field_{name}" if name in _OURS else name] = _plain(value)
    data = json.dumps(line, ensure_ascii=False).encode("utf-8", "replace")
    if len(data) >= LONGEST:
        kept = {name: line[name] for name in ("time", "level", "room", "logger")}
        kept["text"] = line["text"][: _FIELD * 2]
        data = json.dumps(kept, ensure_ascii=False).encode("utf-8", "replace")
    return data + b"\n"


def _plain(value: object) -> object:
    """Return a value as JSON can hold it."""
    if value is None or isinstance(value, bool | int):
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
