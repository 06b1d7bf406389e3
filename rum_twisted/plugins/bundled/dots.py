"""Commands for pilots, typed as a text: ``.metar EHAM``."""

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar, Final

from rum_twisted.plugins import Command, Hook, Manifest, Option, PluginContext
from rum_twisted.terms.identity import ClientKind

__all__ = ["Dots", "plugin"]

_HELP: Final = (
    ".metar ICAO: the weather there",
    ".who: who is online",
    ".atc: which controllers are online",
    ".help: these lines",
)
_STATION_LENGTH: Final = 4


class Dots:
    """Answers a few commands of pilots; see `IPlugin`."""

    manifest: ClassVar = Manifest(
        name="dots",
        hooks=frozenset({Hook.COMMAND}),
        commands=("metar", "who", "atc", "help"),
        options=(
            Option(
                name="most",
                default=20,
                least=1,
                most=100,
                about="How many callsigns .who and .atc name.",
            ),
            Option(
                name="more_help",
                default=(),
                about="Lines that .help shows besides, e.g. of other plugins.",
            ),
        ),
    )

    def __init__(self, rum: PluginContext, settings: Mapping[str, object]) -> None:
        self._rum = rum
        most, more = settings["most"], settings["more_help"]
        assert isinstance(most, int), "the manifest says so"
        assert isinstance(more, tuple), "likewise"
        self._most = most
        self._help = (*_HELP, *more)

    async def command(self, command: Command) -> None:
        """Answer one command."""
        match command.word:
            case "metar":
                await self._tell_metar(command)
            case "who":
                self._tell_who(command)
            case "atc":
                self._tell_controllers(command)
            case _:
                self._rum.tell(command.callsign, "\n".join(self._help))

    async def _tell_metar(self, command: Command) -> None:
        station = command.rest.upper()
        if len(station) != _STATION_LENGTH or not station.isalnum():
            self._rum.tell(command.callsign, ".metar ICAO, as in .metar EHAM")
            return
        report = await self._rum.metar(station)
        self._rum.tell(command.callsign, report or f"No report of {station}")

    def _tell_who(self, command: Command) -> None:
        online = self._rum.online()
        kinds = Counter(client.kind for client in online)
        self._rum.tell(
            command.callsign,
            f"Online: {kinds[ClientKind.PILOT]} pilots, "
            f"{kinds[ClientKind.CONTROLLER]} controllers",
        )
        self._tell_callsigns(command, [client.callsign for client in online])

    def _tell_controllers(self, command: Command) -> None:
        callsigns = [
            client.callsign
            for client in self._rum.online()
            if client.kind is ClientKind.CONTROLLER
        ]
        if callsigns:
            self._tell_callsigns(command, callsigns)
        else:
            self._rum.tell(command.callsign, "No controllers are online")

    def _tell_callsigns(self, command: Command, callsigns: list[str]) -> None:
        more = len(callsigns) - self._most
        shown = " ".join(callsigns[: self._most])
        self._rum.tell(
            command.callsign, f"{shown} and {more} more" if more > 0 else shown
        )


plugin = Dots
