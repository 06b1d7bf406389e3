"""What joins processes: to be imported only where a process calls, or is called.

There is one discovery client, one set of channels and one endpoint in a process,
whatever roles it plays.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from random import Random, SystemRandom
from socket import gethostname
from typing import TYPE_CHECKING, Any, Final, cast

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from typing_extensions import override
from zope.interface import classImplements

from rum_twisted import __version__
from rum_twisted.accounts.queue import QueuedAccounts
from rum_twisted.accounts.remote import RemoteAccounts
from rum_twisted.accounts.remotelogbook import RemoteLogbook
from rum_twisted.accounts.waiting import WaitingAccounts
from rum_twisted.config import Config, ServicesSettings
from rum_twisted.discovery.choose import CannotDiscover, make_discovery
from rum_twisted.discovery.directory import Watch
from rum_twisted.discovery.interfaces import RegistryState
from rum_twisted.discovery.keys import unique_name
from rum_twisted.discovery.rulebook import RuleWatch
from rum_twisted.discovery.service import DiscoveryClient
from rum_twisted.rpc.client import XClients
from rum_twisted.rpc.interfaces import PLUGIN, IInstances, IRules, IWatch
from rum_twisted.rpc.judge import Judge, Noted
from rum_twisted.rpc.logbook import LogbookServicer
from rum_twisted.rpc.options import CallOptions, SelectMode, usual_options
from rum_twisted.rpc.passport import PassportServicer
from rum_twisted.rpc.server import CannotServe, RpcServer, ServerSettings
from rum_twisted.rpc.servicing import IServicer
from rum_twisted.rpc.tls import TlsError, TlsFiles
from rum_twisted.rpc.weather import WEATHER, WeatherServicer
from rum_twisted.session.interfaces import IAccounts, ICertificates, ILogbook, IWeather
from rum_twisted.terms.instance import Instance, InstanceState
from rum_twisted.terms.units import Seconds
from rum_twisted.weather.remote import RemoteWeather

if TYPE_CHECKING:
    from rum_twisted.accounts.remotecertificates import RemoteCertificates
    from rum_twisted.plugins.front import PluginFront
    from rum_twisted.plugins.host import PluginHost

if TYPE_CHECKING:
    from rum_twisted.rpc.tracing import Tracing

__all__ = ["UNFIT", "Fabric", "Listing"]

# The two rooms do not know each other.
classImplements(Watch, IWatch)
classImplements(RuleWatch, IWatch)
classImplements(DiscoveryClient, IInstances, IRules)

UNFIT: Final = (CannotDiscover, CannotServe, TlsError)
"""What an operator can mend, from the making of a `Fabric` or from its start."""

_ON_THE_WAY: Final = Seconds(2.0)  # an answer may take so much longer from elsewhere
_CHECKS_AT_ONCE: Final = 8  # a call under way takes 27 kB
_CHANGE_WITHIN: Final = Seconds(10.0)  # an operator waits for it
_DRAIN_WITHIN: Final = Seconds(0.5)  # for the word that we are about to end
_BETWEEN_LOOKS: Final = Seconds(0.02)


class Fabric:
    """Everything by which this process finds others, calls them and is called.

    Nothing is opened by making it.

    Args:
        config: the settings.
        reactor: asyncio's.
        random: for choices and pauses.
        now: tells the seconds since the Unix epoch, UTC.

    Raises:
        CannotDiscover: the settings of discovery do not fit together.
        CannotServe: others would reach us without protection.
        TlsError: half of a certificate is named.
    """

    def __init__(
        self,
        config: Config,
        reactor: Any,
        random: Random,
        now: Callable[[], Seconds],
    ) -> None:
        settings = config.services
        tls = _tls_of(settings)
        self._config = config
        self._reactor = reactor
        self._random = random
        self._now = now
        self.discovery = make_discovery(config.discovery, reactor, random)
        self.clients = XClients(
            cast(IInstances, self.discovery),
            reactor,
            random,
            options=partial(_options_of, config),
            tls=tls,
            rules=cast(IRules, self.discovery),
        )
        self.tracing = self.clients.tracing = _tracing_of(config, reactor)
        self._server_settings = ServerSettings(
            listen=settings.listen,
            # Who is asked only how he is needs no certificate for it.
            tls=tls if settings.offered or settings.tls_cert is not None else None,
            allow_plaintext=settings.allow_plaintext,
        )
        self._servicers: list[IServicer] = []
        self._listing: Listing | None = None
        self.hosted: tuple[PluginHost, ...] = ()  # what others find plugins by

    @property
    def name(self) -> str:
        """What others know this process by; empty while it is not listed."""
        return "" if self._listing is None else self._listing.instance_name

    # What others play.

    def accounts(self, tell: Callable[[str], None]) -> tuple[IAccounts, RemoteAccounts]:
        """Return the accounts of another process, and the service that asks him.

        Args:
            tell: says a line to the staff.
        """
        settings = self._config.accounts
        longest = Seconds(settings.answer_within + _ON_THE_WAY)
        remote = RemoteAccounts(self.clients, longest)
        most = settings.max_waiting
        waiting = WaitingAccounts(
            QueuedAccounts(remote, at_once=_CHECKS_AT_ONCE, longest=most),
            self._reactor,
            self._random,
            tell,
            longest=longest,
            most=most,
        )
        return waiting, remote

    def logbook(self) -> RemoteLogbook:
        """Return the logbook of another process."""
        return RemoteLogbook(
            self.clients,
            self._reactor,
            self._now,
            writer=_own_name(),
            interval=Seconds(self._config.accounts.write_interval),
        )

    def weather(self) -> RemoteWeather:
        """Return the weather of another process."""
        longest = Seconds(self._config.weather.answer_within + _ON_THE_WAY)
        return RemoteWeather(self.clients, longest)

    def plugins(self, front: "PluginFront") -> IService:
        """Return what joins our side of the plugins to another process, if it can."""
        from rum_twisted.plugins.remote import RemotePlugins  # noqa: PLC0415 - as below

        options = _options_of(self._config, PLUGIN)
        return RemotePlugins(
            front,
            cast(IInstances, self.discovery),
            self.clients.channels,
            self._reactor,
            self._random,
            server=_own_name(),
            group=options.group,
            place=(options.group, options.zone),
            rules=cast(IRules, self.discovery),
            metrics=self.clients.metrics,
        )

    def certificates(self) -> "RemoteCertificates":
        """Return the accounts of another process, as far as it lets us change them."""
        # Only a console asks for them.
        from rum_twisted.accounts.remotecertificates import (  # noqa: PLC0415
            RemoteCertificates,
        )

        return RemoteCertificates(self.clients, _CHANGE_WITHIN)

    def known_instances(self) -> Iterator[Instance]:
        """Yield everybody who plays a role, as far as we know."""
        for service in self.discovery.services():
            yield from self.discovery.instances(service)

    def judge(self, noted: Noted) -> Judge:
        """Return what ends trials of versions that do too badly, by our own calls.

        Args:
            noted: called with each rule that it has backed out.
        """
        return Judge(
            cast(IRules, self.discovery),
            self.clients.metrics,
            self._reactor,
            self._now,
            name=lambda: self.name,
            can_write=lambda: self.discovery.health.state is RegistryState.LIVE,
            noted=noted,
        )

    # What we play.

    def offer_accounts(self, accounts: IAccounts, logbook: ILogbook) -> LogbookServicer:
        """Let others ask our accounts and write our logbook.

        Returns:
            a service that has to run for it.
        """
        entries = LogbookServicer(logbook, self._reactor)
        self._servicers += (PassportServicer(accounts), entries)
        return entries

    def offer_certificates(self, certificates: ICertificates | None) -> None:
        """Let operators elsewhere list and change our accounts; ``None``: refuse."""
        # A front has no use for it.
        from rum_twisted.rpc.certificates import CertificatesServicer  # noqa: PLC0415

        self._servicers.append(CertificatesServicer(certificates))

    def offer_weather(self, weather: IWeather) -> None:
        """Let others ask for our weather."""
        self._servicers.append(WeatherServicer(weather))

    def offer_plugins(self, host: "PluginHost") -> IService:
        """Let others in to our plugins, and plugins of theirs.

        Returns:
            the doors: a service that has to be started after the endpoint.
        """
        # A process without plugins needs nothing of it.
        from rum_twisted.plugins.doors import PluginDoors  # noqa: PLC0415
        from rum_twisted.plugins.loading import settings_of  # noqa: PLC0415

        self.hosted = (host,)
        doors = PluginDoors(
            host,
            self._reactor,
            self._config.plugins.remote,
            partial(settings_of, self._config),
        )
        self._servicers += doors.servicers
        return doors

    def server(self) -> RpcServer:
        """Return the endpoint, where all is answered that was offered so far."""
        server = RpcServer(self._server_settings, self._servicers, self._reactor)
        server.tracing = self.tracing
        return server

    def listing(self, server: RpcServer) -> "Listing":
        """Return what tells others of us: to be started last, and stopped first."""
        services = self._config.services
        roles = services.roles
        if not self._config.hosts_plugins:  # whoever called would find nothing
            roles = tuple(role for role in roles if role != PLUGIN)
        self._listing = Listing(
            self.discovery,
            replace(services, roles=roles),
            lambda: server.address,
            self._reactor,
            self._now,
        )
        return self._listing


class Listing(Service):
    """Tells others of the roles of this process while it runs.

    Args:
        discovery: where they are listed.
        settings: what there is to tell.
        address: of our endpoint, when it is open.
        clock: times the end.
        now: tells the seconds since the Unix epoch, UTC.
    """

    log = Logger()
    name = "listing"

    def __init__(
        self,
        discovery: DiscoveryClient,
        settings: ServicesSettings,
        address: Callable[[], str],
        clock: IReactorTime,
        now: Callable[[], Seconds],
    ) -> None:
        self._discovery = discovery
        self._settings = settings
        self._address = address
        self._clock = clock
        self._now = now
        self.instances: tuple[Instance, ...] = ()

    @override
    def __repr__(self) -> str:
        return f"<Listing: {', '.join(each.service for each in self.instances)}>"

    @property
    def instance_name(self) -> str:
        """What others know this process by; empty while it is not listed."""
        return self.instances[0].name if self.instances else ""

    def unready(self) -> str:
        """Tell why others may not find us; see `Needed`."""
        is_listed = bool(self.instances) and self._discovery.health.is_registered
        return "" if is_listed else "others cannot find this process"

    @override
    def startService(self) -> None:
        """Tell them; this waits for nobody."""
        if self.running:
            return
        super().startService()
        settings = self._settings
        name, started = _own_name(), self._now()
        self.instances = tuple(
            Instance(
                service=role,
                name=name,
                address=settings.advertise or self._address(),
                version=settings.version or __version__,
                group=settings.group,
                zone=settings.zone,
                started=started,
            )
            for role in settings.roles
        )
        self._register()
        self.log.info(
            "this process plays {roles} as {name} at {address}",
            roles=", ".join(settings.roles),
            name=name,
            address=self.instances[0].address,
        )

    def change_state(self, state: InstanceState) -> Deferred[None]:
        """Tell others to call us or not to.

        Returns:
            a Deferred that fires when the registry has it, or after a bounded time.
        """
        self.instances = tuple(replace(each, state=state) for each in self.instances)
        self._register()
        return Deferred.fromCoroutine(self._written())

    def _register(self) -> None:
        for instance in self.instances:
            self._discovery.register(instance)

    async def _written(self) -> None:
        """Wait until the registry has what we have told it, but not for long."""
        deadline = self._clock.seconds() + _DRAIN_WITHIN
        while (
            not self._discovery.health.is_registered
            and self._clock.seconds() < deadline
        ):
            await deferLater(self._clock, _BETWEEN_LOOKS)

    @override
    def stopService(self) -> Deferred[None]:
        """Say that we end, then that we are gone.

        Returns:
            a Deferred that fires when others have been told, or after a bounded time.
        """
        super().stopService()
        instances, self.instances = self.instances, ()
        return Deferred.fromCoroutine(self._leave(instances))

    async def _leave(self, instances: tuple[Instance, ...]) -> None:
        if not instances:
            return
        for instance in instances:
            self._discovery.register(replace(instance, state=InstanceState.DRAINING))
        await self._written()
        await self._discovery.deregister()


def _own_name() -> str:
    """Return a name that no other process and no other start of ours has."""
    return unique_name(gethostname(), SystemRandom())


def _tracing_of(config: Config, reactor: Any) -> "Tracing | None":
    telemetry = config.telemetry
    if not telemetry.otlp_endpoint:
        return None
    # OpenTelemetry and its HTTP client are 5 MB.
    from rum_twisted.rpc.tracing import Tracing  # noqa: PLC0415

    endpoint, ratio = telemetry.otlp_endpoint, telemetry.sample_ratio
    return Tracing(endpoint, ratio, reactor, _own_name())


def _tls_of(settings: ServicesSettings) -> TlsFiles | None:
    files = TlsFiles(cert=settings.tls_cert, key=settings.tls_key, ca=settings.tls_ca)
    if files == TlsFiles():
        return None
    if settings.offered and files.cert is None:
        raise TlsError("services.tls_cert and tls_key: due with tls_ca")
    return files


def _options_of(config: Config, service: str) -> CallOptions:
    """Return how a service is called from here."""
    settings = config.services
    options = usual_options(service)
    if config.discovery.backend == "etcd":  # elsewhere nobody tells his group or zone
        options = replace(options, group=settings.group, zone=settings.zone)
        if settings.zone and service == WEATHER:
            options = replace(options, select_mode=SelectMode.CLOSEST)
    return options
