"""What passwords cost: time and memory of a hash, and what saves one.

    python -m bench.passwords

Each line of the first table is a process of its own, which does nothing but hash, in as
many threads as the line says. *ms* is how long one hash takes on its thread, *a second*
what all threads do together. *peak* is the memory that it takes while it works, and
*kept* what it still has afterwards, both beyond what it had before. Of three processes
the fastest is shown: what else the machine does can only slow it down.
"""

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

import bcrypt

from bench import machine
from bench.processes import ROOT
from bench.stopwatch import microseconds
from rum_twisted.accounts.hashing import return_freed_memory
from rum_twisted.accounts.passwords import Argon2Parameters, Hasher
from rum_twisted.accounts.throttle import Limits, Throttle
from rum_twisted.accounts.verified import VerifiedLogons
from rum_twisted.terms.units import Seconds

__all__ = ["main"]

_REPEATS: Final = 3
_HASHES: Final = 20  # in each thread
_PASSWORD: Final = "correct-horse-7"  # noqa: S105 - of nobody
_NOW: Final = Seconds(0.0)
_CACHED: Final = 2000
_AS_SERVER: Final = "--as-server"
_BY_DEFAULT: Final = "--by-default"

_SETS: Final = (
    # OWASP's five equals first.
    Argon2Parameters(memory=47104, passes=1),
    Argon2Parameters(memory=19456, passes=2),
    Argon2Parameters(memory=12288, passes=3),
    Argon2Parameters(memory=9216, passes=4),
    Argon2Parameters(memory=7168, passes=5),
    Argon2Parameters(memory=65536, passes=3, lanes=4),  # argon2-cffi's own choice
)
_THREADS: Final = (1, 2, 4)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process has found."""

    milliseconds: float
    rate: float  # hashes a second
    peak: int  # kB
    kept: int


def main() -> None:
    """Print all of it; or be one of the processes that are measured."""
    if sys.argv[1:2] in ([_AS_SERVER], [_BY_DEFAULT]):
        _measure(sys.argv[1] == _AS_SERVER, [int(word) for word in sys.argv[2:]])
        return
    print(machine.look(), "\n")
    _hashes()
    _checks()
    _throttle()


def _hashes() -> None:
    print("argon2id")
    print(
        f"{'KiB':>7}{'passes':>8}{'lanes':>7}{'threads':>9}{'ms':>8}"
        f"{'a second':>10}{'peak MB':>9}{'kept MB':>9}"
    )
    for parameters in _SETS:
        for threads in _THREADS if parameters == Argon2Parameters() else (1, 2):
            _print(parameters, threads, _run(_AS_SERVER, parameters, threads), "")
    for threads in (1, 2):
        parameters = Argon2Parameters()
        cost = _run(_BY_DEFAULT, parameters, threads)
        _print(parameters, threads, cost, "  without return_freed_memory()")


def _print(parameters: Argon2Parameters, threads: int, cost: Cost, end: str) -> None:
    print(
        f"{parameters.memory:>7}{parameters.passes:>8}{parameters.lanes:>7}"
        f"{threads:>9}{cost.milliseconds:>8.1f}{cost.rate:>10.0f}"
        f"{cost.peak / 1024:>9.1f}{cost.kept / 1024:>9.1f}{end}"
    )


def _run(mode: str, parameters: Argon2Parameters, threads: int) -> Cost:
    """Hash in a few new processes, and return the fastest's cost."""
    numbers = (parameters.memory, parameters.passes, parameters.lanes, threads)
    command = (sys.executable, "-m", "bench.passwords", mode, *map(str, numbers))
    costs = []
    for _ in range(_REPEATS):
        ran = subprocess.run(  # noqa: S603 - this very module
            command, cwd=ROOT, capture_output=True, text=True, check=True
        )
        costs.append(Cost(*json.loads(ran.stdout)))
    return min(costs, key=lambda cost: cost.milliseconds)


def _measure(as_server: bool, numbers: Sequence[int]) -> None:  # noqa: FBT001
    """Hash in this process, and print what it cost as JSON."""
    memory, passes, lanes, threads = numbers
    if as_server:
        return_freed_memory()
    hasher = Hasher(Argon2Parameters(memory=memory, passes=passes, lanes=lanes))
    before = _kilobytes("VmRSS")

    def work() -> None:
        for _ in range(_HASHES):
            hasher.verify(None, _PASSWORD)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    start = perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = perf_counter() - start
    print(
        json.dumps(
            (
                seconds / _HASHES * 1000,
                _HASHES * threads / seconds,
                _kilobytes("VmHWM") - before,
                _kilobytes("VmRSS") - before,
            )
        )
    )


def _kilobytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise ValueError(f"/proc/self/status: no {field}")


def _checks() -> None:
    return_freed_memory()
    hasher = Hasher()
    ours = hasher.hash(_PASSWORD)
    sha256 = "sha256$" + hashlib.sha256(_PASSWORD.encode()).hexdigest()
    cached = VerifiedLogons(_CACHED)
    for number in range(_CACHED):
        cached.remember(f"{number + 1_000_000}", _PASSWORD, ours, _NOW)
    print(f"\n{'one check':<52}{'right us':>10}{'wrong us':>10}")
    for name, check in (
        ("argon2id, as new passwords are kept", _checking(hasher, ours)),
        ("SHA-256, from pyfsd", _checking(hasher, sha256)),
        ("plain, from cert.txt", _checking(hasher, f"plain${_PASSWORD}")),
        ("bcrypt of cost 4", _checking(hasher, _bcrypt(4))),
        ("bcrypt of cost 10", _checking(hasher, _bcrypt(10))),
        ("bcrypt of cost 12", _checking(hasher, _bcrypt(12))),
        ("a CID that nobody has", _checking(hasher, None)),
        (
            f"remembered, one of {_CACHED}",
            lambda password: cached.is_verified("1000007", password, ours, _NOW),
        ),
    ):
        right, wrong = (
            microseconds(_with(check, word)) for word in (_PASSWORD, "wrong")
        )
        print(f"{name:<52}{right:>10.1f}{wrong:>10.1f}")


def _checking(hasher: Hasher, stored: str | None) -> Callable[[str], object]:
    return lambda password: hasher.verify(stored, password)


def _with(check: Callable[[str], object], password: str) -> Callable[[], object]:
    return lambda: check(password)


def _bcrypt(cost: int) -> str:
    return bcrypt.hashpw(_PASSWORD.encode(), bcrypt.gensalt(cost)).decode()


def _throttle() -> None:
    limits = Limits()
    throttle = Throttle(limits)
    before = _kilobytes("VmRSS")
    for number in range(limits.capacity):
        cid, address = f"{number + 1_000_000}", f"2001:db8:{number:x}::1"
        throttle.fail(cid, address, _NOW)
        throttle.succeed(cid, address)
    grown = _kilobytes("VmRSS") - before
    print(f"\nfailures, {limits.capacity} CIDs and addresses: {grown / 1024:.1f} MB")
    for name, act in (
        ("may he try?", lambda: throttle.wait("1000007", "2001:db8:7::1", _NOW)),
        ("count a failure", lambda: throttle.fail("1000007", "192.0.2.1", _NOW)),
        ("note a success", lambda: throttle.succeed("1000007", "192.0.2.1")),
    ):
        print(f"{name:<52}{microseconds(act):>10.1f} us")


if __name__ == "__main__":
    main()
