"""The members' directory in a real PostgreSQL, and what the database costs."""

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

import rum_twisted
from rum_twisted.accounts.engine import database_url
from tests.contract.directory import (
    DirectoryContract,
    EngineContract,
    MigrationContract,
)
from tests.support.members import STAFF, make_member
from tests.support.postgres import shared_postgres


class MemberTests(DirectoryContract.MemberTests):
    """Members come, change and go; in PostgreSQL."""

    @override
    def new_url(self) -> str:
        return shared_postgres().new_database()


class ManyMembersTests(DirectoryContract.ManyMembersTests):
    """Lists and imports, in PostgreSQL."""

    @override
    def new_url(self) -> str:
        return shared_postgres().new_database()


class SessionTests(DirectoryContract.SessionTests):
    """Who was on, and for how long; in PostgreSQL."""

    @override
    def new_url(self) -> str:
        return shared_postgres().new_database()


class AuditTests(DirectoryContract.AuditTests):
    """What staff did; in PostgreSQL."""

    @override
    def new_url(self) -> str:
        return shared_postgres().new_database()


class EngineTests(EngineContract.EngineTests):
    """Connections to PostgreSQL are given back."""

    WAIT = "SELECT pg_sleep(15)"

    @override
    def new_url(self) -> str:
        return shared_postgres().new_database()


class MigrationTests(MigrationContract.MigrationTests):
    """The tables come to be, in PostgreSQL."""

    @override
    def new_url(self) -> str:
        return shared_postgres().new_database()

    def test_index_is_used(self) -> None:
        """Where there are many, PostgreSQL looks a member up by the index."""
        postgres = shared_postgres()
        url = postgres.new_database()
        members = [make_member(f"{number}") for number in range(3000)]

        async def work() -> None:
            async with self.opened(database_url(url, Path())) as directory:
                await directory.insert_batch(members, STAFF)

        self.run_on_loop(work())
        name = url.rpartition("/")[2]
        postgres.query("ANALYZE", database=name)
        plan = postgres.query(
            "EXPLAIN SELECT * FROM rum_members WHERE cid = '7'", database=name
        )
        self.assertIn("Index Scan", plan)


# Builds what asks an SQLite database, and tells which of these are loaded then.
IMPORTS = """
import sys
import rum_twisted.assembly.database
from rum_twisted.accounts.engine import database_url, make_engine
from pathlib import Path
make_engine(database_url("", Path()), query_timeout=1.0)
print(*(name for name in %r if name in sys.modules))
"""
HEAVY = ("sqlalchemy.orm", "sqlalchemy.dialects.postgresql", "asyncpg", "alembic")


class ImportTests(SynchronousTestCase):
    """What a server with an SQLite file does not need."""

    def test_nothing_heavy_is_loaded(self) -> None:
        """No mapper, no migrations, no PostgreSQL."""
        done = subprocess.run(  # noqa: S603 - this very Python
            [sys.executable, "-c", IMPORTS % (HEAVY,)],
            capture_output=True,
            check=True,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(rum_twisted.__file__).parents[1]),
            },
            text=True,
            timeout=180,
        )
        self.assertEqual(done.stdout.strip(), "")
