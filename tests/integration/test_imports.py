"""What a server imports, and above all what not: memory is spent at the import."""

import json
import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import rum_twisted

# Builds the services as twistd does and tells every module, but those of the
# standard library.
PROGRAM = """
import json, sys
from rum_twisted.tap import Options, makeService
options = Options({})
options.parseOptions(sys.argv[1:])
makeService(options)
names = {
    name.partition(".")[0] for name, module in sys.modules.items() if module is not None
}
print(json.dumps(sorted(names - set(sys.stdlib_module_names) - {"__main__"})))
"""

# One line of this list is megabytes: think before it grows.
EXPECTED = {
    "_distutils_hack",  # of setuptools, in some environments
    "attr",
    "attrs",
    "constantly",
    "incremental",
    "rum_twisted",
    "twisted",
    "typing_extensions",
    "zope",
}
HEAVY = {"sqlite3", "xml", "multiprocessing", "unittest", "distutils", "tkinter"}


def imported(*arguments: str, heavy: bool = False) -> set[str]:
    """Return the packages that a server with these options imports.

    Args:
        arguments: behind ``twistd rum``.
        heavy: tell those of the standard library's heavy ones instead.
    """
    program = PROGRAM
    if heavy:
        program = program.replace("- set(sys.stdlib_module_names)", f"& {HEAVY!r}")
    done = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(rum_twisted.__file__).parents[1])},
        text=True,
        timeout=60,
    )
    return set(json.loads(done.stdout))


class ImportTests(SynchronousTestCase):
    """What the pergola role imports."""

    def test_nothing_but_what_is_needed(self) -> None:
        """No OpenSSL, no database, no HTTP client: what is not used is not there."""
        self.assertLessEqual(imported(), EXPECTED)

    def test_nothing_heavy_of_the_standard_library(self) -> None:
        """The standard library has expensive parts as well."""
        self.assertEqual(imported(heavy=True), set())
