"""Weather that an operator made, before the weather that was observed.

A profile belongs to a station, as a rule. While it is active, whoever asks for its name
gets its weather, and a report printed of it, instead of the station's.

Profiles are few and small; they are kept in a file of their own, so that they are there
after a restart. A server that has no console has no profiles either.

Source: docs/console.md, "Weather profiles".
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.session.interfaces import IWeather
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Seconds
from rum_twisted.world.profile import report_of
from rum_twisted.world.weather import (
    AltimeterSetting,
    CloudLayer,
    StatuteMiles,
    TemperatureLayer,
    Weather,
    WindLayer,
)

__all__ = ["MOST_PROFILES", "ProfileFile", "ProfiledWeather", "WeatherProfile"]

L = TypeVar("L")  # a kind of layer

MOST_PROFILES: Final = 100  # no operator looks after more
_LARGEST_FILE: Final = 1 << 20  # bytes; a hundred profiles are 200 kB
_STATION: Final = 4  # letters of a station's name that count
_PROFILE: Final = 3500  # bytes of one: its layers and numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherProfile:
    """The weather of one name."""

    name: str  # in capitals
    weather: Weather
    created: Seconds  # since the Unix epoch, UTC
    is_active: bool = False


class ProfileFile(Service):
    """The profiles, and the file they are kept in.

    Invariant: the file holds what is kept here, unless the log has said that it cannot
    be written.

    Args:
        path: the file; it need not exist.
        now: tells the seconds since the Unix epoch, UTC.
    """

    log = Logger()

    def __init__(self, path: Path, now: Callable[[], Seconds]) -> None:
        self.setName("weather profiles")
        self._path = path
        self._now = now
        self._profiles: dict[str, WeatherProfile] = {}

    @override
    def __repr__(self) -> str:
        return f"<ProfileFile {self._path}: {len(self._profiles)} profiles>"

    @override
    def startService(self) -> None:
        """Read the file, if it is there; one that cannot be read is told of."""
        super().startService()
        self._profiles = {}
        try:
            with self._path.open("rb") as file:
                found = json.loads(file.read(_LARGEST_FILE))
            profiles = [_profile_of(entry) for entry in found[:MOST_PROFILES]]
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            self.log.warn(
                "weather profiles {path} cannot be read: {trouble}; there are none",
                path=self._path,
                trouble=repr(error),
            )
            return
        self._profiles = {profile.name: profile for profile in profiles}
        active = [profile.name for profile in profiles if profile.is_active]
        if active:
            self.log.warn(
                "weather profiles are in effect: {names}", names=", ".join(active)
            )

    def all(self) -> tuple[WeatherProfile, ...]:
        """Return them all, the last made first."""
        return tuple(reversed(self._profiles.values()))

    def find(self, name: str) -> WeatherProfile | None:
        """Return the one of a name, in any case."""
        return self._profiles.get(name.upper())

    def create(self, name: str, weather: Weather) -> WeatherProfile | None:
        """Make one, which is not active; ``None``: there are too many."""
        if len(self._profiles) >= MOST_PROFILES:
            return None
        profile = WeatherProfile(
            name=name.upper(), weather=weather, created=self._now()
        )
        self._keep(profile)
        return profile

    def change(self, name: str, weather: Weather) -> None:
        """Give one another weather; where it is active, that counts at once."""
        self._keep(replace(self._profiles[name.upper()], weather=weather))

    def activate(self, name: str) -> None:
        """Let one count."""
        self._keep(replace(self._profiles[name.upper()], is_active=True))

    def delete(self, name: str) -> None:
        """Take one away."""
        del self._profiles[name.upper()]
        self._write()

    def in_effect(self, station: str) -> WeatherProfile | None:
        """Return the active profile of a station, as somebody asked for it."""
        if not self._profiles:
            return None
        for name in (station.upper(), station[:_STATION].upper()):
            profile = self._profiles.get(name)
            if profile is not None and profile.is_active:
                return profile
        return None

    def measures(self) -> dict[str, Callable[[], Measure]]:
        """Return what tells of the memory it keeps; see `Measured`."""
        return {"weather profiles": self.measure}

    def measure(self) -> Measure:
        """Tell what the profiles take."""
        count = len(self._profiles)
        return Measure(count=count, bytes=count * _PROFILE, bound=MOST_PROFILES)

    def _keep(self, profile: WeatherProfile) -> None:
        self._profiles[profile.name] = profile
        self._write()

    def _write(self) -> None:
        """Write the file beside the old one, and put it in its place."""
        entries = [asdict(profile) for profile in self._profiles.values()]
        beside = self._path.with_name(f"{self._path.name}.new")
        try:
            beside.write_text(json.dumps(entries, indent=1), "utf-8")
            beside.replace(self._path)
        except OSError as error:
            self.log.warn(
                "weather profiles {path} cannot be written: {trouble}; they last until"
                " the server stops",
                path=self._path,
                trouble=error.strerror or str(error),
            )


@implementer(IWeather)
class ProfiledWeather:
    """A source of weather behind the profiles.

    Args:
        weather: is asked where no profile is in effect.
        profiles: come first.
        now: tells the seconds since the Unix epoch, UTC; reports have it.
    """

    def __init__(
        self, weather: IWeather, profiles: ProfileFile, now: Callable[[], Seconds]
    ) -> None:
        self._weather = weather
        self._profiles = profiles
        self._now = now
        self.asked = 0  # so far

    @override
    def __repr__(self) -> str:
        return f"<ProfiledWeather {self._profiles!r} before {self._weather!r}>"

    def metar(self, station: str, near: Position | None = None) -> Deferred[str | None]:
        """Look a station's report up; see `IWeather`."""
        self.asked += 1
        profile = self._profiles.in_effect(station)
        if profile is None:
            return self._weather.metar(station, near)
        return succeed(report_of(profile.name, profile.weather, self._now()))

    def weather(
        self, station: str, near: Position | None = None
    ) -> Deferred[Weather | None]:
        """Look a station's weather up; see `IWeather`."""
        self.asked += 1
        profile = self._profiles.in_effect(station)
        if profile is None:
            return self._weather.weather(station, near)
        return succeed(profile.weather)


def _profile_of(entry: Mapping[str, Any]) -> WeatherProfile:
    """Read one profile of the file.

    Raises:
        KeyError: something is missing.
        TypeError: or is not what it should be; so `ValueError`.
    """
    found = entry["weather"]
    first, second = (_layer(CloudLayer, layer) for layer in found["clouds"])
    weather = Weather(
        winds=_four(WindLayer, found["winds"]),
        clouds=(first, second),
        thunderstorm=_layer(CloudLayer, found["thunderstorm"]),
        temperatures=_four(TemperatureLayer, found["temperatures"]),
        pressure=AltimeterSetting(int(found["pressure"])),
        visibility=StatuteMiles(float(found["visibility"])),
    )
    return WeatherProfile(
        name=str(entry["name"]),
        weather=weather,
        created=Seconds(float(entry["created"])),
        is_active=entry["is_active"] is True,
    )


def _four(kind: type[L], found: Any) -> tuple[L, L, L, L]:
    first, second, third, fourth = (_layer(kind, layer) for layer in found)
    return first, second, third, fourth


def _layer(kind: type[L], found: Mapping[str, Any]) -> L:
    if not all(isinstance(value, int) for value in found.values()):
        raise TypeError(f"{kind.__name__}: {found}: due are whole numbers")
    return kind(**found)
