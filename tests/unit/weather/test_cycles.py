"""Files with the reports of all stations."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.units import Seconds
from rum_twisted.weather.cycles import LINES_PER_STEP, CycleReader
from tests.support.builders import NOON

EHAM = "EHAM 211155Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG"
KJFK = "KJFK 211151Z 31015KT 10SM SCT025 OVC080 07/M02 A2992 RMK AO2"

FILE = f"""\
2026/11/21 12:00
{EHAM}

2026/11/20 12:00
{KJFK}
     SLP132 $

EGLL is no report
METAR LFPG 211200Z 18008KT CAVOK 12/08 Q1013=
"""


class ReaderTests(SynchronousTestCase):
    """Reading piece by piece."""

    def read(self, *pieces: bytes) -> list[tuple[bytes, str, Seconds | None]]:
        """Return what is found in a file that comes in these pieces."""
        found: list[tuple[bytes, str, Seconds | None]] = []
        reader = CycleReader(lambda *report: found.append(report))
        for piece in pieces:
            for _ in reader.feed(piece):
                pass
        reader.end()
        self.assertEqual(reader.reports, len(found))
        return found

    def test_reports_are_found(self) -> None:
        """With their stations, their dates, and the lines in which they go on."""
        day = 86400
        self.assertEqual(
            self.read(FILE.encode()),
            [
                (b"EHAM", EHAM, NOON),
                (b"KJFK", KJFK + " SLP132 $", NOON - day),
                (b"LFPG", "LFPG 211200Z 18008KT CAVOK 12/08 Q1013", NOON - day),
            ],
        )

    def test_line_ends_of_any_kind(self) -> None:
        """Files of other systems, and a last line without an end, are read."""
        expected = self.read(FILE.encode())
        self.assertEqual(self.read(FILE.replace("\n", "\r\n").encode()), expected)
        self.assertEqual(self.read(FILE.rstrip().encode()), expected)

    @given(st.lists(st.integers(0, len(FILE)), max_size=10))
    def test_cuts_do_not_matter(self, cuts: list[int]) -> None:
        """However the network cuts a file, the reports are the same."""
        whole = FILE.encode()
        places = [0, *sorted(cuts), len(whole)]
        pieces = [whole[begin:end] for begin, end in pairwise(places)]
        self.assertEqual(self.read(*pieces), self.read(whole))

    @given(st.binary(max_size=500))
    def test_any_bytes_are_read(self, data: bytes) -> None:
        """No bytes whatever make it fail, or hide a report that follows them."""
        found = self.read(data + b"\n" + FILE.encode())
        self.assertIn(EHAM, [text for _, text, _ in found])

    def test_work_is_done_in_steps(self) -> None:
        """Others are served between the steps of a long piece."""
        reader = CycleReader(lambda *_: None)
        steps = list(reader.feed(b"x\n" * (3 * LINES_PER_STEP)))
        self.assertEqual(len(steps), 3)

    def test_endless_line_costs_no_memory(self) -> None:
        """Of a line without an end the beginning is kept."""
        reader = CycleReader(lambda *_: None)
        for _ in range(100):
            list(reader.feed(b"x" * 10_000))
        self.assertLess(len(reader._rest), 20_000)  # noqa: SLF001

    def test_endless_report_is_cut(self) -> None:
        """A report that goes on for ever is cut where an answer ends."""
        (found,) = self.read(EHAM.encode() + b"\n" + b"     MORE\n" * 1000)
        self.assertLess(len(found[1]), 2000)
