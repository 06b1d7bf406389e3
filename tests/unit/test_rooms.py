"""What each room may import, as far as ruff and import-linter cannot hold it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SynchronousTestCase

ROOT: Final = Path(__file__).parents[2]
# What a session may know of Twisted: how to wait and how to log.
WAITING_AND_LOGGING: Final = {
    "twisted.internet.defer",
    "twisted.internet.interfaces",  # of clocks
    "twisted.logger",
    "twisted.python.failure",
}


def imports_of(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, "relative imports are refused by ruff"
            yield node.module


class RoomTests(SynchronousTestCase):
    """The walls that stand between Rum's rooms and Twisted."""

    def test_a_session_knows_no_transport(self) -> None:
        """It can be tested without a network, and moved to another process."""
        modules = list((ROOT / "rum_twisted" / "session").rglob("*.py"))
        self.assertTrue(modules)
        for path in modules:
            of_twisted = {
                name for name in imports_of(path) if name.split(".")[0] == "twisted"
            }
            self.assertLessEqual(of_twisted, WAITING_AND_LOGGING, path)

    def test_the_plugin_imports_nothing_of_rum(self) -> None:
        """Every twistd on the machine reads it, also to run something else."""
        for path in (ROOT / "twisted" / "plugins").glob("*.py"):
            for name in imports_of(path):
                self.assertFalse(name.startswith("rum_twisted"), path)

    def test_the_plugin_folder_is_no_package(self) -> None:
        """An ``__init__.py`` in it would hide Twisted's own plugins."""
        for folder in (ROOT / "twisted", ROOT / "twisted" / "plugins"):
            self.assertFalse((folder / "__init__.py").exists())
