"""Weather: reports, and the layers around a station."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from rum_twisted.session.asker import asked_by
from rum_twisted.session.errors import NoSuchWeather
from rum_twisted.session.interfaces import NoWeatherSource
from rum_twisted.session.replies import SERVER
from rum_twisted.session.session import Session
from rum_twisted.terms.identity import fold
from rum_twisted.wire.messages.weather import (
    CloudData,
    MetarAnswer,
    MetarRequest,
    TemperatureData,
    WeatherRequest,
    WindData,
)
from rum_twisted.world.client import Client
from rum_twisted.world.weather import UpperAir, Weather, with_upper_air

__all__ = ["report", "weather"]

_METAR: Final = "METAR"
_UNSERVED: Final = object()  # the network has no weather; nothing is answered


def report(session: Session, message: MetarRequest) -> None:
    """Answer with a station's report, or error 009, once it is known.

    Nothing but METARs is answered, and nothing without the field of a station. An
    empty one asks for the nearest airport's report.
    """
    client = session.identify(message.source)
    station = message.station
    if fold(message.report_kind) == fold(_METAR) and station is not None:
        found = partial(_send_report, session, client)
        with asked_by(client.cid):
            looked_up = session.network.weather.metar(station, client.position)
        _await(session, station, looked_up, found)


def weather(session: Session, message: WeatherRequest) -> None:
    """Answer with the layers around a station, or error 009, once they are known."""
    client = session.identify(message.source)
    found = partial(_send_layers, session, client)
    with asked_by(client.cid):
        looked_up = session.network.weather.weather(message.station, client.position)
    _await(session, message.station, looked_up, found)


def _await(
    session: Session, station: str, looked_up: Deferred[Any], found: Callable[..., None]
) -> None:
    """Hand what was looked up to ``found``, or tell the client that there is none."""

    def stay_silent(failure: Failure) -> object:
        failure.trap(NoWeatherSource)
        return _UNSERVED

    def show(result: Any) -> None:
        if result is None:
            session.refuse(NoSuchWeather(station))
        elif result is not _UNSERVED:
            found(result)

    session.await_answer(looked_up.addErrback(stay_silent), show)


def _send_report(session: Session, client: Client, text: str) -> None:
    session.answer(MetarAnswer(SERVER, client.callsign, _METAR, text))


def _send_layers(session: Session, client: Client, surface: Weather) -> None:
    air = UpperAir.at(session.network.now())
    full = with_upper_air(surface, client.position, air)
    receiver = client.callsign
    temperatures = _flat(
        (layer.ceiling, layer.temperature) for layer in full.temperatures
    )
    winds = _flat(
        (
            layer.ceiling,
            layer.floor,
            layer.direction,
            layer.speed,
            int(layer.gusting),
            layer.turbulence,
        )
        for layer in full.winds
    )
    clouds = _flat(
        (
            layer.ceiling,
            layer.floor,
            layer.coverage,
            int(layer.icing),
            layer.turbulence,
        )
        for layer in (*full.clouds, full.thunderstorm)
    )
    session.answer(TemperatureData(SERVER, receiver, temperatures, full.pressure))
    session.answer(WindData(SERVER, receiver, winds))
    session.answer(CloudData(SERVER, receiver, clouds, full.visibility))


def _flat(layers: Iterable[Sequence[int]]) -> tuple[int, ...]:
    return tuple(chain.from_iterable(layers))
