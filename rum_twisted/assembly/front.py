"""The role ``pergola``: the port that clients connect to, and what belongs to it."""

from collections.abc import Iterator
from random import Random
from time import thread_time, time  # noqa: TID251 - handed to all others
from typing import Any

from twisted.application.service import IService

from rum_twisted.admin.cgroup import cores_allowed
from rum_twisted.config import Config
from rum_twisted.pergola.connections import Connections
from rum_twisted.pergola.factory import FSDFactory
from rum_twisted.pergola.fanout import Fanout
from rum_twisted.pergola.figures import FrontFigures
from rum_twisted.pergola.greeting import Greeting
from rum_twisted.pergola.limits import Limits
from rum_twisted.pergola.service import CannotStart, PergolaService
from rum_twisted.session.door import Door
from rum_twisted.session.hooks import NO_PLUGINS
from rum_twisted.session.interfaces import (
    IAccounts,
    IDelivery,
    ILogbook,
    IPlugins,
    IWeather,
)
from rum_twisted.session.network import Network
from rum_twisted.session.staff import tell_staff
from rum_twisted.session.tally import Tally
from rum_twisted.terms.units import Seconds
from rum_twisted.web.whazzup import ServerIdentity, WhazzupFile
from rum_twisted.world.roster import Roster

__all__ = ["CannotStart", "Front"]


class Front:
    """The shared world and the way to its clients, before they are served.

    Args:
        config: the settings.
        reactor: what everything runs on.
        random: for the wind.
    """

    def __init__(self, config: Config, reactor: Any, random: Random) -> None:
        self._config = config
        self._reactor = reactor
        self._random = random
        self.roster = Roster()
        self.door = Door()
        self.network: Network | None = None  # once it is complete
        turn = Seconds(config.pergola.turn_max)
        self.tally = Tally()
        # Of this thread: a password that is hashed in another one meanwhile is no
        # cost of a turn, and would make turns rare while members log on.
        self._fanout = Fanout(reactor, thread_time, turn, self.roster, tally=self.tally)

    @property
    def delivery(self) -> IDelivery:
        """The way to clients."""
        return self._fanout

    def tell_staff(self, text: str) -> None:
        """Say a line to the staff who are online."""
        tell_staff(self.roster, self._fanout, text)

    def status_file(self) -> Iterator[IService]:
        """Yield what writes the status file, if there is to be one."""
        config = self._config
        if config.status.whazzup is None:
            return
        settings = config.pergola
        yield WhazzupFile(
            config.status.whazzup,
            interval=Seconds(config.status.interval),
            clock=self._reactor,
            clients=lambda: self.roster,
            server=ServerIdentity(
                ident=settings.ident,
                hostname=settings.hostname,
                location=settings.location,
                name=settings.name,
            ),
            now=time,
        )

    def pergola(
        self,
        accounts: IAccounts,
        logbook: ILogbook,
        weather: IWeather,
        plugins: IPlugins | None = None,
    ) -> PergolaService:
        """Return what serves clients.

        Args:
            accounts: say who may log on.
            logbook: is told who was on.
            weather: what clients may ask for.
            plugins: who extends the network; ``None``: nobody.
        """
        settings = self._config.pergola
        limits = _limits_of(self._config)
        connections = Connections(self._reactor, settings.max_clients)
        self.figures = FrontFigures(self.tally, connections, self.roster, limits)
        network = self.network = Network(
            roster=self.roster,
            delivery=self._fanout,
            accounts=accounts,
            logbook=logbook,
            weather=weather,
            greeting=Greeting(settings.motd, settings.email),
            now=lambda: Seconds(time()),
            tally=self.tally,
            plugins=NO_PLUGINS if plugins is None else plugins,
            door=self.door,
        )
        return PergolaService(
            self._reactor,
            settings.listen,
            FSDFactory(
                network,
                self._fanout,
                limits,
                connections,
            ),
            wind_delta_interval=Seconds(settings.wind_delta_interval),
            cores=lambda: settings.cpu_limit or cores_allowed(),
            random=self._random,
        )


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
