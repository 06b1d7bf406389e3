"""How answers look."""

import json

import click
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.cli.output import Output, iso, printable, progress, utc
from rum_twisted.terms.units import Seconds

ESCAPE = "\x1b[2J"  # clears the screen


def printed(output: Output, names: list[str]) -> str:
    """Return what a list of names looks like."""

    @click.command()
    def command() -> None:
        output.records(("name",), [({"name": name}, (name,)) for name in names])

    return CliRunner().invoke(command).stdout


class OutputTests(SynchronousTestCase):
    """Tables for people, JSON for programs."""

    def test_a_name_cannot_steer_the_terminal(self) -> None:
        """A stranger chose it, and an operator looks at it."""
        self.assertNotIn("\x1b", printable(f"a{ESCAPE}"))
        self.assertNotIn("\x1b", printed(Output(), [f"a{ESCAPE}"]))

    def test_a_name_is_no_markup(self) -> None:
        """Nor an emoji: it is shown as it is."""
        for name in ("[bold]x[/bold]", ":smile:", "[/]"):
            self.assertIn(name, printed(Output(), [name]))

    def test_long_values_are_whole(self) -> None:
        """What a table has no room for goes on in the next line."""
        name = "x" * 500
        self.assertEqual(printed(Output(), [name]).count("x"), 500)

    def test_json_is_one_array(self) -> None:
        """However many things there are, none included."""
        for names in ([], ["a"], ["a", "b\n", "王"]):
            found = json.loads(printed(Output(as_json=True), names))
            self.assertEqual(found, [{"name": name} for name in names])

    def test_times(self) -> None:
        """UTC, and what is not known is nothing."""
        when = Seconds(1_780_000_000.5)
        self.assertEqual(utc(when), "2026-05-28 20:26 UTC")
        self.assertEqual(utc(None), "")
        self.assertEqual(iso(when), "2026-05-28T20:26:40.500000+00:00")
        self.assertIsNone(iso(None))

    def test_no_progress_is_shown_where_nobody_looks(self) -> None:
        """A log file is none for a bar."""

        @click.command()
        def command() -> None:
            with progress("working", 2) as step:
                step(1)
                step(1)

        result = CliRunner().invoke(command)
        self.assertEqual(result.output, "")
        self.assertEqual(result.exit_code, 0)
