"""Questions about weather to another process: how many at the same time."""

import asyncio
from typing import Any

from twisted.internet.defer import Deferred

from rum_twisted.rpc.bridge import future
from rum_twisted.rpc.generated import weather_pb2 as pb2
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees, Seconds
from rum_twisted.weather.remote import AT_ONCE, MOST, RemoteWeather
from tests.integration.asyncio_case import AsyncioTestCase


class SlowClients:
    """Clients of a service that answers when the test says so, and always a failure."""

    def __init__(self) -> None:
        self.calls: list[asyncio.Future[Any]] = []

    def client(self, service: str) -> "SlowClients":
        """Return the one client."""
        return self

    async def call(self, *_: object, **__: object) -> Any:
        """Wait for the test."""
        self.calls.append(asyncio.get_running_loop().create_future())
        return await self.calls[-1]

    def version_for(self, who: str) -> str:
        """Return what is tried with a member: nothing."""
        return ""

    def close(self) -> None:
        """Do nothing."""


class BoundTests(AsyncioTestCase):
    """A front that asks for much at once."""

    def test_few_are_asked_at_once_and_not_without_end(self) -> Deferred[None]:
        """Eight are under way, others wait; beyond the bound there is no report."""
        return self.run_here(self.check_bounds())

    async def check_bounds(self) -> None:
        """Ask for as much as may wait, and one more."""
        clients: Any = SlowClients()
        weather = RemoteWeather(clients, Seconds(5.0))
        weather.startService()
        questions = [weather.metar(f"{number:04}") for number in range(MOST)]
        await asyncio.sleep(0)
        self.assertEqual(len(clients.calls), AT_ONCE)
        self.assertEqual(weather.asking, MOST)
        one_more = await future(weather.metar("EHAM"))
        self.assertIsNone(one_more)
        questions[0].addErrback(lambda _: None)
        questions[0].cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        self.assertEqual(len(clients.calls), AT_ONCE + 1)  # the next one's turn
        for question in reversed(questions[1:]):
            question.addErrback(lambda _: None)
            question.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        self.assertEqual(weather.asking, 0)
        self.assertEqual(len(clients.calls), AT_ONCE + 1)
        weather.stopService()

    def test_many_who_ask_the_same_are_one_call(self) -> Deferred[None]:
        """A hundred pilots want one airport's report: another process is asked once."""
        return self.run_here(self.check_joining())

    async def check_joining(self) -> None:
        """Ask in two spellings and in two ways, and leave."""
        clients: Any = SlowClients()
        weather = RemoteWeather(clients, Seconds(5.0))
        weather.startService()
        questions = [weather.metar(("EHAM", "eham")[n % 2]) for n in range(100)]
        here, there = (Position(Degrees(1.0), Degrees(float(n))) for n in range(2))
        others: list[Deferred[Any]] = [
            weather.weather("EHAM"),
            *(weather.metar("", p) for p in (here, there)),
        ]
        for question in (*questions, *others):
            question.addErrback(lambda _: None)
        await asyncio.sleep(0)
        self.assertEqual(len(clients.calls), 4)
        self.assertEqual(weather.asking, 103)
        first, *left = questions
        for question in left[1:]:
            question.cancel()
        self.assertEqual(weather.asking, 5)
        self.assertFalse(clients.calls[0].cancelled())  # two still want to know
        clients.calls[0].set_result(pb2.MetarResponse(report="EHAM CAVOK"))
        self.assertEqual(await future(first), "EHAM CAVOK")
        self.assertEqual(await future(left[0]), "EHAM CAVOK")
        late = weather.metar("EHAM").addErrback(lambda _: None)
        await asyncio.sleep(0)
        self.assertEqual(len(clients.calls), 5)  # that answer is given, and is over
        for question in (late, *others):
            question.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        self.assertTrue(all(call.cancelled() for call in clients.calls[1:]))
        self.assertEqual(weather.asking, 0)
        weather.stopService()
