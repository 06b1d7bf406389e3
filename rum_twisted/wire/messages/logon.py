"""Logon and logoff: ``#AA`` ``#AP`` ``#DA`` ``#DP``."""

from dataclasses import dataclass, field

from rum_twisted.wire.fields import read_integer

__all__ = [
    "ControllerAnnouncement",
    "ControllerDeparture",
    "ControllerLogoff",
    "ControllerLogon",
    "PilotAnnouncement",
    "PilotDeparture",
    "PilotLogoff",
    "PilotLogon",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerLogon:
    """A controller asks to come online.

    Example: ``#AAEHAM_TWR:SERVER:Ann Controller:1000005:secret:5:9``
    """

    callsign: str
    destination: str = "SERVER"  # not checked
    real_name: str
    cid: str
    password: str = field(repr=False)
    rating: str  # as typed: error 011 gives it back
    protocol_revision: str

    @property
    def requested_rating(self) -> int:
        """The rating as a number."""
        return read_integer(self.rating)

    @property
    def revision(self) -> int:
        """The protocol revision as a number."""
        return read_integer(self.protocol_revision)


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotLogon:
    """A pilot asks to come online.

    Example: ``#APKLM123:SERVER:1000001:secret:1:9:2:Joe Pilot EHAM``
    """

    callsign: str
    destination: str = "SERVER"  # not checked
    cid: str
    password: str = field(repr=False)
    rating: str  # as typed: error 011 gives it back
    protocol_revision: str
    simulator: int
    real_name: str

    @property
    def requested_rating(self) -> int:
        """The rating as a number."""
        return read_integer(self.rating)

    @property
    def revision(self) -> int:
        """The protocol revision as a number."""
        return read_integer(self.protocol_revision)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerAnnouncement:
    """Tells everybody else that a controller came online.

    Example: ``#AAEHAM_TWR:SERVER:Ann Controller:1000005::5:9``
    """

    callsign: str
    destination: str = "SERVER"
    real_name: str
    cid: str
    password: str = ""  # always empty
    rating: int
    protocol_revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PilotAnnouncement:
    """Tells everybody else that a pilot came online.

    Example: ``#APKLM123:SERVER:1000001::1:9:2:Joe Pilot EHAM``
    """

    callsign: str
    destination: str = "SERVER"
    cid: str
    password: str = ""  # always empty
    rating: int
    protocol_revision: str
    simulator: int
    real_name: str


@dataclass(frozen=True, slots=True)
class ControllerLogoff:
    """A client leaves; either kind may send either packet.

    Example: ``#DAEHAM_TWR:1000005``
    """

    callsign: str


@dataclass(frozen=True, slots=True)
class PilotLogoff:
    """A client leaves; either kind may send either packet.

    Example: ``#DPKLM123:1000001``
    """

    callsign: str


@dataclass(frozen=True, slots=True)
class ControllerDeparture:
    """Tells everybody else that a controller left.

    Example: ``#DAEHAM_TWR:1000005``
    """

    callsign: str
    cid: str


@dataclass(frozen=True, slots=True)
class PilotDeparture:
    """Tells everybody else that a pilot left.

    Example: ``#DPKLM123:1000001``
    """

    callsign: str
    cid: str
