"""Builds the tree of services that the settings ask for.

What a role needs of another is the object itself where both are in this process, and
else one that asks another process over gRPC; whoever is given it cannot tell.
"""

import ctypes
import os
from collections.abc import Iterator
from functools import partial
from random import Random
from time import time  # noqa: TID251 - handed to all others
from typing import TYPE_CHECKING, Any, Final

from twisted.application.service import IService

from rum_twisted.admin.audit import AuditedLogbook
from rum_twisted.admin.levels import Levels
from rum_twisted.assembly.admin import Admin, build_admin
from rum_twisted.assembly.guard import build_guard, front_of
from rum_twisted.assembly.logs import audit_file, log_output
from rum_twisted.assembly.manhole import AtHand, manhole
from rum_twisted.assembly.root import Announce, RumService
from rum_twisted.config import Config
from rum_twisted.control.server import ControlSocket
from rum_twisted.guard.guard import Guard
from rum_twisted.guard.questions import GuardQuestions
from rum_twisted.session.interfaces import IAccounts, ILogbook, IWeather
from rum_twisted.terms.units import Seconds

if TYPE_CHECKING:
    from rum_twisted.accounts.throttle import Throttle
    from rum_twisted.assembly.accounts import Store
    from rum_twisted.assembly.console import Console
    from rum_twisted.assembly.fabric import Fabric
    from rum_twisted.assembly.front import Front
    from rum_twisted.pergola.service import PergolaService
    from rum_twisted.plugins.front import PluginFront
    from rum_twisted.plugins.host import PluginHost
    from rum_twisted.rpc.server import RpcServer

__all__ = ["build_services", "check_fabric"]

_ARENA_MAX: Final = -8  # M_ARENA_MAX of malloc.h
_QUIET: Final = "GRPC_VERBOSITY"  # gRPC's own variable, read when it is imported
_WAITED_FOR: Final = "NOTIFY_SOCKET"  # systemd's, where it waits for a word of ours


def build_services(
    config: Config,
    reactor: Any,
    announce: Announce,
    *,
    on_terminal: bool,
    levels: Levels | None = None,
) -> RumService:
    """Build the tree; nothing is opened and no timer runs until it is started.

    Args:
        config: the settings.
        reactor: what everything runs on.
        announce: gives the operator a line.
        on_terminal: see `RumService`.
        levels: of the log, where twistd's own place heeds them, too.
    """
    root = RumService(config, announce, on_terminal=on_terminal)
    if levels is None:
        levels = Levels(config.log.level, config.log.levels)
    _Tree(config, reactor, root, levels).build()
    return root


def check_fabric(config: Config, reactor: Any) -> None:
    """Look whether what joins this process to others can be made of the settings.

    Raises:
        ValueError: it cannot; the text says why.
    """
    from rum_twisted.assembly.fabric import UNFIT  # noqa: PLC0415 - as below

    try:
        _make_fabric(config, reactor, Random())  # noqa: S311 - for nothing
    except UNFIT as error:
        raise ValueError(str(error)) from error


def _make_fabric(config: Config, reactor: Any, random: Random) -> "Fabric":
    # What gRPC has to say of other processes' ends is no news to an operator.
    os.environ.setdefault(_QUIET, "NONE")
    if not config.services.plays("passport"):  # which hashes in threads
        _share_arena()
    # gRPC is 10 MB, and the rest of it another 8.
    from rum_twisted.assembly.fabric import Fabric  # noqa: PLC0415

    return Fabric(config, reactor, random, _now)


