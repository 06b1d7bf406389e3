"""The store of accounts that the settings name, and the guard before it."""

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.certfile import CertFileAccounts
from rum_twisted.accounts.first import FirstAccount
from rum_twisted.accounts.guarded import GuardedAccounts
from rum_twisted.accounts.memory import MemoryAccounts
from rum_twisted.assembly.accounts import Lockouts, cert_store, make_throttle
from rum_twisted.config import load
from rum_twisted.control.lines import Refused
from rum_twisted.session.interfaces import InvalidCredentials, TooManyFailures
from rum_twisted.terms.units import Seconds
from tests.support.builders import ACCOUNTS

FEW = ("accounts.failures_per_cid = 2", "accounts.failures_per_address = 3")


class CertStoreTests(SynchronousTestCase):
    """The classic account file."""

    @override
    def setUp(self) -> None:
        """Choose a folder that is not there."""
        self.folder = Path(self.mktemp()).absolute()
        self.told: list[tuple[FirstAccount, str]] = []

    def prepare(self, *overrides: str) -> None:
        """Do what comes before the start."""
        config = load(overrides=(f'data_dir = "{self.folder}"', *overrides))
        store = cert_store(config, Clock(), lambda *told: self.told.append(told))
        (service,) = store.services
        self.assertIsInstance(service, CertFileAccounts)
        store.prepare()

    def test_the_first_start_makes_it(self) -> None:
        """In the data folder, once."""
        self.prepare()
        ((account, remark),) = self.told
        path = self.folder / "cert.txt"
        self.assertIn(account.password, path.read_text())
        self.assertIn(str(path), remark)
        self.prepare()
        self.assertEqual(len(self.told), 1)

    def test_an_operators_own_file_is_never_made(self) -> None:
        """If it is missing, that is a mistake."""
        path = self.folder / "mine.txt"
        self.prepare(f'accounts.cert_file = "{path}"')
        self.assertEqual(self.told, [])
        self.assertFalse(path.exists())


class LockoutsTests(SynchronousTestCase):
    """What rumctl is told of guessing, and what the settings make of it."""

    @override
    def setUp(self) -> None:
        """Put a guard with few free failures before the members."""
        self.clock = Clock()
        self.staff: list[str] = []
        settings = load(overrides=(*FEW, 'accounts.allow = ["192.0.2.0/24"]')).accounts
        self.accounts = GuardedAccounts(
            MemoryAccounts(ACCOUNTS),
            make_throttle(settings),
            self.clock,
            self.staff.append,
            step=Seconds(0.0),
        )
        self.commands = Lockouts(self.accounts).commands

    def try_wrongly(self, cid: str, address: str, error: type[Exception]) -> None:
        """Try a wrong password, and assert how it is refused."""
        self.failureResultOf(self.accounts.authenticate(cid, "bad", address), error)

    def test_nobody_waits_at_first(self) -> None:
        """The list is empty."""
        self.assertEqual(self.commands["lockouts.list"]({}), [])

    def test_a_cid_is_listed_and_lifted(self) -> None:
        """With its failures, and how long it has to wait."""
        for _ in range(3):
            self.try_wrongly("1000001", "", InvalidCredentials)
        self.try_wrongly("1000001", "", TooManyFailures)
        self.assertEqual(
            self.commands["lockouts.list"]({}),
            [{"key": "1000001", "counted": "cid", "failures": 3, "wait": 2.0}],
        )
        self.assertEqual(len(self.staff), 1)
        self.assertIsNone(self.commands["lockouts.lift"]({"key": "1000001"}))
        self.assertEqual(self.commands["lockouts.list"]({}), [])
        self.try_wrongly("1000001", "", InvalidCredentials)

    def test_an_address_is_listed_and_lifted(self) -> None:
        """One that tries many CIDs."""
        for number in range(4):
            self.try_wrongly(f"100000{number}", "198.51.100.7", InvalidCredentials)
        (lockout,) = self.commands["lockouts.list"]({})
        self.assertEqual((lockout["key"], lockout["failures"]), ("198.51.100.7", 4))
        self.commands["lockouts.lift"]({"key": "198.51.100.7"})
        self.assertEqual(self.commands["lockouts.list"]({}), [])

    def test_an_allowed_network_is_not_counted(self) -> None:
        """However often somebody mistypes there."""
        for _ in range(10):
            self.try_wrongly("1000001", "192.0.2.9", InvalidCredentials)
        self.assertEqual(self.commands["lockouts.list"]({}), [])

    def test_a_key_that_is_not_listed_is_refused(self) -> None:
        """The operator reads that he has mistyped, or come too late."""
        with self.assertRaisesRegex(Refused, "^1: nobody is kept waiting"):
            self.commands["lockouts.lift"]({"key": "1"})
        for arguments in ({}, {"key": 1}, {"key": ""}):
            with self.assertRaisesRegex(Refused, "due a key"):
                self.commands["lockouts.lift"](arguments)
