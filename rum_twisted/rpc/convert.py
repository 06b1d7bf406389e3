"""Messages of the contracts, made from our own values and read back into them.

Nothing outside this module sees a protobuf object. What comes from another process
is checked as any input: `Unreadable` tells what was wrong with it.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from rum_twisted.rpc.generated import passport_pb2, weather_pb2
from rum_twisted.session.interfaces import Account, StaffAct
from rum_twisted.terms.identity import (
    Callsign,
    ClientKind,
    InvalidCallsign,
    Rating,
)
from rum_twisted.terms.permissions import Permission
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Degrees, Feet, Knots, Seconds
from rum_twisted.world.client import Client
from rum_twisted.world.weather import (
    AltimeterSetting,
    Celsius,
    CloudLayer,
    StatuteMiles,
    TemperatureLayer,
    TrueDegrees,
    Weather,
    WindLayer,
)

__all__ = [
    "Came",
    "Entry",
    "Left",
    "Unreadable",
    "account_of",
    "entry_of",
    "message_of_account",
    "message_of_entry",
    "message_of_place",
    "message_of_weather",
    "place_of",
    "weather_of",
]

_PERMISSIONS: Final = {permission.value: permission for permission in Permission}
_KINDS: Final = {
    ClientKind.PILOT: passport_pb2.Visitor.PILOT,
    ClientKind.CONTROLLER: passport_pb2.Visitor.CONTROLLER,
}
_KINDS_BACK: Final = {number: kind for kind, number in _KINDS.items()}


class Unreadable(Exception):
    """Another process sent what no contract allows; the text says what was due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """Somebody came online."""

    visit: int  # a number, unique among those of its writer
    client: Client
    address: str  # the network address he comes from
    at: Seconds  # since the Unix epoch, UTC


@dataclass(frozen=True, slots=True)
class Left:
    """A visit has ended."""

    visit: int


Entry: TypeAlias = Came | Left | StaffAct


def message_of_account(account: Account) -> passport_pb2.Account:
    """Write an account."""
    return passport_pb2.Account(
        cid=account.cid,
        rating=account.rating.value,
        permissions=sorted(each.value for each in account.permissions),
        notice=account.notice,
    )


def account_of(message: passport_pb2.Account) -> Account:
    """Read an account; a permission that is not known here permits nothing."""
    return Account(
        message.cid,
        _rating_of(message.rating),
        frozenset(
            _PERMISSIONS[word] for word in message.permissions if word in _PERMISSIONS
        ),
        message.notice,
    )


def message_of_entry(entry: Entry) -> passport_pb2.Entry:
    """Write what goes into a logbook."""
    match entry:
        case Came():
            return passport_pb2.Entry(logged_on=_message_of_coming(entry))
        case Left():
            return passport_pb2.Entry(logged_off=entry.visit)
        case StaffAct():
            return passport_pb2.Entry(acted=_message_of_act(entry))
    assert_never(entry)


def entry_of(message: passport_pb2.Entry) -> Entry:
    """Read what goes into a logbook."""
    match message.WhichOneof("what"):
        case "logged_on":
            return _coming_of(message.logged_on)
        case "logged_off":
            return Left(message.logged_off)
        case "acted":
            return _act_of(message.acted)
    raise Unreadable("an entry without content")


def _message_of_coming(came: Came) -> passport_pb2.Visitor:
    client = came.client
    return passport_pb2.Visitor(
        number=came.visit,
        callsign=str(client.callsign),
        cid=client.cid,
        kind=_KINDS[client.kind],
        rating=client.rating.value,
        real_name=client.real_name,
        protocol_revision=client.protocol_revision,
        simulator=client.simulator,
        logged_on_at=came.at,
        address=came.address,
    )


def _coming_of(message: passport_pb2.Visitor) -> Came:
    kind = _KINDS_BACK.get(message.kind)
    if kind is None:
        raise Unreadable(f"kind {message.kind}: due is a pilot or a controller")
    try:
        callsign = Callsign(message.callsign)
    except InvalidCallsign as error:
        raise Unreadable(f"callsign {message.callsign!r}: due is one") from error
    client = Client(
        callsign=callsign,
        cid=message.cid,
        kind=kind,
        rating=_rating_of(message.rating),
        real_name=message.real_name,
        protocol_revision=message.protocol_revision,
        simulator=message.simulator,
        logged_on_at=Seconds(message.logged_on_at),
    )
    return Came(
        visit=message.number,
        client=client,
        address=message.address,
        at=client.logged_on_at,
    )


