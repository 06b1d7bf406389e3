"""A process that is listed in etcd, for tests and for the bench.

    python -m tests.integration.discovery_member ENDPOINT --name N [options]

registers instances of ``passport`` and, once they stand in etcd, prints a line. It
ends cleanly on SIGTERM.
"""

import argparse
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any, Final

__all__ = ["Member"]

_ROOT: Final = Path(__file__).parents[2]
_PATIENCE: Final = 60.0  # seconds, until a process is listed


class Member:
    """A process of its own that is listed in etcd.

    Args:
        endpoint: of etcd.
        name: what it is listed as.
        arguments: further ones of the program.
    """

    def __init__(self, endpoint: str, name: str, *arguments: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - nothing from outside
            [
                sys.executable,
                "-m",
                "tests.integration.discovery_member",
                endpoint,
                f"--name={name}",
                *arguments,
            ],
            cwd=_ROOT,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def wait(self) -> None:
        """Return when it is listed.

        Raises:
            AssertionError: it is not.
        """
        assert self._process.stdout is not None, "a pipe, see above"
        ready, _, _ = select.select([self._process.stdout], [], [], _PATIENCE)
        if not ready or not self._process.stdout.readline():
            raise AssertionError("the process is not listed")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait_for_end(self) -> int:
        """Return its exit status."""
        return self._process.wait(_PATIENCE)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint")
    parser.add_argument("--name", required=True)
    parser.add_argument("--client", default="lean")
    parser.add_argument("--ttl", type=int, default=2)
    parser.add_argument("--base-path", default="/rum")
    parser.add_argument("--follow", action="store_true")
    arguments = parser.parse_args()

    # Only now, and in this order: a reactor loads OpenSSL wherever it is installed.
    sys.modules.setdefault("OpenSSL", None)  # type: ignore[arg-type]
    from twisted.internet import asyncioreactor  # noqa: PLC0415

    asyncioreactor.install()
    from twisted.internet import reactor as installed  # noqa: PLC0415
    from twisted.internet.task import LoopingCall  # noqa: PLC0415

    from rum_twisted.config import DiscoverySettings  # noqa: PLC0415
    from rum_twisted.discovery.choose import make_discovery  # noqa: PLC0415
    from rum_twisted.terms.instance import Instance  # noqa: PLC0415
    from rum_twisted.terms.units import Seconds  # noqa: PLC0415

    reactor: Any = installed
    discovery = make_discovery(
        DiscoverySettings(
            backend="etcd",
            endpoints=(arguments.endpoint,),
            client=arguments.client,
            lease_ttl=arguments.ttl,
            base_path=arguments.base_path,
        ),
        reactor,
        Random(),  # noqa: S311 - spreads waits
    )
    discovery.register(
        Instance(
            service="passport",
            name=arguments.name,
            address="127.0.0.1:7001",
            version="4.0.0",
            started=Seconds(0.0),
        )
    )
    if arguments.follow:
        discovery.services()
    discovery.startService()
    reactor.addSystemEventTrigger("before", "shutdown", discovery.stopService)

    def look() -> None:
        if discovery.health.is_registered:
            looking.stop()
            sys.stdout.write("listed\n")
            sys.stdout.flush()

    looking = LoopingCall(look)
    looking.start(0.02)
    reactor.run()


if __name__ == "__main__":
    _main()
