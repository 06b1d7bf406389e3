"""What discovery costs etcd, and how long it takes until all know all.

    python -m bench.discovery start            500 instances start at once
    python -m bench.discovery ours             300 live for the writes of 30 minutes
    python -m bench.discovery rewrite          the same by a new lease and write each
    python -m bench.discovery outage           our CPU while etcd is away

``rewrite`` is how discovery is often done: each instance takes a new lease and writes
its entry again every ten seconds. ``--defaults`` runs etcd as it comes, without the
flags that docs/discovery.md recommends; ``--client aioetcd3`` uses the other
connection, ``--etcd`` another etcd than the one that is installed. A process plays four
roles, as Rum does by default, and has one connection, one lease and one watch for them;
``--roles 1`` gives each role a process of its own. The time of 30 minutes is
compressed: everything happens that happens in them, one thing after the other. Each row
has an etcd of its own.
"""

import argparse
import asyncio
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import monotonic, process_time
from typing import Any, Final

from twisted.internet import asyncioreactor
from typing_extensions import override

from rum_twisted.discovery.access import EtcdAccess
from rum_twisted.discovery.codec import encode
from rum_twisted.discovery.etcd import EtcdRegistry
from rum_twisted.discovery.interfaces import Put, Transaction
from rum_twisted.discovery.keys import instance_key, services_prefix
from rum_twisted.rpc.bridge import deferred, future
from rum_twisted.terms.instance import Instance
from rum_twisted.terms.units import Seconds
from tests.support.etcd import Etcd

__all__ = ["main"]

BASE: Final = "/rum"
ROLES: Final = ("pergola", "passport", "weather", "plugin")
TTL: Final = 10  # seconds
RENEWALS_PER_MINUTE: Final = 60 / (TTL / 3 * 0.95)  # on average, of one process
REWRITES_PER_MINUTE: Final = 6
CHANGES: Final = 0.01  # of what the other way rewrites, how much really changes
BOUND: Final = 50 * 1024 * 1024  # bytes of etcd
PATIENCE: Final = 60.0  # seconds
_MB: Final = 1024 * 1024
_AT_ONCE: Final = 50  # rewrites
_SAMPLES: Final = 0.25  # seconds between two looks at etcd's memory
_TUNED: Final = (
    "--auto-compaction-mode=periodic",
    "--auto-compaction-retention=3s",
    "--enable-grpc-gateway=false",
    "--log-level=warn",
)


@dataclass(frozen=True, slots=True)
class Memory:
    """What etcd had, in bytes."""

    anon: int
    file: int

    @property
    def total(self) -> int:
        """Its resident set."""
        return self.anon + self.file


