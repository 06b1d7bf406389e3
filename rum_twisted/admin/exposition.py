"""The page of metrics, as Prometheus reads it.

Whoever counts something is asked when the page is asked for, in the thread of the HTTP
server; what he counts costs nothing else. The library that writes the page is loaded
with the first question: a server that nobody scrapes has no memory to spare for it.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.admin.http import Answer, Asked
from rum_twisted.terms.histogram import Histogram
from rum_twisted.terms.metric import Family

__all__ = ["MOST_SETS", "Exposition"]

MOST_SETS: Final = 1000  # of labels, in one family; more are left out, and it is told
_BREATH: Final = 0.0002  # seconds
_OPENMETRICS: Final = "application/openmetrics-text"
_NOT_INSTALLED: Final = 501
_TRIES: Final = 3

Metering = Callable[[], Iterator[Family]]


class Exposition:
    """Writes down what all others have counted.

    Args:
        log_later: calls its argument in the reactor's thread.

    Invariant: each family is written once, with at most `MOST_SETS` of labels.
    """

    log = Logger()

    def __init__(self, log_later: Callable[..., Any]) -> None:
        self._log_later = log_later
        self._sources: list[Metering] = []
        self._troubled: set[str] = set()  # the log knows
        self._registry: Any = None  # the library's, once somebody has asked
        self._breath = threading.Event()  # never set
        self.cut = 0  # families that had too many sets at the last time

    @override
    def __repr__(self) -> str:
        return f"<Exposition of {len(self._sources)}>"

    def add(self, source: Metering) -> None:
        """Ask somebody too, from now on."""
        self._sources.append(source)

    def page(self, query: Asked) -> Answer:
        """Return the page, in the form that is asked for."""
        try:
            if self._registry is None:
                self._registry = self._make_registry()
            # A megabyte, and not for those whom nobody scrapes.
            from prometheus_client import exposition  # noqa: PLC0415
            from prometheus_client.openmetrics import (  # noqa: PLC0415
                exposition as openmetrics,
            )
        except ImportError:
            words = b"metrics are not installed: pip install 'rum-twisted[metrics]'\n"
            return Answer(words, status=_NOT_INSTALLED)
        if _OPENMETRICS in query.accept:
            body = openmetrics.generate_latest(self._registry)
            return Answer(body, openmetrics.CONTENT_TYPE_LATEST)
        body = exposition.generate_latest(self._registry)
        return Answer(body, exposition.CONTENT_TYPE_PLAIN_0_0_4)

    def families(self) -> Iterator[Family]:
        """Yield what all have counted; one that fails is left out, and logged once."""
        self.cut = 0
        for source in tuple(self._sources):
            yield from self._ask(source)
        yield Family.single(
            "rum_scrape_cut_families",
            "gauge",
            "Metrics of this page that had too many sets of labels.",
            self.cut,
        )

    def _ask(self, source: Metering) -> Sequence[Family]:
        for tries in range(1, _TRIES + 1):
            try:
                return tuple(source())
            except RuntimeError:  # mostly "changed size during iteration"
                if tries == _TRIES:
                    self._tell(repr(source))
            except Exception:  # noqa: BLE001 - one may not hide the others
                self._tell(repr(source))
                break
        return ()

    def _tell(self, name: str) -> None:
        """Log what was just raised, once for each name."""
        if name not in self._troubled:
            self._troubled.add(name)
            self._log_later(
                partial(self.log.failure, "metrics of {source}", Failure(), source=name)
            )

    def _make_registry(self) -> Any:
        from prometheus_client import (  # noqa: PLC0415 - see above
            CollectorRegistry,
            ProcessCollector,
        )

        registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=registry)
        registry.register(_Collector(self._converted))
        return registry

    def _converted(self) -> Iterator[Any]:
        """Yield all as the library has it.

        The reactor gets its turn after each: without a pause this thread would keep
        it waiting for the whole of the page.
        """
        for family in self.families():
            try:
                converted = _convert(self._bounded(family))
            except Exception:  # noqa: BLE001 - one may not hide the others
                self._tell(family.name)
                continue
            yield converted
            self._breath.wait(_BREATH)

    def _bounded(self, family: Family) -> Family:
        if len(family.values) <= MOST_SETS:
            return family
        self.cut += 1
        kept = dict(sorted(family.values.items())[:MOST_SETS])
        return Family(family.name, family.kind, family.help, kept, family.labels)


class _Collector:
    """What the library's registry asks."""

    def __init__(self, families: Callable[[], Iterable[Any]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Any]:
        return self._families()

    def describe(self) -> Iterable[Any]:
        return ()


def _convert(family: Family) -> Any:
    """Return a family as the library has it."""
    from prometheus_client import core  # noqa: PLC0415 - see above

    kinds = {
        "counter": core.CounterMetricFamily,
        "gauge": core.GaugeMetricFamily,
        "histogram": core.HistogramMetricFamily,
    }
    found: Any = kinds[family.kind](family.name, family.help, labels=family.labels)
    for labels, value in family.values.items():
        if isinstance(value, Histogram):
            found.add_metric(labels, _buckets(value), value.sum)
        else:
            found.add_metric(labels, float(value))
    return found


def _buckets(histogram: Histogram) -> list[tuple[str, int]]:
    """Return the counts up to each limit, as the library wants them."""
    total = 0
    found = []
    limits = [*(f"{float(limit)}" for limit in histogram.limits), "+Inf"]
    for limit, count in zip(limits, list(histogram.buckets), strict=True):
        total += count
        found.append((limit, total))
    return found
