"""Messages of rum/v1/weather.proto.

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
(b'\n\x14rum/v1/weather.proto\x12\x06rum.v1">\n\x0eStationRequest\x12\x0f\n\x07stat'
 b'ion\x18\x01 \x01(\t\x12\x1b\n\x04near\x18\x02 \x01(\x0b2\r.rum.v1.Place",'
 b'\n\x05Place\x12\x10\n\x08latitude\x18\x01 \x01(\x01\x12\x11\n\tlongitude\x18\x02'
 b' \x01(\x01"P\n\rMetarResponse\x12\x10\n\x06report\x18\x01 \x01(\tH\x00\x12'
 b'"\n\x07absence\x18\x02 \x01(\x0e2\x0f.rum.v1.AbsenceH\x00B\t\n\x07outcome"l'
 b'\n\x0fDecodedResponse\x12*\n\x0bobservation\x18\x01 \x01(\x0b2\x13.rum.v1.Obse'
 b'rvationH\x00\x12"\n\x07absence\x18\x02 \x01(\x0e2\x0f.rum.v1.AbsenceH\x00B\t\n'
 b'\x07outcome"\xd3\x01\n\x0bObservation\x12 \n\x05winds\x18\x01 \x03(\x0b2\x11.ru'
 b'm.v1.WindLayer\x12"\n\x06clouds\x18\x02 \x03(\x0b2\x12.rum.v1.CloudLayer\x12('
 b'\n\x0cthunderstorm\x18\x03 \x01(\x0b2\x12.rum.v1.CloudLayer\x12.\n\x0ctemperat'
 b'ures\x18\x04 \x03(\x0b2\x18.rum.v1.TemperatureLayer\x12\x10\n\x08pressure'
 b'\x18\x05 \x01(\x11\x12\x12\n\nvisibility\x18\x06 \x01(\x01"r\n\tWindLayer\x12'
 b'\x0f\n\x07ceiling\x18\x01 \x01(\x11\x12\r\n\x05floor\x18\x02 \x01(\x11\x12'
 b'\x11\n\tdirection\x18\x03 \x01(\x11\x12\r\n\x05speed\x18\x04 \x01(\x11\x12\x0f\n'
 b'\x07gusting\x18\x05 \x01(\x08\x12\x12\n\nturbulence\x18\x06 \x01(\x11"a\n\nCl'
 b'oudLayer\x12\x0f\n\x07ceiling\x18\x01 \x01(\x11\x12\r\n\x05floor\x18\x02'
 b' \x01(\x11\x12\x10\n\x08coverage\x18\x03 \x01(\x11\x12\r\n\x05icing\x18'
 b'\x04 \x01(\x08\x12\x12\n\nturbulence\x18\x05 \x01(\x11"8\n\x10TemperatureLaye'
 b'r\x12\x0f\n\x07ceiling\x18\x01 \x01(\x11\x12\x13\n\x0btemperature\x18\x02 '
 b'\x01(\x11*@\n\x07Absence\x12\x17\n\x13ABSENCE_UNSPECIFIED\x10\x00\x12\r\n\tNO_RE'
 b'PORT\x10\x01\x12\r\n\tNO_SOURCE\x10\x022}\n\x07Weather\x126\n\x05Metar\x12\x16.'
 b'rum.v1.StationRequest\x1a\x15.rum.v1.MetarResponse\x12:\n\x07Decoded\x12\x16.ru'
 b'm.v1.StationRequest\x1a\x17.rum.v1.DecodedResponseb\x06proto3')
)

for _name, _descriptor in DESCRIPTOR.message_types_by_name.items():
    globals()[_name] = _class_of(_descriptor)
for _name, _descriptor in DESCRIPTOR.enum_types_by_name.items():
    globals()[_name] = _Enum(_descriptor)
    for _value in _descriptor.values:
        globals()[_value.name] = _value.number
