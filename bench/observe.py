"""What it costs to look at a server: always, and when all its objects are counted.

    python -m bench.observe [--clients 200] [--seconds 80]

Three servers run side by side under the same load: one as it is, one whose guard is
off, and one without the rooms `admin` and `guard`, which are not even imported there.
The first has a memory limit, so that the guard has something to compare. Everybody
flies in one area and reports every five seconds, so each hears all others. CPU is what
the kernel has counted for each process; memory is RSS at the end. There is no setting
for the last server: it is of the bench's making.

Before that, 500,000 objects are counted, by list and by walk (see
`rum_twisted.admin.census`): as they come when they are made one after the other, and
scattered over a heap from which two of three have gone. Told is the longest step of
each census, in CPU time: nobody is served meanwhile. A server goes by list only as long
as there are few.
"""

import argparse
import gc
import os
import random
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from bench import machine
from bench.crowd import Crowd, Member
from bench.processes import Memory, Running, memory_of
from bench.servers import Server, rum
from bench.workshop import OUT
from rum_twisted.admin.census import LIST, WALK, Census

__all__ = ["main", "report"]

_INTERVAL: Final = 5.0  # seconds between two reports of a client
_WARM_UP: Final = 10.0  # seconds; the first sample is taken and paid for before
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_OBJECTS: Final = 480_000  # and those of Python itself
_LIMIT: Final = 96 << 20  # bytes
_CENSUSES: Final = 7  # of each kind
_KEPT: Final[list[object]] = []  # within reach of a walk
_SCATTERED: Final = 3  # as many are made first as are kept
_MS: Final = 1000
_PERCENT: Final = 100.0

# In place of the modules that put the rooms together, some that build nothing of them.
_WITHOUT: Final = """
import sys, types
from twisted.application.service import Service
class Nothing:
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self
    def __call__(self, *_, **__): return self
    def __iter__(self): return iter(())
class Admin(Service):
    name = "admin"
    commands, pages, roots = {}, {}, {}
    readiness = status = sampler = Nothing()
    def watch(self, *parts): pass
class Guard(Service):
    name = "guard"
    acts = Nothing()
class GuardQuestions:
    commands, pages = {}, {}
    def __init__(self, guard): pass
def stand_in(name, **things):
    module = types.ModuleType("rum_twisted." + name)
    vars(module).update(things)
    sys.modules[module.__name__] = module
nobody = lambda *_, **__: ()
stand_in("assembly.admin", Admin=Admin, build_admin=lambda *_, **__: Admin())
stand_in("assembly.guard", build_guard=lambda *_: Guard(), front_of=nobody)
stand_in("assembly.manhole", manhole=nobody, AtHand=nobody)
stand_in("guard.guard", Guard=Guard)
stand_in("guard.questions", GuardQuestions=GuardQuestions)
from twisted.scripts.twistd import run
run()
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What one server has needed."""

    cpu: float  # percent of a core
    memory: Memory


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure both and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.observe")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=80.0)
    options = parser.parse_args(arguments)
    print(machine.look(), "\n")
    _census()
    http = 'pergola.http="tcp:0:interface=127.0.0.1"'
    kinds = {"as it is": rum(http, f"guard.memory_limit={_LIMIT}")}
    kinds["guard off"] = rum(http, "guard.enabled=false")
    kinds["without"] = _without(rum())
    found = _measure(kinds, options.clients, options.seconds)
    print(f"{options.clients} clients in one area, {options.seconds:g} s")
    print(f"{'':<12}{'CPU %':>8}{'RSS kB':>9}{'private':>9}")
    for name, one in found.items():
        memory = one.memory
        print(f"{name:<12}{one.cpu:>8.2f}{memory.resident:>9}{memory.private:>9}")
    ours = found["as it is"]
    for name, other in (("all of it", "without"), ("the guard", "guard off")):
        less = found[other]
        print(
            f"{name:<12}{ours.cpu - less.cpu:>8.2f}"
            f"{ours.memory.resident - less.memory.resident:>9}"
            f"{ours.memory.private - less.memory.private:>9}"
        )


