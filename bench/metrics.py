"""What counting and being scraped cost, at c400x1: 400 pilots, a report every second.

    python -m bench.metrics [--rounds 5]

Rounds alternate between the server as it is, scraped every five seconds, and the same
server without: nothing listens for scrapes, and what counts lines, receivers and delays
does nothing. There is no setting for the second one; the bench makes it so. The
figure is CPU of the server for a million delivered lines; the ratio is the median of
the rounds' own, as two runs that stood side by side met the same noise.
"""

import argparse
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Final

from bench import machine
from bench.load import Load
from bench.measures import Pace, Place, Steady
from bench.processes import ROOT, free_port
from bench.servers import Server, rum
from bench.workshop import OUT, compile_source

__all__ = ["main"]

_EVERY: Final = 5.0  # seconds between two scrapes
_PILOTS: Final = 400
_PERCENT: Final = 100.0

# Counts nothing: each method that the way of a report calls returns at once.
_WITHOUT: Final = """
from rum_twisted.session import tally
from rum_twisted.terms import histogram
nothing = lambda *_: None
tally.Tally.count_out = nothing
histogram.Histogram.observe = nothing
histogram.Histogram.observe_since = nothing
from twisted.scripts.twistd import run
run()
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure both and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.metrics")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    print(machine.look(), "\n")
    load = Load(compile_source(ROOT / "bench/fsdload/fsdload.cpp"), OUT)
    place = Place(load, OUT / "run" / "metrics", Pace())
    print(f"{'':<8}{'with':>10}{'without':>10}{'ratio':>9}   CPU-s/M")
    ratios = []
    for number in range(options.rounds):
        kinds = ("with", "without") if number % 2 else ("without", "with")
        found = {kind: _run(kind, place) for kind in kinds}
        ratio = found["with"] / found["without"]
        ratios.append(ratio)
        print(
            f"{number + 1:<8}{found['with']:>10.3f}{found['without']:>10.3f}"
            f"{ratio:>9.3f}",
            flush=True,
        )
    more = (median(ratios) - 1.0) * _PERCENT
    print(
        f"\nmetrics cost {more:+.1f} % of CPU for a delivered line; must: at most 3 %"
    )
    print(f"load average {machine.load_average():.2f} after")


def _run(kind: str, place: Place) -> float:
    measure = Steady(_PILOTS, ("--interval", "1"))
    if kind == "without":
        return measure(_without(rum('pergola.http=""')), place)["cpu_s_per_million"]
    port = free_port()
    server = rum(f'pergola.http="tcp:{port}:interface=127.0.0.1"')
    with _scraping(port):
        return measure(server, place)["cpu_s_per_million"]


def _without(server: Server) -> Server:
    """Return the same server, without what is measured."""

    def prepare(folder: Path, port: int) -> Sequence[str]:
        python, option, _, *rest = server.prepare(folder, port)
        return (python, option, _WITHOUT, *rest)

    return Server("without", prepare, server.environ)


@contextmanager
def _scraping(port: int) -> Iterator[None]:
    """Scrape, as Prometheus would."""
    ended = threading.Event()

    def scrape() -> None:
        while not ended.wait(_EVERY):
            url = f"http://127.0.0.1:{port}/metrics"
            with suppress(OSError), urllib.request.urlopen(url, timeout=5) as page:
                page.read()

    thread = threading.Thread(target=scrape, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


if __name__ == "__main__":
    main()
