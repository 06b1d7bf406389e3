"""Arguments as numbers, read as the classic server reads them."""

import re
from typing import Final

__all__ = ["number_in", "numeral_in"]

_WHOLE: Final = re.compile(r"[+-]?\d{1,9}")
_ANY: Final = re.compile(r"[+-]?(?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})")


def number_in(word: str) -> int | None:
    """Return the whole number that ``word`` begins with; ``None``: with none."""
    found = _WHOLE.match(word)
    return None if found is None else int(found[0])


def numeral_in(word: str) -> float | None:
    """Return the number, whole or not, that ``word`` begins with, if it does."""
    found = _ANY.match(word)
    return None if found is None else float(found[0])
