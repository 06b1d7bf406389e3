"""How a version does beside the others."""

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.rpc.calling import NOBODY
from rum_twisted.rpc.errors import Code
from rum_twisted.rpc.metrics import BUCKETS, GONE, CallMetrics, Label, p99_of
from rum_twisted.rpc.quality import NOTHING, Tally, tallies, verdict
from rum_twisted.terms.rule import BackOut
from rum_twisted.terms.units import Seconds
from tests.support.rules import CANARY

WINDOW = Seconds(30.0)


def observe(
    metrics: CallMetrics,
    version: str,
    *codes: Code,
    seconds: float = 0.001,
    address: str = "127.0.0.1:7001",
    service: str = "weather",
) -> None:
    """Count calls that have ended so."""
    label = Label(service=service, method="/m", address=address, version=version)
    for code in codes:
        metrics.series(label).observe(seconds, code)


class P99Tests(SynchronousTestCase):
    """The 99th percentile of a histogram."""

    def test_nothing(self) -> None:
        """Of no calls it is 0."""
        self.assertEqual(p99_of(NOTHING.buckets), 0.0)

    def test_one_bucket(self) -> None:
        """It lies near the end of the bucket that all are in."""
        buckets = [0] * (len(BUCKETS) + 1)
        buckets[1] = 100
        self.assertAlmostEqual(p99_of(buckets), 0.0005 + 0.0005 * 0.99, places=9)

    def test_one_of_a_hundred_does_not_count(self) -> None:
        """Two do."""
        buckets = [0] * (len(BUCKETS) + 1)
        buckets[0], buckets[9] = 99, 1
        self.assertLessEqual(p99_of(buckets), BUCKETS[0])
        buckets[9] = 2
        self.assertGreater(p99_of(buckets), BUCKETS[8])

    def test_beyond_all_buckets(self) -> None:
        """It is said to be the last edge."""
        self.assertEqual(p99_of([0] * len(BUCKETS) + [5]), BUCKETS[-1])


class TallyTests(SynchronousTestCase):
    """What is counted about both parts."""

    @override
    def setUp(self) -> None:
        """Begin with nothing."""
        self.metrics = CallMetrics()

    def tallies(self) -> tuple[Tally, ...]:
        """Return what was counted about the new version and the others."""
        return tallies(self.metrics.snapshot(), "weather", CANARY)

    def test_parts(self) -> None:
        """What is not the new version is the others; other services do not count."""
        observe(self.metrics, CANARY, Code.OK, Code.INTERNAL)
        observe(self.metrics, "4.0.0", Code.OK)
        observe(self.metrics, "3.0.0", Code.OK, Code.UNKNOWN, address="h:1")
        observe(self.metrics, CANARY, Code.INTERNAL, service="passport")
        canary, others = self.tallies()
        self.assertEqual((canary.calls, canary.errors), (2, 1))
        self.assertEqual((others.calls, others.errors), (3, 1))

    def test_given_up_calls_do_not_count(self) -> None:
        """A caller who hangs up says nothing about a version."""
        observe(self.metrics, CANARY, Code.CANCELLED, Code.OK)
        canary, _ = self.tallies()
        self.assertEqual((canary.calls, canary.errors), (1, 0))

    def test_calls_that_could_not_be_sent(self) -> None:
        """They count against the version they were for; those for anybody do not."""
        observe(self.metrics, CANARY, Code.UNAVAILABLE, address=NOBODY, seconds=0.0)
        observe(self.metrics, "", Code.UNAVAILABLE, address=NOBODY, seconds=0.0)
        canary, others = self.tallies()
        self.assertEqual((canary.calls, canary.errors), (1, 1))
        self.assertEqual(sum(canary.buckets), 0)
        self.assertEqual(others, NOTHING)

    def test_those_who_are_gone_count(self) -> None:
        """A version that crashes again and again does not lose its record by it."""
        label = Label(service="weather", method="/m", address="h:1", version=CANARY)
        for _ in range(3):
            series = self.metrics.series(label)
            series.observe(0.1, Code.INTERNAL)
            self.metrics.retire([series])
        canary, others = self.tallies()
        self.assertEqual((canary.calls, canary.errors), (3, 3))
        self.assertEqual(others, NOTHING)
        self.assertIn(GONE, [each.label.address for each in self.metrics.snapshot()])

    def test_growth(self) -> None:
        """What has been counted since a moment is never less than nothing."""
        observe(self.metrics, CANARY, Code.OK, Code.INTERNAL)
        before, _ = self.tallies()
        observe(self.metrics, CANARY, Code.OK)
        after, _ = self.tallies()
        self.assertEqual(after.since(before).calls, 1)
        self.assertEqual(before.since(after), NOTHING)


def tally(calls: int, errors: int = 0, bucket: int = 2) -> Tally:
    """Return calls that have all taken about the same time."""
    buckets = [0] * (len(BUCKETS) + 1)
    buckets[bucket] = calls
    return Tally(calls=calls, errors=errors, buckets=tuple(buckets))


class VerdictTests(SynchronousTestCase):
    """Whether it does too badly."""

    limits = BackOut(error_points=5.0, p99_ratio=3.0, least_calls=50, window=WINDOW)

    def verdict(self, canary: Tally, others: Tally) -> str:
        """Return the verdict."""
        return verdict(self.limits, canary, others, WINDOW)

    def test_too_many_errors(self) -> None:
        """Past the limit, and not at it."""
        self.assertEqual(self.verdict(tally(100, 5), tally(900)), "")
        reason = self.verdict(tally(100, 6), tally(900))
        self.assertIn("6.0 % of 100 calls failed in 30 s", reason)
        self.assertIn("0.0 % of 900", reason)
        self.assertIn("5 points", reason)

    def test_errors_of_all(self) -> None:
        """What fails with all is not the fault of one."""
        self.assertEqual(self.verdict(tally(100, 50), tally(900, 450)), "")

    def test_too_slow(self) -> None:
        """Three times the others' time, and not less."""
        self.assertEqual(self.verdict(tally(100, bucket=3), tally(900)), "")
        reason = self.verdict(tally(100, bucket=5), tally(900))
        self.assertIn("p99", reason)
        self.assertIn("3 times", reason)

    def test_too_few_calls(self) -> None:
        """Of either part: nothing is said of what was hardly seen."""
        for calls, others in ((49, 900), (900, 49), (0, 900), (900, 0)):
            self.assertEqual(self.verdict(tally(calls, calls), tally(others)), "")
        self.assertNotEqual(self.verdict(tally(50, 50), tally(50)), "")

    def test_one_limit_alone(self) -> None:
        """What is not limited is not looked at."""
        self.limits = BackOut(p99_ratio=3.0)
        self.assertEqual(self.verdict(tally(100, 100), tally(900)), "")
        self.limits = BackOut(error_points=5.0)
        self.assertEqual(self.verdict(tally(100, bucket=9), tally(900)), "")
