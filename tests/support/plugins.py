"""A network in memory that a plugin extends: all of it is the real thing."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from rum_twisted.plugins.front import PluginFront
from rum_twisted.plugins.guard import Guard, Rules
from rum_twisted.plugins.host import PluginHost
from rum_twisted.plugins.local import LocalGuest
from rum_twisted.plugins.manifest import Manifest
from rum_twisted.session.hooks import Event, Hook
from rum_twisted.terms.units import Seconds
from rum_twisted.world.roster import Roster
from tests.support.builders import NOON
from tests.support.fabric import chance
from tests.support.server import MemoryServer

__all__ = [
    "DEADLINE",
    "INTERVAL",
    "ExtendedServer",
    "ScriptedPlugin",
    "add_plugin",
    "make_front",
    "make_host",
    "make_manifest",
]

DEADLINE: Final = Seconds(0.15)
INTERVAL: Final = Seconds(5.0)


def make_manifest(*hooks: Hook, name: str = "scripted", **fields: Any) -> Manifest:
    """Return a manifest; with commands and prefixes where its hooks want some."""
    fields.setdefault("commands", ("metar",) if Hook.COMMAND in hooks else ())
    fields.setdefault("prefixes", ("#TM", "$FP") if Hook.LINE in hooks else ())
    return Manifest(name=name, hooks=frozenset(hooks), **fields)


class ScriptedPlugin:
    """A plugin that keeps what it is told, and answers what a test says.

    Its methods run in the reactor, so that no test needs a thread.
    """

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.answers: dict[type[Any], Any] = {}  # by kind of event; may be called

    async def handle(self, event: Event) -> Any:
        """Take an event of any kind."""
        self.told.append(event)
        answer = self.answers.get(type(event))
        if callable(answer):
            answer = answer(event)
        return await answer if isinstance(answer, Deferred) else answer

    def of(self, kind: type[Any]) -> list[Any]:
        """Return what it was told of one kind."""
        return [event for event in self.told if isinstance(event, kind)]


def make_host(
    clock: Any,
    *,
    queue: int = 100,
    actions: float = 1000.0,
    deadline: Seconds = DEADLINE,
    folder: Path | None = None,
) -> PluginHost:
    """Return a host that runs."""
    rules = Rules(deadline=deadline, queue=queue, actions=actions)
    host = PluginHost(
        clock, chance(), rules, folder=folder or Path("plugins"), now=lambda: NOON
    )
    host.startService()
    return host


def make_front(
    clock: Any, roster: Roster | None = None, *, queue: int = 100
) -> PluginFront:
    """Return a server's side of the plugins; it does not run."""
    return PluginFront(
        clock,
        chance(),
        Roster() if roster is None else roster,
        deadline=DEADLINE,
        position_interval=INTERVAL,
        queue=queue,
    )


def add_plugin(
    host: PluginHost, plugin: ScriptedPlugin, manifest: Manifest, **fields: Any
) -> Guard:
    """Let a host run a plugin."""
    methods: dict[Hook, Callable[[Any], Any]] = dict.fromkeys(
        manifest.hooks, plugin.handle
    )
    guest = LocalGuest(plugin, manifest.name, methods, host.reactor)
    return host.add(guest, manifest, **fields)


class ExtendedServer(MemoryServer):
    """A server whose network one scripted plugin extends.

    Args:
        hooks: of the plugin.
        queue: events that may wait.
    """

    def __init__(self, hooks: Iterable[Hook], *, queue: int = 100, **fields: Any):
        self.plugin = ScriptedPlugin()
        self.front: PluginFront
        self.host: PluginHost
        super().__init__(extend=self._make_front, **fields)
        self.front.serve(self.fanout, self.logbook, self.network.weather)
        self.front.startService()
        self.host = make_host(self.clock, queue=queue)
        self.guard = add_plugin(self.host, self.plugin, make_manifest(*hooks))
        self.front.attach(self.host.attend("here", self.front))
        self.front.subscribe(self.host.subscription)
        self.turn()

    def _make_front(self, clock: Clock, roster: Roster) -> PluginFront:
        self.front = make_front(clock, roster)
        return self.front
