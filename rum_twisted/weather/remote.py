"""Weather that another process has, behind the same interface as all others."""

from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.rpc.bridge import deferred
from rum_twisted.rpc.client import XClient, XClients
from rum_twisted.rpc.convert import Unreadable
from rum_twisted.rpc.errors import RpcError
from rum_twisted.rpc.weather import WEATHER, decoded, metar
from rum_twisted.session.interfaces import IWeather, NoWeatherSource
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Seconds
from rum_twisted.world.weather import Weather

__all__ = ["RemoteWeather"]

T = TypeVar("T")

AT_ONCE: Final = 8  # a call under way takes 27 kB
MOST: Final = 2000  # that wait or are asked


@implementer(IWeather)
class RemoteWeather(Service):
    """The weather of the role ``weather``; while nobody plays it, there is none.

    Args:
        clients: to be started before this.
        answer_within: how long a look-up may take, with everything.
    """

    log = Logger()
    name = "weather"

    def __init__(self, clients: XClients, answer_within: Seconds) -> None:
        self._clients = clients
        self._answer_within = answer_within
        self._client: XClient | None = None
        self._is_away = False  # as told to the operator
        self._turns = DeferredSemaphore(AT_ONCE)
        self.asking = 0  # questions that wait or are asked

    @override
    def __repr__(self) -> str:
        return f"<RemoteWeather: {'away' if self._is_away else 'there'}>"

    @override
    def startService(self) -> None:
        """Begin to look for the weather."""
        if not self.running:
            self._client = self._clients.client(WEATHER)
            super().startService()

    @override
    def stopService(self) -> None:
        """Ask no more; stations have no reports then."""
        super().stopService()
        if self._client is not None:
            self._client.close()
            self._client = None

    def metar(self, station: str, near: Position | None = None) -> Deferred[str | None]:
        """Look a station's report up; see `IWeather`."""
        if self._client is None:
            return succeed(None)
        return self._ask(metar, self._client, station, near)

    def weather(
        self, station: str, near: Position | None = None
    ) -> Deferred[Weather | None]:
        """Look a station's report up and decode it; see `IWeather`."""
        if self._client is None:
            return succeed(None)
        return self._ask(decoded, self._client, station, near)

    def _ask(
        self,
        question: Callable[
            [XClient, str, Position | None, Seconds], Coroutine[Any, Any, T | None]
        ],
        client: XClient,
        station: str,
        near: Position | None,
    ) -> Deferred[T | None]:
        """Ask when it is our turn; where too many wait already, there is no report."""
        if self.asking >= MOST:
            return succeed(None)
        self.asking += 1
        asking: Deferred[T | None] = self._turns.run(
            lambda: deferred(question(client, station, near, self._answer_within))
        )
        return asking.addBoth(self._count).addCallbacks(
            self._note_answer, self._note_trouble
        )

    def _count(self, outcome: T) -> T:
        self.asking -= 1
        return outcome

    def _note_answer(self, answer: T) -> T:
        self._note(None)
        return answer

    def _note_trouble(self, failure: Failure) -> None:
        """Know no report where nobody answers; tell the operator once."""
        error = failure.value
        if isinstance(error, RpcError | Unreadable):
            self._note(error)
            return
        if isinstance(error, NoWeatherSource):
            self._note(None)
        failure.raiseException()

    def _note(self, trouble: BaseException | None) -> None:
        is_away = trouble is not None
        if is_away == self._is_away:
            return
        self._is_away = is_away
        if is_away:
            self.log.warn("weather cannot be asked: {trouble}", trouble=trouble)
        else:
            self.log.info("weather can be asked again")
