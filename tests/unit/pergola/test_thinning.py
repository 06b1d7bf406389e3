"""How often positions are told while the server is short of room."""

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.terms.pace import Pace
from rum_twisted.terms.units import NauticalMiles, Seconds
from tests.support.server import MemoryServer

PACE = Pace(
    near=NauticalMiles(30), near_interval=Seconds(1.0), far_interval=Seconds(15.0)
)
PLACE = "@N:{}:1000:1:{:.5f}:2.00000:35000:400:4261414408:{}"
FIVE_HZ = 0.2  # seconds
FAST = "KLM1"


class ThinningTests(SynchronousTestCase):
    """A pilot who reports five times a second, and those who see him."""

    @override
    def setUp(self) -> None:
        """Put one pilot near, one far, and a controller as far."""
        self.server = MemoryServer()
        self.fast = self.server.log_on_pilot(FAST)
        self.near = self.server.log_on_pilot("KLM2")
        self.far = self.server.log_on_pilot("KLM3")
        self.tower = self.server.log_on_controller("EHAM_CTR")
        self.near.say(PLACE.format("KLM2", 48.1, 0))
        self.far.say(PLACE.format("KLM3", 50.0, 0))  # 120 miles
        self.tower.say("%EHAM_CTR:24500:6:300:5:50.00000:2.00000:0")
        self.report(0)
        self.hear()

    def report(self, number: int) -> None:
        """Have him report once; the number says which it is."""
        line = PLACE.format(FAST, 48.0, number)
        self.fast.protocol.dataReceived(line.encode() + b"\r\n")

    def hear(self) -> tuple[int, int, int]:
        """Return how many reports each has read since the last time."""
        self.server.turn()
        near, far, tower = (
            sum(FAST in line and line[0] == "@" for line in terminal.read())
            for terminal in (self.near, self.far, self.tower)
        )
        return near, far, tower

    def fly(self, seconds: float) -> tuple[int, int, int]:
        """Have him report for so long; return how many each has read."""
        begun = self.server.clock.seconds()
        for number in range(round(seconds / FIVE_HZ)):
            wait = begun + number * FIVE_HZ - self.server.clock.seconds()
            self.server.clock.advance(max(wait, 0.0))
            self.report(number)
        return self.hear()

    def test_at_rest(self) -> None:
        """Everybody in sight reads all of it."""
        self.assertEqual(self.fly(30.0), (150, 150, 150))

    def test_five_times_a_second(self) -> None:
        """Once a second to those who are near, and to controllers; others seldom."""
        self.server.fanout.thin(PACE)
        # A tenth of an interval is given: at 0, 14 and 28 s.
        self.assertEqual(self.fly(30.0), (30, 3, 30))
        self.assertEqual(self.server.fanout.kept_back(), 147)
        self.assertEqual(self.server.fanout.thin_no_more(), 147)
        self.assertEqual(self.server.fanout.kept_back(), 0)
        self.assertEqual(self.fly(30.0), (150, 150, 150))

    def test_the_usual_report_every_five_seconds(self) -> None:
        """Those who are near, and controllers, read all of it."""
        self.server.fanout.thin(PACE)
        heard = [0, 0, 0]
        for number in range(12):
            self.report(number)
            for place, count in enumerate(self.hear()):
                heard[place] += count
            self.server.clock.advance(5.0)
        self.assertEqual(heard, [12, 4, 12])

    def test_who_leaves_is_forgotten(self) -> None:
        """So that the table does not grow by those who come and go."""
        self.server.fanout.thin(PACE)
        for number in range(20):
            passer = self.server.log_on_pilot(f"AFR{number}")
            passer.say(PLACE.format(f"AFR{number}", 48.0, 0), f"#DPAFR{number}")
        self.report(1)
        self.server.turn()
        self.assertIn("Thinning of 1:", repr(self.server.fanout.thinning))
