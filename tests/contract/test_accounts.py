"""What every account store promises, whatever it keeps its accounts in."""

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface.verify import verifyObject

from rum_twisted.accounts.certfile import CertFileAccounts
from rum_twisted.accounts.guarded import GuardedAccounts
from rum_twisted.accounts.memory import MemoryAccounts
from rum_twisted.accounts.throttle import Limits, Throttle
from rum_twisted.session.interfaces import Account, IAccounts, InvalidCredentials
from rum_twisted.terms.errors import ErrorCode
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.units import Seconds

GREEK_IN_GBK = b"\xa6\xc1\xa6\xe1".decode("latin-1")


class Contract:
    """Keeps the suite itself out of the test loader's sight."""

    class AccountsTests(SynchronousTestCase):
        """The promises of `IAccounts`.

        The store under test knows the accounts ``1000001`` (password ``pw01``,
        observer), ``AlphaCid`` (``MixedCase``, controller 1), ``1000000``
        (``pw00``, suspended) and ``1000002`` (a password in GBK, supervisor).
        """

        def make_accounts(self) -> IAccounts:
            """Return the store under test, with the four accounts."""
            raise NotImplementedError

        @override
        def setUp(self) -> None:
            """Make a new store for each test."""
            self.accounts = self.make_accounts()

        def assert_refused(self, cid: str, password: str) -> None:
            """Check that the answer is error 006 with the CID, and no more."""
            deferred = self.accounts.authenticate(cid, password)
            error = self.failureResultOf(deferred, InvalidCredentials).value
            self.assertEqual(error.code, ErrorCode.INVALID_CREDENTIALS)
            self.assertEqual(error.parameter, cid)

        def assert_proved(self, cid: str, password: str, rating: Rating) -> None:
            """Check that the answer is the account, its CID as typed."""
            deferred = self.accounts.authenticate(cid, password)
            self.assertEqual(self.successResultOf(deferred), Account(cid, rating))

        def test_interface_is_whole(self) -> None:
            """A store has every method of the interface."""
            self.assertTrue(verifyObject(IAccounts, self.accounts))

        def test_right_password_proves_the_account(self) -> None:
            """A member with the right password gets his highest rating."""
            self.assert_proved("1000001", "pw01", Rating.OBSERVER)
            self.assert_proved("AlphaCid", "MixedCase", Rating.CONTROLLER1)

        def test_case_of_a_to_z_does_not_count(self) -> None:
            """Neither the CID nor the password minds upper and lower case."""
            self.assert_proved("alphaCID", "mIXEDcASE", Rating.CONTROLLER1)

        def test_bytes_beyond_ascii_count_as_they_are(self) -> None:
            """A GBK password is proved; its bytes have no upper and lower case."""
            self.assert_proved("1000002", GREEK_IN_GBK, Rating.SUPERVISOR)
            self.assert_refused("1000002", GREEK_IN_GBK.replace("á", "Á"))

        def test_suspended_account_is_proved_too(self) -> None:
            """Whether a suspended member is let in is decided by others."""
            self.assert_proved("1000000", "pw00", Rating.SUSPENDED)

        def test_wrong_password_is_refused(self) -> None:
            """Another password, a part of it, more than it or none: error 006."""
            for password in ("pw02", "pw0", "pw011", "", " pw01", "pw01 ", "\0"):
                self.assert_refused("1000001", password)

        def test_unknown_cid_is_refused_alike(self) -> None:
            """An unknown CID is refused as a wrong password is."""
            for cid in ("9999999", "100000", "01000001", " 1000001", "é", "\0"):
                self.assert_refused(cid, "pw01")

        def test_empty_cid_is_refused(self) -> None:
            """Nobody logs on without a CID, whatever the password."""
            self.assert_refused("", "pw01")
            self.assert_refused("", "")

        def test_long_words_are_refused(self) -> None:
            """A CID or password of a whole line's length is just a wrong one."""
            self.assert_refused("1" * 2048, "pw01")
            self.assert_refused("1000001", "p" * 2048)

        def test_repr_shows_no_password(self) -> None:
            """Looking at the store from the manhole shows nobody's password."""
            self.assertNotIn("pw01", repr(self.accounts))


class MemoryAccountsTests(Contract.AccountsTests):
    """The promises, kept in memory."""

    @override
    def make_accounts(self) -> IAccounts:
        """Return accounts that were given as a mapping."""
        return MemoryAccounts(
            {
                "1000001": ("pw01", Rating.OBSERVER),
                "AlphaCid": ("MixedCase", Rating.CONTROLLER1),
                "1000000": ("pw00", Rating.SUSPENDED),
                "1000002": (GREEK_IN_GBK, Rating.SUPERVISOR),
            }
        )


class GuardedAccountsTests(MemoryAccountsTests):
    """The promises, kept behind a guard who has no reason to step in."""

    @override
    def make_accounts(self) -> IAccounts:
        """Return accounts behind a guard."""
        return GuardedAccounts(
            super().make_accounts(),
            Throttle(Limits(free_per_cid=100, free_per_address=100)),
            Clock(),
            lambda notice: self.fail(f"a lockout: {notice}"),
            step=Seconds(0.0),
        )


class CertFileAccountsTests(Contract.AccountsTests):
    """The promises, kept from a classic account file."""

    @override
    def make_accounts(self) -> IAccounts:
        """Return a started service that has read its file."""
        path = Path(self.mktemp())
        path.write_bytes(
            b"1000001 pw01 1\nAlphaCid MixedCase 5\n1000000 pw00 0\n"
            b"1000002 " + GREEK_IN_GBK.encode("latin-1") + b" 11\n"
        )
        accounts = CertFileAccounts(path, Clock(), Seconds(120.0))
        accounts.startService()
        self.addCleanup(accounts.stopService)
        return accounts
