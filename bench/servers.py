"""The servers that are measured: Rum, and the yardsticks beside it.

A server gets a fresh process and a fresh folder for every run, and one account that
all of its clients share. Each is set up as its makers would for a big night: room for
everybody, nothing switched on that is not needed.
"""

import hashlib
import shlex
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.confines import Prefix
from bench.processes import (
    ROOT,
    Running,
    free_port,
    pause,
    running,
    wait_until_listening,
)

__all__ = ["CID", "PASSWORD", "Server", "original_fsd", "pyfsd", "relay", "rum"]

CID: Final = "1000000"
PASSWORD: Final = "password"  # noqa: S105 - of the one account there is
_ADMINISTRATOR: Final = 12
_ROOM: Final = 5000  # clients
_CERT: Final = f"{CID} {PASSWORD} {_ADMINISTRATOR}\n"
_CALM: Final = 1.0  # seconds, so that the start is not measured with the rest

Prepare = Callable[[Path, int], Sequence[str]]
"""Writes a server's files to a folder, for a port; returns its command."""


@dataclass(frozen=True, slots=True)
class Server:
    """A kind of server that can be started."""

    name: str
    prepare: Prepare
    environ: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def serve(self, folder: Path, prefix: Prefix = ()) -> Iterator[Running]:
        """Start it in ``folder``, which is emptied, and end it afterwards.

        Args:
            folder: for its files.
            prefix: see `bench.confines`.

        Raises:
            NotServing: it did not come up.
        """
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        port = free_port()
        command = (*prefix, *self.prepare(folder, port))
        with running(command, folder, self.environ) as process:
            wait_until_listening(process, port, folder)
            pause(_CALM)
            yield Running(process.pid, port)


def rum(*settings: str) -> Server:
    """Return the real ``twistd rum`` of this tree.

    Args:
        settings: further ones, as behind ``--set``.
    """

    def prepare(folder: Path, port: int) -> Sequence[str]:
        (folder / "data").mkdir()
        (folder / "data" / "cert.txt").write_text(_CERT)
        wanted = (
            f'pergola.listen=["tcp:{port}:interface=127.0.0.1"]',
            f"pergola.max_clients={_ROOM}",
            *settings,
        )
        return (
            # The program twistd itself, whatever folder it was installed to.
            *(sys.executable, "-c", "from twisted.scripts.twistd import run; run()"),
            *("--nodaemon", "--pidfile=", "--logfile=rum.log", "rum"),
            *(word for setting in wanted for word in ("--set", setting)),
        )

    return Server("rum", prepare, {"PYTHONPATH": str(ROOT)})


def pyfsd(programs: Path) -> Server:
    """Return pyfsd with its accounts in SQLite and no plugin.

    Args:
        programs: the ``bin`` folder of the environment that it was installed to.
    """

    def prepare(folder: Path, port: int) -> Sequence[str]:
        (folder / "pyfsd.toml").write_text(
            f"""
[pyfsd.database]
url = "sqlite:///pyfsd.db"

[pyfsd.client]
port = {port}
motd = "hi"
motd_encoding = "ascii"
blacklist = []

[pyfsd.metar]
mode = "cron"
cron_time = 86400
fetchers = []
"""
        )
        secret = hashlib.sha256(PASSWORD.encode()).hexdigest()
        with closing(sqlite3.connect(folder / "pyfsd.db")) as database, database:
            database.execute(
                "CREATE TABLE users (callsign VARCHAR NOT NULL PRIMARY KEY,"
                " password VARCHAR(64), rating INTEGER)"
            )
            database.execute(
                "INSERT INTO users VALUES (?, ?, ?)", (CID, secret, _ADMINISTRATOR)
            )
        twistd = str(programs / "twistd")
        return (twistd, "--nodaemon", "--pidfile=", "--logfile=pyfsd.log", "pyfsd")

    return Server("pyfsd", prepare)


def relay(name: str, program: Path, window_ms: int) -> Server:
    """Return the relay without a protocol: what the system calls alone cost.

    Args:
        name: what to call it.
        program: compiled from bench/relay.
        window_ms: between two sends to a receiver; 0: one send for each line.
    """
    return Server(name, lambda _, port: (str(program), str(port), str(window_ms)))


def original_fsd(command: str) -> Server:
    """Return a classic FSD server, run by a command of the user's.

    Args:
        command: is run in a folder with ``fsd.conf`` and ``cert.txt``; ``{port}`` and
            ``{folder}`` in it are replaced.
    """

    def prepare(folder: Path, port: int) -> Sequence[str]:
        (folder / "cert.txt").write_text(_CERT)
        (folder / "fsd.conf").write_text(
            f"""[system]
clientport={port}
serverport={free_port()}
systemport={free_port()}
ident=BENCH
name=bench
email=bench@localhost
hostname=localhost
location=here
mode=normal
certificates=cert.txt
maxclients={_ROOM}
[connections]
[hosts]
[weather]
source=file
"""
        )
        return shlex.split(command.format(port=port, folder=folder))

    return Server("fsd", prepare)
