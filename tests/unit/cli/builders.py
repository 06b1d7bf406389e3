"""A database in a folder of its own, and ``rumctl`` called within this process."""

import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from click.testing import CliRunner, Result
from sqlalchemy import URL
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.directory import AccountDirectory
from rum_twisted.accounts.engine import database_url, make_engine
from rum_twisted.accounts.member import Actor, AuditEntry, Member
from rum_twisted.accounts.migrate import upgrade
from rum_twisted.cli.imports.batches import IReader
from rum_twisted.cli.imports.rows import Refused, Row
from rum_twisted.cli.invocation import Invocation
from rum_twisted.cli.main import rumctl
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.units import Seconds
from tests.support.loop import keep_event_loop, run

NOW: Final = Seconds(1_780_000_000.0)  # 2026-05-28 20:26:40 UTC
TESTER: Final = Actor("tester", "192.0.2.1")
# The smallest that is allowed: a test of a command is none of its password's cost.
_CHEAP_HASHES: Final = "accounts.hash_memory=1024"

T = TypeVar("T")


def member(cid: str = "1000001", **fields: Any) -> Member:
    """Return a member whom a test only has to give what it is about."""
    return Member(
        **{
            "cid": cid,
            "rating": Rating.STUDENT2,
            "password_hash": "plain$pw01",
            **fields,
        }
    )


def read(reader: IReader) -> list[Row | Refused]:
    """Return all that a reader yields."""

    async def collect() -> list[Row | Refused]:
        return [row async for row in reader.rows()]

    return run(collect())


def members_of(found: Iterable[Row | Refused]) -> list[Member]:
    """Return the members among what a reader has yielded."""
    return [row.member for row in found if isinstance(row, Row)]


def refusals_of(found: Iterable[Row | Refused]) -> list[tuple[int, str]]:
    """Return number and reason of each refused row."""
    return [(row.number, row.reason) for row in found if isinstance(row, Refused)]


def make_table(path: Path, columns: str, rows: Iterable[Sequence[object]]) -> None:
    """Make a SQLite file with a table ``users``.

    Args:
        path: of the file.
        columns: with their types, as in CREATE TABLE.
        rows: their values.
    """
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(f"CREATE TABLE users ({columns})")
        for row in rows:
            places = ",".join("?" * len(row))
            connection.execute(f"INSERT INTO users VALUES ({places})", row)  # noqa: S608
    connection.close()


class FolderTestCase(SynchronousTestCase):
    """A folder for each test."""

    @override
    def setUp(self) -> None:
        """Make the folder."""
        keep_event_loop(self)  # rumctl calls asyncio.run
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def write(self, name: str, content: bytes | str) -> str:
        """Write a file into the folder, and return its path."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)


class DirectoryTestCase(FolderTestCase):
    """A SQLite database with the tables of Rum, and nobody in it."""

    @override
    def setUp(self) -> None:
        """Make the database."""
        super().setUp()
        run(upgrade(self.url))

    @property
    def url(self) -> URL:
        """Where the database is."""
        return database_url("", self.folder)

    def directory(self, act: Callable[[AccountDirectory], Awaitable[T]]) -> T:
        """Do something with the database, past ``rumctl``."""

        async def acted() -> T:
            engine = make_engine(self.url, query_timeout=Seconds(5.0))
            try:
                return await act(AccountDirectory(engine, lambda: NOW))
            finally:
                await engine.dispose()

        return run(acted())

    def register(self, *members: Member) -> None:
        """Put members into the database."""
        self.directory(lambda directory: directory.insert_batch(members, TESTER))

    def kept(self, cid: str = "1000001") -> Member | None:
        """Return a member as the database has him."""
        return self.directory(lambda directory: directory.find(cid))

    def noted(self) -> AuditEntry:
        """Return the last entry of the audit log."""
        entries = self.directory(lambda directory: directory.audit_log(1))
        return entries[0]


class CommandTestCase(DirectoryTestCase):
    """``rumctl`` on the database of the test, without a terminal."""

    def rumctl(
        self,
        *arguments: str,
        typed: str | bytes = "",
        overrides: Sequence[str] = (),
        as_cid: str | None = None,
    ) -> Result:
        """Run a command; an error that is no sentence for the operator comes out.

        Args:
            arguments: behind ``rumctl``.
            typed: what stands on standard input.
            overrides: what stands behind ``--set``.
            as_cid: what stands behind ``--as``.
        """
        invocation = Invocation(
            config_path=None,
            overrides=(
                f"data_dir={json.dumps(str(self.folder))}",
                _CHEAP_HASHES,
                *overrides,
            ),
            as_cid=as_cid,
            environ={},
            now=lambda: NOW,
        )
        return CliRunner().invoke(
            rumctl, arguments, input=typed, obj=invocation, catch_exceptions=False
        )

    def answer(self, *arguments: str, typed: str | bytes = "") -> Any:
        """Run a command that succeeds, and return what it says as JSON."""
        result = self.rumctl(*arguments, "--json", typed=typed)
        self.assertEqual(result.exit_code, 0, result.output)
        return json.loads(result.stdout)

    def assert_done(self, result: Result, *words: str) -> None:
        """Assert that a command has succeeded, and that it says ``words``."""
        self.assertEqual(result.exit_code, 0, result.output)
        for word in words:
            self.assertIn(word, result.stdout)

    def assert_refused(self, result: Result, *words: str, code: int = 1) -> None:
        """Assert that a command says ``words`` on standard error, and its exit code."""
        self.assertEqual(result.exit_code, code, result.output)
        for word in words:
            self.assertIn(word, result.stderr)
