"""Plugins in a process of their own, with a real network around it."""

from functools import partial

from tests.integration.test_roles import REPORT, RolesTestCase
from tests.support.roles import Pilot, Role, Roles, wait_until

DOTS = 'plugins.enabled=["dots"]'
EXTENDS = "extend this server"


class PluginProcessTests(RolesTestCase):
    """A pergola with everything but plugins, and a process that has them."""

    def extended(self, *settings: str) -> tuple[Roles, Role, Role]:
        """Return a network, its pergola, and the process of its plugins."""
        roles = self.network()
        pergola = roles.start("pergola,passport,weather", name="pergola")
        plugins = roles.start("plugin", *settings)
        for process in (pergola, plugins):
            process.ready()
        wait_until(partial(pergola.said, EXTENDS), "plugins extend the pergola")
        return roles, pergola, plugins

    def online(self, roles: Roles, callsign: str = "KLM1") -> Pilot:
        """Return the end of a pilot who is online."""
        pilot = self.pilot(roles, callsign)
        pilot.until(f"#TMserver:{callsign}")
        return pilot

    def answer(self, pilot: Pilot, command: str) -> str:
        """Return what is answered to a command, whenever somebody answers it.

        Until the plugins are there, it is a text to the server, which swallows it.
        """
        pilot.say(f"#TM{pilot.callsign}:SERVER:{command}")
        return pilot.until("#TMserver:")

    def test_pilots_use_a_command(self) -> None:
        """A report is asked of the weather, through the pergola, and shown."""
        roles, pergola, plugins = self.extended(DOTS)
        pilot = self.online(roles)
        self.assertEqual(self.answer(pilot, ".metar EHAM"), f"#TMserver:KLM1:{REPORT}")
        self.assertEqual(
            self.answer(pilot, ".who"), "#TMserver:KLM1:Online: 1 pilots, 0 controllers"
        )
        plugins.end()
        wait_until(partial(pergola.said, "are gone"), "they have left")
        self.assertTrue(pilot.is_online())
        self.assert_clean(pergola, plugins)

    def test_killed(self) -> None:
        """Nobody online notices; commands work again when it is back."""
        roles, pergola, plugins = self.extended(DOTS)
        pilot = self.online(roles)
        self.answer(pilot, ".metar EHAM")
        plugins.kill()
        wait_until(partial(pergola.said, "are gone"), "they are gone")
        other = self.online(roles, "KLM2")
        self.assertTrue(pilot.is_online())
        again = roles.start("plugin", DOTS, name="again").ready()
        wait_until(partial(again.said, "plugins extend "), "they are back")
        wait_until(lambda: pergola.log.count(EXTENDS) > 1, "the pergola knows")
        self.assertIn("2 pilots", self.answer(other, ".who"))
        self.assert_clean(pergola, again)
