"""Accounts and weather that answer when a test says so.

Both stand before another implementation and only hold its answers back, as a store
across the network does. They keep the promises of their interfaces: see
``tests/contract``.
"""

from typing import TypeVar

from twisted.internet.defer import Deferred
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.session.interfaces import Account, IAccounts, IWeather
from rum_twisted.terms.place import Position
from rum_twisted.world.weather import Weather

__all__ = ["LaterAccounts", "LaterWeather"]

T = TypeVar("T")


class _Held:
    """Answers that are held back, in the order of the questions."""

    def __init__(self) -> None:
        self._waiting: list[Deferred[None]] = []
        self.given_up = 0  # questions whose asker has lost interest

    def __len__(self) -> int:
        """Return how many answers are held back."""
        return len(self._waiting)

    def hold(self, answer: Deferred[T]) -> Deferred[T]:
        """Return a Deferred that fires as ``answer`` does, but not yet."""
        gate: Deferred[None] = Deferred(self._give_up)
        self._waiting.append(gate)
        return gate.addCallback(lambda _: answer)

    def release(self, place: int = 0) -> None:
        """Let the answer at ``place`` go, by default the oldest; -1 is the newest."""
        self._waiting.pop(place).callback(None)

    def release_all(self) -> None:
        """Let all answers go, the oldest first."""
        while self._waiting:
            self.release()

    def fail(self, error: Exception) -> None:
        """Let the oldest answer fail, whatever it would have been."""
        self._waiting.pop(0).errback(error)

    def _give_up(self, gate: Deferred[None]) -> None:
        self._waiting.remove(gate)
        self.given_up += 1


@implementer(IAccounts)
class LaterAccounts(_Held):
    """Accounts that answer later.

    Args:
        accounts: what the answers are taken from.
    """

    def __init__(self, accounts: IAccounts) -> None:
        super().__init__()
        self._accounts = accounts

    @override
    def __repr__(self) -> str:
        return f"<LaterAccounts: {len(self)} answers held>"

    def authenticate(
        self, cid: str, password: str, address: str = ""
    ) -> Deferred[Account]:
        """Check a password, and keep the answer for now; see `IAccounts`."""
        return self.hold(self._accounts.authenticate(cid, password, address))


@implementer(IWeather)
class LaterWeather(_Held):
    """Weather that is told later.

    Args:
        weather: what the answers are taken from.
    """

    def __init__(self, weather: IWeather) -> None:
        super().__init__()
        self._weather = weather

    @override
    def __repr__(self) -> str:
        return f"<LaterWeather: {len(self)} answers held>"

    def metar(self, station: str, near: Position | None = None) -> Deferred[str | None]:
        """Look a report up, and keep the answer for now; see `IWeather`."""
        return self.hold(self._weather.metar(station, near))

    def weather(
        self, station: str, near: Position | None = None
    ) -> Deferred[Weather | None]:
        """Decode a report, and keep the answer for now; see `IWeather`."""
        return self.hold(self._weather.weather(station, near))
