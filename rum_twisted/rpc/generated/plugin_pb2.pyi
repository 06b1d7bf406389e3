from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Hook(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HOOK_UNSPECIFIED: _ClassVar[Hook]
    CONNECTED: _ClassVar[Hook]
    LOGGING_ON: _ClassVar[Hook]
    LOGGED_ON: _ClassVar[Hook]
    LINE: _ClassVar[Hook]
    POSITION: _ClassVar[Hook]
    TEXT: _ClassVar[Hook]
    COMMAND: _ClassVar[Hook]
    PLAN: _ClassVar[Hook]
    GONE: _ClassVar[Hook]
    SERVICE: _ClassVar[Hook]

class ClientKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLIENT_KIND_UNSPECIFIED: _ClassVar[ClientKind]
    PILOT: _ClassVar[ClientKind]
    CONTROLLER: _ClassVar[ClientKind]
HOOK_UNSPECIFIED: Hook
CONNECTED: Hook
LOGGING_ON: Hook
LOGGED_ON: Hook
LINE: Hook
POSITION: Hook
TEXT: Hook
COMMAND: Hook
PLAN: Hook
GONE: Hook
SERVICE: Hook
CLIENT_KIND_UNSPECIFIED: ClientKind
PILOT: ClientKind
CONTROLLER: ClientKind

class PluginMessage(_message.Message):
    __slots__ = ("hello", "verdicts", "acts")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    ACTS_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    verdicts: _containers.RepeatedCompositeFieldContainer[Verdict]
    acts: _containers.RepeatedCompositeFieldContainer[Act]
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., verdicts: _Optional[_Iterable[_Union[Verdict, _Mapping]]] = ..., acts: _Optional[_Iterable[_Union[Act, _Mapping]]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("name", "hooks", "commands", "prefixes", "options", "budget")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HOOKS_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    PREFIXES_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    BUDGET_FIELD_NUMBER: _ClassVar[int]
    name: str
    hooks: _containers.RepeatedScalarFieldContainer[Hook]
    commands: _containers.RepeatedScalarFieldContainer[str]
    prefixes: _containers.RepeatedScalarFieldContainer[str]
    options: _containers.RepeatedCompositeFieldContainer[Option]
    budget: float
    def __init__(self, name: _Optional[str] = ..., hooks: _Optional[_Iterable[_Union[Hook, str]]] = ..., commands: _Optional[_Iterable[str]] = ..., prefixes: _Optional[_Iterable[str]] = ..., options: _Optional[_Iterable[_Union[Option, _Mapping]]] = ..., budget: _Optional[float] = ...) -> None: ...

class Option(_message.Message):
    __slots__ = ("name", "default", "about", "least", "most", "is_required", "is_secret")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    LEAST_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    IS_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    IS_SECRET_FIELD_NUMBER: _ClassVar[int]
    name: str
    default: OptionValue
    about: str
    least: float
    most: float
    is_required: bool
    is_secret: bool
    def __init__(self, name: _Optional[str] = ..., default: _Optional[_Union[OptionValue, _Mapping]] = ..., about: _Optional[str] = ..., least: _Optional[float] = ..., most: _Optional[float] = ..., is_required: _Optional[bool] = ..., is_secret: _Optional[bool] = ...) -> None: ...

class OptionValue(_message.Message):
    __slots__ = ("switch", "integer", "number", "text", "texts")
    SWITCH_FIELD_NUMBER: _ClassVar[int]
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    switch: bool
    integer: int
    number: float
    text: str
    texts: Texts
    def __init__(self, switch: _Optional[bool] = ..., integer: _Optional[int] = ..., number: _Optional[float] = ..., text: _Optional[str] = ..., texts: _Optional[_Union[Texts, _Mapping]] = ...) -> None: ...

class Texts(_message.Message):
    __slots__ = ("texts",)
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    texts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, texts: _Optional[_Iterable[str]] = ...) -> None: ...

class HostMessage(_message.Message):
    __slots__ = ("welcome", "events", "metars")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    METARS_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    events: _containers.RepeatedCompositeFieldContainer[Event]
    metars: _containers.RepeatedCompositeFieldContainer[Metar]
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., metars: _Optional[_Iterable[_Union[Metar, _Mapping]]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("settings", "online")
    class SettingsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: OptionValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[OptionValue, _Mapping]] = ...) -> None: ...
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    settings: _containers.MessageMap[str, OptionValue]
    online: _containers.RepeatedCompositeFieldContainer[LoggedOn]
    def __init__(self, settings: _Optional[_Mapping[str, OptionValue]] = ..., online: _Optional[_Iterable[_Union[LoggedOn, _Mapping]]] = ...) -> None: ...

class ServerMessage(_message.Message):
    __slots__ = ("server", "events", "metars", "leaves")
    SERVER_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    METARS_FIELD_NUMBER: _ClassVar[int]
    LEAVES_FIELD_NUMBER: _ClassVar[int]
    server: str
    events: _containers.RepeatedCompositeFieldContainer[Event]
    metars: _containers.RepeatedCompositeFieldContainer[Metar]
    leaves: bool
    def __init__(self, server: _Optional[str] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., metars: _Optional[_Iterable[_Union[Metar, _Mapping]]] = ..., leaves: _Optional[bool] = ...) -> None: ...

