"""What Rum's memory goes to: imports, the idle server, each client by what he has.

    python -m bench.memory

RSS is all that is in memory for the process; *private* is what is not the content of
a file, so what Rum itself has made. Costs per client are differences of RSS between
two states of one server, divided by the number of clients; the kernel's socket
buffers are not in it.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench import machine
from bench.crowd import Crowd, Member
from bench.processes import ROOT, Memory, Running, memory_of, pause
from bench.servers import rum
from bench.workshop import OUT

__all__ = ["main"]

_REPEATS: Final = 3
_CLIENTS: Final = 500
_FROZEN: Final = 20
_LETTERS: Final = 300  # lines to each frozen client, 570 kB: more than he may keep
_LETTER: Final = "x" * 1900
_SPEAKERS: Final = 10
_VISITS: Final = 20_000  # beyond which nothing grows any more
_VISITORS: Final = 100  # at once
_SETTLED: Final = 0.5  # seconds

_NO_TLS: Final = "import sys; sys.modules['OpenSSL'] = None"
_REACTOR: Final = (
    "from twisted.internet import asyncioreactor; asyncioreactor.install();"
    "from twisted.internet import reactor"
)
_TWISTD: Final = "import twisted.scripts.twistd, twisted.application.app"
_RUM: Final = "import rum_twisted.tap, rum_twisted.assembly"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is imported on the way to a server."""

    name: str
    code: tuple[str, ...]


_STEPS: Final = (
    Step("python itself", ()),
    Step("and the asyncio reactor, no OpenSSL", (_NO_TLS, _REACTOR)),
    Step("and twistd", (_NO_TLS, _REACTOR, _TWISTD)),
    Step("and rum", (_NO_TLS, _REACTOR, _TWISTD, _RUM)),
    Step("the same with OpenSSL, if installed", (_REACTOR, _TWISTD, _RUM)),
)


def main() -> None:
    """Measure all of it and print it."""
    print(machine.look(), "\n")
    _imports()
    _clients()
    _frozen()
    _visits()


def _imports() -> None:
    print(f"Imports, each in a process of its own, median of {_REPEATS}, kB")
    print(f"{'':<38}{'RSS':>8}{'private':>9}{'step':>8}")
    before = 0
    for step in _STEPS:
        found = [_after(step) for _ in range(_REPEATS)]
        resident = int(median(one.resident for one in found))
        private = int(median(one.private for one in found))
        print(f"{step.name:<38}{resident:>8}{private:>9}{resident - before:>+8}")
        before = resident


def _after(step: Step) -> Memory:
    """Return what a new process holds that has done nothing but ``step``."""
    ending = "import os; print(os.getpid(), flush=True); input()"
    process = subprocess.Popen(  # noqa: S603 - the code above
        [sys.executable, "-c", "\n".join((*step.code, ending))],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        found = memory_of(int(process.stdout.readline()))
        process.communicate("\n")
        return found


def _clients() -> None:
    print(f"\nOne server, {_CLIENTS} clients, all over the world")
    print(f"{'':<38}{'RSS kB':>8}{'private':>9}{'kB each':>9}")
    with rum().serve(OUT / "run" / "memory") as server:
        before = _settled(server)
        print(f"{'idle':<38}{before.resident:>8}{before.private:>9}")
        with Crowd(server.port, _CLIENTS) as crowd:
            for name, act in _acts(crowd):
                act()
                now = _settled(server)
                each = (now.resident - before.resident) / _CLIENTS
                print(f"{name:<38}{now.resident:>8}{now.private:>9}{each:>+9.2f}")
                before = now
        now = _settled(server)
        print(f"{'when all have left':<38}{now.resident:>8}{now.private:>9}")


def _acts(crowd: Crowd) -> Iterator[tuple[str, Callable[[], None]]]:
    """Give what the crowd does, one after the other; each adds to the one before."""
    yield "a bare connection", crowd.hear_out
    yield "and logged on", crowd.log_on
    yield "and flying", lambda: crowd.do(_report)
    yield "and with a flight plan", lambda: crowd.do(_plan)
    yield "and ten reports later", lambda: _repeat(10, lambda: crowd.do(_report))


def _report(number: int, one: Member) -> str:
    """Return a position report; neighbors are hundreds of miles apart."""
    latitude, longitude = number * 7 % 140 - 70, number * 37 % 360 - 180
    place = f"{latitude:.5f}:{longitude:.5f}"
    return f"@N:{one.callsign}:2000:1:{place}:2000:250:4195848:12"


def _plan(number: int, one: Member) -> str:
    """Return a flight plan of usual length."""
    route = "DCT KONAN UL607 SPI UT180 PESOV UL607 " * 3
    head = f"$FP{one.callsign}:*A:I:B738:420:EGLL:1200:{number % 60 + 1200}:35000"
    return f"{head}:LOWW:1:50:3:20:LOWG:/V/ PBN/A1B1 DOF/261123:{route}"


def _frozen() -> None:
    print(f"\n{_FROZEN} frozen readers, each sent {_LETTERS} letters of 1.9 kB")
    with rum().serve(OUT / "run" / "memory") as server:
        with (
            Crowd(server.port, _SPEAKERS, "SPK") as speakers,
            Crowd(server.port, _FROZEN, "ICE", is_deaf=True) as frozen,
        ):
            speakers.log_on()
            frozen.log_on()
            frozen.hear_out()
            before = _settled(server)
            names = [one.callsign for one in frozen.members]
            for number in range(_LETTERS):
                _write_letters(speakers.members, names, number)
            speakers.hear_out()
            now = _settled(server)
        each = (now.resident - before.resident) / _FROZEN
        print(f"{'RSS before, after, kB':<38}{before.resident:>8}{now.resident:>9}")
        print(f"{'a full outbox, kB each':<38}{each:>8.1f}")
        left = _settled(server)
        print(f"{'RSS when all have left, kB':<38}{left.resident:>8}")


def _write_letters(
    speakers: Sequence[Member], names: Sequence[str], number: int
) -> None:
    """Have each frozen reader sent a letter that nobody else gets."""
    for place, name in enumerate(names):
        speaker = speakers[place % len(speakers)]
        speaker.say(f"#TM{speaker.callsign}:{name}:{number} {_LETTER}")


def _visits() -> None:
    print(f"\n{_VISITS} logons and leaves, {_VISITORS} at once")
    print(f"{'':<38}{'RSS kB':>8}{'private':>9}")
    with rum().serve(OUT / "run" / "memory") as server:
        for done in range(0, _VISITS + 1, _VISITORS):
            if done * 10 % _VISITS == 0:
                now = _settled(server)
                print(f"{f'after {done}':<38}{now.resident:>8}{now.private:>9}")
            if done < _VISITS:
                with Crowd(server.port, _VISITORS) as crowd:
                    crowd.log_on()


def _repeat(times: int, act: Callable[[], None]) -> None:
    for _ in range(times):
        act()


def _settled(server: Running) -> Memory:
    """Return what the server holds when it has nothing more to do."""
    pause(_SETTLED)
    return memory_of(server.pid)


if __name__ == "__main__":
    main()
