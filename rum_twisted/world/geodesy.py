"""Great circles: how far apart two places are.

One degree of a great circle counts as 60 nautical miles.

Source: docs/protocol.md, "Distance".
"""

from math import acos, cos, degrees, radians, sin
from typing import Final

from rum_twisted.terms.place import Position

__all__ = [
    "HALF_CIRCLE",
    "MILES_PER_RADIAN",
    "Vector",
    "chord_of",
    "cosine_of",
    "distance",
    "unit_vector",
]

Vector = tuple[float, float, float]
"""A point on the sphere of radius 1: x to 0° E, y to 90° E, z to the north pole."""

HALF_CIRCLE: Final = 10_800  # NM; nothing is farther than the antipode
MILES_PER_DEGREE: Final = 60.0  # NM of a great circle
MILES_PER_RADIAN: Final = degrees(1.0) * MILES_PER_DEGREE


def distance(here: Position, there: Position) -> float:
    """Return the nautical miles between two places, by the classic formula."""
    phi, theta = radians(here.latitude), radians(there.latitude)
    turn = radians(there.longitude - here.longitude)
    cosine = sin(phi) * sin(theta) + cos(phi) * cos(theta) * cos(turn)
    return acos(max(-1.0, min(cosine, 1.0))) * MILES_PER_RADIAN


def unit_vector(position: Position) -> Vector:
    """Return where ``position`` lies on the sphere of radius 1.

    The dot product of two such vectors is the cosine in `distance`, so comparing
    it with `cosine_of` a limit answers the same question without an arc cosine,
    and neither the poles nor the antimeridian are special.
    """
    phi, lamda = radians(position.latitude), radians(position.longitude)
    parallel = cos(phi)
    return parallel * cos(lamda), parallel * sin(lamda), sin(phi)


def cosine_of(miles: float) -> float:
    """Return the smallest dot product of two places at most ``miles`` apart.

    Below -1 where everybody is near enough, above 1 where nobody is.
    """
    if miles < 0:
        return 2.0
    return cos(miles / MILES_PER_RADIAN) if miles < HALF_CIRCLE else -2.0


def chord_of(miles: float) -> float:
    """Return the straight line through a sphere of radius 1 over ``miles`` of arc.

    Negative where ``miles`` is; 2 from the antipode on.
    """
    if miles >= HALF_CIRCLE:
        return 2.0
    return 2.0 * sin(miles / MILES_PER_RADIAN / 2.0)
