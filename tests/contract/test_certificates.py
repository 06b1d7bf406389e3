"""What every store promises an operator who changes its accounts."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface.verify import verifyObject

from rum_twisted.accounts.certfile import CertFileAccounts
from rum_twisted.accounts.certificates import DatabaseCertificates
from rum_twisted.accounts.database import DatabaseAccounts
from rum_twisted.accounts.directory import AccountDirectory
from rum_twisted.accounts.engine import database_url, make_engine
from rum_twisted.accounts.hashing import HashingPool
from rum_twisted.accounts.member import Actor
from rum_twisted.accounts.migrate import Outcome, upgrade
from rum_twisted.accounts.passwords import Argon2Parameters, Hasher
from rum_twisted.accounts.patient import PatientDatabase
from rum_twisted.accounts.remotecertificates import RemoteCertificates
from rum_twisted.accounts.verified import VerifiedLogons
from rum_twisted.rpc.bridge import deferred, future
from rum_twisted.rpc.certificates import CertificatesServicer
from rum_twisted.session.certificates import (
    CertificateExists,
    CertificateRow,
    CertificatesAway,
    NoSuchCertificate,
    Operator,
    UnfitCertificate,
)
from rum_twisted.session.interfaces import IAccounts, ICertificates, InvalidCredentials
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.units import Seconds
from tests.contract.test_remote import WITHIN, RemoteTestCase
from tests.support.builders import NOON
from tests.support.loop import keep_event_loop
from tests.support.loopclock import LoopClock
from tests.support.members import STAFF, make_member, new_url

LONG = Seconds(60.0)
BY = Operator("console", "192.0.2.7")
GREEK_IN_GBK = b"\xa6\xc1\xa6\xe1".decode("latin-1")


class Contract:
    """Keeps the suite itself out of the test loader's sight."""

    class CertificatesTests(SynchronousTestCase):
        """The promises of `ICertificates`.

        The store under test has the accounts ``1000001`` (password ``pw01``,
        observer), ``1000005`` and ``alphacid``, both of controller 1.
        """

        accounts: IAccounts  # to log on with what was changed

        def make_certificates(self) -> ICertificates:
            """Return the store under test; set ``accounts``."""
            raise NotImplementedError

        @override
        def setUp(self) -> None:
            """Make a new store for each test."""
            self.certificates = self.make_certificates()

        def result_of(self, asked: Deferred[Any]) -> Any:
            """Return what comes of a question."""
            return self.successResultOf(asked)

        def failure_of(self, asked: Deferred[Any], *kinds: type[Exception]) -> Failure:
            """Return how a question has failed, with one of these errors."""
            failure: Failure = self.failureResultOf(asked, *kinds)
            return failure

        def rows(self, text: str = "") -> Sequence[CertificateRow]:
            """Return the accounts that match."""
            found: Sequence[CertificateRow] = self.result_of(
                self.certificates.matching(text)
            )
            return found

        def rating_of(self, cid: str, password: str) -> Rating | None:
            """Return with which rating somebody could log on."""
            asked: Deferred[Any] = self.accounts.authenticate(cid, password)
            asked.addErrback(lambda failure: failure.trap(InvalidCredentials))
            account = self.result_of(asked)
            return getattr(account, "rating", None)

        def test_interface_is_whole(self) -> None:
            """A store has every method of the interface."""
            self.assertTrue(verifyObject(ICertificates, self.certificates))

        def test_list(self) -> None:
            """By CID, those whose CID contains the text; all are counted."""
            self.assertEqual(
                [(row.cid, row.rating) for row in self.rows()],
                [
                    ("1000001", Rating.OBSERVER),
                    ("1000005", Rating.CONTROLLER1),
                    ("alphacid", Rating.CONTROLLER1),
                ],
            )
            self.assertEqual([row.cid for row in self.rows("0005")], ["1000005"])
            self.assertEqual([row.cid for row in self.rows("ALPHA")], ["alphacid"])
            self.assertEqual(self.rows("nobody"), ())
            self.assertEqual(self.result_of(self.certificates.count()), 3)

        def test_add(self) -> None:
            """Who is added can log on, with any password and in any case of the CID."""
            for cid, password in (("NewCid", "secret"), ("1000009", GREEK_IN_GBK)):
                added = self.certificates.add(cid, password, Rating.STUDENT3, BY)
                self.assertIsNone(self.result_of(added))
                self.assertIs(self.rating_of(cid.upper(), password), Rating.STUDENT3)
            again = self.certificates.add("newcid", "x", Rating.OBSERVER, BY)
            self.failure_of(again, CertificateExists)
            self.assertIs(self.rating_of("newcid", "secret"), Rating.STUDENT3)

        def test_modify(self) -> None:
            """Another rating counts at once; the password stays."""
            for rating in (Rating.SUSPENDED, Rating.ADMINISTRATOR):
                changed = self.certificates.modify("1000001", rating, BY)
                self.assertIsNone(self.result_of(changed))
                self.assertIs(self.rating_of("1000001", "pw01"), rating)
            missing = self.certificates.modify("nobody", Rating.OBSERVER, BY)
            self.failure_of(missing, NoSuchCertificate)

        def test_delete(self) -> None:
            """Who is deleted is nobody."""
            gone = self.certificates.delete("1000001", BY)
            self.assertIsNone(self.result_of(gone))
            self.assertIsNone(self.rating_of("1000001", "pw01"))
            again = self.certificates.delete("1000001", BY)
            self.failure_of(again, NoSuchCertificate)
            self.assertEqual(len(self.rows()), 2)

        def test_what_no_account_can_have(self) -> None:
            """It is refused, and nothing is made."""
            for cid in ("a:b", ""):
                added = self.certificates.add(cid, "secret", Rating.OBSERVER, BY)
                self.failure_of(added, UnfitCertificate)
            self.assertEqual(len(self.rows()), 3)


