"""The manuals, ``docs/rumctl.md`` and others, speak of what there is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.cli.imports.csv import COLUMNS
from rum_twisted.cli.main import rumctl

NOUNS: Final = (
    "account",
    "audit",
    "console",
    "database",
    "hours",
    "lockouts",
    "log",
    "sessions",
)
TRAFFIC: Final = ("canary", "drain", "services", "undrain")
DOCS: Final = Path(__file__).parents[3] / "docs"
MANUAL: Final = (DOCS / "rumctl.md").read_text("utf-8")
CANARY: Final = (DOCS / "canary.md").read_text("utf-8")


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield each command that does something, with the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    if command.invoke_without_command:
        yield path, command
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from commands(inner, f"{path} {name}")


def explained(
    nouns: tuple[str, ...] = NOUNS,
) -> Iterator[tuple[str, click.Command]]:
    """Yield the commands of the nouns that a manual is about."""
    context = click.Context(rumctl)
    for noun in nouns:
        command = rumctl.get_command(context, noun)
        assert command is not None
        yield from commands(command, f"rumctl {noun}")


class ManualTests(SynchronousTestCase):
    """An operator finds what he can type."""

    def test_every_command_is_there(self) -> None:
        """With the words that call it."""
        for path, _ in explained():
            self.assertTrue(f"`{path}" in MANUAL, path)

    def test_every_option_is_there(self) -> None:
        """By its long name, wherever it is explained."""
        for path, command in (("rumctl", rumctl), *explained()):
            for parameter in command.params:
                if isinstance(parameter, click.Option):
                    for name in parameter.opts + parameter.secondary_opts:
                        self.assertTrue(name in MANUAL, f"{path} {name}")

    def test_every_command_explains_itself(self) -> None:
        """Behind --help."""
        for path, command in explained():
            self.assertTrue(command.help, path)

    def test_every_column_is_there(self) -> None:
        """As the importer knows it."""
        for name, meaning in COLUMNS.items():
            self.assertTrue(f"| `{name}` | {meaning} |" in MANUAL, name)

    def test_commands_about_services(self) -> None:
        """They have a page of their own, with all their options."""
        for path, command in explained(TRAFFIC):
            self.assertTrue(command.help, path)
            self.assertTrue(path in CANARY, path)
            for parameter in command.params:
                if isinstance(parameter, click.Option):
                    for name in parameter.opts + parameter.secondary_opts:
                        self.assertTrue(name in CANARY, f"{path} {name}")
