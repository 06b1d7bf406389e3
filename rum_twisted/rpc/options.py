"""How a service is called: which instance is asked, and what if it fails."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from rum_twisted.terms.units import Seconds

__all__ = ["CallOptions", "FailMode", "SelectMode", "usual_options"]


class FailMode(Enum):
    """What is done when an instance does not answer as it should."""

    FAILOVER = "failover"  # ask another
    FAILFAST = "failfast"  # fail
    FAILTRY = "failtry"  # ask the same one again, after a pause
    FAILBACKUP = "failbackup"  # ask another too after a moment; the first one counts


class SelectMode(Enum):
    """Which of several instances is asked."""

    RANDOM = "random"  # any, each as often
    ROUND_ROBIN = "round-robin"  # one after the other
    WEIGHTED_ROUND_ROBIN = "weighted-round-robin"  # in turn, as often as it weighs
    P2C = "p2c"  # of two at random the one with less to do for its weight
    CONSISTENT_HASH = "consistent-hash"  # the same for the same key
    CLOSEST = "closest"  # of those in our zone, else of all: as P2C


MOST_RETRIES: Final = 10
_TIMEOUT: Final = Seconds(5.0)
_RETRY_PAUSE: Final = Seconds(0.05)
_BACKUP_DELAY: Final = Seconds(0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """How one service is called."""

    fail_mode: FailMode = FailMode.FAILOVER
    select_mode: SelectMode = SelectMode.P2C
    timeout: Seconds = _TIMEOUT  # for a call with everything it takes
    retries: int = 2  # besides the first attempt; 0 to 10
    retry_pause: Seconds = _RETRY_PAUSE  # Failtry: doubled each time, with jitter
    backup_delay: Seconds = _BACKUP_DELAY  # Failbackup: before another is asked too
    retry_ratio: float = 0.1  # of all calls, how many may be repeated; 0 to 1
    group: str = ""  # only instances of this group; empty: of any
    zone: str = ""  # where we are, for `SelectMode.CLOSEST`

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ValueError: a value is out of its range.
        """
        if not 0 <= self.retries <= MOST_RETRIES:
            raise ValueError(f"retries {self.retries}: due is 0 to {MOST_RETRIES}")
        if not 0 <= self.retry_ratio <= 1:
            raise ValueError(f"retry_ratio {self.retry_ratio}: due is 0 to 1")
        for name in ("timeout", "retry_pause", "backup_delay"):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"{name} {value}: due is more than 0 seconds")


def usual_options(service: str) -> CallOptions:
    """Return how a service is called unless somebody wishes otherwise.

    The accounts count wrong passwords and keep a logbook, each process its own: so a
    member, and a server that writes, always go to the same one while it is there.
    """
    if service == "passport":
        return CallOptions(select_mode=SelectMode.CONSISTENT_HASH)
    return CallOptions()
