"""A database as the store of accounts; to be imported only where one is used."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.accounts.database import DatabaseAccounts, ensure_first_member
from rum_twisted.accounts.directory import AccountDirectory
from rum_twisted.accounts.engine import database_url, make_engine, shown
from rum_twisted.accounts.first import FirstAccount
from rum_twisted.accounts.hashing import HashingPool
from rum_twisted.accounts.homes import FormerHomes
from rum_twisted.accounts.logbook import DatabaseLogbook
from rum_twisted.accounts.passwords import Argon2Parameters, Hasher
from rum_twisted.accounts.patient import DatabaseAway, PatientDatabase
from rum_twisted.accounts.spool import Spool
from rum_twisted.accounts.throttle import Throttle
from rum_twisted.accounts.upgrader import migrate_in_child
from rum_twisted.accounts.verified import VerifiedLogons
from rum_twisted.assembly.accounts import Store, TellOfFirst
from rum_twisted.config import Config
from rum_twisted.session.interfaces import ICertificates
from rum_twisted.terms.units import Seconds

__all__ = ["FirstMember", "database_store"]

SPOOL_FILE: Final = "logbook.spool"  # in the data folder
_DAY: Final = 86_400  # seconds
_REFUSAL_STEP: Final = Seconds(0.5)  # more than a hash of any usual kind takes


def database_store(
    config: Config,
    reactor: Any,
    tell: TellOfFirst,
    now: Callable[[], Seconds],
    random: Random,
    throttle: Throttle,
) -> Store:
    """Return the database of accounts as a store, with everything it needs.

    Args:
        config: the settings.
        reactor: asyncio's.
        tell: told of the first administrator, if he was made.
        now: tells the seconds since the Unix epoch, UTC.
        random: for jitter.
        throttle: of the guard before it; is told of former logons.

    Raises:
        DatabaseUrlError: the database's address cannot be used.
    """
    settings = config.accounts
    url = database_url(settings.database, config.data_dir)
    directory = AccountDirectory(
        make_engine(url, query_timeout=Seconds(settings.query_timeout)), now
    )
    database = PatientDatabase(
        url,
        directory,
        reactor,
        query_timeout=Seconds(settings.query_timeout),
        migrate=partial(migrate_in_child, url, reactor),
        random=random,
    )
    pool = HashingPool(
        Hasher(Argon2Parameters(memory=settings.hash_memory)),
        reactor,
        at_once=settings.hash_threads,
        longest=settings.max_waiting,
    )
    accounts = DatabaseAccounts(
        database,
        pool,
        VerifiedLogons(settings.verified_cache),
        now,
        answer_within=Seconds(settings.answer_within),
        longest=settings.max_waiting,
    )
    days = settings.session_retention
    logbook = DatabaseLogbook(
        database,
        Spool(config.data_dir / SPOOL_FILE),
        reactor,
        now,
        server=config.pergola.ident,
        interval=Seconds(settings.write_interval),
        retention=Seconds(days * _DAY) if days else None,
        in_thread=partial(_in_thread, reactor),
    )
    return Store(
        accounts=accounts,
        logbook=logbook,
        services=(
            database,
            pool,
            FirstMember(database, pool, tell),
            FormerHomes(database, throttle, now),
            logbook,
            accounts,
        ),
        place=shown(url),
        prepare=partial(config.data_dir.mkdir, parents=True, exist_ok=True),
        refusal_step=_REFUSAL_STEP,
        certificates=partial(
            _certificates, database, pool, Seconds(settings.query_timeout)
        ),
    )


def _certificates(
    database: PatientDatabase, pool: HashingPool, answer_within: Seconds
) -> ICertificates:
    from rum_twisted.accounts.certificates import (  # noqa: PLC0415 - for a console
        DatabaseCertificates,
    )

    return DatabaseCertificates(database, pool, answer_within)


def _in_thread(reactor: Any, work: Callable[[], Any]) -> Deferred[Any]:
    """Run what waits for the disk in one of the reactor's threads."""
    return deferToThreadPool(reactor, reactor.getThreadPool(), work)


class FirstMember(Service):
    """Makes the administrator of a database without members, when it is there.

    Args:
        database: has to run.
        pool: has to run.
        tell: shows him to the operator.
    """

    log = Logger()
    name = "first member"

    def __init__(
        self, database: PatientDatabase, pool: HashingPool, tell: TellOfFirst
    ) -> None:
        self._database = database
        self._pool = pool
        self._tell = tell
        self._work: Deferred[None] | None = None

    @override
    def startService(self) -> None:
        """Begin to wait for the database."""
        super().startService()
        work = ensure_first_member(self._database, self._pool)
        self._work = work.addCallback(self._show).addErrback(self._excuse)

    @override
    def stopService(self) -> None:
        """Wait no more."""
        super().stopService()
        work, self._work = self._work, None
        if work is not None:
            work.cancel()

    def _show(self, account: FirstAccount | None) -> None:
        if account is not None:
            self._tell(account, f"not seen?     rumctl account passwd {account.cid}")

    def _excuse(self, failure: Failure) -> None:
        if self.running and not failure.check(DatabaseAway):
            self.log.failure("the first administrator was not made", failure)
