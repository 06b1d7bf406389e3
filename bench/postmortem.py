"""The incident, replayed: a careless client, Rum's own, and a plugin that leaks.

    python -m bench.postmortem [careless] [owned] [plugin] [--seconds 120]

Each part runs a real ``twistd rum`` with all roles beside a real etcd, 200 pilots who
fly, and `STEPS` requests a second, each of which wants a client of the service
``weather``. Memory of both processes is written down twice a second, and every ten
seconds what an operator would see.

- ``careless``: each request makes a client of its own, with a connection to etcd and a
  watch, and never closes it, as the code of the incident did. Nothing in Rum does so;
  that client is the bench's (`bench.postmortem_server`). Nobody guards.
- ``owned``: the same requests by the client that Rum gives to whoever asks.
- ``plugin``: instead of requests, a plugin keeps 1 MB a second, in 96 MB of memory (by
  a control group where that can be made, else by a setting); the guard is on.

Compressed: the incident took a busy evening. 0.5 to 1 MB a second is what it was, but
the server starts with 50 MB and has 96, so that two minutes are enough. etcd runs as
it comes. Pictures need matplotlib, which is installed into an environment of its own.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from bench import machine
from bench.crowd import Crowd
from bench.observe import report
from bench.processes import (
    ROOT,
    free_port,
    memory_of,
    pause,
    running,
    wait_until_listening,
)
from bench.workshop import OUT, CannotBuild, environment_with
from tests.support.etcd import Etcd
from tests.support.memory_box import NoBox, memory_box

__all__ = ["main"]

STEPS: Final = 12  # requests a second
PILOTS: Final = 200
LIMIT: Final = 96 << 20  # bytes, for the part with the plugin
LEAK: Final = 1.0  # MB a second
BEFORE: Final = 15.0  # seconds until it begins
_INTERVAL: Final = 5.0  # seconds between two reports of a pilot
_SAMPLE: Final = 0.5  # seconds
_LOOK: Final = 10.0  # seconds between two looks of the operator
_PATIENCE: Final = 30.0  # seconds for the server to answer
_KB: Final = 1024
_PLUGIN: Final = ROOT / "tests" / "support" / "leaky.py"
_PROGRAM: Final = "from bench.postmortem_server import main; main()"
_MATPLOTLIB: Final = "matplotlib>=3.8"
_CALLSIGNS: Final = "PIL"


@dataclass(frozen=True, slots=True)
class Part:
    """One way to run it."""

    name: str
    title: str
    kind: str  # of requests: careless, owned, none
    settings: tuple[str, ...]
    leaks: bool = False


PARTS: Final = (
    Part(
        "careless",
        "a client of its own for each request, never closed",
        "careless",
        ("guard.enabled=false",),
    ),
    Part("owned", "Rum's client for each request", "owned", ()),
    Part(
        "plugin",
        "a plugin that leaks, and the guard",
        "none",
        ('plugins.enabled=["leaky"]',),
        leaks=True,
    ),
)


@dataclass(slots=True)
class Point:
    """Memory at one moment, in bytes."""

    at: float  # seconds since the first request, or since the leak began
    rum: int
    etcd: int
    counted: int | None  # of the server, what the guard compares with the limit


class Course:
    """One part while it runs."""

    def __init__(self, part: Part, folder: Path, seconds: float) -> None:
        self.part = part
        self.folder = folder
        self.seconds = seconds
        self.points: list[Point] = []
        self.looks: list[dict[str, Any]] = []
        self.rungs: dict[str, float] = {}  # when each was first in force
        self.ended: str = ""  # how the server did, if it did
        self.figures: dict[str, float] = {}
        self._http = free_port()

    def run(self) -> None:
        """Run it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "data" / "plugins").mkdir(parents=True)
        (self.folder / "data" / "cert.txt").write_text("1000000 password 12\n")
        shutil.copy(_PLUGIN, self.folder / "data" / "plugins" / "leaky.py")
        with ExitStack() as stack:
            etcd = stack.enter_context(_etcd())
            prefix: tuple[str, ...] = ()
            settings = self.part.settings
            if self.part.leaks:
                try:
                    prefix = stack.enter_context(memory_box(LIMIT))
                except NoBox as error:
                    print(f"without a control group, by a setting: {error}")
                    settings += (f"guard.memory_limit={LIMIT}",)
            port = free_port()
            command = (*prefix, *self._command(port, etcd.endpoint, settings))
            process = stack.enter_context(
                running(command, self.folder, {"PYTHONPATH": str(ROOT)})
            )
            wait_until_listening(process, port, self.folder)
            self._wait_until_sampled()
            crowd = stack.enter_context(Crowd(port, PILOTS, _CALLSIGNS))
            crowd.log_on()
            self._fly(crowd, process, etcd)
            self.figures = {
                name: etcd.metric(name)
                for name in (
                    "etcd_debugging_mvcc_watcher_total",
                    "etcd_debugging_mvcc_watch_stream_total",
                )
            }

    def _command(
        self, port: int, endpoint: str, settings: Sequence[str]
    ) -> tuple[str, ...]:
        wanted = (
            f'pergola.listen=["tcp:{port}:interface=127.0.0.1"]',
            f'pergola.http="tcp:{self._http}:interface=127.0.0.1"',
            'discovery.backend="etcd"',
            f'discovery.endpoints=["{endpoint}"]',
            'weather.source="none"',
            *settings,
        )
        return (
            *(sys.executable, "-c", _PROGRAM, self.part.kind, str(STEPS), endpoint),
            *(word for setting in wanted for word in ("--set", setting)),
        )

    def _wait_until_sampled(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not (self._get("/samples.json") or {}).get("samples"):
            if time.monotonic() > deadline:
                raise TimeoutError("the server does not answer over HTTP")
            pause(_SAMPLE)

    def _fly(self, crowd: Crowd, process: Any, etcd: Etcd) -> None:
        """Have all report in turn, and write down what happens."""
        begun = time.monotonic()
        begins = begun + BEFORE
        next_sample = next_look = begun
        number = 0
        is_ordered = False
        while (now := time.monotonic()) < begins + self.seconds:
            if process.poll() is not None:
                self.ended = f"the server has ended with status {process.returncode}"
                return
            if not is_ordered and now >= begins:
                is_ordered = True
                order = f"0 {LEAK}" if self.part.leaks else "go"
                (self.folder / "leak").write_text(order)
            while number * _INTERVAL / PILOTS <= now - begun:
                one = crowd.members[number % PILOTS]
                one.say(report(number % PILOTS, one))
                number += 1
            if now >= next_sample:
                next_sample += _SAMPLE
                with suppress(OSError, KeyError):
                    self.points.append(
                        Point(
                            now - begins,
                            memory_of(process.pid).resident * _KB,
                            memory_of(etcd.pid).resident * _KB,
                            self._counted(now - begins),
                        )
                    )
            if now >= next_look:
                next_look += _LOOK
                self._look(now - begins)
            crowd.listen(_INTERVAL / PILOTS)

    def _counted(self, at: float) -> int | None:
        """Return what the guard looks at, and note what it does."""
        guard = self._get("/guard.json") if self.part.leaks else None
        if guard is None or guard["memory"] is None:
            return None
        for rung in guard["in_force"]:
            self.rungs.setdefault(rung, round(at, 1))
        used: int = guard["memory"]["used"]
        return used

    def _look(self, at: float) -> None:
        """Write down what an operator sees."""
        owners = self._get("/owners.json") or {"owners": []}
        guard = self._get("/guard.json") or {"in_force": [], "memory": None}
        self.looks.append(
            {
                "at": round(at),
                "owners": owners["owners"][:3],
                "in_force": guard["in_force"],
                "memory": guard["memory"],
            }
        )

    def _get(self, path: str) -> Any:
        connection = HTTPConnection("127.0.0.1", self._http, timeout=2.0)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        except (OSError, ValueError):
            return None
        finally:
            connection.close()

    def tell(self) -> None:
        """Print what was found."""
        first, last = self.points[0], self.points[-1]
        print(f"\n{self.part.name}: {self.part.title}")
        print(
            f"  server {_mb(first.rum)} MB at the start, "
            f"{_mb(max(each.rum for each in self.points))} at most, {_mb(last.rum)} at "
            f"the end; etcd {_mb(first.etcd)}, "
            f"{_mb(max(each.etcd for each in self.points))}, {_mb(last.etcd)}"
        )
        for name, value in self.figures.items():
            print(f"  {name}: {value:.0f}")
        print(f"  {self.ended or 'the server serves all 200 pilots to the end'}")
        for look in self.looks:
            memory = look["memory"]
            used = "" if memory is None else f"{memory['percent']:5.1f} %  "
            owner = look["owners"][0] if look["owners"] else {}
            print(
                f"  {look['at']:>5} s  {used}"
                f"{owner.get('name', '?')}: {owner.get('count', 0):,}, "
                f"{_mb(owner.get('bytes', 0))} MB {owner.get('made_at') or ''}  "
                f"{' '.join(look['in_force'])}"
            )
        for rung, at in self.rungs.items():
            print(f"  {at:>7} s  {rung}")
        log = (self.folder / "rum.log").read_text("utf-8", "replace")
        for line in log.splitlines():
            if "guard:" in line or "heap dump" in line:
                print("  log:", line.partition("] ")[2][:200])

    def facts(self) -> Mapping[str, Any]:
        """Return it for the picture."""
        return {
            "name": self.part.name,
            "title": self.part.title,
            "limit": LIMIT if self.part.leaks else None,
            "points": [
                (each.at, each.rum, each.etcd, each.counted) for each in self.points
            ],
            "rungs": self.rungs,
            "ended": self.ended,
            "looks": self.looks,
        }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts, and draw what came of them."""
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(prog="python -m bench.postmortem")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(names))
    parser.add_argument("--seconds", type=float, default=90.0, help="of each part")
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(names)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: due some of {', '.join(names)}")
    print(machine.look())
    here = OUT / "postmortem"
    here.mkdir(parents=True, exist_ok=True)
    found = []
    for part in PARTS:
        if options.parts and part.name not in options.parts:
            continue
        course = Course(part, here / part.name, options.seconds)
        course.run()
        course.tell()
        found.append(course.facts())
        results = here / f"{part.name}.json"
        results.write_text(json.dumps(found[-1]), "utf-8")
        _draw(results, here / f"postmortem-{part.name}.png")


@contextmanager
def _etcd() -> Iterator[Etcd]:
    with tempfile.TemporaryDirectory() as folder:
        etcd = Etcd(Path(folder) / "etcd", is_tuned=False, syncs=True)
        etcd.start_and_wait()
        try:
            yield etcd
        finally:
            etcd.kill()


def _draw(results: Path, picture: Path) -> None:
    """Draw a picture, if that is possible."""
    script = ROOT / "bench" / "postmortem_plot.py"
    try:
        python = environment_with(_MATPLOTLIB, "plotting") / "python"
        subprocess.run(  # noqa: S603 - our own script
            [str(python), str(script), str(results), str(picture)], check=True
        )
    except (CannotBuild, subprocess.CalledProcessError) as error:
        print(f"Without a picture: {error}")


def _mb(size: float) -> str:
    return f"{size / (1 << 20):.1f}"


if __name__ == "__main__":
    main()
