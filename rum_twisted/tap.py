"""``twistd rum``: the command line becomes a `Config`, and that the services.

What twistd does, in its order: its own options, where ``--reactor`` installs a
reactor at once; `Options` here, which read the settings; `makeService`; the fork, if
it becomes a daemon; the start of the services. A file descriptor of an event loop,
a thread or a connection that is made before the fork may not work after it, so
nothing but objects is made here.

This is the one module that imports the reactor, and it does so late: first the
settings have to say whether OpenSSL is needed, and first the reactor has to be
chosen. `rum_twisted.assembly` waits for that too, since it imports Twisted's
endpoints, and they OpenSSL.
"""

import asyncio
import gc
import json
import os
import sys
import typing
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final

from twisted.application.service import IService
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.reflect import namedAny
from typing_extensions import override

from rum_twisted.config import Config, ConfigError, Mistake, endpoints, load
from rum_twisted.config.console import mistakes_of_console
from rum_twisted.config.extras import missing_extras
from rum_twisted.config.roles import mistakes_of_roles
from rum_twisted.pergola.selector import FairSelector

__all__ = ["Options", "makeService"]

_log: Final = Logger()
# What is loaded before us and used by nobody here; a name stands for all below it.
_UNUSED: Final = frozenset(
    {
        *("twisted.trial", "argparse", "difflib", "unittest"),
        *("http", "email", "html", "tempfile"),
        *("urllib.error", "urllib.request", "urllib.response"),
        *("pdb", "bdb", "cmd", "code", "codeop", "pprint"),
        *("zipfile", "shutil"),
    }
)
# Who holds one of these all the same, by what attribute, and what that is.
_HOLDERS: Final = (
    ("twisted.python.compat", "cookielib", "http.cookiejar"),
    ("twisted.python.compat", "escape", "html.escape"),
    ("twisted.application.app", "pdb", "pdb"),
    ("twisted.python.zippath", "ZipFile", "zipfile.ZipFile"),
)


