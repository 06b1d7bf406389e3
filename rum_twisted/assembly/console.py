"""The classic administration port: its questions find those who can answer.

To be imported only where there is a console.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime
from twisted.logger import globalLogPublisher

from rum_twisted import __version__
from rum_twisted.accounts.guarded import GuardedAccounts
from rum_twisted.accounts.throttle import Limits, Throttle
from rum_twisted.assembly.admin import Admin
from rum_twisted.config import Config, endpoints
from rum_twisted.console.help import HelpFile
from rum_twisted.console.interfaces import Identity, Refresh, Server
from rum_twisted.console.password import FilePassword, ThrottledPassword, Verify
from rum_twisted.console.recent import RecentLog
from rum_twisted.console.service import ConsoleCounts, ConsoleService
from rum_twisted.guard.guard import Guard
from rum_twisted.pergola.greeting import PRODUCT
from rum_twisted.pergola.overview import Overview
from rum_twisted.pergola.service import PergolaService
from rum_twisted.session.interfaces import ICertificates, IReports, IWeather
from rum_twisted.session.network import Network
from rum_twisted.terms.units import Seconds
from rum_twisted.weather.profiles import ProfiledWeather, ProfileFile

if TYPE_CHECKING:
    from rum_twisted.assembly.fabric import Fabric

__all__ = ["Console"]

PROFILES_FILE: Final = "weather-profiles.json"  # in the data folder
_MOST_LOCKOUTS: Final = 100  # that are shown
_SETTINGS_SHOWN: Final = ("ident", "name", "email", "hostname", "location")


class Console:
    """The console, while those who answer its questions are put together.

    Args:
        config: the settings.
        reactor: listens, and is the clock.
        now: tells the seconds since the Unix epoch, UTC.
        admin: measures memory.
    """

    def __init__(
        self, config: Config, reactor: Any, now: Callable[[], Seconds], admin: Admin
    ) -> None:
        self._config = config
        self._reactor = reactor
        self._now = now
        self._admin = admin
        self._profiles = ProfileFile(config.data_dir / PROFILES_FILE, now)
        self._weather: ProfiledWeather | None = None
        self._reports: IReports | None = None  # that are kept in this process
        self._certificates: ICertificates | None = None
        self._guarded: GuardedAccounts | None = None  # in this process
        self._fabric: Fabric | None = None
        self._network: Network | None = None
        self._overview: Overview | None = None
        self._service: ConsoleService | None = None

    @property
    def address(self) -> str:
        """Where it listens; empty: nowhere."""
        return "" if self._service is None else self._service.address

    def use_accounts(
        self, certificates: ICertificates, guarded: GuardedAccounts | None
    ) -> None:
        """Let it ask a store of accounts, and the guard before it if he is here."""
        self._certificates = certificates
        self._guarded = guarded

    def use_front(self, pergola: PergolaService, network: Network) -> None:
        """Let it look at the clients."""
        self._network = network
        self._overview = Overview(pergola.connections, pergola.fanout, network.tally)

    def use_fabric(self, fabric: "Fabric") -> None:
        """Let it tell of other processes."""
        self._fabric = fabric

    def before(self, weather: IWeather) -> IWeather:
        """Return a source of weather behind the operator's profiles."""
        if IReports.providedBy(weather):
            self._reports = weather
        self._weather = ProfiledWeather(weather, self._profiles, self._now)
        return self._weather

    def build(self, guard: Guard) -> Iterator[IService]:
        """Yield the services of the console, in the order of their starts.

        Args:
            guard: of this process.
        """
        assert self._network is not None, "put in before"
        assert self._overview is not None, "likewise"
        assert self._certificates is not None, "likewise"
        config, settings = self._config, self._config.console
        throttle = Throttle(
            Limits(
                free_per_cid=settings.failures,
                free_per_address=settings.failures,
                longest=Seconds(config.accounts.longest_backoff),
            ),
            config.accounts.allow,
        )
        verify, pool = _verifier(config, self._reactor)
        if pool is not None:
            yield pool
        yield self._profiles
        self._service = ConsoleService(
            endpoints.host_and_port(settings.listen),
            Server(
                identity=_identity(config),
                network=self._network,
                front=self._overview,
                password=ThrottledPassword(verify, throttle, self._reactor),
                certificates=self._certificates,
                profiles=self._profiles,
                refresh=self._refresh,
                log=RecentLog(globalLogPublisher),
                help=HelpFile(settings.help_file),
                figures=Figures(config, self, self._now()),
                memory=Memory(self._admin),
                guard=Guarding(guard, throttle, self._guarded, self._reactor),
                services=self._services,
            ),
            self._reactor,
            most=settings.max_connections,
            idle_timeout=Seconds(settings.idle_timeout),
            measures={"console guesses": throttle.measure},
        )
        yield self._service

    def stations(self) -> int:
        """Tell how many stations have a report in this process."""
        return 0 if self._reports is None else self._reports.stations()

    def asked(self) -> int:
        """Tell how often weather was asked for."""
        return 0 if self._weather is None else self._weather.asked

    def consoles(self) -> ConsoleCounts:
        """Tell how many are connected, and were."""
        assert self._service is not None, "whoever asks is connected"
        return self._service.counts

    def _refresh(self) -> Refresh:
        begun = None if self._reports is None else self._reports.refresh()
        if begun is None:
            return Refresh.ELSEWHERE
        return Refresh.BEGUN if begun else Refresh.UNDER_WAY

    def _services(self) -> Iterator[str]:
        """Yield a line for each instance of a role that is known."""
        yield f"{'Role':<10} {'State':<10} {'Address':<24} Name"
        yield "-" * 62
        roles = self._config.services.roles
        for role in roles:
            yield f"{role:<10} {'here':<10} {'-':<24} this process"
        if self._fabric is None:
            return
        for instance in self._fabric.known_instances():
            yield (
                f"{instance.service:<10} {instance.state.value:<10}"
                f" {instance.address:<24} {instance.name}"
            )


