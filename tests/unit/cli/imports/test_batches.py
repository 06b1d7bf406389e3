"""How rows come into the database: batches, those who are there, hashes on the way."""

from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from typing_extensions import override

from rum_twisted.accounts.directory import AccountDirectory
from rum_twisted.accounts.member import Member
from rum_twisted.cli.imports.batches import (
    BATCH,
    HASHED_BATCH,
    Hashing,
    Import,
    Tally,
)
from rum_twisted.cli.imports.rows import Refused, Row
from rum_twisted.terms.identity import Rating
from tests.support.loop import run
from tests.unit.cli.builders import TESTER, DirectoryTestCase, member


class Broken(Exception):
    """The source has ended in the middle."""


class ListedRows:
    """A source that holds members, and may break off behind some of them."""

    def __init__(
        self, found: Sequence[Member | Refused], breaks_after: int | None = None
    ) -> None:
        self._found = found
        self._breaks_after = breaks_after

    async def count(self) -> int:
        """Return how many there are."""
        return len(self._found)

    async def rows(self) -> AsyncIterator[Row | Refused]:
        """Yield each."""
        for number, one in enumerate(self._found, start=1):
            if number - 1 == self._breaks_after:
                raise Broken
            yield one if isinstance(one, Refused) else Row(number, one)


def many(count: int) -> list[Member]:
    """Return so many members, each with a CID of his own."""
    return [
        member(f"{1000000 + number}", password_hash="plain$pw")
        for number in range(count)
    ]


class ImportTests(DirectoryTestCase):
    """What becomes of each row."""

    @override
    def setUp(self) -> None:
        """Count hashes and steps."""
        super().setUp()
        self.hashed: list[str] = []
        self.steps: list[int] = []

    def take(
        self,
        *found: Member | Refused,
        replace: bool = False,
        dry_run: bool = False,
        hashes: bool = False,
        breaks_after: int | None = None,
    ) -> Tally:
        """Import these rows, and return what became of them."""

        def make_hash(password: str) -> str:
            self.hashed.append(password)
            return f"plain$hash of {password}"

        async def act(directory: AccountDirectory) -> Tally:
            with ThreadPoolExecutor(2) as threads:
                work = Import(
                    directory,
                    TESTER,
                    Tally(),
                    replace=replace,
                    dry_run=dry_run,
                    hashing=Hashing(make_hash, threads) if hashes else None,
                )
                await work.run(ListedRows(found, breaks_after), self.steps.append)
                return work.tally

        return self.directory(act)

    def count(self) -> int:
        """Return how many members the database has."""
        return self.directory(lambda directory: directory.count())

    def test_rows_are_taken_in_batches(self) -> None:
        """Every one arrives, also those of the last batch, which is not full."""
        tally = self.take(*many(BATCH + 1), Refused(BATCH + 2, "x", "why"))
        self.assertEqual((tally.read, tally.taken), (BATCH + 2, BATCH + 1))
        self.assertEqual([row.reason for row in tally.refused], ["why"])
        self.assertEqual(self.count(), BATCH + 1)
        self.assertEqual(sum(self.steps), BATCH + 2)
        self.assertEqual(self.noted().act, "import")

    def test_who_is_there_is_passed_over(self) -> None:
        """He keeps what he has: an import that is begun again harms nobody."""
        self.register(member("1000000", name="Before"))
        tally = self.take(*many(2))
        self.assertEqual((tally.taken, tally.skipped), (1, 1))
        kept = self.kept("1000000")
        assert kept is not None
        self.assertEqual(kept.name, "Before")

    def test_who_is_there_takes_on_the_new_if_asked_for(self) -> None:
        """And nobody else is touched."""
        self.register(member("1000000", name="Before"), member("2"))
        tally = self.take(member("1000000", rating=Rating.OBSERVER), replace=True)
        self.assertEqual((tally.taken, tally.skipped), (1, 0))
        kept = self.kept("1000000")
        assert kept is not None
        self.assertEqual((kept.name, kept.rating), ("", Rating.OBSERVER))
        self.assertEqual(self.count(), 2)

    def test_a_password_is_not_lost_by_a_source_without_one(self) -> None:
        """An export without hashes can be edited and imported again."""
        self.register(member("1", password_hash="plain$kept"))
        tally = self.take(
            member("1", password_hash="", name="New"),
            member("2", password_hash=""),
            replace=True,
        )
        kept = self.kept("1")
        assert kept is not None
        self.assertEqual((kept.name, kept.password_hash), ("New", "plain$kept"))
        self.assertEqual(tally.without_password, 1)

    def test_a_dry_run_changes_nothing(self) -> None:
        """But tells the same numbers."""
        self.register(member("1000000"))
        tally = self.take(*many(3), dry_run=True, hashes=True)
        self.assertEqual((tally.taken, tally.skipped, tally.hashed), (2, 1, 2))
        self.assertEqual(self.count(), 1)
        self.assertEqual(self.hashed, [])

    def test_plain_passwords_are_hashed_on_the_way(self) -> None:
        """Hashes that come from elsewhere cannot be; the next logon renews those."""
        sha256 = "sha256$" + "0" * 64
        tally = self.take(
            member("1", password_hash="plain$a"),
            member("2", password_hash=sha256),
            member("3", password_hash=""),
            member("4", password_hash="plain$b"),
            hashes=True,
        )
        self.assertEqual(tally.hashed, 2)
        kept = [self.kept(cid) for cid in "1234"]
        self.assertEqual(
            [one and one.password_hash for one in kept],
            ["plain$hash of a", sha256, "", "plain$hash of b"],
        )

    def test_an_import_goes_on_where_it_was_interrupted(self) -> None:
        """What was hashed and written before is not hashed again."""
        found = many(HASHED_BATCH * 2 + 1)
        with self.assertRaises(Broken):
            self.take(*found, hashes=True, breaks_after=HASHED_BATCH + 1)
        self.assertEqual(self.count(), HASHED_BATCH)
        self.hashed.clear()
        tally = self.take(*found, hashes=True)
        self.assertEqual(len(self.hashed), HASHED_BATCH + 1)
        self.assertEqual(tally.skipped, HASHED_BATCH)
        self.assertEqual(self.count(), len(found))

    def test_an_empty_source(self) -> None:
        """It is imported at once, and the audit log does not mention it."""
        tally = self.take()
        self.assertEqual(tally, Tally())
        audit = self.directory(lambda directory: directory.audit_log(1))
        self.assertEqual(audit, [])

    def test_of_two_rows_for_one_cid_the_first_counts(self) -> None:
        """FSD tells no case in CIDs, and pyfsd does: the second one is refused."""
        for dry_run in (True, False):
            tally = self.take(
                member("abc", name="first"),
                member("ABC", name="second"),
                dry_run=dry_run,
            )
            self.assertEqual(tally.taken, 1)
            (refused,) = tally.refused
            self.assertEqual(refused.number, 2)
            self.assertEqual(refused.reason, "its CID stands in row 1 already")
        kept = self.kept("abc")
        assert kept is not None
        self.assertEqual(kept.name, "first")


class ReaderTests(DirectoryTestCase):
    """The test's own source."""

    def test_it_counts(self) -> None:
        """As a real one does."""
        self.assertEqual(run(ListedRows(many(3)).count()), 3)
