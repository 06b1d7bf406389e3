"""What each role costs in a process of its own, with an etcd and gRPC alive.

    python -m bench.roles

200 pilots fly, ask for weather and file plans; the peak of each process's memory is
printed: as it comes, and as docs/memory.md advises for a small box. It fails if the
front is above its limit as it comes.
"""

import compileall
import os
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import rum_twisted
from bench.crowd import Crowd, Member
from bench.servers import CID, PASSWORD
from tests.support.etcd import Etcd
from tests.support.roles import Role, Roles

__all__ = ["main"]

_MB: Final = 1 << 20  # bytes, as everywhere in the bench
LIMIT: Final = 56 * _MB  # of the front
_CLIENTS: Final = 200
_ROUNDS: Final = 40
_ROLES: Final = ("passport", "weather", "pergola")
_REPORT: Final = "EHAM 101225Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG"
_PLAN: Final = "I:B738/L:420:EHAM:1230:1235:FL350:EDDF:1:30:3:15:EDDL:rmk:DCT"


SMALL_BOX: Final = {
    "PYTHONOPTIMIZE": "2",
    "PYTHONNODEBUGRANGES": "1",
    "MALLOC_ARENA_MAX": "1",
}
_ROOM: Final = Path(rum_twisted.__file__).parent


def main() -> int:
    """Measure, print, and return the exit code."""
    # As pip does; whoever compiles as he starts has a higher peak.
    for level in (0, 2):
        compileall.compile_dir(_ROOM, quiet=1, optimize=level)
    sys.stdout.write("as it comes: ")
    front = _start_and_measure()
    os.environ.update(SMALL_BOX)
    sys.stdout.write(f"{' '.join(f'{k}={v}' for k, v in SMALL_BOX.items())}: ")
    _start_and_measure()
    return int(front > LIMIT)


def _start_and_measure() -> int:
    """Measure with processes of their own; return the peak of the front, bytes."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        etcd = Etcd(folder / "etcd", syncs=True)
        try:
            etcd.start_and_wait()
            return _measure(folder, etcd)
        finally:
            etcd.kill()


def _measure(folder: Path, etcd: Etcd) -> int:
    (folder / "members.txt").write_text(f"{CID} {PASSWORD} 12\n", "ascii")
    (folder / "metar.txt").write_text(f"{_REPORT}\n", "ascii")
    roles = Roles(
        folder,
        'accounts.cert_file="members.txt"',
        'weather.file="metar.txt"',
        'discovery.backend="etcd"',
        f'discovery.endpoints=["{etcd.endpoint}"]',
    )
    try:
        processes = {role: roles.start(role).ready() for role in _ROLES}
        begin = {role: process.peak for role, process in processes.items()}
        with Crowd(roles.port, _CLIENTS) as crowd:
            crowd.log_on()
            crowd.do(lambda _, member: f"$FP{member.callsign}:SERVER:{_PLAN}")
            for turn in range(_ROUNDS):
                crowd.do(partial(_fly, turn))
            crowd.do(lambda _, member: f"$AX{member.callsign}:SERVER:METAR:EHAM")
            return _print(processes, begin)
    finally:
        roles.kill()


def _fly(turn: int, number: int, member: Member) -> str:
    latitude, longitude = 50 + number / 500 + turn / 1000, 8 + number / 300
    return (
        f"@N:{member.callsign}:2000:1:{latitude:.5f}:{longitude:.5f}:35000:450:{turn}:0"
    )


def _print(processes: dict[str, Role], begin: dict[str, int]) -> int:
    sys.stdout.write(f"{_CLIENTS} clients, {_ROUNDS} rounds of reports; peak RSS\n")
    for role, process in processes.items():
        openssl = "OpenSSL" in process.maps
        sys.stdout.write(
            f"{role:10} {begin[role] / _MB:5.1f} MB at the start, "
            f"{process.peak / _MB:5.1f} MB at most{', with OpenSSL' * openssl}\n"
        )
    return processes["pergola"].peak


if __name__ == "__main__":
    sys.exit(main())
