"""Builds the tree of services that the settings ask for."""

from collections.abc import Iterator
from functools import partial
from random import Random
from time import process_time, time  # noqa: TID251 - handed to all others
from typing import Any

from twisted.application.service import IService

from rum_twisted.accounts.guarded import GuardedAccounts
from rum_twisted.admin.cgroup import cores_allowed
from rum_twisted.assembly.accounts import Lockouts, Store, cert_store, make_throttle
from rum_twisted.assembly.admin import Admin, build_admin
from rum_twisted.assembly.root import Announce, RumService
from rum_twisted.assembly.weather import make_weather
from rum_twisted.config import Config
from rum_twisted.control.server import ControlSocket
from rum_twisted.pergola.connections import Connections
from rum_twisted.pergola.factory import FSDFactory
from rum_twisted.pergola.fanout import Fanout
from rum_twisted.pergola.greeting import Greeting
from rum_twisted.pergola.limits import Limits
from rum_twisted.pergola.service import PergolaService
from rum_twisted.session.network import Network
from rum_twisted.session.staff import tell_staff
from rum_twisted.terms.units import Seconds
from rum_twisted.web.whazzup import ServerIdentity, WhazzupFile
from rum_twisted.world.roster import Roster

__all__ = ["build_services"]


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
    random = Random()  # noqa: S311 - for wind and jitter, not for secrets
    roster = Roster()
    fanout = Fanout(reactor, process_time, Seconds(settings.turn_max), roster)
    root = RumService(config, announce, on_terminal=on_terminal)
    admin = build_admin(reactor, _now, data_dir=config.data_dir, http=settings.http)
    store = _make_store(config, reactor, root, random)
    throttle = make_throttle(config.accounts)
    accounts = GuardedAccounts(
        store.accounts,
        throttle,
        reactor,
        partial(tell_staff, roster, fanout),
        step=store.refusal_step,
    )
    weather = make_weather(config.weather, reactor, _now, random)
    network = Network(
        roster=roster,
        delivery=fanout,
        accounts=accounts,
        logbook=store.logbook,
        weather=weather,
        greeting=Greeting(settings.motd, settings.email),
        now=_now,
    )
    root.accounts_place = store.place
    root.prepare = store.prepare
    for service in (
        admin,
        *store.services,
        *((weather,) if IService.providedBy(weather) else ()),
        *_status_file(config, reactor, roster),
        *_control_socket(config, reactor, accounts, admin),
        PergolaService(
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
        ),
    ):
        service.setServiceParent(root)
    admin.watch(roster, throttle, store.accounts, *root)
    admin.roots["rum"] = root
    return root


def _make_store(
    config: Config, reactor: Any, root: RumService, random: Random
) -> Store:
    """Return the store of accounts that the settings name, or that is found."""
    if config.chosen_store() == "cert":
        return cert_store(config, reactor, root.tell_of_first_account)
    # SQLAlchemy and argon2 are 15 MB.
    from rum_twisted.assembly.database import database_store  # noqa: PLC0415

    return database_store(config, reactor, root.tell_of_first_account, _now, random)


def _status_file(config: Config, reactor: Any, roster: Roster) -> Iterator[IService]:
    if config.status.whazzup is None:
        return
    settings = config.pergola
    yield WhazzupFile(
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
    )


def _control_socket(
    config: Config, reactor: Any, accounts: GuardedAccounts, admin: Admin
) -> Iterator[IService]:
    if config.control.socket is not None:
        commands = {**Lockouts(accounts).commands, **admin.commands}
        yield ControlSocket(config.control.socket, reactor, commands)


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
