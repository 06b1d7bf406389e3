from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CertificateTrouble(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CERTIFICATE_TROUBLE_UNSPECIFIED: _ClassVar[CertificateTrouble]
    AWAY: _ClassVar[CertificateTrouble]
    NOT_ALLOWED: _ClassVar[CertificateTrouble]
    EXISTS: _ClassVar[CertificateTrouble]
    MISSING: _ClassVar[CertificateTrouble]
    UNFIT: _ClassVar[CertificateTrouble]
CERTIFICATE_TROUBLE_UNSPECIFIED: CertificateTrouble
AWAY: CertificateTrouble
NOT_ALLOWED: CertificateTrouble
EXISTS: CertificateTrouble
MISSING: CertificateTrouble
UNFIT: CertificateTrouble

class CountRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CountResponse(_message.Message):
    __slots__ = ("count", "trouble", "is_permanent")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    TROUBLE_FIELD_NUMBER: _ClassVar[int]
    IS_PERMANENT_FIELD_NUMBER: _ClassVar[int]
    count: int
    trouble: CertificateTrouble
    is_permanent: bool
    def __init__(self, count: _Optional[int] = ..., trouble: _Optional[_Union[CertificateTrouble, str]] = ..., is_permanent: _Optional[bool] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class ListResponse(_message.Message):
    __slots__ = ("rows", "trouble")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    TROUBLE_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[CertificateRow]
    trouble: CertificateTrouble
    def __init__(self, rows: _Optional[_Iterable[_Union[CertificateRow, _Mapping]]] = ..., trouble: _Optional[_Union[CertificateTrouble, str]] = ...) -> None: ...

class CertificateRow(_message.Message):
    __slots__ = ("cid", "rating", "origin", "created", "last_used")
    CID_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    LAST_USED_FIELD_NUMBER: _ClassVar[int]
    cid: str
    rating: int
    origin: str
    created: float
    last_used: float
    def __init__(self, cid: _Optional[str] = ..., rating: _Optional[int] = ..., origin: _Optional[str] = ..., created: _Optional[float] = ..., last_used: _Optional[float] = ...) -> None: ...

class ChangeRequest(_message.Message):
    __slots__ = ("operator", "address", "add", "modify", "delete")
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ADD_FIELD_NUMBER: _ClassVar[int]
    MODIFY_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    operator: str
    address: str
    add: NewCertificate
    modify: NewRating
    delete: str
    def __init__(self, operator: _Optional[str] = ..., address: _Optional[str] = ..., add: _Optional[_Union[NewCertificate, _Mapping]] = ..., modify: _Optional[_Union[NewRating, _Mapping]] = ..., delete: _Optional[str] = ...) -> None: ...

class NewCertificate(_message.Message):
    __slots__ = ("cid", "password", "rating")
    CID_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    cid: str
    password: str
    rating: int
    def __init__(self, cid: _Optional[str] = ..., password: _Optional[str] = ..., rating: _Optional[int] = ...) -> None: ...

class NewRating(_message.Message):
    __slots__ = ("cid", "rating")
    CID_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    cid: str
    rating: int
    def __init__(self, cid: _Optional[str] = ..., rating: _Optional[int] = ...) -> None: ...

class ChangeResponse(_message.Message):
    __slots__ = ("trouble", "notice", "is_permanent")
    TROUBLE_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    IS_PERMANENT_FIELD_NUMBER: _ClassVar[int]
    trouble: CertificateTrouble
    notice: str
    is_permanent: bool
    def __init__(self, trouble: _Optional[_Union[CertificateTrouble, str]] = ..., notice: _Optional[str] = ..., is_permanent: _Optional[bool] = ...) -> None: ...
