"""What a session needs from the rooms above it."""

from collections.abc import Iterable
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from rum_twisted.terms.errors import ErrorCode, WorldError
from rum_twisted.terms.identity import Rating
from rum_twisted.world.client import Client
from rum_twisted.world.visibility import Channel
from rum_twisted.world.weather import Weather

__all__ = [
    "Account",
    "IAccounts",
    "IConnection",
    "IDelivery",
    "IWeather",
    "InvalidCredentials",
    "NoWeatherSource",
]


@dataclass(frozen=True, slots=True)
class Account:
    """What an account store tells about somebody who proved who he is."""

    cid: str
    rating: Rating  # the highest he may log on with; SUSPENDED: not at all


class InvalidCredentials(WorldError):
    """The CID is unknown or the password is wrong; which of them is not told."""

    code = ErrorCode.INVALID_CREDENTIALS


class IAccounts(Interface):
    """Proves who somebody is."""

    def authenticate(cid: str, password: str) -> Deferred[Account]:
        """Check a password.

        Args:
            cid: as typed at logon; an empty one is never valid.
            password: as typed at logon.

        Returns:
            a Deferred that fires with the `Account`, at once or later, and fails
            with `InvalidCredentials` (its parameter is ``cid``). Cancelling it
            gives the check up.
        """


class NoWeatherSource(Exception):
    """The network has no source of weather; such requests are not answered."""


class IWeather(Interface):
    """Knows the weather of stations."""

    def metar(station: str) -> Deferred[str | None]:
        """Look a station's report up.

        Args:
            station: as typed; its first four letters count, in any case.

        Returns:
            a Deferred, at once or later: the report's text, or ``None`` if there
            is none. It fails with `NoWeatherSource` where the network has no
            source of weather at all. Cancelling it gives the look-up up.
        """

    def weather(station: str) -> Deferred[Weather | None]:
        """Look a station's report up and decode it, as `metar` does.

        The layers above the surface are those of the report only: see
        `rum_twisted.world.weather.with_upper_air`.
        """


class IDelivery(Interface):
    """Carries finished lines to clients; the way from the world to the sockets.

    Lines are whole packets, their end included. Lines of one sender reach each
    receiver in the order in which they were given. Delivery to somebody who is not
    on is none.
    """

    def join(client: Client, connection: "IConnection") -> None:
        """Take up a client who has just logged on: lines may be sent to him."""

    def leave(client: Client) -> None:
        """Forget a client; nothing is delivered to him any more."""

    def disconnect(client: Client) -> None:
        """End a client's session; what was sent to him before is delivered."""

    def report(client: Client, line: bytes) -> None:
        """Tell everybody in sight where ``client`` is, within one turn.

        ``client`` holds the new position, altitude, facility and visual range.
        A report that waits for a slow receiver is replaced by the next one.
        """

    def announce(line: bytes, sender: Client | None) -> None:
        """Tell everybody but ``sender`` something, within one turn."""

    def send(line: bytes, receiver: Client) -> None:
        """Give one client a line, at once."""

    def multicast(line: bytes, receivers: Iterable[Client]) -> None:
        """Give the same line to many clients, at once."""

    def in_range(sender: Client, channel: Channel) -> list[Client]:
        """Who hears ``sender`` on ``channel``; nobody while he has no position."""


class IConnection(Interface):
    """The one client whom a session talks to."""

    outbox = Attribute("What the delivery keeps for this client; opaque to a session.")

    peer = Attribute("The client's network address, for the log.")

    def send(line: bytes) -> None:
        """Give the client a line, its end included; it leaves at once."""

    def close() -> None:
        """Say no more: what was sent is flushed, later input is not handled."""

    def pause() -> None:
        """Hold the lines that follow back until `resume`."""

    def resume() -> None:
        """Go on with the lines held back, if there are any.

        To be called whenever an answer that was waited for has been handled.
        """
