"""Processes of the real ``twistd rum`` that play roles, and a client to call them."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from tests.support.twistd import PATIENCE, ROOT, free_port

__all__ = ["Pilot", "Role", "Roles", "wait_until"]

_TWISTD: Final = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
_UP: Final = " is up."
_BETWEEN_TRIALS: Final = 0.05  # seconds


def wait_until(is_so: Callable[[], object], what: str) -> None:
    """Return when something is so.

    Raises:
        TimeoutError: it has not become so.
    """
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(_BETWEEN_TRIALS)  # noqa: TID251 - another process is awaited


class Role:
    """One process.

    Args:
        folder: where all of its kind were started; it has log files of its own there.
        name: of this process, in the names of its files.
        arguments: behind ``rum``.
        daemon: or else in the foreground.
    """

    def __init__(
        self, folder: Path, name: str, *arguments: str, daemon: bool = False
    ) -> None:
        self._folder = folder
        self._name = name
        self._pidfile = folder / f"{name}.pid"
        environ = {key: value for key, value in os.environ.items() if key[:4] != "RUM_"}
        self._log_begin = len(self.log)
        with (folder / f"{name}.terminal").open("wb") as terminal:
            self._process = subprocess.Popen(  # noqa: S603 - nothing from outside
                (
                    *_TWISTD,
                    *(() if daemon else ("--nodaemon",)),
                    *(f"--pidfile={name}.pid", f"--logfile={name}.log"),
                    *("rum", *arguments),
                ),
                cwd=folder,
                env={**environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=subprocess.STDOUT,
            )

    @property
    def terminal(self) -> str:
        """What it has shown to whoever started it."""
        return self._read("terminal")

    @property
    def log(self) -> str:
        """What it, and those who had its name before, have logged."""
        return self._read("log")

    def _read(self, kind: str) -> str:
        path = self._folder / f"{self._name}.{kind}"
        return path.read_text("utf-8") if path.exists() else ""

    @property
    def pid(self) -> int:
        """Its process number."""
        return int(self._pidfile.read_text("ascii"))

    @property
    def endpoint(self) -> str:
        """Where other processes call it: host:port."""
        found = re.findall(r"gRPC endpoint (\S+) is open", self.log[self._log_begin :])
        assert found, "it serves, and is not alone"
        return str(found[-1])

    @property
    def peak(self) -> int:
        """The memory (RSS) that it has had at most, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    @property
    def maps(self) -> str:
        """Everything that is mapped into its memory."""
        return Path(f"/proc/{self.pid}/maps").read_text("utf-8")

    def said(self, text: str) -> bool:
        """Tell whether it has said something, on the terminal or in the log."""
        return text in self.terminal or text in self.log[self._log_begin :]

    def ready(self) -> "Role":
        """Return when it serves.

        Raises:
            AssertionError: it does not.
        """
        try:
            wait_until(lambda: self.said(_UP), f"{self._name} is up")
        except TimeoutError as error:
            raise AssertionError(f"{self.terminal}\n{self.log[-5000:]}") from error
        return self

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        with suppress(ProcessLookupError, FileNotFoundError):
            os.kill(self.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._pidfile.unlink(missing_ok=True)

    def end(self) -> None:
        """End it well (SIGTERM), and return when it has ended.

        Raises:
            TimeoutError: it has not.
        """
        os.kill(self.pid, signal.SIGTERM)
        wait_until(lambda: not self._pidfile.exists(), f"{self._name} has ended")
        self._process.wait(PATIENCE)


class Roles:
    """The processes of one network, in one folder.

    Args:
        folder: for their data and logs; it must exist.
        settings: behind ``--set``, of them all; without a backend of discovery they
            find each other by a list.
        config: a file with more of them.
    """

    def __init__(self, folder: Path, *settings: str, config: str = "") -> None:
        self.folder = folder
        self.port = free_port()
        self.grpc_ports = {
            role: free_port() for role in ("passport", "weather", "plugin")
        }
        self._is_static = not any(word.startswith("discovery.") for word in settings)
        listed = ", ".join(
            f'"{role}=127.0.0.1:{port}"' for role, port in self.grpc_ports.items()
        )
        static = ('discovery.backend="static"', f"discovery.endpoints=[{listed}]")
        self._settings = (*settings, *(static if self._is_static else ()))
        self._config = ("--config", config) if config else ()
        self._processes: list[Role] = []

    def start(
        self,
        roles: str,
        *settings: str,
        name: str = "",
        daemon: bool = False,
        port: int = 0,
    ) -> Role:
        """Start a process.

        Args:
            roles: behind ``--role``.
            settings: behind ``--set``, of this process.
            name: of its files.
            daemon: or else in the foreground.
            port: for clients; by default `port`.
        """
        address = f"tcp:{port or self.port}:interface=127.0.0.1"
        listen = next(
            (
                port
                for role, port in self.grpc_ports.items()
                if role in roles and self._is_static
            ),
            0,
        )
        words = (
            f'pergola.listen=["{address}"]',
            'pergola.http=""',
            f'services.listen="127.0.0.1:{listen}"',
            *self._settings,
            *settings,
        )
        process = Role(
            self.folder,
            name or roles.replace(",", "-"),
            *(*self._config, "--role", roles),
            *(part for word in words for part in ("--set", word)),
            daemon=daemon,
        )
        self._processes.append(process)
        return process

    def kill(self) -> None:
        """End all that still run."""
        for process in self._processes:
            process.kill()


class Pilot:
    """A client's end of a connection, as simple as can be: each call waits.

    Args:
        port: where the server listens.
    """

    def __init__(self, port: int) -> None:
        self.callsign = ""
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._file = self.socket.makefile("rb")

    def say(self, line: str) -> None:
        """Send a line."""
        self.socket.sendall(line.encode("latin-1") + b"\r\n")

    def log_on(self, callsign: str, cid: str, password: str, rating: int = 1) -> None:
        """Ask to come online as a pilot, or, with ``_``, as a controller."""
        self.callsign = callsign
        if "_" in callsign:
            self.say(f"#AA{callsign}:SERVER:Ann:{cid}:{password}:{rating}:9")
        else:
            self.say(f"#AP{callsign}:SERVER:{cid}:{password}:{rating}:9:2:Joe")

    def until(self, *begins: str) -> str:
        """Return the next line that begins with one of these.

        Raises:
            EOFError: the connection ended before.
        """
        while line := self._file.readline():
            text = line.decode("latin-1").rstrip()
            if text.startswith(begins):
                return text
        raise EOFError(str(begins))

    def reads_nothing(self, seconds: float) -> bool:
        """Tell whether nothing comes for so long, and the connection stays."""
        return not select.select([self.socket], [], [], seconds)[0]

    def is_online(self) -> bool:
        """Tell whether the server answers him."""
        self.say(f"$PI{self.callsign}:SERVER:there?")
        return self.until("$PO").endswith("there?")

    def close(self) -> None:
        """Hang up."""
        with closing(self._file), closing(self.socket):
            pass
