"""What each process of `make stack` takes, against its limit in etc/compose.yml.

    python -m bench.stack [--seconds 60] [--repeats 3]

The whole set starts anew each time, in a folder and on ports of its own. 200 members
log on, each with a password of his own that is hashed, and fly, report every 5 s,
write, ask and file plans (fsdload); besides, one asks for reports, of the server and
of a plugin, every second, and every process is scraped for metrics. Then the most that
the kernel has charged to each group, with its health checks and the first start's
making of tables, is printed against the limit. It fails if any is above, was killed or
was started twice.

It needs `g++`, and the right to make control groups; without, RSS is compared.
"""

import argparse
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from bench import machine
from bench.figures import read_figures
from bench.processes import ROOT
from bench.workshop import CannotBuild, compile_source
from tests.support.roles import Pilot
from tests.support.stack import Stack

__all__ = ["main"]

_MB: Final = 1 << 20  # bytes, as everywhere in the bench
_CLIENTS: Final = 200
_LOGINS: Final = 10.0  # a second; a check of a password takes its CPU time
_PASSWORD: Final = "correct-horse-7"  # noqa: S105 - of all made-up members
_FIRST_CID: Final = 2_000_000
_REPORT: Final = "EHAM 101225Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG"
_FSD: Final = 6809
_PAGES: Final = (6810, 6811, 6812, 6813)
_BETWEEN: Final = 1.0  # seconds between two reports that are asked for


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.stack")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    print(machine.look())
    try:
        program = compile_source(ROOT / "bench/fsdload/fsdload.cpp")
    except CannotBuild as error:
        print(f"Nothing is measured: {error}")
        return 0
    is_bad = False
    for _ in range(options.repeats):
        with TemporaryDirectory() as name:
            is_bad |= _run(Path(name), program, options.seconds)
    return int(is_bad)


def _run(folder: Path, program: Path, seconds: float) -> bool:
    """Measure once; return whether something is as it must not be."""
    stack = Stack(folder / "stack")
    reports = stack.folder / "weather" / "data"
    reports.mkdir(parents=True)
    (reports / "metar.txt").write_text(f"{_REPORT}\n", "ascii")
    begun = time.monotonic()
    try:
        stack.done("up")
        took = time.monotonic() - begun
        start = stack.services()
        accounts = _members(stack, folder)
        figures = _fly(stack, program, accounts, seconds)
        services = stack.services()
    finally:
        begun = time.monotonic()
        stack.run("down")
    print(f"up after {took:.1f} s, down after {time.monotonic() - begun:.1f} s")
    print(
        f"{_CLIENTS} clients: {figures['missing']:.0f} not in, positions p50 "
        f"{figures['p50_ms']:.0f} ms, p99 {figures['p99_ms']:.0f} ms, "
        f"{figures['lines_per_s']:.0f} lines/s"
    )
    bad = [_print(start[name], each) for name, each in services.items()]
    return any(bad)


def _print(start: Mapping[str, Any], each: Mapping[str, Any]) -> bool:
    most = each["charged_peak"] or each["rss_peak"]
    is_bad = most > each["memory"] or bool(each["kills"]) or each["restarts"] > 0
    charged = (
        f"charged {_mb(start['charged'])} at first, {_mb(each['charged'])} at last, "
        f"{_mb(most)} at most, working {_mb(each['working'])}; "
        if each["charged_peak"]
        else ""
    )
    print(
        f"{each['name']:9} {charged}RSS {_mb(each['rss'])}, PSS {_mb(each['pss'])}, "
        f"peak {_mb(each['rss_peak'])}; limit {each['memory'] >> 20}: "
        f"{most / each['memory']:.0%}; {each['cpus']:.2f} CPU, held up for "
        f"{each['throttled_s'] or 0:.1f} s{'  !' * is_bad}",
        flush=True,
    )
    return is_bad


def _mb(count: int) -> str:
    return f"{count / _MB:.1f}"


def _members(stack: Stack, folder: Path) -> Path:
    """Register the members; return the file with what they log on with."""
    cids = [str(_FIRST_CID + number) for number in range(_CLIENTS + 1)]
    source, accounts = folder / "cert.txt", folder / "accounts.txt"
    source.write_text("".join(f"{cid} {_PASSWORD} 12\n" for cid in cids), "ascii")
    accounts.write_text("".join(f"{cid} {_PASSWORD}\n" for cid in cids[1:]), "ascii")
    subprocess.run(  # noqa: S603 - nothing comes from outside
        (
            *(sys.executable, "-c", "from rum_twisted.cli.main import main; main()"),
            *("--set", f'data_dir="{stack.folder / "passport" / "data"}"'),
            *("--set", 'accounts.store="database"'),
            *("account", "import", "--hash", "--yes", "cert", str(source)),
        ),
        check=True,
        stdout=subprocess.DEVNULL,
        env=stack.environ,
    )
    return accounts


def _fly(
    stack: Stack, program: Path, accounts: Path, seconds: float
) -> Mapping[str, float]:
    """Let the members fly; return what fsdload found."""
    report = accounts.with_name("report.json")
    pid = stack.services()["pergola"]["pid"]
    words = (
        *(str(program), "--quiet", "--json", str(report)),
        *("--port", str(stack.port(_FSD)), "--server-pid", str(pid)),
        *("--accounts", str(accounts), "--pilots", str(_CLIENTS), "--hold"),
        *("--login-rate", str(_LOGINS), "--login-timeout", "60"),
        *("--duration", str(seconds)),
    )
    with (
        subprocess.Popen(words, stdin=subprocess.DEVNULL) as load,  # noqa: S603 - ours
        closing(Pilot(stack.port(_FSD))) as pilot,
    ):
        pilot.log_on("ASK1", str(_FIRST_CID), _PASSWORD, 12)
        pilot.until("#TMserver:ASK1")
        while load.poll() is None:
            pilot.say("$AXASK1:SERVER:METAR:EHAM")
            pilot.until("$ARserver")
            pilot.say("#TMASK1:SERVER:.metar EHAM")
            pilot.until(f"#TMserver:ASK1:{_REPORT}")
            with suppress(subprocess.TimeoutExpired):
                load.wait(_BETWEEN)
        for page in _PAGES:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{stack.port(page)}/metrics", timeout=10
            ) as answer:
                assert re.search(rb"^rum_ready ", answer.read(), re.MULTILINE)
    return read_figures(json.loads(report.read_text("utf-8")))


if __name__ == "__main__":
    sys.exit(main())
