"""The one table of packets: prefix, message class, and its fields in order.

Reader and writer come from the same row, so they cannot disagree. A row says who
may send the packet: a client, the server, or both with the same shape. Where the
two directions differ (``#AP`` is a logon one way and an announcement the other),
there are two rows.

Source: docs/protocol.md, "Packets".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from typing_extensions import override

from rum_twisted.wire.fields import (
    read_coordinate,
    read_integer,
    read_unsigned,
    write_coordinate,
)
from rum_twisted.wire.messages import (
    clientdata,
    control,
    flightplan,
    handoff,
    logon,
    position,
    query,
    text,
    weather,
)

__all__ = ["FROM_CLIENT", "FROM_SERVER", "Field", "Packet"]


@dataclass(frozen=True, slots=True)
class FieldKind:
    """How a field is read and written; `spread` ones take all fields that follow."""

    read: Callable[[str], Any] = str
    write: Callable[[Any], str] = str
    spread: bool = False


TEXT: Final = FieldKind()
REST: Final = FieldKind(spread=True)
INTEGER: Final = FieldKind(read_integer)
UNSIGNED: Final = FieldKind(read_unsigned)
COORDINATE: Final = FieldKind(read_coordinate, write_coordinate)
LETTER: Final = FieldKind(lambda field: field[:1])
CODE: Final = FieldKind(read_integer, "{:03d}".format)
MILES: Final = FieldKind(float, "{:.2f}".format)
NUMBERS: Final = FieldKind(  # several fields; only ever sent
    write=lambda numbers: ":".join(map(str, numbers))
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a packet: the attribute of the message, and its kind."""

    name: str
    kind: FieldKind = TEXT


class Packet:
    """One row of the table.

    Args:
        prefix: with which the line begins.
        message: the class of its decoded form; ``None``: the packet is known, but
            no client may send it.
        fields: in the order of the line.
        minimum: how many fields a client must send; what is missing beyond it
            reads as empty.
    """

    __slots__ = (
        "_names",
        "_readers",
        "_values",
        "_writers",
        "fields",
        "message",
        "minimum",
        "prefix",
    )

    def __init__(
        self,
        prefix: str,
        message: type[Any] | None = None,
        fields: tuple[Field, ...] = (),
        minimum: int = 0,
    ) -> None:
        self.prefix = prefix
        self.message = message
        self.fields = fields
        self.minimum = minimum
        # Position reports go through here thousands of times a second.
        self._names = tuple(field.name for field in fields)
        self._readers = tuple(field.kind.read for field in fields)
        self._writers = tuple(field.kind.write for field in fields)
        self._values = attrgetter(*self._names) if fields else None

    @override
    def __repr__(self) -> str:
        """Tell the prefix."""
        return f"<Packet {self.prefix}>"

    def read(self, texts: list[str]) -> Any:
        """Return the message that the fields of a line make.

        Args:
            texts: at least `minimum` fields.
        """
        assert self.message is not None, "only what clients may send is read"
        last = len(self.fields) - 1
        if self.fields[last].kind.spread:
            texts[last:] = [":".join(texts[last:])]
        values = [read(text) for read, text in zip(self._readers, texts, strict=False)]
        return self.message(**dict(zip(self._names, values, strict=False)))

    def write(self, message: Any) -> str:
        """Return the line that tells ``message``, without its end."""
        assert self._values is not None, "only packets with fields are written"
        values = self._values(message)
        if len(self.fields) == 1:
            values = (values,)
        writers = self._writers
        texts = [write(value) for write, value in zip(writers, values, strict=True)]
        return self.prefix + ":".join(texts)


def _addressed(
    prefix: str, message: type[Any], *fields: Field, minimum: int | None = None
) -> Packet:
    """Make a row whose packet begins with source and destination."""
    row = (Field("source"), Field("destination"), *fields)
    return Packet(prefix, message, row, len(row) if minimum is None else minimum)


def _rest(name: str) -> Field:
    return Field(name, REST)


_LOGOFF: Final = (Field("callsign"),)
_DEPARTURE: Final = (Field("callsign"), Field("cid"))
_PLACE: Final = (Field("latitude", COORDINATE), Field("longitude", COORDINATE))

_PILOT_POSITION: Final = Packet(
    "@",
    position.PilotPosition,
    (
        Field("transponder_mode"),
        Field("callsign"),
        Field("squawk", INTEGER),
        Field("rating", INTEGER),
        *_PLACE,
        Field("altitude", INTEGER),
        Field("groundspeed", INTEGER),
        Field("attitude", UNSIGNED),
        Field("flags", INTEGER),
    ),
    minimum=10,
)
_CONTROLLER_POSITION: Final = Packet(
    "%",
    position.ControllerPosition,
    (
        Field("callsign"),
        Field("frequency", INTEGER),
        Field("facility", INTEGER),
        Field("visual_range", INTEGER),
        Field("rating", INTEGER),
        *_PLACE,
        Field("altitude", INTEGER),
    ),
    minimum=8,
)
_FLIGHT_PLAN: Final = Packet(
    "$FP",
    flightplan.FlightPlanMessage,
    (
        Field("callsign"),
        Field("destination"),
        Field("rules", LETTER),
        Field("aircraft"),
        Field("true_airspeed", INTEGER),
        Field("departure"),
        Field("departure_time", INTEGER),
        Field("actual_departure_time", INTEGER),
        Field("cruise_altitude"),
        Field("destination_airport"),
        Field("hours_enroute", INTEGER),
        Field("minutes_enroute", INTEGER),
        Field("hours_fuel", INTEGER),
        Field("minutes_fuel", INTEGER),
        Field("alternate"),
        Field("remarks"),
        Field("route"),
    ),
    minimum=17,
)

