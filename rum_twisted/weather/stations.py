"""Where airports are, to find the weather near somebody who names no station.

17,000 airports with an ICAO name take 220 kB here: names, latitudes and longitudes
in three arrays, sorted by latitude. They come from the package ``airportsdata``, and
are read when they are first needed, in steps; a network where everybody names his
station never reads them.

Source: https://pypi.org/project/airportsdata/
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import cos, radians
from operator import itemgetter
from typing import IO, Final, Self, TypeAlias

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import (
    CooperativeTask,
    Cooperator,
    SchedulerStopped,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees
from rum_twisted.weather.report import is_station
from rum_twisted.world.geodesy import distance

__all__ = ["Airport", "AirportTable", "Airports", "Near"]

_PACKAGE: Final = "airportsdata"
_FILE: Final = "airports.csv"
_ROWS_PER_STEP: Final = 250  # about 0.5 ms
_MILES_PER_DEGREE: Final = 60.0
_POLAR: Final = 89.0  # degrees; from there on every longitude is near
_POLE: Final = 90.0  # degrees
_HALF_TURN: Final = 180.0  # degrees
_NAME_BYTES: Final = 4

_Integers: TypeAlias = "array[int]"  # at run time Python 3.11 knows no such type
_Floats: TypeAlias = "array[float]"
Row: TypeAlias = tuple[float, float, int]
"""Latitude, longitude and `code_of` an airport."""


@dataclass(frozen=True, slots=True)
class Airport:
    """A place that may have a report."""

    name: bytes  # ICAO: four letters
    position: Position
    is_busy: bool  # airlines fly there, so that it most likely has one


@dataclass(frozen=True, slots=True)
class Near:
    """An airport near somebody."""

    name: bytes
    miles: float
    is_busy: bool


class AirportTable:
    """Airports by place.

    Invariant: the arrays are of one length and sorted by latitude. The lowest bit
    of a code tells whether the airport is busy, the others are its name.

    Args:
        rows: latitude, longitude and code of each; they are sorted in place.
    """

    def __init__(self, rows: list[Row]) -> None:
        rows.sort()
        self._codes: _Integers = array("Q", [code for _, _, code in rows])
        self._latitudes: _Floats = array("f", [row[0] for row in rows])
        self._longitudes: _Floats = array("f", [row[1] for row in rows])

    @classmethod
    def of(cls, airports: Iterable[Airport]) -> Self:
        """Return a table of some airports, in any order."""
        return cls(
            [
                (
                    it.position.latitude,
                    it.position.longitude,
                    code_of(it.name, is_busy=it.is_busy),
                )
                for it in airports
            ]
        )

    def __len__(self) -> int:
        """Return how many airports there are."""
        return len(self._codes)

    @override
    def __repr__(self) -> str:
        return f"<AirportTable: {len(self)} airports>"

    def near(self, position: Position | None, within: float) -> list[Near]:
        """Return the airports around a place, the nearest first.

        Args:
            position: where; ``None``, or a place that is not on the earth, has none.
            within: nautical miles.
        """
        if position is None or not _is_on_earth(position):
            return []
        span = within / _MILES_PER_DEGREE + 0.01  # the arrays hold rounded degrees
        south = bisect_left(self._latitudes, position.latitude - span)
        north = bisect_right(self._latitudes, position.latitude + span)
        width = _width(position.latitude, span)
        found = []
        for place in range(south, north):
            turn = (self._longitudes[place] - position.longitude + 180) % 360 - 180
            if abs(turn) > width:
                continue
            miles = distance(position, self._position(place))
            if miles <= within:
                found.append((miles, self._codes[place]))
        found.sort()
        return [
            Near((code >> 1).to_bytes(_NAME_BYTES, "big"), miles, bool(code & 1))
            for miles, code in found
        ]

    def _position(self, place: int) -> Position:
        return Position(
            Degrees(self._latitudes[place]), Degrees(self._longitudes[place])
        )


def code_of(name: bytes, *, is_busy: bool) -> int:
    """Return a name of four letters, and whether its airport is busy, as a number."""
    return int.from_bytes(name, "big") << 1 | is_busy


def _is_on_earth(position: Position) -> bool:
    # NaN lies between no bounds.
    return abs(position.latitude) <= _POLE and abs(position.longitude) <= _HALF_TURN


def _width(latitude: float, span: float) -> float:
    """Return how many degrees of longitude ``span`` degrees of latitude are."""
    farthest = abs(latitude) + span
    return 360.0 if farthest >= _POLAR else span / cos(radians(farthest))


class Airports:
    """The airports of ``airportsdata``, read when they are first asked for.

    Args:
        clock: gives the turns in which they are read.
        package: where they are; a package that is not installed has none.
    """

    log = Logger()

    def __init__(self, clock: IReactorTime, package: str = _PACKAGE) -> None:
        self._package = package
        self._table: AirportTable | None = None
        self._reading: CooperativeTask[Iterator[None]] | None = None
        self._turns = Cooperator(
            terminationPredicateFactory=lambda: lambda: True,  # one step a turn
            scheduler=lambda step: clock.callLater(0, step),
        )

    @override
    def __repr__(self) -> str:
        return f"<Airports: {self._table or 'not read'}>"

    async def near(self, position: Position | None, within: float) -> list[Near]:
        """Return the airports around a place; see `AirportTable.near`."""
        if position is None or within <= 0:
            return []
        table = await self._get()
        return table.near(position, within)

    def start(self) -> None:
        """Read when it is asked for; that is so from the beginning."""
        if not self._turns.running:
            self._turns.start()

    def stop(self) -> None:
        """Stop reading, if that is going on; who waits for it finds nothing."""
        if self._turns.running:
            self._turns.stop()

    async def _get(self) -> AirportTable:
        """Return the table, once it is there."""
        if self._table is None:
            if self._reading is None:
                self._reading = self._turns.cooperate(self._read())
            await self._reading.whenDone().addErrback(self._give_up)
        return self._table or AirportTable([])

    def _give_up(self, failure: Failure) -> None:
        self._reading = None
        if failure.check(SchedulerStopped) or self._table is not None:
            return
        self._table = AirportTable([])  # do not try at every question
        self.log.warn(
            "airports cannot be read from the package {package}: {error}; whoever"
            " asks for weather has to name a station",
            package=self._package,
            error=failure.getErrorMessage(),
        )

    def _read(self) -> Iterator[None]:
        # Most servers never get here, and this is a megabyte of modules.
        from importlib.resources import files  # noqa: PLC0415

        rows: list[Row] = []
        resource = files(self._package) / _FILE
        with resource.open("r", encoding="utf-8") as file:
            yield from _read_rows(file, rows)
        self._table = AirportTable(rows)
        self._reading = None


def _read_rows(file: IO[str], rows: list[Row]) -> Iterator[None]:
    """Append the airports with a name that may be asked for, some at each step."""
    import csv  # noqa: PLC0415 - see above

    reader = csv.reader(file)
    heads = next(reader)
    pick = itemgetter(*map(heads.index, ("icao", "iata", "lat", "lon")))
    while chunk := list(islice(reader, _ROWS_PER_STEP)):
        for icao, iata, latitude, longitude in map(pick, chunk):
            name = icao.encode("ascii", "replace")
            # Names with digits are airfields of the FAA's own list: no reports.
            if is_station(name) and icao.isalpha():
                code = code_of(name, is_busy=bool(iata))
                rows.append((float(latitude), float(longitude), code))
        yield