class CertFileTests(Contract.CertificatesTests):
    """The classic account file, which is not written."""

    @override
    def make_certificates(self) -> ICertificates:
        """Return an account file."""
        self.path = Path(self.mktemp())
        self.path.write_text(
            "1000001 pw01 1\n1000005 pw05 5\nAlphaCid MixedCase 5\n", "ascii"
        )
        self.clock = Clock()
        accounts = CertFileAccounts(self.path, self.clock, Seconds(10.0))
        accounts.startService()
        self.addCleanup(accounts.stopService)
        self.accounts = accounts
        return accounts

    def test_what_would_be_a_comment(self) -> None:
        """No CID begins like one."""
        added = self.certificates.add(";x", "secret", Rating.OBSERVER, BY)
        self.failure_of(added, UnfitCertificate)

    def test_a_change_lasts_until_the_file_is_read_again(self) -> None:
        """It says so, leaves the file alone, and gives way to an edit of it."""
        before = self.path.read_bytes()
        self.assertFalse(self.certificates.is_permanent)
        self.successResultOf(self.certificates.delete("1000001", BY))
        self.clock.advance(20.0)
        self.assertEqual(self.path.read_bytes(), before)
        self.assertEqual(len(self.rows()), 2)
        self.path.write_bytes(before + b"1000006 pw06 6\n")
        self.clock.advance(20.0)
        self.assertEqual(len(self.rows()), 4)