def memory_of(pid: int) -> Memory:
    """Return the memory of a process."""
    fields = dict(
        line.split(":", 1)
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    )
    return Memory(
        *(int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile"))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Who is there."""

    instances: int
    roles: int  # instances of one process, under one lease and one connection
    client: str

    @property
    def processes(self) -> int:
        """How many there are, each with a connection, a lease and a watch."""
        return self.instances // self.roles

    @override
    def __str__(self) -> str:
        """Return it as the reader of a figure needs it."""
        return f"{self.instances} instances of {self.processes} processes"


class Watcher:
    """Looks at etcd's memory again and again, in a thread of its own."""

    def __init__(self, pid: int) -> None:
        self.samples: list[Memory] = []
        self._pid = pid
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over.wait(_SAMPLES):
            with suppress(OSError, KeyError):
                self.samples.append(memory_of(self._pid))

    def stop(self) -> None:
        """Look a last time."""
        self._is_over.set()
        self._thread.join()
        with suppress(OSError, KeyError):  # it may have been killed
            self.samples.append(memory_of(self._pid))

    def report(self) -> str:
        """Return the figures: peak, end, and whether it still grows."""
        totals = [sample.total for sample in self.samples]
        half = (len(totals) + 1) // 2
        last = self.samples[-1]
        growth = max(totals[half:], default=max(totals)) - max(totals[:half])
        return (
            f"peak {max(totals) / _MB:.1f} MB, end {last.total / _MB:.1f} MB "
            f"({last.anon / _MB:.1f} anon + {last.file / _MB:.1f} file), "
            f"second half over first {growth / _MB:+.1f} MB, "
            f"under {BOUND // _MB} MB: {'yes' if max(totals) < BOUND else 'NO'}"
        )


def _instance(number: int, role: int = 0, **fields: Any) -> Instance:
    return Instance(
        service=ROLES[role % len(ROLES)],
        name=f"node-{number:04d}-8f3a77c1",
        address=f"10.1.{number // 250}.{number % 250 + 1}:7001",
        version=fields.pop("version", "4.0.0"),
        zone="east",
        started=Seconds(1_790_000_000.0),
        **fields,
    )


@contextmanager
def _etcd(program: str, *, is_tuned: bool) -> Iterator[Etcd]:
    with tempfile.TemporaryDirectory() as folder:
        etcd = Etcd(
            Path(folder) / "etcd",
            *(_TUNED if is_tuned else ()),
            is_tuned=is_tuned,
            syncs=True,
            program=program,
        )
        etcd.start_and_wait()
        try:
            yield etcd
        finally:
            etcd.kill()


def _connect(endpoint: str, client: str) -> Any:
    access = EtcdAccess(endpoints=(endpoint,), request_timeout=Seconds(30.0))
    if client == "aioetcd3":
        from rum_twisted.discovery.etcd_aioetcd3 import (  # noqa: PLC0415
            Aioetcd3Etcd,
        )

        return Aioetcd3Etcd(access)
    from rum_twisted.discovery.etcd_lean import LeanEtcd  # noqa: PLC0415

    return LeanEtcd(access)


class Process:
    """One of many processes, played in this one."""

    def __init__(self, etcd: Any, reactor: Any, number: int, roles: int) -> None:
        self.count = 0  # instances that it knows
        self.told = 0  # times
        self.registry = EtcdRegistry(
            etcd,
            reactor,
            Random(number),  # noqa: S311 - spreads waits
            base_path=BASE,
            ttl=Seconds(float(TTL)),
        )
        self._instances = [_instance(number, role) for role in range(roles)]

    def start(self) -> None:
        """Start as a process does."""
        self.registry.start(self._told)
        for instance in self._instances:
            self.registry.register(instance)
        self.registry.follow()

    def _told(self, instances: tuple[Instance, ...]) -> None:
        self.count = len(instances)
        self.told += 1


async def _until(condition: Callable[[], bool]) -> float:
    """Return how long it took, in seconds."""
    begin = monotonic()
    while not condition():
        if monotonic() - begin > PATIENCE:
            raise TimeoutError
        await asyncio.sleep(0.02)
    return monotonic() - begin


async def start(etcd: Etcd, reactor: Any, crowd: Crowd) -> str:
    """Let all start at once; return how long it took until all knew all."""
    count = crowd.instances
    processes = [
        Process(_connect(etcd.endpoint, crowd.client), reactor, number, crowd.roles)
        for number in range(crowd.processes)
    ]
    begin, cpu = monotonic(), process_time()
    for process in processes:
        process.start()
    await _until(
        lambda: all(each.registry.health().is_registered for each in processes)
    )
    listed = monotonic() - begin
    await _until(lambda: all(each.count == count for each in processes))
    known = monotonic() - begin
    cpu = process_time() - cpu
    told = sum(each.told for each in processes) / len(processes)
    change = monotonic()
    processes[0].registry.register(_instance(0, weight=7))
    times = [each.told for each in processes]
    await _until(
        lambda: all(
            each.told > before for each, before in zip(processes, times, strict=True)
        )
    )
    change = monotonic() - change
    at_start = memory_of(etcd.pid).total / _MB
    await asyncio.sleep(TTL / 3 + 1)  # each opens its stream of renewals
    in_life = memory_of(etcd.pid).total / _MB
    watchers = etcd.metric("etcd_debugging_mvcc_watcher_total")
    await asyncio.gather(*(future(each.registry.stop()) for each in processes))
    return (
        f"{crowd}: all listed after {listed:.2f} s, all know all after "
        f"{known:.2f} s ({cpu:.1f} s of CPU for all processes together, told "
        f"{told:.1f} times each, {watchers:.0f} watchers); one change, all know it "
        f"after {change * 1e3:.0f} ms; etcd has {at_start:.1f} MB then, "
        f"{in_life:.1f} MB after the first renewals"
    )


async def ours(etcd: Etcd, crowd: Crowd, minutes: float, rate: float) -> str:
    """Let them live: each process with a lease and a watch, and few changes."""
    connections = [
        _connect(etcd.endpoint, crowd.client) for _ in range(crowd.processes)
    ]
    seen = 0

    def take(changes: tuple[Any, ...]) -> None:
        nonlocal seen
        seen += len(changes)

    leases = []
    for number, connection in enumerate(connections):
        connection.start()
        grant = await future(connection.grant(Seconds(600.0)))
        leases.append(grant.lease)
        puts = [_put_of(number, role, grant.lease) for role in range(crowd.roles)]
        await future(connection.transaction(Transaction(puts=tuple(puts))))
    listing = await future(connections[0].get_prefix(services_prefix(BASE)))
    for connection in connections:
        connection.watch(services_prefix(BASE), listing.revision + 1, take).addErrback(
            lambda _: None
        )
    changes = round(crowd.instances * REWRITES_PER_MINUTE * minutes * CHANGES)
    rounds = round(RENEWALS_PER_MINUTE * minutes)
    due, written = 0.0, 0
    begin = monotonic()
    for number in range(rounds):
        await asyncio.gather(
            *(
                future(connection.renew(lease))
                for connection, lease in zip(connections, leases, strict=True)
            )
        )
        due += changes / rounds
        while written + 1 <= due:
            place = written % crowd.processes
            await _write(connections[place], place, leases[place], written % 100)
            written += 1
        await _pace(begin, (number + 1) * crowd.processes, rate)
    seconds = monotonic() - begin
    for connection in connections:
        await future(connection.stop())
    return (
        f"{crowd}, {rounds * crowd.processes:,} renewals and {written} writes in "
        f"{seconds:.0f} s (those of {minutes:g} min), {len(connections)} watches, "
        f"{seen:,} changes told"
    )


async def rewrite(etcd: Etcd, crowd: Crowd, minutes: float, rate: float) -> str:
    """Let them live by a new lease and a new write of each every ten seconds."""
    connections = [
        _connect(etcd.endpoint, crowd.client) for _ in range(crowd.processes)
    ]
    for connection in connections:
        connection.start()
    places = [
        (number, role)
        for role in range(crowd.roles)
        for number in range(crowd.processes)
    ]

    async def write(number: int, role: int) -> None:
        connection = connections[number]
        grant = await future(connection.grant(Seconds(30.0)))
        put = _put_of(number, role, grant.lease)
        await future(connection.transaction(Transaction(puts=(put,))))

    rounds = round(REWRITES_PER_MINUTE * minutes)
    begin = monotonic()
    done = 0
    for _ in range(rounds):
        for first in range(0, len(places), _AT_ONCE):
            some = places[first : first + _AT_ONCE]
            await asyncio.gather(*(write(*place) for place in some))
            done += len(some)
            await _pace(begin, done, rate)
    seconds = monotonic() - begin
    for connection in connections:
        await future(connection.stop())
    return (
        f"{crowd}, {done:,} writes, each under a new lease, in {seconds:.0f} s "
        f"(those of {minutes:g} min), no watches"
    )


async def outage(etcd: Etcd, reactor: Any, client: str) -> str:
    """Return our CPU while etcd is away, stands still, and while all is well."""
    process = Process(_connect(etcd.endpoint, client), reactor, 0, 1)
    process.start()
    await _until(lambda: process.count == 1)
    parts = []
    for name, begin, end in (
        ("well", lambda: None, lambda: None),
        ("standing still", etcd.halt, etcd.go_on),
        ("away", etcd.kill, lambda: None),
    ):
        begin()
        cpu = process_time()
        await asyncio.sleep(10)
        parts.append(f"{name} {(process_time() - cpu) * 100:.1f} ms/s")
        end()
    await future(process.registry.stop())
    return "our CPU with one registration and one watch, etcd " + ", ".join(parts)


def _put_of(number: int, role: int, lease: int, weight: int = 100) -> Put:
    instance = _instance(number, role, weight=weight)
    return Put(key=instance_key(BASE, instance), value=encode(instance), lease=lease)


async def _write(connection: Any, number: int, lease: int, weight: int) -> None:
    put = _put_of(number, 0, lease, weight)
    await future(connection.put(put.key, put.value, put.lease))


async def _pace(begin: float, done: int, rate: float) -> None:
    """Wait until so much may be done."""
    ahead = done / rate - (monotonic() - begin)
    if ahead > 0:
        await asyncio.sleep(ahead)


async def _row(arguments: argparse.Namespace, etcd: Etcd, reactor: Any) -> str:
    """Run the row that was asked for."""
    minutes, rate = arguments.minutes, arguments.rate
    crowd = Crowd(
        instances=arguments.count or (500 if arguments.row == "start" else 300),
        roles=arguments.roles,
        client=arguments.client,
    )
    match arguments.row:
        case "start":
            return await start(etcd, reactor, crowd)
        case "outage":
            return await outage(etcd, reactor, crowd.client)
        case "ours":
            return await ours(etcd, crowd, minutes, rate or 2500.0)
        case _:
            return await rewrite(etcd, crowd, minutes, rate or 700.0)


def _run(arguments: argparse.Namespace, etcd: Etcd) -> None:
    """Run a row, and print it; then stop the reactor."""
    from twisted.internet import reactor as installed  # noqa: PLC0415, TID251

    reactor: Any = installed
    failures: list[object] = []

    async def run() -> None:
        figures = await _row(arguments, etcd, reactor)
        print(f"{arguments.row}, {arguments.client}: {figures}", flush=True)

    def begin() -> None:
        running = deferred(run())
        running.addErrback(failures.append)
        running.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if failures:
        sys.exit(str(failures[0]))


def main() -> None:
    """Run one row and print it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("row", choices=("start", "ours", "rewrite", "outage"))
    parser.add_argument("--client", choices=("lean", "aioetcd3"), default="lean")
    parser.add_argument("--count", type=int, default=0, help="instances")
    parser.add_argument("--roles", type=int, default=4, help="of each process")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=0.0, help="at most, per second")
    parser.add_argument("--defaults", action="store_true", help="etcd as it comes")
    parser.add_argument("--etcd", default="", help="the program, if not the usual one")
    arguments = parser.parse_args()
    sys.modules.setdefault("OpenSSL", None)  # type: ignore[arg-type]
    asyncioreactor.install()
    with _etcd(arguments.etcd, is_tuned=not arguments.defaults) as etcd:
        watcher = Watcher(etcd.pid)
        try:
            _run(arguments, etcd)
        finally:
            watcher.stop()
    if arguments.row != "outage":
        flags = "as it comes" if arguments.defaults else "as recommended"
        print(f"  etcd {flags}: {watcher.report()}")


if __name__ == "__main__":
    main()
