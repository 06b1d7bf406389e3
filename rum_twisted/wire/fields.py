"""One reader and writer per kind of field.

The classic server reads numbers as C does and prints them anew, so that ``0021``
becomes ``21`` and ``12kt`` becomes ``12``. Clients have come to depend on it: they
parse numbers, not text.

Source: docs/protocol.md, "Numbers".
"""

import re
from math import isfinite
from typing import Final

__all__ = [
    "read_coordinate",
    "read_integer",
    "read_unsigned",
    "write_coordinate",
]

_INTEGER: Final = re.compile(r"[ \t\n\v\f\r]*([+-]?)0*([0-9]+)")
_LONGEST: Final = 21  # digits; so many, the first not 0, are past 64 bits already
_NUMBER: Final = re.compile(
    r"[ \t\n\v\f\r]*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
)
_INT_MAX: Final = 2**31 - 1
_WORD_MAX: Final = 2**32 - 1
_LONG_MAX: Final = 2**63 - 1
_ULONG_MAX: Final = 2**64 - 1


def _leading_integer(text: str) -> int:
    """Return the number that ``text`` begins with; 0 without one.

    One past 64 bits is only sure to be past them: Python refuses to read a line
    full of digits, which takes time that grows with their square.
    """
    if len(text) < _LONGEST and text.isdecimal():
        return int(text)
    match = _INTEGER.match(text)
    return int(match[1] + match[2][:_LONGEST]) if match else 0


def read_integer(text: str) -> int:
    """Read ``text`` as C's ``atoi`` does on a 64-bit machine.

    Leading blanks and a sign are understood, what follows the digits is ignored,
    no digits are 0. A number too big for 64 bits sticks at their end; then the
    lower 32 bits count, with their sign.
    """
    value = _leading_integer(text)
    if -_INT_MAX - 1 <= value <= _INT_MAX:
        return value
    value = max(-_LONG_MAX - 1, min(value, _LONG_MAX)) & _WORD_MAX
    return value - _WORD_MAX - 1 if value > _INT_MAX else value


def read_unsigned(text: str) -> int:
    """Read ``text`` as an unsigned 32-bit word: ``-1`` is 4294967295.

    Source: docs/protocol.md, "Packed pitch, bank and heading".
    """
    value = _leading_integer(text)
    if 0 <= value <= _WORD_MAX:
        return value
    if not -_ULONG_MAX <= value <= _ULONG_MAX:
        return _WORD_MAX
    return value & _WORD_MAX


def read_coordinate(text: str) -> float | None:
    """Read decimal degrees; ``None`` where ``text`` begins with no finite number.

    Exponents are understood and what follows the number is ignored. Infinity and
    NaN, which C would read, are no place on the earth and no number here.
    """
    match = _NUMBER.match(text)
    if match is None:
        return None
    value = float(match[1])
    return value if isfinite(value) else None


def write_coordinate(value: float) -> str:
    """Print decimal degrees with exactly five decimals."""
    return f"{value:.5f}"
