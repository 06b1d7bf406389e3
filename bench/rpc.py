"""What a call by XClient costs, beside a bare call of grpc.aio.

    python -m bench.rpc                     64 calls at a time, 25 rounds
    python -m bench.rpc --cpu 0.15          server and client share 15 % of a core
    python -m bench.rpc --mode failbackup   another fail mode

One process serves reports; in another, both ways of calling take turns over the same
loop. What counts is the calling process's CPU per call, all its threads included:
the median of the ratios of neighboring turns. They are short, half a second, so that
whatever else the machine does hits both alike.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final

import grpc.aio
from twisted.internet import asyncioreactor
from twisted.internet.defer import Deferred

from bench.confines import Prefix, Unavailable, cpu_box
from bench.processes import ROOT
from rum_twisted.rpc.bridge import deferred, future
from rum_twisted.rpc.channels import Limits, channel_options
from rum_twisted.rpc.client import XClients
from rum_twisted.rpc.generated import weather_pb2 as pb2
from rum_twisted.rpc.options import CallOptions, FailMode, SelectMode
from rum_twisted.rpc.server import RpcServer, ServerSettings
from rum_twisted.rpc.weather import METAR, WeatherServicer
from rum_twisted.weather.memory import MemoryWeather
from tests.support.fabric import ListedInstances, chance, make_instance

__all__ = ["main"]

REPORT: Final = "EHAM 101225Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG"
LIMIT: Final = 1.15  # of a bare call's CPU
TIMEOUT: Final = 10.0  # seconds, of each call
_WARM_UP: Final = 500  # calls of each kind before anything counts

Ask = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one way of calling has cost in one turn."""

    cpu_us: float  # of the calling process, per call
    per_second: float
    p50_ms: float
    p99_ms: float


async def take_turn(ask: Ask, calls: int, at_once: int) -> Turn:
    """Make so many calls, so many at a time."""
    durations: list[float] = []

    async def work() -> None:
        while len(durations) + at_once <= calls:
            began = perf_counter()
            await ask()
            durations.append(perf_counter() - began)

    cpu, wall = process_time(), perf_counter()
    await asyncio.gather(*(work() for _ in range(at_once)))
    cpu, wall = process_time() - cpu, perf_counter() - wall
    durations.sort()
    done = len(durations)
    return Turn(
        cpu_us=cpu / done * 1e6,
        per_second=done / wall,
        p50_ms=durations[done // 2] * 1e3,
        p99_ms=durations[done * 99 // 100] * 1e3,
    )


def serve() -> None:
    """Serve reports until standard input ends; say where."""
    reactor = install_reactor()
    weather = MemoryWeather({"EHAM": REPORT})
    server = RpcServer(ServerSettings(), [WeatherServicer(weather)], reactor)
    server.startService()
    print(server.address, flush=True)
    loop = asyncio.get_event_loop_policy().get_event_loop()

    def end() -> None:
        loop.remove_reader(sys.stdin)
        reactor.stop()

    loop.add_reader(sys.stdin, end)
    reactor.run()


def call(address: str, options: argparse.Namespace) -> None:
    """Call by turns, and print every turn as JSON."""
    reactor = install_reactor()

    def begin() -> None:
        turns: Deferred[None] = deferred(call_by_turns(address, options, reactor))
        turns.addErrback(lambda failure: failure.printTraceback())
        turns.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()


async def call_by_turns(address: str, options: argparse.Namespace, clock: Any) -> None:
    """Measure both ways of calling, by turns."""
    request = pb2.StationRequest(station="EHAM")
    channel = grpc.aio.insecure_channel(address, channel_options(Limits()))
    bare = channel.unary_unary(
        METAR.path, request_serializer=METAR.write, response_deserializer=METAR.read
    )
    # As many names as the selection shall have to choose from, all at one server.
    names = [make_instance(f"{n}", address) for n in range(options.instances)]
    calling = CallOptions(
        fail_mode=FailMode(options.mode), select_mode=SelectMode(options.select)
    )
    clients = XClients(
        ListedInstances(*names), clock, chance(), options=lambda _: calling
    )
    clients.startService()
    client = clients.client("weather")
    ways: dict[str, Ask] = {
        "bare": lambda: bare(request, timeout=TIMEOUT),
        "xclient": lambda: client.call(METAR, request, timeout=TIMEOUT),
    }
    for ask in ways.values():
        await take_turn(ask, _WARM_UP, options.at_once)
    for number in range(options.rounds):
        # Who goes first changes: noise hits both alike.
        for name in sorted(ways, reverse=bool(number % 2)):
            turn = await take_turn(ways[name], options.calls, options.at_once)
            print(json.dumps({"way": name, **vars_of(turn)}), flush=True)
    client.close()
    await channel.close()
    await future(clients.stopService())


def vars_of(turn: Turn) -> dict[str, float]:
    """Return the figures of a turn by their names."""
    return {name: getattr(turn, name) for name in Turn.__slots__}


def install_reactor() -> Any:
    """Install the reactor that Rum runs on, and return it."""
    loop = asyncio.SelectorEventLoop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)
    from twisted.internet import reactor  # noqa: PLC0415, TID251 - after it

    return reactor


def run(options: argparse.Namespace) -> int:
    """Run both processes and print what came out; return the exit status."""
    with ExitStack() as stack:
        boxes: list[Prefix] = [(), ()]
        if options.cpu:
            boxes = [stack.enter_context(cpu_box(options.cpu))]  # both share it
            boxes *= 2
        command = [sys.executable, "-m", "bench.rpc", *sys.argv[1:]]
        server = stack.enter_context(
            subprocess.Popen(  # noqa: S603 - this very program
                [*boxes[0], *command, "--serve"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert server.stdin is not None
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        caller = subprocess.run(  # noqa: S603 - this very program
            [*boxes[1], *command, "--call", address],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        server.stdin.close()
    turns = [json.loads(line) for line in caller.stdout.splitlines()]
    by_way = {
        way: [turn for turn in turns if turn["way"] == way]
        for way in ("bare", "xclient")
    }
    print(f"{'':8}{'CPU us/call':>13}{'calls/s':>10}{'p50 ms':>9}{'p99 ms':>9}")
    for way, own in by_way.items():
        figures = [
            median(turn[name] for turn in own)
            for name in ("cpu_us", "per_second", "p50_ms", "p99_ms")
        ]
        print("{:8}{:13.1f}{:10.0f}{:9.2f}{:9.2f}".format(way, *figures))
    ratios = [
        x["cpu_us"] / bare["cpu_us"]
        for x, bare in zip(by_way["xclient"], by_way["bare"], strict=True)
    ]
    ratio = median(ratios)
    verdict = "ok" if ratio <= LIMIT else "too much"
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
    print(f"XClient costs {ratio:.3f} of a bare call ({spread}): {verdict}")
    return 0 if ratio <= LIMIT else 1


def main() -> int:
    """Run what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="bench.rpc", description=__doc__)
    parser.add_argument("--calls", type=int, default=2000, help="in each turn")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--instances", type=int, default=3)
    parser.add_argument("--mode", default="failover", help="the fail mode")
    parser.add_argument("--select", default="p2c", help="the select mode")
    parser.add_argument("--cpu", type=float, default=0.0, help="cores, for both")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--call", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return 0
    if options.call:
        call(options.call, options)
        return 0
    try:
        return run(options)
    except Unavailable as error:
        print(f"left out: {error}")
        return 0


if __name__ == "__main__":
    sys.exit(main())
