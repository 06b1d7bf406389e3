"""``rumctl log``: how much the running server says in its log."""

from typing import Any

import click

from rum_twisted.cli.asking import ask_server
from rum_twisted.cli.invocation import Invocation, pass_invocation
from rum_twisted.cli.output import Output, as_json_option
from rum_twisted.config.log_kinds import LEVELS, ROOMS

__all__ = ["log"]

_ALL = "all"


@click.group()
def log() -> None:
    """Show or change how much the running server says in its log."""


@log.command()
@click.argument("room", required=False, type=click.Choice((*ROOMS, _ALL)))
@click.argument("level", required=False, type=click.Choice(LEVELS))
@as_json_option
@pass_invocation
def level(
    invocation: Invocation, room: str | None, level: str | None, *, as_json: bool
) -> None:
    """Show the level of each ROOM, or change one to LEVEL until the next start.

    `all` stands for every room that has no level of its own.
    """
    named = {} if room in (None, _ALL) else {"room": room}
    invocation.refuse_name()
    if level is not None:
        named["level"] = level
    answer: dict[str, Any] = ask_server(invocation, "log.level", **named)
    if level is not None:
        whom = f"{room}={level}"
        # Twisted's logger is loaded for this alone.
        from rum_twisted.cli.auditing import note_without_database  # noqa: PLC0415

        note_without_database(invocation, "loglevel", whom)
    shown = answer["rooms"]
    if room not in (None, _ALL):
        shown = {room: shown[room]}
    Output(as_json).records(
        ("room", "level"),
        [
            ({"room": name, "level": found}, (name, found))
            for name, found in shown.items()
        ],
    )
