"""Reads a cycle file, the reports of all stations for an hour, piece by piece.

::

    2026/11/24 01:25
    EHAM 240125Z 24012KT 9999 FEW018 12/08 Q1013 NOSIG

    2026/11/24 01:20
    KJFK 240120Z 31015KT 10SM SCT025 OVC080 07/M02 A2992 RMK AO2
         SLP132

The dates tell month and year. Some sources leave them out, or put ``METAR`` in front
of the reports; a report goes on in the lines below that begin with a blank. A file
has 5,000 to 15,000 reports in a megabyte or two. At no time is more of it in memory
than the piece that came last.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from typing_extensions import override

from rum_twisted.terms.units import Seconds
from rum_twisted.weather.answers import date_of, tidy
from rum_twisted.weather.report import LONGEST_REPORT

__all__ = ["LINES_PER_STEP", "CycleReader"]

LINES_PER_STEP: Final = 100  # about 1 ms with what is done to their reports
_LONGEST_LINE: Final = 4096  # bytes; the rest of a longer one is passed over
_HEAD: Final = re.compile(
    rb"(?:(?:METAR|SPECI) )?(?:COR )?([A-Z][A-Z0-9]{3}) (?:COR )?[0-9]{6}Z? "
)

Take = Callable[[bytes, str, "Seconds | None"], None]
"""Is given a station, its report, and the date above the report."""


class CycleReader:
    """Finds the reports of one file.

    Args:
        take: is given each report.
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        self._rest = b""  # a line that has not ended yet
        self._dated: Seconds | None = None
        self._report = b""  # that may go on in the next line
        self.lines = 0
        self.reports = 0
        self.is_blank = True  # nothing but blanks has come

    @override
    def __repr__(self) -> str:
        return f"<CycleReader: {self.reports} reports in {self.lines} lines>"

    def feed(self, piece: bytes) -> Iterator[None]:
        """Read a piece of the file, some lines at each step."""
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()[:_LONGEST_LINE]
        for number, line in enumerate(lines, start=1):
            self._read(line.rstrip())
            if number % LINES_PER_STEP == 0:
                yield

    def end(self) -> None:
        """Take what stands in a last line without an end."""
        self._read(self._rest.rstrip())
        self._rest = b""
        self._flush()

    def _read(self, line: bytes) -> None:
        self.lines += 1
        self.is_blank = self.is_blank and not line
        if self._report and line[:1].isspace():
            if len(self._report) < LONGEST_REPORT:
                self._report += b" " + line.strip()
            return
        self._flush()
        if _HEAD.match(line):
            self._report = line[:_LONGEST_LINE]
            return
        dated = date_of(line)
        if dated is not None:
            self._dated = dated

    def _flush(self) -> None:
        """Give a whole report away."""
        found = _HEAD.match(self._report)
        if found is not None:
            self.reports += 1
            begins = found.start(1)
            self._take(found[1], tidy(self._report[begins:]), self._dated)
        self._report = b""
