"""``rumctl``: reads the command line; each noun's commands are in a module of its own.

Exit codes: 0, done; 1, refused or not done, and a sentence on standard error says
why; 2, the command line or the settings are wrong.

A command's module is imported when that command is asked for: the database's
libraries take a second to load on a small box, and ``rumctl lockouts`` needs none.
"""

import importlib
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click
from typing_extensions import override

from rum_twisted import __version__
from rum_twisted.cli.invocation import Invocation
from rum_twisted.terms.units import Seconds

__all__ = ["main", "rumctl"]

# Each noun, the module whose attribute of that name is its command, and its help.
_NOUNS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "account": ("accounts", "Add, change, suspend, list, import, export members."),
        "audit": ("audit", "Who of the staff did what, to whom, when and from where."),
        "canary": ("canary", "Try a new version of a service, or end the trial."),
        "console": ("console", "Make the password of the administration port."),
        "database": ("database", "Look at the database's tables, or bring them up."),
        "drain": ("services", "Take a process out of service; no call is lost."),
        "guard": ("guard", "What the server does before memory or CPU run out."),
        "heap": ("heap", "What the running server's memory is made of, and grows by."),
        "hours": ("sessions", "How long a member was on, by position."),
        "log": ("log", "How much the running server says in its log."),
        "lockouts": ("lockouts", "Who is kept waiting after wrong passwords."),
        "manhole": ("manhole", "A Python prompt inside the running server."),
        "owners": ("heap", "Whose the running server's memory is."),
        "services": ("services", "Who plays which service, and how he answers."),
        "sessions": ("sessions", "When a member was on, and as what."),
        "undrain": ("services", "Bring a drained process back into service."),
    }
)


class _Nouns(click.Group):
    """The commands of `_NOUNS`, each imported when it is asked for."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_NOUNS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _NOUNS:
            return None
        module = importlib.import_module(f"rum_twisted.cli.{_NOUNS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    @override
    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(noun, text) for noun, (_, text) in _NOUNS.items()])


def _now() -> Seconds:
    return Seconds(time.time())  # noqa: TID251 - the one place; all else is given it


@click.command(cls=_Nouns, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="Read settings from this TOML file, as twistd rum does.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one setting: table.key=value, as in TOML. May be repeated.",
)
@click.option(
    "--as",
    "as_cid",
    metavar="CID",
    help="Act in the name of this member; asks for the password.",
)
@click.version_option(__version__, prog_name="rumctl")
@click.pass_context
def rumctl(
    context: click.Context,
    config_path: Path | None,
    overrides: tuple[str, ...],
    as_cid: str | None,
) -> None:
    """Manage the accounts of a Rum server, and look into a running one.

    Settings come from the same places as the server's: --set, variables
    (RUM_DATA_DIR=...), the --config file. Exit codes: 0 done, 1 refused or not done,
    2 the command line or the settings are wrong.
    """
    if context.obj is None:  # a test brings its own clock and environment
        context.obj = Invocation(
            config_path=config_path,
            overrides=overrides,
            as_cid=as_cid,
            environ=os.environ,
            now=_now,
        )


def main() -> None:
    """Run ``rumctl``; it ends the process with one of the exit codes."""
    _open_missing_streams()
    rumctl(prog_name="rumctl")


def _open_missing_streams() -> None:
    """Put an empty file in the place of each standard stream that is closed.

    So a job whose scheduler closes them is told what is missing, and in words.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - for good
            setattr(sys, name, stream)