class _Thing:
    """Stands for whatever leaks."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = f"thing {number}"


def _contiguous() -> list[object]:
    return [_Thing(number) for number in range(_OBJECTS)]


def _scattered() -> list[object]:
    """Return as many, whose neighbors in memory are not those in any list."""
    chance = random.Random(1)  # noqa: S311 - for nothing secret
    kept: list[object] = []
    for number in range(_OBJECTS * _SCATTERED // 2):
        kept.append(_Thing(number))
        kept.append([number] if number % 2 else {number: str(number)})
    chance.shuffle(kept)
    del kept[_OBJECTS // 2 :]
    kept += [_Thing(number) for number in range(_OBJECTS // 2)]
    chance.shuffle(kept)
    return kept


def _census() -> None:
    print(f"{_CENSUSES} censuses each; longest step in ms")
    for name, make in (("contiguous", _contiguous), ("scattered", _scattered)):
        _KEPT[:] = make()
        gc.collect()
        for method in (LIST, WALK):
            for leaves in (False, True):
                _count(name, method, leaves=leaves)
        _KEPT.clear()
        gc.collect()
    print()


def _count(name: str, method: str, *, leaves: bool) -> None:
    longest, whole, objects = [], [], 0
    for _ in range(_CENSUSES):
        census = Census(leaves=leaves, method=method)
        times = []
        steps = census.steps()
        is_done = False
        while not is_done:
            before = time.thread_time()
            is_done = next(steps, steps) is steps
            times.append(time.thread_time() - before)
        before = time.thread_time()
        objects = census.tally().objects
        times.append(time.thread_time() - before)
        longest.append(max(times) * _MS)
        whole.append(sum(times) * _MS)
    print(
        f"{name:<11}{method:<5}{'with texts' if leaves else 'containers':<11}"
        f"{objects:>9,} objects, {median(whole):>6.0f} ms in all, longest step "
        f"median {median(longest):>5.1f}, worst {max(longest):>5.1f}"
    )


def _without(server: Server) -> Server:
    """Return the same server, without what is measured."""

    def prepare(folder: Path, port: int) -> Sequence[str]:
        python, option, _, *rest = server.prepare(folder, port)
        return (python, option, _WITHOUT, *rest)

    return Server("without", prepare, server.environ)


def _measure(
    kinds: dict[str, Server], clients: int, seconds: float
) -> dict[str, Found]:
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(
                server.serve(OUT / "run" / f"observe-{name.replace(' ', '-')}")
            )
            for name, server in kinds.items()
        }
        crowds = [
            stack.enter_context(Crowd(server.port, clients))
            for server in running.values()
        ]
        for crowd in crowds:
            crowd.log_on()
        _fly(crowds, _WARM_UP)
        before = {name: _cpu_of(server) for name, server in running.items()}
        begun = time.monotonic()
        _fly(crowds, seconds)
        took = time.monotonic() - begun
        return {
            name: Found(
                (_cpu_of(server) - before[name]) / took * _PERCENT,
                memory_of(server.pid),
            )
            for name, server in running.items()
        }


def _fly(crowds: Sequence[Crowd], seconds: float) -> None:
    """Have all report in turn, the same to each server at the same time."""
    members = len(crowds[0].members)
    begun = time.monotonic()
    number = 0
    while (now := time.monotonic() - begun) < seconds:
        while number * _INTERVAL / members <= now:
            for crowd in crowds:
                one = crowd.members[number % members]
                one.say(report(number % members, one))
            number += 1
        for crowd in crowds:
            crowd.listen(_INTERVAL / members / len(crowds))


def report(number: int, one: Member) -> str:
    """Return a position report; all are within a few miles."""
    place = f"{48.0 + number % 20 / 100:.5f}:{2.0 + number % 30 / 100:.5f}"
    return f"@N:{one.callsign}:2000:1:{place}:20000:250:4195848:12"


def _cpu_of(server: Running) -> float:
    """Return the CPU seconds of a process so far, all its threads counted."""
    text = Path(f"/proc/{server.pid}/stat").read_text("ascii", "replace")
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


if __name__ == "__main__":
    main()
