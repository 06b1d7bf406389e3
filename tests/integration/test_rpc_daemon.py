"""gRPC in a process that twistd has put into the background.

A channel that is made before the fork never works after it, and a test in the
foreground does not notice.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

ROOT: Final = Path(__file__).parents[2]
PATIENCE: Final = 60.0  # seconds, until a test gives up on a process

# Serves weather, asks itself for some, and writes down what it was told: first the
# report, then, when it is stopped, that everything has been closed.
PROGRAM: Final = """
from pathlib import Path
from random import Random

from twisted.application.service import Application, IServiceCollection, Service
from twisted.internet import reactor

from rum_twisted.rpc.client import XClients
from rum_twisted.rpc.server import RpcServer, ServerSettings
from rum_twisted.rpc.weather import WeatherServicer
from rum_twisted.weather.memory import MemoryWeather
from rum_twisted.weather.remote import RemoteWeather
from tests.support.fabric import ListedInstances, make_instance

instances = ListedInstances()
server = RpcServer(
    ServerSettings(), [WeatherServicer(MemoryWeather({"EHAM": "EHAM CAVOK"}))], reactor
)
clients = XClients(instances, reactor, Random(1))
weather = RemoteWeather(clients, 5.0)


class Teller(Service):
    def startService(self):
        for service in (server, clients, weather):
            service.startService()
        instances.change(make_instance("a", server.address))
        weather.metar("EHAM").addBoth(self.tell, "answer")

    def stopService(self):
        weather.stopService()
        stopping = clients.stopService()
        stopping.addCallback(lambda _: server.stopService())
        return stopping.addBoth(self.tell, "end")

    def tell(self, what, file):
        Path(file + ".part").write_text(str(what))
        Path(file + ".part").rename(file)


application = Application("rpc")
Teller().setServiceParent(IServiceCollection(application))
"""

TWISTD: Final = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")


class DaemonTests(SynchronousTestCase):
    """A daemon that calls and is called."""

    def test_calls_work_after_the_fork(self) -> None:
        """It asks itself over gRPC, and ends cleanly when it is told to."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "rpc.tac").write_text(PROGRAM)
        subprocess.run(  # noqa: S603 - this very Python
            [*TWISTD, "--reactor=asyncio", "--logfile=log", "-y", "rpc.tac"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=True,
            timeout=PATIENCE,
        )
        pid = int(self.wait_for(folder / "twistd.pid", folder))
        handle = os.pidfd_open(pid)
        self.addCleanup(os.close, handle)
        self.addCleanup(self.kill, handle)
        self.assertEqual(self.wait_for(folder / "answer", folder), "EHAM CAVOK")
        os.kill(pid, signal.SIGTERM)
        ended, _, _ = select.select([handle], [], [], PATIENCE)
        self.assertTrue(ended, "it does not end")
        self.assertEqual((folder / "end").read_text(), "None")
        self.assertNotIn("Traceback", (folder / "log").read_text())

    def wait_for(self, file: Path, folder: Path) -> str:
        """Return the text of a file as soon as it is there."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            text = file.read_text() if file.exists() else ""
            if text:
                return text
            select.select([], [], [], 0.05)
        log = folder / "log"
        raise TimeoutError(log.read_text() if log.exists() else f"no {file.name}")

    def kill(self, handle: int) -> None:
        """End the daemon, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
