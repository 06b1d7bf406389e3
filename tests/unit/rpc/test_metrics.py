"""What is counted about calls, and that it cannot grow without end."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.rpc.errors import Code
from rum_twisted.rpc.metrics import (
    BUCKETS,
    GONE,
    MOST_VERSIONS,
    OTHER,
    CallMetrics,
    Label,
)


def label(address: str = "127.0.0.1:7001", version: str = "4.0.0") -> Label:
    """Return the label of one method at one place."""
    return Label(
        service="weather",
        method="/rum.v1.Weather/Metar",
        address=address,
        version=version,
    )


class MetricsTests(SynchronousTestCase):
    """The counts of calls."""

    @override
    def setUp(self) -> None:
        """Count at most three series apart."""
        self.metrics = CallMetrics(most=3)

    def test_calls_are_counted_by_code(self) -> None:
        """Answers, errors by their code, and the time of all."""
        series = self.metrics.series(label())
        series.observe(0.25, Code.OK)
        series.observe(0.5, Code.UNAVAILABLE)
        series.observe(0.75, Code.UNAVAILABLE)
        self.assertEqual((series.calls, series.errors, series.seconds), (3, 2, 1.5))
        self.assertEqual(series.codes, {Code.OK: 1, Code.UNAVAILABLE: 2})

    def test_limits_of_buckets_belong_to_them(self) -> None:
        """Each bucket has what takes no longer than its limit; the last the rest."""
        series = self.metrics.series(label())
        for limit in BUCKETS:
            series.observe(limit, Code.OK)
        series.observe(BUCKETS[-1] + 1, Code.OK)
        series.observe(0.0, Code.OK)
        self.assertEqual(series.buckets, [2, *[1] * len(BUCKETS)])

    def test_versions_are_counted_apart(self) -> None:
        """A new version's calls are not mixed with the old one's."""
        old = self.metrics.series(label(version="4.0.0"))
        new = self.metrics.series(label(version="4.1.0"))
        self.assertIsNot(old, new)
        self.assertIs(self.metrics.series(label(version="4.1.0")), new)

    def test_too_many_are_counted_together(self) -> None:
        """However many there are, three are apart and the rest is one."""
        for number in range(1000):
            series = self.metrics.series(label(f"127.0.0.1:{number + 1}"))
            series.observe(0.1, Code.OK)
        found = {each.label.address: each.calls for each in self.metrics.snapshot()}
        self.assertEqual(len(found), 4)
        self.assertEqual(found[OTHER], 997)

    def test_instances_that_come_and_go_leave_one_series(self) -> None:
        """Each at a new port: their counts add up under one address."""
        for number in range(1000):
            series = self.metrics.series(label(f"127.0.0.1:{number + 1}"))
            series.observe(0.1, Code.OK)
            self.metrics.retire([series])
        (left,) = self.metrics.snapshot()
        self.assertEqual((left.label.address, left.calls), (GONE, 1000))
        self.assertEqual(sum(left.buckets), 1000)

    def test_versions_of_those_who_are_gone(self) -> None:
        """What is told of a version's calls never goes down; versions are bounded."""
        metrics = CallMetrics()
        for number in range(100):
            series = metrics.series(label(f"127.0.0.1:{number + 1}", f"4.{number}"))
            series.observe(0.1, Code.OK)
        before = self.calls(metrics)
        metrics.retire(metrics.snapshot()[:1])
        self.assertEqual(self.calls(metrics), before)
        metrics.retire(metrics.snapshot())
        after = self.calls(metrics)
        self.assertEqual(after["4.0"], 1)
        self.assertEqual(after[OTHER], 100 - MOST_VERSIONS)
        self.assertEqual(len(after), MOST_VERSIONS + 1)

    def calls(self, metrics: CallMetrics) -> dict[str, Any]:
        """Return the calls by version, as programs that watch read them."""
        calls, times = metrics.families("client")
        self.assertEqual(set(calls.values), {(*key, "OK") for key in times.values})
        return {key[2]: value for key, value in calls.values.items()}

    def test_the_common_series_is_never_retired(self) -> None:
        """It belongs to nobody who could go."""
        for number in range(5):
            self.metrics.series(label(f"127.0.0.1:{number + 1}"))
        common = self.metrics.series(label("127.0.0.1:9999"))
        common.observe(0.1, Code.OK)
        self.metrics.retire([common])
        self.assertIn(common, self.metrics.snapshot())
