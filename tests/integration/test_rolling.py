"""Processes that come and go under load, as an operator has them do it."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Coroutine, Sequence
from pathlib import Path
from threading import Event
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from typing_extensions import override

from rum_twisted.config import DiscoverySettings
from rum_twisted.discovery.choose import make_discovery
from rum_twisted.rpc.bridge import deferred, future
from rum_twisted.rpc.client import XClients
from rum_twisted.rpc.errors import RpcError
from rum_twisted.rpc.options import usual_options
from rum_twisted.rpc.passport import authenticate
from rum_twisted.rpc.weather import metar
from rum_twisted.terms.units import Seconds
from tests.integration.asyncio_case import AsyncioTestCase
from tests.integration.rpcserver import ForeignServer
from tests.integration.test_roles import MEMBERS, PASSWORD, REPORT
from tests.support.etcd import Etcd
from tests.support.fabric import chance
from tests.support.roles import Pilot, Role, Roles
from tests.support.rules import CANARY, make_rule
from tests.support.twistd import ROOT

PATIENCE: Final = 400.0  # seconds, for everything; most of it is processes that start
LEASE: Final = 10  # seconds; nobody is to fall off the list while others start
CALLS_PER_SECOND: Final = 200
ANSWER_WITHIN: Final = Seconds(60.0)
RUMCTL: Final = "from rum_twisted.cli.main import main; main()"
SERVICES: Final = ("passport", "weather")
PLAYED: Final = (*SERVICES, "plugin")
SAY_EVERY: Final = 0.05  # seconds; far below what may come from one client
BETWEEN_LOOKS: Final = 0.02  # seconds
VETO: Final = """
from rum_twisted.plugins import Hook, Manifest, Verdict


class Veto:
    \"\"\"Answers each text itself, so that the server does not see it.\"\"\"

    manifest = Manifest(
        name="veto", hooks=frozenset({Hook.LINE}), prefixes=("#TM",), budget=5.0
    )

    def __init__(self, rum, settings):
        self.rum = rum

    def line(self, line):
        return Verdict(stops=True, text="no " + line.line.rpartition(":")[2])


