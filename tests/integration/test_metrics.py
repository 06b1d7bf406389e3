"""The page of metrics of a real server, and everything that is made to read it."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read_text
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.support.twistd import PATIENCE, ROOT, free_port, serve

ETC: Final = ROOT / "etc"
PAGE: Final = ROOT / "docs" / "metrics.md"
AT_ONCE: Final = 50
_ROW: Final = re.compile(r"^\| `(\w+)` \| (counter|gauge|histogram) \| (.*?) \|", re.M)
_NAME: Final = re.compile(r"\b(?:rum|process)_\w+")
_WORDS: Final = re.compile(r"`(\w+)`")
_SUFFIX: Final = re.compile(r"_(?:bucket|sum|count)$")


@contextmanager
def serving(folder: Path) -> Iterator["Scraped"]:
    """Run a server that calls others, so that it counts everything there is."""
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "cert.txt").write_text("1000001 pw01 1\n")
    port = free_port()
    settings = ("--set", f'services.listen="127.0.0.1:{free_port()}"')
    http = f"tcp:{port}:interface=127.0.0.1"
    with serve(folder, "rum", *settings, daemon=False, http=http):
        yield Scraped(port)


class Scraped:
    """A server that can be asked over HTTP."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str, accept: str = "") -> tuple[int, str]:
        """Return status and body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers={"Accept": accept})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def types(self) -> dict[str, str]:
        """Return the metrics' types by name."""
        text = self.get("/metrics")[1]
        found = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M)
        return dict(found)

    def labels(self) -> dict[str, set[str]]:
        """Return the labels of each metric that has values."""
        found: dict[str, set[str]] = {}
        for family in read_text(self.get("/metrics")[1]):
            for sample in family.samples:
                name = sample.name
                if family.type == "histogram":
                    name = _SUFFIX.sub("", name)
                found.setdefault(name, set()).update(set(sample.labels) - {"le"})
        return found


def rows() -> Mapping[str, tuple[str, set[str]]]:
    """Return type and labels of each metric on the page of the docs."""
    return {
        name: (kind, set(_WORDS.findall(labels)))
        for name, kind, labels in _ROW.findall(PAGE.read_text("utf-8"))
    }


def promtool(*arguments: str, given: str = "") -> str:
    """Run promtool, and return what it says.

    Raises:
        SkipTest: it is missing.
        AssertionError: it does not like what it sees.
    """
    program = shutil.which("promtool")
    if program is None:
        raise SkipTest("promtool is not installed (Debian's package prometheus)")
    done = subprocess.run(  # noqa: S603 - a program of the system
        (program, *arguments),
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    words = done.stdout + done.stderr
    if done.returncode:
        raise AssertionError(f"promtool {' '.join(arguments)}: {words}")
    return words


def dashboard() -> Any:
    """Return the dashboard."""
    return json.loads((ETC / "grafana" / "rum.json").read_text("utf-8"))


def queries() -> Iterator[str]:
    """Yield all queries of the dashboard, those of its variables included."""
    board = dashboard()
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


class MetricsTests(SynchronousTestCase):
    """One server for all questions."""

    def test_a_real_scrape(self) -> None:
        """The docs, both forms, promtool, the dashboard and the rules agree on it."""
        with serving(Path(self.mktemp()).absolute()) as scraped:
            self.many_at_once(scraped)
            self.states(scraped)
            types = scraped.types()
            self.docs_agree(types, scraped.labels())
            openmetrics = scraped.get("/metrics", "application/openmetrics-text")[1]
            self.assertTrue(openmetrics.endswith("# EOF\n"))
            self.assertGreater(len(list(read_openmetrics(openmetrics))), 30)
            for name, text in (
                *((f"dashboard: {query}", query) for query in queries()),
                ("rules", (ETC / "rum.rules.yml").read_text("utf-8")),
            ):
                known = {
                    full
                    for base, kind in types.items()
                    for full in (
                        (f"{base}_bucket", f"{base}_sum", f"{base}_count")
                        if kind == "histogram"
                        else (base,)
                    )
                }
                self.assertEqual(set(_NAME.findall(text)) - known, set(), name)
            self.assertEqual(promtool("check", "metrics", given=self.text), "")

    def many_at_once(self, scraped: Scraped) -> None:
        """Assert that fifty who ask at the same moment are all answered."""
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda: answers.append(scraped.get("/metrics")[0]))
            for _ in range(AT_ONCE)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(answers, [200] * AT_ONCE)
        self.text = scraped.get("/metrics")[1]

    def states(self, scraped: Scraped) -> None:
        """Assert that it is ready, and says what it is."""
        status, body = scraped.get("/health/ready")
        self.assertEqual((status, json.loads(body)["reasons"]), (200, {}))
        facts = json.loads(scraped.get("/status.json")[1])
        self.assertEqual(facts["clients"]["limits"]["max_clients"], 2000)
        self.assertLessEqual({"pergola", "passport", "weather"}, set(facts["roles"]))
        self.assertNotIn("pw01", json.dumps(facts))

    def docs_agree(
        self, types: Mapping[str, str], labels: Mapping[str, set[str]]
    ) -> None:
        """Assert that docs/metrics.md has each metric, and no other."""
        page = rows()
        self.assertEqual(set(page), set(types))
        for name, (kind, named) in page.items():
            self.assertEqual(kind, types[name], name)
            if name in labels:
                self.assertEqual(named, labels[name], name)


class PromtoolTests(SynchronousTestCase):
    """What Prometheus reads is accepted by its own tool."""

    def test_configuration(self) -> None:
        """The configuration, and the rules it names."""
        self.assertIn(
            "SUCCESS", promtool("check", "config", str(ETC / "prometheus.yml"))
        )

    def test_rules(self) -> None:
        """The rules."""
        self.assertIn("SUCCESS", promtool("check", "rules", str(ETC / "rum.rules.yml")))

    def test_queries_of_the_dashboard(self) -> None:
        """Each can be read, whatever the variables stand for."""
        rules = [
            {
                "record": f"query:{number}",
                "expr": query.replace("$__rate_interval", "1m"),
            }
            for number, query in enumerate(queries())
            if not query.startswith("label_values(")
        ]
        path = Path(self.mktemp())
        path.write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))
        self.assertIn(
            f"{len(rules)} rules found", promtool("check", "rules", str(path))
        )

    def test_alerts_fire_when_they_should(self) -> None:
        """On made-up series: before the bound, and past it."""
        tests = ROOT / "tests" / "support" / "rum.rules.test.yml"
        self.assertIn("SUCCESS", promtool("test", "rules", str(tests)))
