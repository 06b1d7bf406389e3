"""Those who are looked up at the same moment share a question."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from rum_twisted.accounts.lookups import Lookups
from tests.support.loopclock import RunningLoopTestCase

MOST: Final = 3


class Shelf:
    """Has what is looked up, and answers when the test says so."""

    def __init__(self) -> None:
        self.lookups = Lookups(self.ask, MOST)
        self.asked: list[Sequence[str]] = []
        self.holds = False
        self.held: list[asyncio.Future[None]] = []
        self.trouble: Exception | None = None
        self.given_up: list[Sequence[str]] = []

    async def ask(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Return what there is: nothing under keys that begin with a question mark."""
        self.asked.append(keys)
        if self.holds:
            self.held.append(asyncio.get_running_loop().create_future())
            try:
                await self.held[-1]
            except asyncio.CancelledError:
                await asyncio.sleep(0)  # as a driver that takes leave of its server
                self.given_up.append(keys)
                raise
        if self.trouble is not None:
            raise self.trouble
        return {key: f"thing {key}" for key in keys if key[0] != "?"}

    def begin(self, *keys: str) -> "list[asyncio.Task[str | None]]":
        """Look some up, one after the other, within one turn of the loop."""
        return [asyncio.create_task(self.lookups.find(key)) for key in keys]

    def let_go(self) -> None:
        """Hold no answer any more."""
        self.holds = False
        for gate in self.held:
            if not gate.done():
                gate.set_result(None)


async def turns(number: int = 5) -> None:
    """Let the loop go round."""
    for _ in range(number):
        await asyncio.sleep(0)


class LookupsTests(RunningLoopTestCase):
    """Several keys, one question."""

    def test_one_alone(self) -> None:
        """He is asked for at once, and by himself; so is the next one."""

        async def work() -> None:
            shelf = Shelf()
            self.assertEqual(await shelf.lookups.find("a"), "thing a")
            self.assertIsNone(await shelf.lookups.find("?"))
            self.assertEqual(shelf.asked, [("a",), ("?",)])

        self.run_on_loop(work())

    def test_at_the_bound_and_past_it(self) -> None:
        """As many as a question holds have one; one more has the next, in order."""

        async def work() -> None:
            shelf = Shelf()
            found = await asyncio.gather(*shelf.begin("a", "?", "c"))
            self.assertEqual(found, ["thing a", None, "thing c"])
            self.assertEqual(shelf.asked, [("a", "?", "c")])
            shelf.asked.clear()
            await asyncio.gather(*shelf.begin("a", "b", "c", "d"))
            self.assertEqual(shelf.asked, [("a", "b", "c"), ("d",)])

        self.run_on_loop(work())

    def test_who_comes_meanwhile(self) -> None:
        """One question at a time; who comes while it is under way has the next."""

        async def work() -> None:
            shelf = Shelf()
            shelf.holds = True
            first = shelf.begin("a")
            await turns()
            later = shelf.begin("b", "c", "b")
            await turns()
            self.assertEqual(shelf.asked, [("a",)])
            shelf.let_go()
            found = await asyncio.gather(*first, *later)
            self.assertEqual(found, ["thing a", "thing b", "thing c", "thing b"])
            self.assertEqual(shelf.asked, [("a",), ("b", "c")])
            self.assertEqual(repr(shelf.lookups), "<Lookups: 0 asked, 0 waiting>")

        self.run_on_loop(work())

    def test_trouble(self) -> None:
        """Whoever was asked for hears of it; the next question is put all the same."""

        async def work() -> None:
            shelf = Shelf()
            shelf.trouble = ConnectionRefusedError(111, "Connection refused")
            found = await asyncio.gather(
                *shelf.begin("a", "b", "c", "d"), return_exceptions=True
            )
            self.assertEqual(found, [shelf.trouble] * 4)
            self.assertEqual(len(shelf.asked), 2)
            shelf.trouble = None
            self.assertEqual(await shelf.lookups.find("a"), "thing a")

        self.run_on_loop(work())


class LeavingTests(RunningLoopTestCase):
    """Somebody waits no more."""

    def test_one_of_several(self) -> None:
        """The others have their answers; who had not been asked for never is."""

        async def work() -> None:
            shelf = Shelf()
            shelf.holds = True
            asked = shelf.begin("a", "b", "c")
            await turns()
            waiting = shelf.begin("d", "e")
            await turns()
            for leaving in (asked[0], waiting[0]):
                leaving.cancel()
            await turns()
            self.assertEqual(shelf.given_up, [])
            shelf.let_go()
            self.assertEqual(
                await asyncio.gather(asked[1], asked[2], waiting[1]),
                ["thing b", "thing c", "thing e"],
            )
            self.assertTrue(asked[0].cancelled())
            self.assertEqual(shelf.asked, [("a", "b", "c"), ("e",)])

        self.run_on_loop(work())

    def test_all_of_a_question(self) -> None:
        """It is given up, and when that is done the next one is put."""

        async def work() -> None:
            shelf = Shelf()
            shelf.holds = True
            leaving = shelf.begin("a", "b")
            await turns()
            staying = shelf.begin("c")
            await turns()
            shelf.holds = False
            for task in leaving:
                task.cancel()
            await asyncio.wait(leaving)
            self.assertEqual(shelf.given_up, [("a", "b")])
            self.assertEqual(await staying[0], "thing c")
            self.assertEqual(shelf.asked, [("a", "b"), ("c",)])

        self.run_on_loop(work())

    def test_before_the_question(self) -> None:
        """Who leaves at once is not asked for."""

        async def work() -> None:
            shelf = Shelf()
            task = shelf.begin("a")[0]
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            self.assertEqual(await shelf.lookups.find("b"), "thing b")
            self.assertEqual(shelf.asked[-1], ("b",))

        self.run_on_loop(work())

    def test_in_the_moment_of_the_answer(self) -> None:
        """Whichever comes first, the others have theirs, and nothing is left."""

        async def work() -> None:
            for first in ("answer", "leave"):
                shelf = Shelf()
                shelf.holds = True
                leaving, staying = shelf.begin("a", "b")
                await turns()
                if first == "answer":
                    shelf.let_go()
                leaving.cancel()
                shelf.let_go()
                self.assertEqual(await staying, "thing b")
                await asyncio.wait([leaving])
                self.assertTrue(leaving.cancelled())
                self.assertEqual(await shelf.lookups.find("c"), "thing c")

        self.run_on_loop(work())
