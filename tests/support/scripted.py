"""A directory whose answers a test gives one by one, to play a database that fails."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.accounts.directory import AccountDirectory, CidTaken
from rum_twisted.accounts.engine import database_url, make_engine
from rum_twisted.accounts.hashing import HashingPool
from rum_twisted.accounts.member import Actor, AuditEntry, Member, SessionRecord
from rum_twisted.accounts.migrate import Outcome
from rum_twisted.accounts.passwords import Argon2Parameters, Hasher
from rum_twisted.accounts.patient import PatientDatabase
from rum_twisted.accounts.schema import REVISION
from rum_twisted.terms.identity import fold
from rum_twisted.terms.units import Seconds
from tests.support.builders import NOON

__all__ = ["QUERY_TIMEOUT", "ScriptedDirectory", "prompt_pool", "scripted_database"]

QUERY_TIMEOUT: Final = Seconds(5.0)


class ScriptedDirectory(AccountDirectory):
    """Has members in memory, and fails or waits when the test says so.

    Whatever is asked is answered at once, unless ``trouble`` is set: then it is
    raised; or unless it ``holds``: then the answer waits in ``held``.
    """

    def __init__(self, folder: Path) -> None:
        url = database_url("", folder)
        super().__init__(make_engine(url, query_timeout=QUERY_TIMEOUT), lambda: NOON)
        self.url = url
        self.revision: str | None = REVISION
        self.trouble: BaseException | None = None
        self.write_trouble: BaseException | None = None
        self.find_trouble: BaseException | None = None  # of members, and of no look
        self.holds = False
        self.holds_writes = False
        self.held: list[Deferred[None]] = []
        self.asked: list[str] = []
        self.members_by_cid: dict[str, Member] = {}
        self.sessions_by_key: dict[str, SessionRecord] = {}
        self.entries: dict[str, AuditEntry] = {}
        self.seen: dict[str, Seconds] = {}
        self.closed: list[tuple[str, Seconds]] = []
        self.old_sessions = 0

    async def _be_asked(self, what: str, *, writes: bool = False) -> None:
        self.asked.append(what)
        trouble = self.trouble or (self.write_trouble if writes else None)
        if trouble is not None:
            raise trouble
        if self.holds or (writes and self.holds_writes):
            self.held.append(Deferred())
            await self.held[-1]

    def let_go(self) -> None:
        """Hold no answer any more."""
        self.holds = self.holds_writes = False
        held, self.held = self.held, []
        for gate in held:
            if not gate.called:
                gate.callback(None)

    @override
    async def version(self) -> str | None:
        await self._be_asked("version")
        return self.revision

    @override
    async def close(self) -> None:
        self.asked.append("close")

    @override
    async def find(self, cid: str) -> Member | None:
        await self._be_asked(f"find {cid}")
        if self.find_trouble is not None:
            raise self.find_trouble
        return self.members_by_cid.get(fold(cid))

    @override
    async def has_members(self) -> bool:
        await self._be_asked("has_members")
        return bool(self.members_by_cid)

    @override
    async def add(self, member: Member, by: Actor) -> Member:
        await self._be_asked(f"add {member.cid}", writes=True)
        if member.cid in self.members_by_cid:
            raise CidTaken(member.cid)
        self.members_by_cid[member.cid] = member
        return member

    @override
    async def upgrade_password(self, cid: str, old: str, new: str) -> bool:
        await self._be_asked(f"upgrade {cid}", writes=True)
        member = self.members_by_cid[cid]
        if member.password_hash != old:
            return False
        self.members_by_cid[cid] = replace(member, password_hash=new)
        return True

    @override
    async def record(
        self,
        sessions: Sequence[SessionRecord] = (),
        entries: Sequence[AuditEntry] = (),
        seen: Any = None,
    ) -> None:
        await self._be_asked(f"record {len(sessions)}", writes=True)
        if any(record.callsign == "BROKEN" for record in sessions):
            raise ValueError("no such session can be kept")
        self.sessions_by_key |= {record.key: record for record in sessions}
        self.entries |= {entry.key: entry for entry in entries}
        self.seen |= seen or {}

    @override
    async def close_open_sessions(self, server: str, before: Seconds) -> int:
        await self._be_asked("close sessions", writes=True)
        self.closed.append((server, before))
        return 0

    @override
    async def last_sessions(
        self, since: Seconds, limit: int, *, before: SessionRecord | None = None
    ) -> list[SessionRecord]:
        await self._be_asked("last sessions")
        newest = sorted(
            self.sessions_by_key.values(),
            key=lambda record: (record.seen, record.key),
            reverse=True,
        )
        begin = 0 if before is None else newest.index(before) + 1
        return [one for one in newest[begin:] if one.seen >= since][:limit]

    @override
    async def prune_sessions(self, before: Seconds) -> int:
        await self._be_asked(f"prune {before}", writes=True)
        portion = min(self.old_sessions, 1000)
        self.old_sessions -= portion
        return portion


def scripted_database(
    directory: ScriptedDirectory, clock: Clock, *, seed: int = 1, **arguments: Any
) -> PatientDatabase:
    """Return a database that asks a scripted directory, on a clock of the test's."""

    def migrate() -> Deferred[tuple[Outcome, str]]:
        directory.revision = REVISION
        return succeed((Outcome.DONE, "from revision none to 0001"))

    def run(question: Coroutine[Any, Any, Any]) -> Deferred[Any]:
        return Deferred.fromCoroutine(question)

    return PatientDatabase(
        directory.url,
        directory,
        clock,
        query_timeout=QUERY_TIMEOUT,
        migrate=arguments.pop("migrate", migrate),
        random=Random(seed),  # noqa: S311 - a test's
        run=run,
    )


class _Prompt:
    """A reactor and its threads that do everything at once."""

    def start(self) -> None:
        """Begin; see `IThreads`."""

    def stop(self) -> None:
        """End; see `IThreads`."""

    def callInThreadWithCallback(  # noqa: N802 - Twisted's name
        self,
        onResult: Callable[[bool, Any], object],  # noqa: N803
        func: Callable[[], Any],
    ) -> None:
        """Do the work; see `IThreads`."""
        try:
            result = func()
        except Exception:  # noqa: BLE001 - as a real thread pool does
            onResult(False, Failure())  # noqa: FBT003
        else:
            onResult(True, result)  # noqa: FBT003

    def callFromThread(  # noqa: N802 - Twisted's name
        self, work: Callable[..., Any], *args: object, **kwargs: object
    ) -> None:
        """Call it; see `IReactorFromThreads`."""
        work(*args, **kwargs)


def prompt_pool() -> HashingPool:
    """Return a pool, not started, whose cheap hashes are there at once."""
    hasher = Hasher(Argon2Parameters(memory=8, passes=1))
    reactor: Any = _Prompt()
    return HashingPool(hasher, reactor, threads=lambda _: _Prompt())
