"""The errors a peer can be told about, and their numbers on the wire.

Two trees stand under `RumError`: `WireError`, the peer spoke wrongly, and
`WorldError`, it spoke well and is refused. Any other exception is our bug.
"""

from enum import IntEnum
from typing import ClassVar

__all__ = ["ErrorCode", "RumError", "WireError", "WorldError"]


class ErrorCode(IntEnum):
    """The numbers of ``$ER``, with the wording that pilots know.

    Source: docs/protocol.md, "Errors".
    """

    CALLSIGN_IN_USE = 1
    INVALID_CALLSIGN = 2
    ALREADY_REGISTERED = 3
    SYNTAX_ERROR = 4
    INVALID_SOURCE = 5
    INVALID_CREDENTIALS = 6
    NO_SUCH_CALLSIGN = 7
    NO_FLIGHT_PLAN = 8
    NO_WEATHER = 9
    INVALID_REVISION = 10
    RATING_TOO_HIGH = 11
    SERVER_FULL = 12
    SUSPENDED = 13


class RumError(Exception):
    """Something a peer did that is answered with one ``$ER`` line.

    Args:
        parameter: the fourth field of ``$ER``: what was wrong, as the peer
            typed it; empty where docs/protocol.md, "Errors", leaves it empty.
    """

    code: ClassVar[ErrorCode]

    def __init__(self, parameter: str = "") -> None:
        super().__init__(parameter)
        self.parameter = parameter


class WireError(RumError):
    """The peer spoke wrongly; the line could not be read."""

    code = ErrorCode.SYNTAX_ERROR


class WorldError(RumError):
    """The peer spoke well and is refused.

    Args:
        parameter: see `RumError`.
        notice: a line for the person at the other end, who gets it as a text before
            the ``$ER``: the reason, where the number alone does not help him.
    """

    def __init__(self, parameter: str = "", notice: str = "") -> None:
        super().__init__(parameter)
        self.notice = notice