class RoleMessage(_message.Message):
    __slots__ = ("subscription", "verdicts", "acts")
    SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    VERDICTS_FIELD_NUMBER: _ClassVar[int]
    ACTS_FIELD_NUMBER: _ClassVar[int]
    subscription: Subscription
    verdicts: _containers.RepeatedCompositeFieldContainer[Verdict]
    acts: _containers.RepeatedCompositeFieldContainer[Act]
    def __init__(self, subscription: _Optional[_Union[Subscription, _Mapping]] = ..., verdicts: _Optional[_Iterable[_Union[Verdict, _Mapping]]] = ..., acts: _Optional[_Iterable[_Union[Act, _Mapping]]] = ...) -> None: ...

class Subscription(_message.Message):
    __slots__ = ("hooks", "prefixes", "commands")
    HOOKS_FIELD_NUMBER: _ClassVar[int]
    PREFIXES_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    hooks: _containers.RepeatedScalarFieldContainer[Hook]
    prefixes: _containers.RepeatedScalarFieldContainer[str]
    commands: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, hooks: _Optional[_Iterable[_Union[Hook, str]]] = ..., prefixes: _Optional[_Iterable[str]] = ..., commands: _Optional[_Iterable[str]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("question", "connected", "logging_on", "logged_on", "line", "position", "text", "command", "plan", "gone", "service")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    LOGGING_ON_FIELD_NUMBER: _ClassVar[int]
    LOGGED_ON_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    question: int
    connected: Connected
    logging_on: LoggingOn
    logged_on: LoggedOn
    line: Line
    position: PositionSample
    text: Text
    command: Command
    plan: PlanFiled
    gone: Gone
    service: Service
    def __init__(self, question: _Optional[int] = ..., connected: _Optional[_Union[Connected, _Mapping]] = ..., logging_on: _Optional[_Union[LoggingOn, _Mapping]] = ..., logged_on: _Optional[_Union[LoggedOn, _Mapping]] = ..., line: _Optional[_Union[Line, _Mapping]] = ..., position: _Optional[_Union[PositionSample, _Mapping]] = ..., text: _Optional[_Union[Text, _Mapping]] = ..., command: _Optional[_Union[Command, _Mapping]] = ..., plan: _Optional[_Union[PlanFiled, _Mapping]] = ..., gone: _Optional[_Union[Gone, _Mapping]] = ..., service: _Optional[_Union[Service, _Mapping]] = ...) -> None: ...

class Connected(_message.Message):
    __slots__ = ("address",)
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    address: str
    def __init__(self, address: _Optional[str] = ...) -> None: ...

class LoggingOn(_message.Message):
    __slots__ = ("callsign", "cid", "kind", "rating", "real_name", "address")
    CALLSIGN_FIELD_NUMBER: _ClassVar[int]
    CID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    REAL_NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    callsign: str
    cid: str
    kind: ClientKind
    rating: int
    real_name: str
    address: str
    def __init__(self, callsign: _Optional[str] = ..., cid: _Optional[str] = ..., kind: _Optional[_Union[ClientKind, str]] = ..., rating: _Optional[int] = ..., real_name: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class LoggedOn(_message.Message):
    __slots__ = ("callsign", "cid", "kind", "rating", "real_name", "address", "is_new")
    CALLSIGN_FIELD_NUMBER: _ClassVar[int]
    CID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    REAL_NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    IS_NEW_FIELD_NUMBER: _ClassVar[int]
    callsign: str
    cid: str
    kind: ClientKind
    rating: int
    real_name: str
    address: str
    is_new: bool
    def __init__(self, callsign: _Optional[str] = ..., cid: _Optional[str] = ..., kind: _Optional[_Union[ClientKind, str]] = ..., rating: _Optional[int] = ..., real_name: _Optional[str] = ..., address: _Optional[str] = ..., is_new: _Optional[bool] = ...) -> None: ...

class Line(_message.Message):
    __slots__ = ("callsign", "line")
    CALLSIGN_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    callsign: str
    line: str
    def __init__(self, callsign: _Optional[str] = ..., line: _Optional[str] = ...) -> None: ...

class PositionSample(_message.Message):
    __slots__ = ("callsign", "latitude", "longitude", "altitude", "groundspeed", "squawk")
    CALLSIGN_FIELD_NUMBER: _ClassVar[int]
    LATITUDE_FIELD_NUMBER: _ClassVar[int]
    LONGITUDE_FIELD_NUMBER: _ClassVar[int]
    ALTITUDE_FIELD_NUMBER: _ClassVar[int]
    GROUNDSPEED_FIELD_NUMBER: _ClassVar[int]
    SQUAWK_FIELD_NUMBER: _ClassVar[int]
    callsign: str
    latitude: float
    longitude: float
    altitude: int
    groundspeed: int
    squawk: int
    def __init__(self, callsign: _Optional[str] = ..., latitude: _Optional[float] = ..., longitude: _Optional[float] = ..., altitude: _Optional[int] = ..., groundspeed: _Optional[int] = ..., squawk: _Optional[int] = ...) -> None: ...

class Text(_message.Message):
    __slots__ = ("callsign", "destination", "text")
    CALLSIGN_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    callsign: str
    destination: str
    text: str
    def __init__(self, callsign: _Optional[str] = ..., destination: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Command(_message.Message):
    __slots__ = ("callsign", "word", "rest")
    CALLSIGN_FIELD_NUMBER: _ClassVar[int]
    WORD_FIELD_NUMBER: _ClassVar[int]
    REST_FIELD_NUMBER: _ClassVar[int]
    callsign: str
    word: str
    rest: str
    def __init__(self, callsign: _Optional[str] = ..., word: _Optional[str] = ..., rest: _Optional[str] = ...) -> None: ...

class PlanFiled(_message.Message):
    __slots__ = ("callsign", "revision", "rules", "aircraft", "true_airspeed", "departure", "departure_time", "cruise_altitude", "destination", "alternate", "remarks", "route")
    CALLSIGN_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    AIRCRAFT_FIELD_NUMBER: _ClassVar[int]
    TRUE_AIRSPEED_FIELD_NUMBER: _ClassVar[int]
    DEPARTURE_FIELD_NUMBER: _ClassVar[int]
    DEPARTURE_TIME_FIELD_NUMBER: _ClassVar[int]
    CRUISE_ALTITUDE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    ALTERNATE_FIELD_NUMBER: _ClassVar[int]
    REMARKS_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    callsign: str
    revision: int
    rules: str
    aircraft: str
    true_airspeed: int
    departure: str
    departure_time: int
    cruise_altitude: str
    destination: str
    alternate: str
    remarks: str
    route: str
    def __init__(self, callsign: _Optional[str] = ..., revision: _Optional[int] = ..., rules: _Optional[str] = ..., aircraft: _Optional[str] = ..., true_airspeed: _Optional[int] = ..., departure: _Optional[str] = ..., departure_time: _Optional[int] = ..., cruise_altitude: _Optional[str] = ..., destination: _Optional[str] = ..., alternate: _Optional[str] = ..., remarks: _Optional[str] = ..., route: _Optional[str] = ...) -> None: ...

class Gone(_message.Message):
    __slots__ = ("callsign",)
    CALLSIGN_FIELD_NUMBER: _ClassVar[int]
    callsign: str
    def __init__(self, callsign: _Optional[str] = ...) -> None: ...

class Service(_message.Message):
    __slots__ = ("server", "is_there")
    SERVER_FIELD_NUMBER: _ClassVar[int]
    IS_THERE_FIELD_NUMBER: _ClassVar[int]
    server: str
    is_there: bool
    def __init__(self, server: _Optional[str] = ..., is_there: _Optional[bool] = ...) -> None: ...

class Verdict(_message.Message):
    __slots__ = ("question", "stops", "text", "failed")
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    STOPS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    question: int
    stops: bool
    text: str
    failed: bool
    def __init__(self, question: _Optional[int] = ..., stops: _Optional[bool] = ..., text: _Optional[str] = ..., failed: _Optional[bool] = ...) -> None: ...

class Act(_message.Message):
    __slots__ = ("tell", "kick", "find_metar")
    TELL_FIELD_NUMBER: _ClassVar[int]
    KICK_FIELD_NUMBER: _ClassVar[int]
    FIND_METAR_FIELD_NUMBER: _ClassVar[int]
    tell: Tell
    kick: Kick
    find_metar: FindMetar
    def __init__(self, tell: _Optional[_Union[Tell, _Mapping]] = ..., kick: _Optional[_Union[Kick, _Mapping]] = ..., find_metar: _Optional[_Union[FindMetar, _Mapping]] = ...) -> None: ...

class Tell(_message.Message):
    __slots__ = ("callsign", "text")
    CALLSIGN_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    callsign: str
    text: str
    def __init__(self, callsign: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Kick(_message.Message):
    __slots__ = ("callsign", "reason", "plugin")
    CALLSIGN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PLUGIN_FIELD_NUMBER: _ClassVar[int]
    callsign: str
    reason: str
    plugin: str
    def __init__(self, callsign: _Optional[str] = ..., reason: _Optional[str] = ..., plugin: _Optional[str] = ...) -> None: ...

class FindMetar(_message.Message):
    __slots__ = ("number", "station")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    STATION_FIELD_NUMBER: _ClassVar[int]
    number: int
    station: str
    def __init__(self, number: _Optional[int] = ..., station: _Optional[str] = ...) -> None: ...

class Metar(_message.Message):
    __slots__ = ("number", "report")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    number: int
    report: str
    def __init__(self, number: _Optional[int] = ..., report: _Optional[str] = ...) -> None: ...
