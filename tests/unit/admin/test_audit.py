"""What the staff did, in a file of its own."""

import json
from pathlib import Path
from typing import Any

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.member import Actor, AuditEntry
from rum_twisted.accounts.memorylogbook import MemoryLogbook
from rum_twisted.admin.audit import AuditedLogbook, AuditFile
from rum_twisted.admin.rotating import RotatingFile
from rum_twisted.session.interfaces import StaffAct
from rum_twisted.terms.units import Seconds
from tests.support.builders import NOON, make_pilot

ACT = StaffAct(
    who_cid="1000011",
    who_callsign="EHAM_SUP",
    act="kill",
    whom="1000001 KLM1",
    detail="flies through\nbuildings",
    where="192.0.2.7",
)


class AuditTests(SynchronousTestCase):
    """A file of acts."""

    @override
    def setUp(self) -> None:
        """Have a file, and a logbook behind it."""
        self.path = Path(self.mktemp())
        file = RotatingFile(self.path, largest=10_000, kept=1)
        self.audit = AuditFile(file, lambda: Seconds(NOON))
        self.inner = MemoryLogbook()
        self.logbook = AuditedLogbook(self.inner, self.audit)

    def lines(self) -> list[dict[str, Any]]:
        """Return what stands there."""
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def test_what_is_done_on_a_server(self) -> None:
        """Who, what, to whom, why, when and from where; the logbook has it too."""
        self.logbook.acted(ACT)
        self.assertEqual(
            self.lines(),
            [
                {
                    "time": "2026-11-21T12:00:00.000Z",
                    "who": "1000011 EHAM_SUP",
                    "act": "kill",
                    "whom": "1000001 KLM1",
                    "detail": "flies through\nbuildings",
                    "where": "192.0.2.7",
                }
            ],
        )
        self.assertEqual(list(self.inner.acts), [ACT])
        self.assertIn("AuditedLogbook", repr(self.logbook))

    def test_what_is_done_with_rumctl(self) -> None:
        """In the same form, under the name of the system's user."""
        by = Actor("joe", "pts/1")
        self.audit.note(AuditEntry(at=Seconds(NOON), by=by, act="ban", whom="1000001"))
        (line,) = self.lines()
        self.assertEqual((line["who"], line["where"]), ("joe", "pts/1"))
        self.assertEqual((line["act"], line["whom"]), ("ban", "1000001"))

    def test_nothing_steers_the_terminal(self) -> None:
        """Whoever looks at the file sees what was typed, and nothing else."""
        typed = "\x1b[2J\x9b2J\u202e"
        self.audit.write(who="root", act="x", whom="", detail=typed, where="")
        for sign in "\x1b\x9b\u202e":
            self.assertNotIn(sign, self.path.read_text())
        self.assertEqual(self.lines()[0]["detail"], typed)

    def test_visits_are_no_acts(self) -> None:
        """They are the logbook's own."""
        pilot = make_pilot()
        self.logbook.logged_on(pilot, "192.0.2.8")
        self.logbook.logged_off(pilot)
        self.assertFalse(self.path.exists())
        self.assertEqual(len(self.inner.visits), 1)

    def test_a_full_disk(self) -> None:
        """It is told once; the database has the act all the same."""
        self.path.symlink_to("/dev/full")
        with capturedLogs() as events:
            self.logbook.acted(ACT)
            self.logbook.acted(ACT)
            self.path.unlink()
            self.logbook.acted(ACT)
        self.assertEqual(len(self.inner.acts), 3)
        texts = [event["log_format"] for event in events]
        self.assertEqual(
            texts,
            [
                "audit log {path} cannot be written: {trouble}",
                "audit log {path} is written again, {lost} acts are missing",
            ],
        )
        self.assertEqual(events[1]["lost"], 2)
        self.assertEqual(len(self.lines()), 1)
