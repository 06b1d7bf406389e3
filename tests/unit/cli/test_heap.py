"""``rumctl heap`` where no server is needed; `tests.integration` asks one."""

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.dump import make_dump, write_dump
from rum_twisted.cli.invocation import Invocation
from rum_twisted.cli.main import rumctl
from rum_twisted.terms.measure import Measure
from rum_twisted.terms.units import Seconds
from tests.unit.admin.builders import NOON, Room
from tests.unit.cli.builders import FolderTestCase

PAGE: Final = (Path(__file__).parents[3] / "docs" / "observe.md").read_text("utf-8")


class HeapTestCase(FolderTestCase):
    """``rumctl`` with a folder that no server uses."""

    def rumctl(self, *arguments: str, as_cid: str | None = None) -> Result:
        """Run a command; an error that is no sentence for the operator comes out."""
        invocation = Invocation(
            config_path=None,
            overrides=(f"data_dir={json.dumps(str(self.folder))}",),
            as_cid=as_cid,
            environ={},
            now=lambda: Seconds(NOON),
        )
        return CliRunner().invoke(
            rumctl, arguments, obj=invocation, catch_exceptions=False
        )


class ShowTests(HeapTestCase):
    """A dump that was written earlier."""

    @override
    def setUp(self) -> None:
        """Write one."""
        super().setUp()
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        room = Room()
        room.owners.register("outboxes", lambda: Measure(count=2, bytes=2048, bound=9))
        room.sampler.startService()
        self.addCleanup(room.sampler.stopService)
        room.work()
        self.dump = make_dump(
            room.heap, room.heap.census_now(), Seconds(NOON), "memory is at 70 %"
        )
        self.path = self.folder / "dump.json"
        write_dump(self.path, self.dump)

    def test_in_words(self) -> None:
        """Why it was written, whose memory it is, what it is made of, and when."""
        result = self.rumctl("heap", "show", str(self.path))
        self.assertEqual(result.exit_code, 0, result.output)
        for word in (
            "memory is at 70 %",
            "outboxes",
            "2.0",
            "dict",
            "2026-11-21 12:00 UTC",
        ):
            self.assertIn(word, result.stdout)

    def test_as_json(self) -> None:
        """As it stands in the file."""
        result = self.rumctl("heap", "show", str(self.path), "--json")
        self.assertEqual(json.loads(result.stdout), json.loads(self.path.read_bytes()))

    def test_as_a_page(self) -> None:
        """It is written beside it."""
        page = self.folder / "dump.html"
        result = self.rumctl("heap", "show", str(self.path), "--html", str(page))
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertIn("<td>outboxes</td>", page.read_text("utf-8"))

    def test_a_page_that_cannot_be_written(self) -> None:
        """The file and the reason are named."""
        page = self.folder / "none" / "dump.html"
        result = self.rumctl("heap", "show", str(self.path), "--html", str(page))
        self.assertEqual(result.exit_code, 1)
        self.assertIn(f"{page}: No such file or directory", result.stderr)

    def test_no_dump(self) -> None:
        """It is said what was due."""
        self.path.write_text("{}")
        result = self.rumctl("heap", "show", str(self.path))
        self.assertEqual(result.exit_code, 1)
        self.assertIn('due "format"', result.stderr)

    def test_a_damaged_dump(self) -> None:
        """Whatever is missing in it, there is no traceback."""
        for name in self.dump:
            if name in ("format", "python", "collector", "stacks"):
                continue  # not shown
            for value in (None, 7, "x"):
                self.path.write_text(json.dumps({**self.dump, name: value}))
                result = self.rumctl("heap", "show", str(self.path))
                if name not in ("version", "pid", "reason", "at"):
                    self.assertEqual(result.exit_code, 1, (name, value))
                    self.assertIn("damaged", result.stderr)


class NoServerTests(HeapTestCase):
    """Nobody can be asked."""

    def test_the_socket_file_is_named(self) -> None:
        """By each command that asks."""
        for words in (
            "owners",
            "heap owners",
            "heap census",
            "heap mark",
            "heap growth",
            "heap who dict",
            "guard",
            "guard rehearse thin --yes",
            "guard end",
            "heap gc",
            "heap lag",
            "heap dump x",
            "heap trace start --yes",
            "heap trace stop",
            "heap trace top",
        ):
            result = self.rumctl(*words.split())
            self.assertEqual(result.exit_code, 1, words)
            self.assertIn(str(self.folder / "control.sock"), result.stderr)

    def test_what_a_trace_costs_is_told_first(self) -> None:
        """And nothing is begun without a yes."""
        result = self.rumctl("heap", "trace", "start")
        self.assertIn("four times as slow", result.stderr)
        self.assertIn("Aborted", result.stderr)

    def test_what_a_rehearsal_does_is_told_first(self) -> None:
        """And nothing is begun without a yes."""
        result = self.rumctl("guard", "rehearse", "thin")
        self.assertIn("logons are refused", result.stderr)
        self.assertIn("Aborted", result.stderr)

    def test_not_in_the_name_of_a_member(self) -> None:
        """It would not be noted anywhere."""
        result = self.rumctl("owners", as_cid="1000001")
        self.assertEqual(result.exit_code, 2)


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield each command that does something, with the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from commands(inner, f"{path} {name}")


class PageTests(SynchronousTestCase):
    """``docs/observe.md`` speaks of what there is."""

    def test_every_command_and_option_is_there(self) -> None:
        """With the words that call it."""
        context = click.Context(rumctl)
        for noun in ("guard", "heap", "owners"):
            command = rumctl.get_command(context, noun)
            assert command is not None
            for path, each in commands(command, f"rumctl {noun}"):
                self.assertTrue(path in PAGE, path)
                self.assertTrue(each.help, path)
                for parameter in each.params:
                    if isinstance(parameter, click.Option):
                        self.assertTrue(parameter.opts[0] in PAGE, parameter.opts)