class Options(usage.Options):
    """The options behind ``rum``; after parsing, `configuration` has the settings."""

    synopsis = "[options]"
    longdesc = (
        "Serves pilots and controllers over the FSD protocol. Every setting may "
        "stand in a TOML file, in a variable (RUM_STATUS__INTERVAL=30) or on the "
        "command line (--set status.interval=30); the last of these counts most. "
        "etc/rum.toml.example lists them all."
    )
    optParameters: ClassVar = [
        ["config", "c", None, "Read settings from this TOML file."]
    ]
    optFlags: ClassVar = [
        ["check-config", None, "Only check the settings: exit with 0 or 1."]
    ]

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        super().__init__()
        self._environ = environ
        self._assignments: list[str] = []
        self.configuration: Config

    def opt_set(self, assignment: str) -> None:
        """Change one setting: table.key=value, as in TOML. May be repeated."""
        self._assignments.append(assignment)

    def opt_role(self, roles: str) -> None:
        """Play these roles only, e.g. pergola or passport,weather; default: all."""
        names = json.dumps([name.strip() for name in roles.split(",")])
        self._assignments.append(f"services.roles={names}")

    @override
    def postOptions(self) -> None:
        """Read the settings.

        Raises:
            usage.UsageError: they cannot be used; twistd shows why and exits.
            SystemExit: after ``--check-config``.
        """
        if self.parent is not None:
            _forget_unused()
        path = self["config"]
        try:
            self.configuration = load(
                None if path is None else Path(path), self._assignments, self._environ
            )
            self._check_extras()
            self._check_roles()
            self._check_manhole()
            self._check_plugins()
            self._check_reactor()
            self._check_database()
            self._check_fabric()
            self._check_console()
            self._check_listeners()
        except ConfigError as error:
            if self["check-config"]:
                sys.stdout.write(f"{error}\n")
                raise SystemExit(1) from error
            raise usage.UsageError(f"the settings cannot be used:\n{error}") from error
        if self["check-config"]:
            sys.stdout.write("configuration ok\n")
            raise SystemExit(0)

    def _check_extras(self) -> None:
        """See to it that what the settings call for is installed.

        Raises:
            ConfigError: with a mistake for each extra that is not.
        """
        mistakes = list(missing_extras(self.configuration))
        if mistakes:
            raise ConfigError(mistakes)

    def _check_roles(self) -> None:
        """See to it that each role can find what it needs.

        Raises:
            ConfigError: with a mistake for each that cannot.
        """
        mistakes = list(mistakes_of_roles(self.configuration))
        if mistakes:
            raise ConfigError(mistakes)

    def _check_manhole(self) -> None:
        """See to it that nobody comes in by SSH without a key.

        Raises:
            ConfigError: there is no file of keys.
        """
        settings = self.configuration.manhole
        if settings.ssh and settings.authorized_keys is None:
            text = "manhole.ssh lets in by key alone: due a file of keys"
            raise ConfigError([Mistake("manhole.authorized_keys", text)])

    def _check_plugins(self) -> None:
        """Find the plugins, and have them look at their settings.

        Raises:
            ConfigError: with a mistake for each that cannot be used.
        """
        config = self.configuration
        has_tables = bool(config.plugins.settings)
        if config.services.plays("plugin") and (config.plugins.enabled or has_tables):
            _reactor_for(config)
            # They may import Twisted, so after the choice of a reactor.
            from rum_twisted.plugins.loading import find_plugins  # noqa: PLC0415

            find_plugins(config)

    def _check_reactor(self) -> None:
        """See to it that the reactor that somebody chose can do what is asked of it.

        Raises:
            ConfigError: it cannot.
        """
        reactor = _reactor_for(self.configuration)
        if self.parent is None or _has_loop(reactor):
            return  # without twistd nothing is served
        if self.configuration.uses_fabric:
            text = (
                "calls between processes need the asyncio reactor: due no such option"
            )
            raise ConfigError([Mistake(f"--reactor={self.parent['reactor']}", text)])
        if _keeps_database(self.configuration):
            text = (
                "the database of accounts needs the asyncio reactor: leave the option"
                ' away, or set accounts.store = "cert"'
            )
            raise ConfigError([Mistake(f"--reactor={self.parent['reactor']}", text)])

    def _check_database(self) -> None:
        """Look at the address of the database, if there is one; nothing is opened.

        Raises:
            ConfigError: no database is found by it.
        """
        config = self.configuration
        if not _keeps_database(config):
            return
        # Loaded when it is known that it is needed, and after the reactor.
        from rum_twisted.accounts.engine import (  # noqa: PLC0415
            DatabaseUrlError,
            database_url,
        )

        try:
            database_url(config.accounts.database, config.data_dir)
        except DatabaseUrlError as error:
            raise ConfigError([Mistake("accounts.database", str(error))]) from error

    def _check_fabric(self) -> None:
        """Look at what joins this process to others, if it is not alone.

        Raises:
            ConfigError: it cannot be made.
        """
        config = self.configuration
        if not config.uses_fabric:
            return
        reactor = _reactor_for(config)
        from rum_twisted.assembly import check_fabric  # noqa: PLC0415 - see above

        try:
            check_fabric(config, reactor)
        except ValueError as error:
            raise ConfigError([Mistake("services", str(error))]) from error

    def _check_console(self) -> None:
        """See to it that the console has a password, if there is a console.

        Raises:
            ConfigError: it has none, or a hash that is too costly to be checked.
        """
        config = self.configuration
        mistakes = list(mistakes_of_console(config))
        if mistakes:
            raise ConfigError(mistakes)
        if not config.uses_console or not config.console.password:
            return
        # Loaded when it is known that it is needed.
        from rum_twisted.accounts.passwords import (  # noqa: PLC0415
            UnknownScheme,
            scheme_of,
        )

        try:
            scheme_of(config.console.password)
        except UnknownScheme as error:
            raise ConfigError([Mistake("console.password", str(error))]) from error

    def _check_listeners(self) -> None:
        """Have Twisted look at the endpoints, key files included; none is opened.

        Raises:
            ConfigError: with a mistake for each that cannot be built.
        """
        reactor = _reactor_for(self.configuration)
        if not self.configuration.services.plays("pergola"):
            return
        from twisted.internet.endpoints import serverFromString  # noqa: PLC0415

        mistakes = []
        for description in self.configuration.pergola.listen:
            if self["check-config"] and endpoints.is_inherited(description):
                continue  # whoever only checks has not inherited it
            try:
                serverFromString(reactor, description)
            except Exception as error:  # noqa: BLE001 - each kind has its own
                text = f"{description} cannot be used: {error!r}"
                mistakes.append(Mistake("pergola.listen", text))
        if mistakes:
            raise ConfigError(mistakes)


def makeService(options: Options, reactor: Any = None) -> IService:
    """Build the services of ``twistd rum``; none is started.

    Args:
        options: as parsed.
        reactor: what the services run on; ``None`` for the process's own.
    """
    config = options.configuration
    if reactor is None:
        reactor = _reactor_for(config)
        reactor.callWhenRunning(_settle_memory)
        reactor.stop = partial(_stop_patiently, reactor.stop)
    from rum_twisted.admin.levels import Levels  # noqa: PLC0415 - see above
    from rum_twisted.admin.logs import observer_for  # noqa: PLC0415
    from rum_twisted.assembly import build_services  # noqa: PLC0415

    twistd_options = options.parent
    in_foreground = twistd_options is not None and bool(twistd_options["nodaemon"])
    levels = Levels(config.log.level, config.log.levels)
    root = build_services(
        config,
        reactor,
        _tell if in_foreground else _note,
        # systemd keeps what is written in the foreground in its journal.
        on_terminal=in_foreground and "JOURNAL_STREAM" not in os.environ,
        levels=levels,
    )
    if twistd_options is not None:
        has_file = config.log.file is not None
        root.log_observer = observer_for(twistd_options, levels, has_file=has_file)
    return root


