"""``make stack``: all processes of the compose file on this machine, etcd included."""

import os
import re
import signal
import socket
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.stack.groups import find_groups
from rum_twisted.stack.state import State
from tests.support.etcd import Etcd
from tests.support.roles import Pilot, wait_until
from tests.support.stack import COMPOSE, PATIENCE, Stack

CID: Final = "1000000"
RATING: Final = 12
REPORT: Final = "EHAM 101225Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG"
FSD: Final = 6809  # the port in the compose file
HTTP: Final = 6810
EXTENDS: Final = "extend this server"


class StackTestCase(SynchronousTestCase):
    """A stack of the test's own, which ends with it."""

    @override
    def setUp(self) -> None:
        """Choose its places; write a report for its weather."""
        Etcd(Path(self.mktemp()))  # or skip the test: there is no etcd
        self.stack = Stack(Path(self.mktemp()).absolute())
        self.addCleanup(self.stack.run, "down")
        data = self.stack.folder / "weather" / "data"
        data.mkdir(parents=True)
        (data / "metar.txt").write_text(f"{REPORT}\n", "ascii")

    def assert_nothing_is_left(self) -> None:
        """Assert that no process lives, and that no port is taken."""
        wait_until(lambda: not self.stack.processes(), "all processes have ended")
        for _, port in self.stack.ports(self.stack.shift):
            with socket.create_server(("127.0.0.1", port)):
                pass
        self.assertFalse((self.stack.folder / "state.json").exists())


class StackTests(StackTestCase):
    """The course of a stack's life."""

    def pilot(self, callsign: str) -> Pilot:
        """Return a pilot who is online."""
        pilot = Pilot(self.stack.port(FSD))
        self.addCleanup(pilot.close)
        pilot.log_on(callsign, CID, self.password, RATING)
        pilot.until(f"#TMserver:{callsign}")
        return pilot

    def assert_it_works(self, callsign: str) -> Pilot:
        """Assert that a member reads reports, and a plugin answers; return him."""
        pilot = self.pilot(callsign)
        pilot.say(f"$AX{callsign}:SERVER:METAR:EHAM")
        self.assertEqual(
            pilot.until("$AR", "$ER"), f"$ARserver:{callsign}:METAR:{REPORT}"
        )
        log = self.stack.folder / "logs" / "pergola.log"
        wait_until(
            lambda: EXTENDS in log.read_text("utf-8"), "plugins extend the pergola"
        )
        pilot.say(f"#TM{callsign}:SERVER:.metar EHAM")
        self.assertEqual(pilot.until("#TM"), f"#TMserver:{callsign}:{REPORT}")
        return pilot

    def assert_it_is_up(self) -> None:
        """Assert that all run and are well, each started once, within its limits."""
        for name, each in self.stack.services().items():
            self.assertEqual((each["state"], each["health"]), ("running", "healthy"))
            self.assertEqual(each["restarts"], 0, name)
            self.assertEqual(each["kills"] or 0, 0, name)
            most = each["charged_peak"] or each["rss_peak"]
            self.assertLess(most, each["memory"], name)

    def test_up_killed_etcd_and_down(self) -> None:
        """Members log on and read reports, also while etcd is away; then all end."""
        printed = self.stack.done("up")
        shown = re.search(r"password: +(\S+)", printed)
        assert shown is not None, printed
        self.password = shown[1]
        self.assert_it_is_up()
        folders = self.assert_the_kernel_holds_the_limits()
        online = self.assert_it_works("KLM1")
        # A password is shown, and kept nowhere.
        for path in (self.stack.folder / "logs").iterdir():
            self.assertNotIn(self.password, path.read_text("utf-8"), path)
        self.assertIn("was up", self.stack.done("up"))
        self.assert_it_is_up()

        etcd = self.stack.services()["etcd_rum"]
        os.kill(etcd["pid"], signal.SIGKILL)
        self.assertTrue(online.is_online())
        self.assert_it_works("KLM2")
        wait_until(self.etcd_is_back, "etcd is started again")
        self.assertTrue(online.is_online())
        self.assert_it_works("KLM3")
        for name, each in self.stack.services().items():
            self.assertEqual(each["restarts"], int(name == "etcd_rum"), name)

        self.assertIn("is down", self.stack.done("down"))
        self.assert_nothing_is_left()
        self.assertFalse([name for name in folders.values() if Path(name).exists()])
        self.assertIn("did not run", self.stack.done("down"))
        self.assertEqual(self.stack.run("status").returncode, 1)

    def assert_the_kernel_holds_the_limits(self) -> dict[str, str]:
        """Assert that it has what stands in the file; return where it has it.

        Where no control groups can be made, nobody holds them.
        """
        groups = self.stack.status()["groups"]
        if groups is None:
            probe = find_groups("rum-stack-probe")
            self.assertIsNone(probe)
            return {}
        folders: dict[str, str] = groups["folders"]
        for name, each in self.stack.services().items():
            memory, cpu = (Path(folders[kind]) / name for kind in ("memory", "cpu"))
            own = Path(f"/proc/{each['pid']}/cgroup").read_text("ascii")
            self.assertIn(f"/{name}\n", own)
            if groups["is_second"]:
                limit, quota = "memory.max", (cpu / "cpu.max").read_text().split()[0]
            else:
                limit = "memory.limit_in_bytes"
                quota = (cpu / "cpu.cfs_quota_us").read_text()
            self.assertEqual(int((memory / limit).read_text()), each["memory"])
            self.assertEqual(int(quota), round(each["cpus"] * 100_000))
        return folders

    def etcd_is_back(self) -> bool:
        """Tell whether etcd has been started anew, and is well."""
        etcd = self.stack.services()["etcd_rum"]
        return (etcd["restarts"], etcd["health"]) == (1, "healthy")

    def test_after_a_crash(self) -> None:
        """A supervisor that is killed leaves nobody behind; the next one starts all."""
        self.stack.done("up")
        first = self.stack.status()
        os.kill(first["supervisor"], signal.SIGKILL)
        wait_until(lambda: not self.stack.processes(), "the others end with it")
        # Meanwhile somebody else has its number: nobody must be taken for it.
        (self.stack.folder / "lock").write_text(str(os.getpid()), "ascii")
        self.assertEqual(self.stack.run("status").returncode, 1)
        self.stack.done("up")
        self.assert_it_is_up()
        self.assertNotEqual(self.stack.status()["supervisor"], first["supervisor"])
        self.stack.done("down")
        self.assert_nothing_is_left()


