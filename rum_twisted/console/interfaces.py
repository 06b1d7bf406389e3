"""What the console needs of the rest of the server.

Where a room beside this one keeps what is asked for, it is described here by its shape,
and put in by `rum_twisted.assembly.console`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from twisted.internet.defer import Deferred

from rum_twisted.console.help import HelpFile
from rum_twisted.console.recent import RecentLog
from rum_twisted.session.interfaces import ICertificates
from rum_twisted.session.network import Network
from rum_twisted.terms.units import Seconds
from rum_twisted.world.client import Client
from rum_twisted.world.weather import Weather

__all__ = [
    "Answers",
    "Backlogged",
    "Front",
    "Identity",
    "Password",
    "Profile",
    "Profiles",
    "Refresh",
    "Server",
    "Verdict",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The server as it is introduced to others."""

    ident: str
    name: str
    email: str
    hostname: str
    location: str
    product: str  # with its version, e.g. "Rum FSD server 0.1.0"
    version: str
    has_weather: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a password was found to be."""

    is_right: bool
    wait: float = 0.0  # seconds until the next try counts; 0: it may come now


class Password(Protocol):
    """Knows the password of the console, and how often it was guessed wrong."""

    def check(self, typed: str, address: str) -> Deferred[Verdict]:
        """Check what was typed at ``address``; the answer may take a moment."""


class Backlogged(Protocol):
    """A connection with something that waits."""

    @property
    def callsign(self) -> str:
        """Whose it is; ``unknown`` before a logon."""

    @property
    def waiting_in(self) -> int:
        """Bytes of input that wait to be handled."""

    @property
    def waiting_out(self) -> int:
        """Bytes that wait for him to read."""

    @property
    def dropped(self) -> int:
        """Lines that were dropped because he reads slowly."""

    @property
    def idle_s(self) -> float:
        """Seconds for which he has taken nothing, while something waited."""

    @property
    def is_slow(self) -> bool:
        """Whether he has not taken all he was sent."""


class Front(Protocol):
    """The connections of clients."""

    def idle_times(self) -> Mapping[Client, Seconds]:
        """Tell for how long each client has said nothing."""

    def backlogged(self) -> Sequence[Backlogged]:
        """List the connections with something that waits, the most first."""

    def figures(self) -> Iterable[tuple[str, int]]:
        """Tell what was counted, by the classic server's names."""

    def trace(
        self, client: Client, take: Callable[[bool, bytes], None]
    ) -> Callable[[], None]:
        """Show what goes to and comes from a client, from now on.

        Args:
            client: who is on.
            take: is given each line without its end, and whether the client said it;
                without secrets.

        Returns:
            what ends it; harmless where it has ended.

        Raises:
            LookupError: he is gone, or too many are shown already.
        """

    def settle(self) -> None:
        """Let what was said to clients leave."""


class Profile(Protocol):
    """The weather that an operator made for a station."""

    @property
    def name(self) -> str:
        """In capitals; of the station, as a rule."""

    @property
    def weather(self) -> Weather:
        """What it says."""

    @property
    def is_active(self) -> bool:
        """Whether it counts instead of the station's weather."""

    @property
    def created(self) -> Seconds:
        """When it was made: since the Unix epoch, UTC."""


class Profiles(Protocol):
    """The weather profiles; names are looked for in any case."""

    def all(self) -> Sequence[Profile]:
        """Return them all, the last made first."""

    def find(self, name: str) -> Profile | None:
        """Return the one of a name."""

    def create(self, name: str, weather: Weather) -> Profile | None:
        """Make one, which is not active; ``None``: there are too many."""

    def change(self, name: str, weather: Weather) -> None:
        """Give one another weather; where it is active, that counts at once."""

    def activate(self, name: str) -> None:
        """Let one count instead of its station's weather."""

    def delete(self, name: str) -> None:
        """Take one away."""


class Refresh(Enum):
    """What became of the wish for new reports."""

    BEGUN = "begun"
    UNDER_WAY = "under way"
    ELSEWHERE = "elsewhere"  # reports are not kept in this process


Answers = Callable[[], Iterable[str]]
"""Tells something in lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """All that a console may ask, and do."""

    identity: Identity
    network: Network
    front: Front
    password: Password
    certificates: ICertificates
    profiles: Profiles
    refresh: Callable[[], Refresh]
    log: RecentLog
    help: HelpFile
    figures: Callable[[], Iterable[tuple[str, object]]]  # besides the front's
    memory: Answers
    guard: Answers
    services: Answers
