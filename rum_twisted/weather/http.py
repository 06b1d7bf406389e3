"""Weather from sources on the web, which are slow, away, or change their minds.

A client is never the one who pays for that. What is known of his station is told at
once; if it is not the newest, that is fetched behind his back for the next one. What
is not known is fetched, once for all who ask, and who has waited for a while is told
that there is none. Meanwhile everybody else is served as ever: nothing here blocks.

::

    metar() ── cache ── known ──────────────▶ answered at once
                 │ └─── old ──▶ fetched besides
                 └─ unknown ──▶ fetched ──▶ answered, at the latest after answer_within
                                  │
                    sources, in their order (asking.py), each behind its
                    breaker (breaker.py), within time and size (fetch.py)

    every cycle_interval: files of all stations (cycles.py) ──▶ cache

A **stale** report is one that was made long ago (`weather.stale_after`) and for which
no source has a newer one. FSD has no field to tell that to a client; every report
carries its own time, and a pilot reads that. So it is answered like any other until
it is too old (`weather.keep_for`). Operators see how many there are: in
`HttpWeather.status`, and once an hour in the log while no source answers.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    DeferredSemaphore,
    succeed,
)
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.config import WeatherSettings
from rum_twisted.config.metar_sources import parse
from rum_twisted.session.interfaces import IReports, IWeather
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Seconds
from rum_twisted.weather.answers import made_at
from rum_twisted.weather.asking import first_find
from rum_twisted.weather.breaker import Breaker
from rum_twisted.weather.cache import Report, ReportCache
from rum_twisted.weather.fetch import Fetcher
from rum_twisted.weather.origin import UNCHANGED, Found, Nothing, Origin, OriginStatus
from rum_twisted.weather.reading import read_if_any
from rum_twisted.weather.report import is_station, station_key
from rum_twisted.weather.stations import Airports, Near
from rum_twisted.world.weather import Weather

__all__ = ["HttpWeather", "WeatherStatus", "http_weather"]

_NEAREST_ASKED: Final = 3  # airports whose reports are fetched for one question
_KEPT: Final = 2  # connections to one host, when nothing is asked
_FETCH: Final = 6000  # bytes: requests, Deferreds, buffers besides the answer
_HOUR: Final = 3600
_NEXT_FILE: Final = 15 * 60  # seconds before the hour, when its file begins


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherStatus:
    """How the weather is doing, for an operator."""

    reports: int
    stale: int  # of them
    oldest: Seconds  # age of the oldest report; 0 where there is none
    cost: int  # bytes
    waiting: int  # stations whose reports are being fetched
    sources: tuple[OriginStatus, ...]


class _Fetch:
    """A report that is being fetched, and who waits for it."""

    def __init__(self) -> None:
        self.waiters: list[Deferred[str | None]] = []
        self.work: Deferred[None] = Deferred()
        self.is_missing = False  # a source says that there is none

    def wait(self) -> Deferred[str | None]:
        """Return a Deferred that fires with the report or ``None``."""
        waiter: Deferred[str | None] = Deferred(self.waiters.remove)
        self.waiters.append(waiter)
        return waiter

    def answer(self, text: str | None) -> None:
        """Tell everybody who waits."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter.callback(text)


