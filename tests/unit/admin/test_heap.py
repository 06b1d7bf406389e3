"""The live heap, as it is asked for."""

import gc
import json
import weakref
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.census import LIST, MOST_LISTED, WALK, Tally
from rum_twisted.admin.heap import owner_facts
from rum_twisted.admin.owners import Owner
from rum_twisted.control.lines import Refused
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.units import Seconds
from tests.unit.admin.builders import NOON, Room

KEPT: list["Blip"] = []  # within reach of a walk; variables of a test are not


class Blip:
    """Something that can be counted."""


def many(objects: int) -> Tally:
    """Return what a census finds of so many objects."""
    return Tally(
        kinds=(), objects=objects, bytes=0, frozen=0, waiting_deferreds=0, method=LIST
    )


class HeapTests(SynchronousTestCase):
    """A heap of a few objects."""

    @override
    def setUp(self) -> None:
        """Begin; what is there already need not be counted."""
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        self.addCleanup(KEPT.clear)
        self.room = Room()
        self.heap = self.room.heap
        self.size = 1000
        self.room.owners.register("outboxes", lambda: Measure(count=2, bytes=self.size))

    def result(self, answer: Deferred[dict[str, Any]]) -> dict[str, Any]:
        """Return what is answered when everybody has had his turns."""
        self.assertNoResult(answer)
        self.room.work()
        return self.successResultOf(answer)

    def lines(self, found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return lines by name."""
        return {line["name"]: line for line in found}

    def test_census(self) -> None:
        """The types that take most, so many as are asked for."""
        kept = [Blip() for _ in range(500)]
        found = self.result(self.heap.census(200))
        self.assertEqual(self.lines(found["types"])[f"{__name__}.Blip"]["count"], 500)
        self.assertGreater(found["frozen"], 1000)
        few = self.result(self.heap.census(2))
        self.assertEqual(len(few["types"]), 3)
        self.assertEqual(few["types"][-1]["name"], "(others)")
        del kept

    def test_census_at_once(self) -> None:
        """For a thread beside a reactor that stands: nobody has a turn."""
        kept = [Blip() for _ in range(500)]
        found = self.heap.census_now(200)
        self.assertEqual(self.lines(found["types"])[f"{__name__}.Blip"]["count"], 500)
        self.assertNotIn("str", self.lines(found["types"]))
        del kept

    def test_a_census_that_is_given_up(self) -> None:
        """No work goes on."""
        answer = self.heap.census()
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        self.room.work()
        self.assertEqual(self.room.clock.getDelayedCalls(), [])

    def test_a_walk_that_is_given_up(self) -> None:
        """No work goes on, and the objects on the way are let go of."""
        KEPT.extend(Blip() for _ in range(20_000))
        alive = weakref.WeakSet(KEPT)
        answer = self.heap.set_mark()

        def give_up(turns: int) -> None:
            if turns:
                self.room.clock.callLater(0, give_up, turns - 1)
                return
            self.assertNoResult(answer)
            answer.cancel()

        give_up(10)
        self.room.work()
        self.failureResultOf(answer, CancelledError)
        self.assertEqual(self.room.clock.getDelayedCalls(), [])
        KEPT.clear()
        self.assertEqual(len(alive), 0)

    def test_so_many_that_the_list_is_not_taken(self) -> None:
        """They are counted by walk then, and the answer says so."""
        self.assertEqual(self.heap.census_now()["method"], LIST)
        self.room.sampler.population.learn(many(MOST_LISTED + 1))
        KEPT.extend(Blip() for _ in range(500))
        found = self.result(self.heap.census(200))
        self.assertEqual(found["method"], WALK)
        self.assertEqual(self.lines(found["types"])[f"{__name__}.Blip"]["count"], 500)

    def test_the_server_goes_down(self) -> None:
        """Who waits is told so, and no work goes on; a new start goes well."""
        answer = self.heap.census()
        self.heap.stop()
        self.failureResultOf(answer, Refused)
        self.room.work()
        self.assertEqual(self.room.clock.getDelayedCalls(), [])
        self.heap.start()
        self.assertTrue(self.result(self.heap.census())["types"])

    def test_owners(self) -> None:
        """With their sum, and the process beside it."""
        self.room.owners.register("plans", lambda: Measure(count=1, bytes=7))
        found = self.heap.owners_now()
        self.assertEqual((found["at"], found["bytes"]), (NOON, 1007))
        self.assertEqual(
            [each["name"] for each in found["owners"]], ["outboxes", "plans"]
        )
        self.assertGreater(found["rss"], 1 << 20)

    def test_what_is_known_of_an_owner(self) -> None:
        """What is not known is left out."""
        known = Measure(
            count=1,
            bytes=2,
            bound=3,
            bytes_bound=4,
            oldest_s=Seconds(5.04),
            made_at="a.py:6",
        )
        self.assertEqual(
            owner_facts(Owner("plans", known, "odd")),
            {
                "name": "plans",
                "count": 1,
                "bytes": 2,
                "bound": 3,
                "bytes_bound": 4,
                "oldest_s": 5.0,
                "made_at": "a.py:6",
                "trouble": "odd",
            },
        )
        self.assertEqual(
            owner_facts(Owner("plans", Measure(count=1, bytes=2))),
            {"name": "plans", "count": 1, "bytes": 2},
        )

    def test_growth_since_a_mark(self) -> None:
        """The owner and the type that grew most stand first."""
        self.result(self.heap.set_mark())
        self.size = 51_000
        KEPT.extend(Blip() for _ in range(5000))
        self.room.clock.advance(30)
        found = self.result(self.heap.growth())
        self.assertEqual((found["since"], found["seconds"]), (NOON, 30.0))
        self.assertEqual(
            found["owners"],
            [
                {
                    "name": "outboxes",
                    "count": 0,
                    "bytes": 50_000,
                    "now_count": 2,
                    "now_bytes": 51_000,
                }
            ],
        )
        first = found["types"][0]
        self.assertEqual((first["name"], first["count"]), (f"{__name__}.Blip", 5000))

    def test_growth_without_a_mark(self) -> None:
        """It is said what has to be done first."""
        self.assertRaises(Refused, self.heap.growth)
        self.assertRaises(Refused, self.heap.growth, 5)

    def test_growth_in_the_last_minutes(self) -> None:
        """Compared with the sample of then; later ones do not matter."""
        self.room.sampler.startService()
        self.addCleanup(self.room.sampler.stopService)
        self.room.work()
        for _ in range(3):
            self.size += 10_000
            self.room.clock.advance(60)
            self.room.work()
        kept = [Blip() for _ in range(5000)]
        answers: tuple[Callable[[int], dict[str, Any]], ...] = (
            self.heap.growth_now,
            lambda minutes: self.result(self.heap.growth(minutes)),
        )
        for growth in answers:
            found = growth(2)
            self.assertEqual(found["since"], NOON + 60)
            self.assertEqual(found["owners"][0]["bytes"], 20_000)
            self.assertIn(f"{__name__}.Blip", self.lines(found["types"]))
            self.assertEqual(growth(600)["since"], NOON)  # the oldest there is
        del kept

    def test_growth_when_nobody_knows_how_many_there_are(self) -> None:
        """It is counted by walk, but what only that meets has not grown."""
        self.room.sampler.startService()
        self.addCleanup(self.room.sampler.stopService)
        self.room.work()
        KEPT.extend(Blip() for _ in range(5000))
        for _ in range(2):  # the second time it is known what that is
            self.room.sampler.population.learn(many(MOST_LISTED + 1))
            types = self.lines(self.result(self.heap.growth(2))["types"])
            self.assertEqual(types[f"{__name__}.Blip"]["count"], 5000)
            for name in ("function", "type", "dict"):
                count = types[name]["count"] if name in types else 0
                self.assertLess(abs(count), 1000, name)

    def test_who(self) -> None:
        """From the roots down, and from the object up."""
        blip = Blip()
        self.room.roots["mine"] = {"it": blip}
        found = self.result(self.heap.who("Blip"))
        self.assertEqual(found["type"], f"{__name__}.Blip")
        self.assertEqual(found["path"], ["mine", f"[{__name__}.Blip]"])
        self.assertTrue(found["chains"])
        self.assertRaises(Refused, self.heap.who, "NoSuchThing")

    def test_collecting(self) -> None:
        """What nobody holds but itself goes."""
        ring: list[object] = []
        ring.append(ring)
        del ring
        self.assertGreaterEqual(self.heap.collect()["unreachable"], 1)

    def test_samples(self) -> None:
        """All, or those of the last minutes."""
        self.room.sampler.startService()
        self.addCleanup(self.room.sampler.stopService)
        self.room.work()
        for _ in range(3):
            self.room.clock.advance(60)
            self.room.work()
        self.assertEqual(len(self.heap.samples_now()["samples"]), 4)
        (last,) = self.heap.samples_now(1)["samples"]
        self.assertEqual(last["gauges"]["at"], NOON + 180)
        self.assertEqual(self.heap.samples_now(0)["samples"], [])

    def test_everything_is_json(self) -> None:
        """The same facts go over the socket, over HTTP and into a dump."""
        for facts in (
            self.heap.owners_now(),
            self.heap.census_now(),
            self.heap.collector_now(),
            self.heap.lag_now(),
            self.heap.stacks_now(),
            self.heap.samples_now(),
        ):
            self.assertEqual(json.loads(json.dumps(facts)), facts)

    def test_stacks(self) -> None:
        """This thread is where it is."""
        stacks = self.heap.stacks_now()
        self.assertTrue(any("test_stacks" in str(lines) for lines in stacks.values()))

    def test_repr(self) -> None:
        """It tells whether a moment is marked."""
        self.assertEqual(repr(self.heap), "<Heap: not marked>")
        self.result(self.heap.set_mark())
        self.assertEqual(repr(self.heap), "<Heap: marked>")