class DatabaseTests(Contract.CertificatesTests):
    """The members of a database: SQLite, on a loop that runs while a test waits."""

    @override
    def make_certificates(self) -> ICertificates:
        """Return accounts in a new database."""
        keep_event_loop(self)
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)  # for what is asked while it stands
        self.addCleanup(self.loop.close)
        certificates = self.loop.run_until_complete(self.begin())
        self.addCleanup(lambda: self.loop.run_until_complete(self.end()))
        return certificates

    async def begin(self) -> ICertificates:
        """Make the database, with its members."""
        clock = LoopClock()
        url = database_url(new_url(self), Path())

        async def migrate() -> tuple[Outcome, str]:
            await upgrade(url)
            return Outcome.DONE, "done"

        self.directory = AccountDirectory(
            make_engine(url, query_timeout=LONG), lambda: NOON
        )
        self.database = PatientDatabase(
            url,
            self.directory,
            clock,
            query_timeout=LONG,
            migrate=lambda: deferred(migrate()),
            random=Random(1),  # noqa: S311 - for jitter
        )
        hasher = Hasher(Argon2Parameters(memory=64, passes=1))
        self.pool = HashingPool(hasher, clock)
        self.accounts = self.members = DatabaseAccounts(
            self.database,
            self.pool,
            VerifiedLogons(0),
            lambda: NOON,
            answer_within=LONG,
            longest=10,
        )
        for service in (self.pool, self.database, self.members):
            service.startService()
        await future(self.database.when_there())
        for cid, password, rating in (
            ("1000001", "pw01", Rating.OBSERVER),
            ("1000005", "pw05", Rating.CONTROLLER1),
            ("AlphaCid", "MixedCase", Rating.CONTROLLER1),
        ):
            stored = hasher.hash(password)
            member = make_member(cid, password_hash=stored, rating=rating)
            await self.directory.add(member, STAFF)
        return DatabaseCertificates(self.database, self.pool, LONG)

    async def end(self) -> None:
        """Stop everything; the database closes its directory."""
        self.members.stopService()
        await future(maybeDeferred(self.pool.stopService))
        await future(self.database.stopService())

    @override
    def result_of(self, asked: Deferred[Any]) -> Any:
        """Run the loop until it is known."""
        return self.loop.run_until_complete(self.bounded(asked))

    @override
    def failure_of(self, asked: Deferred[Any], *kinds: type[Exception]) -> Failure:
        """Likewise."""
        error = self.assertRaises(kinds, self.result_of, asked)
        return Failure(error)

    async def bounded(self, asked: Deferred[Any]) -> Any:
        """Wait, and not for ever."""
        async with asyncio.timeout(LONG):
            return await future(asked)

    def test_changes_last_and_are_noted(self) -> None:
        """Each with who made it, and from where; what was refused is not."""
        self.assertTrue(self.certificates.is_permanent)
        kept = self.certificates
        self.result_of(kept.add("1000009", "secret", Rating.OBSERVER, BY))
        self.result_of(kept.modify("1000009", Rating.STUDENT1, BY))
        self.result_of(kept.delete("1000009", BY))
        again = self.certificates.delete("1000009", BY)
        self.failure_of(again, NoSuchCertificate)
        entries = self.loop.run_until_complete(self.directory.audit_log(10, "1000009"))
        ours = [entry for entry in entries if entry.by == Actor(BY.name, BY.address)]
        self.assertEqual(
            sorted(entry.act for entry in ours), ["add", "change", "delete"]
        )
        self.assertNotIn("secret", repr(ours))

    def test_a_database_that_is_away(self) -> None:
        """The operator reads that, and nothing is done later."""
        self.result_of(self.database.stopService())
        for asked in (
            self.certificates.count(),
            self.certificates.matching(""),
            self.certificates.add("1000009", "x", Rating.OBSERVER, BY),
            self.certificates.modify("1000001", Rating.STUDENT1, BY),
            self.certificates.delete("1000001", BY),
        ):
            self.failure_of(asked, CertificatesAway)


class RemoteTests(RemoteTestCase, Contract.CertificatesTests):
    """The same promises, kept by another process that allows it."""

    @override
    def make_certificates(self) -> ICertificates:
        """Return accounts of another process, which has an account file."""
        there = CertFileTests("test_list")
        store = there.make_certificates()
        self.addCleanup(there.doCleanups)
        self.accounts = there.accounts
        return self.remote(store)

    def remote(self, store: ICertificates | None) -> RemoteCertificates:
        """Return what asks a process with this store."""
        clients = self.connect(CertificatesServicer(store))
        remote = RemoteCertificates(clients, WITHIN)
        remote.startService()
        self.addCleanup(remote.stopService)
        return remote

    def test_whether_changes_last(self) -> None:
        """It is known with the answer."""
        self.successResultOf(self.certificates.delete("1000001", BY))
        self.assertFalse(self.certificates.is_permanent)


class RefusalTests(RemoteTestCase):
    """Another process that does not allow it, or does not answer."""

    def assert_refused(self, remote: RemoteCertificates, words: str) -> None:
        """Assert that nothing is told and nothing is changed."""
        for asked in (
            remote.count(),
            remote.matching(""),
            remote.add("1000009", "x", Rating.OBSERVER, BY),
            remote.modify("1000001", Rating.OBSERVER, BY),
            remote.delete("1000001", BY),
        ):
            failure = self.failureResultOf(asked, CertificatesAway)
            self.assertIn(words, str(failure.value))

    def test_not_allowed(self) -> None:
        """The operator reads that, and nothing else is asked less for it."""
        clients = self.connect(CertificatesServicer(None))
        remote = RemoteCertificates(clients, WITHIN)
        remote.startService()
        self.addCleanup(remote.stopService)
        self.assert_refused(remote, "does not allow it")

    def test_nobody_answers(self) -> None:
        """Before the start, after the end, and while the other is gone."""
        clients = self.connect(CertificatesServicer(None))
        remote = RemoteCertificates(clients, WITHIN)
        self.assert_refused(remote, "nobody who keeps them answers")
        remote.startService()
        self.instances.change()
        self.assert_refused(remote, "nobody who keeps them answers")
        remote.stopService()
        self.assert_refused(remote, "nobody who keeps them answers")
