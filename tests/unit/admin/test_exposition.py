"""The page of metrics: what stands there, and that nothing makes it grow."""

from collections.abc import Iterator
from typing import Any

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.exposition import MOST_SETS, Exposition
from rum_twisted.admin.http import Asked
from rum_twisted.pergola.connections import Connections
from rum_twisted.pergola.figures import FrontFigures
from rum_twisted.rpc.errors import Code
from rum_twisted.rpc.metrics import CallMetrics, Label
from rum_twisted.terms.histogram import Histogram
from rum_twisted.terms.metric import Family
from tests.support.builders import make_limits
from tests.support.server import MemoryServer

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"


def colors(count: int) -> Iterator[Family]:
    """Yield a family of so many sets of labels."""
    values = {f"{number:05d}": 1.0 for number in range(count)}
    yield Family.by("color", "rum_colors", "gauge", "Colors.", values)


class ExpositionTests(SynchronousTestCase):
    """A page with what a test puts there."""

    @override
    def setUp(self) -> None:
        """Have an empty page."""
        self.later: list[object] = []
        self.exposition = Exposition(lambda *call: self.later.append(call))

    def page(self, accept: str = "") -> str:
        """Return the page."""
        return self.exposition.page(Asked(accept=accept)).body.decode()

    def samples(self) -> dict[str, float]:
        """Return the values of those metrics that have no labels."""
        return {
            sample.name: sample.value
            for family in read_text(self.page())
            for sample in family.samples
            if not sample.labels
        }

    def test_each_kind(self) -> None:
        """A counter, a gauge and a histogram, in both forms."""
        histogram = Histogram((0.1, 1.0))
        for value in (0.05, 0.5, 5.0):
            histogram.observe(value)

        def families() -> Iterator[Family]:
            yield Family.single("rum_turns", "counter", "Turns.", 3)
            yield Family.single("rum_height", "gauge", "Height.", 1.5)
            yield Family.by("class", "rum_wait", "histogram", "W.", {"news": histogram})

        self.exposition.add(families)
        text = self.page()
        for line in (
            "# TYPE rum_turns_total counter",
            "rum_turns_total 3.0",
            "rum_height 1.5",
            'rum_wait_bucket{class="news",le="0.1"} 1.0',
            'rum_wait_bucket{class="news",le="+Inf"} 3.0',
            'rum_wait_count{class="news"} 3.0',
            'rum_wait_sum{class="news"} 5.55',
        ):
            self.assertIn(f"{line}\n", text)
        answer = self.exposition.page(Asked(accept=OPENMETRICS))
        self.assertIn("application/openmetrics-text", answer.content_type)
        names = {family.name for family in read_openmetrics(answer.body.decode())}
        self.assertLessEqual({"rum_turns", "rum_height", "rum_wait"}, names)
        self.assertIn("text/plain", self.exposition.page(Asked()).content_type)

    def test_the_process(self) -> None:
        """What the library tells of every process is there as well."""
        self.assertGreater(self.samples()["process_cpu_seconds_total"], 0.0)

    def test_a_bug_in_one_hides_no_other(self) -> None:
        """It is logged once, in the reactor's thread."""

        def broken() -> Iterator[Family]:
            yield from colors(1)
            raise ZeroDivisionError

        self.exposition.add(broken)
        self.exposition.add(lambda: colors(2))
        for _ in range(3):
            self.assertIn('rum_colors{color="00001"}', self.page())
        self.assertEqual(len(self.later), 1)

    def test_a_family_that_cannot_be_written(self) -> None:
        """It alone is left out, and logged once: a value that is none, for one."""

        def broken() -> Iterator[Family]:
            nothing: Any = None
            yield Family.single("rum_nothing", "gauge", "Nothing.", nothing)
            short = Histogram((0.1,))
            short.buckets.pop()
            yield Family.single("rum_short", "histogram", "Short.", short)
            yield from colors(2)

        self.exposition.add(broken)
        for _ in range(3):
            text = self.page()
            self.assertIn('rum_colors{color="00001"}', text)
            self.assertNotIn("rum_nothing", text)
            self.assertNotIn("rum_short", text)
        self.assertEqual(len(self.later), 2)

    def test_what_changes_whenever_it_is_read(self) -> None:
        """After some tries it is left out, and logged: it may be a bug."""

        def changing() -> Iterator[Family]:
            raise RuntimeError("dictionary changed size during iteration")

        self.exposition.add(changing)
        self.exposition.add(lambda: colors(1))
        for _ in range(3):
            self.assertIn("rum_colors", self.page())
        self.assertEqual(len(self.later), 1)

    def test_what_changes_while_it_is_read(self) -> None:
        """It is read again."""
        tries = []

        def changing() -> Iterator[Family]:
            tries.append(1)
            if len(tries) == 1:
                raise RuntimeError("dictionary changed size during iteration")
            return colors(1)

        self.exposition.add(changing)
        self.assertIn("rum_colors", self.page())
        self.assertEqual(len(tries), 2)

    def test_sets_of_labels_are_bounded(self) -> None:
        """At the bound all are there; past it some are not, and it is told."""
        self.exposition.add(lambda: colors(MOST_SETS))
        self.assertEqual(self.samples()["rum_scrape_cut_families"], 0.0)
        self.assertEqual(self.page().count("rum_colors{"), MOST_SETS)
        self.exposition = Exposition(lambda *_: None)
        self.exposition.add(lambda: colors(MOST_SETS + 1))
        self.assertEqual(self.samples()["rum_scrape_cut_families"], 1.0)
        self.assertEqual(self.page().count("rum_colors{"), MOST_SETS)


