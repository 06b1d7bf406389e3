"""Where something is on the earth."""

from dataclasses import dataclass

from rum_twisted.terms.units import Degrees

__all__ = ["Position"]


@dataclass(frozen=True, slots=True)
class Position:
    """A point on the earth; north and east are positive.

    Clients may report values outside the usual bounds, and they are passed on:
    the classic server does not reject them.
    """

    latitude: Degrees
    longitude: Degrees
