"""The one discovery client of a process.

It is made once, lives as long as the process, and owns everything that discovery
holds open. Asking it costs nothing: `instances` looks into memory, `watch` adds a
listener, and neither makes a request, a lease or a connection. So there is nothing to
close but a watch that is no longer wanted, and nothing at etcd grows with the number
of those who ask.
"""

from collections.abc import Callable
from typing import TypeAlias

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.discovery.directory import Changed, Directory, Watch
from rum_twisted.discovery.interfaces import IRegistry, Overview, RegistryHealth
from rum_twisted.discovery.rulebook import RuleBook, Ruled, RuleWatch
from rum_twisted.terms.instance import Instance
from rum_twisted.terms.measure import Measuring
from rum_twisted.terms.rule import Posted, Rule
from rum_twisted.terms.wish import Wish

__all__ = ["DiscoveryClient", "Wished"]

Wished: TypeAlias = Callable[[tuple[Wish, ...]], None]


class DiscoveryClient(Service):
    """Knows the instances of all services, and lists those of this process.

    Args:
        registry: where they are listed; this service opens and closes it.
    """

    log = Logger()
    name = "discovery"

    def __init__(self, registry: IRegistry) -> None:
        self._registry = registry
        self._directory = Directory()
        self._book = RuleBook()
        self._wished: Wished | None = None
        self._is_following = False
        self._is_closing = False
        self._waiters: list[Deferred[None]] = []

    @override
    def __repr__(self) -> str:
        return f"<DiscoveryClient {self._registry!r}: {self._directory!r}>"

    @override
    def startService(self) -> None:
        """Open the registry; list what was registered before. Waits for nothing.

        If it is being closed, it is opened again when that is done.
        """
        if self.running:
            return
        super().startService()
        if not self._is_closing:
            self._open()

    @override
    def stopService(self) -> Deferred[None]:
        """Close the registry.

        Returns:
            a Deferred that fires when our lease is revoked, the watch has ended, the
            connection is closed and no task is left; in bounded time if etcd is away.
        """
        if self.running:
            super().stopService()
            if not self._is_closing:
                self._is_closing = True
                self._registry.stop().addBoth(self._closed)
        if not self._is_closing:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        return waiter

    def _open(self) -> None:
        self._registry.start(
            self._directory.replace, self._book.replace, self._tell_wishes
        )
        if self._is_following:
            self._registry.follow()

    def _closed(self, outcome: object) -> None:
        if isinstance(outcome, Failure):
            self.log.failure("discovery: not closed cleanly", outcome)
        self._is_closing = False
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.callback(None)
        if self.running:
            self._open()

    def instances(self, service: str) -> tuple[Instance, ...]:
        """Return the instances of a service as they are known now; never waits.

        Returns:
            them all, by name, in whatever state they are; none before they are known.
        """
        self._follow()
        return self._directory.instances(service)

    def watch(self, service: str, changed: Changed) -> Watch:
        """Be told when the instances of a service change.

        Args:
            service: e.g. ``passport``.
            changed: called with all of them after each change, not during this call.

        Returns:
            what ends it.
        """
        self._follow()
        return self._directory.watch(service, changed)

    def measures(self) -> dict[str, Measuring]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {
            "instances": self._directory.measure,
            "watches": self._directory.measure_watches,
        }

    def services(self) -> tuple[str, ...]:
        """Return the services that anybody plays, by name."""
        self._follow()
        return self._directory.services()

    def rules(self) -> tuple[Posted, ...]:
        """Return the traffic rules as they are known now, by service; never waits."""
        self._follow()
        return self._book.rules

    def watch_rules(self, changed: Ruled) -> RuleWatch:
        """Be told when the traffic rules change.

        Args:
            changed: called with all of them after each change, not during this call,
                and before whoever watches instances is told what changed with it.

        Returns:
            what ends it.
        """
        self._follow()
        return self._book.watch(changed)

    def heed(self, wished: Wished | None) -> None:
        """Be told what is wanted of processes; there is one listener at most.

        Args:
            wished: called with all wishes after each change of anything, not during
                this call; ``None``: be told nothing more.
        """
        self._wished = wished
        if wished is not None:
            self._follow()

    def _tell_wishes(self, wishes: tuple[Wish, ...]) -> None:
        if self._wished is None or not wishes:
            return
        try:
            self._wished(wishes)
        except Exception:  # noqa: BLE001 - the registry has more to tell
            self.log.failure("discovery: a wish was not heeded")

    @property
    def refuses_wishes(self) -> str:
        """Why nobody would hear of a wish, for an operator; empty: they do."""
        refusal: str = self._registry.refuses_wishes
        return refusal

    def wish(self, wish: Wish) -> Deferred[None]:
        """Let a process know what is wanted of it; see `IRegistry`."""
        return self._registry.wish(wish)

    def take_up(self, name: str) -> Deferred[None]:
        """Delete what is wanted of an instance; see `IRegistry`."""
        return self._registry.take_up(name)

    def look(self) -> Deferred[Overview]:
        """Read what stands in the registry now; see `IRegistry`."""
        return self._registry.look()

    def post(self, service: str, rule: Rule | None, revision: int) -> Deferred[bool]:
        """Write a traffic rule; see `IRegistry`."""
        return self._registry.post(service, rule, revision)

    def register(self, instance: Instance) -> None:
        """List an instance of this process, or change what is listed for it.

        It may be called before the service is started, and while etcd is away: what
        is wanted is made true as soon as it can be.
        """
        self._registry.register(instance)

    def deregister(self) -> Deferred[None]:
        """Take all instances of this process away, before it is stopped.

        Returns:
            a Deferred that fires when nobody new is told of them, or after a bounded
            time without an answer.
        """
        return self._registry.deregister()

    @property
    def health(self) -> RegistryHealth:
        """How the registry does."""
        return self._registry.health()

    @property
    def watches(self) -> int:
        """How many listeners there are; none of them is one at etcd."""
        return self._directory.watches

    def _follow(self) -> None:
        """Begin to read at the first question, and go on to the end."""
        if not self._is_following:
            self._is_following = True
            if self.running and not self._is_closing:
                self._registry.follow()
