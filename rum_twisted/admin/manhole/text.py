"""Text that a prompt shows as it is: tables, and lists of facts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from typing_extensions import override

__all__ = ["Text", "facts", "table"]


class Text(str):
    """Text that is shown as it is, not in quotes."""

    __slots__ = ()

    @override
    def __repr__(self) -> str:
        return str(self)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Text:
    """Return rows under headings; columns of numbers stand to the right."""
    cells = [tuple(map(_cell, row)) for row in rows]
    columns = [
        _column(heading, [row[place] for row in cells])
        for place, heading in enumerate(headings)
    ]
    lines = zip(*columns, strict=True)
    return Text("\n".join("  ".join(line).rstrip() for line in lines))


def facts(found: Mapping[str, Any]) -> Text:
    """Return one fact a line."""
    return table(("what", "is"), found.items())


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.3f}"
        case _:
            return str(value)


def _column(heading: str, cells: list[str]) -> list[str]:
    width = max(map(len, (heading, *cells)))
    is_right = any(cells) and all(_is_number(cell) for cell in cells if cell)
    adjust = str.rjust if is_right else str.ljust
    return [adjust(cell, width) for cell in (heading, *cells)]


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").lstrip("+-").isdigit()
