"""The members' directory in an SQLite file."""

from pathlib import Path

from typing_extensions import override

from rum_twisted.accounts.engine import database_url
from tests.contract.directory import DirectoryContract
from tests.support.members import new_file, new_url, sqlite_rows


class MemberTests(DirectoryContract.MemberTests):
    """Members come, change and go; in SQLite."""

    @override
    def new_url(self) -> str:
        return new_url(self)

    def test_index_is_used(self) -> None:
        """SQLite looks a member up by the index that the primary key has."""
        path = new_file(self)

        async def work() -> None:
            async with self.opened(database_url(f"sqlite:///{path}", Path())):
                pass

        self.run_on_loop(work())
        plan = sqlite_rows(
            path, "EXPLAIN QUERY PLAN SELECT * FROM rum_members WHERE cid = 'x'"
        )
        self.assertIn("USING INDEX", plan[0][3])


class ManyMembersTests(DirectoryContract.ManyMembersTests):
    """Lists and imports, in SQLite."""

    @override
    def new_url(self) -> str:
        return new_url(self)


class SessionTests(DirectoryContract.SessionTests):
    """Who was on, and for how long; in SQLite."""

    @override
    def new_url(self) -> str:
        return new_url(self)


class AuditTests(DirectoryContract.AuditTests):
    """What staff did; in SQLite."""

    @override
    def new_url(self) -> str:
        return new_url(self)
