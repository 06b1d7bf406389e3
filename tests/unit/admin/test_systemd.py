"""What systemd is told, over a real socket."""

import os
import tempfile
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.systemd import SystemdNotifier, take_notifier
from rum_twisted.terms.units import Seconds
from tests.support.systemd import Systemd

INTERVAL = Seconds(5.0)


class SystemdTestCase(SynchronousTestCase):
    """A systemd that listens, and a clock."""

    @override
    def setUp(self) -> None:
        """Listen in a folder with a short name, as sockets need."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.clock = Clock()
        self.systemd = self.listen(str(self.folder / "notify"))

    def listen(self, address: str) -> Systemd:
        """Return a systemd that listens at an address until the test ends."""
        systemd = Systemd(address)
        self.addCleanup(systemd.close)
        return systemd

    def started(self, interval: Seconds | None = INTERVAL) -> SystemdNotifier:
        """Return a notifier that has been started."""
        notifier = SystemdNotifier(self.systemd.address, interval, self.clock)
        notifier.startService()
        return notifier


class NotifierTests(SystemdTestCase):
    """What is said, and when."""

    def test_ready_when_the_reactor_goes_round(self) -> None:
        """Not before: until then nobody is served."""
        self.started(None)
        self.assertEqual(self.systemd.heard(), [])
        self.clock.advance(0)
        self.assertEqual(self.systemd.heard(), ["READY=1"])

    def test_a_word_for_the_watchdog_each_time_the_clock_says(self) -> None:
        """It comes from the reactor: while that stands, nothing is said."""
        self.started()
        self.clock.advance(0)
        self.assertEqual(self.systemd.heard(), ["READY=1", "WATCHDOG=1"])
        self.clock.pump([INTERVAL] * 3)
        self.assertEqual(self.systemd.heard(), ["WATCHDOG=1"] * 3)
        self.assertEqual(self.systemd.heard(), [])

    def test_no_watchdog_where_none_waits(self) -> None:
        """Only the beginning and the end are told."""
        self.started(None)
        self.clock.pump([0, *([INTERVAL] * 3)])
        self.assertEqual(self.systemd.heard(), ["READY=1"])

    def test_the_end(self) -> None:
        """It is told once, and then nothing is said any more."""
        notifier = self.started()
        self.clock.advance(0)
        self.systemd.heard()
        notifier.stopService()
        notifier.stopService()
        self.clock.advance(INTERVAL)
        self.assertEqual(self.systemd.heard(), ["STOPPING=1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_before_it_was_ready(self) -> None:
        """It never says that it is."""
        self.started().stopService()
        self.clock.advance(0)
        self.assertEqual(self.systemd.heard(), ["STOPPING=1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_started_twice_and_again(self) -> None:
        """A second start adds nothing; one after the end tells all of it anew."""
        notifier = self.started()
        notifier.startService()
        self.clock.advance(0)
        notifier.stopService()
        notifier.startService()
        self.clock.advance(0)
        told = ["READY=1", "WATCHDOG=1"]
        self.assertEqual(self.systemd.heard(), [*told, "STOPPING=1", *told])

    def test_nobody_listens(self) -> None:
        """The log says so once, and the server goes on."""
        notifier = SystemdNotifier(str(self.folder / "nobody"), INTERVAL, self.clock)
        with capturedLogs() as events:
            notifier.startService()
            self.clock.pump([0, INTERVAL, INTERVAL])
        self.assertEqual(len(events), 1)
        self.assertEqual(events[0]["word"], "READY=1")

    def test_a_socket_without_a_file(self) -> None:
        """Its name begins with ``@`` in the variable."""
        self.systemd = self.listen(f"@rum-test-{os.getpid()}")
        self.started(None)
        self.clock.advance(0)
        self.assertEqual(self.systemd.heard(), ["READY=1"])


class EnvironmentTests(SystemdTestCase):
    """What systemd's variables ask for."""

    def taken(self, **environ: str) -> tuple[list[str], dict[str, str]]:
        """Return what a process with these variables says, and what it leaves."""
        notifier = take_notifier(environ, self.clock, own_number=lambda: 17)
        if notifier is not None:
            notifier.startService()
            self.clock.pump([0, INTERVAL])
        return self.systemd.heard(), environ

    def test_without_systemd(self) -> None:
        """There is nobody to tell."""
        self.assertIsNone(take_notifier({}, self.clock))

    def test_with_a_watchdog(self) -> None:
        """It is told twice in the time that it waits; the variables are gone."""
        told, left = self.taken(
            NOTIFY_SOCKET=self.systemd.address,
            WATCHDOG_USEC=str(int(INTERVAL * 2_000_000)),
            WATCHDOG_PID="17",
            PATH="/bin",
        )
        self.assertEqual(told, ["READY=1", "WATCHDOG=1", "WATCHDOG=1"])
        self.assertEqual(left, {"PATH": "/bin"})

    def test_a_watchdog_of_somebody_else(self) -> None:
        """Whoever has another process number is not waited for."""
        told, _ = self.taken(
            NOTIFY_SOCKET=self.systemd.address,
            WATCHDOG_USEC="1000000",
            WATCHDOG_PID="18",
        )
        self.assertEqual(told, ["READY=1"])

    def test_intervals_that_are_none(self) -> None:
        """Nothing that is no number of microseconds starts a watchdog."""
        for interval in ("", "0", "-1", "soon"):
            told, _ = self.taken(
                NOTIFY_SOCKET=self.systemd.address, WATCHDOG_USEC=interval
            )
            self.assertEqual(told, ["READY=1"], interval)
