"""The root of the service tree: in which order it ends, and what it tells."""

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.first import FirstAccount
from rum_twisted.assembly.root import RumService
from rum_twisted.config import load


class OurMistake(Exception):
    """Stands for a bug."""


class SlowService(Service):
    """A service that takes its time to end."""

    def __init__(self, name: str, stopping: list[str]) -> None:
        self.setName(name)
        self.stopped: Deferred[None] = Deferred()
        self._stopping = stopping

    @override
    def stopService(self) -> Deferred[None]:
        """Begin to end."""
        super().stopService()
        self._stopping.append(str(self.name))
        return self.stopped


class StopTests(SynchronousTestCase):
    """The end of a server."""

    @override
    def setUp(self) -> None:
        """Make a tree of three services."""
        self.stopping: list[str] = []
        self.root = RumService(load(), lambda line: None, on_terminal=False)
        self.services = [SlowService(name, self.stopping) for name in "abc"]
        for service in self.services:
            service.setServiceParent(self.root)

    def test_each_ends_when_the_one_before_has(self) -> None:
        """The last to start is the first to stop, and nobody is in a hurry."""
        ended = self.root.stopService()
        for count, name in enumerate("cba", start=1):
            self.assertEqual(self.stopping, list("cba")[:count])
            self.assertNoResult(ended)
            self.services["abc".index(name)].stopped.callback(None)
        self.successResultOf(ended)
        self.assertFalse(self.root.running)

    def test_one_that_fails_does_not_hinder_the_others(self) -> None:
        """Its failure is logged, and the end is an end."""
        first, second, third = self.services
        ended = self.root.stopService()
        third.stopped.errback(OurMistake())
        second.stopped.callback(None)
        first.stopped.callback(None)
        self.successResultOf(ended)
        self.assertEqual(self.stopping, ["c", "b", "a"])
        self.assertEqual(len(self.flushLoggedErrors(OurMistake)), 1)


class FirstAccountTests(SynchronousTestCase):
    """What a first start shows."""

    def told(self, *, on_terminal: bool) -> list[str]:
        """Return the lines that the operator gets."""
        lines: list[str] = []
        root = RumService(load(), lines.append, on_terminal=on_terminal)
        account = FirstAccount("1000000", "secret")
        root.tell_of_first_account(account, "kept in:      cert.txt")
        return lines

    def test_a_terminal_shows_the_password(self) -> None:
        """Once, with the CID and where he is kept."""
        self.assertEqual(
            self.told(on_terminal=True),
            [
                "First start: administrator 1000000 was made.",
                "  password:     secret  (shown once)",
                "  kept in:      cert.txt",
            ],
        )

    def test_a_log_does_not(self) -> None:
        """It says that there is an administrator, and no more than where."""
        lines = self.told(on_terminal=False)
        self.assertEqual(len(lines), 2)
        self.assertNotIn("secret", "".join(lines))
