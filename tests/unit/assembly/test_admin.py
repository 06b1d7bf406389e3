"""What looks at a process, put together."""

import gc
from collections.abc import Callable
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.http import WatchServer
from rum_twisted.assembly.admin import Admin, build_admin
from rum_twisted.config.endpoints import UnfitDescription
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.units import Seconds
from rum_twisted.world.roster import Roster
from tests.unit.admin.builders import NOON


class Store:
    """Keeps something, under a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def measures(self) -> dict[str, Callable[[], Measure]]:
        """Return what tells of it."""
        return {self.name: lambda: Measure(count=1, bytes=7)}


class LoopClock(Clock):
    """A clock that threads may call, as a reactor; none does so here."""

    def callFromThread(self, call: Callable[[], object]) -> None:  # noqa: N802
        """Refuse: there is no other thread."""
        raise AssertionError(call)


class AdminTests(SynchronousTestCase):
    """A process in which time stands still."""

    @override
    def setUp(self) -> None:
        """What is there already need not be counted."""
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        self.clock = LoopClock()
        self.folder = Path(self.mktemp())

    def build(self, http: str = "") -> Admin:
        """Return the services, which are stopped after the test."""
        admin = build_admin(
            self.clock, lambda: Seconds(NOON), data_dir=self.folder, http=http
        )
        self.addCleanup(admin.stopService)
        return admin

    def names(self, admin: Admin) -> set[str]:
        """Return the owners' names."""
        return {owner.name for owner in admin.owners.table()}

    def test_whoever_keeps_something_is_an_owner(self) -> None:
        """By the names he says; who keeps nothing is passed over."""
        admin = self.build()
        store = Store("store")
        admin.watch(Roster(), store, store, object(), None)
        self.assertEqual(
            self.names(admin), {"admin", "roster", "flight plans", "store"}
        )

    def test_two_of_one_name(self) -> None:
        """That is a mistake of ours, and not passed over."""
        admin = self.build()
        self.assertRaises(ValueError, admin.watch, Store("one"), Store("one"))

    def test_the_samples_are_an_owner(self) -> None:
        """What looks at memory takes some."""
        admin = self.build()
        (owner,) = admin.owners.table()
        self.assertEqual(owner.measure.bytes, admin.sampler.bytes)

    def test_without_http(self) -> None:
        """Nothing listens, and all else is there."""
        names = {service.name for service in self.build()}
        self.assertEqual(names, {"lag", "sampler"})

    def test_with_http(self) -> None:
        """It listens while it runs."""
        admin = self.build("tcp:0:interface=127.0.0.1")
        server = admin.getServiceNamed("http")
        assert isinstance(server, WatchServer)
        self.assertEqual(server.address, "")
        self.assertIn("/health/live", admin.pages)
        self.assertRaises(UnfitDescription, self.build, "unix:/tmp/x")

    def test_each_command_has_its_noun(self) -> None:
        """All of them are about the heap."""
        for name in self.build().commands:
            self.assertTrue(name.startswith("heap."), name)

    def test_start_and_stop_twice(self) -> None:
        """No timer stays behind."""
        admin = self.build()
        for _ in range(2):
            admin.startService()
            for _ in range(50):
                self.clock.advance(0.01)
            admin.stopService()
            self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(admin.sampler.samples())
