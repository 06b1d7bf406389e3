"""The way to the database: its address, its connections, and what its errors mean.

Two databases are known: SQLite, a file in the data folder, and PostgreSQL. Both are
asked through SQLAlchemy on the event loop, so nothing here waits on the reactor:
PostgreSQL's connections are sockets of the loop, SQLite's have a thread each.

Every statement has a bound on its time, the connections are few and counted, and none
is opened before the first question.
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from rum_twisted.accounts.loopengine import LoopEngine
from rum_twisted.terms.units import Seconds

__all__ = [
    "DATABASE_FILE",
    "DatabaseUrlError",
    "database_url",
    "make_engine",
    "make_file",
    "reading",
    "shown",
    "trouble_of",
]

DATABASE_FILE: Final = "rum.sqlite"

_CONNECTIONS: Final = 5
"""A look-up for logons, two other questions, a batch of sessions, and a look at it."""

_OLDEST: Final = 1800  # seconds that a connection is kept
_SQLITE: Final = "sqlite+aiosqlite"
_POSTGRESQL: Final = "postgresql+asyncpg"
_DRIVERS: Final = {
    "sqlite": _SQLITE,
    _SQLITE: _SQLITE,
    "postgres": _POSTGRESQL,
    "postgresql": _POSTGRESQL,
    _POSTGRESQL: _POSTGRESQL,
}
_POSTGRESQL_OPTIONS: Final = (
    "host",  # a folder, for a Unix socket
    "port",
    "ssl",  # disable, prefer, require, verify-ca, verify-full
    "target_session_attrs",
    "passfile",
    "prepared_statement_cache_size",
)
_READS: Final = "rum_reads"  # an option of connections that only read
_OWNER_ONLY: Final = 0o600
_WRITE_AHEAD: Final = "PRAGMA journal_mode=WAL"  # readers do not wait for who writes
_SQLITE_PRAGMAS: Final = (
    "PRAGMA synchronous=NORMAL",  # with WAL, a power cut costs the last moment only
    "PRAGMA cache_size=-1024",  # kB for each connection; the system caches the file
)
_LONGEST_TROUBLE: Final = 200  # letters of an error's text, in the log

# What PostgreSQL says of itself, and not of what it was asked. By SQLSTATE.
# Source: PostgreSQL's manual, appendix "Error Codes".
_AWAY_CLASSES: Final = (
    "08",  # connection exceptions
    "28",  # not let in: whoever runs it has changed a password
    "3D",  # no such database: it is being restored
    "53",  # too few resources: connections, memory, disk
    "57",  # shut down, starting up, a statement that took too long
    "58",  # trouble of the system below
    "25006",  # read-only: a standby that has not taken over yet
    "40",  # a deadlock or a conflict: a second try may pass
    "55P03",  # a lock that was not to be had in time
)


class DatabaseUrlError(ValueError):
    """An address that no database is found by; the text holds no password."""


def database_url(setting: str, data_dir: Path) -> URL:
    """Return the address of the accounts' database.

    Args:
        setting: as an operator writes it: empty, or an SQLAlchemy URL. A driver need
            not be named in it.
        data_dir: where the SQLite file lies if the setting is empty.

    Raises:
        DatabaseUrlError: no URL, or of a database that is not known here.
    """
    if not setting:
        return URL.create(_SQLITE, database=str(data_dir / DATABASE_FILE))
    try:
        url = make_url(setting)
    except (ArgumentError, ValueError) as error:
        # Its text would quote the setting, password and all.
        raise DatabaseUrlError(
            "not a database URL; due is postgresql+asyncpg://user:password@host/name"
            " or sqlite+aiosqlite:////absolute/path"
        ) from error
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise DatabaseUrlError(
            f"{url.drivername}: not known here; due is {_POSTGRESQL} or {_SQLITE}"
        )
    url = url.set(drivername=driver)
    if driver == _SQLITE and (
        not url.database or ":memory:" in url.database or url.database[:5] == "file:"
    ):
        raise DatabaseUrlError(
            f"{_SQLITE}: names no file; due is {_SQLITE}:////absolute/path"
        )
    _check_options(url)
    return url


def _check_options(url: URL) -> None:
    """Raise unless every word behind the question mark is known."""
    known = _POSTGRESQL_OPTIONS if url.drivername == _POSTGRESQL else ()
    for name in url.query:
        if name not in known:
            due = f"due is one of {', '.join(known)}" if known else "due is none"
            raise DatabaseUrlError(f"option {name!r}: not known here; {due}")


def shown(url: URL) -> str:
    """Return an address for the log: without its password."""
    if url.drivername == _SQLITE:
        return str(url.database)
    return url.set(query={}).render_as_string(hide_password=True)


def make_file(url: URL) -> None:
    """Make the file of an SQLite database, if it is missing, for its owner only.

    SQLite gives the files beside it (``-wal``, ``-shm``) the same mode.

    Raises:
        OSError: it cannot be made.
    """
    if url.drivername != _SQLITE or url.database is None:
        return
    path = Path(url.database)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, _OWNER_ONLY)
    os.close(descriptor)


def make_engine(
    url: URL, *, query_timeout: Seconds, connections: int = _CONNECTIONS
) -> LoopEngine:
    """Return what asks the database; nothing is opened yet.

    Args:
        url: from `database_url`.
        query_timeout: how long a statement may take, a lock be waited for, and a
            connection be made, each.
        connections: how many at most.

    Raises:
        DatabaseUrlError: the driver is not installed; the text says how to.
    """
    is_sqlite = url.drivername == _SQLITE
    arguments = _sqlite_arguments if is_sqlite else _postgresql_arguments
    try:
        engine = create_engine(
            # A file that is missing must not come into being by being asked.
            _existing_only(url) if is_sqlite else url,
            connect_args=arguments(query_timeout),
            pool_size=connections,
            max_overflow=0,
            pool_timeout=query_timeout,
            pool_recycle=_OLDEST,
            # It would cost each logon a round trip to PostgreSQL. SQLite's connections
            # always look as if they needed none, and there it would be wrong.
            skip_autocommit_rollback=not is_sqlite,
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        extra = "database" if is_sqlite else "postgresql"
        raise DatabaseUrlError(
            f"{url.drivername}: its driver is not installed; install"
            f" rum-twisted[{extra}]"
        ) from error
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return LoopEngine(engine)


def reading(engine: LoopEngine) -> LoopEngine:
    """Return the same for reads by one statement, which need no transaction."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**{_READS: True})
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def _existing_only(url: URL) -> URL:
    path = Path(str(url.database)).absolute()
    return url.set(
        database=path.as_uri(), query={**url.query, "mode": "rw", "uri": "true"}
    )


