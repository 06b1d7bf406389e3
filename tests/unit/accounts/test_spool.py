"""The file where sessions wait for the database."""

import os
import stat
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.member import AuditEntry
from rum_twisted.accounts.spool import Batch, Spool, SpoolFull
from rum_twisted.terms.identity import ClientKind
from rum_twisted.terms.units import Seconds
from tests.support.builders import NOON
from tests.support.members import STAFF, make_record

ENTRY = AuditEntry(
    at=NOON, by=STAFF, act="kill", whom="1 KLM1", detail="bad \u738b \n", key="k1"
)


class SpoolTests(SynchronousTestCase):
    """What goes in comes out."""

    @override
    def setUp(self) -> None:
        """Name a file that is not there."""
        self.path = Path(self.mktemp())
        self.spool = Spool(self.path)

    def read_all(self, portion: int = 100) -> list[object]:
        """Read it from the beginning, in portions."""
        found: list[object] = []
        offset = 0
        while True:
            batch, after, flaws = self.spool.read(offset, portion)
            self.assertEqual(flaws, 0)
            if after == offset:
                return found
            found += [*batch.sessions, *batch.entries, *batch.seen]
            offset = after

    def test_everything_comes_back(self) -> None:
        """Sessions, acts and last appearances, through another object of the file."""
        pilot = make_record("zo\xeb", is_open=True)
        tower = make_record(kind=ClientKind.CONTROLLER, facility=4, callsign="\xc4_TWR")
        self.spool.add(Batch((pilot, tower), (ENTRY,), (("1", Seconds(5.5)),)))
        self.spool = Spool(self.path)
        self.assertEqual(self.read_all(), [pilot, tower, ENTRY, ("1", 5.5)])

    def test_added_later_comes_later(self) -> None:
        """The order is kept, whatever the portions."""
        records = [make_record() for _ in range(7)]
        for record in records:
            self.spool.add(Batch((record,)))
        for portion in (1, 2, 3, 100):
            self.assertEqual(self.read_all(portion), records)

    def test_empty(self) -> None:
        """Without a file there is nothing; removing it twice does no harm."""
        self.assertEqual(self.read_all(), [])
        self.spool.add(Batch((make_record(),)))
        self.assertEqual(len(self.read_all()), 1)
        size = self.path.stat().st_size
        self.assertTrue(self.spool.remove(size))
        self.assertTrue(self.spool.remove(size))
        self.assertEqual(self.read_all(), [])

    def test_what_came_meanwhile_is_not_removed(self) -> None:
        """Only a file that was read to its end is."""
        self.spool.add(Batch((make_record(),)))
        size = self.path.stat().st_size
        self.spool.add(Batch((), (ENTRY,)))
        self.assertFalse(self.spool.remove(size))
        self.assertEqual(self.read_all()[1:], [ENTRY])

    def test_owner_only(self) -> None:
        """Addresses of people stand in it."""
        self.spool.add(Batch((make_record(),)))
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_half_a_line_costs_itself_only(self) -> None:
        """After a crash in the middle of a line, the next begins a new one."""
        first, second, third = (make_record() for _ in range(3))
        self.spool.add(Batch((first, second)))
        text = self.path.read_bytes()
        self.path.write_bytes(text[:-20])
        self.spool.add(Batch((third,)))
        batch, _, flaws = self.spool.read(0, 100)
        self.assertEqual((list(batch.sessions), flaws), ([first, third], 1))

    def test_strange_lines_are_left_out(self) -> None:
        """Whatever somebody wrote into it, reading comes to its end."""
        lines = [b"{}", b"[]", b"null", b"x" * 20_000, b'{"session": 1}', b"\xff\xfe"]
        self.path.write_bytes(b"\n".join(lines))
        self.spool.add(Batch((), (ENTRY,)))
        entries: list[AuditEntry] = []
        flaws = offset = 0
        while offset < self.path.stat().st_size:
            batch, offset, bad = self.spool.read(offset, 2)
            flaws += bad
            entries += batch.entries
        self.assertEqual(entries, [ENTRY])
        self.assertGreaterEqual(flaws, len(lines))

    def test_bound(self) -> None:
        """What does not fit is refused as a whole; what fits exactly is taken."""
        record = make_record()
        self.spool.add(Batch((record,)))
        size = self.path.stat().st_size
        exact = Spool(self.path, largest=2 * size + 1)  # a line end between them
        exact.add(Batch((record,)))
        with self.assertRaises(SpoolFull):
            exact.add(Batch((replace(record, key="x"),)))
        self.assertEqual(self.read_all(), [record, record])

    def test_folder_is_missing(self) -> None:
        """An error of the disk comes out, for others to tell."""
        spool = Spool(self.path / "no" / "spool")
        with self.assertRaises(OSError):
            spool.add(Batch((make_record(),)))

    def test_lines_are_on_the_disk(self) -> None:
        """What was added can be read by another process at once."""
        self.spool.add(Batch((make_record(),)))
        descriptor = os.open(self.path, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        self.assertTrue(os.read(descriptor, 10_000).endswith(b"}\n"))
