"""Make the Python code of the contracts in this folder, or check that it is current.

::

    python proto/generate.py            write it
    python proto/generate.py --check    exit with 1 if it is not what would be written

It needs grpcio-tools, of the version that ``setup.cfg`` names among the tools of
developers: another one writes other code.

The modules are written here and not by protoc, whose own import a megabyte of
Python that does nothing where protobuf's C library is there.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from pprint import pformat
from tempfile import TemporaryDirectory
from typing import Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from grpc_tools import protoc

PROTO: Final = Path(__file__).resolve().parent
ROOT: Final = PROTO.parent
SUFFIXES: Final = ("*_pb2.py", "*_pb2.pyi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A folder of contracts that do not import each other, and where its code goes."""

    root: Path  # what the names of its files begin after
    folder: str  # of the files, below the root
    package: Path


MODULE: Final = '''\
"""Messages of {name}.

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
    members = {{
        nested.name: _class_of(nested, f"{{prefix}}{{descriptor.name}}.")
        for nested in descriptor.nested_types
    }}
    members["DESCRIPTOR"] = descriptor
    members["__module__"] = __name__
    members["__qualname__"] = prefix + descriptor.name
    return _Meta(descriptor.name, (_Message,), members)


DESCRIPTOR = _pool.AddSerializedFile(
{serialized}
)

for _name, _descriptor in DESCRIPTOR.message_types_by_name.items():
    globals()[_name] = _class_of(_descriptor)
for _name, _descriptor in DESCRIPTOR.enum_types_by_name.items():
    globals()[_name] = _Enum(_descriptor)
    for _value in _descriptor.values:
        globals()[_value.name] = _value.number
'''

CONTRACTS: Final = (
    Contract(
        root=PROTO,
        folder="rum/v1",
        package=ROOT / "rum_twisted" / "rpc" / "generated",
    ),
    Contract(
        root=PROTO / "health",
        folder=".",
        package=ROOT / "rum_twisted" / "rpc" / "generated",
    ),
    Contract(
        root=PROTO / "etcd",
        folder=".",
        package=ROOT / "rum_twisted" / "discovery" / "generated",
    ),
)


def generate(contract: Contract) -> dict[Path, bytes]:
    """Return the text of each file that is due."""
    files = sorted((contract.root / contract.folder).glob("*.proto"))
    with TemporaryDirectory() as name:
        folder = Path(name)
        names = [str(file.relative_to(contract.root)) for file in files]
        status = protoc.main(
            [
                "protoc",
                f"-I{contract.root}",
                f"--descriptor_set_out={folder / 'descriptors'}",
                f"--pyi_out={folder}",
                *names,
            ]
        )
        if status != 0:
            raise SystemExit(f"protoc has failed on {', '.join(names)}")
        described = FileDescriptorSet.FromString((folder / "descriptors").read_bytes())
        due = {
            contract.package / file.name: file.read_bytes()
            for file in (folder / contract.folder).glob("*_pb2.pyi")
        }
    for file in described.file:
        path = contract.package / f"{Path(file.name).stem}_pb2.py"
        due[path] = module_of(file).encode("ascii")
    return due


def module_of(file: FileDescriptorProto) -> str:
    """Return the text of the module that has the messages of a contract."""
    for message in file.message_type:
        forget_json(message)
    return MODULE.format(
        name=file.name,
        serialized=pformat(file.SerializeToString(deterministic=True), width=84),
    )


def forget_json(message: DescriptorProto) -> None:
    """Take away the names that fields have in JSON, which nobody speaks here."""
    for field in message.field:
        field.ClearField("json_name")
    for nested in message.nested_type:
        forget_json(nested)


def main(arguments: list[str]) -> int:
    """Write or check the code; return the exit status."""
    is_check = arguments == ["--check"]
    due = {
        file: text
        for contract in CONTRACTS
        for file, text in generate(contract).items()
    }
    there = {
        file
        for contract in CONTRACTS
        for suffix in SUFFIXES
        for file in contract.package.glob(suffix)
    }
    stale = sorted(there - due.keys())
    if not is_check:
        for file in stale:
            file.unlink()
    for file, text in due.items():
        if not file.exists() or file.read_bytes() != text:
            stale.append(file)
            if not is_check:
                file.write_bytes(text)
    if not stale or not is_check:
        return 0
    names = ", ".join(str(file.relative_to(ROOT)) for file in stale)
    sys.stderr.write(f"not current: {names}; run `make generate`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
