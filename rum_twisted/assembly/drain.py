"""Takes this process out of service without losing a call.

::

    SERVING ──drain──▶ DRAINING ──nothing under way──▶ the process ends
       ▲                  │    └──and it shall stay──▶ ASIDE
       └─────undrain──────┴──────────────undrain─────────┘

While it drains it still answers: whoever has not heard of it as yet loses nothing.

An operator says so over the control socket, or from elsewhere by a wish that stands in
the registry.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from typing_extensions import override

from rum_twisted.assembly.fabric import Listing
from rum_twisted.control.lines import Refused
from rum_twisted.control.server import Command
from rum_twisted.discovery.errors import EtcdError
from rum_twisted.discovery.service import DiscoveryClient
from rum_twisted.rpc.servicing import IUnderWay
from rum_twisted.terms.instance import InstanceState
from rum_twisted.terms.units import Seconds
from rum_twisted.terms.wish import Wish, WishKind

__all__ = ["Drain", "DrainState"]

QUIET: Final = Seconds(0.5)  # without a call, until we believe that all have heard
_BETWEEN_LOOKS: Final = Seconds(0.05)


class DrainState(Enum):
    """How far it is."""

    SERVING = "serving"
    DRAINING = "draining"
    ASIDE = "aside"  # drained, and running on
    ENDING = "ending"


class Drain(Service):
    """Drains this process when an operator says so.

    Args:
        listing: tells others.
        discovery: tells what is wanted of us from elsewhere.
        under_way: what others have us do: their calls, and what plugins are given.
        clock: the reactor.
        within: how long calls under way may take; the process ends then all the same.
        end: ends the process, as a signal would.
        serves_clients: pilots and controllers are connected here, who would be cut.
    """

    log = Logger()
    name = "drain"

    def __init__(  # noqa: PLR0913 - what it stands on, and what it ends
        self,
        listing: Listing,
        discovery: DiscoveryClient,
        under_way: Sequence[IUnderWay],
        clock: IReactorTime,
        within: Seconds,
        end: Callable[[], None],
        *,
        serves_clients: bool,
    ) -> None:
        self.state = DrainState.SERVING
        self._listing = listing
        self._discovery = discovery
        self._under_way = under_way
        self._clock = clock
        self._within = within
        self._end = end
        self._serves_clients = serves_clients
        self._stays = False
        self._draining: Deferred[None] | None = None
        self._heard: Wish | None = None  # the last one that was for us

    @override
    def __repr__(self) -> str:
        return f"<Drain: {self.state.value}>"

    @property
    def commands(self) -> dict[str, Command]:
        """What may be asked over the control socket, by name."""
        return {
            "drain.look": self._look,
            "drain.begin": self._begin,
            "drain.undo": self._undo,
        }

    @override
    def startService(self) -> None:
        """Heed what is wanted of us; who serves clients is not drained anyway."""
        super().startService()
        if not self._serves_clients:
            self._discovery.heed(self._heed)

    @override
    def stopService(self) -> None:
        """Wait for nothing any more."""
        super().stopService()
        self._discovery.heed(None)
        self._give_up()

    def _facts(self) -> dict[str, object]:
        return {
            "name": self._listing.instance_name,
            "state": self.state.value,
            "under_way": self._count,
            "services": [each.service for each in self._listing.instances],
        }

    def _look(self, arguments: Mapping[str, Any]) -> dict[str, object]:
        return self._facts()

    def _begin(self, arguments: Mapping[str, Any]) -> dict[str, object]:
        """Begin to drain; ``stays``: run on afterwards."""
        self._check_name(arguments)
        self._set_about(_by(arguments), stays=arguments.get("stays") is True)
        return self._facts()

    def _set_about(self, by: str, *, stays: bool) -> None:
        if self._serves_clients:
            raise Refused(
                "pilots and controllers are connected to this process; it is stopped "
                "like any other (SIGTERM), and they log on anew"
            )
        if self.state is DrainState.ENDING:
            raise Refused("it ends already")
        self._stays = stays
        if self._draining is None:
            self.state = DrainState.DRAINING
            self.log.info("drain: this process takes no new calls ({by})", by=by)
            self._draining = Deferred.fromCoroutine(self._drain())
            self._draining.addErrback(self._ended)

    def _undo(self, arguments: Mapping[str, Any]) -> Deferred[dict[str, object]]:
        """Serve again."""
        self._check_name(arguments)
        return self._serve_again(_by(arguments)).addCallback(lambda _: self._facts())

    def _serve_again(self, by: str) -> Deferred[None]:
        if self.state not in (DrainState.DRAINING, DrainState.ASIDE):
            raise Refused(f"it is not drained: {self.state.value}")
        self._give_up()
        self.state = DrainState.SERVING
        self.log.info("drain: this process serves again ({by})", by=by)
        return self._listing.change_state(InstanceState.UP)

    def _heed(self, wishes: Sequence[Wish]) -> None:
        """Do what is wanted of us from elsewhere, each wish once."""
        own = self._listing.instance_name
        for wish in wishes:
            if wish.name == own and wish != self._heard:
                self._heard = wish
                self._take_up(wish)

    def _take_up(self, wish: Wish) -> None:
        self._discovery.take_up(wish.name).addErrback(self._leave_it)
        by = f"{wish.by}, {wish.where}, by way of the registry"
        try:
            if wish.kind is WishKind.SERVE:
                self._serve_again(by)
            else:
                self._set_about(by, stays=wish.kind is WishKind.STAY)
        except Refused as refusal:
            self.log.info("drain: not done ({by}): {reason}", by=by, reason=refusal)

    def _leave_it(self, failure: Failure) -> None:
        """Leave a wish where it is: it goes by itself."""
        failure.trap(EtcdError, CancelledError)

    async def _drain(self) -> None:
        deadline = self._clock.seconds() + self._within
        await self._listing.change_state(InstanceState.DRAINING)
        begun, quiet_since = self._begun, self._clock.seconds()
        while self._clock.seconds() - quiet_since < QUIET:
            await deferLater(self._clock, _BETWEEN_LOOKS)
            if self._count or self._begun != begun:
                begun, quiet_since = self._begun, self._clock.seconds()
            if self._clock.seconds() >= deadline:
                self.log.warn(
                    "drain: {count} calls are still under way after {within} s",
                    count=self._count,
                    within=self._within,
                )
                break
        else:
            self.log.info("drain: nothing is under way any more")
        if self._stays:
            await self._listing.change_state(InstanceState.INACTIVE)
        self._draining = None
        if self._stays:
            self.state = DrainState.ASIDE
            self.log.info("drain: this process stands aside")
            return
        self.state = DrainState.ENDING
        self.log.info("drain: this process ends")
        self._end()

    @property
    def _count(self) -> int:
        return sum(each.count for each in self._under_way)

    @property
    def _begun(self) -> int:
        return sum(each.begun for each in self._under_way)

    def _give_up(self) -> None:
        draining, self._draining = self._draining, None
        if draining is not None:
            draining.cancel()

    def _ended(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.log.failure("drain: not finished", failure)

    def _check_name(self, arguments: Mapping[str, Any]) -> None:
        own = self._listing.instance_name
        if arguments.get("name") != own:
            raise Refused(f"this process is {own or 'not listed'}")


def _by(arguments: Mapping[str, Any]) -> str:
    return str(arguments.get("by") or "unknown")
