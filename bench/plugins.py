"""What plugins cost a pergola: the stream of events, and bad plugins beside pilots.

    python -m bench.plugins stream     events over the stream, 20,000 a second
    python -m bench.plugins bad        200 pilots, and one bad plugin after the other

*Stream*: one process plays the role and counts what it gets; in this one, texts are
offered to a real front, so many a second, and turns with and without somebody who is
interested follow each other. What counts is this process's CPU, all threads included;
the difference of neighboring turns is the price of an event. It fails above
`MOST_US`, or if fewer events than `LEAST_RATE` have arrived in a second.

*Bad*: the real twistd in two processes, the pergola with the other roles and the
plugins. fsdload flies 200 pilots; each run with a bad plugin follows one without any.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Timer
from time import perf_counter, process_time
from typing import Any, Final

from twisted.internet import asyncioreactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall, deferLater
from zope.interface import implementer

from bench.load import Load
from bench.processes import ROOT, Running
from bench.servers import CID, PASSWORD
from bench.workshop import compile_source
from rum_twisted.plugins.doors import PluginDoors
from rum_twisted.plugins.front import PluginFront
from rum_twisted.plugins.guard import Guard, Rules
from rum_twisted.plugins.host import PluginHost
from rum_twisted.plugins.interfaces import IGuest
from rum_twisted.plugins.manifest import Manifest
from rum_twisted.plugins.remote import RemotePlugins
from rum_twisted.rpc.channels import Channels, Limits
from rum_twisted.rpc.metrics import CallMetrics
from rum_twisted.rpc.server import RpcServer, ServerSettings
from rum_twisted.session.hooks import Hook, Text
from rum_twisted.terms.units import Seconds
from rum_twisted.world.roster import Roster
from tests.support.fabric import ListedInstances, chance, make_instance
from tests.support.roles import Roles, wait_until

__all__ = ["main"]

LEAST_RATE: Final = 20_000  # events in a second
MOST_US: Final = 5.0  # CPU of the pergola, for an event
_OFFERED: Final = 25_000  # in a second
_TICK: Final = 0.005  # seconds between two portions
_TURN: Final = 1.0  # seconds
_QUEUE: Final = 10_000
_TEXT: Final = "Schiphol tower, good evening, ready for departure"

_PILOTS: Final = 200
_WINDOW: Final = 10  # seconds
_SHARE: Final = 0.2  # by which the 99th percentile may differ


# The stream.


@implementer(IGuest)
class _Counter:
    """A plugin that counts and forgets."""

    def __init__(self) -> None:
        self._guard: Guard | None = None
        self.count = 0

    def start(self, guard: Guard) -> None:
        """Begin; see `IGuest`."""
        self._guard = guard

    def wake(self) -> None:
        """Take everything; see `IGuest`."""
        assert self._guard is not None, "it runs"
        self.count += len(self._guard.inbox.take(_QUEUE))

    def busy_since(self) -> None:
        """Be at nothing; see `IGuest`."""

    def stop(self) -> Deferred[None]:
        """End; see `IGuest`."""
        return succeed(None)


def install_reactor() -> Any:
    """Install the reactor that Rum runs on, and return it."""
    loop = asyncio.SelectorEventLoop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)
    from twisted.internet import reactor  # noqa: PLC0415, TID251 - after it

    return reactor


def serve() -> None:
    """Play the role until standard input ends; say where, and count in the end."""
    reactor = install_reactor()
    rules = Rules(deadline=Seconds(1.0), queue=_QUEUE, actions=1000.0)
    host = PluginHost(reactor, chance(), rules, folder=Path(), now=lambda: Seconds(0.0))
    counter = _Counter()
    host.add(counter, Manifest(name="counter", hooks=frozenset({Hook.TEXT})))
    doors = PluginDoors(host, reactor, (), lambda _: {})
    server = RpcServer(ServerSettings(), doors.servicers, reactor)
    for service in (host, server, doors):
        service.startService()
    print(server.address, flush=True)
    loop = asyncio.get_event_loop_policy().get_event_loop()

    def answer() -> None:
        if sys.stdin.readline():
            print(counter.count, flush=True)
        else:
            loop.remove_reader(sys.stdin)
            reactor.stop()

    loop.add_reader(sys.stdin, answer)
    reactor.run()


def stream(rounds: int) -> int:
    """Measure the stream; return the exit status."""
    command = [sys.executable, "-m", "bench.plugins", "serve"]
    with subprocess.Popen(  # noqa: S603 - this very program
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as role:
        assert role.stdin is not None
        assert role.stdout is not None
        address = role.stdout.readline().strip()
        reactor = install_reactor()
        measuring = _Stream(reactor, role, address, rounds)
        reactor.callWhenRunning(measuring.begin)
        reactor.run()
        role.stdin.close()
    return measuring.report()


class _Stream:
    """Turns with and without somebody who is interested."""

    def __init__(
        self, reactor: Any, role: "subprocess.Popen[str]", address: str, rounds: int
    ) -> None:
        self._reactor = reactor
        self._role = role
        self._rounds = rounds
        self._channels = Channels(Limits(), None)
        self._front = PluginFront(
            reactor,
            chance(),
            Roster(),
            deadline=Seconds(1.0),
            position_interval=Seconds(5.0),
            queue=_QUEUE,
        )
        self._link = RemotePlugins(
            self._front,
            ListedInstances(make_instance(service="plugin", address=address)),
            self._channels,
            reactor,
            chance(),
            server="bench",
            metrics=CallMetrics(),
        )
        self._offered = 0
        self._prices: list[float] = []  # us of CPU for an event
        self._rates: list[float] = []  # events that arrived in a second
        self._plain: list[float] = []  # CPU share without
        self._fastest = 0.0

    def begin(self) -> None:
        """Run; stop the reactor at the end."""
        running = Deferred.fromCoroutine(self._run())
        running.addErrback(lambda failure: failure.printTraceback())
        running.addBoth(lambda _: self._reactor.stop())

    async def _run(self) -> None:
        self._channels.prepare()
        self._front.startService()
        self._link.startService()
        while not self._front.wanted:
            await deferLater(self._reactor, 0.01)
        wanted = self._front.wanted
        for number in range(self._rounds + 1):
            self._front.wanted = frozenset()
            plain, _, _ = await self._turn()
            self._front.wanted = wanted
            cpu, arrived, seconds = await self._turn()
            if number:  # the first warms up
                self._plain.append(plain / seconds)
                self._prices.append((cpu - plain) / max(arrived, 1) * 1e6)
                self._rates.append(arrived / seconds)
        await self._go_flat_out()
        await self._link.stopService()
        self._front.stopService()

    async def _turn(self) -> tuple[float, int, float]:
        """Offer events for a while; return CPU seconds, arrivals, and seconds."""
        before, cpu, wall = self._arrived(), process_time(), perf_counter()
        self._offered, began = 0, wall
        offering = LoopingCall(self._offer, began)
        offering.clock = self._reactor
        done = offering.start(_TICK)
        await deferLater(self._reactor, _TURN)
        offering.stop()
        await done
        await deferLater(self._reactor, 0.1)  # what waits leaves
        cpu, wall = process_time() - cpu, perf_counter() - wall - 0.1
        return cpu, self._arrived() - before, wall

    def _offer(self, began: float) -> None:
        """Say what pilots would have said by now, as a handler does."""
        due = int((perf_counter() - began) * _OFFERED)
        front = self._front
        for _ in range(due - self._offered):
            if Hook.TEXT in front.wanted:
                front.tell(Text("KLM1234", "@18100", _TEXT))
        self._offered = due

    async def _go_flat_out(self) -> None:
        """Offer as much as the stream takes."""
        before, began = self._arrived(), perf_counter()
        while perf_counter() - began < _TURN:
            room = _QUEUE - self._front.waiting
            for _ in range(room):
                self._front.tell(Text("KLM1234", "@18100", _TEXT))
            await deferLater(self._reactor, 0.001)
        self._fastest = (self._arrived() - before) / (perf_counter() - began)

    def _arrived(self) -> int:
        assert self._role.stdin is not None
        assert self._role.stdout is not None
        self._role.stdin.write("?\n")
        self._role.stdin.flush()
        return int(self._role.stdout.readline())

    def report(self) -> int:
        """Print what came out; return the exit status."""
        if not self._prices:
            return 1
        price, rate = median(self._prices), median(self._rates)
        is_well = price <= MOST_US and rate >= LEAST_RATE
        print(
            f"{len(self._prices)} pairs of turns, {_OFFERED} texts offered a second\n"
            f"nobody interested: {median(self._plain) * 100:.1f} % of a core\n"
            f"a plugin interested: {rate:.0f} events/s arrive, {price:.2f} us of the "
            f"pergola's CPU each ({min(self._prices):.2f} to {max(self._prices):.2f})\n"
            f"as fast as it goes: {self._fastest:.0f} events/s\n"
            f"due: {LEAST_RATE} events/s, {MOST_US:g} us: {'ok' if is_well else 'no'}"
        )
        return 0 if is_well else 1


# Bad plugins.

_HEAD: Final = """
import resource, threading, time
from rum_twisted.plugins import Hook, Manifest, Verdict

