"""The conformance suite, against the real ``twistd rum``."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.roles import Roles
from tests.support.twistd import PATIENCE, ROOT, free_port, serve

LONGEST = 600.0  # seconds; it takes a twentieth of it
AT_LEAST = 66  # scenarios that need no port beyond those given here
SUITE = ROOT / "tests" / "conformance"
SETTINGS = ("--config", str(ROOT / "etc" / "conformance.toml"))
DATABASE = ("--set", 'accounts.store="database"')
MEMBERS = 16  # in the suite's account file; a line of it is no account
RUMCTL = (sys.executable, "-c", "from rum_twisted.cli.main import main; main()")


def console_on(port: int) -> str:
    """Return the setting of a console at a port."""
    return f'console.listen="tcp:{port}:interface=127.0.0.1"'


class ConformanceTests(SynchronousTestCase):
    """The recorded conversations of the classic dialect."""

    def folder(self) -> Path:
        """Return a new folder to start a server in."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        return folder

    def play(self, large: Path, small: Path, *settings: str) -> str:
        """Play against a server, and one for two clients; return what is printed.

        Args:
            large: the server's folder.
            small: that of the one for two clients.
            settings: of both.
        """
        whazzup = large / "whazzup.txt"
        files = ("--set", f'data_dir="{large}"', "--set", f'status.whazzup="{whazzup}"')
        small_files = ("--set", f'data_dir="{small}"', "--set", 'status.whazzup=""')
        two = ("--set", "pergola.max_clients=2")
        rum = ("rum", *SETTINGS, *settings)
        system_port = free_port()
        console = ("--set", console_on(system_port))
        with (
            serve(large, *rum, *files, *console, daemon=False) as server,
            serve(small, *rum, *small_files, *two, daemon=False) as small_server,
        ):
            printed = self.play_at(server.port, small_server.port, whazzup, system_port)
            self.assertNotIn("Traceback", server.log)
            self.assertNotIn("Traceback", small_server.log)
        return printed

    def play_at(
        self, port: int, small_port: int, whazzup: Path, system_port: int
    ) -> str:
        """Play against servers that run; return what is printed."""
        finished = subprocess.run(  # noqa: S603  # nothing comes from outside
            (
                *(sys.executable, str(SUITE / "run.py"), "-v"),
                *("--host", "127.0.0.1", "--port", str(port)),
                *("--timeout", str(PATIENCE)),
                *("--small-port", str(small_port)),
                *("--whazzup", str(whazzup)),
                *("--system-port", str(system_port)),
            ),
            capture_output=True,
            check=False,
            text=True,
            timeout=LONGEST,
        )
        return finished.stdout + finished.stderr

    def assert_all_pass(self, printed: str, at_least: int) -> None:
        """Assert that nothing failed, and that only what needs more was skipped."""
        result = re.search(r"^(\d+) passed, (\d+) failed$", printed, re.M)
        assert result is not None, printed
        passed, failed = map(int, result.groups())
        self.assertEqual(failed, 0, printed)
        self.assertGreaterEqual(passed, at_least, printed)
        for line in printed.splitlines():
            if line.startswith("SKIP "):
                self.assertRegex(line, r"needs .*(peer|second)")

    def test_every_scenario(self) -> None:
        """All pass but those for ports that there are not, which are skipped."""
        printed = self.play(self.folder(), self.folder())
        self.assert_all_pass(printed, AT_LEAST)

    def test_every_scenario_with_a_database(self) -> None:
        """So they do with the same accounts in SQLite, imported by rumctl.

        Only that a password's upper and lower case do not count is the account file's
        own; no scenario types one otherwise than it was given.
        """
        folders = self.folder(), self.folder()
        self.import_accounts(folders[0])
        shutil.copy(folders[0] / "rum.sqlite", folders[1])
        printed = self.play(*folders, *DATABASE)
        self.assert_all_pass(printed, AT_LEAST)

    def test_every_scenario_with_each_role_in_its_own_process(self) -> None:
        """So they do where front, accounts and weather are apart.

        Both fronts, the one for two clients as well, ask the same passport.
        """
        folder = self.folder()
        roles = Roles(folder, 'data_dir="."', 'control.socket=""', config=SETTINGS[1])
        self.addCleanup(roles.kill)
        small_port, system_port = free_port(), free_port()
        processes = (
            roles.start("passport"),
            roles.start("weather"),
            roles.start(
                "pergola", 'status.whazzup="whazzup.txt"', console_on(system_port)
            ),
            roles.start(
                "pergola",
                *('status.whazzup=""', "pergola.max_clients=2"),
                name="small",
                port=small_port,
            ),
        )
        for process in processes:
            process.ready()
        printed = self.play_at(
            roles.port, small_port, folder / "whazzup.txt", system_port
        )
        self.assert_all_pass(printed, AT_LEAST)
        for process in processes:
            self.assertNotIn("Traceback", process.log)

    def import_accounts(self, folder: Path) -> None:
        """Bring the suite's accounts into the database of a folder."""
        finished = subprocess.run(  # noqa: S603  # nothing comes from outside
            (
                *(*RUMCTL, *SETTINGS, *DATABASE, "--set", f'data_dir="{folder}"'),
                *("account", "import", "cert", str(SUITE / "accounts.txt")),
            ),
            capture_output=True,
            check=False,
            cwd=ROOT,
            text=True,
            timeout=PATIENCE,
        )
        self.assertIn(f"imported: {MEMBERS},", finished.stdout, finished.stderr)
