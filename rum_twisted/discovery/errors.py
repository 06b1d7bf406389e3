"""What can go wrong between Rum and etcd, told apart by what helps."""

__all__ = [
    "AccessDenied",
    "EtcdCompacted",
    "EtcdError",
    "EtcdUnavailable",
    "LeaseLost",
    "RequestRefused",
    "RulesUnknown",
    "TokenExpired",
    "TooManyInstances",
    "WatchEnded",
]


class EtcdError(Exception):
    """Something between Rum and etcd; the message names what, for an operator."""


class EtcdUnavailable(EtcdError):
    """No answer in time: etcd is down, far, or without a leader. Try again later."""


class AccessDenied(EtcdError):
    """Name and password, or what they may do, do not suffice."""


class TokenExpired(AccessDenied):
    """The token that was shown is no longer good; another may be."""


class RequestRefused(EtcdError):
    """Etcd understood the request and refused it."""


class LeaseLost(EtcdError):
    """There is no such lease (any more), nor any key that was bound to it."""


class WatchEnded(EtcdError):
    """Etcd has ended this watch by itself; begin another."""


class EtcdCompacted(WatchEnded):
    """What a watch asked for is older than what etcd still knows: list again.

    Args:
        revision: the oldest that etcd still knows.
    """

    def __init__(self, revision: int) -> None:
        super().__init__(f"etcd knows nothing older than revision {revision}")
        self.revision = revision


class TooManyInstances(EtcdError):
    """A registry holds more than any network has; its rest is not looked at."""


class RulesUnknown(Exception):
    """Traffic rules cannot be kept here; the message says what helps."""