HOOKS = {Hook.LOGGING_ON, Hook.LOGGED_ON, Hook.LINE, Hook.POSITION, Hook.TEXT}


class plugin:
    manifest = Manifest(name="bad", hooks=frozenset(HOOKS), prefixes=("#TM", "$FP"))

    def __init__(self, rum, settings):
        self.rum = rum
        self.begin()

    def begin(self):
        pass

    def logging_on(self, event):
        return self.be_bad(event)

    line = logged_on = position = text = logging_on

    def be_bad(self, event):
        return None
"""
_BAD: Final = {
    "sleeps 10 s": """
    def be_bad(self, event):
        time.sleep(10)
""",
    "raises always": """
    def be_bad(self, event):
        raise RuntimeError("no")
""",
    "eats memory": """
    def begin(self):
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        self.eaten = []

    def be_bad(self, event):
        self.eaten.append(bytearray(20 << 20))
""",
    "floods": """
    def begin(self):
        threading.Thread(target=self.flood, daemon=True).start()

    def flood(self):
        while True:
            for client in self.rum.online():
                self.rum.tell(client.callsign, "flood")
""",
    "killed -9": "",
}


def bad(rounds: int, only: str) -> int:
    """Fly pilots beside bad plugins; return the exit status."""
    program = compile_source(ROOT / "bench" / "fsdload" / "fsdload.cpp")
    failed = 0
    print(f"{_PILOTS} pilots, {_WINDOW} s, {rounds} pairs each; p99 of positions")
    for name, code in _BAD.items():
        if not name.startswith(only):
            continue
        pairs = [
            (_fly(program, None), _fly(program, (name, code))) for _ in range(rounds)
        ]
        without, beside = (
            median(each[side]["p99_ms"] for each in pairs) for side in (0, 1)
        )
        logins = [median(each[side]["login_p99"] for each in pairs) for side in (0, 1)]
        missing = sum(each[1]["missing"] for each in pairs)
        lost = max(each[1].get("lost", 0.0) for each in pairs)
        ratio = median(each[1]["p99_ms"] / each[0]["p99_ms"] for each in pairs)
        is_well = ratio <= 1 + _SHARE and not missing
        failed += not is_well
        print(
            f"{name:14} {without:6.2f} ms without, {beside:6.2f} ms beside it "
            f"(x {ratio:.2f}); logons p99 {logins[0]:.0f} and {logins[1]:.0f} ms; "
            f"{missing:.0f} not in, {lost:.2%} lost: {'ok' if is_well else 'no'}",
            flush=True,
        )
    return min(failed, 1)


def _fly(program: Path, plugin: tuple[str, str] | None) -> dict[str, float]:
    """Fly once, with a bad plugin or without any; return fsdload's figures."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "members.txt").write_text(f"{CID} {PASSWORD} 12\n", "ascii")
        (folder / "metar.txt").write_text("", "ascii")
        roles = Roles(
            folder, 'accounts.cert_file="members.txt"', 'weather.file="metar.txt"'
        )
        try:
            pergola = roles.start("pergola,passport,weather", name="pergola").ready()
            timer = None
            if plugin is not None:
                code = plugin[1]
                home = folder / "data" / "plugins"
                home.mkdir(parents=True)
                (home / "bad.py").write_text(_HEAD + code, "utf-8")
                role = roles.start("plugin", 'plugins.enabled=["bad"]').ready()
                wait_until(lambda: pergola.said("extend this server"), "plugins are on")
                if not code:
                    timer = Timer(_WINDOW / 2, role.kill)
                    timer.start()
            load = Load(program, folder)
            found = load.run(
                Running(pergola.pid, roles.port),
                *("--pilots", str(_PILOTS), "--login-rate", "100", "--hold"),
                *("--duration", str(_WINDOW), "--drain", "1"),
            )
            if timer is not None:
                timer.join()
            report = json.loads((folder / "load.json").read_text("utf-8"))
            found["login_p99"] = report["latency_ms"]["login"]["p99"]
            return found
        finally:
            with suppress(ProcessLookupError):
                roles.kill()


def main() -> int:
    """Run what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="bench.plugins", description=__doc__)
    parser.add_argument("what", choices=("stream", "bad", "serve"))
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--only", default="", help="the bad plugins that this begins")
    options = parser.parse_args()
    ways: dict[str, Callable[[], int]] = {
        "stream": lambda: stream(options.rounds or 10),
        "bad": lambda: bad(options.rounds or 3, options.only),
    }
    if options.what == "serve":
        serve()
        return 0
    return ways[options.what]()


if __name__ == "__main__":
    sys.exit(main())
