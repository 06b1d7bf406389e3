"""The guard, joined to a front and a logbook."""

import json
from pathlib import Path

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.memorylogbook import MemoryLogbook
from rum_twisted.admin.audit import AuditFile
from rum_twisted.admin.rotating import RotatingFile
from rum_twisted.admin.sampler import Pulse
from rum_twisted.assembly.admin import build_admin
from rum_twisted.assembly.guard import build_guard
from rum_twisted.config import GuardSettings
from rum_twisted.guard.guard import Guard
from rum_twisted.session.interfaces import ILogbook
from rum_twisted.terms.units import Seconds
from tests.unit.admin.builders import NOON
from tests.unit.assembly.test_admin import LoopClock

MB = 1 << 20


class GuardTests(SynchronousTestCase):
    """A process without clients."""

    @override
    def setUp(self) -> None:
        """Make a clock."""
        self.clock = LoopClock()
        self.audit = Path(self.mktemp())

    def build(self, logbook: ILogbook | None) -> Guard:
        """Return a guard that runs."""
        admin = build_admin(
            self.clock, lambda: Seconds(NOON), data_dir=Path(self.mktemp()), http=""
        )
        self.addCleanup(admin.stopService)
        file = RotatingFile(self.audit, largest=10_000, kept=1)
        notes = logbook, AuditFile(file, lambda: Seconds(NOON))
        guard = build_guard(self.clock, GuardSettings(), admin, notes, None)
        guard.startService()
        self.addCleanup(guard.stopService)
        return guard

    def test_what_it_does_is_in_the_audit_log(self) -> None:
        """Under its own name: nobody else has done it."""
        logbook = MemoryLogbook()
        guard = self.build(logbook)
        guard.rehearse("thin", Seconds(10.0))
        (act,) = logbook.acts
        self.assertEqual(
            (act.who_callsign, act.act, act.whom), ("guard", "guard", "thin")
        )
        self.assertEqual(act.detail, "rehearsal of thin for 10 s")
        self.assertFalse(self.audit.exists())  # the logbook sees to that

    def test_without_a_logbook(self) -> None:
        """There is none in a process that has no accounts; the file has all."""
        guard = self.build(None)
        self.assertEqual(
            guard.rehearse("last", Seconds(10.0))["in_force"][-1:], ["last"]
        )
        first = json.loads(self.audit.read_text().splitlines()[0])
        self.assertEqual((first["who"], first["whom"]), ("guard", "last"))

    def test_a_process_without_clients(self) -> None:
        """It says that there is nothing to be done where that is so."""
        guard = self.build(None)
        with capturedLogs() as events:
            for second in range(1, 5):
                self.clock.advance(1.0)
                guard.note(
                    Pulse(
                        at=Seconds(NOON + second),
                        rss=40 * MB if second == 1 else 90 * MB,
                        used=40 * MB if second == 1 else 90 * MB,
                        limit=100 * MB,
                        lag=Seconds(0.0),
                        throttled_s=Seconds(0.0),
                    )
                )
        said = [str(formatEvent(event)) for event in events]
        self.assertTrue(any("thin: memory at 90.0 %" in line for line in said), said)
        self.assertTrue(any("there are no clients here" in line for line in said))
