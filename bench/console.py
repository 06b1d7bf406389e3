"""What strangers at the console cost those who fly: how long a text takes.

    python -m bench.console [--clients 200] [--seconds 20] [--rounds 3]

One server, on which everybody flies in one area and reports every five seconds. Fifty
times a second a text goes from one client to another, and the time from the write of
the one to the read of the other is taken, by a process of its own. In each round that
is measured twice, one after the other: while the console is left alone, and while
another process holds a thousand connections to it, guesses 100 passwords a second on
new ones, asks for help with a word of 300 letters, and sends a line of 10 MB each
second. The password is kept as a hash of argon2id.

On a machine with few cores the stranger's process takes time from the server by being
there at all; it runs at a low priority, and its CPU time is told.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

from bench import machine
from bench.crowd import Crowd
from bench.observe import report
from bench.processes import ROOT, free_port
from bench.servers import CID, PASSWORD, rum
from bench.workshop import OUT
from rum_twisted.accounts.passwords import Hasher

__all__ = ["main"]

_INTERVAL: Final = 5.0  # seconds between two reports of a client
_BETWEEN_TEXTS: Final = 0.02  # seconds
_PATIENCE: Final = 20.0  # seconds
_HELD: Final = 1000  # connections
_GUESSES: Final = 100  # a second
_LINE: Final = 10 << 20  # bytes
_NICENESS: Final = 10
_CHUNK: Final = 1 << 16
_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Delays:
    """How long texts took, in milliseconds."""

    median: float
    p99: float
    longest: float
    texts: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.console")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--probe", type=int, metavar="PORT", help=argparse.SUPPRESS)
    parser.add_argument("--stranger", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.probe is not None:
        _probe(options.probe, options.seconds)
    elif options.stranger is not None:
        _annoy(options.stranger, options.seconds)
    else:
        _compare(options.clients, options.seconds, options.rounds)


def _compare(clients: int, seconds: float, rounds: int) -> None:
    """Measure in turns, and print the medians of the rounds."""
    print(machine.look(), "\n")
    console = free_port()
    stored = Hasher().hash("sesame")
    server = rum(
        f'console.listen="tcp:{console}:interface=127.0.0.1"',
        f'console.password="{stored}"',
        'pergola.http=""',
    )
    found: dict[bool, list[Delays]] = {False: [], True: []}
    with server.serve(OUT / "run" / "console") as running, ExitStack() as stack:
        crowd = stack.enter_context(Crowd(running.port, clients))
        crowd.log_on()
        for _ in range(rounds):
            for is_annoyed in (False, True):
                found[is_annoyed].append(
                    _round(crowd, running.port, console if is_annoyed else 0, seconds)
                )
    print(f"{clients} clients, {rounds} rounds of {seconds:g} s each; medians in ms")
    print(f"{'console':<14}{'median':>8}{'p99':>8}{'longest':>9}{'texts':>8}")
    for is_annoyed, delays in found.items():
        print(
            f"{'under attack' if is_annoyed else 'left alone':<14}"
            f"{median(one.median for one in delays):>8.2f}"
            f"{median(one.p99 for one in delays):>8.2f}"
            f"{median(one.longest for one in delays):>9.2f}"
            f"{sum(one.texts for one in delays):>8}"
        )


def _round(crowd: Crowd, port: int, console: int, seconds: float) -> Delays:
    """Fly, and measure meanwhile; ``console``: 0 leaves it alone."""
    probe = _part("--probe", port, seconds)
    stranger = _part("--stranger", console, seconds) if console else None
    members, number, begun = len(crowd.members), 0, time.monotonic()
    while probe.poll() is None:
        while number * _INTERVAL / members <= time.monotonic() - begun:
            one = crowd.members[number % members]
            one.say(report(number % members, one))
            number += 1
        crowd.listen(_INTERVAL / members)
    printed, _ = probe.communicate()
    if stranger is not None:
        said, _ = stranger.communicate()
        print(f"  stranger: {said.strip()}")
    return Delays(**json.loads(printed))


def _part(option: str, port: int, seconds: float) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603 - this very program
        (
            *(sys.executable, "-m", "bench.console"),
            *(option, str(port), "--seconds", str(seconds)),
        ),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def _probe(port: int, seconds: float) -> None:
    """Send texts from one client to another, and print how long they took."""
    with closing(_client(port, "PRB1")) as one, closing(_client(port, "PRB2")) as other:
        delays: list[float] = []
        end = time.monotonic() + seconds
        rest = b""
        while (begun := time.monotonic()) < end:
            mark = f"#TMPRB1:PRB2:{len(delays)}\r\n".encode("ascii")
            one.sendall(mark)
            while mark not in rest:
                rest += other.recv(_CHUNK)
            delays.append((time.monotonic() - begun) * _MS)
            rest = b""
            time.sleep(  # noqa: TID251 - the pace of the probe
                max(0.0, begun + _BETWEEN_TEXTS - time.monotonic())
            )
    print(
        json.dumps(
            {
                "median": median(delays),
                "p99": quantiles(delays, n=100)[-1],
                "longest": max(delays),
                "texts": len(delays),
            }
        )
    )


def _client(port: int, callsign: str) -> socket.socket:
    """Return the end of a client who is on."""
    client = socket.create_connection(("127.0.0.1", port), _PATIENCE)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(f"#AP{callsign}:SERVER:{CID}:{PASSWORD}:1:9:2:P\r\n".encode("ascii"))
    heard = b""
    while b"#TM" not in heard:
        heard += client.recv(_CHUNK)
    return client


def _annoy(port: int, seconds: float) -> None:
    """Do all to a console that a stranger can, and print how much it was."""
    os.nice(_NICENESS)
    guesses = lines = 0
    begun = time.monotonic()
    with ExitStack() as held:
        for _ in range(_HELD):
            held.enter_context(closing(_connect(port)))
        opened = time.monotonic() - begun
        while (now := time.monotonic() - begun - opened) < seconds - opened:
            while guesses < now * _GUESSES:
                with closing(_connect(port)) as guess, suppress(OSError):
                    guess.sendall(b"pwd guess\r\nhelp " + b"x" * 300 + b"\r\n")
                    guess.recv(_CHUNK)
                guesses += 1
            if lines < now:
                with closing(_connect(port)) as line, suppress(OSError):
                    line.sendall(b"x" * _LINE)
                lines += 1
            time.sleep(0.001)  # noqa: TID251 - its pace
    took = time.process_time()
    print(
        f"{_HELD} held after {opened:.1f} s, {guesses} guesses, "
        f"{lines} lines of 10 MB, {took:.1f} CPU-s"
    )


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), _PATIENCE)


if __name__ == "__main__":
    main()
