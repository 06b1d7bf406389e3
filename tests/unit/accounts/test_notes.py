"""What waits in memory to be written down."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.accounts.member import AuditEntry
from rum_twisted.accounts.notes import Notes
from rum_twisted.accounts.spool import Batch
from rum_twisted.terms.units import Seconds
from tests.support.builders import NOON
from tests.support.members import STAFF, make_record


def entry(key: str) -> AuditEntry:
    """Return an act."""
    return AuditEntry(at=NOON, by=STAFF, act="kill", whom="1", key=key)


class NotesTests(SynchronousTestCase):
    """Sessions, acts and last appearances."""

    def test_newest_of_each_counts(self) -> None:
        """A session that changed twice is written once; so is a member."""
        notes = Notes(10)
        record = make_record(is_open=True)
        notes.add_session(record)
        notes.add_session(replace(record, is_open=False))
        notes.add_seen("1", Seconds(1.0))
        notes.add_seen("1", Seconds(2.0))
        self.assertEqual(len(notes), 2)
        batch = notes.take(10)
        self.assertEqual(batch.sessions, (replace(record, is_open=False),))
        self.assertEqual(batch.seen, (("1", 2.0),))
        self.assertEqual(len(notes), 0)

    def test_taken_in_portions(self) -> None:
        """No more than asked for, the oldest of each kind first."""
        notes = Notes(10)
        records = [make_record() for _ in range(3)]
        for record in records:
            notes.add_session(record)
        notes.add_entry(entry("a"))
        self.assertEqual(notes.take(2), Batch(tuple(records[:2])))
        self.assertEqual(notes.take(2), Batch((records[2],), (entry("a"),)))
        self.assertEqual(notes.take(2), Batch())

    def test_put_back_gives_way_to_newer(self) -> None:
        """What was not written waits again, in front, unless it has changed since."""
        notes = Notes(10)
        old, other = make_record(is_open=True), make_record()
        for record in (old, other):
            notes.add_session(record)
        batch = notes.take(10)
        newer = replace(old, is_open=False)
        latest = make_record()
        for record in (latest, newer):
            notes.add_session(record)
        notes.put_back(batch)
        self.assertEqual(notes.take(10).sessions, (newer, other, latest))

    def test_bound(self) -> None:
        """At the bound all are kept; one more, and the oldest gives way and counts."""
        notes = Notes(3)
        for number in range(3):
            notes.add_session(make_record(key=f"{number}"))
        self.assertEqual((len(notes), notes.dropped), (3, 0))
        notes.add_session(make_record(key="3"))
        self.assertEqual((len(notes), notes.dropped), (3, 1))
        self.assertEqual([each.key for each in notes.take(9).sessions], ["1", "2", "3"])
