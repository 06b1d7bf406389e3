"""Messages of health_subset.proto.

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
(b'\n\x13health_subset.proto\x12\rrum.health.v1"%\n\x12HealthCheckRequest\x12\x0f'
 b'\n\x07service\x18\x01 \x01(\t"\xa8\x01\n\x13HealthCheckResponse\x12@\n\x06statu'
 b's\x18\x01 \x01(\x0e20.rum.health.v1.HealthCheckResponse.ServingStatus"O\n\rSer'
 b'vingStatus\x12\x0b\n\x07UNKNOWN\x10\x00\x12\x0b\n\x07SERVING\x10\x01'
 b'\x12\x0f\n\x0bNOT_SERVING\x10\x02\x12\x13\n\x0fSERVICE_UNKNOWN\x10\x03b\x06prot'
 b'o3')
)

for _name, _descriptor in DESCRIPTOR.message_types_by_name.items():
    globals()[_name] = _class_of(_descriptor)
for _name, _descriptor in DESCRIPTOR.enum_types_by_name.items():
    globals()[_name] = _Enum(_descriptor)
    for _value in _descriptor.values:
        globals()[_value.name] = _value.number
