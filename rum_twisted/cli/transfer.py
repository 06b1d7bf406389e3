"""``rumctl account import | export``: many members at once."""

import csv
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final

import click

from rum_twisted.accounts.directory import AccountDirectory
from rum_twisted.accounts.member import Actor, Member
from rum_twisted.cli.imports.batches import Hashing, Import, IReader, Tally
from rum_twisted.cli.imports.certfile import CertFile
from rum_twisted.cli.imports.csv import COLUMNS, CsvFile, JsonLines
from rum_twisted.cli.imports.openfsd import OpenfsdAccounts
from rum_twisted.cli.imports.pyfsd import PyfsdAccounts
from rum_twisted.cli.imports.rows import Refused
from rum_twisted.cli.imports.simplefsd import SimplefsdAccounts
from rum_twisted.cli.invocation import Invocation, pass_invocation
from rum_twisted.cli.letters import shown
from rum_twisted.cli.output import Output, as_json_option, iso, progress
from rum_twisted.cli.store import hasher, note, with_directory
from rum_twisted.cli.words import confirm, dry_run_option, yes_option

__all__ = ["export_members", "import_members", "record_of"]

_READERS: Final[Mapping[str, Callable[[str], IReader]]] = MappingProxyType(
    {
        "cert": CertFile,
        "csv": CsvFile,
        "jsonl": JsonLines,
        "openfsd": OpenfsdAccounts,
        "pyfsd": PyfsdAccounts,
        "simplefsd": SimplefsdAccounts,
    }
)
_MOST_THREADS: Final = 64
_SHOWN_REFUSALS: Final = 20  # of those that are in the report as well
_OWNER_ONLY: Final = 0o600
_STANDARD_OUTPUT: Final = "-"
_WITHOUT_HASHES: Final = tuple(
    name for name in COLUMNS if name not in ("password", "password_hash")
)
_WITH_HASHES: Final = (*_WITHOUT_HASHES, "password_hash")


@click.command(name="import")
@click.argument("kind", type=click.Choice(list(_READERS)))
@click.argument("source")
@click.option("--hash", "hashes", is_flag=True, help="Hash plain passwords on the way.")
@click.option(
    "--threads",
    type=click.IntRange(1, _MOST_THREADS),
    default=os.cpu_count() or 1,
    show_default="one for each core",
    help="How many passwords are hashed at the same time.",
)
@click.option("--replace", is_flag=True, help="Members who are there take on the new.")
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the refused rows to this CSV file.",
)
@yes_option
@dry_run_option
@as_json_option
@pass_invocation
def import_members(  # noqa: PLR0913 - the options of the command, by name
    invocation: Invocation,
    *,
    kind: str,
    source: str,
    hashes: bool,
    threads: int,
    replace: bool,
    report: Path | None,
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take members over from SOURCE: a file, or a database's URL.

    KIND says what it is: cert (a cert.txt), csv, jsonl, or the database of pyfsd,
    openfsd or simplefsd: a SQLite file, or postgresql://name:password@host/database.

    Who is registered already is passed over, so an import that was interrupted goes
    on where it ended when it is begun again. Exit code 1 if rows were refused.
    """
    reader = _READERS[kind](source)
    makes_hashes = hasher(invocation)
    if replace and not dry_run:
        confirm(
            f"Replace what is known of members who are in {kind} {source} too?", yes=yes
        )
    if report is not None:
        _write_report(report, [])  # if it cannot be written, nothing is done
    tally = Tally()
    with ThreadPoolExecutor(threads) as executor:
        hashing = Hashing(makes_hashes.hash, executor) if hashes else None

        async def act(directory: AccountDirectory, by: Actor) -> None:
            with progress("importing", await reader.count()) as step:
                work = Import(
                    directory,
                    by,
                    tally,
                    replace=replace,
                    dry_run=dry_run,
                    hashing=hashing,
                )
                await work.run(reader, step)

        try:
            with_directory(invocation, act, makes_tables=True, dry_run=dry_run)
        except KeyboardInterrupt:
            click.echo(
                f"interrupted: imported so far: {tally.taken}; begin again to go on",
                err=True,
            )
            raise SystemExit(1) from None
    if report is not None:
        _write_report(report, tally.refused)
    _tell(tally, Output(as_json), report, dry_run=dry_run)
    if tally.refused:
        raise SystemExit(1)


def _tell(tally: Tally, output: Output, report: Path | None, *, dry_run: bool) -> None:
    """Tell what became of the rows, and name each refused one."""
    refused = tally.refused
    if not output.as_json:
        named = refused if report is None else refused[:_SHOWN_REFUSALS]
        for row in named:
            click.echo(f"row {row.number} ({_name(row)}): {row.reason}", err=True)
        if len(named) < len(refused):
            more = len(refused) - len(named)
            click.echo(f"{more} more refused rows are in {report}", err=True)
    words = [
        f"rows read: {tally.read}",
        f"imported: {tally.taken}",
        f"registered already: {tally.skipped}",
        f"refused: {len(refused)}",
    ]
    if tally.hashed:
        words.append(f"passwords hashed: {tally.hashed}")
    if tally.without_password:
        words.append(f"without a password: {tally.without_password}")
    output.done(
        ", ".join(words),
        dry_run=dry_run,
        read=tally.read,
        imported=tally.taken,
        registered_already=tally.skipped,
        hashed=tally.hashed,
        without_password=tally.without_password,
        refused=[
            {"row": row.number, "cid": shown(row.cid), "reason": row.reason}
            for row in refused
        ],
    )


def _name(row: Refused) -> str:
    return shown(row.cid) or "no CID"


def _write_report(path: Path, refused: list[Refused]) -> None:
    """Write the refused rows to a file, also if there are none.

    Raises:
        click.ClickException: it cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("row", "cid", "reason"))
            writer.writerows(
                (row.number, shown(row.cid), row.reason) for row in refused
            )
    except OSError as error:
        raise click.ClickException(
            f"the report {path} cannot be written: {error.strerror}"
        ) from error


