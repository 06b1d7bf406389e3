"""A logbook that another process keeps, behind the same interface as all others."""

from collections import deque
from collections.abc import Callable
from itertools import count, islice
from typing import Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.rpc.bridge import deferred
from rum_twisted.rpc.client import XClient, XClients
from rum_twisted.rpc.convert import Came, Entry, Left
from rum_twisted.rpc.errors import ClientClosed, Code, RpcError
from rum_twisted.rpc.logbook import LONGEST_BATCH, write
from rum_twisted.rpc.passport import PASSPORT
from rum_twisted.session.interfaces import ILogbook, StaffAct
from rum_twisted.terms.measure import Measure, Measuring
from rum_twisted.terms.units import Seconds
from rum_twisted.world.client import Client

__all__ = ["RemoteLogbook"]

LONGEST: Final = 20_000  # entries that wait
_ENTRY: Final = 100  # bytes of one that waits, or of a visit that goes on
ANSWER_WITHIN: Final = Seconds(10.0)
HEARTBEAT: Final = Seconds(60.0)  # between batches, while nothing happens
LAST_WORD_WITHIN: Final = Seconds(3.0)  # for the last batch, when we stop


@implementer(ILogbook)
class RemoteLogbook(Service):
    """Writes into the logbook of the role ``passport``, in batches; see `ILogbook`.

    Invariants: at most one batch is under way; an entry leaves the queue when it has
    been answered for, or when the queue is full and it is the oldest.

    Args:
        clients: to be started before this.
        clock: times the batches.
        now: tells the seconds since the Unix epoch.
        writer: our name, which no other process and no other start of ours has.
        interval: how often what is new is written.
    """

    log = Logger()

    def __init__(
        self,
        clients: XClients,
        clock: IReactorTime,
        now: Callable[[], Seconds],
        *,
        writer: str,
        interval: Seconds,
    ) -> None:
        self.name = "logbook"
        self._clients = clients
        self._clock = clock
        self._now = now
        self._writer = writer
        self._interval = interval
        self._client: XClient | None = None
        self._ticks: LoopingCall | None = None
        self._numbers = count(1)
        self._visits = count(1)
        self._online: dict[Client, Came] = {}
        self._waiting: deque[Entry] = deque()
        self._batch: list[Entry] = []  # of ``_waiting``, its beginning; being written
        self._number = 0  # of that batch
        self.writing: Deferred[None] | None = None  # fires when that has ended
        self._heard_at = 0.0
        self._is_away = False  # as told to the operator
        self.dropped = 0  # entries, since the start

    @override
    def __repr__(self) -> str:
        return f"<RemoteLogbook: {len(self._online)} on, {self.waiting} to write>"

    @property
    def waiting(self) -> int:
        """How many entries are not written yet."""
        return len(self._waiting) + len(self._batch)

    def measures(self) -> dict[str, Measuring]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"logbook": self._measure}

    def _measure(self) -> Measure:
        kept = self.waiting + len(self._online)
        return Measure(count=self.waiting, bytes=kept * _ENTRY, bound=LONGEST)

    # What a session calls.

    def logged_on(self, client: Client, address: str) -> None:
        """Note that a client came."""
        came = Came(
            visit=next(self._visits),
            client=client,
            address=address,
            at=client.logged_on_at,
        )
        self._online[client] = came
        self._note(came)

    def logged_off(self, client: Client) -> None:
        """Note that he left."""
        came = self._online.pop(client, None)
        if came is not None:
            self._note(Left(came.visit))

    def acted(self, act: StaffAct) -> None:
        """Note what was done."""
        self._note(act)

    # The service.

    @override
    def startService(self) -> None:
        """Write every few seconds from now on."""
        if self.running:
            return
        super().startService()
        self._client = self._clients.client(PASSPORT)
        self._ticks = LoopingCall(self._tick)
        self._ticks.clock = self._clock
        self._ticks.start(self._interval, now=False).addErrback(
            lambda reason: self.log.failure("logbook: batches ended", reason)
        )

    @override
    def stopService(self) -> Deferred[None]:
        """Write what is left, if that is possible within some seconds.

        Returns:
            a Deferred that fires when it is written, or given up.
        """
        super().stopService()
        if self._ticks is not None:
            self._ticks.stop()
            self._ticks = None
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._client is None:
            return
        deadline = self._clock.seconds() + LAST_WORD_WITHIN
        writing = self.writing
        if writing is not None:
            writing.cancel()
            await writing
        while self.waiting and self._clock.seconds() < deadline:
            remaining = Seconds(deadline - self._clock.seconds())
            if not await self._write(remaining):
                break
        if self.waiting:
            self.log.warn("logbook: {count} entries are lost", count=self.waiting)
            self._waiting.clear()
            self._batch.clear()
        self._online.clear()
        self._client.close()
        self._client = None

    def _note(self, entry: Entry) -> None:
        if len(self._waiting) >= LONGEST:
            if not self.dropped:
                self.log.warn(
                    "logbook: {count} entries wait; the oldest are lost", count=LONGEST
                )
            self.dropped += 1
            self._waiting.popleft()
        self._waiting.append(entry)

    def _tick(self) -> None:
        """Begin to write, unless something is being written already."""
        if self.writing is not None:
            return
        is_due = self._clock.seconds() - self._heard_at >= HEARTBEAT and self._online
        if self.waiting or is_due:
            self.writing = Deferred.fromCoroutine(self._write_all())

    async def _write_all(self) -> None:
        try:
            while await self._write(ANSWER_WITHIN) and self._waiting:
                pass
        except CancelledError:
            pass  # we stop; what was under way is written again, under its number
        except Exception:  # noqa: BLE001 - a bug here must not end the logbook
            self.log.failure("logbook: not written")
        finally:
            self.writing = None

    async def _write(self, timeout: Seconds) -> bool:
        """Write one batch, the same again if it was not answered; tell if it was."""
        assert self._client is not None, "only while it runs"
        if not self._batch:
            self._batch = list(islice(self._waiting, LONGEST_BATCH))
            for _ in self._batch:
                self._waiting.popleft()
            self._number = next(self._numbers)
        writing = write(self._client, self._writer, self._number, self._batch, timeout)
        try:
            is_known = await deferred(writing)
        except (RpcError, ClientClosed) as error:
            return self._note_trouble(error)
        self._batch = []
        self._heard_at = self._clock.seconds()
        if self._is_away:
            self._is_away = False
            self.log.info("logbook can be written again")
        if not is_known and self._number > 1:
            self._tell_again()
        return True

    def _tell_again(self) -> None:
        """Tell who is online to somebody who does not know us.

        What he has missed was written by the one before him: a visit begins anew.
        """
        waiting = {entry.visit for entry in self._waiting if isinstance(entry, Came)}
        for client, came in self._online.items():
            if came.visit not in waiting:
                again = Came(
                    visit=came.visit,
                    client=client,
                    address=came.address,
                    at=self._now(),
                )
                self._note(again)

    def _note_trouble(self, error: Exception) -> bool:
        """Tell the operator once; keep the batch, unless nobody ever takes it."""
        if isinstance(error, RpcError) and error.code is Code.INVALID_ARGUMENT:
            self.log.warn(
                "logbook: {count} entries are refused and lost: {trouble}",
                count=len(self._batch),
                trouble=error,
            )
            self._batch = []
            return True
        if not self._is_away:
            self._is_away = True
            self.log.warn("logbook cannot be written: {trouble}", trouble=error)
        return False
