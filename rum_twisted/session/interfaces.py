"""What a session needs from the rooms above it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from rum_twisted.session.certificates import CertificateRow, Operator
from rum_twisted.terms.errors import ErrorCode, WorldError
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import NO_PERMISSIONS, Permission
from rum_twisted.terms.place import Position
from rum_twisted.world.client import Client
from rum_twisted.world.visibility import Channel
from rum_twisted.world.weather import Weather

__all__ = [
    "Account",
    "AccountsUnavailable",
    "IAccounts",
    "ICertificates",
    "IConnection",
    "IDelivery",
    "ILogbook",
    "IPlugins",
    "IReports",
    "IWeather",
    "InvalidCredentials",
    "NoWeatherSource",
    "StaffAct",
    "TooManyFailures",
]


@dataclass(frozen=True, slots=True)
class Account:
    """What an account store tells about somebody who proved who he is."""

    cid: str
    rating: Rating  # the highest he may log on with; SUSPENDED: not at all
    permissions: frozenset[Permission] = NO_PERMISSIONS
    notice: str = ""  # for a suspended member: why, and until when


class InvalidCredentials(WorldError):
    """The CID is unknown or the password is wrong; which of them is not told."""

    code = ErrorCode.INVALID_CREDENTIALS


class TooManyFailures(WorldError):
    """Too many wrong passwords came before; the notice says how long to wait.

    It is told whether or not the CID is known and the password right, and on the
    wire it has the number of a wrong password.
    """

    code = ErrorCode.INVALID_CREDENTIALS


class AccountsUnavailable(WorldError):
    """The store has not answered within its bound; the notice says so."""

    code = ErrorCode.SERVER_FULL


class IAccounts(Interface):
    """Proves who somebody is."""

    def authenticate(cid: str, password: str, address: str = "") -> Deferred[Account]:
        """Check a password.

        Args:
            cid: as typed at logon; an empty one is never valid.
            password: as typed at logon.
            address: the network address it comes from, without a port; empty where
                it is not known. Whoever counts wrong passwords needs it.

        Returns:
            a Deferred that fires with the `Account`, at once or later. It fails with
            `InvalidCredentials`, with `TooManyFailures` (the parameter of both is
            ``cid``) or with `AccountsUnavailable`. Cancelling it gives the check up.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffAct:
    """Something that a member of the staff has done to somebody."""

    who_cid: str  # as typed at logon
    who_callsign: str
    act: str  # one word, as the audit log has it, e.g. "kill"
    whom: str  # the other's CID and callsign, e.g. "1000001 KLM1"
    detail: str  # the reason, in words; without control codes
    where: str  # the network address he was at


class ILogbook(Interface):
    """Writes down who was on, and what the staff did.

    Nothing here waits or fails: what a logbook cannot write at once it keeps.
    """

    def logged_on(client: Client, address: str) -> None:
        """Note that a client came online just now.

        Args:
            client: as he logged on, ``logged_on_at`` included.
            address: the network address he comes from; empty if not known.
        """

    def logged_off(client: Client) -> None:
        """Note that a client who was noted before has just left, in whatever way."""

    def acted(act: StaffAct) -> None:
        """Note what a member of the staff has just done."""


class ICertificates(Interface):
    """A store of accounts that an operator may change.

    Each Deferred may fail with `CertificatesAway`. Cancelling it gives the answer up.
    """

    is_permanent = Attribute(
        "Whether a change outlives the process: False for an account file, which is "
        "not written."
    )

    def count() -> Deferred[int]:
        """Tell how many accounts there are."""

    def matching(text: str) -> Deferred[Sequence[CertificateRow]]:
        """List the accounts whose CID contains ``text``, by CID.

        Args:
            text: with its case; empty: all of them.

        Returns:
            a Deferred that fires with at most `MOST_LISTED` of them.
        """

    def add(
        cid: str, password: str, rating: Rating, operator: Operator
    ) -> Deferred[None]:
        """Make an account.

        It fails with `CertificateExists` or `UnfitCertificate`.
        """

    def modify(cid: str, rating: Rating, operator: Operator) -> Deferred[None]:
        """Give an account another highest rating; it fails with `NoSuchCertificate`.

        Whoever is online with it stays.
        """

    def delete(cid: str, operator: Operator) -> Deferred[None]:
        """Take an account away; it fails with `NoSuchCertificate`.

        Whoever is online with it stays.
        """


class NoWeatherSource(Exception):
    """The network has no source of weather; such requests are not answered."""


class IWeather(Interface):
    """Knows the weather of stations."""

    def metar(station: str, near: Position | None = None) -> Deferred[str | None]:
        """Look a station's report up.

        Args:
            station: as typed; its first four letters count, in any case. Where it
                is empty, the airport nearest to ``near`` that has a report counts.
            near: where the asking client is, if that is known; it need not lie on
                the earth. Without it an empty station has no report.

        Returns:
            a Deferred, at once or later: the report's text, or ``None`` if there
            is none. It fails with `NoWeatherSource` where the network has no
            source of weather at all. Cancelling it gives the look-up up.
        """

    def weather(station: str, near: Position | None = None) -> Deferred[Weather | None]:
        """Look a station's report up and decode it, as `metar` does.

        The layers above the surface are those of the report only: see
        `rum_twisted.world.weather.with_upper_air`.
        """


class IPlugins(Interface):
    """Whoever extends the network from outside; see `rum_twisted.session.hooks`.

    Nothing here waits longer than a bound, or fails. Who does not find a hook among
    ``wanted`` builds no event for it.
    """

    is_attended = Attribute("Whether somebody wants to know who comes and goes.")

    wanted = Attribute("The `Hook`s at which somebody is present; a frozenset.")

    prefixes = Attribute(
        "Of packets whose lines somebody wants to see before they are handled, if "
        "`Hook.LINE` is wanted; a frozenset."
    )

    def answers(callsign: str, word: str) -> bool:
        """Tell whether somebody answers a command, if `Hook.COMMAND` is wanted.

        Args:
            callsign: of the client who gives it.
            word: what stands behind the dot, in lower case.
        """

    def tell(event: Any) -> None:
        """Tell those who are interested of an `Event`; at once, and for nothing."""

    def ask(question: Any) -> Deferred[Any]:
        """Ask those who are interested.

        Args:
            question: a `Question`.

        Returns:
            a Deferred that fires with a `Verdict`, at once or later: with `GO_ON` if
            nobody has answered in time. Cancelling it gives the question up.
        """


class IReports(Interface):
    """A source of weather that keeps its reports in this process."""

    def refresh() -> bool | None:
        """Begin to fetch reports now.

        Returns:
            whether that has begun; ``False``: it was under way. ``None``: each report
            is fetched when it is asked for, and there is nothing to begin.
        """

    def stations() -> int:
        """Tell how many stations have a report."""


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

    address = Attribute("The client's network address; empty where it has none.")

    peer = Attribute("The same for the log: in words where there is no address.")

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
