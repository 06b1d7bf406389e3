"""Who may log on: a store of accounts, and the guard before it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime

from rum_twisted.accounts.certfile import CertFileAccounts
from rum_twisted.accounts.first import FirstAccount, create_first_account
from rum_twisted.accounts.guarded import GuardedAccounts
from rum_twisted.accounts.nologbook import NoLogbook
from rum_twisted.accounts.queue import QueuedAccounts
from rum_twisted.accounts.throttle import Limits, Throttle
from rum_twisted.config import AccountsSettings, Config
from rum_twisted.control.lines import Refused
from rum_twisted.control.server import Command
from rum_twisted.session.interfaces import IAccounts, ICertificates, ILogbook
from rum_twisted.terms.units import Seconds

__all__ = ["CertFirstStart", "Lockouts", "Store", "cert_store", "make_throttle"]

_CHECKS_AT_ONCE: Final = 4
"""Passwords that are checked at the same time; more would only take turns."""

TellOfFirst = Callable[[FirstAccount, str], None]
"""Shows the operator the administrator that a first start made, and where he is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A store of accounts, and what belongs to it."""

    accounts: IAccounts
    logbook: ILogbook
    services: tuple[IService, ...]  # in the order of their starts
    place: str  # where the accounts are kept, for the operator
    prepare: Callable[[], None]  # to be called before the services start
    refusal_step: Seconds  # see `GuardedAccounts`
    certificates: Callable[[], ICertificates]  # for an operator; may load more


def cert_store(config: Config, reactor: IReactorTime, tell: TellOfFirst) -> Store:
    """Return the classic account file as a store, with everything it needs.

    Args:
        config: the settings.
        reactor: the clock.
        tell: told of the first administrator, if he was made.
    """
    settings = config.accounts
    accounts = CertFileAccounts(
        settings.cert_file, reactor, Seconds(settings.check_interval)
    )
    return Store(
        accounts=QueuedAccounts(
            accounts, at_once=_CHECKS_AT_ONCE, longest=settings.max_waiting
        ),
        logbook=NoLogbook(),
        services=(accounts,),
        place=str(settings.cert_file),
        prepare=CertFirstStart(config, tell),
        refusal_step=Seconds(0.0),  # a check takes no time, whoever it is
        certificates=lambda: accounts,
    )


class CertFirstStart:
    """Makes the account file of a server that is started for the very first time.

    Only in the data folder: a file that an operator named is his own.
    """

    def __init__(self, config: Config, tell: TellOfFirst) -> None:
        self._config = config
        self._tell = tell

    def __call__(self) -> None:
        """Make it, unless it is there.

        Raises:
            AccountFileError: it cannot be made.
        """
        if not self._config.cert_file_is_default:
            return
        path = self._config.accounts.cert_file
        account = create_first_account(path)
        if account is not None:
            self._tell(account, f"kept in:      {path}")


def make_throttle(settings: AccountsSettings) -> Throttle:
    """Return what counts wrong passwords."""
    return Throttle(
        Limits(
            free_per_cid=settings.failures_per_cid,
            free_per_address=settings.failures_per_address,
            longest=Seconds(settings.longest_backoff),
        ),
        settings.allow,
    )


class Lockouts:
    """The control commands about who has to wait after wrong passwords.

    Args:
        accounts: who keeps them waiting.
    """

    def __init__(self, accounts: GuardedAccounts) -> None:
        self._accounts = accounts

    @property
    def commands(self) -> dict[str, Command]:
        """The commands by name."""
        return {"lockouts.list": self.list_all, "lockouts.lift": self.lift}

    def list_all(self, arguments: Mapping[str, Any]) -> list[dict[str, object]]:
        """Return each address and CID with failures and the seconds it has to wait."""
        return [
            {
                "key": lockout.key,
                "counted": lockout.counted.value,
                "failures": lockout.failures,
                "wait": round(lockout.seconds, 1),
            }
            for lockout in self._accounts.lockouts()
        ]

    def lift(self, arguments: Mapping[str, Any]) -> None:
        """Forget the failures of the address or CID named ``key``.

        Raises:
            Refused: there are none, or nobody is named.
        """
        key = arguments.get("key")
        if not isinstance(key, str) or not key:
            raise Refused("lockouts.lift: due a key, as lockouts.list shows it")
        if not self._accounts.lift(key):
            raise Refused(f"{key}: nobody is kept waiting under this key")