def _reactor_for(config: Config) -> Any:
    """Return the process's reactor: the one that was chosen, else asyncio's.

    Every reactor imports OpenSSL if it can, and that costs 12 MB of the 64 that a
    small box has. ``None`` in its place makes that import fail, which Twisted takes
    for "not installed". With ``--reactor`` it is too late for it. PostgreSQL over TLS
    does without: its driver uses Python's own library.
    """
    if "twisted.internet.reactor" not in sys.modules:
        if not config.needs_openssl:
            # None is documented for this, though not in the type.
            sys.modules.setdefault("OpenSSL", None)  # type: ignore[arg-type]
        from twisted.internet import asyncioreactor  # noqa: PLC0415 - see above

        loop = asyncio.SelectorEventLoop(FairSelector())
        # Services start before the loop runs, and some find it by this.
        asyncio.set_event_loop(loop)
        asyncioreactor.install(loop)
        _make_steady(loop)
    from twisted.internet import reactor  # noqa: PLC0415, TID251 - the one place

    return reactor


def _make_steady(loop: asyncio.AbstractEventLoop) -> None:
    """Let the fresh reactor go by the loop's clock, which nobody sets.

    By itself it goes by the time of day. When that was set back by an hour, no turn
    would end for an hour; set forward, everybody would have been silent for too long.
    """
    from twisted.internet import reactor  # noqa: PLC0415, TID251 - as above

    fresh: Any = reactor
    fresh.seconds = loop.time


class _Later:
    """Stands for a module, or a function, until somebody uses it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(namedAny(self._name), name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return namedAny(self._name)(*arguments, **named)


def _forget_unused() -> None:
    """Let go of what twistd loads for nothing; the next imports take its 4 MB.

    Its cache of plugins names an interface of trial, so that is imported to read the
    cache, and unittest with it. A name that nobody should use any more brings Python's
    HTTP client and its mail, an option of twistd's the debugger, packages that may lie
    in ZIP files the library for those. Whoever imports one of them later gets it anew.
    """
    if "twisted.trial.unittest" in sys.modules:
        return  # a test runs us
    for holder, attribute, name in _HOLDERS:
        setattr(sys.modules[holder], attribute, _Later(name))
    for name in tuple(sys.modules):
        if any(name == unused or name.startswith(f"{unused}.") for unused in _UNUSED):
            parent, _, attribute = name.rpartition(".")
            vars(sys.modules.get(parent, sys)).pop(attribute if parent else "", None)
            del sys.modules[name]
    # What typing remembers of their annotations would keep them.
    for clear in getattr(typing, "_cleanups", ()):
        clear()
    gc.collect()


def _keeps_database(config: Config) -> bool:
    """Tell whether this process keeps the accounts, in a database."""
    return config.services.plays("passport") and config.chosen_store() == "database"


def _has_loop(reactor: Any) -> bool:
    """Tell whether a reactor runs on an asyncio loop."""
    from twisted.internet.asyncioreactor import (  # noqa: PLC0415 - see above
        AsyncioSelectorReactor,
    )

    return isinstance(reactor, AsyncioSelectorReactor)


def _settle_memory() -> None:
    """Exempt what stands after the start from the search for unreachable objects.

    Nearly 40,000 objects of modules and services live as long as the process; a full
    search need not look at them (23 ms at most instead of 38, docs/memory.md).
    """
    gc.collect()
    gc.freeze()


def _stop_patiently(stop: Callable[[], None]) -> None:
    """Stop the reactor, or say that it is being stopped.

    Twisted would raise at a second signal, and have that in the log as a failure.
    """
    from twisted.internet.error import ReactorNotRunning  # noqa: PLC0415 - as above

    try:
        stop()
    except ReactorNotRunning:
        _log.info("already stopping; nothing else is done")


def _tell(line: str) -> None:
    """Give the operator a line, on his terminal if there is still one."""
    try:
        # The log has taken sys.stdout over by now.
        print(line, file=sys.__stdout__, flush=True)
    except (OSError, ValueError):  # closed, or it does not know a letter
        _note(line)


def _note(line: str) -> None:
    """Write a line for the operator to the log."""
    _log.info("{line}", line=line)
