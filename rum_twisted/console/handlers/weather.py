"""Weather: reports, and the profiles that an operator makes.

Source: docs/console.md, "Weather profiles".
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from time import gmtime, strftime
from types import MappingProxyType
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from rum_twisted.console.console import Console, Lines, Reply, Words
from rum_twisted.console.handlers.words import number_in, numeral_in
from rum_twisted.console.interfaces import Profile, Refresh
from rum_twisted.session.interfaces import NoWeatherSource
from rum_twisted.terms.units import Degrees
from rum_twisted.world.profile import UnfitPath, with_value
from rum_twisted.world.weather import UpperAir, Weather, with_upper_air

__all__ = ["metar", "place", "profiles", "refresh", "weather"]

LONGEST_NAME: Final = 12  # letters of a profile's name
_NO_HOST: Final = "No METAR host in network."
_LABEL: Final = 20  # columns
_REFRESHED: Final = {
    Refresh.BEGUN: "Starting download of metar data.",
    Refresh.UNDER_WAY: "Already downloading latest METAR information.",
    Refresh.ELSEWHERE: "Servers doesn't use a local METAR file.",
}


def weather(console: Console, words: Words) -> Reply:
    """Show the layers of a station, the upper winds as they are at `place`."""
    server, profile = console.server, words[0]
    asked = server.network.weather.weather(profile, console.position)

    def tell(found: Weather | None) -> Lines:
        if found is None:
            return _nothing_for(profile)
        air = UpperAir.at(server.network.now())
        return _layers(profile, with_upper_air(found, console.position, air))

    return _asked(console, asked, tell, "Weather")


def metar(console: Console, words: Words) -> Reply:
    """Show a station's report."""
    profile = words[0]
    asked = console.server.network.weather.metar(profile, console.position)

    def tell(found: str | None) -> Lines:
        if found is None:
            return _nothing_for(profile)
        return ("", f"Weather profile {profile}:", "", found)

    return _asked(console, asked, tell, "Metar")


def place(console: Console, words: Words) -> Lines:
    """Say where the operator is, for the upper winds; what is no number changes not."""
    latitude, longitude = map(numeral_in, words[:2])
    if latitude is not None:
        console.position = replace(console.position, latitude=Degrees(latitude))
    if longitude is not None:
        console.position = replace(console.position, longitude=Degrees(longitude))
    return ("Position set",)


def refresh(console: Console, words: Words) -> Lines:
    """Have new reports fetched now."""
    return (_REFRESHED[console.server.refresh()],)


def profiles(console: Console, words: Words) -> Reply:
    """Show, make, change, activate or delete a profile."""
    mode = words[0].lower()
    if mode == "show":
        return _show(console, words[1:])
    if len(words) == 1:
        return ("Usage: wp <show|create|delete|activate|set> <name> ...",)
    name = words[1].upper()
    if mode == "create":
        return _create(console, name)
    if console.server.profiles.find(name) is None:
        return (f"Could not find weather profile '{name}'",)
    change = _CHANGES.get(mode)
    if change is None:
        return ("Invalid wp mode.",)
    return change(console, name, words[2:])


def _show(console: Console, words: Words) -> Lines:
    kept = console.server.profiles
    if not words:
        return _profile_table(console, kept.all())
    profile = kept.find(words[0])
    if profile is None:
        return (f"Could not find weather profile '{words[0]}'",)
    return _layers(profile.name, profile.weather)


def _create(console: Console, name: str) -> Reply:
    """Make a profile, of the station's weather if there is any."""
    server = console.server
    if server.profiles.find(name) is not None:
        return ("Weather profile already exists!",)
    if len(name) > LONGEST_NAME or ":" in name:
        return (f"Not created: a name has 1 to {LONGEST_NAME} letters, and no colon.",)
    asked = server.network.weather.weather(name, console.position)
    without_host = _is_without_host(asked)

    def make(found: Weather | None) -> Lines:
        if server.profiles.find(name) is not None:  # made meanwhile
            return ("Weather profile already exists!",)
        if server.profiles.create(name, found or Weather()) is None:
            return ("Not created: there are too many profiles.",)
        return ()

    def make_of_nothing(failure: Failure) -> Lines:
        failure.trap(NoWeatherSource)
        return make(None) or (
            _NO_HOST,
            "The weather profile has been created without default data.",
        )

    if not without_host:
        console.terminal.show(
            "A METAR request has been sent out to server "
            f"{server.identity.ident} to get the initial data."
        )
        console.terminal.show("The weather profile will created when the data arrives.")
    made: Deferred[Lines] = asked.addCallbacks(make, make_of_nothing)
    return made


