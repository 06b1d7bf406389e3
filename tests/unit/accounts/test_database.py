"""Members log on by what the database knows of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.database import (
    DatabaseAccounts,
    ensure_first_member,
    notice_of,
)
from rum_twisted.accounts.member import Restriction, RestrictionKind
from rum_twisted.accounts.patient import DatabaseAway
from rum_twisted.accounts.queue import TooManyLogons
from rum_twisted.accounts.verified import VerifiedLogons
from rum_twisted.session.interfaces import (
    Account,
    AccountsUnavailable,
    IAccounts,
    InvalidCredentials,
)
from rum_twisted.terms.errors import ErrorCode
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import Permission
from rum_twisted.terms.units import Seconds
from tests.contract.test_accounts import GREEK_IN_GBK, Contract
from tests.support.builders import NOON
from tests.support.members import make_member
from tests.support.scripted import ScriptedDirectory, prompt_pool, scripted_database

WITHIN: Final = Seconds(45.0)
LONGEST: Final = 3
PASSWORD: Final = "pw01"
GONE: Final = ConnectionRefusedError(111, "Connection refused")


class Store:
    """A store with all that belongs to it, started."""

    def __init__(self, test: SynchronousTestCase, *, cache: int = 10) -> None:
        self.clock = Clock()
        self.directory = ScriptedDirectory(Path(test.mktemp()).absolute())
        self.pool = prompt_pool()
        self.database = scripted_database(self.directory, self.clock)
        self.now = NOON
        self.accounts = DatabaseAccounts(
            self.database,
            self.pool,
            VerifiedLogons(cache),
            lambda: self.now,
            answer_within=WITHIN,
            longest=LONGEST,
        )
        for service in (self.pool, self.database, self.accounts):
            service.startService()
            test.addCleanup(service.stopService)

    def add(
        self, cid: str = "1000001", password: str = PASSWORD, **fields: Any
    ) -> None:
        """Register somebody with a fresh hash."""
        stored = self.pool._hasher.hash(password)  # noqa: SLF001
        self.directory.members_by_cid[cid] = make_member(
            cid, **{"password_hash": stored, **fields}
        )

    def log_on(
        self, cid: str = "1000001", password: str = PASSWORD
    ) -> Deferred[Account]:
        """Ask for somebody."""
        return self.accounts.authenticate(cid, password, "192.0.2.1")


class ContractTests(Contract.AccountsTests):
    """The promises of every store, kept from a database."""

    @override
    def make_accounts(self) -> IAccounts:
        """Return a store with the four accounts."""
        store = Store(self)
        for cid, password, rating in (
            ("1000001", "pw01", Rating.OBSERVER),
            ("alphacid", "MixedCase", Rating.CONTROLLER1),
            ("1000000", "pw00", Rating.SUSPENDED),
            ("1000002", GREEK_IN_GBK, Rating.SUPERVISOR),
        ):
            store.add(cid, password, rating=rating)
        return store.accounts

    @override
    def test_case_of_a_to_z_does_not_count(self) -> None:
        """The CID minds no case; a password that is kept as a hash does."""
        self.assert_proved("alphaCID", "MixedCase", Rating.CONTROLLER1)
        self.assert_refused("alphaCID", "mIXEDcASE")


class LogonTests(SynchronousTestCase):
    """One logon."""

    @override
    def setUp(self) -> None:
        """Have a member."""
        self.store = Store(self)
        self.store.add(permissions=frozenset({Permission.KICK}), rating=Rating(5))

    def test_permissions(self) -> None:
        """What staff gave the member goes with the account."""
        account = self.successResultOf(self.store.log_on())
        self.assertEqual(
            account,
            Account("1000001", Rating.CONTROLLER1, frozenset({Permission.KICK})),
        )

    def test_one_question(self) -> None:
        """The database is asked once, and nothing is written."""
        self.store.directory.asked.clear()
        self.successResultOf(self.store.log_on())
        self.assertEqual(self.store.directory.asked, ["find 1000001"])

    def test_suspended_member(self) -> None:
        """He is proved and counts as suspended, with the reason; until it ends."""
        restriction = Restriction(
            kind=RestrictionKind.SUSPENSION,
            reason="abuse on frequency",
            since=NOON,
            until=Seconds(NOON + 3600),
        )
        self.store.add(restriction=restriction)
        account = self.successResultOf(self.store.log_on())
        self.assertEqual(account.rating, Rating.SUSPENDED)
        self.assertEqual(account.permissions, frozenset())
        self.assertEqual(account.notice, notice_of(restriction))
        self.store.now = Seconds(NOON + 3600)
        account = self.successResultOf(self.store.log_on())
        self.assertEqual((account.rating, account.notice), (Rating.OBSERVER, ""))

    def test_stranger_does_not_learn_of_a_suspension(self) -> None:
        """Without the password nothing is told of it."""
        self.store.add(
            restriction=Restriction(kind=RestrictionKind.BAN, reason="x", since=NOON)
        )
        error = self.failureResultOf(
            self.store.log_on(password="wrong"), InvalidCredentials
        ).value
        self.assertEqual(error.notice, "")

    def test_member_without_password(self) -> None:
        """Whose password is not kept cannot log on, with none either."""
        self.store.add(password_hash="")
        for password in ("", "pw01"):
            self.failureResultOf(
                self.store.log_on(password=password), InvalidCredentials
            )

    def test_second_logon_needs_no_hash(self) -> None:
        """The same password is known for a while; another one is still wrong."""
        self.successResultOf(self.store.log_on())
        self.successResultOf(self.store.pool.stopService() or _done())
        self.successResultOf(self.store.log_on())
        self.failureResultOf(self.store.log_on(password="wrong"), AccountsUnavailable)

    def test_new_password_counts_at_once(self) -> None:
        """What was known of the old one is worth nothing then."""
        self.successResultOf(self.store.log_on())
        self.store.add(password="new")
        self.failureResultOf(self.store.log_on(), InvalidCredentials)
        self.successResultOf(self.store.log_on(password="new"))

    def test_suspension_counts_at_once(self) -> None:
        """Even for somebody whose password is known."""
        self.successResultOf(self.store.log_on())
        self.store.add(
            restriction=Restriction(kind=RestrictionKind.BAN, reason="x", since=NOON)
        )
        account = self.successResultOf(self.store.log_on())
        self.assertEqual(account.rating, Rating.SUSPENDED)


def _done() -> Deferred[None]:
    done: Deferred[None] = Deferred()
    done.callback(None)
    return done


class UpgradeTests(SynchronousTestCase):
    """Passwords that other servers kept."""

    @override
    def setUp(self) -> None:
        """Have a member who came with a readable password."""
        self.store = Store(self)
        self.store.add(password_hash="plain$pw01")

    def stored(self) -> str:
        """Return what is kept now."""
        return self.store.directory.members_by_cid["1000001"].password_hash

    def test_right_password_is_hashed_anew(self) -> None:
        """The first logon brings argon2id, and the next one still succeeds."""
        self.successResultOf(self.store.log_on())
        self.assertTrue(self.stored().startswith("$argon2id$"))
        self.successResultOf(self.store.log_on())
        self.store.pool.stopService()
        self.successResultOf(self.store.log_on())  # it is known by its new hash

    def test_wrong_password_changes_nothing(self) -> None:
        """Who does not know it cannot replace it."""
        self.failureResultOf(self.store.log_on(password="x"), InvalidCredentials)
        self.assertEqual(self.stored(), "plain$pw01")

    def test_trouble_with_it_concerns_nobody(self) -> None:
        """He is in all the same; his next logon tries again."""
        self.store.directory.write_trouble = GONE
        self.successResultOf(self.store.log_on())
        self.assertEqual(self.stored(), "plain$pw01")
        self.store.directory.write_trouble = None
        self.store.now = Seconds(NOON + 3600)  # when the cache has forgotten him
        self.successResultOf(self.store.log_on())
        self.assertTrue(self.stored().startswith("$argon2id$"))

    def test_bug_in_it_is_logged(self) -> None:
        """And the logon succeeds."""
        self.store.directory.write_trouble = ValueError("bug")
        self.successResultOf(self.store.log_on())
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_logon_does_not_wait_for_it(self) -> None:
        """However long the database takes to write."""
        self.successResultOf(self.store.database.ask(_nothing, None))
        self.store.directory.holds_writes = True
        self.successResultOf(self.store.log_on())
        self.assertIn("1 passwords to hash anew", repr(self.store.accounts))
        self.store.accounts.stopService()
        self.assertIn("0 passwords to hash anew", repr(self.store.accounts))


async def _nothing(_directory: object) -> None:
    """Ask nothing."""


class AwayTests(SynchronousTestCase):
    """The database is away."""

    @override
    def setUp(self) -> None:
        """Have a member, and lose the database."""
        self.store = Store(self)
        self.store.add()
        self.store.directory.trouble = GONE

    def test_logon_waits(self) -> None:
        """He is let in when it is back."""
        logon = self.store.log_on()
        self.store.clock.advance(30)
        self.assertNoResult(logon)
        self.store.directory.trouble = None
        self.store.clock.advance(2)
        self.successResultOf(logon)

    def test_bound(self) -> None:
        """He reads error 012 at the bound, and a notice without technical words."""
        logon = self.store.log_on()
        self.store.clock.advance(WITHIN)
        error = self.failureResultOf(logon, AccountsUnavailable).value
        self.assertEqual(error.code, ErrorCode.SERVER_FULL)
        self.assertIn("member database", error.notice)
        self.assertNotIn("refused", error.notice)

    def test_only_so_many_wait(self) -> None:
        """At the bound one more is told at once; who leaves makes room."""
        logons = [self.store.log_on() for _ in range(LONGEST)]
        self.failureResultOf(self.store.log_on(), TooManyLogons)
        logons[0].cancel()
        self.failureResultOf(logons[0], CancelledError)
        logons.append(self.store.log_on())
        self.assertNoResult(logons[-1])
        self.store.directory.trouble = None
        self.store.clock.advance(2)
        for logon in logons[1:]:
            self.successResultOf(logon)

    def test_stop(self) -> None:
        """Who waits is given up."""
        logon = self.store.log_on()
        self.store.accounts.stopService()
        self.failureResultOf(logon, CancelledError)
        self.assertEqual(self.store.database.waiting, 0)


class NoticeTests(SynchronousTestCase):
    """What a restricted member reads."""

    def test_notice(self) -> None:
        """Kind, end and reason, as far as there are any."""
        ban = Restriction(kind=RestrictionKind.BAN, reason="", since=NOON)
        self.assertEqual(notice_of(ban), "your account is banned")
        suspension = Restriction(
            kind=RestrictionKind.SUSPENSION,
            reason="noise",
            since=NOON,
            until=Seconds(NOON + 86400),
        )
        self.assertEqual(
            notice_of(suspension),
            "your account is suspended until 2026-11-22 12:00 UTC: noise",
        )
        self.assertEqual(
            notice_of(replace(suspension, until=None)),
            "your account is suspended: noise",
        )


class FirstMemberTests(SynchronousTestCase):
    """The administrator of a new database."""

    @override
    def setUp(self) -> None:
        """Have an empty database."""
        self.store = Store(self)

    def test_empty_database_gets_an_administrator(self) -> None:
        """He can log on with the password that is shown, and may do everything."""
        first = self.successResultOf(
            ensure_first_member(self.store.database, self.store.pool)
        )
        assert first is not None
        self.assertNotIn(first.password, repr(first))
        account = self.successResultOf(self.store.log_on(first.cid, first.password))
        self.assertEqual(account.rating, Rating.ADMINISTRATOR)
        self.assertEqual(account.permissions, frozenset(Permission))
        stored = self.store.directory.members_by_cid[first.cid].password_hash
        self.assertNotIn(first.password, stored)

    def test_members_are_left_alone(self) -> None:
        """Where there is anybody, nobody is made."""
        self.store.add("5")
        self.assertIsNone(
            self.successResultOf(
                ensure_first_member(self.store.database, self.store.pool)
            )
        )
        self.assertEqual(list(self.store.directory.members_by_cid), ["5"])

    def test_it_waits_for_the_database(self) -> None:
        """However long; until the server stops."""
        self.store.directory.trouble = GONE
        made = ensure_first_member(self.store.database, self.store.pool)
        stopped = ensure_first_member(self.store.database, self.store.pool)
        self.store.clock.advance(7200)
        self.assertNoResult(made)
        stopped.cancel()
        self.failureResultOf(stopped, CancelledError)
        self.store.directory.trouble = None
        self.store.clock.advance(2)
        self.assertIsNotNone(self.successResultOf(made))
        self.store.directory.trouble = GONE
        again = ensure_first_member(self.store.database, self.store.pool)
        self.successResultOf(self.store.database.stopService())
        self.failureResultOf(again, DatabaseAway)
