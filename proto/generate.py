"""Make the Python code of the contracts in this folder, or check that it is current.

::

    python proto/generate.py            write it
    python proto/generate.py --check    exit with 1 if it is not what would be written

It needs grpcio-tools, of the version that ``setup.cfg`` names among the tools of
developers: another one writes other code.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

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


CONTRACTS: Final = (
    Contract(
        root=PROTO,
        folder="rum/v1",
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
    with TemporaryDirectory() as folder:
        names = [str(file.relative_to(contract.root)) for file in files]
        status = protoc.main(
            [
                "protoc",
                f"-I{contract.root}",
                f"--python_out={folder}",
                f"--pyi_out={folder}",
                *names,
            ]
        )
        if status != 0:
            raise SystemExit(f"protoc has failed on {', '.join(names)}")
        return {
            contract.package / file.name: file.read_bytes()
            for suffix in SUFFIXES
            for file in (Path(folder) / contract.folder).glob(suffix)
        }


def main(arguments: list[str]) -> int:
    """Write or check the code; return the exit status."""
    stale: list[Path] = []
    for contract in CONTRACTS:
        due = generate(contract)
        there = {file for suffix in SUFFIXES for file in contract.package.glob(suffix)}
        stale += sorted(there - due.keys())
        if arguments != ["--check"]:
            for file in there - due.keys():
                file.unlink()
        for file, text in due.items():
            if not file.exists() or file.read_bytes() != text:
                stale.append(file)
                if arguments != ["--check"]:
                    file.write_bytes(text)
    if not stale or arguments != ["--check"]:
        return 0
    names = ", ".join(str(file.relative_to(ROOT)) for file in stale)
    sys.stderr.write(f"not current: {names}; run `make generate`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
