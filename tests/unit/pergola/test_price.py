"""What a write costs."""

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.pergola.price import HALF_LIFE, MOMENT, TRUST, Price


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

    def test_a_leap(self) -> None:
        """What costs ten times as much is believed in part a moment later."""
        for _ in range(1000):
            self.judge(400, 0.004, after=0.016)
        for _ in range(int(4 * MOMENT / 0.016)):
            judged = self.judge(400, 0.040, after=0.016)
        self.assertGreater(judged, 0.9 * 0.040 / TRUST)
        self.assertLess(judged, 0.040 / TRUST)

    def test_a_fall(self) -> None:
        """After dear turns cheap ones do not count as dear for long."""
        for _ in range(1000):
            self.judge(400, 0.040, after=0.016)
        for _ in range(int(10 * MOMENT / 0.016)):
            judged = self.judge(400, 0.004, after=0.016)
        self.assertGreater(judged, 0.004 * TRUST)
        self.assertLess(judged, 1.1 * 0.004 * TRUST)

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
