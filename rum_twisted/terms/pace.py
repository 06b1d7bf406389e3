"""How often position reports are told while the server is short of room."""

from dataclasses import dataclass

from rum_twisted.terms.units import NauticalMiles, Seconds

__all__ = ["Pace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often whom is told, at most."""

    near: NauticalMiles  # from the sender
    near_interval: Seconds
    far_interval: Seconds
