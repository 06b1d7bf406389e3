"""The conformance suite, against the real ``twistd rum``."""

import re
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.twistd import ROOT, serve

LONGEST = 300.0  # seconds; it takes a tenth of it
AT_LEAST = 58  # scenarios that need no port beyond those given here


class ConformanceTests(SynchronousTestCase):
    """The recorded conversations of the classic dialect."""

    def folder(self) -> Path:
        """Return a new folder to start a server in."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        return folder

    def test_every_scenario(self) -> None:
        """All pass but those for ports that there are not, which are skipped."""
        suite = ROOT / "tests" / "conformance"
        settings = ("rum", "--config", str(ROOT / "etc" / "conformance.toml"))
        large, small = self.folder(), self.folder()
        whazzup = large / "whazzup.txt"
        files = ("--set", f'data_dir="{large}"', "--set", f'status.whazzup="{whazzup}"')
        small_files = ("--set", f'data_dir="{small}"', "--set", 'status.whazzup=""')
        two = ("--set", "pergola.max_clients=2")
        with (
            serve(large, *settings, *files, daemon=False) as server,
            serve(small, *settings, *small_files, *two, daemon=False) as small_server,
        ):
            finished = subprocess.run(  # noqa: S603  # nothing comes from outside
                (
                    *(sys.executable, str(suite / "run.py"), "-v"),
                    *("--host", "127.0.0.1", "--port", str(server.port)),
                    *("--small-port", str(small_server.port)),
                    *("--whazzup", str(whazzup)),
                ),
                capture_output=True,
                check=False,
                text=True,
                timeout=LONGEST,
            )
            self.assertNotIn("Traceback", server.log)
            self.assertNotIn("Traceback", small_server.log)
        result = re.search(r"^(\d+) passed, (\d+) failed$", finished.stdout, re.M)
        assert result is not None, finished.stdout + finished.stderr
        passed, failed = map(int, result.groups())
        self.assertEqual((failed, finished.returncode), (0, 0), finished.stdout)
        self.assertGreaterEqual(passed, AT_LEAST, finished.stdout)
        skipped = [
            line for line in finished.stdout.splitlines() if line.startswith("SKIP ")
        ]
        for line in skipped:
            self.assertRegex(line, r"needs .*(system|peer|second)")
