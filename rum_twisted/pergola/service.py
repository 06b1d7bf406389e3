"""The front as a service: it listens, looks after connections, and goes down well."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from fcntl import F_DUPFD_CLOEXEC, fcntl
from pathlib import Path
from random import Random
from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.defer import TimeoutError as WaitTimeout
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.internet.tcp import Port
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.pergola.connections import SWEEP_INTERVAL, SWEEP_PAUSE
from rum_twisted.pergola.factory import FSDFactory
from rum_twisted.session.replies import ANNOUNCER
from rum_twisted.session.tally import Closing
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.units import Seconds
from rum_twisted.wire.codec import encode
from rum_twisted.wire.messages.weather import WindDelta

__all__ = ["CannotStart", "PergolaService"]

_LIMIT_CHECK: Final = Seconds(10.0)
_FAREWELL: Final = "The server is going down."
_LAST_MOMENT: Final = Seconds(1.0)
"""How long clients have to hang up when the server goes down."""

_BACKLOG: Final = 4096
"""Connections that wait to be accepted; Twisted's 50 lose most of a logon storm."""

_OTHER_FILES: Final = 1100  # connections on their way out, logs, the event loop

_STREAMS: Final = frozenset(("tcp", "tcp6", "ssl"))  # endpoints that take a backlog


class CannotStart(Exception):
    """The server cannot listen where it should; the message says where and why."""


