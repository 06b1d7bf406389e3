from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Absence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ABSENCE_UNSPECIFIED: _ClassVar[Absence]
    NO_REPORT: _ClassVar[Absence]
    NO_SOURCE: _ClassVar[Absence]
ABSENCE_UNSPECIFIED: Absence
NO_REPORT: Absence
NO_SOURCE: Absence

class StationRequest(_message.Message):
    __slots__ = ("station", "near")
    STATION_FIELD_NUMBER: _ClassVar[int]
    NEAR_FIELD_NUMBER: _ClassVar[int]
    station: str
    near: Place
    def __init__(self, station: _Optional[str] = ..., near: _Optional[_Union[Place, _Mapping]] = ...) -> None: ...

class Place(_message.Message):
    __slots__ = ("latitude", "longitude")
    LATITUDE_FIELD_NUMBER: _ClassVar[int]
    LONGITUDE_FIELD_NUMBER: _ClassVar[int]
    latitude: float
    longitude: float
    def __init__(self, latitude: _Optional[float] = ..., longitude: _Optional[float] = ...) -> None: ...

class MetarResponse(_message.Message):
    __slots__ = ("report", "absence")
    REPORT_FIELD_NUMBER: _ClassVar[int]
    ABSENCE_FIELD_NUMBER: _ClassVar[int]
    report: str
    absence: Absence
    def __init__(self, report: _Optional[str] = ..., absence: _Optional[_Union[Absence, str]] = ...) -> None: ...

class DecodedResponse(_message.Message):
    __slots__ = ("observation", "absence")
    OBSERVATION_FIELD_NUMBER: _ClassVar[int]
    ABSENCE_FIELD_NUMBER: _ClassVar[int]
    observation: Observation
    absence: Absence
    def __init__(self, observation: _Optional[_Union[Observation, _Mapping]] = ..., absence: _Optional[_Union[Absence, str]] = ...) -> None: ...

class Observation(_message.Message):
    __slots__ = ("winds", "clouds", "thunderstorm", "temperatures", "pressure", "visibility")
    WINDS_FIELD_NUMBER: _ClassVar[int]
    CLOUDS_FIELD_NUMBER: _ClassVar[int]
    THUNDERSTORM_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURES_FIELD_NUMBER: _ClassVar[int]
    PRESSURE_FIELD_NUMBER: _ClassVar[int]
    VISIBILITY_FIELD_NUMBER: _ClassVar[int]
    winds: _containers.RepeatedCompositeFieldContainer[WindLayer]
    clouds: _containers.RepeatedCompositeFieldContainer[CloudLayer]
    thunderstorm: CloudLayer
    temperatures: _containers.RepeatedCompositeFieldContainer[TemperatureLayer]
    pressure: int
    visibility: float
    def __init__(self, winds: _Optional[_Iterable[_Union[WindLayer, _Mapping]]] = ..., clouds: _Optional[_Iterable[_Union[CloudLayer, _Mapping]]] = ..., thunderstorm: _Optional[_Union[CloudLayer, _Mapping]] = ..., temperatures: _Optional[_Iterable[_Union[TemperatureLayer, _Mapping]]] = ..., pressure: _Optional[int] = ..., visibility: _Optional[float] = ...) -> None: ...

class WindLayer(_message.Message):
    __slots__ = ("ceiling", "floor", "direction", "speed", "gusting", "turbulence")
    CEILING_FIELD_NUMBER: _ClassVar[int]
    FLOOR_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    GUSTING_FIELD_NUMBER: _ClassVar[int]
    TURBULENCE_FIELD_NUMBER: _ClassVar[int]
    ceiling: int
    floor: int
    direction: int
    speed: int
    gusting: bool
    turbulence: int
    def __init__(self, ceiling: _Optional[int] = ..., floor: _Optional[int] = ..., direction: _Optional[int] = ..., speed: _Optional[int] = ..., gusting: _Optional[bool] = ..., turbulence: _Optional[int] = ...) -> None: ...

class CloudLayer(_message.Message):
    __slots__ = ("ceiling", "floor", "coverage", "icing", "turbulence")
    CEILING_FIELD_NUMBER: _ClassVar[int]
    FLOOR_FIELD_NUMBER: _ClassVar[int]
    COVERAGE_FIELD_NUMBER: _ClassVar[int]
    ICING_FIELD_NUMBER: _ClassVar[int]
    TURBULENCE_FIELD_NUMBER: _ClassVar[int]
    ceiling: int
    floor: int
    coverage: int
    icing: bool
    turbulence: int
    def __init__(self, ceiling: _Optional[int] = ..., floor: _Optional[int] = ..., coverage: _Optional[int] = ..., icing: _Optional[bool] = ..., turbulence: _Optional[int] = ...) -> None: ...

class TemperatureLayer(_message.Message):
    __slots__ = ("ceiling", "temperature")
    CEILING_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    ceiling: int
    temperature: int
    def __init__(self, ceiling: _Optional[int] = ..., temperature: _Optional[int] = ...) -> None: ...
