"""What a session refuses by itself."""

from rum_twisted.terms.errors import ErrorCode, WorldError

__all__ = [
    "AlreadyRegistered",
    "InvalidRevision",
    "InvalidSource",
    "NoFlightPlan",
    "NoSuchWeather",
    "ServerFull",
]


class AlreadyRegistered(WorldError):
    """A second logon on one connection; the first one stands."""

    code = ErrorCode.ALREADY_REGISTERED


class InvalidRevision(WorldError):
    """The client speaks a dialect that is not served."""

    code = ErrorCode.INVALID_REVISION


class InvalidSource(WorldError):
    """The client spoke in somebody else's name; the parameter is that name."""

    code = ErrorCode.INVALID_SOURCE


class NoFlightPlan(WorldError):
    """The client who was asked about has filed no plan."""

    code = ErrorCode.NO_FLIGHT_PLAN


class NoSuchWeather(WorldError):
    """There is no report for the station; the parameter is the station as typed."""

    code = ErrorCode.NO_WEATHER


class ServerFull(WorldError):
    """As many clients are connected as the server admits."""

    code = ErrorCode.SERVER_FULL
