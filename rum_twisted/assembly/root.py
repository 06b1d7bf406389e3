"""The root of the service tree, which speaks to the operator."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized
from typing_extensions import override

from rum_twisted.accounts.first import AccountFileError, FirstAccount
from rum_twisted.admin.readiness import Readiness
from rum_twisted.config import Config
from rum_twisted.pergola.greeting import PRODUCT

__all__ = ["Announce", "RumService"]

Announce = Callable[[str], None]


class RumService(MultiService):
    """The root of the service tree.

    Args:
        config: the settings, to tell the operator of.
        announce: gives the operator a line.
        on_terminal: whether that line goes to his terminal. A password may stand
            there, but not in a log; and what keeps the server from starting is told
            there without a traceback.
    """

    log = Logger()

    def __init__(
        self, config: Config, announce: Announce, *, on_terminal: bool
    ) -> None:
        super().__init__()
        self.setName("rum")
        self._config = config
        self._announce = announce
        self._on_terminal = on_terminal
        self.accounts_place = ""  # where the accounts are kept, for the operator
        self.prepare: Callable[[], None] | None = None  # called before the start
        self.ports: Callable[[], tuple[str, ...]] = tuple  # where clients connect
        self.endpoint: Callable[[], str] = str  # where other processes call, if they do
        self.readiness: Readiness | None = None
        self.console: Callable[[], str] = str  # where operators connect, if they may
        self.log_observer: Callable[[], ILogObserver] | None = None
        self.excusable: tuple[type[Exception], ...] = (AccountFileError,)

    @override
    def __repr__(self) -> str:
        return f"<RumService: {', '.join(self._config.services.roles)}>"

    @override
    def setServiceParent(self, parent: Any) -> None:
        """Join the application, and bring what twistd's log is to be written by.

        twistd looks for that among the application's components, and opens its log
        right after this.
        """
        if self.log_observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.log_observer())
        super().setServiceParent(parent)

    @override
    def privilegedStartService(self) -> None:
        """Open the ports, while the process may still use low ones."""
        with self._plainly():
            super().privilegedStartService()

    @override
    def startService(self) -> None:
        """Make what a first start needs, start, and say where we are."""
        with self._plainly():
            if self.prepare is not None:
                self.prepare()
            super().startService()
        if self.readiness is not None:
            self.readiness.begin()
        self._introduce()

    @override
    def stopService(self) -> Deferred[None]:
        """Stop the services, the last one first, each when the one before has ended.

        Returns:
            a Deferred that fires when all have. One that fails is logged, and does
            not keep the others from ending well.
        """
        Service.stopService(self)
        if self.readiness is not None:
            self.readiness.drain()
        return Deferred.fromCoroutine(self._stop_in_order())

    async def _stop_in_order(self) -> None:
        for child in reversed(list(self)):
            try:
                await maybeDeferred(child.stopService)
            except Exception:  # noqa: BLE001 - the others have to end all the same
                self.log.failure("{service} did not stop well", service=child)

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Turn what an operator can mend into the last line on his terminal."""
        try:
            yield
        except self.excusable as error:
            if self._on_terminal:
                raise SystemExit(f"rum: {error}") from None
            raise

    def tell_of_first_account(self, account: FirstAccount, remark: str) -> None:
        """Tell the operator of the administrator that a first start has made.

        His password is shown on a terminal only, and this once.

        Args:
            account: the administrator.
            remark: where to find him, or how to give him another password.
        """
        self._announce(f"First start: administrator {account.cid} was made.")
        if self._on_terminal:
            self._announce(f"  password:     {account.password}  (shown once)")
        self._announce(f"  {remark}")

    def _introduce(self) -> None:
        config = self._config
        services = config.services
        self._announce(f"{PRODUCT} is up.")
        if not services.is_whole:
            self._announce(f"  roles:        {', '.join(services.roles)}")
        if endpoint := self.endpoint():
            self._announce(f"  gRPC:         {endpoint}")
        for address in self.ports():
            self._announce(f"  FSD clients:  {address}")
        if console := self.console():
            self._announce(f"  console:      {console}")
        self._announce(f"  data folder:  {config.data_dir}")
        if self.accounts_place:
            self._announce(f"  accounts:     {self.accounts_place}")
        if not services.plays("pergola"):
            return
        if config.status.whazzup is not None:
            self._announce(f"  status file:  {config.status.whazzup}")
        self._announce(
            "To connect, give EuroScope, swift or another classic FSD client this "
            "machine's address and the port above, your CID and your password."
        )
