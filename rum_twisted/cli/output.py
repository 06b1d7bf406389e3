"""How an answer looks: a table for people, JSON for programs, a bar for the patient.

Answers go to standard output; progress and questions go to standard error, so that
an answer can be piped. Times are UTC. Whatever comes from a database is shown
without its control signs: a name must not be able to steer a terminal.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Final, TypeAlias

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from rum_twisted.terms.units import Seconds

__all__ = [
    "Facts",
    "Output",
    "Records",
    "as_json_option",
    "iso",
    "printable",
    "progress",
    "utc",
]

Facts = Mapping[str, object]
"""What a program is told of one thing; JSON can hold each value."""

Records: TypeAlias = Iterable[tuple[Facts, Sequence[str]]]
"""For each of many things its facts, and the cells of its line."""

_PIPED_WIDTH: Final = 200  # columns, where there is no terminal to ask

as_json_option: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON instead of text."
)


def printable(text: str) -> str:
    """Return text without signs that a terminal would obey."""
    return "".join(
        sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text
    )


def utc(when: Seconds | None) -> str:
    """Return a point in time as a person reads it; nothing for none."""
    if when is None:
        return ""
    return f"{_datetime(when):%Y-%m-%d %H:%M} UTC"


def iso(when: Seconds | None) -> str | None:
    """Return a point in time as a program reads it: ISO 8601."""
    if when is None:
        return None
    return _datetime(when).isoformat()


def _datetime(when: Seconds) -> datetime:
    return datetime.fromtimestamp(when, UTC)


@dataclass(frozen=True, slots=True)
class Output:
    """Prints one command's answer, in one of two forms."""

    as_json: bool = False

    def done(self, sentence: str, *, dry_run: bool = False, **facts: object) -> None:
        """Tell that something is done: ``facts`` to programs, a sentence to people.

        Args:
            sentence: what is done.
            dry_run: it is not, and both forms say so.
            facts: as JSON.
        """
        if self.as_json:
            _print_json({"done": not dry_run, **facts})
        else:
            click.echo(("dry run: " if dry_run else "") + printable(sentence))

    def remark(self, sentence: str) -> None:
        """Add what a person should know; programs are spared it."""
        if not self.as_json:
            click.echo(printable(sentence))

    def record(self, facts: Facts, words: Mapping[str, str]) -> None:
        """Print one thing.

        Args:
            facts: as JSON.
            words: as text, by what each is; empty ones are left out.
        """
        if self.as_json:
            _print_json(facts)
            return
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column()
        table.add_column(overflow="fold")
        for name, value in words.items():
            if value:
                table.add_row(Text(name), Text(_lines(value)))
        _console().print(table)

    def watch(
        self,
        look: Callable[[], Records],
        headings: Sequence[str],
        interval: float,
        rounds: int | None,
    ) -> None:
        """Print many things again and again, on a terminal in the same place.

        Args:
            look: returns what there is to print now, as for `records`.
            headings: of the table's columns.
            interval: seconds between two looks.
            rounds: how many times; ``None``: until somebody interrupts.
        """
        counted = count() if rounds is None else range(rounds)
        if self.as_json:
            for number in counted:
                _pause(interval if number else 0.0)
                _print_json([facts for facts, _ in look()])
            return
        with Live(console=_console(), auto_refresh=False) as live:
            for number in counted:
                _pause(interval if number else 0.0)
                live.update(_table(headings, look()), refresh=True)

    def records(self, headings: Sequence[str], found: Records) -> None:
        """Print many things.

        Args:
            headings: of the table's columns.
            found: for each thing, its facts as JSON and the cells of its line.
        """
        if self.as_json:
            _print_array(facts for facts, _ in found)
            return
        _console().print(_table(headings, found))


def _table(headings: Sequence[str], found: Records) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for _, cells in found:
        table.add_row(*(Text(_lines(cell)) for cell in cells))
    return table


def _pause(seconds: float) -> None:
    """Let some time pass; nobody else waits in this process."""
    time.sleep(seconds)  # noqa: TID251 - see above


def _lines(text: str) -> str:
    """Return text of several lines without control signs in any of them."""
    return "\n".join(map(printable, text.splitlines()))


def _console() -> Console:
    """Return a console on standard output, which never guesses at markup."""
    is_terminal = sys.stdout.isatty()
    return Console(
        file=sys.stdout,
        width=None if is_terminal else _PIPED_WIDTH,
        markup=False,
        highlight=False,
        emoji=False,
    )


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


def _print_array(found: Iterable[Facts]) -> None:
    """Print an array element by element: it may be longer than memory likes."""
    before = "["
    for facts in found:
        click.echo(before + json.dumps(facts, ensure_ascii=False), nl=False)
        before = ",\n "
    click.echo("[]" if before == "[" else "]")


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show on standard error how far something long has come, on a terminal only.

    Args:
        what: the work, in a word or two.
        total: how many steps it has.

    Yields:
        what is to be called with the number of steps done since the last call.
    """
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)
