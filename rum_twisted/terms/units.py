"""Units as types, so that a quantity cannot be passed off as another.

Each is a ``NewType``: free at run time, checked by mypy.
"""

from typing import NewType

__all__ = ["Degrees", "Feet", "Knots", "NauticalMiles", "Seconds"]

Degrees = NewType("Degrees", float)
Feet = NewType("Feet", int)
Knots = NewType("Knots", int)
NauticalMiles = NewType("NauticalMiles", int)
"""Ranges are whole miles, as the classic rule cuts them."""
Seconds = NewType("Seconds", float)
