"""What a write costs."""

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.pergola.price import HALF_LIFE, TRUST, Price


class PriceTests(SynchronousTestCase):
    """The usual price, and how fast it changes."""

    @override
    def setUp(self) -> None:
        """Begin at some time, with nothing known."""
        self.now = 1000.0
        self.price = Price(self.now)

    def judge(self, writes: int, cost: float, after: float = 1.0) -> float:
        """Judge a turn that ends ``after`` so many seconds."""
        self.now += after
        return self.price.judge(writes, cost, self.now)

    def test_the_first_turn(self) -> None:
        """Nothing else is known, so it should have cost what it has."""
        self.assertAlmostEqual(self.judge(10, 0.004), 0.004)

    def test_by_the_write(self) -> None:
        """At one price, twice the writes may cost twice as much."""
        for writes in (10, 400, 1, 20):
            self.assertAlmostEqual(self.judge(writes, writes * 1e-5), writes * 1e-5)

    def test_a_dear_turn(self) -> None:
        """One that costs a third as much again is hardly noticed."""
        for _ in range(100):
            self.judge(400, 0.004)
        judged = self.judge(400, 0.0053)
        self.assertGreater(judged, 0.004)
        self.assertLess(judged, 0.0042)

    def test_a_single_dear_turn(self) -> None:
        """One that costs thrice as much by chance is hardly noticed, either."""
        for _ in range(1000):
            self.judge(400, 0.004, after=0.016)
        judged = self.judge(400, 0.012, after=0.016)
        self.assertGreater(judged, 0.004)
        self.assertLess(judged, 0.0042)

    def fly(self, writes: int, cost: float, seconds: float) -> tuple[float, float]:
        """Turns for so long, each as long after the last one as the fan-out waits.

        Returns:
            the share of the core that they took, and what the last one was judged.
        """
        ends = self.now + seconds
        began, spent, judged, pause = self.now, 0.0, 0.0, 0.0
        while self.now < ends:
            judged = self.judge(writes, cost, after=pause + cost)
            pause = max(0.004, 3 * judged)
            spent += cost
        return spent / (self.now - began), judged

    def test_a_leap(self) -> None:
        """What costs ten times as much hardly gets more of the core than it may."""
        self.fly(400, 0.004, 60.0)
        share, _ = self.fly(400, 0.040, 2.0)
        self.assertLess(share, 0.40)
        share, judged = self.fly(400, 0.040, 5.0)
        self.assertLess(share, 0.32)
        self.assertAlmostEqual(judged, 0.040 / TRUST, delta=0.001)

    def test_other_turns(self) -> None:
        """Nor do turns of few writes that are dear, after turns of many."""
        for writes, cost in ((1, 0.010), (5, 0.005)):
            self.fly(1000, 0.010, 60.0)
            share, _ = self.fly(writes, cost, 1.0)
            self.assertLess(share, 0.36)

    def test_a_fall(self) -> None:
        """After dear turns cheap ones do not count as dear for long."""
        self.fly(400, 0.040, 60.0)
        self.fly(400, 0.004, 3.0)
        _, judged = self.fly(400, 0.004, 1.0)
        self.assertAlmostEqual(judged, 0.004 * TRUST, delta=0.0005)

    def test_a_dear_turn_after_a_rest(self) -> None:
        """It is believed, and those after it are judged as ever."""
        self.fly(200, 0.002, 60.0)
        self.judge(1, 0.016, after=10.0)
        self.assertLess(self.judge(200, 0.002, after=0.05), 0.003)

    def test_a_clock_that_steps_back(self) -> None:
        """Nothing is forgotten then, and nothing breaks."""
        self.judge(400, 0.004)
        self.assertAlmostEqual(self.judge(400, 0.004, after=-1e9), 0.004)

    def test_it_lasts(self) -> None:
        """After the half-life a new price counts half, later wholly."""
        for _ in range(2000):
            self.judge(400, 0.004)
        for _ in range(int(HALF_LIFE)):
            judged = self.judge(400, 0.005)
        self.assertAlmostEqual(judged, 0.0045, delta=0.0001)
        for _ in range(2000):
            judged = self.judge(400, 0.005)
        self.assertAlmostEqual(judged, 0.005, delta=0.0001)

    def test_a_long_rest(self) -> None:
        """After a night only the new turn counts."""
        self.judge(400, 0.040)
        self.assertAlmostEqual(self.judge(400, 0.004, after=40_000.0), 0.004)

    def test_nobody_to_write_to(self) -> None:
        """A turn without writes costs what it costs, and does not spoil the price."""
        self.assertEqual(self.judge(0, 0.001), 0.001)
        self.assertAlmostEqual(self.judge(400, 0.004), 0.004)

    def test_repr(self) -> None:
        """It tells the price, before it knows one, too."""
        self.assertEqual(repr(self.price), "<Price: 0.0 us a write>")
        self.judge(100, 0.001)
        self.assertEqual(repr(self.price), "<Price: 10.0 us a write>")