@implementer(IWeather, IReports)
class HttpWeather(Service):
    """Reports from sources on the web.

    Invariants: of one station at most one report is fetched at a time; at most
    ``max_fetches`` are, and ``max_waiting`` more wait for that.

    Args:
        settings: what is asked, and every bound.
        fetcher: asks.
        clock: tells the time that passes.
        now: tells the seconds since the Unix epoch, UTC.
        airports: where stations are, for whoever names none.
        random: spreads what many servers would do at one moment.
    """

    log = Logger()
    name = "weather"

    def __init__(
        self,
        settings: WeatherSettings,
        fetcher: Fetcher,
        clock: IReactorTime,
        now: Callable[[], Seconds],
        airports: Airports,
        random: Random,
    ) -> None:
        self._settings = settings
        self._fetcher = fetcher
        self._clock = clock
        self._now = now
        self._airports = airports
        self._cache = ReportCache(
            most=settings.cache_reports, largest=settings.cache_bytes
        )
        self._origins = [
            Origin(
                parse(source),
                Breaker(
                    failures=settings.breaker_failures,
                    longest=Seconds(settings.longest_pause),
                    random=random.random,
                ),
                now,
            )
            for source in settings.sources
        ]
        self._fetches: dict[bytes, _Fetch] = {}
        self._turns = DeferredSemaphore(settings.max_fetches)
        self._schedule: LoopingCall | None = None
        self._loading: Deferred[None] | None = None  # of files of all stations
        self._load_waiters: list[Deferred[None]] = []
        self._dark_told: Seconds | None = None  # when: no source answers

    @override
    def __repr__(self) -> str:
        return f"<HttpWeather: {self._cache!r}, {len(self._fetches)} being fetched>"

    @override
    def startService(self) -> None:
        """Begin to fetch files of all stations, by the clock."""
        if self.running:
            return
        super().startService()
        self._airports.start()
        if any(origin.is_cycle for origin in self._origins):
            self._load_by_the_clock()

    @override
    def stopService(self) -> Deferred[None]:
        """Give up whatever is being fetched, and close every connection.

        Returns:
            a Deferred that fires when that is done; who waits for a report is told
            that there is none.
        """
        if not self.running:
            return succeed(None)
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def measures(self) -> dict[str, Callable[[], Measure]]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"weather": self.measure, "weather fetches": self.measure_fetches}

    def measure(self) -> Measure:
        """Tell what the reports take."""
        return self._cache.measure()

    def shrink(self) -> int:
        """Drop what was not asked for longest; return how many bytes go."""
        return self._cache.shrink()

    def measure_fetches(self) -> Measure:
        """Tell how many stations' reports are being fetched or waited for."""
        count = len(self._fetches)
        settings = self._settings
        return Measure(
            count=count,
            bytes=count * (_FETCH + settings.max_answer),
            bound=settings.max_fetches + settings.max_waiting,
        )

    async def _stop(self) -> None:
        if self._schedule is not None:
            self._schedule.stop()
            self._schedule = None
        self._airports.stop()
        works = [fetch.work for fetch in self._fetches.values()]
        if self._loading is not None:
            works.append(self._loading)
        for work in works:
            work.cancel()
        await DeferredList(works)
        await self._fetcher.close()
        # Connections that were cut are gone with the next turn.
        await deferLater(self._clock, 0)

    def metar(self, station: str, near: Position | None = None) -> Deferred[str | None]:
        """Look a station's report up; see `IWeather`."""
        key = station_key(station)
        if not key:
            return self._in_time(Deferred.fromCoroutine(self._nearest(near)))
        if not is_station(key) or not self.running:
            return succeed(None)
        known = self._known(key)
        if known is not None:
            return succeed(known)
        if self._is_missing(key):
            return succeed(None)
        return self._in_time(self._wait_for(key))

    def weather(
        self, station: str, near: Position | None = None
    ) -> Deferred[Weather | None]:
        """Look a station's report up and decode it; see `IWeather`."""
        return self.metar(station, near).addCallback(read_if_any)

    def refresh(self) -> bool | None:
        """Fetch the files of all stations, if there are such; see `IReports`."""
        if self._schedule is None:
            return None
        if self._loading is not None:
            return False
        self._schedule.stop()
        self._load_by_the_clock()
        return True

    def stations(self) -> int:
        """Tell how many stations have a report."""
        return len(self._cache)

    def status(self) -> WeatherStatus:
        """Tell an operator how the weather is doing."""
        ages = self._cache.ages(self._now())
        return WeatherStatus(
            reports=len(ages),
            stale=self._stale_of(ages),
            oldest=max(ages, default=Seconds(0)),
            cost=self._cache.cost,
            waiting=len(self._fetches),
            sources=tuple(origin.status() for origin in self._origins),
        )

    def _in_time(self, answer: Deferred[str | None]) -> Deferred[str | None]:
        """Answer that there is none if an answer takes too long."""
        return answer.addTimeout(
            self._settings.answer_within, self._clock, lambda *_: None
        )

    # What is known.

    def _known(self, station: bytes) -> str | None:
        """Return the report that is known; have a newer one fetched if it is time."""
        report = self._cache.get(station)
        if report is None or self._is_too_old(report):
            return None
        now = self._now()
        if now - report.checked_at > self._settings.fresh_for:
            if not self._is_missing(station):
                self._begin(station)
            self._tell_darkness()
        return report.text

    def _text(self, station: bytes) -> str | None:
        """Return the report that is known, and do nothing besides."""
        report = self._cache.get(station)
        if report is None or self._is_too_old(report):
            return None
        return report.text

    def _is_too_old(self, report: Report) -> bool:
        return self._now() - report.made_at > self._settings.keep_for

    def _is_missing(self, station: bytes) -> bool:
        """Tell whether sources said a short while ago that there is no report."""
        missed_at = self._cache.missed_at(station)
        return (
            missed_at is not None and self._now() - missed_at < self._settings.fresh_for
        )

    async def _nearest(self, near: Position | None) -> str | None:
        """Return the report nearest to a place."""
        within = self._settings.nearest_within
        airports = await self._airports.near(near, within)
        known = self._nearest_known(airports)
        wanted = [airport.name for airport in self._worth_asking(airports, until=known)]
        if known is not None:
            for name in wanted:
                self._begin(name)  # for the next one
            return self._known(known)
        await DeferredList(
            [self._wait_for(name) for name in wanted], consumeErrors=True
        )
        known = self._nearest_known(airports)
        return None if known is None else self._known(known)

    def _nearest_known(self, airports: Iterable[Near]) -> bytes | None:
        """Return the first airport with a report that is known and not too old."""
        for airport in airports:
            if self._text(airport.name) is not None:
                return airport.name
        return None

    def _worth_asking(
        self, airports: Iterable[Near], *, until: bytes | None
    ) -> list[Near]:
        """Return the nearest airports that may have a report, up to a known one."""
        wanted: list[Near] = []
        for airport in airports:
            if airport.name == until or len(wanted) == _NEAREST_ASKED:
                break
            if airport.is_busy and not self._is_missing(airport.name):
                wanted.append(airport)
        return wanted

    # What is fetched.

    def _wait_for(self, station: bytes) -> Deferred[str | None]:
        """Return a Deferred that fires with the report when it was fetched."""
        fetch = self._begin(station)
        return succeed(self._text(station)) if fetch is None else fetch.wait()

    def _begin(self, station: bytes) -> _Fetch | None:
        """Fetch a report; ``None``: that is done, or too many wait for it already."""
        fetch = self._fetches.get(station)
        if fetch is not None:
            return fetch
        bound = self._settings.max_fetches + self._settings.max_waiting
        if len(self._fetches) >= bound or not self.running:
            return None
        fetch = self._fetches[station] = _Fetch()
        fetch.work = self._turns.run(self._ask, station, fetch)
        fetch.work.addBoth(self._end, station, fetch)
        return fetch if station in self._fetches else None

    def _end(self, result: object, station: bytes, fetch: _Fetch) -> None:
        """Tell those who wait what has come."""
        self._fetches.pop(station, None)
        if isinstance(result, Failure) and not result.check(CancelledError):
            self.log.failure("weather: {station}", result, station=station.decode())
        fetch.answer(self._text(station))
        self._tell_darkness()

    def _ask(self, station: bytes, fetch: _Fetch) -> Deferred[None]:
        """Ask the sources for a report."""
        asks = [
            partial(self._ask_one, origin, station, fetch)
            for origin in self._origins
            if not origin.is_cycle
        ]
        if self._loading is not None:
            asks.append(partial(self._wait_for_load, station))
        found = first_find(asks, Seconds(self._settings.next_after), self._clock)
        return found.addCallback(self._note_missing, station, fetch)

    def _note_missing(self, found: str | None, station: bytes, fetch: _Fetch) -> None:
        if found is None and fetch.is_missing:
            self._cache.miss(station, self._now())

    def _ask_one(
        self, origin: Origin, station: bytes, fetch: _Fetch
    ) -> Deferred[str | None]:
        """Ask one source; fires with the report that is known then."""
        return Deferred.fromCoroutine(self._ask_origin(origin, station, fetch))

    async def _ask_origin(
        self, origin: Origin, station: bytes, fetch: _Fetch
    ) -> str | None:
        answer = await origin.report(
            self._fetcher,
            station,
            is_known=self._cache.get(station) is not None,
            within=Seconds(self._settings.request_timeout),
            patience=Seconds(self._settings.next_after),
            largest=self._settings.max_answer,
        )
        match answer:
            case Found(report, dated):
                # What it has may be of long ago.
                fetch.is_missing = not self._take(station, report, dated)
            case Nothing():
                if answer is UNCHANGED:
                    self._cache.confirm(station, self._now())
                fetch.is_missing = answer is not UNCHANGED
            case None:
                return None
        return None if fetch.is_missing else self._text(station)

    def _take(self, station: bytes, text: str, dated: Seconds | None) -> bool:
        """Keep a report that came; ``False``: it is too old."""
        now = self._now()
        made = made_at(text, now, dated)
        report = Report(text=text, made_at=made or now, checked_at=now)
        if self._is_too_old(report):
            return False
        if not self._cache.store(station, report):
            self._cache.confirm(station, now)  # a later one is known
        return True

    # Files of all stations.

    def _load_by_the_clock(self) -> None:
        """Fetch them now, and from now on every while."""
        self._schedule = LoopingCall(self._begin_loading)
        self._schedule.clock = self._clock
        finished = self._schedule.start(self._settings.cycle_interval)
        finished.addErrback(
            lambda reason: self.log.failure("weather: schedule ended", reason)
        )

    def _begin_loading(self) -> Deferred[None]:
        """Fetch the files of all stations; the next time waits for the end of it."""
        self._loading = Deferred.fromCoroutine(self._load())
        return self._loading.addBoth(self._end_loading)

    def _end_loading(self, result: object) -> None:
        self._loading = None
        if isinstance(result, Failure) and not result.check(CancelledError):
            self.log.failure("weather: files of all stations", result)
        waiters, self._load_waiters = self._load_waiters, []
        for waiter in waiters:
            waiter.callback(None)
        self._tell_darkness()

    async def _load(self) -> None:
        for origin in self._origins:
            if origin.is_cycle and await self._load_from(origin):
                break
        self._cache.drop_older(Seconds(self._now() - self._settings.keep_for))

    async def _load_from(self, origin: Origin) -> bool:
        """Fetch the files of one source; return whether it has answered."""
        total, has_answered = 0, False
        for hour in self._hours(origin):
            reports = await origin.cycle(
                self._fetcher,
                hour,
                self._take_of_cycle,
                is_known=len(self._cache) > 0,
                within=Seconds(self._settings.cycle_timeout),
                largest=self._settings.max_cycle,
            )
            if reports is not None:
                has_answered = True
                total += reports
        if total:
            self.log.info(
                "weather: {reports} reports from {source}; {stations} stations are"
                " known",
                reports=total,
                source=origin.source.name,
                stations=len(self._cache),
            )
        return has_answered

    def _hours(self, origin: Origin) -> list[int]:
        """Return the hours whose files have the newest reports, the older first."""
        current = int((self._now() + _NEXT_FILE) // _HOUR % 24)
        if origin.source.url_for(hour=0) == origin.source.url_for(hour=1):
            return [current]
        return [(current - 1) % 24, current]

    def _take_of_cycle(self, station: bytes, text: str, dated: Seconds | None) -> None:
        self._take(station, text, dated)

    def _wait_for_load(self, station: bytes) -> Deferred[str | None]:
        """Wait until the files are read, where there may be the report."""
        if self._loading is None:
            return succeed(None)
        waiter: Deferred[None] = Deferred(self._load_waiters.remove)
        self._load_waiters.append(waiter)
        return waiter.addCallback(lambda _: self._text(station))

    # What operators are told.

    def _tell_darkness(self) -> None:
        """Log that no source answers, once in an hour, and that one does again."""
        now = self._now()
        is_dark = all(origin.is_failing for origin in self._origins)
        if not is_dark:
            if self._dark_told is not None:
                self.log.info("weather: a source answers again")
            self._dark_told = None
            return
        if self._dark_told is not None and now - self._dark_told < _HOUR:
            return
        self._dark_told = now
        ages = self._cache.ages(now)
        self.log.warn(
            "weather: no source answers; {reports} reports are known, {stale} of them"
            " are stale; each is told until it is {minutes:.0f} minutes old",
            reports=len(ages),
            stale=self._stale_of(ages),
            minutes=self._settings.keep_for / 60,
        )

    def _stale_of(self, ages: Iterable[Seconds]) -> int:
        """Return how many reports are stale."""
        return sum(age > self._settings.stale_after for age in ages)


def http_weather(
    settings: WeatherSettings,
    reactor: Any,
    now: Callable[[], Seconds],
    random: Random,
) -> HttpWeather:
    """Return weather from the sources of the settings, over real connections.

    Args:
        settings: what is asked, and every bound.
        reactor: connects and tells the time that passes.
        now: tells the seconds since the Unix epoch, UTC.
        random: spreads what many servers would do at one moment.
    """
    policy = None
    if settings.needs_tls:
        # OpenSSL is loaded where it is needed only: it costs 12 MB.
        from rum_twisted.weather.tls import VerifyingPolicy  # noqa: PLC0415

        policy = VerifyingPolicy(settings.ca_file)
    fetcher = Fetcher.over_network(
        reactor, policy, connections=min(_KEPT, settings.max_fetches)
    )
    return HttpWeather(settings, fetcher, reactor, now, Airports(reactor), random)
