"""A logbook across processes: entries in batches, each written once.

Contract: ``proto/rum/v1/passport.proto``, service Logbook. A writer sends its batches
one after the other, each until it is answered; so the reader needs to know only the
number of the last one to tell a repeated batch from a new one.
"""

from collections.abc import Sequence
from typing import Final, assert_never

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.rpc.client import XClient
from rum_twisted.rpc.convert import (
    Came,
    Entry,
    Left,
    Unreadable,
    entry_of,
    message_of_entry,
)
from rum_twisted.rpc.errors import Code
from rum_twisted.rpc.generated import passport_pb2 as pb2
from rum_twisted.rpc.method import Method
from rum_twisted.rpc.servicing import Answering, Refusal
from rum_twisted.session.interfaces import ILogbook, StaffAct
from rum_twisted.terms.units import Seconds
from rum_twisted.world.client import Client

__all__ = ["LONGEST_BATCH", "LogbookServicer", "write"]

LONGEST_BATCH: Final = 1000  # entries
LONGEST_WRITER: Final = 64  # characters of a writer's name
MOST_WRITERS: Final = 100
MOST_VISITS: Final = 20_000  # of one writer; who has more has lost count
SILENCE: Final = Seconds(600.0)  # then a writer is taken for dead
_SWEEP_INTERVAL: Final = Seconds(60.0)

_SERVICE: Final = pb2.DESCRIPTOR.services_by_name["Logbook"]
_WRITE: Final = Method.of(
    _SERVICE, "Write", pb2.WriteRequest, pb2.WriteResponse, may_repeat=True
)


class _Writer:
    """What is known of one writer.

    Invariant: ``visits`` are those who are online there, as far as we were told.
    """

    __slots__ = ("heard_at", "number", "visits")

    def __init__(self) -> None:
        self.number = 0  # of the last batch
        self.visits: dict[int, Client] = {}
        self.heard_at = 0.0


class LogbookServicer(Service):
    """Lets other processes write into a logbook.

    Args:
        logbook: is written.
        clock: tells which writers are silent.
    """

    log = Logger()
    name: str = _SERVICE.full_name

    def __init__(self, logbook: ILogbook, clock: IReactorTime) -> None:
        self._logbook = logbook
        self._clock = clock
        self._writers: dict[str, _Writer] = {}
        self._sweeps: LoopingCall | None = None
        self.answers = (Answering(_WRITE, self._write),)

    @override
    def __repr__(self) -> str:
        online = sum(len(writer.visits) for writer in self._writers.values())
        return f"<LogbookServicer: {len(self._writers)} writers, {online} online>"

    @override
    def startService(self) -> None:
        """Look for silent writers from now on."""
        super().startService()
        if self._sweeps is None:
            self._sweeps = LoopingCall(self._sweep)
            self._sweeps.clock = self._clock
            self._sweeps.start(_SWEEP_INTERVAL, now=False).addErrback(
                lambda reason: self.log.failure("logbook: sweeps ended", reason)
            )

    @override
    def stopService(self) -> None:
        """Look no more, and forget all writers: the logbook ends its own visits."""
        super().stopService()
        if self._sweeps is not None:
            self._sweeps.stop()
            self._sweeps = None
        self._writers.clear()

    async def _write(self, request: pb2.WriteRequest) -> pb2.WriteResponse:
        if not 0 < len(request.writer) <= LONGEST_WRITER:
            raise Refusal(
                Code.INVALID_ARGUMENT, f"writer: due 1 to {LONGEST_WRITER} characters"
            )
        if len(request.entries) > LONGEST_BATCH:
            raise Refusal(
                Code.INVALID_ARGUMENT, f"entries: due are at most {LONGEST_BATCH}"
            )
        try:
            entries = [entry_of(message) for message in request.entries]
        except Unreadable as error:
            raise Refusal(Code.INVALID_ARGUMENT, str(error)) from error
        writer = self._writers.get(request.writer)
        if writer is not None and request.number > writer.number + 1:
            # Somebody else has been written to meanwhile, and has lost the thread, too.
            self._end(request.writer)
            writer = None
        is_known = writer is not None
        if writer is None:
            writer = self._meet(request.writer)
        writer.heard_at = self._clock.seconds()
        if request.number > writer.number:
            writer.number = request.number
            for entry in entries:
                self._take_down(writer, entry)
        return pb2.WriteResponse(is_known=is_known)

    def _meet(self, name: str) -> _Writer:
        if len(self._writers) >= MOST_WRITERS:
            silent = min(self._writers, key=lambda each: self._writers[each].heard_at)
            self._end(silent)
        writer = self._writers[name] = _Writer()
        return writer

    def _take_down(self, writer: _Writer, entry: Entry) -> None:
        visits = writer.visits
        match entry:
            case Came():
                if entry.visit not in visits and len(visits) < MOST_VISITS:
                    visits[entry.visit] = entry.client
                    self._logbook.logged_on(entry.client, entry.address)
            case Left():
                client = visits.pop(entry.visit, None)
                if client is not None:
                    self._logbook.logged_off(client)
            case StaffAct():
                self._logbook.acted(entry)
            case _:
                assert_never(entry)

    def _sweep(self) -> None:
        """End the visits of writers who are silent; whatever happens, go on."""
        now = self._clock.seconds()
        for name, writer in list(self._writers.items()):
            if now - writer.heard_at < SILENCE:
                continue
            try:
                self._end(name)
            except Exception:  # noqa: BLE001 - one bad sweep must not end all later
                self.log.failure("logbook: {writer} not ended", writer=name)

    def _end(self, name: str) -> None:
        writer = self._writers.pop(name)
        self.log.info(
            "logbook: {writer} writes no more; {count} visits ended",
            writer=name,
            count=len(writer.visits),
        )
        for client in writer.visits.values():
            self._logbook.logged_off(client)


async def write(
    client: XClient,
    writer: str,
    number: int,
    entries: Sequence[Entry],
    timeout: Seconds,
) -> bool:
    """Write a batch into the logbook of another process.

    Args:
        client: of `PASSPORT`.
        writer: our name, of this start alone.
        number: of the batch, one more than that of the last.
        entries: at most `LONGEST_BATCH`.
        timeout: for the answer.

    Returns:
        whether we are known there; if not, those who are online have to be told of
        again.

    Raises:
        RpcError: it was not answered.
    """
    request = pb2.WriteRequest(
        writer=writer,
        number=number,
        entries=[message_of_entry(entry) for entry in entries],
    )
    answer = await client.call(_WRITE, request, timeout=timeout, key=writer)
    return answer.is_known
