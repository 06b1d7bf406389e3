"""What plugins may be told, and asked: the events of a network, and what they answer.

An event is a plain value in the field's words; it crosses threads and processes. Two
kinds are questions: whoever asks goes on with what the answer says, and goes on as if
nobody had been asked if none comes in time. What an event needs is built only if its
`Hook` is among the `IPlugins.wanted`.

They are tuples and not dataclasses, because thousands a second are made on a busy
evening, and making one costs a third.
"""

from enum import Enum
from typing import ClassVar, Final, NamedTuple, TypeAlias

from twisted.internet.defer import Deferred, succeed
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.session.interfaces import IPlugins
from rum_twisted.terms.errors import ErrorCode, WorldError
from rum_twisted.terms.identity import ClientKind
from rum_twisted.world.client import Client
from rum_twisted.world.flightplan import FlightPlan

__all__ = [
    "FAILED",
    "GO_ON",
    "LONGEST_LINE",
    "NO_PLUGINS",
    "Act",
    "Ask",
    "Command",
    "Connected",
    "Event",
    "Gone",
    "Hook",
    "Kick",
    "Line",
    "LoggedOn",
    "LoggingOn",
    "NoPlugins",
    "PlanFiled",
    "PositionSample",
    "Question",
    "RefusedByPlugin",
    "Service",
    "Subscription",
    "Tell",
    "Text",
    "Verdict",
    "coming_of",
    "filing_of",
]


class Hook(Enum):
    """The moments at which plugins may be present."""

    CONNECTED = "connected"  # somebody has connected
    LOGGING_ON = "logging_on"  # a question: his password was right; may he come on?
    LOGGED_ON = "logged_on"  # somebody came online
    LINE = "line"  # a question: one of his packets, before it is handled
    POSITION = "position"  # where an aircraft is, now and then
    TEXT = "text"  # a text message
    COMMAND = "command"  # a text that begins with a dot and a word that is known
    PLAN = "plan"  # a flight plan was filed, or filed anew
    GONE = "gone"  # somebody is gone
    SERVICE = "service"  # a server of the network came or went


class Connected(NamedTuple):
    """Somebody has connected, who has not said yet who he is."""

    address: str  # the network address; empty where there is none


class LoggingOn(NamedTuple):
    """Somebody whose password was right is about to come online: a question."""

    callsign: str  # as he wants it
    cid: str
    kind: ClientKind
    rating: int  # the one he asks for
    real_name: str
    address: str


class LoggedOn(NamedTuple):
    """Somebody has come online, or was there when the plugins came."""

    callsign: str
    cid: str
    kind: ClientKind
    rating: int
    real_name: str
    address: str  # empty for those who were there before
    is_new: bool  # he has come just now


class Line(NamedTuple):
    """A packet of somebody who is online, before it is handled: a question."""

    callsign: str
    line: str  # whole, without its end; at most 3,000 characters of it


class PositionSample(NamedTuple):
    """Where somebody is; of each aircraft now and then, if it has moved."""

    callsign: str
    latitude: float  # degrees, north positive
    longitude: float  # degrees, east positive
    altitude: int  # feet, true altitude
    groundspeed: int  # knots
    squawk: int


class Text(NamedTuple):
    """Something that was said."""

    callsign: str  # who said it
    destination: str  # a callsign, a group or a frequency, e.g. ``@18100``
    text: str


class Command(NamedTuple):
    """A text that begins with a dot, and that some plugin answers: ``.metar EHAM``."""

    callsign: str
    word: str  # in lower case, without the dot
    rest: str  # what follows the blank; may be empty


class PlanFiled(NamedTuple):
    """A flight plan, filed for the first time or again."""

    callsign: str
    revision: int  # 0, then one more each time
    rules: str  # I, V, …, as filed
    aircraft: str
    true_airspeed: int  # knots
    departure: str
    departure_time: int  # hours and minutes UTC: 1230
    cruise_altitude: str  # as typed, e.g. FL350
    destination: str
    alternate: str
    remarks: str
    route: str


class Gone(NamedTuple):
    """Somebody is gone, in whatever way."""

    callsign: str


class Service(NamedTuple):
    """A server of the network has come, or is gone."""

    server: str  # its name, unique to this start of it
    is_there: bool


Question: TypeAlias = LoggingOn | Line
Event: TypeAlias = (
    Connected
    | LoggingOn
    | LoggedOn
    | Line
    | PositionSample
    | Text
    | Command
    | PlanFiled
    | Gone
    | Service
)

LONGEST_LINE: Final = 3000  # characters of a packet that plugins are shown


class Verdict(NamedTuple):
    """What becomes of what was asked about."""

    stops: bool = False  # he may not come on; his line is not handled
    text: str = ""  # why he may not; otherwise a text for him
    failed: bool = False  # a plugin has raised, was late, or is left alone


GO_ON: Final = Verdict()
"""What holds where nobody answers."""

FAILED: Final = Verdict(failed=True)
"""The same, where somebody should have answered; who waits goes on all the same."""


class RefusedByPlugin(WorldError):
    """A plugin does not let somebody come online; the notice says why."""

    code: ClassVar[ErrorCode] = ErrorCode.SERVER_FULL


class Subscription(NamedTuple):
    """What all plugins together wait for."""

    hooks: frozenset[Hook] = frozenset()
    prefixes: frozenset[str] = frozenset()  # of packets, for `Hook.LINE`
    commands: frozenset[str] = frozenset()  # words, for `Hook.COMMAND`


class Tell(NamedTuple):
    """Send a text of the server to somebody, if he is on."""

    callsign: str
    text: str


class Kick(NamedTuple):
    """End somebody's session, if he is on."""

    callsign: str
    reason: str
    plugin: str  # which wants it


Act: TypeAlias = Tell | Kick
Ask: TypeAlias = tuple[int, Event]
"""An event and the number under which it is answered; 0: no answer is due."""


def coming_of(client: Client, address: str, *, is_new: bool) -> LoggedOn:
    """Return the event of a client who is online."""
    return LoggedOn(
        callsign=client.callsign,
        cid=client.cid,
        kind=client.kind,
        rating=client.rating,
        real_name=client.real_name,
        address=address,
        is_new=is_new,
    )


def filing_of(callsign: str, plan: FlightPlan) -> PlanFiled:
    """Return the event of a plan that was just filed."""
    return PlanFiled(
        callsign=callsign,
        revision=plan.revision,
        rules=plan.rules,
        aircraft=plan.aircraft,
        true_airspeed=plan.true_airspeed,
        departure=plan.departure,
        departure_time=plan.departure_time,
        cruise_altitude=plan.cruise_altitude,
        destination=plan.destination,
        alternate=plan.alternate,
        remarks=plan.remarks,
        route=plan.route,
    )


@implementer(IPlugins)
class NoPlugins:
    """Nobody is interested in anything."""

    is_attended = False
    wanted: frozenset[Hook] = frozenset()
    prefixes: frozenset[str] = frozenset()

    @override
    def __repr__(self) -> str:
        return "<NoPlugins>"

    def answers(self, callsign: str, word: str) -> bool:
        """Tell that nobody does."""
        return False

    def tell(self, event: Event) -> None:
        """Tell nobody."""

    def ask(self, question: Question) -> Deferred[Verdict]:
        """Ask nobody; see `IPlugins`."""
        return succeed(GO_ON)


NO_PLUGINS: Final = NoPlugins()
"""One for all; it keeps nothing."""
