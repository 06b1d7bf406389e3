"""Weather that another process has, behind the same interface as all others."""

from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.rpc.bridge import deferred
from rum_twisted.rpc.client import XClient, XClients
from rum_twisted.rpc.convert import Unreadable
from rum_twisted.rpc.errors import RpcError
from rum_twisted.rpc.weather import WEATHER, decoded, metar
from rum_twisted.session.asker import asker
from rum_twisted.session.interfaces import IWeather, NoWeatherSource
from rum_twisted.terms.identity import fold
from rum_twisted.terms.measure import Measure, Measuring
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Seconds
from rum_twisted.world.weather import Weather

__all__ = ["RemoteWeather"]

T = TypeVar("T")

Question: TypeAlias = Callable[
    [XClient, str, Position | None, str, Seconds], Coroutine[Any, Any, T | None]
]

AT_ONCE: Final = 8  # a call under way takes 27 kB
MOST: Final = 2000  # that wait or are asked
_QUESTION: Final = 700  # bytes of one that waits: its Deferred and what hangs on it


class _LookUp:
    """One question to another process, and all who have asked it here.

    Args:
        key: what it has in common with those of others.
        ask: asks it.
    """

    __slots__ = ("ask", "askers", "call", "key")

    def __init__(self, key: object, ask: Callable[[], Coroutine[Any, Any, Any]]):
        self.key = key
        self.ask = ask
        self.askers: dict[Deferred[Any], None] = {}  # in their order
        self.call: Deferred[Any] | None = None  # None: it waits for its turn


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
        self._open: dict[Any, _LookUp] = {}  # that others may join, by key
        self._askers: dict[Deferred[Any], _LookUp] = {}
        self._turns: deque[_LookUp] = deque()
        self._under_way = 0  # calls

    @override
    def __repr__(self) -> str:
        return f"<RemoteWeather: {'away' if self._is_away else 'there'}>"

    @property
    def asking(self) -> int:
        """How many questions wait or are asked."""
        return len(self._askers)

    def measures(self) -> dict[str, Measuring]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"weather questions": self._measure}

    def _measure(self) -> Measure:
        count = self.asking
        return Measure(count=count, bytes=count * _QUESTION, bound=MOST)

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
        question: Question[T],
        client: XClient,
        station: str,
        near: Position | None,
    ) -> Deferred[T | None]:
        """Ask when it is our turn; where too many wait already, there is no report."""
        if self.asking >= MOST:
            return succeed(None)
        who = asker()
        # A place counts only where no station is named. Who asks does not count, unless
        # another version of the service is to answer him.
        version = client.version_for(who or station)
        key = (question, fold(station), None if station else near, version)
        look_up = self._open.get(key)
        if look_up is None:
            look_up = self._open[key] = _LookUp(
                key, partial(question, client, station, near, who, self._answer_within)
            )
            self._turns.append(look_up)
        answer: Deferred[T | None] = Deferred(self._give_up)
        look_up.askers[answer] = None
        self._askers[answer] = look_up
        self._go_on()
        return answer

    def _go_on(self) -> None:
        """Begin the look-ups whose turn has come."""
        while self._turns and self._under_way < AT_ONCE:
            look_up = self._turns.popleft()
            if look_up.askers:  # else they have all gone
                self._under_way += 1
                call: Deferred[Any] = deferred(look_up.ask())
                look_up.call = call
                call.addCallbacks(self._note_answer, self._note_trouble)
                call.addBoth(self._finish, look_up)

    def _finish(self, outcome: Any, look_up: "_LookUp") -> None:
        """Tell all who asked; then the next have their turn."""
        self._under_way -= 1
        self._forget(look_up)
        for answer in tuple(look_up.askers):
            if self._askers.pop(answer, None) is not None:  # he has not gone meanwhile
                answer.callback(outcome)
        self._go_on()

    def _give_up(self, answer: Deferred[Any]) -> None:
        """Forget somebody who wants to know no more; the last one ends the call."""
        look_up = self._askers.pop(answer)
        del look_up.askers[answer]
        if not look_up.askers:
            self._forget(look_up)
            if look_up.call is not None:
                look_up.call.cancel()

    def _forget(self, look_up: "_LookUp") -> None:
        """Let nobody join it any more."""
        if self._open.get(look_up.key) is look_up:
            del self._open[look_up.key]

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
