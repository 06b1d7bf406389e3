from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuthenticateRequest(_message.Message):
    __slots__ = ("cid", "password", "address")
    CID_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    cid: str
    password: str
    address: str
    def __init__(self, cid: _Optional[str] = ..., password: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class AuthenticateResponse(_message.Message):
    __slots__ = ("account", "refusal")
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    account: Account
    refusal: Refusal
    def __init__(self, account: _Optional[_Union[Account, _Mapping]] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ...) -> None: ...

class Account(_message.Message):
    __slots__ = ("cid", "rating", "permissions", "notice")
    CID_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    PERMISSIONS_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    cid: str
    rating: int
    permissions: _containers.RepeatedScalarFieldContainer[str]
    notice: str
    def __init__(self, cid: _Optional[str] = ..., rating: _Optional[int] = ..., permissions: _Optional[_Iterable[str]] = ..., notice: _Optional[str] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("reason", "notice")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[Refusal.Reason]
        INVALID_CREDENTIALS: _ClassVar[Refusal.Reason]
        TOO_MANY_FAILURES: _ClassVar[Refusal.Reason]
        UNAVAILABLE: _ClassVar[Refusal.Reason]
    REASON_UNSPECIFIED: Refusal.Reason
    INVALID_CREDENTIALS: Refusal.Reason
    TOO_MANY_FAILURES: Refusal.Reason
    UNAVAILABLE: Refusal.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    reason: Refusal.Reason
    notice: str
    def __init__(self, reason: _Optional[_Union[Refusal.Reason, str]] = ..., notice: _Optional[str] = ...) -> None: ...

class WriteRequest(_message.Message):
    __slots__ = ("writer", "number", "entries")
    WRITER_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    writer: str
    number: int
    entries: _containers.RepeatedCompositeFieldContainer[Entry]
    def __init__(self, writer: _Optional[str] = ..., number: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[Entry, _Mapping]]] = ...) -> None: ...

class WriteResponse(_message.Message):
    __slots__ = ("is_known",)
    IS_KNOWN_FIELD_NUMBER: _ClassVar[int]
    is_known: bool
    def __init__(self, is_known: _Optional[bool] = ...) -> None: ...

class Entry(_message.Message):
    __slots__ = ("logged_on", "logged_off", "acted")
    LOGGED_ON_FIELD_NUMBER: _ClassVar[int]
    LOGGED_OFF_FIELD_NUMBER: _ClassVar[int]
    ACTED_FIELD_NUMBER: _ClassVar[int]
    logged_on: Visitor
    logged_off: int
    acted: StaffAct
    def __init__(self, logged_on: _Optional[_Union[Visitor, _Mapping]] = ..., logged_off: _Optional[int] = ..., acted: _Optional[_Union[StaffAct, _Mapping]] = ...) -> None: ...

class Visitor(_message.Message):
    __slots__ = ("number", "callsign", "cid", "kind", "rating", "real_name", "protocol_revision", "simulator", "logged_on_at", "address")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Visitor.Kind]
        PILOT: _ClassVar[Visitor.Kind]
        CONTROLLER: _ClassVar[Visitor.Kind]
    KIND_UNSPECIFIED: Visitor.Kind
    PILOT: Visitor.Kind
    CONTROLLER: Visitor.Kind
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    CALLSIGN_FIELD_NUMBER: _ClassVar[int]
    CID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    REAL_NAME_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_REVISION_FIELD_NUMBER: _ClassVar[int]
    SIMULATOR_FIELD_NUMBER: _ClassVar[int]
    LOGGED_ON_AT_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    number: int
    callsign: str
    cid: str
    kind: Visitor.Kind
    rating: int
    real_name: str
    protocol_revision: str
    simulator: int
    logged_on_at: float
    address: str
    def __init__(self, number: _Optional[int] = ..., callsign: _Optional[str] = ..., cid: _Optional[str] = ..., kind: _Optional[_Union[Visitor.Kind, str]] = ..., rating: _Optional[int] = ..., real_name: _Optional[str] = ..., protocol_revision: _Optional[str] = ..., simulator: _Optional[int] = ..., logged_on_at: _Optional[float] = ..., address: _Optional[str] = ...) -> None: ...

class StaffAct(_message.Message):
    __slots__ = ("who_cid", "who_callsign", "act", "whom", "detail", "where")
    WHO_CID_FIELD_NUMBER: _ClassVar[int]
    WHO_CALLSIGN_FIELD_NUMBER: _ClassVar[int]
    ACT_FIELD_NUMBER: _ClassVar[int]
    WHOM_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    WHERE_FIELD_NUMBER: _ClassVar[int]
    who_cid: str
    who_callsign: str
    act: str
    whom: str
    detail: str
    where: str
    def __init__(self, who_cid: _Optional[str] = ..., who_callsign: _Optional[str] = ..., act: _Optional[str] = ..., whom: _Optional[str] = ..., detail: _Optional[str] = ..., where: _Optional[str] = ...) -> None: ...
