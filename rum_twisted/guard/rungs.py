"""The rungs of the two ladders: their names, their order, and what each is for."""

from dataclasses import dataclass
from typing import Final

from rum_twisted.config import GuardSettings

__all__ = ["CPU", "MEMORY", "RUNGS", "Rung"]


@dataclass(frozen=True, slots=True)
class Rung:
    """One step."""

    name: str  # as the operator types it; of memory's, the setting with its percent
    doing: str  # what is done there, for the log
    is_for_clients: bool = True  # and so nothing where there are none


MEMORY: Final = (
    Rung(
        "shrink",
        "caches shrink, garbage is collected, a dump is written",
        is_for_clients=False,
    ),
    Rung("thin", "positions of far aircraft are told more seldom"),
    Rung("observers", "no new observers, another dump is written"),
    Rung("logons", "nobody new but supervisors"),
    Rung("cut", "who reads too slowly is cut, the largest first"),
    Rung(
        "last",
        "everybody is told, what grew and can be done without is ended",
        is_for_clients=False,
    ),
)
CPU: Final = (
    Rung("turns", "positions are written in longer turns"),
    Rung("spare", "positions of far aircraft are told more seldom"),
)
RUNGS: Final = {rung.name: rung for rung in (*MEMORY, *CPU)}


def bounds_of(settings: GuardSettings) -> tuple[float, ...]:
    """Return where memory's rungs are, in percent."""
    return tuple(getattr(settings, rung.name) for rung in MEMORY)
