"""Bring the database's tables to what this program knows.

A server has it done by a process of its own, so that Alembic's 20 MB do not stay with
it: ``python -m rum_twisted.accounts.migrate`` reads the database's URL from its input,
where nobody else sees the password in it, and tells by its exit status what came of
it. A command line tool may call `upgrade` itself.
"""

import asyncio
import re
import sys
from enum import IntEnum
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, text

from rum_twisted.accounts.directory import AccountDirectory, WrongDatabase
from rum_twisted.accounts.engine import (
    DatabaseUrlError,
    database_url,
    make_engine,
    make_file,
    trouble_of,
)
from rum_twisted.accounts.schema import REVISION
from rum_twisted.terms.units import Seconds

__all__ = ["Outcome", "WrongDatabase", "check", "run", "upgrade"]

STEP_TIMEOUT: Final = Seconds(100.0)  # for each statement; tables may be large
_LOCK: Final = 0x52756D  # an advisory lock's number: "Rum"
_REVISION: Final = re.compile(r"[0-9]{4}")
_MIGRATIONS: Final = Path(__file__).parent / "migrations"


class Outcome(IntEnum):
    """The exit status of the process."""

    DONE = 0
    FAILED = 1  # a bug, or an error of the database that nobody foresaw
    WRONG = 3  # newer than this program, or not Rum's
    AWAY = 4  # locked, slow or gone: a later try may succeed


def check(revision: str | None) -> bool:
    """Tell whether a database needs to be brought forward.

    Args:
        revision: as its tables tell it; ``None`` where there are none.

    Raises:
        WrongDatabase: a newer program made it, or none of ours.
    """
    if revision is None:
        return True
    if not _REVISION.fullmatch(revision):
        raise WrongDatabase(
            f"its tables have the revision {revision!r}, which is none of Rum's"
        )
    if revision > REVISION:
        raise WrongDatabase(
            f"its tables have revision {revision}, and this program knows up to"
            f" {REVISION}: a newer Rum has written them; start that one"
        )
    return revision < REVISION


async def upgrade(url: URL) -> str | None:
    """Make the tables, or bring them forward, in one transaction.

    Of two who do it at the same time one waits for the other.

    Returns:
        the revision that was found; ``None`` where there were no tables.

    Raises:
        WrongDatabase: see `check`.
        Exception: the driver's, if the database is away.
    """
    make_file(url)
    engine = make_engine(url, query_timeout=STEP_TIMEOUT, connections=1)
    directory = AccountDirectory(engine, lambda: Seconds(0.0))
    try:
        found = await directory.version()
        if not check(found):
            return found
        async with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                await connection.execute(
                    text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK}
                )
            found = await directory.version_on(connection)
            if check(found):
                await connection.run_sync(_walk)
    finally:
        await engine.dispose()
    return found


def _walk(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - a server never gets here
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    newest = ScriptDirectory.from_config(config).get_current_head()
    assert newest == REVISION, "a new step moves schema.REVISION"
    command.upgrade(config, REVISION)


def run(setting: str) -> tuple[Outcome, str]:
    """Upgrade, and tell in one line what came of it.

    Args:
        setting: the URL; see `database_url`.
    """
    try:
        found = asyncio.run(upgrade(database_url(setting, Path.cwd())))
    except (WrongDatabase, DatabaseUrlError) as error:
        return Outcome.WRONG, str(error)
    except Exception as error:  # each driver has its own, at a connect
        trouble = trouble_of(error)
        if trouble is None:
            raise
        return Outcome.AWAY, trouble
    if found == REVISION:
        return Outcome.DONE, f"revision {REVISION}: nothing to do"
    return Outcome.DONE, f"from revision {found or 'none'} to {REVISION}"


def main() -> None:
    """Read the URL, upgrade, and say one line."""
    outcome, line = run(sys.stdin.readline().strip())
    sys.stdout.write(f"{line}\n")
    raise SystemExit(outcome)


if __name__ == "__main__":
    main()
