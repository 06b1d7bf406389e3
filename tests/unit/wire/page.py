"""Reads docs/protocol.md, so that the page and the code cannot disagree."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rum_twisted.wire.codec import ENCODING

__all__ = ["EXAMPLES", "ROOT", "Example", "headings", "table_under"]

ROOT: Final = Path(__file__).resolve().parents[3]
_TEXT: Final = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
_BLOCK: Final = re.compile(r"^```fsd\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^#{2,} (.+)$", re.MULTILINE)
_SPEAKER: Final = {"C: ": True, "S: ": False}


@dataclass(frozen=True, slots=True)
class Example:
    """One line of an example block."""

    is_from_client: bool
    line: bytes  # without its end


def _examples() -> Iterator[Example]:
    for block in _BLOCK.finditer(_TEXT):
        for line in block[1].splitlines():
            yield Example(_SPEAKER[line[:3]], line[3:].encode(ENCODING))


EXAMPLES: Final[Sequence[Example]] = tuple(_examples())
"""Every example on the page, in order."""


def headings() -> Sequence[str]:
    """Return all headings but the page's title."""
    return _HEADING.findall(_TEXT)


def table_under(heading: str) -> Sequence[Sequence[str]]:
    """Return the rows of the first table under ``heading``, without its head."""
    _, _, below = _TEXT.partition(f"# {heading}\n")
    rows = re.search(r"^\|.*?\n\n", below + "\n", re.MULTILINE | re.DOTALL)
    assert rows is not None, f"no table under {heading}"
    lines = rows[0].strip().splitlines()[2:]
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in lines
    ]