class CardinalityTests(SynchronousTestCase):
    """Nothing that a client says, and no instance that comes and goes, is a label."""

    def test_thousands_of_clients(self) -> None:
        """The page of three thousand different clients has the lines of the first."""
        server = MemoryServer(max_clients=5000)
        connections = Connections(Clock(), 5000)
        figures = FrontFigures(
            server.fanout.tally, connections, server.roster, make_limits()
        )
        exposition = Exposition(lambda *_: None)
        exposition.add(figures.families)
        first = exposition.page(Asked()).body.count(b"\n")
        for number in range(3000):
            terminal = server.connect()
            line = f"#AP{number}X:SERVER:1000001:pw01:1:9:2:Joe {number}\r\n"
            terminal.protocol.dataReceived(line.encode())
            odd = f"{chr(33 + number % 94)}{number}:{number}\r\n"
            terminal.protocol.dataReceived(odd.encode("latin-1"))
            if number % 2:
                terminal.hang_up()
            server.terminals.clear()
        page = exposition.page(Asked()).body
        self.assertIn(b'rum_clients{kind="pilot"} 1500.0', page)
        # One line for each result of a logon that has come up.
        self.assertLess(page.count(b"\n") - first, 10)
        self.assertNotIn(b"1000001", page)
        self.assertNotIn(b"2999X", page)

    def test_endpoints_that_come_and_go(self) -> None:
        """Five thousand instances, each at its own port and of a version of its own."""
        metrics = CallMetrics()
        exposition = Exposition(lambda *_: None)
        exposition.add(lambda: metrics.families("client"))
        for number in range(5000):
            series = metrics.series(
                Label(
                    service="passport",
                    method="/rum.v1.Passport/Authenticate",
                    address=f"10.0.0.1:{number}",
                    version=f"4.{number}",
                )
            )
            series.observe(0.01, Code.OK)
            metrics.retire([series])
        page = exposition.page(Asked()).body
        self.assertNotIn(b"10.0.0.1", page)
        self.assertLess(page.count(b"rum_rpc_client"), 300)
        total = sum(
            sample.value
            for family in read_text(page.decode())
            for sample in family.samples
            if sample.name == "rum_rpc_client_calls_total"
        )
        self.assertEqual(total, 5000)
