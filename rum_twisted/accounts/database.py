"""Accounts from the database: proved by a hash, for whoever may log on.

A logon costs one indexed query, and one hash unless the same password proved right a
moment ago. Nothing is written for it here but a better hash of the password, where the
one that is kept is of an older kind; that happens later, and nobody waits for it.

Whether a CID exists is told neither by the answer nor by its time: for one that does
not, a hash is computed as well.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.accounts.directory import CidTaken
from rum_twisted.accounts.first import FIRST_CID, FirstAccount, readable_password
from rum_twisted.accounts.hashing import HashingPool
from rum_twisted.accounts.member import Actor, Member, Restriction, RestrictionKind
from rum_twisted.accounts.patient import DatabaseAway, PatientDatabase
from rum_twisted.accounts.queue import TooManyLogons
from rum_twisted.accounts.verified import VerifiedLogons
from rum_twisted.session.interfaces import (
    Account,
    AccountsUnavailable,
    IAccounts,
    InvalidCredentials,
)
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.permissions import Permission
from rum_twisted.terms.units import Seconds

__all__ = ["DatabaseAccounts", "ensure_first_member", "notice_of"]

_UPGRADES: Final = 200  # passwords that wait for a better hash; others come again
_AWAY: Final = "the member database does not answer; try again in a few minutes"
_SERVER: Final = Actor("server")

_LOGON: Final = 3000  # bytes of one under way: its Deferreds, its query, its texts


@implementer(IAccounts)
class DatabaseAccounts(Service):
    """The members of a database.

    Args:
        database: what is asked.
        pool: computes the hashes.
        verified: the passwords that need none.
        now: tells the seconds since the Unix epoch.
        answer_within: how long a logon waits for the database.
        longest: how many logons may be under way.
    """

    log = Logger()

    def __init__(
        self,
        database: PatientDatabase,
        pool: HashingPool,
        verified: VerifiedLogons,
        now: Callable[[], Seconds],
        *,
        answer_within: Seconds,
        longest: int,
    ) -> None:
        self.name = "accounts"
        self._database = database
        self._pool = pool
        self._verified = verified
        self._now = now
        self._answer_within = answer_within
        self._longest = longest
        self._logons: set[Deferred[Account]] = set()
        self._upgrades: dict[str, Deferred[None]] = {}  # by CID

    @override
    def __repr__(self) -> str:
        return (
            f"<DatabaseAccounts: {len(self._logons)} logons,"
            f" {len(self._upgrades)} passwords to hash anew>"
        )

    @override
    def stopService(self) -> None:
        """Give up the logons that wait, and the better hashes."""
        super().stopService()
        for logon in list(self._logons):
            logon.cancel()
        for upgrade in list(self._upgrades.values()):
            upgrade.cancel()

    def measures(self) -> dict[str, Callable[[], Measure]]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {
            "logons": self._measure_logons,
            "verified logons": self._verified.measure,
        }

    def authenticate(
        self, cid: str, password: str, address: str = ""
    ) -> Deferred[Account]:
        """Check a password; see `IAccounts`.

        It fails with `TooManyLogons` if too many wait already. Upper and lower case
        of the password count here.
        """
        if len(self._logons) >= self._longest:
            return fail(TooManyLogons())
        logon = Deferred.fromCoroutine(self._authenticate(cid, password))
        self._logons.add(logon)
        return logon.addBoth(self._end_logon, logon)

    def _measure_logons(self) -> Measure:
        count = len(self._logons)
        return Measure(count=count, bytes=count * _LOGON, bound=self._longest)

    def _end_logon(self, outcome: Any, logon: Deferred[Account]) -> Any:
        self._logons.discard(logon)
        return outcome

    async def _authenticate(self, cid: str, password: str) -> Account:
        try:
            member = await self._database.find(cid, self._answer_within)
        except DatabaseAway as error:
            raise AccountsUnavailable(notice=_AWAY) from error
        if member is not None and self._is_verified(member, password):
            return self._account_of(cid, member)
        stored = None if member is None else member.password_hash
        verdict = await self._pool.verify(stored or None, password)
        if member is None or not verdict.ok:
            raise InvalidCredentials(cid)
        self._remember(member, password, member.password_hash)
        if verdict.needs_upgrade:
            self._upgrade(member, password)
        return self._account_of(cid, member)

    def _is_verified(self, member: Member, password: str) -> bool:
        stored = member.password_hash
        return bool(stored) and self._verified.is_verified(
            member.cid, password, stored, self._now()
        )

    def _remember(self, member: Member, password: str, stored: str) -> None:
        self._verified.remember(member.cid, password, stored, self._now())

    def _account_of(self, cid: str, member: Member) -> Account:
        """Return what a session is told; who is restricted counts as suspended."""
        restriction = member.restriction_at(self._now())
        if restriction is None:
            return Account(cid, member.rating, member.permissions)
        return Account(cid, Rating.SUSPENDED, notice=notice_of(restriction))

    def _upgrade(self, member: Member, password: str) -> None:
        """Begin to keep a password in a better form, unless many wait for that."""
        if member.cid in self._upgrades or len(self._upgrades) >= _UPGRADES:
            return
        work = Deferred.fromCoroutine(self._write_better_hash(member, password))
        self._upgrades[member.cid] = work
        work.addBoth(self._end_upgrade, member.cid)

    async def _write_better_hash(self, member: Member, password: str) -> None:
        old = member.password_hash
        new = await self._pool.hash(password)
        is_kept = await self._database.write(
            lambda directory: directory.upgrade_password(member.cid, old, new)
        )
        if is_kept:
            self._remember(member, password, new)

    def _end_upgrade(self, outcome: object, cid: str) -> None:
        self._upgrades.pop(cid, None)
        if not isinstance(outcome, Failure):
            return
        # The next logon brings another chance.
        if not outcome.check(
            CancelledError, DatabaseAway, AccountsUnavailable, TooManyLogons
        ):
            self.log.failure("{cid}: password not hashed anew", outcome, cid=cid)


def notice_of(restriction: Restriction) -> str:
    """Return what a restricted member reads; the session makes it fit the wire."""
    word = "banned" if restriction.kind is RestrictionKind.BAN else "suspended"
    end = ""
    if restriction.until is not None:
        moment = datetime.fromtimestamp(restriction.until, UTC)
        end = f" until {moment:%Y-%m-%d %H:%M} UTC"
    reason = f": {restriction.reason}" if restriction.reason else ""
    return f"your account is {word}{end}{reason}"


def ensure_first_member(
    database: PatientDatabase, pool: HashingPool
) -> Deferred[FirstAccount | None]:
    """Register an administrator in a database that has no members at all.

    Args:
        database: waited for until it is there.
        pool: hashes the password; it has to run.

    Returns:
        a Deferred that fires with him, his password to be shown once; or with ``None``
        where there are members. It fails with `DatabaseAway` when the server stops.
    """
    return Deferred.fromCoroutine(_ensure_first_member(database, pool))


async def _ensure_first_member(
    database: PatientDatabase, pool: HashingPool
) -> FirstAccount | None:
    if await database.ask(lambda directory: directory.has_members(), None):
        return None
    password = readable_password()
    member = Member(
        cid=FIRST_CID,
        name="Administrator",
        rating=Rating.ADMINISTRATOR,
        permissions=frozenset(Permission),
        password_hash=await pool.hash(password),
    )
    try:
        await database.ask(lambda directory: directory.add(member, _SERVER), None)
    except CidTaken:  # another server of the same database was faster
        return None
    return FirstAccount(member.cid, password)
