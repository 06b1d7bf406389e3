"""A service that a test calls, in its own process or in another.

    python -m tests.integration.rpcserver NAME [--port N] [--delay S] [--refuse CODE]
        [--fail-every N] [--etcd HOST:PORT] [--version V]

serves weather until it is stopped, and prints the address when it does; with an etcd,
it is listed there for four seconds longer than it lives. The report of every station
is ``NAME``, so that it tells who has answered.
"""

import argparse
import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from rum_twisted.config import DiscoverySettings
from rum_twisted.discovery.choose import make_discovery
from rum_twisted.rpc.errors import Code
from rum_twisted.rpc.generated import weather_pb2 as pb2
from rum_twisted.rpc.server import RpcServer, ServerSettings
from rum_twisted.rpc.servicing import Answering, Refusal
from rum_twisted.rpc.weather import METAR
from tests.support.fabric import chance, make_instance

__all__ = ["ForeignServer", "Reporter"]

_ROOT: Final = Path(__file__).parents[2]
_PATIENCE: Final = 60.0  # seconds, until a process serves


class Reporter:
    """Answers with its name, after a while or not at all.

    Args:
        name: the report.
    """

    name: str = "rum.v1.Weather"

    def __init__(self, name: str) -> None:
        self.called = name
        self.delay = 0.0  # seconds
        self.refusals: list[Code | None] = []  # for the next calls; None: none
        self.is_refusing: Code | None = None  # for all calls
        self.fail_every = 0  # of how many calls one fails; 0: none
        self.asked = 0
        self.given_up = 0  # calls that were cancelled before they were answered
        self.look: Callable[[pb2.StationRequest], None] = lambda _: None
        self.answers = (Answering(METAR, self._metar),)

    @override
    def __repr__(self) -> str:
        return f"<Reporter {self.called}: asked {self.asked} times>"

    async def _metar(self, request: pb2.StationRequest) -> pb2.MetarResponse:
        self.asked += 1
        self.look(request)
        if self.delay:
            try:
                await asyncio.sleep(self.delay)
            except asyncio.CancelledError:
                self.given_up += 1
                raise
        code = self.refusals.pop(0) if self.refusals else self.is_refusing
        if self.fail_every and self.asked % self.fail_every == 0:
            code = Code.INTERNAL
        if code is not None:
            raise Refusal(code, f"{self.called} refuses")
        return pb2.MetarResponse(report=self.called)


class ForeignServer:
    """A server in a process of its own.

    Args:
        name: what it reports.
        port: 0: any.
        arguments: further ones of the program.
    """

    def __init__(self, name: str, *arguments: str, port: int = 0) -> None:
        command = [sys.executable, "-m", __name__, name, "--port", str(port)]
        self._process = subprocess.Popen(  # noqa: S603 - this very module
            [*command, *arguments],
            cwd=_ROOT,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _PATIENCE)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            self.end()
            raise TimeoutError(f"{name} does not serve")
        self.address = line.decode().strip()

    @override
    def __repr__(self) -> str:
        return f"<ForeignServer {self.address}>"

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.address.rpartition(":")[2])

    def freeze(self) -> None:
        """Stop it where it is: its kernel answers, it does not."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as ``kill -9`` does, and wait for that."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """End it however it is; twice does no harm."""
        with suppress(ProcessLookupError):
            self.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()


def main() -> None:
    """Serve as the command line says."""
    from twisted.internet import asyncioreactor  # noqa: PLC0415 - as a program

    loop = asyncio.SelectorEventLoop()
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)
    from twisted.internet import reactor as installed_reactor  # noqa: PLC0415 - after it

    reactor: Any = installed_reactor
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--refuse", type=lambda word: Code[word], default=None)
    parser.add_argument("--fail-every", type=int, default=0)
    parser.add_argument("--etcd", default="")
    parser.add_argument("--version", default="4.0.0")
    options = parser.parse_args()
    reporter = Reporter(options.name)
    reporter.delay, reporter.is_refusing = options.delay, options.refuse
    reporter.fail_every = options.fail_every
    settings = ServerSettings(listen=f"127.0.0.1:{options.port}")
    server = RpcServer(settings, [reporter], reactor)
    server.startService()
    reactor.addSystemEventTrigger("before", "shutdown", server.stopService)
    if options.etcd:
        discovery = make_discovery(
            DiscoverySettings(backend="etcd", endpoints=(options.etcd,), lease_ttl=4),
            reactor,
            chance(),
        )
        discovery.register(
            make_instance(options.name, server.address, version=options.version)
        )
        discovery.startService()
        reactor.addSystemEventTrigger("before", "shutdown", discovery.stopService)
    sys.stdout.write(f"{server.address}\n")
    sys.stdout.flush()
    reactor.run()


if __name__ == "__main__":
    main()
