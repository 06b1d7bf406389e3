"""How a process tells others of itself."""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted import __version__
from rum_twisted.assembly.fabric import Listing
from rum_twisted.config import ServicesSettings
from rum_twisted.discovery.memory import MemoryRegistry
from rum_twisted.discovery.service import DiscoveryClient
from rum_twisted.terms.instance import Instance, InstanceState
from rum_twisted.terms.units import Seconds

NOW = Seconds(1_790_000_000.0)
ADDRESS = "127.0.0.1:7001"


class ListingTests(SynchronousTestCase):
    """The entries of a process, from its start to its end."""

    @override
    def setUp(self) -> None:
        """Open a registry."""
        self.discovery = DiscoveryClient(MemoryRegistry())
        self.discovery.startService()
        self.changes: list[tuple[Instance, ...]] = []
        self.discovery.watch("passport", self.changes.append)

    def listing(self, **settings: Any) -> Listing:
        """Return the listing of a passport with weather."""
        return Listing(
            self.discovery,
            ServicesSettings(roles=("passport", "weather"), **settings),
            lambda: ADDRESS,
            Clock(),
            lambda: NOW,
        )

    def listed(self, service: str) -> Instance:
        """Return who plays a service."""
        (instance,) = self.discovery.instances(service)
        return instance

    def test_each_role_is_listed(self) -> None:
        """Under one name, with the address that was opened and what is known."""
        self.listing(group="trial", zone="ams").startService()
        passport, weather = self.listed("passport"), self.listed("weather")
        self.assertEqual(passport.name, weather.name)
        self.assertEqual(
            (passport.address, passport.version, passport.started),
            (ADDRESS, __version__, NOW),
        )
        self.assertEqual((passport.group, passport.zone), ("trial", "ams"))
        self.assertEqual(self.discovery.instances("pergola"), ())

    def test_what_the_settings_say_counts(self) -> None:
        """An address that others are told, and a version."""
        self.listing(advertise="10.0.0.2:7001", version="4.1-trial").startService()
        passport = self.listed("passport")
        self.assertEqual(passport.address, "10.0.0.2:7001")
        self.assertEqual(passport.version, "4.1-trial")

    def test_first_draining_then_gone(self) -> None:
        """At the end others hear that nothing new is taken, then nothing."""
        listing = self.listing()
        listing.startService()
        self.successResultOf(listing.stopService())
        states = [[each.state for each in change] for change in self.changes]
        self.assertEqual(states, [[InstanceState.UP], [InstanceState.DRAINING], []])
        self.successResultOf(listing.stopService())

    def test_each_start_has_another_name(self) -> None:
        """Whoever died without a word is not taken for his successor."""
        listing = self.listing()
        listing.startService()
        listing.startService()  # does no harm
        first = self.listed("passport").name
        self.successResultOf(listing.stopService())
        listing.startService()
        self.assertNotEqual(self.listed("passport").name, first)
