"""The password in a file."""

from pathlib import Path

from twisted.internet.defer import fail
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.accounts.queue import TooManyLogons
from rum_twisted.accounts.throttle import Limits, Throttle
from rum_twisted.console.interfaces import Verdict
from rum_twisted.console.password import FilePassword, ThrottledPassword
from rum_twisted.terms.units import Seconds


class FileTests(SynchronousTestCase):
    """What is right, and what is told."""

    def check(self, content: bytes | None, typed: str, mode: int = 0o600) -> bool:
        """Return whether ``typed`` is right for a file."""
        path = Path(self.mktemp())
        if content is not None:
            path.write_bytes(content)
            path.chmod(mode)
        return self.successResultOf(FilePassword(path).verify(typed))

    def test_first_line(self) -> None:
        """It counts, without its end, case and all."""
        for content in (b"sesame", b"sesame\n", b"sesame\r\nother\n"):
            self.assertTrue(self.check(content, "sesame"), content)
        for typed in ("", "Sesame", "sesam", "other"):
            self.assertFalse(self.check(b"sesame\nother\n", typed), typed)

    def test_no_file_lets_nobody_in(self) -> None:
        """Neither does an empty one."""
        for content in (None, b"", b"\n", b"\nsesame\n"):
            for typed in ("", "sesame"):
                self.assertFalse(self.check(content, typed), content)

    def test_others_may_read_it(self) -> None:
        """It is told, once."""
        path = Path(self.mktemp())
        path.write_bytes(b"sesame")
        path.chmod(0o644)
        password = FilePassword(path)
        with capturedLogs() as events:
            for _ in range(2):
                self.assertTrue(self.successResultOf(password.verify("sesame")))
        self.assertEqual(len(events), 1)
        self.assertIn("chmod 600", formatEvent(events[0]))

    def test_a_check_that_fails(self) -> None:
        """Where too many wait, nothing is right, and nothing is counted."""
        throttle = Throttle(Limits(free_per_cid=1, free_per_address=1))
        password = ThrottledPassword(
            lambda typed: fail(TooManyLogons()), throttle, Clock()
        )
        for _ in range(5):
            verdict = self.successResultOf(password.check("sesame", "192.0.2.7"))
            self.assertEqual(verdict, Verdict(is_right=False))
        self.assertEqual(len(throttle.lockouts(Seconds(0.0))), 0)
