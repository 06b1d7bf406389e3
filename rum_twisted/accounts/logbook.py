"""Who was on and for how long, and what staff did, written to the database in batches.

Nobody waits for it. What happens is noted in memory, and every few seconds what is new
goes to the database in one transaction. A session is written when it begins, once a
minute while it lasts, and when it ends: so a server that is killed loses a minute of
it, and its next start ends what it left open.

While the database is away, notes go to a file (`rum_twisted.accounts.spool`), and from
there to the database when it is back, at the next start if need be. Nothing is written
twice, since each thing has a key of its own.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.directory import PRUNED_AT_ONCE, AccountDirectory
from rum_twisted.accounts.member import Actor, AuditEntry, SessionRecord
from rum_twisted.accounts.notes import Notes
from rum_twisted.accounts.patient import DatabaseAway, PatientDatabase
from rum_twisted.accounts.spool import Batch, Spool, SpoolFull
from rum_twisted.session.interfaces import ILogbook, StaffAct
from rum_twisted.terms.identity import fold
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.units import Seconds
from rum_twisted.world.client import Client

__all__ = ["DatabaseLogbook", "InThread"]

InThread = Callable[[Callable[[], Any]], Deferred[Any]]
"""Runs what waits for the disk, so that the reactor does not."""

BATCH: Final = 100  # things in one transaction
REFRESH: Final = Seconds(60.0)  # how old the end of an open session may be
REFRESH_AWAY: Final = Seconds(
    600.0
)  # the same while it goes to the spool, which is small
LONGEST: Final = 20_000  # things in memory, where neither database nor disk takes them
_PRUNE_INTERVAL: Final = Seconds(3600.0)
_STOP_TIMEOUT: Final = Seconds(4.0)  # for the last batch; then the spool has to do
_THING: Final = 700  # bytes of a record or an entry, with its texts
_KEY_BYTES: Final = 12
_HIGHEST_FACILITY: Final = 99  # clients may say anything; there are seven
_LONGEST_ADDRESS: Final = 64
_LONGEST_DETAIL: Final = 500


@dataclass(slots=True)
class _Visit:
    """A client who is on."""

    record: SessionRecord
    noted: float  # on the clock, when it was handed on last


@implementer(ILogbook)
class DatabaseLogbook(Service):
    """Writes sessions and acts to the database; see `ILogbook`.

    Invariants: each thing that was noted is in memory, in the spool or in the database;
    at most `LONGEST` are in memory. Only while the database is away and the disk full,
    the oldest are dropped, and the log tells.

    Args:
        database: where it goes.
        spool: where it waits.
        clock: times the batches.
        now: tells the seconds since the Unix epoch.
        server: this server's ident; of two servers on one database each has its own.
        interval: how often what is new is written.
        retention: how long sessions are kept; ``None``: for ever. Hours stay.
        in_thread: for what waits for the disk.
    """

    log = Logger()

    def __init__(  # noqa: PLR0913 - each is another service or setting
        self,
        database: PatientDatabase,
        spool: Spool,
        clock: IReactorTime,
        now: Callable[[], Seconds],
        *,
        server: str,
        interval: Seconds,
        retention: Seconds | None,
        in_thread: InThread,
    ) -> None:
        self.name = "logbook"
        self._database = database
        self._spool = spool
        self._clock = clock
        self._now = now
        self._server = server
        self._interval = interval
        self._retention = retention
        self._in_thread = in_thread
        self._online: dict[Client, _Visit] = {}
        self._notes = Notes(LONGEST)
        self._started = Seconds(0.0)
        self._is_recovered = False  # what an earlier run left has been dealt with
        self._is_spooled = True  # perhaps: an earlier run may have
        self._offset = 0  # how far the spool has been written to the database
        self._is_troubled = False  # the operator knows that writing does not work
        self._is_spool_told = False  # and that the spool cannot be read
        self._dropped = 0  # how many things have been, as the operator knows
        self._next_prune = 0.0
        self._ticks: LoopingCall | None = None
        self._flushing: Deferred[None] | None = None

    @override
    def __repr__(self) -> str:
        return f"<DatabaseLogbook: {len(self._online)} on, {self.waiting} to write>"

    @property
    def waiting(self) -> int:
        """How many things are in memory only."""
        return len(self._notes)

    def measures(self) -> dict[str, Callable[[], Measure]]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"logbook": self.measure}

    def measure(self) -> Measure:
        """Tell what is in memory of those who are on, and to be written."""
        count = len(self._online) + self.waiting
        return Measure(count=count, bytes=count * _THING)

    # What a session calls.

    def logged_on(self, client: Client, address: str) -> None:
        """Note that a client came."""
        if not self.running:
            return
        record = SessionRecord(
            key=_new_key(),
            server=self._server,
            cid=fold(client.cid),
            callsign=client.callsign,
            kind=client.kind,
            rating=int(client.rating),
            address=address[:_LONGEST_ADDRESS],
            began=client.logged_on_at,
            seen=client.logged_on_at,
            is_open=True,
        )
        self._online[client] = _Visit(record, self._clock.seconds())
        self._note(record)

    def logged_off(self, client: Client) -> None:
        """Note that he left; after the last batch he has been noted as gone."""
        visit = self._online.pop(client, None)
        if visit is not None:
            self._note(self._record_now(client, visit, is_open=False))

    def acted(self, act: StaffAct) -> None:
        """Note what was done."""
        cid, blank, callsign = act.whom.partition(" ")
        entry = AuditEntry(
            at=self._now(),
            by=Actor(f"{fold(act.who_cid)} {act.who_callsign}".strip(), act.where),
            act=act.act,
            whom=f"{fold(cid)}{blank}{callsign}",
            # PostgreSQL keeps no NUL, and would refuse the whole act for it.
            detail=act.detail.replace("\0", " ")[:_LONGEST_DETAIL],
            key=_new_key(),
        )
        self._notes.add_entry(entry)

    # The service.

    @override
    def startService(self) -> None:
        """Write every few seconds from now on."""
        super().startService()
        if self._ticks is not None:
            return
        self._started = self._now()
        self._is_recovered = False
        self._is_spooled = True
        self._offset = 0
        self._next_prune = self._clock.seconds()
        self._ticks = LoopingCall(self._tick)
        self._ticks.clock = self._clock
        finished = self._ticks.start(self._interval)
        finished.addErrback(
            lambda reason: self.log.failure("logbook: batches ended", reason)
        )

    @override
    def stopService(self) -> Deferred[None]:
        """End all sessions, and write what is left: to the database, or else the spool.

        Returns:
            a Deferred that fires within ten seconds, when that is done.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        ticks, self._ticks = self._ticks, None
        if ticks is None:
            return
        ticks.stop()
        if self._flushing is not None:
            await _ended(self._flushing, self._clock)
        for client in list(self._online):
            self.logged_off(client)
        self._flushing = Deferred.fromCoroutine(self._flush())
        await _ended(self._flushing, self._clock)
        self._flushing = None
        await self._put_aside()
        if self.waiting:
            self.log.error(
                "logbook: {count} sessions and acts are lost: neither the database nor"
                " the disk has taken them",
                count=self.waiting,
            )

    def _tick(self) -> Deferred[None]:
        """Write what is new; whatever happens, there is a next time."""
        self._flushing = Deferred.fromCoroutine(self._flush())
        return self._flushing.addErrback(self._tell_bug)

    def _tell_bug(self, reason: Any) -> None:
        if not reason.check(CancelledError):
            self.log.failure("logbook: not written", reason)

    # Writing.

    async def _flush(self) -> None:
        """Hand everything that is new to the database, or else to the spool."""
        self._refresh()
        self._tell_dropped()
        if not self._database.is_there:
            await self._put_aside()
            return
        try:
            if self._is_spooled:
                await self._try_spool()
            if not self._is_recovered:
                await self._end_earlier_sessions()
            while self.waiting:
                await self._write(self._notes.take(BATCH))
            self._end_trouble()
            await self._prune()
        except DatabaseAway as error:
            self._begin_trouble(error)
            await self._put_aside()

    async def _write(self, batch: Batch) -> None:
        """Write a batch; if it cannot be known to be there, it stays in memory."""
        try:
            await self._write_whole(batch)
        except (DatabaseAway, CancelledError):
            self._notes.put_back(batch)
            raise

    async def _write_whole(self, batch: Batch) -> None:
        try:
            await self._database.write(partial(_record, batch=batch))
        except (DatabaseAway, CancelledError):
            raise
        except Exception:  # noqa: BLE001 - one thing must not hold all others up
            self.log.failure("logbook: batch of {count} refused", count=len(batch))
            await self._write_singly(batch)

    async def _write_singly(self, batch: Batch) -> None:
        """Write what the database wants; what it refuses is dropped."""
        refused = 0
        for single in _singles(batch):
            try:
                await self._database.write(partial(_record, batch=single))
            except (DatabaseAway, CancelledError):
                raise  # all of it comes again: twice does no harm
            except Exception:  # noqa: BLE001 - the log has it from the whole batch
                refused += 1
        self.log.error("logbook: {count} refused for good", count=refused)

    async def _try_spool(self) -> None:
        """Write what has waited in the file; if it cannot be read, it stays there."""
        try:
            await self._write_spool()
        except OSError as error:
            self._tell_unreadable(error)
        else:
            self._is_spool_told = False

    async def _write_spool(self) -> None:
        """Write what has waited in the file, and remove it."""
        count = flaws = 0
        while True:
            batch, offset, bad = await self._in_thread(
                lambda: self._spool.read(self._offset, BATCH)
            )
            if offset == self._offset:
                break
            flaws += bad
            if batch:
                await self._write_whole(batch)  # it is in the file, and stays there
                count += len(batch)
            self._offset = offset
        if await self._in_thread(lambda: self._spool.remove(self._offset)):
            self._is_spooled = False
            self._offset = 0
        if count or flaws:
            self.log.info(
                "logbook: {count} sessions and acts that had waited are written;"
                " {flaws} broken lines left out",
                count=count,
                flaws=flaws,
            )

    async def _end_earlier_sessions(self) -> None:
        """End what an earlier run of this server left open, when it was last known."""
        server, started = self._server, self._started
        count = await self._database.write(
            lambda directory: directory.close_open_sessions(server, started)
        )
        self._is_recovered = True
        if count:
            self.log.info(
                "logbook: {count} sessions that an earlier run left open are ended",
                count=count,
            )

    async def _prune(self) -> None:
        """Forget old sessions, some at a time."""
        if self._retention is None or self._clock.seconds() < self._next_prune:
            return
        before = Seconds(self._now() - self._retention)
        count = await self._database.write(
            lambda directory: directory.prune_sessions(before)
        )
        if count < PRUNED_AT_ONCE:
            self._next_prune = self._clock.seconds() + _PRUNE_INTERVAL

    async def _put_aside(self) -> None:
        """Add everything to the spool; what the disk does not take stays in memory."""
        if not self.waiting:
            return
        batch = self._notes.take(self.waiting)
        try:
            await self._in_thread(lambda: self._spool.add(batch))
        except (OSError, SpoolFull) as error:
            self._notes.put_back(batch)
            self._tell_no_room(error)
        except CancelledError:
            self._notes.put_back(batch)  # it may be there as well, which does no harm
            self._is_spooled = True
            raise
        else:
            self._is_spooled = True

    # What waits in memory.

    def _note(self, record: SessionRecord) -> None:
        """Note the newest that is known about a session, and about its member."""
        self._notes.add_session(record)
        self._notes.add_seen(record.cid, record.seen)

    def _refresh(self) -> None:
        """Note of those who are on that they still are, if that is long ago."""
        clock = self._clock.seconds()
        age = REFRESH if self._database.is_there else REFRESH_AWAY
        for client, visit in self._online.items():
            if clock - visit.noted >= age:
                visit.noted = clock
                visit.record = self._record_now(client, visit, is_open=True)
                self._notes.add_session(visit.record)

    def _record_now(
        self, client: Client, visit: _Visit, *, is_open: bool
    ) -> SessionRecord:
        facility = client.facility
        if client.is_pilot or not 0 <= facility <= _HIGHEST_FACILITY:
            facility = 0
        return replace(
            visit.record,
            facility=facility,
            seen=max(self._now(), visit.record.seen),  # a clock may be set back
            is_open=is_open,
        )

    # What the operator is told.

    def _begin_trouble(self, error: DatabaseAway) -> None:
        """Tell once, and only what the database itself does not tell."""
        if self._database.is_there and not self._is_troubled:
            self._is_troubled = True
            self.log.warn(
                "logbook: the member database takes no sessions: {trouble}; they wait",
                trouble=str(error),
            )

    def _end_trouble(self) -> None:
        if self._is_troubled:
            self._is_troubled = False
            self.log.info("logbook: the member database takes sessions again")

    def _tell_dropped(self) -> None:
        dropped = self._notes.dropped
        if dropped != self._dropped:
            self.log.error(
                "logbook: {count} sessions and acts are lost: neither the database nor"
                " the disk takes them, and {longest} wait in memory",
                count=dropped - self._dropped,
                longest=LONGEST,
            )
            self._dropped = dropped

    def _tell_unreadable(self, error: OSError) -> None:
        if not self._is_spool_told:
            self._is_spool_told = True
            self.log.error(
                "logbook: {spool} cannot be read: {trouble}; what waits there is not"
                " written",
                spool=self._spool,
                trouble=error.strerror or str(error),
            )

    def _tell_no_room(self, error: Exception) -> None:
        if not self._is_troubled:
            self._is_troubled = True
            self.log.error(
                "logbook: {spool} takes no more: {trouble}; sessions wait in memory",
                spool=self._spool,
                trouble=str(error) or type(error).__name__,
            )


async def _ended(work: Deferred[None], clock: IReactorTime) -> None:
    """Wait until work has ended, well or not, and end it if that takes too long."""
    done: Deferred[None] = Deferred(lambda _: work.cancel())

    def end(outcome: object) -> None:
        if not done.called:
            done.callback(None)

    work.addBoth(end)
    done.addTimeout(_STOP_TIMEOUT, clock, lambda *_: None)
    await done


async def _record(directory: AccountDirectory, batch: Batch) -> None:
    await directory.record(batch.sessions, batch.entries, dict(batch.seen))


def _singles(batch: Batch) -> list[Batch]:
    return [
        *(Batch(sessions=(record,)) for record in batch.sessions),
        *(Batch(entries=(entry,)) for entry in batch.entries),
        *(Batch(seen=(pair,)) for pair in batch.seen),
    ]


def _new_key() -> str:
    return secrets.token_hex(_KEY_BYTES)
