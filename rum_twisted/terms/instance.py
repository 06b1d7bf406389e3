"""One running process as others see it: what service it plays, and where.

Source: docs/discovery.md, "What an instance says of itself".
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from rum_twisted.terms.units import Seconds

__all__ = [
    "HIGHEST_WEIGHT",
    "LONGEST_ADDRESS",
    "LONGEST_WORD",
    "Instance",
    "InstanceState",
    "InvalidInstance",
]

HIGHEST_WEIGHT: Final = 10_000
LONGEST_WORD: Final = 64  # characters of a service, a name, a version, a group, a zone
LONGEST_ADDRESS: Final = 261  # a host name of 253, brackets, a colon and a port

# They stand in the keys of a registry, in labels of metrics and in logs.
_NAME: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_WORD - 1}}}\Z")
_WORD: Final = re.compile(rf"[!-~]{{0,{LONGEST_WORD}}}\Z")
_ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):(\d{1,5})\Z")
_PORTS: Final = range(1, 65536)


class InvalidInstance(ValueError):
    """What is said of an instance cannot be; the message says what was due."""


class InstanceState(Enum):
    """Whether an instance wants to be called."""

    UP = "up"
    DRAINING = "draining"  # finishes what it has; nothing new
    INACTIVE = "inactive"  # runs, but stands aside: a trial, a spare


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A process that plays a service.

    Example: ``Instance(service="passport", name="a-1", address="10.0.0.2:7001",
    version="4.0.0", started=Seconds(1_790_000_000.0))``

    Raises:
        InvalidInstance: a field is out of range.
    """

    service: str  # the role: "passport", "weather"
    name: str  # nobody else of this service has it
    address: str  # "host:port" of its gRPC endpoint; IPv6 in brackets
    weight: int = 100  # its share of the calls, beside the others'; 0: none
    version: str
    group: str = ""  # a set that is chosen by name, e.g. of a trial
    zone: str = ""  # where it runs; near ones may be preferred
    state: InstanceState = InstanceState.UP
    started: Seconds  # since the Unix epoch, UTC

    def __post_init__(self) -> None:
        """Check every field."""
        for field in ("service", "name"):
            if not _NAME.match(getattr(self, field)):
                raise InvalidInstance(
                    f"{field} {getattr(self, field)!r}: due 1 to {LONGEST_WORD} of "
                    "A-Z a-z 0-9 . _ -, a letter or digit first"
                )
        for field in ("version", "group", "zone"):
            if not _WORD.match(getattr(self, field)):
                raise InvalidInstance(
                    f"{field} {getattr(self, field)!r}: due at most {LONGEST_WORD} "
                    "ASCII characters without blanks"
                )
        if not _is_address(self.address):
            raise InvalidInstance(f"address {self.address!r}: due host:port")
        if not 0 <= self.weight <= HIGHEST_WEIGHT:
            raise InvalidInstance(
                f"weight {self.weight}: due a number from 0 to {HIGHEST_WEIGHT}"
            )
        if not 0 <= self.started < float("inf"):  # so is NaN
            raise InvalidInstance(f"started {self.started}: due a time since 1970")


def _is_address(text: str) -> bool:
    match = _ADDRESS.match(text)
    return (
        match is not None and len(text) <= LONGEST_ADDRESS and int(match[2]) in _PORTS
    )
