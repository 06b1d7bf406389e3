"""Messages of rum/v1/passport.proto.

Written by proto/generate.py, not to be edited.
"""

from google.protobuf.internal.api_implementation import Type as _implementation
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper as _Enum
from google.protobuf.message import Message as _Message

if _implementation() == "upb":
    # What google.protobuf stands on. The rest of it has another megabyte.
    from google._upb._message import MessageMeta as _Meta, default_pool as _pool
else:
    from google.protobuf.descriptor_pool import Default as _default_pool
    from google.protobuf.reflection import GeneratedProtocolMessageType as _Meta

    _pool = _default_pool()


def _class_of(descriptor, prefix=""):
    members = {
        nested.name: _class_of(nested, f"{prefix}{descriptor.name}.")
        for nested in descriptor.nested_types
    }
    members["DESCRIPTOR"] = descriptor
    members["__module__"] = __name__
    members["__qualname__"] = prefix + descriptor.name
    return _Meta(descriptor.name, (_Message,), members)


DESCRIPTOR = _pool.AddSerializedFile(
(b'\n\x15rum/v1/passport.proto\x12\x06rum.v1"E\n\x13AuthenticateRequest\x12\x0b'
 b'\n\x03cid\x18\x01 \x01(\t\x12\x10\n\x08password\x18\x02 \x01(\t\x12\x0f\n\x07add'
 b'ress\x18\x03 \x01(\t"i\n\x14AuthenticateResponse\x12"\n\x07account\x18\x01 '
 b'\x01(\x0b2\x0f.rum.v1.AccountH\x00\x12"\n\x07refusal\x18\x02 \x01(\x0b2\x0f.ru'
 b'm.v1.RefusalH\x00B\t\n\x07outcome"K\n\x07Account\x12\x0b\n\x03cid\x18\x01 \x01('
 b'\t\x12\x0e\n\x06rating\x18\x02 \x01(\r\x12\x13\n\x0bpermissions\x18\x03 \x03'
 b'(\t\x12\x0e\n\x06notice\x18\x04 \x01(\t"\xa4\x01\n\x07Refusal\x12&\n\x06reason'
 b'\x18\x01 \x01(\x0e2\x16.rum.v1.Refusal.Reason\x12\x0e\n\x06notice\x18\x02 \x01'
 b'(\t"a\n\x06Reason\x12\x16\n\x12REASON_UNSPECIFIED\x10\x00\x12\x17\n\x13INVALID_'
 b'CREDENTIALS\x10\x01\x12\x15\n\x11TOO_MANY_FAILURES\x10\x02\x12\x0f\n\x0bUNAVAILA'
 b'BLE\x10\x03"N\n\x0cWriteRequest\x12\x0e\n\x06writer\x18\x01 \x01(\t\x12\x0e\n'
 b'\x06number\x18\x02 \x01(\x04\x12\x1e\n\x07entries\x18\x03 \x03(\x0b2\r.rum.v1.'
 b'Entry"!\n\rWriteResponse\x12\x10\n\x08is_known\x18\x01 \x01(\x08"n\n\x05Entr'
 b'y\x12$\n\tlogged_on\x18\x01 \x01(\x0b2\x0f.rum.v1.VisitorH\x00\x12\x14\n\nlogge'
 b'd_off\x18\x02 \x01(\x04H\x00\x12!\n\x05acted\x18\x03 \x01(\x0b2\x10.rum.v1.St'
 b'affActH\x00B\x06\n\x04what"\x8d\x02\n\x07Visitor\x12\x0e\n\x06number\x18\x01'
 b' \x01(\x04\x12\x10\n\x08callsign\x18\x02 \x01(\t\x12\x0b\n\x03cid\x18\x03 '
 b'\x01(\t\x12"\n\x04kind\x18\x04 \x01(\x0e2\x14.rum.v1.Visitor.Kind\x12\x0e\n\x06r'
 b'ating\x18\x05 \x01(\r\x12\x11\n\treal_name\x18\x06 \x01(\t\x12\x19\n\x11protoc'
 b'ol_revision\x18\x07 \x01(\t\x12\x11\n\tsimulator\x18\x08 \x01(\x11\x12\x14\n\x0c'
 b'logged_on_at\x18\t \x01(\x01\x12\x0f\n\x07address\x18\n \x01(\t"7\n\x04Kind\x12'
 b'\x14\n\x10KIND_UNSPECIFIED\x10\x00\x12\t\n\x05PILOT\x10\x01\x12\x0e\n\nCONTROLL'
 b'ER\x10\x02"k\n\x08StaffAct\x12\x0f\n\x07who_cid\x18\x01 \x01(\t\x12\x14\n\x0cwho'
 b'_callsign\x18\x02 \x01(\t\x12\x0b\n\x03act\x18\x03 \x01(\t\x12\x0c\n\x04whom'
 b'\x18\x04 \x01(\t\x12\x0e\n\x06detail\x18\x05 \x01(\t\x12\r\n\x05where\x18'
 b'\x06 \x01(\t2U\n\x08Passport\x12I\n\x0cAuthenticate\x12\x1b.rum.v1.AuthenticateR'
 b'equest\x1a\x1c.rum.v1.AuthenticateResponse2?\n\x07Logbook\x124\n\x05Write'
 b'\x12\x14.rum.v1.WriteRequest\x1a\x15.rum.v1.WriteResponseb\x06proto3')
)

for _name, _descriptor in DESCRIPTOR.message_types_by_name.items():
    globals()[_name] = _class_of(_descriptor)
for _name, _descriptor in DESCRIPTOR.enum_types_by_name.items():
    globals()[_name] = _Enum(_descriptor)
    for _value in _descriptor.values:
        globals()[_value.name] = _value.number
