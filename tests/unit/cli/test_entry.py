"""``rumctl`` where its libraries are not installed."""

import configparser
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted import __version__
from tests.support.twistd import PATIENCE, ROOT

# As in an image of a role that has no use for them.
WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({missing!r}))
from rum_twisted.cli.entry import main
main()
"""


class EntryTests(SynchronousTestCase):
    """The program that comes with every Rum."""

    def run_without(self, *missing: str) -> "subprocess.CompletedProcess[str]":
        """Run it where these modules cannot be imported; return how it ended."""
        return subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", WITHOUT.format(missing=missing), "--version"],
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=False,
            text=True,
            timeout=PATIENCE,
        )

    def test_libraries_that_are_missing(self) -> None:
        """They are named in a sentence, and how to get them."""
        finished = self.run_without("click", "rich")
        self.assertEqual(
            (finished.returncode, finished.stdout, finished.stderr),
            (2, "", "Error: rumctl needs click, rich: install 'rum-twisted[ctl]'\n"),
        )

    def test_with_its_libraries(self) -> None:
        """It is ``rumctl``."""
        finished = self.run_without()
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertIn(__version__, finished.stdout)

    def test_it_is_what_is_installed(self) -> None:
        """The program's name leads here."""
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg", "utf-8")
        scripts = setup["options.entry_points"]["console_scripts"].split("\n")
        self.assertIn("rumctl = rum_twisted.cli.entry:main", scripts)
