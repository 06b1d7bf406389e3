"""Where clients are put."""

from math import asin, atan2, cos, degrees, radians, sin
from typing import Final

from hypothesis import strategies as st

from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees
from rum_twisted.world.client import Client

__all__ = ["NULL_ISLAND", "away", "place", "positions", "put"]


def place(latitude: float, longitude: float) -> Position:
    """Return a position from bare numbers."""
    return Position(Degrees(latitude), Degrees(longitude))


NULL_ISLAND: Final = place(0.0, 0.0)


def put(client: Client, position: Position | None) -> Client:
    """Put a client somewhere, and return him."""
    client.position = position
    return client


def away(start: Position, miles: float, bearing: float = 0.0) -> Position:
    """Return the place ``miles`` of great circle away, ``bearing`` in degrees."""
    arc, course = radians(miles / 60.0), radians(bearing)
    phi, lamda = radians(start.latitude), radians(start.longitude)
    height = sin(phi) * cos(arc) + cos(phi) * sin(arc) * cos(course)
    turn = atan2(sin(course) * sin(arc) * cos(phi), cos(arc) - sin(phi) * height)
    latitude = degrees(asin(max(-1.0, min(height, 1.0))))
    return place(latitude, degrees(lamda + turn))


_WORLD: Final = st.builds(place, st.floats(-90, 90), st.floats(-180, 180))
_CLUSTER: Final = st.builds(
    place, st.floats(52.2, 52.4), st.floats(4.6, 4.9)
)  # around one busy airport
_EDGE: Final = st.builds(
    place,
    st.sampled_from((-90.0, -89.9, -0.001, 0.0, 45.0, 89.9, 90.0)),
    st.sampled_from((-540.0, -180.0, -179.9, -0.001, 0.0, 90.0, 179.9, 180.0, 359.9)),
)  # poles, antimeridian, equator; few, so that many stand at the very same place

positions: Final = st.one_of(_WORLD, _CLUSTER, _EDGE)
"""All over the world, and often at the places where it is odd."""