plugin = Veto
"""
OF_EACH: Final = 2  # instances
CIDS: Final = tuple(line.split()[0] for line in MEMBERS.splitlines())
SHARE: Final = 10.0
ROUNDS: Final = 60  # of questions, until the new version must be out


class NetworkTestCase(AsyncioTestCase):
    """A network of real processes over a real etcd, and rumctl."""

    timeout = PATIENCE + 60
    more_settings: tuple[str, ...] = ()

    @override
    def setUp(self) -> None:
        """Prepare; nothing is started."""
        super().setUp()
        self.etcd = Etcd(Path(self.mktemp()))
        self.addCleanup(self.etcd.kill)
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.settings = (
            'accounts.cert_file="members.txt"',
            'weather.file="metar.txt"',
            'discovery.backend="etcd"',
            f'discovery.endpoints=["{self.etcd.endpoint}"]',
            f"discovery.lease_ttl={LEASE}",
            *self.more_settings,
        )
        self.roles = Roles(folder, *self.settings)
        self.addCleanup(self.roles.kill)
        (folder / "members.txt").write_text(MEMBERS, "ascii")
        (folder / "metar.txt").write_text(f"{REPORT}\n", "ascii")

    def run_long(self, coroutine: Coroutine[Any, Any, None]) -> Deferred[None]:
        """Return the outcome of a test that starts many processes."""
        return deferred(asyncio.wait_for(coroutine, PATIENCE))

    async def aside(self, function: Any, *arguments: Any) -> Any:
        """Do what blocks, in a thread."""
        return await future(deferToThread(function, *arguments))

    async def start(
        self,
        role: str,
        name: str,
        version: str,
        *,
        settings: Sequence[str] = (),
        elsewhere: bool = False,
    ) -> Role:
        """Start a process; return it when it serves.

        Args:
            role: what it plays.
            name: of its files.
            version: that it says it is.
            settings: more of them.
            elsewhere: its socket file is where rumctl does not look, as on a machine
                of its own.
        """
        folder = self.roles.folder / ("elsewhere" if elsewhere else "data")
        folder.mkdir(exist_ok=True)
        socket = folder / f"control-{name}.sock"
        process = self.roles.start(
            role,
            f'services.version="{version}"',
            f'control.socket="{socket}"',
            *settings,
            name=name,
        )
        ready: Role = await self.aside(process.ready)
        return ready

    def rumctl_here(self, *arguments: str) -> Any:
        """Run rumctl; return what it printed as JSON."""
        environ = {key: value for key, value in os.environ.items() if key[:4] != "RUM_"}
        sets = (part for word in self.settings for part in ("--set", word))
        done = subprocess.run(  # noqa: S603 - nothing from outside
            [sys.executable, "-c", RUMCTL, *sets, *arguments, "--json"],
            cwd=self.roles.folder,
            env={**environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
            timeout=PATIENCE,
        )
        if done.returncode:
            raise AssertionError(f"rumctl {arguments}: {done.stderr}{done.stdout}")
        return json.loads(done.stdout)

    async def rumctl(self, *arguments: str) -> Any:
        """Run rumctl while the rest goes on."""
        return await self.aside(self.rumctl_here, *arguments)

    async def instances(self, version: str) -> list[dict[str, Any]]:
        """Return who plays a service in this version."""
        return [
            each
            for each in await self.rumctl("services")
            if each["version"] == version and each["service"] in PLAYED
        ]


class _Load:
    """Calls to the services, so many a second, whatever becomes of them."""

    def __init__(self, clients: XClients) -> None:
        self._clients = {service: clients.client(service) for service in SERVICES}
        self._metrics = clients.metrics
        self._calls: set[asyncio.Task[None]] = set()
        self._is_over = False
        self.outcomes: Counter[str] = Counter()

    async def run(self) -> None:
        """Call until it is over, and wait for the last answers."""
        loop = asyncio.get_running_loop()
        begin, count = loop.time(), 0
        while not self._is_over:
            due = int((loop.time() - begin) * CALLS_PER_SECOND)
            for number in range(count, due):
                call = loop.create_task(self._call(number))
                self._calls.add(call)
                call.add_done_callback(self._calls.discard)
            count = max(count, due)
            await asyncio.sleep(1 / CALLS_PER_SECOND)
        await asyncio.gather(*self._calls)
        for client in self._clients.values():
            client.close()

    def end(self) -> None:
        """Call no more."""
        self._is_over = True

    @property
    def failures(self) -> Counter[str]:
        """What single attempts have failed with, those that were repeated included."""
        found: Counter[str] = Counter()
        for series in self._metrics.snapshot():
            found.update({code.name: count for code, count in series.codes.items()})
        del found["OK"]
        return found

    async def _call(self, number: int) -> None:
        service = SERVICES[number % len(SERVICES)]
        client = self._clients[service]
        try:
            if service == "weather":
                answer = await metar(client, "EHAM", None, str(number), ANSWER_WITHIN)
                outcome = service if answer == REPORT else f"answer {answer}"
            else:
                cid = CIDS[number % len(CIDS)]
                account = await authenticate(client, cid, PASSWORD, "", ANSWER_WITHIN)
                outcome = service if account.cid == cid else f"answer {account}"
        except RpcError as error:
            outcome = str(error)
        self.outcomes[outcome] += 1


class _Chatter:
    """A pilot who says things, each of which plugins have to stop.

    Args:
        pilot: his end of the connection.
    """

    def __init__(self, pilot: Pilot) -> None:
        self._pilot = pilot
        self._over = Event()
        self.said: list[str] = []
        self.heard: list[str] = []

    def run(self) -> None:
        """Say things and hear what comes of them, until it is over; blocks."""
        callsign = self._pilot.callsign
        while not self._over.wait(SAY_EVERY):
            word = str(len(self.said))
            self._pilot.say(f"#TM{callsign}:SERVER:{word}")
            self.said.append(f"#TMserver:{callsign}:no {word}")
            self._pilot.say(f"$PI{callsign}:SERVER:{word}")  # answered by the server
            heard = ""
            while not heard.startswith("$PO"):
                heard = self._pilot.until("#TMserver:", "$PO")
                self.heard.append(heard)

    def end(self) -> None:
        """Say nothing more."""
        self._over.set()


class RollingRestartTests(NetworkTestCase):
    """Each process of each service is replaced, one after the other."""

    more_settings = ('plugins.enabled=["veto"]', "plugins.deadline=5.0")

    def test_no_call_is_lost(self) -> Deferred[None]:
        """Under 200 calls a second, and whoever is online stays online."""
        return self.run_long(self.check())

    async def check(self) -> None:
        """Replace all processes but the pergola; half of them are drained elsewhere."""
        folder = self.roles.folder / "data" / "plugins"
        folder.mkdir(parents=True)
        (folder / "veto.py").write_text(VETO, "ascii")
        await self.aside(self.etcd.start_and_wait)
        pergola, *others = await asyncio.gather(
            self.start("pergola", "pergola", "old"),
            *(
                self.start(
                    service, f"{service}-{number}", "old", elsewhere=bool(number)
                )
                for service in PLAYED
                for number in range(OF_EACH)
            ),
        )
        pilot: Pilot = await self.aside(Pilot, self.roles.port)
        self.addCleanup(pilot.close)
        await self.aside(pilot.log_on, "KLM1", "1000001", PASSWORD)
        await self.aside(pilot.until, "#TMserver:KLM1")
        while not pergola.said("extend this server"):
            await asyncio.sleep(BETWEEN_LOOKS)
        chatter = _Chatter(pilot)
        load = await self.prepare_load()
        running = asyncio.gather(load.run(), self.aside(chatter.run))
        try:
            old = await self.instances("old")
            self.assertEqual(len(old), OF_EACH * len(PLAYED))
            for number, instance in enumerate(old):
                service = instance["service"]
                await self.start(service, f"{service}-new-{number}", "new")
                while len(await self.instances("new")) <= number:
                    pass  # it is started when it serves, and listed a moment later
                done = await self.rumctl("drain", instance["name"])
                self.assertEqual(done["state"], "ended")
        finally:
            load.end()
            chatter.end()
            await running
        outcomes = load.outcomes
        self.assertEqual(set(outcomes), set(SERVICES), outcomes)
        self.assertGreater(outcomes.total(), 5 * CALLS_PER_SECOND)
        self.assertEqual(load.failures, Counter())  # not even one that was repeated
        self.assertEqual(await self.instances("old"), [])
        self.assertEqual(len(await self.instances("new")), OF_EACH * len(PLAYED))
        heard = [line for line in chatter.heard if line.startswith("#TM")]
        self.assertEqual(heard, chatter.said)  # by a plugin, each once
        self.assertGreaterEqual(pergola.log.count("extend this server"), 2)
        self.assertNotIn("are gone", pergola.log)
        self.assertTrue(await self.aside(pilot.is_online))
        for number, process in enumerate(others):
            is_elsewhere = "by way of the registry" in process.log
            self.assertEqual(is_elsewhere, bool(number % OF_EACH))
            self.assertIn("drain: this process ends", process.log)
        audit = (self.roles.folder / "data" / "audit.jsonl").read_text("utf-8")
        for instance in old:
            self.assertIn(f"{instance['service']} {instance['name']}", audit)

    async def prepare_load(self) -> _Load:
        """Return calls that find their way as a pergola's do, and know where to."""
        discovery: Any = make_discovery(
            DiscoverySettings(backend="etcd", endpoints=(self.etcd.endpoint,)),
            self.reactor,
            chance(),
        )
        discovery.startService()
        self.addCleanup(discovery.stopService)
        clients = XClients(
            discovery, self.reactor, chance(), options=usual_options, rules=discovery
        )
        clients.startService()
        self.addCleanup(clients.stopService)
        while any(len(discovery.instances(each)) < OF_EACH for each in SERVICES):
            await asyncio.sleep(BETWEEN_LOOKS)
        return _Load(clients)


