"""Messages of etcd_subset.proto.

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
(b'\n\x11etcd_subset.proto\x12\x0brum.etcd.v3"I\n\x0eResponseHeader\x12\x12\n\ncl'
 b'uster_id\x18\x01 \x01(\x04\x12\x11\n\tmember_id\x18\x02 \x01(\x04\x12\x10\n'
 b'\x08revision\x18\x03 \x01(\x03"u\n\x08KeyValue\x12\x0b\n\x03key\x18\x01'
 b' \x01(\x0c\x12\x17\n\x0fcreate_revision\x18\x02 \x01(\x03\x12\x14\n\x0cmod_rev'
 b'ision\x18\x03 \x01(\x03\x12\x0f\n\x07version\x18\x04 \x01(\x03\x12\r\n\x05valu'
 b'e\x18\x05 \x01(\x0c\x12\r\n\x05lease\x18\x06 \x01(\x03"b\n\x0cRangeReque'
 b'st\x12\x0b\n\x03key\x18\x01 \x01(\x0c\x12\x11\n\trange_end\x18\x02 \x01'
 b'(\x0c\x12\r\n\x05limit\x18\x03 \x01(\x03\x12\x10\n\x08revision\x18\x04 '
 b'\x01(\x03\x12\x11\n\tkeys_only\x18\x08 \x01(\x08"}\n\rRangeResponse\x12+\n\x06h'
 b'eader\x18\x01 \x01(\x0b2\x1b.rum.etcd.v3.ResponseHeader\x12"\n\x03kvs\x18'
 b'\x02 \x03(\x0b2\x15.rum.etcd.v3.KeyValue\x12\x0c\n\x04more\x18\x03 \x01'
 b'(\x08\x12\r\n\x05count\x18\x04 \x01(\x03"7\n\nPutRequest\x12\x0b\n\x03k'
 b'ey\x18\x01 \x01(\x0c\x12\r\n\x05value\x18\x02 \x01(\x0c\x12\r\n\x05lease'
 b'\x18\x03 \x01(\x03":\n\x0bPutResponse\x12+\n\x06header\x18\x01 \x01(\x0b2\x1b.'
 b'rum.etcd.v3.ResponseHeader"4\n\x12DeleteRangeRequest\x12\x0b\n\x03key\x18'
 b'\x01 \x01(\x0c\x12\x11\n\trange_end\x18\x02 \x01(\x0c"S\n\x13DeleteRangeRespo'
 b'nse\x12+\n\x06header\x18\x01 \x01(\x0b2\x1b.rum.etcd.v3.ResponseHeader'
 b'\x12\x0f\n\x07deleted\x18\x02 \x01(\x03"\xbb\x01\n\tRequestOp\x122\n\rrequest_r'
 b'ange\x18\x01 \x01(\x0b2\x19.rum.etcd.v3.RangeRequestH\x00\x12.\n\x0brequest_p'
 b'ut\x18\x02 \x01(\x0b2\x17.rum.etcd.v3.PutRequestH\x00\x12?\n\x14request_delet'
 b'e_range\x18\x03 \x01(\x0b2\x1f.rum.etcd.v3.DeleteRangeRequestH\x00B\t\n\x07requ'
 b'est"\xe5\x02\n\x07Compare\x122\n\x06result\x18\x01 \x01(\x0e2".rum.etcd.v3.Co'
 b'mpare.CompareResult\x122\n\x06target\x18\x02 \x01(\x0e2".rum.etcd.v3.Compare.Co'
 b'mpareTarget\x12\x0b\n\x03key\x18\x03 \x01(\x0c\x12\x11\n\x07version\x18'
 b'\x04 \x01(\x03H\x00\x12\x19\n\x0fcreate_revision\x18\x05 \x01(\x03H\x00\x12\x16'
 b'\n\x0cmod_revision\x18\x06 \x01(\x03H\x00\x12\x0f\n\x05value\x18\x07 \x01('
 b'\x0cH\x00"@\n\rCompareResult\x12\t\n\x05EQUAL\x10\x00\x12\x0b\n\x07GREAT'
 b'ER\x10\x01\x12\x08\n\x04LESS\x10\x02\x12\r\n\tNOT_EQUAL\x10\x03"<\n\rCompareTarg'
 b'et\x12\x0b\n\x07VERSION\x10\x00\x12\n\n\x06CREATE\x10\x01\x12\x07\n\x03M'
 b'OD\x10\x02\x12\t\n\x05VALUE\x10\x03B\x0e\n\x0ctarget_union"\x85\x01\n\nTxnReque'
 b"st\x12%\n\x07compare\x18\x01 \x03(\x0b2\x14.rum.etcd.v3.Compare\x12'\n\x07suc"
 b"cess\x18\x02 \x03(\x0b2\x16.rum.etcd.v3.RequestOp\x12'\n\x07failure\x18\x03 "
 b'\x03(\x0b2\x16.rum.etcd.v3.RequestOp"M\n\x0bTxnResponse\x12+\n\x06header'
 b'\x18\x01 \x01(\x0b2\x1b.rum.etcd.v3.ResponseHeader\x12\x11\n\tsucceeded'
 b'\x18\x02 \x01(\x08",\n\x11LeaseGrantRequest\x12\x0b\n\x03TTL\x18\x01 \x01(\x03'
 b'\x12\n\n\x02ID\x18\x02 \x01(\x03"i\n\x12LeaseGrantResponse\x12+\n\x06header'
 b'\x18\x01 \x01(\x0b2\x1b.rum.etcd.v3.ResponseHeader\x12\n\n\x02ID\x18\x02 '
 b'\x01(\x03\x12\x0b\n\x03TTL\x18\x03 \x01(\x03\x12\r\n\x05error\x18\x04 \x01(\t"'
 b'#\n\x15LeaseKeepAliveRequest\x12\n\n\x02ID\x18\x01 \x01(\x03"^\n\x16LeaseKeepAli'
 b'veResponse\x12+\n\x06header\x18\x01 \x01(\x0b2\x1b.rum.etcd.v3.ResponseHea'
 b'der\x12\n\n\x02ID\x18\x02 \x01(\x03\x12\x0b\n\x03TTL\x18\x03 \x01(\x03" \n\x12'
 b'LeaseRevokeRequest\x12\n\n\x02ID\x18\x01 \x01(\x03"B\n\x13LeaseRevokeRespons'
 b'e\x12+\n\x06header\x18\x01 \x01(\x0b2\x1b.rum.etcd.v3.ResponseHeader"e\n\x12Wa'
 b'tchCreateRequest\x12\x0b\n\x03key\x18\x01 \x01(\x0c\x12\x11\n\trange_end\x18\x02'
 b' \x01(\x0c\x12\x16\n\x0estart_revision\x18\x03 \x01(\x03\x12\x17\n\x0fprogress'
 b'_notify\x18\x04 \x01(\x08"Z\n\x0cWatchRequest\x129\n\x0ecreate_request\x18'
 b'\x01 \x01(\x0b2\x1f.rum.etcd.v3.WatchCreateRequestH\x00B\x0f\n\rrequest_unio'
 b'n"x\n\x05Event\x12*\n\x04type\x18\x01 \x01(\x0e2\x1c.rum.etcd.v3.Event.EventTy'
 b'pe\x12!\n\x02kv\x18\x02 \x01(\x0b2\x15.rum.etcd.v3.KeyValue" \n\tEventTy'
 b'pe\x12\x07\n\x03PUT\x10\x00\x12\n\n\x06DELETE\x10\x01"\xc6\x01\n\rWatchRespons'
 b'e\x12+\n\x06header\x18\x01 \x01(\x0b2\x1b.rum.etcd.v3.ResponseHeader\x12\x10'
 b'\n\x08watch_id\x18\x02 \x01(\x03\x12\x0f\n\x07created\x18\x03 \x01('
 b'\x08\x12\x10\n\x08canceled\x18\x04 \x01(\x08\x12\x18\n\x10compact_revision\x18'
 b'\x05 \x01(\x03\x12\x15\n\rcancel_reason\x18\x06 \x01(\t\x12"\n\x06events\x18\x0b'
 b' \x03(\x0b2\x12.rum.etcd.v3.Event"5\n\x13AuthenticateRequest\x12\x0c\n\x04n'
 b'ame\x18\x01 \x01(\t\x12\x10\n\x08password\x18\x02 \x01(\t"R\n\x14AuthenticateR'
 b'esponse\x12+\n\x06header\x18\x01 \x01(\x0b2\x1b.rum.etcd.v3.ResponseHeader'
 b'\x12\r\n\x05token\x18\x02 \x01(\tb\x06proto3')
)

for _name, _descriptor in DESCRIPTOR.message_types_by_name.items():
    globals()[_name] = _class_of(_descriptor)
for _name, _descriptor in DESCRIPTOR.enum_types_by_name.items():
    globals()[_name] = _Enum(_descriptor)
    for _value in _descriptor.values:
        globals()[_value.name] = _value.number
