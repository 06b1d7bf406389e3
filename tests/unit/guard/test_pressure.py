"""Which limit counts, and how near it is."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.admin.sampler import Pulse
from rum_twisted.guard.pressure import Memory, Pressure
from rum_twisted.terms.units import Seconds

MB = 1 << 20


def pulse(
    rss: int | None,
    used: int | None = None,
    limit: int | None = None,
    *,
    at: float = 0.0,
    throttled: float = 0.0,
) -> Pulse:
    """Return a pulse; sizes in MB."""
    sizes = [None if size is None else size * MB for size in (rss, used, limit)]
    return Pulse(
        at=Seconds(at),
        rss=sizes[0],
        used=sizes[1],
        limit=sizes[2],
        lag=Seconds(0.0),
        throttled_s=Seconds(throttled),
    )


class MemoryTests(SynchronousTestCase):
    """Memory."""

    def look(self, *pulses: Pulse, limit: int = 0) -> Memory | None:
        """Return what is found at the last pulse; a limit in MB."""
        pressure = Pressure(limit=limit * MB, lowest=70.0)
        found = None
        for each in pulses:
            found = pressure.memory(each)
        return found

    def percent(self, *pulses: Pulse, limit: int = 0) -> float:
        """Return its percent."""
        found = self.look(*pulses, limit=limit)
        assert found is not None
        return round(found.percent, 1)

    def test_no_limit(self) -> None:
        """Neither a setting nor a group that has one."""
        self.assertIsNone(self.look(pulse(40)))
        self.assertIsNone(self.look(pulse(40, 60)))
        self.assertIsNone(self.look(pulse(None), limit=100))

    def test_the_settings_limit(self) -> None:
        """It is about this process."""
        self.assertEqual(self.percent(pulse(40), pulse(80), limit=100), 80.0)

    def test_the_groups_limit(self) -> None:
        """It is about the group, kernel buffers and all."""
        self.assertEqual(self.percent(pulse(30, 40, 100), pulse(60, 80, 100)), 80.0)

    def test_the_nearer_one(self) -> None:
        """Of two limits."""
        first = pulse(30, 40, 100)
        own = self.look(first, pulse(60, 65, 100), limit=70)
        group = self.look(first, pulse(60, 90, 100), limit=200)
        assert own is not None
        assert group is not None
        self.assertFalse(own.is_group)
        self.assertTrue(group.is_group)

    def test_a_group_full_of_others(self) -> None:
        """Who has less than half of it could give nothing back that helps."""
        pressure = Pressure(limit=0, lowest=70.0)
        self.assertIsNone(pressure.memory(pulse(40, 95, 100)))
        self.assertEqual(pressure.others_at, 95.0)
        self.assertIsNotNone(pressure.memory(pulse(48, 95, 100)))
        self.assertIsNone(pressure.others_at)

    def test_near_half_of_a_group(self) -> None:
        """Who has been its main user stays it down to a third: it does not flicker."""
        pressure = Pressure(limit=0, lowest=70.0)
        found = [
            pressure.memory(pulse(rss, 90, 100)) is not None
            for rss in (44, 45, 44, 30, 29, 44, 45)
        ]
        self.assertEqual(found, [False, True, True, True, False, False, True])

    def test_who_becomes_the_main_user_by_a_leak(self) -> None:
        """What was used at the start counts, not what was used at that moment."""
        start = pulse(20, 60, 100)
        for rss, used in ((49, 89), (60, 97)):
            self.assertEqual(self.percent(start, pulse(rss, used, 100)), used)

    def test_a_limit_that_comes_later(self) -> None:
        """What was used at the start counts then, too."""
        self.assertEqual(self.percent(pulse(40, 40), pulse(80, 80, 100)), 80.0)

    def test_a_start_that_took_much(self) -> None:
        """From then on percents are of what was left."""
        start = pulse(60)
        self.assertEqual(self.percent(start, limit=80), 0.0)
        self.assertEqual(self.percent(start, pulse(70), limit=80), 50.0)
        self.assertEqual(self.percent(start, pulse(79), limit=80), 95.0)
        self.assertEqual(self.percent(start, pulse(50), limit=80), 0.0)

    def test_a_start_just_below(self) -> None:
        """Then all is as usual."""
        self.assertEqual(self.percent(pulse(55), pulse(60), limit=80), 75.0)

    def test_a_start_that_took_more_than_there_may_be(self) -> None:
        """Nothing can be done, and nothing is; it is said."""
        for base in (80, 90):
            found = self.look(pulse(base), pulse(95), limit=80)
            assert found is not None
            self.assertTrue(found.is_hopeless)
            self.assertEqual(found.percent, 0.0)

    def test_a_limit_that_changes(self) -> None:
        """It counts from then on, also if it is lowered below what is used."""
        pressure = Pressure(limit=0, lowest=70.0)
        for limit, percent in ((100, 60.0), (64, 93.75), (50, 120.0), (200, 30.0)):
            found = pressure.memory(pulse(40, 40, 100))
            found = pressure.memory(pulse(60, 60, limit))
            assert found is not None
            self.assertEqual(found.limit, limit * MB)
            if limit != 50:  # of which the start took 80 %
                self.assertEqual(found.percent, percent)
            else:
                self.assertEqual(found.percent, 200.0)

    def test_files_that_vanish(self) -> None:
        """Then there is no limit, until they are there again."""
        pressure = Pressure(limit=0, lowest=70.0)
        self.assertIsNotNone(pressure.memory(pulse(60, 60, 100)))
        self.assertIsNone(pressure.memory(pulse(60)))
        self.assertIsNotNone(pressure.memory(pulse(60, 60, 100)))


class ThrottledTests(SynchronousTestCase):
    """CPU."""

    def test_the_share_of_the_time(self) -> None:
        """Between two pulses; more than all of it is all of it."""
        pressure = Pressure(limit=0, lowest=70.0)
        found = [
            pressure.throttled(pulse(1, at=at, throttled=throttled))
            for at, throttled in ((1, 5), (2, 5.5), (4, 6.5), (5, 9), (6, 9), (6, 10))
        ]
        self.assertEqual(found, [0.0, 50.0, 50.0, 100.0, 0.0, 0.0])

    def test_a_clock_that_was_set_back(self) -> None:
        """Nothing is known then."""
        pressure = Pressure(limit=0, lowest=70.0)
        pressure.throttled(pulse(1, at=100, throttled=1))
        self.assertEqual(pressure.throttled(pulse(1, at=50, throttled=2)), 0.0)
        self.assertIn("0 bytes", repr(pressure))
