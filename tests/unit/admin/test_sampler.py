"""A sample a minute, for an hour and a half."""

import gc

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.census import MOST_LISTED, WALK
from rum_twisted.admin.owners import MOST_OWNERS
from rum_twisted.admin.sampler import GAUGES, INTERVAL, MINUTES, Pulse
from rum_twisted.terms.measure import Measure
from tests.unit.admin.builders import NOON, Room

KEPT: list["Blip"] = []  # within reach of a walk; variables of a test are not


class Blip:
    """Something that can be counted."""


class SamplerTests(SynchronousTestCase):
    """A sampler on a clock that stands still."""

    @override
    def setUp(self) -> None:
        """Begin, with one owner; what is there already need not be counted."""
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        self.room = Room()
        self.sampler = self.room.sampler
        self.size = 1000
        self.room.owners.register("outboxes", lambda: Measure(count=2, bytes=self.size))
        self.sampler.startService()
        self.addCleanup(self.sampler.stopService)
        self.room.work()

    def minute(self) -> None:
        """Let a minute pass."""
        self.room.clock.advance(INTERVAL)
        self.room.work()

    def test_there_is_one_at_once(self) -> None:
        """Who asks in the first minute is answered, too."""
        (sample,) = self.sampler.samples()
        self.assertEqual(set(sample.gauges), set(GAUGES))
        self.assertEqual(sample.gauges["at"], NOON)
        self.assertEqual(sample.owners, {"outboxes": (2, 1000)})
        self.assertGreater(sample.gauges["rss"] or 0, 1 << 20)
        self.assertGreater(sample.gauges["objects"] or 0, 1000)
        self.assertIn("dict", sample.types)

    def test_one_each_minute(self) -> None:
        """Each has the figures of its time."""
        self.size = 5000
        self.minute()
        first, second = self.sampler.samples()
        self.assertEqual(first.owners["outboxes"], (2, 1000))
        self.assertEqual(second.owners["outboxes"], (2, 5000))
        self.assertEqual(second.gauges["at"], NOON + 60)

    def test_very_many_objects(self) -> None:
        """They are counted another way, and a sample has the same nevertheless."""
        self.addCleanup(KEPT.clear)
        KEPT.extend(Blip() for _ in range(MOST_LISTED // 2 + 5000))
        self.minute()
        KEPT.extend(Blip() for _ in range(MOST_LISTED // 2 + 5000))
        self.minute()
        self.assertEqual(tally.method if (tally := self.sampler.tally) else "", WALK)
        name = f"{__name__}.Blip"
        _, some, many = (sample.types for sample in self.sampler.samples())
        self.assertEqual(some[name][0], MOST_LISTED // 2 + 5000)
        self.assertEqual(many[name][0], MOST_LISTED + 10_000)
        for kind in ("function", "type", "dict"):
            count, _ = many.get(kind, (0, 0))
            self.assertLess(abs(count - some.get(kind, (0, 0))[0]), 2000)

    def test_memory_never_grows(self) -> None:
        """After two days there are as many as after ninety minutes."""
        before = self.sampler.bytes
        for _ in range(MINUTES + 10):
            self.minute()
        samples = self.sampler.samples()
        self.assertEqual(len(samples), MINUTES)
        self.assertEqual(samples[-1].gauges["at"], NOON + (MINUTES + 10) * 60)
        self.assertEqual(self.sampler.bytes, before)
        self.assertLess(before, 200_000)

    def test_an_owner_that_comes_later(self) -> None:
        """Earlier samples do not have it."""
        self.room.owners.register("plans", lambda: Measure(count=1, bytes=7))
        self.minute()
        first, second = self.sampler.samples()
        self.assertNotIn("plans", first.owners)
        self.assertEqual(second.owners["plans"], (1, 7))

    def test_lines_of_one_owner_are_summed(self) -> None:
        """The ring has room for a number for each owner."""
        makings = self.room.owners.follow("channels", 10, float)
        things = [Room() for _ in range(3)]
        for number, thing in enumerate(things):
            makings.note(thing, f"a.py:{number}")
        self.minute()
        self.assertEqual(self.sampler.samples()[-1].owners["channels"], (3, 30))

    def test_as_many_owners_as_there_can_be(self) -> None:
        """Each has its place, but the last names may share one."""
        for number in range(MOST_OWNERS - 1):
            self.room.owners.register(
                f"owner {number}", lambda: Measure(count=1, bytes=1)
            )
        self.minute()
        found = self.sampler.samples()[-1].owners
        self.assertEqual(sum(count for count, _ in found.values()), MOST_OWNERS + 1)

    def test_the_pulse(self) -> None:
        """Whoever guards the limits is told each second."""
        pulses: list[Pulse] = []
        self.sampler.watch(pulses.append)
        self.room.pass_time(3.0)
        self.assertEqual([pulse.at for pulse in pulses], [NOON + 1, NOON + 2, NOON + 3])
        self.assertGreater(pulses[0].rss or 0, 1 << 20)
        self.assertIs(self.sampler.pulse, pulses[-1])

    def test_a_watcher_that_fails(self) -> None:
        """The next pulse is taken all the same."""

        def fail(pulse: Pulse) -> None:
            raise ValueError

        self.sampler.watch(fail)
        self.room.pass_time(2.0)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_start_and_stop_twice(self) -> None:
        """No timer stays behind, and what was sampled stays."""
        self.sampler.startService()
        self.sampler.stopService()
        self.sampler.stopService()
        self.assertEqual(self.room.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.sampler.samples()), 1)
        self.sampler.startService()
        self.room.work()
        self.assertEqual(len(self.sampler.samples()), 2)
        self.assertIn("2 samples", repr(self.sampler))
