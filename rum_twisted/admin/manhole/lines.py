"""What goes between ``rumctl manhole`` and the server: one JSON object a line.

Up go ``{"run": "1 + 1"}``, ``{"complete": "clients."}`` and ``{"interrupt": true}``.
Down come ``{"say": "2"}``, ``{"completions": [...]}``, and ``{"prompt": ">>> "}`` when
another line may be run. The client needs the standard library only.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = [
    "INTERRUPT",
    "LONGEST_LINE",
    "MORE",
    "PROMPT",
    "Unreadable",
    "read_line",
    "write_line",
]

LONGEST_LINE: Final = 64 << 10  # bytes, the line feed included
PROMPT: Final = ">>> "
MORE: Final = "... "
_KEYS: Final = frozenset(
    {"run", "complete", "interrupt", "say", "completions", "prompt"}
)


class Unreadable(ValueError):
    """A line is none of these; the text says what was due."""


def read_line(line: bytes) -> tuple[str, Any]:
    """Return what a line is, and what it says.

    Raises:
        Unreadable: it is none of those above.
    """
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Unreadable("due one line of JSON") from error
    match content:
        case dict() if len(content) == 1 and content.keys() <= _KEYS:
            return next(iter(content.items()))
    raise Unreadable("due one of: " + ", ".join(sorted(_KEYS)))


def write_line(content: Mapping[str, object]) -> bytes:
    """Print a line, its end included."""
    return json.dumps(content, separators=(",", ":")).encode("ascii") + b"\n"


INTERRUPT: Final = write_line({"interrupt": True})
