"""``rumctl database``: are the database's tables those that this program knows?

The server brings them forward by itself when it starts. By hand it is done before an
import into a new database, or at a quiet time before the new server starts.
"""

import click

from rum_twisted.accounts.directory import AccountDirectory
from rum_twisted.accounts.engine import make_engine
from rum_twisted.accounts.engine import shown as shown_url
from rum_twisted.accounts.schema import REVISION
from rum_twisted.cli.invocation import Invocation, pass_invocation
from rum_twisted.cli.output import Output, as_json_option
from rum_twisted.cli.store import (
    QUERY_TIMEOUT,
    database_config,
    found_database,
    make_tables,
    revision_of,
    run,
)
from rum_twisted.cli.words import dry_run_option

__all__ = ["database"]


@click.group()
def database() -> None:
    """Look at the database's tables, or bring them up to this program."""


@database.command()
@as_json_option
@pass_invocation
def status(invocation: Invocation, *, as_json: bool) -> None:
    """Tell which database it is, and whether its tables are up to date.

    Exit code 1 if they are not.
    """
    invocation.refuse_name()
    url = found_database(database_config(invocation))

    async def look() -> tuple[str | None, int | None]:
        revision = await revision_of(url)
        if revision != REVISION:
            return revision, None
        engine = make_engine(url, query_timeout=QUERY_TIMEOUT, connections=1)
        directory = AccountDirectory(engine, invocation.now)
        try:
            return revision, await directory.count()
        finally:
            await directory.close()

    revision, members = run(url, look())
    Output(as_json).record(
        {
            "database": shown_url(url),
            "revision": revision,
            "due": REVISION,
            "members": members,
        },
        {
            "database": shown_url(url),
            "tables": _state(revision),
            "members": "" if members is None else str(members),
        },
    )
    if revision != REVISION:
        raise SystemExit(1)


@database.command()
@dry_run_option
@as_json_option
@pass_invocation
def upgrade(invocation: Invocation, *, dry_run: bool, as_json: bool) -> None:
    """Make the tables, or bring those of an earlier version forward."""
    invocation.refuse_name()
    url = found_database(database_config(invocation))

    async def look() -> str | None:
        return await (revision_of(url) if dry_run else make_tables(url))

    found = run(url, look())
    if found == REVISION:
        sentence = f"revision {REVISION}: nothing to do"
    else:
        sentence = f"brought from revision {found or 'none'} to {REVISION}"
    Output(as_json).done(
        f"{shown_url(url)}: {sentence}",
        database=shown_url(url),
        found=found,
        revision=REVISION,
        dry_run=dry_run,
    )


def _state(revision: str | None) -> str:
    if revision is None:
        return "none yet: rumctl database upgrade makes them"
    if revision == REVISION:
        return f"revision {revision}, up to date"
    if revision > REVISION:
        return f"revision {revision}, of a newer Rum than this one ({REVISION})"
    return f"revision {revision}; rumctl database upgrade brings them to {REVISION}"
