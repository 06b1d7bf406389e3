"""What every store promises an operator who changes its accounts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface.verify import verifyObject

from rum_twisted.accounts.certfile import CertFileAccounts
from rum_twisted.accounts.remotecertificates import RemoteCertificates
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

        def rows(self, text: str = "") -> Sequence[CertificateRow]:
            """Return the accounts that match."""
            found: Sequence[CertificateRow] = self.successResultOf(
                self.certificates.matching(text)
            )
            return found

        def rating_of(self, cid: str, password: str) -> Rating | None:
            """Return with which rating somebody could log on."""
            asked: Deferred[Any] = self.accounts.authenticate(cid, password)
            asked.addErrback(lambda failure: failure.trap(InvalidCredentials))
            account = self.successResultOf(asked)
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
            self.assertEqual(self.successResultOf(self.certificates.count()), 3)

        def test_add(self) -> None:
            """Who is added can log on, with any password and in any case of the CID."""
            for cid, password in (("NewCid", "secret"), ("1000009", GREEK_IN_GBK)):
                added = self.certificates.add(cid, password, Rating.STUDENT3, BY)
                self.assertIsNone(self.successResultOf(added))
                self.assertIs(self.rating_of(cid.upper(), password), Rating.STUDENT3)
            again = self.certificates.add("newcid", "x", Rating.OBSERVER, BY)
            self.failureResultOf(again, CertificateExists)
            self.assertIs(self.rating_of("newcid", "secret"), Rating.STUDENT3)

        def test_modify(self) -> None:
            """Another rating counts at once; the password stays."""
            for rating in (Rating.SUSPENDED, Rating.ADMINISTRATOR):
                changed = self.certificates.modify("1000001", rating, BY)
                self.assertIsNone(self.successResultOf(changed))
                self.assertIs(self.rating_of("1000001", "pw01"), rating)
            missing = self.certificates.modify("nobody", Rating.OBSERVER, BY)
            self.failureResultOf(missing, NoSuchCertificate)

        def test_delete(self) -> None:
            """Who is deleted is nobody."""
            gone = self.certificates.delete("1000001", BY)
            self.assertIsNone(self.successResultOf(gone))
            self.assertIsNone(self.rating_of("1000001", "pw01"))
            again = self.certificates.delete("1000001", BY)
            self.failureResultOf(again, NoSuchCertificate)
            self.assertEqual(len(self.rows()), 2)

        def test_what_no_account_can_have(self) -> None:
            """It is refused, and nothing is made."""
            added = self.certificates.add(";x", "secret", Rating.OBSERVER, BY)
            self.failureResultOf(added, UnfitCertificate)
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
