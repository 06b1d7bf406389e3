"""Plugins in a process of their own, with a real network around it."""

import json
import time
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


BAD = """
import threading
import time

from rum_twisted.plugins import Hook, Manifest


class plugin:
    manifest = Manifest(
        name="{name}",
        hooks=frozenset({{Hook.LOGGING_ON, Hook.LOGGED_ON, Hook.TEXT, Hook.LINE}}),
        prefixes=("#TM",),
    )

    def __init__(self, rum, settings):
        self.rum = rum

    def logging_on(self, event):
        {act}

    line = logged_on = text = logging_on
"""
ACTS = {
    "sleeping": "time.sleep(10)",
    "raising": "raise RuntimeError('no')",
    "flooding": "[self.rum.tell(event.callsign, 'flood') for _ in range(3000)]",
}


class BadPluginTests(RolesTestCase):
    """Plugins that hang, raise and flood, all at the same time, and the network."""

    def talk(self, roles: Roles) -> list[Pilot]:
        """Log six pilots on, and have five of them speak to the first."""
        pilots = []
        for number in range(6):
            pilot = self.pilot(roles, f"KLM{number}")
            pilot.until(f"#TMserver:KLM{number}")
            pilots.append(pilot)
        for pilot in pilots[1:]:
            pilot.say(f"#TM{pilot.callsign}:KLM0:hello")
            self.assertTrue(pilot.is_online())
        for pilot in pilots[1:]:
            pilots[0].until(f"#TM{pilot.callsign}:KLM0:hello")
        return pilots

    def test_nobody_notices(self) -> None:
        """Pilots log on and talk; the log of the role has a line a minute of each."""
        begun = time.monotonic()
        roles = self.network()
        folder = roles.folder / "data" / "plugins"
        folder.mkdir(parents=True)
        for name, act in ACTS.items():
            (folder / f"{name}.py").write_text(BAD.format(name=name, act=act), "utf-8")
        pergola = roles.start("pergola,passport,weather", name="pergola")
        enabled = json.dumps([*ACTS, "dots"])
        plugins = roles.start("plugin", f"plugins.enabled={enabled}")
        for process in (pergola, plugins):
            process.ready()
        wait_until(partial(pergola.said, EXTENDS), "plugins extend the pergola")
        pilots = self.talk(roles)
        for name in ACTS:
            wait_until(partial(plugins.said, f"plugin {name}: "), f"a line of {name}")
        pilots[1].say("#TMKLM1:SERVER:.who")
        pilots[1].until("#TMserver:KLM1:Online: 6 pilots")
        minutes = (time.monotonic() - begun) / 60
        for name in ACTS:
            lines = plugins.log.count(f"plugin {name}: ")
            self.assertLessEqual(lines, 1 + minutes, plugins.log)
        self.assert_clean(pergola, plugins)
