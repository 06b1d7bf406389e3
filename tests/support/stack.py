"""``make stack`` for a test: in a folder and on ports of its own."""

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from rum_twisted.stack.compose import read_compose
from rum_twisted.stack.machine import Machine
from tests.support.twistd import ROOT

__all__ = ["COMPOSE", "PATIENCE", "Stack"]

COMPOSE: Final = ROOT / "etc" / "compose.yml"
PATIENCE: Final = 120.0  # seconds; it takes a few, but the machine may be busy
# All ports of the file then lie where the kernel gives none away by itself.
_SHIFTS: Final = range(13_000, 24_000)


class Stack:
    """The stack of one folder.

    Args:
        folder: of its own.
        variables: of its environment.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.environ = {
            **{name: os.environ[name] for name in ("PATH",) if name in os.environ},
            "PYTHONPATH": str(ROOT),
            "WEATHER_SOURCE": "file",  # tests ask nobody on the web
            **variables,
        }
        self.shift = self._free_shift()

    def _free_shift(self) -> int:
        while True:
            shift = secrets.choice(_SHIFTS)
            with suppress(OSError):
                for _, port in self.ports(shift):
                    with closing(socket.create_server(("127.0.0.1", port))):
                        pass
                return shift

    def ports(self, shift: int) -> tuple[tuple[str, int], ...]:
        """Return the services' ports: whose, and which."""
        machine = Machine(
            read_compose(COMPOSE, self.environ),
            self.folder,
            compose=COMPOSE.parent,
            programs=(),
            environ={},
            shift=shift,
        )
        return tuple(
            (process.name, port)
            for process in machine.processes()
            for _, port in process.ports
        )

    def port(self, own: int) -> int:
        """Return where a port of the file is."""
        return own + self.shift

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of it, and return how it ended and what it printed."""
        return subprocess.run(  # noqa: S603 - this very program
            self._command(words),
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        """Begin to run a command of it, and return its process."""
        return subprocess.Popen(  # noqa: S603 - this very program
            self._command(words),
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _command(self, words: Sequence[str]) -> Sequence[str]:
        return (
            *(sys.executable, "-m", "rum_twisted.stack"),
            *("--folder", str(self.folder), "--shift", str(self.shift)),
            *words,
        )

    def done(self, *words: str) -> str:
        """Run a command that has to end well; return what it printed.

        Raises:
            AssertionError: it did not.
        """
        finished = self.run(*words)
        if finished.returncode:
            logs = "".join(
                f"\n{path.name}:\n{path.read_text('utf-8', 'replace')[-3000:]}"
                for path in sorted(self.folder.glob("logs/*"))
            )
            raise AssertionError(f"{words}: {finished.stdout}{finished.stderr}{logs}")
        return finished.stdout

    def status(self) -> Mapping[str, Any]:
        """Return what it tells of itself."""
        facts: Mapping[str, Any] = json.loads(self.done("status", "--json"))
        return facts

    def services(self) -> Mapping[str, Mapping[str, Any]]:
        """Return what it tells of its services, by name."""
        return {each["name"]: each for each in self.status()["services"]}

    def processes(self) -> tuple[int, ...]:
        """Return every process of this machine that belongs to it."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if os.fsencode(self.folder) in path.read_bytes():
                    found.append(int(path.parent.name))
        return tuple(found)
