"""Plugins: the role that hosts them, and the way to it in one process."""

import secrets
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from typing_extensions import override

from rum_twisted.admin.weight import weigh
from rum_twisted.config import Config
from rum_twisted.plugins.front import PluginFront
from rum_twisted.plugins.guard import Rules
from rum_twisted.plugins.host import PluginHost
from rum_twisted.plugins.interfaces import ILink
from rum_twisted.plugins.loading import find_plugins, install
from rum_twisted.plugins.manifest import UnfitPlugin
from rum_twisted.terms.measure import NOTHING, Measure, Measuring
from rum_twisted.terms.units import Seconds

__all__ = ["LocalLink", "LocalPlugins", "make_host"]


def make_host(
    config: Config, reactor: Any, random: Random, now: Callable[[], Seconds]
) -> PluginHost:
    """Return the host of plugins, without any."""
    settings = config.plugins
    return PluginHost(
        reactor,
        random,
        Rules(
            deadline=Seconds(settings.deadline),
            queue=settings.queue,
            actions=settings.actions,
        ),
        folder=settings.folder,
        now=now,
    )


class LocalPlugins(Service):
    """The Python plugins of this process; made when it runs, and not before.

    Args:
        config: says which.
        host: takes them; to be started before this.

    Raises:
        ConfigError: one is not found, or its settings do not fit.
    """

    log = Logger()
    name = "local plugins"

    def __init__(self, config: Config, host: PluginHost) -> None:
        self._found = find_plugins(config)
        self._host = host
        self._has_begun = False
        self._plugins: dict[str, object] = {}  # those that run, by name

    def measures(self) -> dict[str, Measuring]:
        """Return what tells of the memory that each keeps; see `Measured`."""
        return {
            _owner(found.manifest.name): partial(self._measure, found.manifest.name)
            for found in self._found
        }

    def expendables(self) -> dict[str, Callable[[], object]]:
        """Return what ends each of them, if it grows beyond all bounds."""
        return {_owner(name): partial(self._end, name) for name in self._plugins}

    def _measure(self, name: str) -> Measure:
        plugin = self._plugins.get(name)
        if plugin is None:
            return NOTHING
        count, size = weigh(plugin)
        return Measure(count=count, bytes=size)

    def _end(self, name: str) -> Deferred[None]:
        """Have a plugin work no more, until the next start, and keep nothing."""
        plugin = self._plugins.pop(name, None)
        for guard in self._host.guards:
            if guard.name == name:
                return self._host.remove(guard).addBoth(_empty, plugin)
        return succeed(None)

    @override
    def startService(self) -> None:
        """Make them; one that cannot be made is left out, and the others go on."""
        super().startService()
        if self._has_begun:
            return
        self._has_begun = True
        for found in self._found:
            try:
                self._plugins[found.manifest.name] = install(found, self._host)
            except UnfitPlugin as error:
                self.log.error("{trouble}", trouble=error)  # noqa: TRY400 - no bug


def _empty(result: object, plugin: object) -> None:
    """Take everything from a plugin that has ended.

    It is as old as the server, and so exempt from the search for unreachable objects
    (see `tap`): whatever refers to itself would stay for ever.
    """
    names = getattr(plugin, "__dict__", None)
    if isinstance(names, dict):
        names.clear()


def _owner(plugin: str) -> str:
    return f"plugin {plugin}"


class LocalLink(Service):
    """Joins a server and a host of the same process while this runs.

    Args:
        front: the server's side.
        host: the plugins' side; to be started before this.
    """

    name = "plugin link"

    def __init__(self, front: PluginFront, host: PluginHost) -> None:
        self._front = front
        self._host = host
        self._link: ILink | None = None

    @override
    def startService(self) -> None:
        """Join them."""
        if self.running:
            return
        super().startService()
        self._link = self._host.attend(secrets.token_hex(6), self._front)
        self._front.attach(self._link)
        self._front.subscribe(self._host.subscription)

    @override
    def stopService(self) -> None:
        """Part them."""
        super().stopService()
        link, self._link = self._link, None
        if link is not None:
            self._front.detach()
            link.close()