class TroubleTests(StackTestCase):
    """What keeps a stack from starting."""

    def assert_refused(self, *words: str, why: str) -> None:
        """Assert that a command fails with a sentence, and leaves nothing behind."""
        finished = self.stack.run(*words)
        self.assertEqual(finished.returncode, 1, finished.stdout)
        self.assertIn(why, finished.stderr)
        self.assertNotIn("Traceback", finished.stderr)
        self.assertEqual(self.stack.processes(), ())

    def test_a_port_that_is_taken(self) -> None:
        """It is named, with its service and a way out; nothing is started."""
        port = self.stack.port(HTTP)
        with socket.create_server(("127.0.0.1", port)):
            self.assert_refused("up", why=f"port {port}, where pergola is to listen")

    def test_a_folder_that_cannot_be_made(self) -> None:
        """It is named."""
        path = Path(self.mktemp()).absolute()
        path.touch()
        words = ("--folder", str(path / "stack"), "up")
        self.assert_refused(*words, why=f"nothing can be written to {path}")

    def test_another_one_runs_there(self) -> None:
        """One that listens elsewhere is not waited for in vain."""
        state = State(self.stack.folder)
        with state.held():
            compose = str(COMPOSE)
            state.write({"shift": self.stack.shift + 1, "compose": compose})
            self.assert_refused("up", why=f"shifted by {self.stack.shift + 1}; end it")

    def test_interrupted(self) -> None:
        """What was begun goes on, and that is said."""
        # Tests that run in a shell's background ignore Ctrl-C, and so would it.
        mine = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, mine)
        process = self.stack.begin("up")
        state = self.stack.folder / "state.json"
        wait_until(state.exists, "the supervisor has begun")
        process.send_signal(signal.SIGINT)
        _, words = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1)
        self.assertIn("interrupted; what was begun goes on", words)
        self.assertNotIn("Traceback", words)
        self.assertIn("etcd_rum", self.stack.services())

    def test_a_service_that_does_not_stay_up(self) -> None:
        """Its last words are shown, and the others are ended."""
        self.stack.environ["RUM_PERGOLA__MAX_CLIENTS"] = "none at all"
        self.assert_refused("up", why="pergola.max_clients")

    def test_a_compose_file_that_cannot_be_used(self) -> None:
        """It is named, with what is wrong."""
        path = Path(self.mktemp())
        path.write_text(
            COMPOSE.read_text("utf-8").replace("restart: always", "restart: x")
        )
        self.assert_refused("--compose", str(path), "up", why="restart: 'x'")
