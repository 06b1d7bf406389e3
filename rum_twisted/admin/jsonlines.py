"""Objects of JSON, one a line, that may be shown on any terminal."""

import json
from collections.abc import Mapping
from typing import Final

__all__ = ["json_bytes", "plain"]

# JSON itself writes out those below the space only. The others steer a terminal, too,
# or turn the way round in which a line is read (from U+202A and U+2066).
_STEERING: Final = {
    sign: f"\\u{sign:04x}"
    for sign in (
        *range(0x7F, 0xA0),
        *range(0x2028, 0x202F),
        *range(0x2066, 0x206A),
    )
}
_LOWER: Final = {sign: f"\\u{sign:04x}" for sign in range(0x20) if sign not in b"\t\n"}


def json_bytes(content: Mapping[str, object]) -> bytes:
    """Return an object as UTF-8, without the end of its line.

    Half a character becomes a question mark.
    """
    text = json.dumps(content, ensure_ascii=False)
    return text.translate(_STEERING).encode("utf-8", "replace")


def plain(text: str) -> bytes:
    """Return text as UTF-8; what steers a terminal is written out, but no line feed."""
    return text.translate(_STEERING).translate(_LOWER).encode("utf-8", "replace")