class _Tree:
    """A tree that is being built.

    Args:
        config: the settings.
        reactor: what everything runs on.
        root: what becomes of it.
        levels: of the log.
    """

    def __init__(
        self, config: Config, reactor: Any, root: RumService, levels: Levels
    ) -> None:
        self._levels = levels
        self._config = config
        self._reactor = reactor
        self._root = root
        self._random = Random()  # noqa: S311 - for wind and jitter, not for secrets
        self._audit = audit_file(config.log, _now)
        self._commands: dict[str, Any] = {}  # of the control socket
        self._watched: list[object] = []  # what keeps memory, and is no service
        self._front: Front | None = None
        self._fabric: Fabric | None = None
        self._host: PluginHost | None = None
        self._doors: IService | None = None
        self._console: Console | None = None

    def build(self) -> None:
        """Build it, in the order of the starts."""
        config, root = self._config, self._root
        self._add(log_output(config.log, self._levels))
        self._commands.update(self._levels.commands)
        admin = build_admin(
            self._reactor,
            _now,
            data_dir=config.data_dir,
            http=config.http,
            roles=config.services.roles,
        )
        root.readiness = admin.readiness
        self._add(admin)
        self._commands.update(admin.commands)
        # A passport's store says it better.
        root.prepare = partial(config.data_dir.mkdir, parents=True, exist_ok=True)
        if config.services.plays("pergola"):
            self._begin_front()
        self._begin_console(admin)
        if config.uses_fabric:
            self._begin_fabric()
        accounts = self._audited(self._accounts())
        weather = self._weather()
        self._begin_plugins()
        server = None if self._fabric is None else self._fabric.server()
        if server is not None:
            self._add(server)
            root.endpoint = lambda: server.address
        if self._doors is not None:
            self._add(self._doors)  # closed before the server, which waits for streams
        self._add(*self._status_file(), *self._control_socket())
        pergola = None
        if self._front is not None:
            assert accounts is not None, "a front has accounts, here or elsewhere"
            assert weather is not None, "and so it has weather"
            pergola = self._finish_front(*accounts, weather)
            admin.status.add("clients", self._front.figures.status)
        guard = self._guard(admin, None if accounts is None else accounts[1], pergola)
        self._finish_console(guard)
        if self._fabric is not None and server is not None:
            logbook = None if accounts is None else accounts[1]
            self._operate(self._fabric, server, logbook)
        roster = None if self._front is None else self._front.roster
        at_hand = AtHand(root=root, admin=admin, roster=roster, guard=self._commands)
        self._add(*manhole(config, self._reactor, at_hand, self._audit))
        self._add(*self._systemd())
        for part in (*self._watched, *root):
            guard.acts.watch(part)
        admin.watch(*self._watched, *root)
        admin.roots["rum"] = root

    def _add(self, *services: IService) -> None:
        for service in services:
            service.setServiceParent(self._root)

    def _begin_front(self) -> None:
        # A process without clients needs nothing of it.
        from rum_twisted.assembly.front import CannotStart, Front  # noqa: PLC0415

        self._front = Front(self._config, self._reactor, self._random)
        self._root.excusable += (CannotStart,)
        self._watched.append(self._front.roster)

    def _finish_front(
        self, accounts: IAccounts, logbook: ILogbook, weather: IWeather
    ) -> "PergolaService":
        assert self._front is not None, "begun before"
        plugins = self._plugins()
        if plugins is not None:
            plugins.serve(self._front.delivery, logbook, weather)
        pergola = self._front.pergola(accounts, logbook, weather, plugins)
        self._add(pergola)
        self._watched.append(self._front.figures)
        self._root.ports = lambda: tuple(pergola.addresses)
        if self._console is not None:
            assert self._front.network is not None, "complete now"
            self._console.use_front(pergola, self._front.network)
        return pergola

    def _guard(
        self, admin: Admin, logbook: ILogbook | None, pergola: "PergolaService | None"
    ) -> Guard:
        front = None
        if self._front is not None and pergola is not None:
            front = front_of(self._front, pergola)
        notes = logbook, self._audit
        guard = build_guard(self._reactor, self._config.guard, admin, notes, front)
        questions = GuardQuestions(guard)
        self._commands.update(questions.commands)
        admin.pages.update(questions.pages)
        self._add(guard)
        return guard

    def _begin_console(self, admin: Admin) -> None:
        if not self._config.uses_console:
            return
        from rum_twisted.assembly.console import Console  # noqa: PLC0415

        self._console = Console(self._config, self._reactor, _now, admin)

    def _finish_console(self, guard: Guard) -> None:
        console = self._console
        if console is None:
            return
        if self._fabric is not None:
            console.use_fabric(self._fabric)
        self._add(*console.build(guard))
        self._root.console = lambda: console.address

    def _begin_fabric(self) -> None:
        from rum_twisted.assembly.fabric import UNFIT  # noqa: PLC0415 - as above

        self._fabric = _make_fabric(self._config, self._reactor, self._random)
        self._root.excusable += UNFIT
        if self._fabric.tracing is not None:
            self._add(self._fabric.tracing)
        self._add(self._fabric.discovery, self._fabric.clients)

    def _operate(
        self, fabric: "Fabric", server: "RpcServer", logbook: ILogbook | None
    ) -> None:
        """List this process, and let its operator decide who is called."""
        from rum_twisted.assembly.operated import operate  # noqa: PLC0415 - as above

        commands, services = operate(
            fabric, self._config.services, server, logbook, self._reactor, _now
        )
        self._commands.update(commands)
        self._add(*services)

    def _accounts(self) -> tuple[IAccounts, ILogbook] | None:
        """Return the accounts and the logbook, ours or others'; offer ours."""
        if not self._config.services.plays("passport"):
            if self._front is None:
                return None
            assert self._fabric is not None, "not all roles are here"
            accounts, asking = self._fabric.accounts(self._front.tell_staff)
            if self._console is not None:
                certificates = self._fabric.certificates()
                self._add(certificates)
                self._console.use_accounts(certificates, None)
            logbook = self._fabric.logbook()
            self._add(asking, logbook)
            self._root.accounts_place = "another process"
            self._watched.append(accounts)
            return accounts, logbook
        return self._own_accounts()

    def _own_accounts(self) -> tuple[IAccounts, ILogbook]:
        # A process that asks another for them needs nothing of it.
        from rum_twisted.accounts.guarded import GuardedAccounts  # noqa: PLC0415
        from rum_twisted.assembly.accounts import (  # noqa: PLC0415
            Lockouts,
            make_throttle,
        )

        throttle = make_throttle(self._config.accounts)
        store = self._store(throttle)
        guarded = GuardedAccounts(
            store.accounts,
            throttle,
            self._reactor,
            # Elsewhere the staff is told by the process that has them.
            _tell_nobody if self._front is None else self._front.tell_staff,
            step=store.refusal_step,
        )
        if self._console is not None:
            self._console.use_accounts(store.certificates(), guarded)
        self._root.accounts_place = store.place
        self._root.prepare = store.prepare
        self._add(*store.services)
        self._watched += (throttle, store.accounts)
        self._commands.update(Lockouts(guarded).commands)
        if self._fabric is not None:
            self._add(self._fabric.offer_accounts(guarded, store.logbook))
            may_change = self._config.accounts.remote_changes
            self._fabric.offer_certificates(
                store.certificates() if may_change else None
            )
        return guarded, store.logbook

    def _audited(
        self, found: tuple[IAccounts, ILogbook] | None
    ) -> tuple[IAccounts, ILogbook] | None:
        """Return the same, with the file of the audit log before the logbook."""
        if found is None or self._audit is None:
            return found
        accounts, logbook = found
        return accounts, AuditedLogbook(logbook, self._audit)

    def _store(self, throttle: "Throttle") -> "Store":
        """Return the store of accounts that the settings name, or that is found."""
        config, tell = self._config, self._root.tell_of_first_account
        if config.chosen_store() == "cert":
            from rum_twisted.assembly.accounts import cert_store  # noqa: PLC0415

            return cert_store(config, self._reactor, tell)
        # SQLAlchemy and argon2 are 15 MB.
        from rum_twisted.assembly.database import database_store  # noqa: PLC0415

        return database_store(config, self._reactor, tell, _now, self._random, throttle)

    def _weather(self) -> IWeather | None:
        """Return the weather, ours or others'; offer ours."""
        weather: IWeather
        if self._config.services.plays("weather"):
            from rum_twisted.assembly.weather import make_weather  # noqa: PLC0415

            weather = make_weather(
                self._config.weather, self._reactor, _now, self._random
            )
            if self._fabric is not None:
                self._fabric.offer_weather(weather)
        elif self._front is not None:
            assert self._fabric is not None, "not all roles are here"
            weather = self._fabric.weather()
        else:
            return None
        if IService.providedBy(weather):
            self._add(weather)
        return weather if self._console is None else self._console.before(weather)

    def _begin_plugins(self) -> None:
        """Host the plugins, if that is to be done here and there are any."""
        config = self._config
        if not config.hosts_plugins:
            return
        # A network without plugins needs nothing of it.
        from rum_twisted.assembly.plugins import (  # noqa: PLC0415
            LocalPlugins,
            make_host,
        )

        self._host = make_host(config, self._reactor, self._random, _now)
        self._add(self._host, LocalPlugins(config, self._host))
        if self._fabric is not None:
            self._doors = self._fabric.offer_plugins(self._host)

    def _plugins(self) -> "PluginFront | None":
        """Return our side of the plugins, ours or others'; ``None``: there are none."""
        assert self._front is not None, "only a front has this side"
        if self._host is None and not self._config.finds_plugins:
            return None
        from rum_twisted.assembly.plugin_front import (  # noqa: PLC0415 - as above
            make_front,
        )

        front = make_front(
            self._config, self._reactor, self._random, self._front.roster
        )
        if self._host is not None:
            from rum_twisted.assembly.plugins import LocalLink  # noqa: PLC0415

            self._add(front, LocalLink(front, self._host))
        else:
            assert self._fabric is not None, "or else nobody could be found"
            self._add(front, self._fabric.plugins(front))
        return front

    def _status_file(self) -> Iterator[IService]:
        if self._front is not None:
            yield from self._front.status_file()

    def _control_socket(self) -> Iterator[IService]:
        path = self._config.control_socket
        if path is not None:
            yield ControlSocket(path, self._reactor, self._commands)

    def _systemd(self) -> Iterator[IService]:
        if _WAITED_FOR not in os.environ:
            return
        from rum_twisted.admin.systemd import take_notifier  # noqa: PLC0415

        notifier = take_notifier(os.environ, self._reactor)
        if notifier is not None:
            yield notifier


def _share_arena() -> None:
    """Have all threads take memory from one arena: gRPC's seven would open some.

    That is 0.3 MB less. None but the reactor's thread asks for much.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # another C library than GNU's
        mallopt(_ARENA_MAX, 1)


def _tell_nobody(text: str) -> None:
    """Say nothing: the log has it, and there is no staff in this process."""


def _now() -> Seconds:
    """Return the seconds since the Unix epoch, UTC."""
    return Seconds(time())
