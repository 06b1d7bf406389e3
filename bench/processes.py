"""Processes under measurement: start one, know when it serves, read its memory, end it.

Whether a server listens is read from the kernel, not tried with a connection: that
leaves no trace in the server, and works from outside of a network namespace.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = [
    "ROOT",
    "Memory",
    "NotServing",
    "Running",
    "free_port",
    "memory_of",
    "pause",
    "running",
    "wait_until_listening",
    "waited_by",
]

ROOT: Final = Path(__file__).resolve().parents[1]
"""The folder of the project."""

_OUTPUT: Final = "output.txt"
_PATIENCE: Final = 30.0  # seconds for a start; in a small box it takes ten
_LAST_MOMENT: Final = 5.0  # seconds between SIGTERM and SIGKILL
_BETWEEN_TRIALS: Final = 0.02  # seconds
_LISTENING: Final = "0A"  # the state in /proc/net/tcp


class NotServing(Exception):
    """A server did not come up; the message has its last words."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that serves."""

    pid: int
    port: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What a process holds, in kB.

    ``resident`` is what tools call RSS. ``private`` is the part of it that is no
    file's content: what the program has made itself.
    """

    resident: int
    private: int


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def pause(seconds: float) -> None:
    """Let the processes under measurement be for a while."""
    time.sleep(seconds)  # noqa: TID251 - nothing is served here


def memory_of(pid: int | str) -> Memory:
    """Return what a process holds now; ``"self"`` is this one."""
    status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return Memory(int(fields["VmRSS"].split()[0]), int(fields["RssAnon"].split()[0]))


def waited_by(pid: int) -> float:
    """Return how long a process was ready to run and got no core, in seconds.

    It grows where others want the cores as well; 0 where the kernel does not tell.
    """
    try:
        text = Path(f"/proc/{pid}/schedstat").read_text("ascii")
    except OSError:
        return 0.0
    return int(text.split()[1]) / 1e9


@contextmanager
def running(
    command: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` in ``folder``, and end it afterwards.

    What it prints goes to a file in ``folder``. It gets this process's environment,
    but nothing that is about Python or Rum, and ``environ``.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "RUM_"))
    }
    with (folder / _OUTPUT).open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - only the bench's own commands
            command,
            cwd=folder,
            env=inherited | dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_LAST_MOMENT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_listening(
    process: subprocess.Popen[bytes], port: int, folder: Path
) -> None:
    """Return when ``process`` listens on ``port``.

    Raises:
        NotServing: it ended, or took too long.
    """
    deadline = time.monotonic() + _PATIENCE
    while not _is_listening(process.pid, port):
        if process.poll() is not None or time.monotonic() > deadline:
            words = (folder / _OUTPUT).read_text("utf-8", "replace").splitlines()
            raise NotServing("; ".join(words[-3:]) or "it said nothing")
        pause(_BETWEEN_TRIALS)


def _is_listening(pid: int, port: int) -> bool:
    """Tell whether anybody listens on ``port`` in the network of a process."""
    sockets: list[str] = []
    for table in ("tcp", "tcp6"):
        try:
            text = Path(f"/proc/{pid}/net/{table}").read_text("ascii")
        except OSError:  # ended, or a kernel without IPv6
            continue
        sockets += text.splitlines()[1:]
    ending = f":{port:04X}"
    return any(
        local.endswith(ending) and state == _LISTENING
        for _, local, _, state, *_ in map(str.split, sockets)
    )
