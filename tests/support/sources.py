"""Sources of METARs on the web: in memory, with real HTTP, and a clock to turn.

`Web` is a host that answers as a test says. `MemoryWeb` joins it to the real
`HttpWeather`, whose requests are made, parsed and cut as over a network; only the
sockets are missing.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from treq.testing import RequestTraversalAgent
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from typing_extensions import override

from rum_twisted.config import WeatherSettings, load
from rum_twisted.terms.units import Seconds
from rum_twisted.weather.fetch import Fetcher
from rum_twisted.weather.http import HttpWeather
from rum_twisted.weather.stations import Airports
from tests.support.builders import NOON

__all__ = [
    "CYCLE",
    "JSON",
    "RAW",
    "SECOND",
    "MemoryWeb",
    "Web",
    "report_of",
    "weather_settings",
]

RAW: Final = "raw http://one.example/raw/{station}"
SECOND: Final = "raw http://two.example/raw/{station}"
JSON: Final = "json:0.rawOb http://one.example/json/{station}"
CYCLE: Final = "cycle http://one.example/cycle/{hour}"

Answer = bytes | int | Callable[[Request], Any]
"""A body; or a status; or whatever a function does with the request."""

_PACKAGE_OF_NOTHING: Final = "no_such_package"


def report_of(station: str, time: str = "211150Z") -> str:
    """Return a plausible report; by default of ten minutes before `NOON`."""
    return f"{station} {time} 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG"


class Web(Resource):
    """All hosts of a little web: what a path answers is what a test says.

    A path that was not given answers with an empty body.
    """

    isLeaf = True  # noqa: N815 - Twisted looks for this name

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []  # paths, with the host in front
        self.headers: list[dict[str, str]] = []
        self.held: list[Request] = []  # requests that are not answered

    def hold(self, request: Request) -> Any:
        """Answer nothing, for as long as the test wants."""
        self.held.append(request)
        return NOT_DONE_YET

    @override
    def render(self, request: Request) -> Any:
        """Answer a request."""
        host = request.getRequestHostname().decode()
        path = f"{host}{request.uri.decode()}"
        self.requests.append(path)
        self.headers.append(
            {
                name.decode().lower(): values[-1].decode()
                for name, values in request.requestHeaders.getAllRawHeaders()
            }
        )
        answer = self.answers.get(path, b"")
        if isinstance(answer, int):
            request.setResponseCode(answer)
            return b""
        return answer if isinstance(answer, bytes) else answer(request)


def weather_settings(sources: Sequence[str], *assignments: str) -> WeatherSettings:
    """Return settings with these sources, and what else is assigned in TOML."""
    listed = ", ".join(f'"{source}"' for source in sources)
    return load(
        None,
        [
            'weather.source="http"',
            f"weather.sources=[{listed}]",
            *(f"weather.{assignment}" for assignment in assignments),
        ],
    ).weather


class MemoryWeb:
    """Weather over a little web, and the clock of both.

    Args:
        sources: as an operator writes them.
        assignments: other settings, in TOML: ``fresh_for=60``.
        has_airports: whether it is known where airports are.
    """

    def __init__(
        self,
        sources: Sequence[str] = (RAW,),
        *assignments: str,
        has_airports: bool = False,
    ) -> None:
        self.clock = Clock()
        self.web = Web()
        self.agent = RequestTraversalAgent(self.web)
        airports = Airports(self.clock)
        if not has_airports:
            airports = Airports(self.clock, _PACKAGE_OF_NOTHING)
        self.weather = HttpWeather(
            weather_settings(sources, *assignments),
            Fetcher(self.agent, self.clock),
            self.clock,
            self.now,
            airports,
            Random(1),  # noqa: S311 - spreads pauses
        )

    def now(self) -> Seconds:
        """Return the time of day: it was noon when the clock began."""
        return Seconds(NOON + self.clock.seconds())

    def serve(self, station: str, report: str | None = None, host: str = "one") -> None:
        """Have a host answer with a report."""
        text = report_of(station) if report is None else report
        self.web.answers[f"{host}.example/raw/{station}"] = text.encode() + b"\n"

    def run(self) -> None:
        """Let everything happen that is due now."""
        for _ in range(100):
            self.agent.flush()
            self.clock.advance(0)
