"""One source of reports: what it is asked, how it is doing, what it said last."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.config.metar_sources import Form, MetarSource
from rum_twisted.terms.units import Seconds
from rum_twisted.weather.answers import Unreadable, date_of, find_report, follow
from rum_twisted.weather.breaker import Breaker
from rum_twisted.weather.cycles import CycleReader, Take
from rum_twisted.weather.fetch import (
    Answer,
    Consume,
    Fetcher,
    Outcome,
    SourceFailed,
    Validators,
)

__all__ = ["NO_REPORT", "UNCHANGED", "Found", "Nothing", "Origin", "OriginStatus"]

T = TypeVar("T")

_NO_HURRY: Final = Seconds(0.0)

_REMEMBERED: Final = 500  # addresses whose validators are kept


@dataclass(frozen=True, slots=True)
class Found:
    """A report, and the date that the source wrote above it."""

    report: str
    dated: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Nothing:
    """What a source said that is neither a report nor a failure."""

    reason: str


NO_REPORT: Final = Nothing("the station has no report")
UNCHANGED: Final = Nothing("the report that is known is the newest")


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginStatus:
    """How a source is doing, for an operator."""

    name: str
    form: str
    failures: int  # in a row
    paused_for: Seconds | None  # until it is asked again
    trouble: str  # the last failure; empty since it answered
    answered_at: Seconds | None


class Origin:
    """A source.

    Args:
        source: as configured.
        breaker: keeps it from being asked while it fails.
        now: tells the seconds since the Unix epoch.
    """

    log = Logger()

    def __init__(
        self, source: MetarSource, breaker: Breaker, now: Callable[[], Seconds]
    ) -> None:
        self.source = source
        self._breaker = breaker
        self._now = now
        self._validators: dict[str, Validators] = {}
        self._trouble = ""
        self._answered_at: Seconds | None = None

    @override
    def __repr__(self) -> str:
        return f"<Origin {self.source.name}: {self._breaker!r}>"

    @property
    def is_cycle(self) -> bool:
        """Whether it has files of all stations."""
        return self.source.form is Form.CYCLE

    @property
    def is_failing(self) -> bool:
        """Whether it was left alone and has not answered since."""
        return self._breaker.paused_until is not None

    def status(self) -> OriginStatus:
        """Tell how it is doing."""
        until = self._breaker.paused_until
        return OriginStatus(
            name=self.source.name,
            form=self.source.form.value,
            failures=self._breaker.failures,
            paused_for=None if until is None else Seconds(max(until - self._now(), 0)),
            trouble=self._trouble,
            answered_at=self._answered_at,
        )

    async def report(
        self,
        fetcher: Fetcher,
        station: bytes,
        *,
        is_known: bool,
        within: Seconds,
        patience: Seconds,
        largest: int,
    ) -> Found | Nothing | None:
        """Ask for a station's report.

        Args:
            fetcher: asks.
            station: its name.
            is_known: whether its last report is still there, so that "unchanged" is
                an answer.
            within: how long it may take.
            patience: whoever gives it up later than this gives it up because it was
                slow, and that is a failure; 0: giving up tells nothing.
            largest: bytes of the answer.

        Returns:
            what was found; ``None``: the source has failed, now or before.
        """
        hour = int(self._now() // 3600 % 24)
        url = self.source.url_for(station=station.decode("ascii"), hour=hour)

        async def ask() -> Found | Nothing:
            known = self._validators.get(url) if is_known else None
            answer = await fetcher.fetch(
                url,
                within=within,
                largest=largest,
                validators=known or Validators(),
            )
            if answer.outcome is Outcome.UNCHANGED:
                return UNCHANGED
            if answer.outcome is Outcome.NOTHING:
                return NO_REPORT
            found = self._read(answer.body, station)
            self._remember(url, answer)
            return found

        return await self._guard(ask, patience)

    async def cycle(
        self,
        fetcher: Fetcher,
        hour: int,
        take: Take,
        *,
        is_known: bool,
        within: Seconds,
        largest: int,
    ) -> int | None:
        """Ask for an hour's file of all stations.

        Args:
            fetcher: asks.
            hour: of the day, UTC, 0 to 23.
            take: is given each report.
            is_known: whether the reports of the last file are still there.
            within: how long it may take.
            largest: bytes of the file.

        Returns:
            how many reports there were; 0 if there is no such file or it is
            unchanged; ``None``: the source has failed, now or before.
        """
        url = self.source.url_for(hour=hour)

        async def ask() -> int:
            reader = CycleReader(take)
            consume: Consume = reader.feed
            known = self._validators.get(url) if is_known else None
            answer = await fetcher.fetch(
                url,
                within=within,
                largest=largest,
                validators=known or Validators(),
                consume=consume,
            )
            if answer.outcome is not Outcome.BODY:
                return 0
            reader.end()
            if not reader.reports and not reader.is_blank:
                raise Unreadable(f"{reader.lines} lines without a report")
            self._remember(url, answer)
            return reader.reports

        return await self._guard(ask)

    async def _guard(
        self,
        ask: Callable[[], Coroutine[Any, Any, T]],
        patience: Seconds = _NO_HURRY,
    ) -> T | None:
        """Ask if that is allowed now, and take note of how it went."""
        begin = self._now()
        if not self._breaker.admits(begin):
            return None
        try:
            result = await ask()
        except CancelledError:
            # Or else one that hangs, while the next one answers, is asked for ever.
            if patience and self._now() - begin >= patience:
                self._fail(f"no answer within {patience:g} seconds")
            else:
                self._breaker.give_up()
            raise
        except (SourceFailed, Unreadable) as error:
            self._fail(str(error))
            return None
        except Exception as error:  # noqa: BLE001 - our mistake; sources go on
            self._fail(repr(error))
            self.log.failure("weather: {source}", source=self.source.name)
            return None
        self._succeed()
        return result

    def _read(self, body: bytes, station: bytes) -> Found | Nothing:
        """Find the report in an answer."""
        if self.source.form is Form.JSON:
            report = follow(body, self.source.path, station)
            return NO_REPORT if report is None else Found(report)
        report = find_report(body, station)
        if report is None:
            return NO_REPORT
        return Found(report, date_of(body.lstrip().partition(b"\n")[0]))

    def _remember(self, url: str, answer: Answer) -> None:
        self._validators.pop(url, None)
        if answer.validators:
            self._validators[url] = answer.validators
            if len(self._validators) > _REMEMBERED:
                del self._validators[next(iter(self._validators))]

    def _succeed(self) -> None:
        self._trouble = ""
        self._answered_at = self._now()
        if self._breaker.succeed():
            self.log.info("weather: {source} answers again", source=self.source.name)

    def _fail(self, trouble: str) -> None:
        self._trouble = trouble
        pause = self._breaker.fail(self._now())
        if pause is None:
            self.log.debug(
                "weather: {source}: {trouble}", source=self.source.name, trouble=trouble
            )
            return
        self.log.warn(
            "weather: {source} fails: {trouble}; it is asked again in {seconds:.0f} s",
            source=self.source.name,
            trouble=trouble,
            seconds=pause,
        )