def _delete(console: Console, name: str, words: Words) -> Lines:
    console.server.profiles.delete(name)
    return ("Weather profile deleted.",)


def _activate(console: Console, name: str, words: Words) -> Lines:
    console.server.profiles.activate(name)
    return ("Weather profile now in effect!",)


def _set(console: Console, name: str, words: Words) -> Lines:
    if len(words) < 2:  # noqa: PLR2004 - a path and a value
        return ("Usage: wp set <name> <parameter> <value>",)
    path, typed, *_ = words
    value = number_in(typed)
    if value is None:
        return (f"Invalid value '{typed}'",)
    kept = console.server.profiles
    profile = kept.find(name)
    assert profile is not None, "looked up before"
    try:
        kept.change(name, with_value(profile.weather, path, value))
    except UnfitPath as error:
        return (str(error),)
    return ()


_CHANGES: Final[Mapping[str, Callable[[Console, str, Words], Lines]]] = (
    MappingProxyType({"delete": _delete, "activate": _activate, "set": _set})
)


def _asked(
    console: Console,
    asked: Deferred[Any],
    tell: Callable[[Any], Lines],
    what: str,
) -> Reply:
    """Say that somebody was asked, then what he says."""
    if _is_without_host(asked):
        asked.addErrback(lambda failure: None)
        return (_NO_HOST,)
    ident = console.server.identity.ident
    console.terminal.show(f"{what} request sent to METAR host {ident}.")

    def excuse(failure: Failure) -> Lines:
        failure.trap(NoWeatherSource)
        return (_NO_HOST,)

    told: Deferred[Lines] = asked.addCallbacks(tell, excuse)
    return told


def _is_without_host(asked: Deferred[Any]) -> bool:
    """Tell whether it is known already that nobody can be asked."""
    result = getattr(asked, "result", None)
    return isinstance(result, Failure) and bool(result.check(NoWeatherSource))


def _nothing_for(profile: str) -> Lines:
    return ("", f"No weather available for {profile}.")


def _profile_table(console: Console, found: Iterable[Profile]) -> Lines:
    ident = console.server.identity.ident
    yield "Active  Name  Origin     Creation"
    yield "-" * 33
    for profile in found:
        created = strftime("%d-%m-%Y %H:%M:%S", gmtime(profile.created))
        active = "Yes" if profile.is_active else "No"
        yield f"{active:<6}  {profile.name:<4}  {ident:<10} {created}"


def _layers(name: str, shown: Weather) -> Lines:
    """Print a weather as the classic tables."""
    clouds, winds, warmth = shown.clouds, shown.winds, shown.temperatures
    yield ""
    yield f"Weather profile {name}:"
    yield ""
    yield _row("Cloud layer", range(1, 3))
    yield _row("  Floor", (layer.floor for layer in clouds))
    yield _row("  Ceiling", (layer.ceiling for layer in clouds))
    yield _row("  Coverage", (layer.coverage for layer in clouds))
    yield _row("  Turbulence", (layer.turbulence for layer in clouds))
    yield _row("  Icing", (_yes_or_no(layer.icing) for layer in clouds))
    yield ""
    yield _row("Wind layer", range(1, 5))
    yield _row("  Floor", (layer.floor for layer in winds))
    yield _row("  Ceiling", (layer.ceiling for layer in winds))
    yield _row("  Direction", (layer.direction for layer in winds))
    yield _row("  Speed", (layer.speed for layer in winds))
    yield _row("  Gusting", (_yes_or_no(layer.gusting) for layer in winds))
    yield ""
    yield _row("Temp layer", range(1, 5))
    yield _row("  Ceiling", (layer.ceiling for layer in warmth))
    yield _row("  Temperature", (layer.temperature for layer in warmth))
    yield ""
    yield f"Visibility  : {shown.visibility:.2f} SM"
    yield f"Barometer   : {shown.pressure} Hg"


def _row(label: str, values: Iterable[object]) -> str:
    return f"{label:<{_LABEL}}" + "".join(f"{value!s:<10}" for value in values)


def _yes_or_no(value: bool) -> str:  # noqa: FBT001 - it is all there is
    return "Yes" if value else "No"
