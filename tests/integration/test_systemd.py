"""A real server that is watched as systemd watches it, by a real socket."""

import tempfile
import time
from pathlib import Path
from typing import Final

from typing_extensions import override

from tests.integration.test_admin import AdminTestCase
from tests.support.systemd import Systemd
from tests.support.twistd import PATIENCE

WAITS_FOR: Final = 400_000  # microseconds, of the watchdog
STANDS_FOR: Final = 1.0  # seconds; more than twice as long as systemd would wait


class WatchdogTests(AdminTestCase):
    """A server whose watchdog is waited for."""

    @override
    def setUp(self) -> None:
        """Listen as systemd does."""
        super().setUp()
        folder = tempfile.TemporaryDirectory()  # sockets need short names
        self.addCleanup(folder.cleanup)
        self.systemd = Systemd(str(Path(folder.name) / "notify"))
        self.addCleanup(self.systemd.close)

    def hear(self, word: str) -> None:
        """Return when this has been said."""
        while self.systemd.hear(PATIENCE) != word:
            pass

    def test_ready_going_round_and_ending(self) -> None:
        """A reactor that stands still is silent, so that systemd ends it."""
        with self.serve(
            NOTIFY_SOCKET=self.systemd.address, WATCHDOG_USEC=str(WAITS_FOR)
        ):
            self.assertEqual(self.systemd.hear(PATIENCE), "READY=1")
            for _ in range(3):
                self.assertEqual(self.systemd.hear(PATIENCE), "WATCHDOG=1")
            self.stand_still()
            self.systemd.heard()
            time.sleep(STANDS_FOR)  # in which nothing comes
            self.wait_until("/health/live", "stuck")
            self.assertEqual(self.systemd.heard(), [])
            self.go_on()
            self.hear("WATCHDOG=1")
        self.hear("STOPPING=1")
        self.assertEqual(self.systemd.heard(), [])