def _sqlite_arguments(query_timeout: Seconds) -> dict[str, Any]:
    return {"timeout": query_timeout}  # SQLite's busy_timeout


def _postgresql_arguments(query_timeout: Seconds) -> dict[str, Any]:
    milliseconds = str(int(query_timeout * 1000))
    return {
        "timeout": query_timeout,
        "command_timeout": query_timeout,
        # Should this process stop counting, the server ends it all the same.
        "server_settings": {
            "application_name": "rum",
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds,
            "idle_in_transaction_session_timeout": milliseconds,
            # What stands in between forgets connections that are silent for long.
            "tcp_keepalives_idle": "60",
            "tcp_keepalives_interval": "10",
        },
    }


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Set a fresh connection up, and leave transactions to `_begin_sqlite`."""
    import sqlite3  # noqa: PLC0415 - its driver has it; PostgreSQL's need not

    connection.isolation_level = None
    cursor = connection.cursor()
    # Of several that open a new file at the same time, SQLite lets one change its
    # mode, and does not let the others wait; the mode stays in the file for all.
    with suppress(sqlite3.OperationalError):
        cursor.execute(_WRITE_AHEAD)
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    """Begin a transaction as one that writes.

    One that reads first and writes later fails at once, and waits for nobody, if
    another has written in between.
    """
    if not connection.get_execution_options().get(_READS):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def trouble_of(error: BaseException) -> str | None:
    """Return in words what keeps the database from answering.

    Args:
        error: from a question to it.

    Returns:
        ``None`` if it did answer, and the question was at fault: that is a bug.
    """
    if isinstance(error, DBAPIError):
        return _trouble_of_driver(error)
    if isinstance(error, TimeoutError | asyncio.TimeoutError | PoolTimeoutError):
        return "no answer in time"
    if isinstance(error, OSError):
        return _in_short(error.strerror or str(error) or type(error).__name__)
    if _sqlstate(error).startswith(_AWAY_CLASSES) or _is_of_asyncpg(error):
        return _in_short(str(error) or type(error).__name__)
    return None


def _trouble_of_driver(error: DBAPIError) -> str | None:
    original = error.orig
    words = _in_short(str(original) or type(original).__name__)
    state = _sqlstate(original)
    if state:
        return words if state.startswith(_AWAY_CLASSES) else None
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return words
    if isinstance(error, OperationalError | InternalError):
        # SQLite: locked, disk full, cannot be opened. Its word for a table or a
        # column that is missing is the same.
        return None if "no such" in words else words
    if type(error) is DatabaseError:  # SQLite: the file is damaged, or no database
        return words
    cause = original.__cause__ if original is not None else None
    return trouble_of(cause) if cause is not None else None


def _sqlstate(error: BaseException | None) -> str:
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else ""


def _is_of_asyncpg(error: BaseException) -> bool:
    """Tell whether it is asyncpg's own: at a connect such errors come as they are."""
    return type(error).__module__.partition(".")[0] == "asyncpg"


def _in_short(words: str) -> str:
    """Return one line of bounded length; a driver's texts may have several."""
    line = " ".join(words.split())
    return line if len(line) <= _LONGEST_TROUBLE else line[:_LONGEST_TROUBLE] + " …"
