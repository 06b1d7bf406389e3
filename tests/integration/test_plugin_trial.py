"""A new version of the plugins under real traffic, as an operator tries it."""

import asyncio
from typing import Any, Final

from twisted.internet.defer import Deferred

from tests.integration.test_roles import PASSWORD
from tests.integration.test_rolling import BETWEEN_LOOKS, NetworkTestCase
from tests.support.roles import Pilot, Role

OLD, NEW = "4.0.0", "4.1.0"
OLD_CID, NEW_CID = "1000001", "1000005"
SINGLE: Final = "pergola,passport,weather"
FAIL: Final = "fail"  # what has the plugin raise
ROUNDS: Final = 300  # of things said, until the new version must be out
LOST: Final = "lost"  # what was said, as the server has swallowed it
TELLER: Final = """
from rum_twisted.plugins import Hook, Manifest, Option, Verdict


class Teller:
    \"\"\"Answers each text with its version.\"\"\"

    manifest = Manifest(
        name="teller",
        hooks=frozenset({Hook.LINE}),
        prefixes=("#TM",),
        budget=5.0,
        options=(Option(name="version", default="", about="What it says."),),
    )

    def __init__(self, rum, settings):
        self.version = settings["version"]

    def line(self, line):
        if line.line.endswith("fail"):
            raise RuntimeError("as it was told to")
        return Verdict(stops=True, text=self.version)


plugin = Teller
"""


class TrialTests(NetworkTestCase):
    """Two versions of the role, beside a process of all others."""

    more_settings = ('plugins.enabled=["teller"]', "plugins.deadline=5.0")

    def test_trial(self) -> Deferred[None]:
        """Set, sticky, gone and back, and backed out by itself."""
        return self.run_long(self.check())

    async def start_plugins(self, name: str, version: str) -> Role:
        """Start a process of the role."""
        word = f'plugins.settings={{teller={{version="{version}"}}}}'
        return await self.start("plugin", name, version, settings=(word,))

    async def log_on(self, callsign: str, cid: str) -> Pilot:
        """Bring a pilot online."""
        pilot: Pilot = await self.aside(Pilot, self.roles.port)
        self.addCleanup(pilot.close)
        await self.aside(pilot.log_on, callsign, cid, PASSWORD)
        await self.aside(pilot.until, f"#TMserver:{callsign}")
        return pilot

    async def answer(self, pilot: Pilot, text: str = "hello") -> str:
        """Let a pilot say something; return which version has answered."""

        def ask() -> str:
            callsign = pilot.callsign
            pilot.say(f"#TM{callsign}:SERVER:{text}")
            pilot.say(f"$PI{callsign}:SERVER:?")  # handled after it
            line = pilot.until(f"#TMserver:{callsign}:", f"$POserver:{callsign}:")
            if line.startswith("$PO"):
                return LOST
            pilot.until("$PO")
            return line.rpartition(":")[2]

        await asyncio.sleep(BETWEEN_LOOKS)  # who says too much is not read
        answer: str = await self.aside(ask)
        return answer

    async def answer_by(self, pilot: Pilot, version: str) -> None:
        """Wait until a version answers a pilot; nothing else does but nobody."""
        while (answer := await self.answer(pilot)) != version:
            self.assertIn(answer, (OLD, NEW, LOST))

    async def rule(self) -> dict[str, Any]:
        """Return the rule that stands."""
        (rule,) = await self.rumctl("canary", "show", "plugin")
        found: dict[str, Any] = rule
        return found

    async def check(self) -> None:
        """Try the new version."""
        folder = self.roles.folder / "data" / "plugins"
        folder.mkdir(parents=True)
        (folder / "teller.py").write_text(TELLER, "ascii")
        await self.aside(self.etcd.start_and_wait)
        server, _ = await asyncio.gather(
            self.start(SINGLE, "pergola", OLD), self.start_plugins("plugins-old", OLD)
        )
        pilot = await self.log_on("KLM2", NEW_CID)
        other = await self.log_on("KLM1", OLD_CID)
        await self.answer_by(pilot, OLD)
        await self.rumctl(
            *("canary", "set", "plugin", NEW, "--cid", NEW_CID, "--share", "0"),
            *("--max-errors", "20", "--least-calls", "40", "--window", "60"),
        )
        new = await self.start_plugins("plugins-new", NEW)
        await self.joined(server, 2)
        self.assertEqual(await self.answer(pilot), OLD)  # until he comes again
        pilot.close()
        pilot = await self.log_on("KLM3", NEW_CID)
        self.assertEqual(await self.answer(pilot), NEW)
        self.assertEqual(await self.answer(other), OLD)
        await self.aside(new.kill)
        await self.answer_by(pilot, OLD)
        await self.start_plugins("plugins-again", NEW)
        await self.joined(server, 3)
        pilot.close()
        pilot = await self.log_on("KLM4", NEW_CID)
        await self.answer_by(pilot, NEW)
        for _ in range(ROUNDS):
            await self.answer(other)
            await self.answer(pilot, FAIL)
            if "is backed out" in server.log:
                break
        rule = await self.rule()
        self.assertEqual(rule["state"], "backed-out")
        self.assertRegex(rule["reason"], r"% of \d+ calls failed in \d+ s")
        await self.answer_by(pilot, OLD)
        self.assertEqual(await self.answer(other), OLD)

    async def joined(self, server: Role, count: int) -> None:
        """Wait until the server has taken so many processes of the role up."""
        while server.log.count("extend this server") < count:
            await asyncio.sleep(BETWEEN_LOOKS)
