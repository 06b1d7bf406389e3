"""The way from a command to the accounts: opens the database, and says who asks.

Whoever may open the database may do everything: the audit log has him under the
operating system's name. With ``--as`` a member of the staff proves who he is, and
stands there himself.
"""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeVar

import click
from sqlalchemy import URL

from rum_twisted.accounts.directory import (
    AccountDirectory,
    CidTaken,
    NoSuchMember,
    WrongDatabase,
)
from rum_twisted.accounts.engine import (
    DatabaseUrlError,
    database_url,
    make_engine,
    trouble_of,
)
from rum_twisted.accounts.engine import (
    shown as shown_url,
)
from rum_twisted.accounts.member import (
    Actor,
    AuditEntry,
    InvalidMember,
    Member,
)
from rum_twisted.accounts.passwords import Argon2Parameters, Hasher
from rum_twisted.accounts.schema import REVISION
from rum_twisted.cli.auditing import audit_file
from rum_twisted.cli.imports.rows import SourceError
from rum_twisted.cli.invocation import (
    Invocation,
    process_operator,
    process_whereabouts,
)
from rum_twisted.cli.letters import shown, wire_text
from rum_twisted.cli.password_source import prompt
from rum_twisted.config import Config
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import Permission
from rum_twisted.terms.units import Seconds

__all__ = [
    "QUERY_TIMEOUT",
    "database_config",
    "found_database",
    "hasher",
    "make_tables",
    "member_of",
    "note",
    "note_act",
    "revision_of",
    "run",
    "with_directory",
]

# A person waits at the terminal, and an import's batches are larger than a logon.
QUERY_TIMEOUT: Final = Seconds(20.0)
_ROOT: Final = 0
_KEY_BYTES: Final = 12  # of an audit entry's key

T = TypeVar("T")


def database_config(invocation: Invocation) -> Config:
    """Return the settings of a server that keeps its accounts in a database.

    Raises:
        click.ClickException: it keeps them in an account file.
    """
    config = invocation.config()
    if config.chosen_store() == "cert":
        path = config.accounts.cert_file
        raise click.ClickException(
            f"the accounts are in the file {path}: edit it with any editor."
            " To move them into the database, set accounts.store to"
            f' "database" and run: rumctl account import cert {path}'
        )
    return config


def found_database(config: Config) -> URL:
    """Return where the database is.

    Raises:
        click.ClickException: the setting names none.
    """
    try:
        return database_url(config.accounts.database, config.data_dir)
    except DatabaseUrlError as error:
        raise click.ClickException(f"accounts.database: {error}") from error


def hasher(invocation: Invocation) -> Hasher:
    """Return what makes the hashes of new passwords, at the cost that is set."""
    memory = database_config(invocation).accounts.hash_memory
    try:
        return Hasher(Argon2Parameters(memory=memory))
    except ValueError as error:
        raise click.ClickException(f"accounts.hash_memory: {error}") from error


async def member_of(directory: AccountDirectory, cid: str) -> Member:
    """Return a member.

    Raises:
        NoSuchMember: nobody has this CID.
    """
    member = await directory.find(cid)
    if member is None:
        raise NoSuchMember(cid)
    return member


def with_directory(
    invocation: Invocation,
    act: Callable[[AccountDirectory, Actor], Awaitable[T]],
    *,
    makes_tables: bool = False,
    dry_run: bool = False,
) -> T:
    """Open the database and do something with it.

    Args:
        invocation: of the command.
        act: is given the directory, and who acts.
        makes_tables: an empty or missing database is one to begin with.
        dry_run: but it is not to be made; an empty one elsewhere stands in for it.

    Raises:
        click.ClickException: it is not done; one sentence says why.
    """
    url = found_database(database_config(invocation))
    password = None
    if invocation.as_cid is not None:
        password = wire_text(prompt(f"Password of {invocation.as_cid}"))
    if makes_tables and dry_run and run(url, revision_of(url)) is None:
        with TemporaryDirectory() as folder:
            stand_in = database_url("", Path(folder))
            return run(
                url, _acted(invocation, stand_in, password, act, makes_tables=True)
            )
    return run(url, _acted(invocation, url, password, act, makes_tables=makes_tables))


def note_act(
    invocation: Invocation, act: str, whom: str, doing: Callable[[], None]
) -> None:
    """Do something outside the database, and write it into the audit log.

    Args:
        invocation: of the command.
        act: one word.
        whom: to whom it is done.
        doing: does it, or raises; it may take its time, nobody else waits.
    """

    async def noted(directory: AccountDirectory, by: Actor) -> None:
        doing()
        await note(invocation, directory, by, act, whom)

    with_directory(invocation, noted)


async def note(
    invocation: Invocation,
    directory: AccountDirectory,
    by: Actor,
    act: str,
    whom: str,
) -> None:
    """Write something into the audit log that the directory does not by itself."""
    entry = AuditEntry(
        at=invocation.now(),
        by=by,
        act=act,
        whom=whom,
        key=secrets.token_hex(_KEY_BYTES),
    )
    await directory.note(entry)


