"""Messages of rum/v1/certificates.proto.

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
(b'\n\x19rum/v1/certificates.proto\x12\x06rum.v1"\x0e\n\x0cCountRequest"p\n\rCount'
 b'Response\x12\x0f\n\x05count\x18\x01 \x01(\x04H\x00\x12-\n\x07trouble'
 b'\x18\x02 \x01(\x0e2\x1a.rum.v1.CertificateTroubleH\x00\x12\x14\n\x0cis_permanent'
 b'\x18\x03 \x01(\x08B\t\n\x07outcome"\x1b\n\x0bListRequest\x12\x0c\n\x04text'
 b'\x18\x01 \x01(\t"a\n\x0cListResponse\x12$\n\x04rows\x18\x01 \x03(\x0b2\x16.rum.v'
 b'1.CertificateRow\x12+\n\x07trouble\x18\x02 \x01(\x0e2\x1a.rum.v1.CertificateTr'
 b'ouble"\x85\x01\n\x0eCertificateRow\x12\x0b\n\x03cid\x18\x01 \x01(\t\x12\x0e\n'
 b'\x06rating\x18\x02 \x01(\r\x12\x0e\n\x06origin\x18\x03 \x01(\t\x12\x14\n\x07cre'
 b'ated\x18\x04 \x01(\x01H\x00\x88\x01\x01\x12\x16\n\tlast_used\x18\x05 \x01'
 b'(\x01H\x01\x88\x01\x01B\n\n\x08_createdB\x0c\n\n_last_used"\x9a\x01\n\rChange'
 b'Request\x12\x10\n\x08operator\x18\x01 \x01(\t\x12\x0f\n\x07address\x18\x02 \x01'
 b'(\t\x12%\n\x03add\x18\x03 \x01(\x0b2\x16.rum.v1.NewCertificateH\x00\x12#\n'
 b'\x06modify\x18\x04 \x01(\x0b2\x11.rum.v1.NewRatingH\x00\x12\x10\n\x06delete'
 b'\x18\x05 \x01(\tH\x00B\x08\n\x06change"?\n\x0eNewCertificate\x12\x0b\n\x03'
 b'cid\x18\x01 \x01(\t\x12\x10\n\x08password\x18\x02 \x01(\t\x12\x0e\n\x06ratin'
 b'g\x18\x03 \x01(\r"(\n\tNewRating\x12\x0b\n\x03cid\x18\x01 \x01(\t\x12\x0e\n'
 b'\x06rating\x18\x02 \x01(\r"c\n\x0eChangeResponse\x12+\n\x07trouble\x18\x01'
 b' \x01(\x0e2\x1a.rum.v1.CertificateTrouble\x12\x0e\n\x06notice\x18\x02 \x01(\t'
 b'\x12\x14\n\x0cis_permanent\x18\x03 \x01(\x08*x\n\x12CertificateTrouble'
 b'\x12#\n\x1fCERTIFICATE_TROUBLE_UNSPECIFIED\x10\x00\x12\x08\n\x04AWAY\x10\x01\x12'
 b'\x0f\n\x0bNOT_ALLOWED\x10\x02\x12\n\n\x06EXISTS\x10\x03\x12\x0b\n\x07MISSING\x10'
 b'\x04\x12\t\n\x05UNFIT\x10\x052\xb0\x01\n\x0cCertificates\x124\n\x05Count\x12\x14'
 b'.rum.v1.CountRequest\x1a\x15.rum.v1.CountResponse\x121\n\x04List\x12\x13.rum.v1'
 b'.ListRequest\x1a\x14.rum.v1.ListResponse\x127\n\x06Change\x12\x15.rum.v1.Change'
 b'Request\x1a\x16.rum.v1.ChangeResponseb\x06proto3')
)

for _name, _descriptor in DESCRIPTOR.message_types_by_name.items():
    globals()[_name] = _class_of(_descriptor)
for _name, _descriptor in DESCRIPTOR.enum_types_by_name.items():
    globals()[_name] = _Enum(_descriptor)
    for _value in _descriptor.values:
        globals()[_value.name] = _value.number
