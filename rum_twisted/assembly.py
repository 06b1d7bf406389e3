"""The settings become a tree of services; the only place that joins the rooms.

::

    rum               RumService, a MultiService: the operator's first words
    ├── accounts      who may log on
    ├── weather       METARs
    ├── whazzup       the status file, if it is wanted
    └── pergola       the FSD front

Each is found with ``getServiceNamed``. They start in this order and are stopped in
the opposite one: nobody is let in before the accounts are read, and the status file
is written for the last time when everybody has left.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from time import process_time, time  # noqa: TID251 - handed to all others
from typing import Any, Final

from twisted.application.service import MultiService
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.accounts.certfile import CertFileAccounts
from rum_twisted.accounts.first import AccountFileError, create_first_account
from rum_twisted.accounts.queue import QueuedAccounts
from rum_twisted.config import Config
from rum_twisted.pergola.connections import Connections
from rum_twisted.pergola.cpu import cores_allowed
from rum_twisted.pergola.factory import FSDFactory
from rum_twisted.pergola.fanout import Fanout
from rum_twisted.pergola.greeting import PRODUCT, Greeting
from rum_twisted.pergola.limits import Limits
from rum_twisted.pergola.service import CannotStart, PergolaService
from rum_twisted.session.interfaces import IWeather
from rum_twisted.session.network import Network
from rum_twisted.terms.units import Seconds
from rum_twisted.weather.none import NoWeather
from rum_twisted.weather.source import MetarFile
from rum_twisted.web.whazzup import ServerIdentity, WhazzupFile
from rum_twisted.world.roster import Roster

__all__ = ["RumService", "build_services"]

Announce = Callable[[str], None]

_CHECKS_AT_ONCE: Final = 4
"""Passwords that are checked at the same time; more would only take turns."""


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

    @override
    def privilegedStartService(self) -> None:
        """Open the ports, while the process may still use low ones."""
        with self._plainly():
            super().privilegedStartService()

    @override
    def startService(self) -> None:
        """Make the first account if there is none, start, and say where we are."""
        with self._plainly():
            self._make_first_account()
            super().startService()
        self._introduce()

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Turn what an operator can mend into the last line on his terminal."""
        try:
            yield
        except (CannotStart, AccountFileError) as error:
            if self._on_terminal:
                raise SystemExit(f"rum: {error}") from None
            raise

    def _make_first_account(self) -> None:
        config = self._config
        if not config.cert_file_is_default:
            return
        path = config.accounts.cert_file
        account = create_first_account(path)
        if account is None:
            return
        self._announce(f"First start: administrator {account.cid} was made.")
        if self._on_terminal:
            self._announce(f"  password:     {account.password}  (shown once)")
        self._announce(f"  kept in:      {path}")

    def _introduce(self) -> None:
        config = self._config
        pergola = self.getServiceNamed("pergola")
        assert isinstance(pergola, PergolaService), "build_services() makes it"
        self._announce(f"{PRODUCT} is up.")
        for address in pergola.addresses:
            self._announce(f"  FSD clients:  {address}")
        self._announce(f"  data folder:  {config.data_dir}")
        self._announce(f"  accounts:     {config.accounts.cert_file}")
        if config.status.whazzup is not None:
            self._announce(f"  status file:  {config.status.whazzup}")
        self._announce(
            "To connect, give EuroScope, swift or another classic FSD client this "
            "machine's address and the port above, your CID and your password."
        )


def build_services(
    config: Config, reactor: Any, announce: Announce, *, on_terminal: bool
) -> RumService:
    """Build the tree; nothing is opened and no timer runs until it is started.

    Args:
        config: the settings.
        reactor: what everything runs on.
        announce: gives the operator a line.
        on_terminal: see `RumService`.
    """
    settings = config.pergola
    accounts = CertFileAccounts(
        config.accounts.cert_file, reactor, Seconds(config.accounts.check_interval)
    )
    weather: IWeather = NoWeather()
    if config.weather.source == "file":
        weather = MetarFile(config.weather.file, reactor)
    roster = Roster()
    random = Random()  # noqa: S311 - for the wind, not for secrets
    fanout = Fanout(reactor, process_time, Seconds(settings.turn_max), roster)
    network = Network(
        roster=roster,
        delivery=fanout,
        accounts=QueuedAccounts(
            accounts, at_once=_CHECKS_AT_ONCE, longest=config.accounts.max_waiting
        ),
        weather=weather,
        greeting=Greeting(settings.motd, settings.email),
        now=_now,
    )
    pergola = PergolaService(
        reactor,
        settings.listen,
        FSDFactory(
            network,
            fanout,
            _limits_of(config),
            Connections(reactor, settings.max_clients),
        ),
        wind_delta_interval=Seconds(settings.wind_delta_interval),
        cores=lambda: settings.cpu_limit or cores_allowed(),
        random=random,
    )
    root = RumService(config, announce, on_terminal=on_terminal)
    accounts.setServiceParent(root)
    if isinstance(weather, MetarFile):
        weather.setServiceParent(root)
    if config.status.whazzup is not None:
        WhazzupFile(
            config.status.whazzup,
            interval=Seconds(config.status.interval),
            clock=reactor,
            clients=lambda: roster,
            server=ServerIdentity(
                ident=settings.ident,
                hostname=settings.hostname,
                location=settings.location,
                name=settings.name,
            ),
            now=time,
        ).setServiceParent(root)
    pergola.setServiceParent(root)
    return root


def _limits_of(config: Config) -> Limits:
    settings = config.pergola
    return Limits(
        max_line=settings.max_line,
        idle_timeout=Seconds(settings.idle_timeout),
        login_timeout=Seconds(settings.login_timeout),
        flood_limit=settings.flood_limit,
        outbox_bytes=settings.outbox_bytes,
        send_buffer=settings.send_buffer,
        stall_timeout=Seconds(settings.stall_timeout),
    )


def _now() -> Seconds:
    """Return the seconds since the Unix epoch, UTC."""
    return Seconds(time())