# What both clients and the server may send, in one and the same shape.
_EITHER_WAY: Final = (
    _PILOT_POSITION,
    _CONTROLLER_POSITION,
    _FLIGHT_PLAN,
    _addressed("#TM", text.TextMessage, _rest("text")),
    _addressed("$PI", control.Ping, _rest("data"), minimum=2),
    _addressed("$PO", control.Pong, _rest("data"), minimum=2),
    _addressed("$CQ", query.ClientQuery, _rest("query")),
    _addressed("$CR", query.ClientResponse, _rest("response"), minimum=4),
    _addressed("$HO", handoff.HandoffOffer, _rest("aircraft")),
    _addressed("$HA", handoff.HandoffAccept, _rest("aircraft")),
    _addressed("#SB", clientdata.PilotData, _rest("data"), minimum=2),
    _addressed("#PC", clientdata.ControllerData, _rest("data"), minimum=2),
    _addressed("$C?", query.FrequencyRequest, _rest("rest"), minimum=2),
    _addressed("$CI", query.FrequencyAnswer, _rest("frequency")),
    _addressed("$!!", control.Kill, Field("reason")),
)

_CLIENT_ONLY: Final = (
    Packet(
        "#AA",
        logon.ControllerLogon,
        (
            Field("callsign"),
            Field("destination"),
            Field("real_name"),
            Field("cid"),
            Field("password"),
            Field("rating"),
            Field("protocol_revision"),
        ),
        minimum=7,
    ),
    Packet(
        "#AP",
        logon.PilotLogon,
        (
            Field("callsign"),
            Field("destination"),
            Field("cid"),
            Field("password"),
            Field("rating"),
            Field("protocol_revision"),
            Field("simulator", INTEGER),
            Field("real_name"),
        ),
        minimum=8,
    ),
    Packet("#DA", logon.ControllerLogoff, _LOGOFF, minimum=1),
    Packet("#DP", logon.PilotLogoff, _LOGOFF, minimum=1),
    _addressed("$AX", weather.MetarRequest, _rest("request")),
    _addressed("#WX", weather.WeatherRequest, Field("station")),
    *(Packet(prefix) for prefix in ("#RW", "#TD", "#WD", "#CD", "$AR", "$ER", "#DL")),
)

_SERVER_ONLY: Final = (
    Packet(
        "#AA",
        logon.ControllerAnnouncement,
        (
            Field("callsign"),
            Field("destination"),
            Field("real_name"),
            Field("cid"),
            Field("password"),
            Field("rating", INTEGER),
            Field("protocol_revision"),
        ),
    ),
    Packet(
        "#AP",
        logon.PilotAnnouncement,
        (
            Field("callsign"),
            Field("destination"),
            Field("cid"),
            Field("password"),
            Field("rating", INTEGER),
            Field("protocol_revision"),
            Field("simulator", INTEGER),
            Field("real_name"),
        ),
    ),
    Packet("#DA", logon.ControllerDeparture, _DEPARTURE),
    Packet("#DP", logon.PilotDeparture, _DEPARTURE),
    _addressed("$AR", weather.MetarAnswer, Field("report_kind"), _rest("report")),
    _addressed(
        "#TD",
        weather.TemperatureData,
        Field("layers", NUMBERS),
        Field("pressure", INTEGER),
    ),
    _addressed("#WD", weather.WindData, Field("layers", NUMBERS)),
    _addressed(
        "#CD",
        weather.CloudData,
        Field("layers", NUMBERS),
        Field("visibility", MILES),
    ),
    _addressed(
        "#DL", weather.WindDelta, Field("speed", INTEGER), Field("direction", INTEGER)
    ),
    _addressed(
        "$ER",
        control.ErrorMessage,
        Field("code", CODE),
        Field("parameter"),
        Field("text"),
    ),
)

FROM_CLIENT: Final[Mapping[str, Packet]] = {
    packet.prefix: packet for packet in (*_CLIENT_ONLY, *_EITHER_WAY)
}
"""What a client may send, by prefix."""

FROM_SERVER: Final[Mapping[type[Any], Packet]] = {
    packet.message: packet
    for packet in (*_SERVER_ONLY, *_EITHER_WAY)
    if packet.message is not None
}
"""What the server sends, by message class."""