class PergolaService(Service):
    """The FSD front.

    Args:
        reactor: listens and schedules.
        endpoints: where to listen, as Twisted's endpoint strings.
        factory: makes the protocols.
        wind_delta_interval: between two ``#DL``.
        cores: tells how much of a core this process may use; asked now and then.
        random: draws the wind's changes.
    """

    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        endpoints: Sequence[str],
        factory: FSDFactory,
        *,
        wind_delta_interval: Seconds,
        cores: Callable[[], float | None],
        random: Random,
    ) -> None:
        self.setName("pergola")
        self.fanout = factory.fanout
        self.connections = factory.connections
        self._reactor = reactor
        self._endpoints = endpoints
        self._factory = factory
        self._random = random
        self._cores = cores
        self._ports: list[IListeningPort] = []
        self._rounds = LoopingCall(self._look_after)
        self._next_go: IDelayedCall | None = None  # of this round
        self._wind = LoopingCall(self._change_wind)
        self._wind_interval = wind_delta_interval
        self._limit = LoopingCall(self._obey_limit)
        for loop in (self._rounds, self._wind, self._limit):
            loop.clock = reactor

    @override
    def __repr__(self) -> str:
        """Tell where it listens, and to how many."""
        return f"<Pergola on {self._endpoints}: {self.connections!r}>"

    @property
    def addresses(self) -> list[str]:
        """Where it listens, as ``host:port``; empty while it does not run."""
        return [_printed(port) for port in self._ports]

    def measures(self) -> dict[str, Callable[[], Measure]]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {
            "connections": self.connections.measure,
            "outboxes": self.connections.measure_outboxes,
            "turn": self.fanout.measure,
            "airspace": self.fanout.measure_airspace,
        }

    def shrink(self) -> int:
        """Let go of what can be worked out anew; return how many bytes that is."""
        return self.fanout.shrink()

    def tell_everybody(self, text: str) -> None:
        """Send a text of the server to all who are on."""
        for connection in list(self.connections.open):
            connection.say(text)
        self.fanout.settle()

    def unready(self) -> str:
        """Tell why clients cannot connect; see `Needed`."""
        return "" if self._ports else "clients cannot connect yet, or any more"

    @override
    def privilegedStartService(self) -> None:
        """Listen, while the process may still use low ports.

        Raises:
            CannotStart: an address is taken, or not ours.
        """
        super().privilegedStartService()
        self._listen()

    @override
    def startService(self) -> None:
        """Begin to look after connections; listen, if that is not done yet."""
        super().startService()
        self._allow_files()
        if not self._ports:
            self._listen()
        self._rounds.start(SWEEP_INTERVAL, now=False)
        self._wind.start(self._wind_interval, now=False)
        self._limit.start(_LIMIT_CHECK, now=True)

    @override
    def stopService(self) -> Deferred[None]:
        """Go down; fires when no port, timer or connection is left."""
        super().stopService()
        return Deferred.fromCoroutine(self._go_down())

    async def _go_down(self) -> None:
        """Take no new clients, say a last word, then end the connections."""
        for loop in (self._rounds, self._wind, self._limit):
            if loop.running:
                loop.stop()
        if self._next_go is not None:
            self._next_go.cancel()
            self._next_go = None
        ports, self._ports = self._ports, []
        self._factory.ports = []
        for port in ports:
            await maybeDeferred(port.stopListening)
        self.tell_everybody(_FAREWELL)
        self.fanout.stop()
        for connection in list(self.connections.open):
            connection.disconnect(Closing.SHUTDOWN)
        gone = self.connections.when_all_gone()
        gone.addTimeout(_LAST_MOMENT, self._reactor)
        try:
            await gone
        except WaitTimeout:
            gone = self.connections.when_all_gone()
            self.connections.abort_all()
            await gone

    def _listen(self) -> None:
        """Listen on every endpoint, or on none."""
        for description in self._endpoints:
            listening = maybeDeferred(self._listen_on, description)
            listening.addCallback(self._ports.append)
            failures: list[Failure] = []
            listening.addErrback(failures.append)
            for failure in failures:
                for port in self._ports:
                    port.stopListening()
                self._ports = []
                raise CannotStart(
                    f"cannot listen on {description}: {_reason(failure)}"
                ) from failure.value
        self._factory.ports = [port for port in self._ports if isinstance(port, Port)]

    def _listen_on(self, description: str) -> Deferred[IListeningPort]:
        endpoint = serverFromString(self._reactor, _with_backlog(description))
        listening: Deferred[IListeningPort] = endpoint.listen(self._factory)
        return listening

    def _allow_files(self) -> None:
        """Allow the process as many open files as its clients need."""
        needed = self.connections.max_clients + _OTHER_FILES
        soft, hard = getrlimit(RLIMIT_NOFILE)
        if soft >= needed:
            _make_room_for_files(needed)
            return
        allowed = needed if hard == RLIM_INFINITY else min(needed, hard)
        setrlimit(RLIMIT_NOFILE, (allowed, hard))
        _make_room_for_files(allowed)
        if allowed < needed:
            self.log.warn(
                "{allowed} files may be open, but pergola.max_clients needs {needed}; "
                "allow the process more (LimitNOFILE=, ulimit -n)",
                allowed=allowed,
                needed=needed,
            )

    def _look_after(self) -> None:
        """Begin a round over the connections, of one go where there are not many."""
        try:
            self.connections.begin_round()
        except Exception:  # noqa: BLE001  # there must be a next one
            self.log.failure("a round over the connections failed")
        if self._next_go is None:
            self._sweep()

    def _sweep(self) -> None:
        """Look after some connections; one bad check does not end the others."""
        self._next_go = None
        try:
            self.connections.sweep()
            self.fanout.settle()
        except Exception:  # noqa: BLE001  # the round must go on
            self.log.failure("a sweep over the connections failed")
        if self.connections.unswept and self.running:
            self._next_go = self._reactor.callLater(SWEEP_PAUSE, self._sweep)

    def _obey_limit(self) -> None:
        """Fit the turns into the CPU limit; it may be changed while we run."""
        try:
            self.fanout.obey_limit(self._cores())
        except Exception:  # noqa: BLE001  # the loop must go on
            self.log.failure("the CPU limit could not be looked up")

    def _change_wind(self) -> None:
        """Tell everybody of a small change of the wind."""
        try:
            speed = self._random.randint(-5, 5)
            direction = self._random.randint(-10, 10)
            line = encode(WindDelta(ANNOUNCER, "*", speed, direction))
            self.fanout.announce(line, None)
            self.fanout.settle()
        except Exception:  # noqa: BLE001  # the loop must go on
            self.log.failure("the wind could not be changed")


def _make_room_for_files(count: int) -> None:
    """Have the kernel's table of our open files as long as it may have to be.

    It doubles whenever it is full, and a process with threads stands still for that
    until no core looks at the old table any more: on a busy one 10 to 20 ms, in the
    middle of a storm of logons. The table takes 8 bytes a file. Where it cannot be had
    now, it grows later.
    """
    with suppress(OSError), Path(os.devnull).open("rb") as file:
        os.close(fcntl(file, F_DUPFD_CLOEXEC, count - 1))


def _with_backlog(description: str) -> str:
    """Return an endpoint string with a backlog, unless it names one or has none."""
    kind = description.partition(":")[0]
    if kind not in _STREAMS or "backlog=" in description:
        return description
    return f"{description}:backlog={_BACKLOG}"


def _reason(failure: Failure) -> str:
    """Say in a few words why listening failed."""
    error = failure.value
    if isinstance(error, CannotListenError):
        error = error.socketError
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)


def _printed(port: IListeningPort) -> str:
    address = port.getHost()
    host, number = getattr(address, "host", None), getattr(address, "port", None)
    return str(address) if host is None else f"{host}:{number}"