class BackOutTests(NetworkTestCase):
    """A new version of weather of whose answers one in five fails."""

    def test_it_is_backed_out_and_nobody_notices(self) -> Deferred[None]:
        """Its members have their reports all the time, in the end from the others."""
        return self.run_long(self.check())

    def members(self, count: int, *, served: bool) -> list[str]:
        """Return members who are served by the new version, or who are not."""
        rule = make_rule(SHARE)
        found = (str(cid) for cid in range(2_000_000, 2_010_000))
        return [cid for cid in found if rule.is_for_canary(cid) is served][:count]

    async def check(self) -> None:
        """Try the new version until it is out."""
        served = self.members(3, served=True)
        members = [*served, *self.members(9, served=False)]
        (self.roles.folder / "members.txt").write_text(
            "".join(f"{cid} {PASSWORD} 1\n" for cid in members), "ascii"
        )
        await self.aside(self.etcd.start_and_wait)
        pergola, *_ = await asyncio.gather(
            self.start("pergola", "pergola", "4.0.0"),
            *(self.start(service, service, "4.0.0") for service in SERVICES),
        )
        await self.rumctl(
            *("canary", "set", "weather", CANARY, "--share", str(SHARE)),
            *("--max-errors", "5", "--least-calls", "20", "--window", "30"),
        )
        bad: ForeignServer = await self.aside(
            ForeignServer,
            "bad",
            *(f"--etcd={self.etcd.endpoint}", f"--version={CANARY}"),
            "--fail-every=5",
        )
        self.addCleanup(bad.end)
        pilots = dict(zip(members, await self.aside(self.log_on, members), strict=True))
        while len(await self.instances(CANARY)) < 1:
            pass
        by_bad: Counter[str] = Counter()
        for _ in range(ROUNDS):
            by_bad.update(await self.aside(self.ask, pilots))
            if "is backed out" in pergola.log:
                break
        self.assertTrue(by_bad, "the new version has answered some")
        self.assertLessEqual(set(by_bad), set(served))
        (rule,) = await self.rumctl("canary", "show", "weather")
        self.assertEqual(rule["state"], "backed-out")
        self.assertRegex(rule["reason"], r"% of \d+ calls failed in \d+ s")
        self.assertIn(rule["reason"], pergola.log)
        self.assertEqual(await self.aside(self.ask, pilots), Counter())
        (seen,) = [each for each in rule["seen"] if each["process"] == rule["by"]]
        self.assertEqual(seen["canary"]["errors"], 0)  # since it is out

    def log_on(self, members: list[str]) -> list[Pilot]:
        """Bring all of them online."""
        pilots = []
        for number, cid in enumerate(members):
            pilot = Pilot(self.roles.port)
            self.addCleanup(pilot.close)
            pilot.log_on(f"KLM{number}", cid, PASSWORD)
            pilot.until(f"#TMserver:KLM{number}")
            pilots.append(pilot)
        return pilots

    def ask(self, pilots: dict[str, Pilot]) -> Counter[str]:
        """Let each ask once; return whom the new version has answered.

        Raises:
            AssertionError: somebody has no report.
        """
        answered: Counter[str] = Counter()
        for cid, pilot in pilots.items():
            pilot.say(f"$AX{pilot.callsign}:SERVER:METAR:EHAM")
            report = pilot.until("$AR", "$ER").rpartition(":METAR:")[2]
            self.assertIn(report, ("bad", REPORT))
            if report == "bad":
                answered[cid] += 1
        return answered
