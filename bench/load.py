"""Runs fsdload against a server and reads what it found."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.confines import Prefix
from bench.figures import read_figures
from bench.processes import Running, waited_by
from bench.servers import CID, PASSWORD

__all__ = ["Load", "LoadFailed", "Started"]

_PATIENCE: Final = 300.0  # seconds beyond which a run has hung


class LoadFailed(Exception):
    """fsdload could not measure; the message has its last words."""


@dataclass(frozen=True, slots=True)
class Started:
    """A load that is on its way."""

    process: subprocess.Popen[str]
    report: Path
    pid: int  # of the server
    begun: float  # monotonic
    waited: float  # by the server until then, in seconds

    def figures(self) -> dict[str, float]:
        """Wait for its end and return what it found.

        Raises:
            LoadFailed: it did not measure.
        """
        try:
            _, words = self.process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise LoadFailed("fsdload did not end") from error
        if self.process.returncode != 0:
            lines = words.strip().splitlines()
            raise LoadFailed(lines[-1] if lines else "fsdload could not measure")
        found = read_figures(json.loads(self.report.read_text("utf-8")))
        took = time.monotonic() - self.begun
        found["waited"] = (waited_by(self.pid) - self.waited) / took
        return found


@dataclass(frozen=True, slots=True)
class Load:
    """fsdload, ready to be run against servers.

    Args:
        program: compiled from bench/fsdload.
        folder: for its reports.
    """

    program: Path
    folder: Path

    @contextmanager
    def started(
        self,
        server: Running,
        *options: str,
        prefix: Prefix = (),
        name: str = "load",
    ) -> Iterator[Started]:
        """Begin to load ``server``; whatever is left of it is ended afterwards.

        Args:
            server: to be loaded and measured.
            options: of fsdload.
            prefix: see `bench.confines`.
            name: of the report, where two loads run at once.
        """
        report = self.folder / f"{name}.json"
        report.unlink(missing_ok=True)
        process = subprocess.Popen(  # noqa: S603 - compiled by the bench
            [
                *prefix,
                *(str(self.program), "--quiet", "--json", str(report)),
                *("--port", str(server.port), "--server-pid", str(server.pid)),
                *("--cid", CID, "--password", PASSWORD),
                *options,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                yield Started(
                    process,
                    report,
                    pid=server.pid,
                    begun=time.monotonic(),
                    waited=waited_by(server.pid),
                )
            finally:
                process.kill()

    def run(
        self, server: Running, *options: str, prefix: Prefix = ()
    ) -> dict[str, float]:
        """Load ``server`` and return what was found; see `started`.

        Raises:
            LoadFailed: it did not measure.
        """
        with self.started(server, *options, prefix=prefix) as load:
            return load.figures()
