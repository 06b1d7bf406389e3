"""Weather from a file of reports, ``metar.txt``, that some other program renews.

The world's reports are several megabytes, more than this server uses for anything
else. So their text stays in the file, and only where each station's begins is kept:
8 bytes a station, 80 kB for 10,000 (their texts in a dict: 2 MB). A look-up reads
one report, in 20 µs. Finding the beginnings takes 10 ms for 10,000 stations, on a
small machine many times that; it is done in steps, one in each turn of the reactor.

Source: docs/protocol.md, "Weather".
"""

import errno
import os
import stat
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import (
    CooperativeTask,
    Cooperator,
    LoopingCall,
    SchedulerStopped,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.session.interfaces import IReports, IWeather
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Seconds
from rum_twisted.weather.report import (
    LONGEST_REPORT,
    decode_if_any,
    join_report,
    station_key,
    station_of,
)
from rum_twisted.weather.stations import Airports, Near
from rum_twisted.world.weather import Weather

__all__ = ["LARGEST_FILE", "LONGEST_REPORT", "MetarFile"]

CHECK_INTERVAL: Final = Seconds(10.0)  # finds a change before somebody waits for it
LOOK_UP_CHECK_INTERVAL: Final = Seconds(1.0)  # however many look-ups come
LINES_PER_TURN: Final = 500  # about 0.4 ms; others are served between the steps
LARGEST_FILE: Final = 16 * 1024 * 1024  # bytes; above any world, below 32 bits

_OFFSET_BITS: Final = 32
_LAST_OFFSET: Final = (1 << _OFFSET_BITS) - 1

_Stamp: TypeAlias = tuple[int, int, int]
_Beginnings: TypeAlias = "array[int]"  # at run time Python 3.11 knows no such type


def _stamp(status: os.stat_result) -> _Stamp:
    """Return what differs when a file was written anew or put in another's place."""
    return status.st_mtime_ns, status.st_size, status.st_ino


def _entry(station: bytes, begins: int) -> int:
    """Return where a station's report begins, as one number that sorts by station."""
    return int.from_bytes(station, "big") << _OFFSET_BITS | begins


@implementer(IWeather, IReports)
class MetarFile(Service):
    """The reports of a ``metar.txt``.

    A look-up during a reading waits for its end. Of two reports of one station the
    later in the file counts. While the file cannot be read, no station has a report.

    Invariant: ``_beginnings`` is sorted, and has one entry for each report: the
    station's name in the upper 32 bits, where its report begins in the lower.

    Args:
        path: the file of reports; it need not exist yet.
        clock: tells when to look whether the file has changed.
        airports: where stations are, for whoever names none; ``None``: nobody
            knows.
        nearest_within: nautical miles; no station farther away is his.
    """

    log = Logger()
    name = "weather"

    def __init__(
        self,
        path: Path,
        clock: IReactorTime,
        airports: Airports | None = None,
        nearest_within: float = 200.0,
    ) -> None:
        self._path = path
        self._airports = airports
        self._nearest_within = nearest_within
        self._clock = clock
        self._beginnings: _Beginnings = array("Q")
        self._stamp: _Stamp | None = None  # of the last reading
        self._trouble = ""  # why the file cannot be read now, as logged
        self._next_check = 0.0  # on the clock, before a look-up is answered
        self._checks: LoopingCall | None = None
        self._reading: CooperativeTask[Iterator[None]] | None = None
        self._turns = Cooperator(
            terminationPredicateFactory=lambda: lambda: True,  # one step a turn
            scheduler=lambda step: clock.callLater(0, step),
            started=False,
        )

    @override
    def __repr__(self) -> str:
        return f"<MetarFile {self._path}: {len(self._beginnings)} reports>"

    @override
    def startService(self) -> None:
        """Read the file, and look at it from now on."""
        super().startService()
        self._turns.start()
        if self._airports is not None:
            self._airports.start()
        self._checks = LoopingCall(self._check)
        self._checks.clock = self._clock
        finished = self._checks.start(CHECK_INTERVAL)
        finished.addErrback(
            lambda reason: self.log.failure("METAR file: checks ended", reason)
        )

    @override
    def stopService(self) -> None:
        """Look no more; look-ups that wait for a reading find no report."""
        super().stopService()
        if self._checks is not None:
            self._checks.stop()
            self._checks = None
        self._turns.stop()
        if self._airports is not None:
            self._airports.stop()

    def measures(self) -> dict[str, Callable[[], Measure]]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"weather": self.measure}

    def measure(self) -> Measure:
        """Tell what the places of the reports take; their texts stay in the file."""
        return Measure(
            count=len(self._beginnings),
            bytes=len(self._beginnings) * self._beginnings.itemsize,
            bytes_bound=LARGEST_FILE,
        )

    def metar(self, station: str, near: Position | None = None) -> Deferred[str | None]:
        """Look a station's report up; see `IWeather`."""
        return Deferred.fromCoroutine(self._look_up(station_key(station), near))

    def weather(
        self, station: str, near: Position | None = None
    ) -> Deferred[Weather | None]:
        """Look a station's report up and decode it; see `IWeather`."""
        return self.metar(station, near).addCallback(decode_if_any)

    def refresh(self) -> bool | None:
        """Read the file again, changed or not; see `IReports`."""
        if self._reading is not None:
            return False
        self._stamp = None
        self._check()
        return True

    def stations(self) -> int:
        """Tell how many stations have a report."""
        return len(self._beginnings)

    async def _look_up(self, station: bytes, near: Position | None) -> str | None:
        around: list[Near] = []
        if not station and self._airports is not None:
            around = await self._airports.near(near, self._nearest_within)
        if self._clock.seconds() >= self._next_check:
            self._check()
        if self._reading is not None:
            try:
                await self._reading.whenDone()
            except SchedulerStopped:
                return None
        if not station:
            names = [airport.name for airport in around]
            station = next(filter(self._knows, names), b"")
        try:
            return self._read(station)
        except OSError as error:
            self._lose(error)
            return None

    def _read(self, station: bytes) -> str | None:
        """Read one report from the file."""
        begins = self._place(station)
        if begins is None:
            return None
        with self._path.open("rb") as file:
            file.seek(begins)
            text = file.read(LONGEST_REPORT)
        if station_of(text.partition(b"\n")[0] + b"\n") != station:
            return None  # the file was changed since the last check
        return join_report(text)

    def _knows(self, station: bytes) -> bool:
        return self._place(station) is not None

    def _place(self, station: bytes) -> int | None:
        """Return where a station's report begins, if there is one."""
        # One past the station's entries: of two reports the later counts.
        place = bisect_right(self._beginnings, _entry(station, _LAST_OFFSET)) - 1
        begins = self._beginnings[place] & _LAST_OFFSET if place >= 0 else 0
        if place < 0 or self._beginnings[place] != _entry(station, begins):
            return None
        return begins

    def _check(self) -> None:
        """Begin to read the file if it has changed; whatever happens, checks go on."""
        self._next_check = self._clock.seconds() + LOOK_UP_CHECK_INTERVAL
        if self._reading is not None or not self.running:
            return
        try:
            stamp = self._look_at_file()
        except OSError as error:
            self._lose(error)
        except Exception:  # noqa: BLE001 - one bad check must not end all later ones
            self.log.failure("METAR file {path}: not checked", path=self._path)
        else:
            if stamp != self._stamp:
                self._reading = self._turns.cooperate(self._find_beginnings(stamp))
                self._reading.whenDone().addBoth(self._end_reading)

    def _look_at_file(self) -> _Stamp:
        """Return the file's stamp.

        Raises:
            OSError: it is missing, too large, or no plain file (opening a pipe
                would wait for its writer).
        """
        status = self._path.stat()
        if status.st_size > LARGEST_FILE:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a plain file")
        return _stamp(status)

    def _find_beginnings(self, stamp: _Stamp) -> Iterator[None]:
        """Read the file from end to end, some lines at each step."""
        found: _Beginnings = array("Q")
        begins = 0
        try:
            with self._path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    station = station_of(line)
                    if station is not None:
                        found.append(_entry(station, begins))
                    begins += len(line)
                    if number % LINES_PER_TURN == 0:
                        yield
        except OSError as error:
            self._lose(error)
        else:
            self._take_up(found, stamp)

    def _end_reading(self, outcome: object) -> None:
        self._reading = None
        if isinstance(outcome, Failure) and not outcome.check(SchedulerStopped):
            self.log.failure("METAR file {path}: not read", outcome, path=self._path)

    def _take_up(self, found: _Beginnings, stamp: _Stamp) -> None:
        self._beginnings = array("Q", sorted(found))
        self._stamp = stamp  # taken before reading: a later change is seen next time
        self._trouble = ""
        self.log.info(
            "METAR file {path}: {reports} reports",
            path=self._path,
            reports=len(self._beginnings),
        )

    def _lose(self, error: OSError) -> None:
        """Know no reports; tell the operator once, however often it is met."""
        self._beginnings = array("Q")
        self._stamp = None
        trouble = error.strerror or str(error)
        if trouble != self._trouble:
            self._trouble = trouble
            self.log.warn(
                "METAR file {path} cannot be read: {trouble}; no station has a report"
                " until it can",
                path=self._path,
                trouble=trouble,
            )
