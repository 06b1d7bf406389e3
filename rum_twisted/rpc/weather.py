"""Weather across processes: `IWeather` on one side, gRPC between, and back again.

Contract: ``proto/rum/v1/weather.proto``.
"""

from typing import Final

from rum_twisted.rpc.bridge import future
from rum_twisted.rpc.client import XClient
from rum_twisted.rpc.convert import (
    Unreadable,
    message_of_place,
    message_of_weather,
    place_of,
    weather_of,
)
from rum_twisted.rpc.generated import weather_pb2 as pb2
from rum_twisted.rpc.method import Method
from rum_twisted.rpc.servicing import Answering
from rum_twisted.session.interfaces import IWeather, NoWeatherSource
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Seconds
from rum_twisted.world.weather import Weather

__all__ = ["METAR", "WEATHER", "WeatherServicer", "decoded", "metar"]

WEATHER: Final = "weather"
"""The role, as instances announce it."""

LONGEST_STATION: Final = 64  # characters that are sent; four count

_SERVICE: Final = pb2.DESCRIPTOR.services_by_name["Weather"]
METAR: Final = Method.of(
    _SERVICE, "Metar", pb2.StationRequest, pb2.MetarResponse, may_repeat=True
)
_DECODED: Final = Method.of(
    _SERVICE, "Decoded", pb2.StationRequest, pb2.DecodedResponse, may_repeat=True
)


class WeatherServicer:
    """Lets other processes ask a source of weather.

    Args:
        weather: is asked.
    """

    name: str = _SERVICE.full_name

    def __init__(self, weather: IWeather) -> None:
        self._weather = weather
        self.answers = (
            Answering(METAR, self._metar),
            Answering(_DECODED, self._decoded),
        )

    async def _metar(self, request: pb2.StationRequest) -> pb2.MetarResponse:
        try:
            report = await future(
                self._weather.metar(request.station, _place_of(request))
            )
        except NoWeatherSource:
            return pb2.MetarResponse(absence=pb2.NO_SOURCE)
        if report is None:
            return pb2.MetarResponse(absence=pb2.NO_REPORT)
        return pb2.MetarResponse(report=report)

    async def _decoded(self, request: pb2.StationRequest) -> pb2.DecodedResponse:
        try:
            weather = await future(
                self._weather.weather(request.station, _place_of(request))
            )
        except NoWeatherSource:
            return pb2.DecodedResponse(absence=pb2.NO_SOURCE)
        if weather is None:
            return pb2.DecodedResponse(absence=pb2.NO_REPORT)
        return pb2.DecodedResponse(observation=message_of_weather(weather))


async def metar(
    client: XClient, station: str, near: Position | None, who: str, timeout: Seconds
) -> str | None:
    """Ask another process for a station's report; see `IWeather.metar`.

    Args:
        client: of `WEATHER`.
        station: as typed.
        near: where the one who asks is.
        who: his CID, if it is known; it does not go along.
        timeout: for the answer.

    Raises:
        NoWeatherSource: as in one process.
        RpcError: nobody has answered.
        Unreadable: the answer is none.
    """
    request = _request(station, near)
    answer = await client.call(
        METAR, request, timeout=timeout, key=request.station, who=who
    )
    if answer.WhichOneof("outcome") == "report":
        return answer.report
    _check_absence(answer)
    return None


async def decoded(
    client: XClient, station: str, near: Position | None, who: str, timeout: Seconds
) -> Weather | None:
    """Ask another process for a station's weather; see `metar`."""
    request = _request(station, near)
    answer = await client.call(
        _DECODED, request, timeout=timeout, key=request.station, who=who
    )
    if answer.WhichOneof("outcome") == "observation":
        return weather_of(answer.observation)
    _check_absence(answer)
    return None


def _request(station: str, near: Position | None) -> pb2.StationRequest:
    return pb2.StationRequest(
        station=station[:LONGEST_STATION],
        near=None if near is None else message_of_place(near),
    )


def _place_of(request: pb2.StationRequest) -> Position | None:
    return place_of(request.near) if request.HasField("near") else None


def _check_absence(answer: pb2.MetarResponse | pb2.DecodedResponse) -> None:
    if answer.WhichOneof("outcome") is None:
        raise Unreadable("an answer without an outcome")
    if answer.absence == pb2.NO_SOURCE:
        raise NoWeatherSource