def run(url: URL, work: Awaitable[T]) -> T:
    """Do something with a database, and make a sentence of what goes wrong.

    Raises:
        click.ClickException: with that sentence.
    """

    async def wait() -> T:
        return await work

    try:
        return asyncio.run(wait())
    except Exception as error:
        sentence = _sentence(error, url)
        if sentence is None:
            raise
        raise click.ClickException(sentence) from error


def _sentence(error: Exception, url: URL) -> str | None:
    """Return what an operator reads; ``None``: click knows it, or it is a bug."""
    match error:
        case NoSuchMember():
            return f"{shown(str(error))}: no such member"
        case CidTaken():
            return f"{shown(str(error))}: is registered already"
        case InvalidMember() | SourceError():
            return str(error)
        case DatabaseUrlError() | WrongDatabase():
            return f"the database {shown_url(url)}: {error}"
        case click.ClickException() | click.Abort() | BrokenPipeError():
            return None
    # None where it has answered, and the question was wrong.
    trouble = trouble_of(error)
    return trouble and f"the database {shown_url(url)} cannot be used: {trouble}"


async def _acted(
    invocation: Invocation,
    url: URL,
    password: str | None,
    act: Callable[[AccountDirectory, Actor], Awaitable[T]],
    *,
    makes_tables: bool,
) -> T:
    await _check_tables(url, makes_tables=makes_tables)
    engine = make_engine(url, query_timeout=QUERY_TIMEOUT, connections=2)
    audit = audit_file(invocation, invocation.config())
    noted = None if audit is None else audit.note
    directory = AccountDirectory(engine, invocation.now, noted)
    try:
        return await act(directory, await _actor(invocation, directory, password))
    finally:
        await directory.close()


async def _check_tables(url: URL, *, makes_tables: bool) -> None:
    """See to it that the tables are those that this program knows.

    Raises:
        click.ClickException: they are not; it says what to do.
    """
    revision = await revision_of(url)
    if revision == REVISION:
        return
    if revision is not None:
        raise click.ClickException(
            f"the database {shown_url(url)}: its tables have revision {revision},"
            f" due is {REVISION}; see rumctl database status"
        )
    if not makes_tables:
        raise click.ClickException(
            f"the database {shown_url(url)} has no tables yet: start the server once,"
            " or run rumctl database upgrade"
        )
    await make_tables(url)


async def make_tables(url: URL) -> str | None:
    """Make the tables or bring them forward; returns the revision that was found."""
    # Alembic takes a while to load and is hardly ever needed.
    from rum_twisted.accounts.migrate import upgrade  # noqa: PLC0415

    found = await upgrade(url)
    _give_to_owner_of_folder(url)
    return found


def is_missing_file(url: URL) -> bool:
    """Tell whether an SQLite database has never been made."""
    return url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists()


async def revision_of(url: URL) -> str | None:
    """Return the revision of a database's tables; ``None`` where there are none."""
    if is_missing_file(url):
        return None
    engine = make_engine(url, query_timeout=QUERY_TIMEOUT, connections=1)
    try:
        return await AccountDirectory(engine, lambda: Seconds(0.0)).version()
    finally:
        await engine.dispose()


def _give_to_owner_of_folder(url: URL) -> None:
    """Let the server open an SQLite file that root has made in its data folder."""
    if url.get_backend_name() != "sqlite" or os.geteuid() != _ROOT:
        return
    path = Path(str(url.database))
    owner = path.parent.stat()
    for each in (path, *(Path(f"{path}{end}") for end in ("-wal", "-shm"))):
        if each.exists():
            os.chown(each, owner.st_uid, owner.st_gid)


async def _actor(
    invocation: Invocation, directory: AccountDirectory, password: str | None
) -> Actor:
    """Return who acts.

    Raises:
        click.ClickException: ``--as`` names somebody who may not, or the password is
            wrong; which of them is not told.
    """
    place = process_whereabouts()
    if invocation.as_cid is None or password is None:
        return Actor(process_operator(), place)
    member = await directory.find(wire_text(invocation.as_cid))
    kept = None if member is None else member.password_hash
    verdict = hasher(invocation).verify(kept, password)
    if member is None or not verdict.ok:
        raise click.ClickException(f"{invocation.as_cid}: wrong CID or password")
    if not _may_manage(member, invocation.now()):
        raise click.ClickException(
            f"{invocation.as_cid}: may not manage accounts; due is the permission"
            f" {Permission.ACCOUNTS.value!r}, and no suspension"
        )
    return Actor(member.cid, place)


def _may_manage(member: Member, now: Seconds) -> bool:
    return (
        Permission.ACCOUNTS in member.permissions
        and member.rating is not Rating.SUSPENDED
        and member.restriction_at(now) is None
    )