def _message_of_act(act: StaffAct) -> passport_pb2.StaffAct:
    return passport_pb2.StaffAct(
        who_cid=act.who_cid,
        who_callsign=act.who_callsign,
        act=act.act,
        whom=act.whom,
        detail=act.detail,
        where=act.where,
    )


def _act_of(message: passport_pb2.StaffAct) -> StaffAct:
    return StaffAct(
        who_cid=message.who_cid,
        who_callsign=message.who_callsign,
        act=message.act,
        whom=message.whom,
        detail=message.detail,
        where=message.where,
    )


def message_of_place(place: Position) -> weather_pb2.Place:
    """Write a position."""
    return weather_pb2.Place(latitude=place.latitude, longitude=place.longitude)


def place_of(message: weather_pb2.Place) -> Position:
    """Read a position."""
    return Position(Degrees(message.latitude), Degrees(message.longitude))


def message_of_weather(weather: Weather) -> weather_pb2.Observation:
    """Write decoded weather."""
    return weather_pb2.Observation(
        winds=[
            weather_pb2.WindLayer(
                ceiling=wind.ceiling,
                floor=wind.floor,
                direction=wind.direction,
                speed=wind.speed,
                gusting=wind.gusting,
                turbulence=wind.turbulence,
            )
            for wind in weather.winds
        ],
        clouds=[_message_of_cloud(cloud) for cloud in weather.clouds],
        thunderstorm=_message_of_cloud(weather.thunderstorm),
        temperatures=[
            weather_pb2.TemperatureLayer(
                ceiling=layer.ceiling, temperature=layer.temperature
            )
            for layer in weather.temperatures
        ],
        pressure=weather.pressure,
        visibility=weather.visibility,
    )


def weather_of(message: weather_pb2.Observation) -> Weather:
    """Read decoded weather."""
    winds = [
        WindLayer(
            ceiling=Feet(wind.ceiling),
            floor=Feet(wind.floor),
            direction=TrueDegrees(wind.direction),
            speed=Knots(wind.speed),
            gusting=wind.gusting,
            turbulence=wind.turbulence,
        )
        for wind in message.winds
    ]
    clouds = [_cloud_of(cloud) for cloud in message.clouds]
    temperatures = [
        TemperatureLayer(
            ceiling=Feet(layer.ceiling), temperature=Celsius(layer.temperature)
        )
        for layer in message.temperatures
    ]
    match winds, clouds, temperatures:
        case [w1, w2, w3, w4], [c1, c2], [t1, t2, t3, t4]:
            return Weather(
                winds=(w1, w2, w3, w4),
                clouds=(c1, c2),
                thunderstorm=_cloud_of(message.thunderstorm),
                temperatures=(t1, t2, t3, t4),
                pressure=AltimeterSetting(message.pressure),
                visibility=StatuteMiles(message.visibility),
            )
    raise Unreadable(
        f"{len(winds)} wind, {len(clouds)} cloud and {len(temperatures)} temperature "
        "layers: due are 4, 2 and 4"
    )


def _rating_of(number: int) -> Rating:
    try:
        return Rating(number)
    except ValueError as error:
        raise Unreadable(f"rating {number}: due is 0 to 12") from error


def _message_of_cloud(cloud: CloudLayer) -> weather_pb2.CloudLayer:
    return weather_pb2.CloudLayer(
        ceiling=cloud.ceiling,
        floor=cloud.floor,
        coverage=cloud.coverage,
        icing=cloud.icing,
        turbulence=cloud.turbulence,
    )


def _cloud_of(message: weather_pb2.CloudLayer) -> CloudLayer:
    return CloudLayer(
        ceiling=Feet(message.ceiling),
        floor=Feet(message.floor),
        coverage=message.coverage,
        icing=message.icing,
        turbulence=message.turbulence,
    )