def _identity(config: Config) -> Identity:
    pergola = config.pergola
    return Identity(
        ident=pergola.ident,
        name=pergola.name,
        email=pergola.email,
        hostname=pergola.hostname,
        location=pergola.location,
        product=PRODUCT,
        version=__version__,
        has_weather=config.weather.source != "none",
    )


def _verifier(config: Config, reactor: Any) -> tuple[Verify, IService | None]:
    """Return what checks the password, and what has to run for that, if anything."""
    settings = config.console
    if settings.password_file is not None:
        return FilePassword(settings.password_file).verify, None
    # argon2 is some megabytes, and a thread.
    from rum_twisted.assembly.hashed import hashed_password  # noqa: PLC0415

    return hashed_password(settings.password, reactor)


class Figures:
    """What ``stat`` tells besides the counts of the front.

    Args:
        config: the settings.
        console: has the rest.
        begun: when the process began, since the Unix epoch, UTC.
    """

    def __init__(self, config: Config, console: Console, begun: Seconds) -> None:
        self._config = config
        self._console = console
        self._begun = begun

    def __call__(self) -> Iterable[tuple[str, object]]:
        """Return names and values."""
        config, consoles = self._config, self._console.consoles()
        for name in ("current", "total", "peak"):
            yield f"interface.server.{name}", 0  # there are no links
        yield "interface.system.current", consoles.current
        yield "interface.system.total", consoles.total
        yield "interface.system.peak", consoles.peak
        stations = self._console.stations()
        yield "metar.method", config.weather.source
        yield "metar.current", int(stations > 0)
        yield "metar.requests", self._console.asked()
        yield "metar.stations", stations
        yield "system.boottime", int(self._begun)
        yield "version.system", PRODUCT
        for name in _SETTINGS_SHOWN:
            yield f"config.{name}", getattr(config.pergola, name)
        yield "config.maxclients", config.pergola.max_clients


class Memory:
    """What ``memory`` tells.

    Args:
        admin: measures.
    """

    def __init__(self, admin: Admin) -> None:
        self._admin = admin

    def __call__(self) -> Iterator[str]:
        """Yield a line for each owner, the largest first."""
        yield f"{'Owner':<28} {'Count':>9} {'Bytes':>12} {'Bound':>10}"
        yield "-" * 62
        for owner in self._admin.owners.table():
            measure = owner.measure
            bound = "-" if measure.bound is None else measure.bound
            yield (
                f"{owner.name[:28]:<28} {measure.count:>9} {measure.bytes:>12}"
                f" {bound:>10}"
            )


class Guarding:
    """What ``guard`` tells: how near the limits are, and who is kept waiting.

    Args:
        guard: of this process.
        throttle: of the console.
        guarded: of the accounts; ``None``: they are in another process.
        clock: tells the time of the throttle.
    """

    def __init__(
        self,
        guard: Guard,
        throttle: Throttle,
        guarded: GuardedAccounts | None,
        clock: IReactorTime,
    ) -> None:
        self._guard = guard
        self._throttle = throttle
        self._guarded = guarded
        self._clock = clock

    def __call__(self) -> Iterator[str]:
        """Yield the rungs of the guard, then whoever has to wait."""
        yield from self._rungs()
        yield ""
        yield from self._lockouts()

    def _rungs(self) -> Iterator[str]:
        facts = self._guard.facts()
        yield f"{'Rung':<12} {'In force':<9} {'Times':>6}  What is done"
        yield "-" * 62
        for rung in facts["rungs"]:
            state = "yes" if rung["is_in_force"] else "no"
            yield f"{rung['name']:<12} {state:<9} {rung['times']:>6}  {rung['doing']}"
        if not facts["enabled"]:
            yield "(the guard is off: guard.enabled)"

    def _lockouts(self) -> Iterator[str]:
        """Yield a line for each address and CID, the longest wait first."""
        yield f"{'Where':<10} {'Counted':<8} {'Failures':>8} {'Wait':>8}  Who"
        yield "-" * 62
        now = Seconds(self._clock.seconds())
        kept = {"console": self._throttle.lockouts(now)}
        if self._guarded is not None:
            kept["accounts"] = self._guarded.lockouts()
        for where, lockouts in kept.items():
            for lockout in lockouts[:_MOST_LOCKOUTS]:
                yield (
                    f"{where:<10} {lockout.counted.value:<8} {lockout.failures:>8}"
                    f" {lockout.seconds:>6.0f} s  {lockout.key}"
                )
        if self._guarded is None:
            yield "(of accounts: ask the process that plays passport)"
