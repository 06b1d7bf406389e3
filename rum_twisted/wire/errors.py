"""What can be wrong with a line."""

from rum_twisted.terms.errors import WireError

__all__ = ["LineTooLong", "ServerOnlyPacket", "TooFewFields", "UnknownPacket"]


class UnknownPacket(WireError):
    """The line begins with no known prefix."""


class ServerOnlyPacket(WireError):
    """The prefix is known, but only servers may send it."""


class TooFewFields(WireError):
    """The packet has fewer fields than its kind needs."""


class LineTooLong(WireError):
    """The line is longer than the server takes; none of it is handled."""
