"""The real ``twistd rum``, as an operator starts it, for integration tests."""

import itertools
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

__all__ = ["PATIENCE", "Finished", "Server", "free_port", "run_twistd", "serve"]

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 60.0  # seconds until a test gives up on a process
_BETWEEN_TRIALS: Final = 0.05  # seconds
_TERMINAL: Final = "terminal.txt"

_PORTS: Final = range(15_000, 32_000)  # those that Linux gives away begin at 32768
# Each is given once before one comes again: who asked for it may not listen yet.
_TURN: Final = itertools.count(secrets.randbelow(len(_PORTS)))

# The program ``twistd`` itself, whatever folder it was installed to.
_TWISTD: Final = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")


@dataclass(frozen=True, slots=True)
class Finished:
    """How a process ended, and all that it printed."""

    status: int  # negative: the number of the signal that ended it
    printed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that serves, in the foreground or as a daemon."""

    pid: int
    port: int
    folder: Path  # where it was started

    @property
    def maps(self) -> str:
        """Everything that is mapped into its memory, shared libraries included."""
        return Path(f"/proc/{self.pid}/maps").read_text(encoding="utf-8")

    @property
    def pidfile(self) -> Path:
        """The file with its process number."""
        return self.folder / "twistd.pid"

    @property
    def terminal(self) -> str:
        """What it has shown to whoever started it."""
        return (self.folder / _TERMINAL).read_text(encoding="utf-8")

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "twistd.log").read_text(encoding="utf-8")

    def wait_for(self, text: str) -> None:
        """Return when the terminal has shown ``text``, or the log has it.

        Raises:
            TimeoutError: that has not come.
        """
        deadline = time.monotonic() + PATIENCE
        while text not in self.terminal and text not in self.log:
            if time.monotonic() > deadline:
                raise TimeoutError(f"not said: {text}\n{self.terminal}\n{self.log}")
            time.sleep(_BETWEEN_TRIALS)  # noqa: TID251 - another process is awaited

    def terminate(self, *signals: int) -> float:
        """End it, wait for that, and return how long it took, in seconds.

        Args:
            signals: reach it at the same moment; by default SIGTERM alone.

        Raises:
            TimeoutError: it did not end.
        """
        begin = time.monotonic()
        with closing(_ProcessHandle(self.pid)) as handle:
            os.kill(self.pid, signal.SIGSTOP)
            for number in signals or (signal.SIGTERM,):
                os.kill(self.pid, number)
            os.kill(self.pid, signal.SIGCONT)
            handle.wait_for_end()
        return time.monotonic() - begin


class _ProcessHandle:
    """Notices the end of a process that need not be our child."""

    def __init__(self, pid: int) -> None:
        self._descriptor = os.pidfd_open(pid)

    def wait_for_end(self) -> None:
        """Return when the process has ended."""
        if not select.select([self._descriptor], [], [], PATIENCE)[0]:
            raise TimeoutError

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody uses.

    The kernel gives it to nobody by itself: processes that listen where they like, or
    connect, would take any other before the one that it is for has started.
    """
    while True:
        port = _PORTS[next(_TURN) % len(_PORTS)]
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def run_twistd(folder: Path, *arguments: str) -> Finished:
    """Run twistd in ``folder`` until it returns; a daemon goes on without it."""
    process = _start(folder, *arguments, terminal=subprocess.PIPE)
    try:
        printed, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Finished(process.returncode, printed)


@contextmanager
def serve(
    folder: Path,
    *arguments: str,
    daemon: bool,
    listen: str = "tcp:{port}",
    http: str = "",
    path: Path | None = None,
) -> Iterator[Server]:
    """Start ``twistd rum`` in ``folder``, and end it if it still runs at the end.

    Args:
        folder: the working directory; log, pidfile and data are kept there.
        arguments: twistd's own, then ``rum`` and the options behind it.
        daemon: or else in the foreground.
        listen: the endpoint; ``{port}`` becomes a free port.
        http: where it answers over HTTP; nowhere, so that servers of many tests at
            once are not in each other's way.
        path: a folder where Python looks for modules first.
    """
    port = free_port()
    endpoint = f"{listen.format(port=port)}:interface=127.0.0.1"
    server = None
    with (folder / _TERMINAL).open("wb") as terminal:
        process = _start(
            folder,
            *(() if daemon else ("--nodaemon",)),
            "--logfile=twistd.log",
            *arguments,
            "--set",
            f'pergola.listen=["{endpoint}"]',
            "--set",
            f'pergola.http="{http}"',
            terminal=terminal,
            path=path,
        )
    try:
        try:
            _wait_until_it_serves(port, process, daemon=daemon)
        except TimeoutError as error:
            shown = (folder / _TERMINAL).read_text(encoding="utf-8")
            raise AssertionError(f"{error}; it said:\n{shown}") from error
        pid = int((folder / "twistd.pid").read_text(encoding="ascii"))
        server = Server(pid=pid, port=port, folder=folder)
        yield server
    finally:
        process.kill()
        process.wait()
        if server is not None and server.pidfile.exists():
            with suppress(ProcessLookupError):
                os.kill(server.pid, signal.SIGKILL)


def _start(
    folder: Path,
    *arguments: str,
    terminal: IO[bytes] | int,
    path: Path | None = None,
) -> subprocess.Popen[str]:
    """Start twistd; its environment has no settings of Rum."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith("RUM_")
    }
    environ["PYTHONPATH"] = f"{path}{os.pathsep}{ROOT}" if path else str(ROOT)
    return subprocess.Popen(  # noqa: S603  # nothing in it comes from outside
        [*_TWISTD, *arguments],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _hang_up(port: int) -> None:
    """Connect, say that nothing will come, and wait for the server to close too."""
    address = ("127.0.0.1", port)
    with socket.create_connection(address, timeout=PATIENCE) as client:
        client.shutdown(socket.SHUT_WR)
        client.recv(1)


def _wait_until_it_serves(
    port: int, process: subprocess.Popen[str], *, daemon: bool
) -> None:
    """Return when the reactor runs: when it notices that a client hangs up.

    A port accepts connections earlier, when SIGTERM would still find no handler.

    Raises:
        TimeoutError: the process ended without serving, or it took too long.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(ConnectionRefusedError):
            _hang_up(port)
            return
        with suppress(subprocess.TimeoutExpired):
            status = process.wait(_BETWEEN_TRIALS)
            if status or not daemon:
                raise TimeoutError(f"twistd has ended with status {status}")
    raise TimeoutError(f"nobody listens on port {port}")