@click.command(name="export")
@click.argument("target", default=_STANDARD_OUTPUT)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl"]),
    default="csv",
    show_default=True,
    help="CSV with a row of names, or one JSON object a line.",
)
@click.option("--with-hashes", is_flag=True, help="Passwords as they are kept, too.")
@pass_invocation
def export_members(
    invocation: Invocation, *, target: str, form: str, with_hashes: bool
) -> None:
    """Write all members to the new file TARGET, or to standard output.

    What is written can be imported again. Without hashes nobody imported so has a
    password, unless he was there and had one.
    """
    columns = _WITH_HASHES if with_hashes else _WITHOUT_HASHES

    async def act(directory: AccountDirectory, by: Actor) -> int:
        count = 0
        total = await directory.count()
        with _opened(target) as file, progress("exporting", total) as step:
            write = _csv_writer(file, columns) if form == "csv" else _json_writer(file)
            async for member in directory.members():
                record = record_of(member)
                write({name: record[name] for name in columns})
                count += 1
                step(1)
        what = "members with passwords" if with_hashes else "members"
        await note(invocation, directory, by, "export", f"{count} {what}")
        return count

    count = with_directory(invocation, act)
    click.echo(f"members exported: {count}", err=True)


def record_of(member: Member) -> dict[str, str | int | None]:
    """Return a member by the names of `COLUMNS`; what is not known is ``None``."""
    restriction = member.restriction
    record: dict[str, str | int | None] = dict.fromkeys(COLUMNS)
    record |= {
        "cid": shown(member.cid),
        "rating": member.rating.value,
        "password_hash": shown(member.password_hash),
        "name": member.name,
        "email": member.email,
        "pilot_rating": member.pilot_rating,
        "permissions": " ".join(sorted(one.value for one in member.permissions)),
        "notes": member.notes,
        "created": iso(member.created),
        "last_seen": iso(member.last_seen),
    }
    if restriction is not None:
        record |= {
            "restriction": restriction.kind.value,
            "restriction_reason": restriction.reason,
            "restriction_since": iso(restriction.since),
            "restriction_until": iso(restriction.until),
            "restriction_by": restriction.by,
        }
    return record


class _Target:
    """A file that an export goes to; what is wrong with it is told with its name."""

    def __init__(self, name: str, file: IO[str]) -> None:
        self._name = name
        self._file = file

    def write(self, text: str) -> None:
        """Write, as csv's writers do it.

        Raises:
            click.ClickException: the disk is full, for example.
        """
        try:
            self._file.write(text)
        except BrokenPipeError:  # whoever read it has enough
            raise
        except OSError as error:
            raise _unwritable(self._name, error) from error

    def close(self) -> None:
        """Write what is left; see `write`."""
        try:
            self._file.close()
        except OSError as error:
            raise _unwritable(self._name, error) from error


def _unwritable(name: str, error: OSError) -> click.ClickException:
    return click.ClickException(f"{name}: {error.strerror}")


def _csv_writer(
    file: _Target, columns: tuple[str, ...]
) -> Callable[[Mapping[str, object]], object]:
    writer = csv.DictWriter(file, columns)
    writer.writeheader()
    return writer.writerow


def _json_writer(file: _Target) -> Callable[[Mapping[str, object]], object]:
    return lambda record: file.write(json.dumps(record, ensure_ascii=False) + "\n")


@contextmanager
def _opened(name: str) -> Iterator[_Target]:
    """Open what an export goes to; a file is for its owner only, and whole or gone.

    Raises:
        click.ClickException: it is there already, or cannot be made.
    """
    if name == _STANDARD_OUTPUT:
        yield _Target("standard output", sys.stdout)
        return
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except OSError as error:
        raise _unwritable(name, error) from error
    target = _Target(name, os.fdopen(descriptor, "w", encoding="utf-8", newline=""))
    try:
        yield target
        target.close()
    except BaseException:
        Path(name).unlink()
        raise
