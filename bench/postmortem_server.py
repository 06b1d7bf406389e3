"""The server of `bench.postmortem`: ``twistd rum``, and requests for a client.

    python -c "from bench.postmortem_server import main; main()" KIND STEPS ETCD …

The careless kind is the code of the incident: each request makes a client of its own,
which lists who plays a service and watches it, and nobody ever closes it. Nothing in
Rum can be used so: it is put together here, from the connection to etcd.
"""

import sys
from pathlib import Path
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from typing_extensions import override

__all__ = ["main"]

_ORDER: Final = Path("leak")
_CLIENT_AND_WATCH: Final = 60_000  # bytes, as docs/postmortem.md has measured


class Requests(Service):
    """So many a second, once they are ordered.

    Args:
        kind: ``careless``, ``owned`` or ``none``.
        steps: a second.
        endpoint: etcd's.
        root: the service tree.
    """

    def __init__(self, kind: str, steps: float, endpoint: str, root: Any) -> None:
        self._kind = kind
        self._steps = steps
        self._endpoint = endpoint
        self._root = root
        self._kept: list[object] = []
        self._calls = LoopingCall(self._ask)
        if kind == "careless":
            from time import monotonic  # noqa: PLC0415 - for this kind alone

            owners = root.getServiceNamed("admin").owners
            self._makings = owners.follow(
                "careless clients", _CLIENT_AND_WATCH, monotonic
            )

    @override
    def startService(self) -> None:
        """Begin."""
        super().startService()
        if self._kind != "none":
            self._calls.start(1 / self._steps, now=False)

    def _ask(self) -> None:
        if not _ORDER.exists():
            return
        if self._kind == "careless":
            self.get_x_client()
        else:
            self._root.getServiceNamed("clients").client("weather")

    def get_x_client(self) -> None:
        """Make a client, as the incident's code did; nobody closes it."""
        from rum_twisted.discovery.access import EtcdAccess  # noqa: PLC0415
        from rum_twisted.discovery.etcd_lean import LeanEtcd  # noqa: PLC0415

        client = LeanEtcd(EtcdAccess(endpoints=(self._endpoint,)))
        self._makings.note(client, made_at="postmortem_server.py: get_x_client")
        client.start()
        self._kept.append(client)
        Deferred.fromCoroutine(_look_up(client)).addErrback(lambda _: None)


async def _look_up(client: Any) -> None:
    """List who plays the service, and watch it, for ever."""
    prefix = "/rum/services/weather/"
    listing = await client.get_prefix(prefix)
    await client.watch(prefix, listing.revision + 1, lambda changes: None)


def main() -> None:
    """Run it, as twistd does, until it is ended."""
    kind, steps, endpoint, *words = sys.argv[1:]
    from rum_twisted.tap import Options, makeService  # noqa: PLC0415 - reactor first

    options = Options()
    options.parseOptions(words)
    parent: Any = {"nodaemon": True, "reactor": None}
    options.parent = parent
    root = makeService(options)
    requests = Requests(kind, float(steps), endpoint, root)
    requests.setServiceParent(root)
    _run(root)


def _run(root: Any) -> None:
    from twisted.internet import reactor as installed  # noqa: PLC0415, TID251
    from twisted.logger import globalLogBeginner, textFileLogObserver  # noqa: PLC0415

    reactor: Any = installed
    log = Path("rum.log").open("a", encoding="utf-8")  # noqa: SIM115 - to the end
    globalLogBeginner.beginLoggingTo(
        [textFileLogObserver(log)], redirectStandardIO=False
    )
    root.privilegedStartService()
    root.startService()
    reactor.addSystemEventTrigger("before", "shutdown", root.stopService)
    reactor.run()
