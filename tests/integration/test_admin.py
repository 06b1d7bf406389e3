"""What an operator sees of a real server, also while it stands still."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.census import MOST_LISTED
from tests.support.twistd import PATIENCE, ROOT, free_port

TAC: Final = ROOT / "tests" / "support" / "standstill.tac"
STANDS_FOR: Final = 5.0  # seconds
AT_MOST: Final = 300.0  # seconds; a test ends it earlier
WITHIN: Final = 0.2  # seconds, an answer
_BETWEEN_TRIALS: Final = 0.05  # seconds


class AdminTestCase(SynchronousTestCase):
    """A server of its own process, with an account file and HTTP."""

    prefix: tuple[str, ...] = ()  # what the server is started with
    more_settings: tuple[str, ...] = ()

    @override
    def setUp(self) -> None:
        """Choose its places."""
        self.folder = Path(self.mktemp()).absolute()
        (self.folder / "data").mkdir(parents=True)
        (self.folder / "data" / "cert.txt").write_text("1000001 pw01 1\n")
        self.port = free_port()
        self.http = free_port()

    @contextlib.contextmanager
    def serve(self, **variables: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the server until it answers, and end it afterwards.

        Args:
            variables: of its environment, besides those that it needs.
        """
        settings = (
            f'pergola.listen=["tcp:{self.port}:interface=127.0.0.1"]',
            f'pergola.http="tcp:{self.http}:interface=127.0.0.1"',
            *self.more_settings,
        )
        environ = {
            **{
                name: os.environ[name]
                for name in ("PATH", "HOME")
                if name in os.environ
            },
            "PYTHONPATH": str(ROOT),
            "STANDSTILL": "\n".join(settings),
            **variables,
        }
        command = (
            *self.prefix,
            *(sys.executable, "-c", "from twisted.scripts.twistd import run; run()"),
            *("--nodaemon", "--pidfile=", "--logfile=rum.log", "-y", str(TAC)),
        )
        with (self.folder / "output.txt").open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - nothing comes from outside
                command,
                cwd=self.folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            self.wait_until("/health/live", "alive", process)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def wait_until(
        self, path: str, status: str, process: "subprocess.Popen[bytes] | None" = None
    ) -> None:
        """Return when ``path`` tells a status."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if self.get(path)[1]["status"] == status:
                    return
            if process is not None and process.poll() is not None:
                break
            time.sleep(_BETWEEN_TRIALS)
        words = (self.folder / "output.txt").read_text("utf-8", "replace")
        raise AssertionError(f"{path} does not tell {status!r}; it said:\n{words}")

    def stand_still(self) -> None:
        """Have the server stand still; return when it does."""
        (self.folder / "stand-still").write_text(str(AT_MOST), "ascii")
        self.wait_until("/health/live", "stuck")

    def go_on(self) -> None:
        """Have it go on."""
        end = os.open(self.folder / "go-on", os.O_WRONLY | os.O_NONBLOCK)
        os.write(end, b"!")
        os.close(end)

    def get(self, path: str) -> tuple[int, Any]:
        """Return the status of an answer, and what it says, read as JSON."""
        status, body = self.get_bytes(path)
        return status, json.loads(body)

    def get_bytes(self, path: str) -> tuple[int, bytes]:
        """Return status and body of an answer."""
        connection = HTTPConnection("127.0.0.1", self.http, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def rumctl(self, *arguments: str, typed: str = "") -> str:
        """Return what ``rumctl`` prints; ``typed`` is given to it."""
        program = "from rum_twisted.cli.main import main; main()"
        done = subprocess.run(  # noqa: S603 - nothing comes from outside
            (
                *(sys.executable, "-c", program),
                *("--set", f"data_dir={json.dumps(str(self.folder / 'data'))}"),
                *arguments,
            ),
            input=typed,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr}")
        return done.stdout


class StandstillTests(AdminTestCase):
    """A reactor that is held up for seconds, on purpose."""

    def test_everything_is_answered_and_the_line_is_named(self) -> None:
        """Health, metrics, owners, census within a fifth of a second, all the while."""
        with self.serve():
            self.stand_still()
            begun = time.monotonic()
            times: dict[str, list[float]] = {}
            while time.monotonic() - begun < STANDS_FOR:
                for path in (
                    *("/health/live", "/owners.json", "/heap/census.json"),
                    *("/guard.json", "/health/ready", "/metrics"),
                ):
                    asked = time.monotonic()
                    status, body = self.get_bytes(path)
                    times.setdefault(path, []).append(time.monotonic() - asked)
                    if path == "/metrics":
                        self.assertIn(b"\nrum_ready 0.0\n", body)
                        continue
                    facts = json.loads(body)
                    if path == "/health/ready":
                        self.assertEqual((status, facts["status"]), (503, "not ready"))
                        self.assertIn("stands still", facts["reasons"]["reactor"])
                    if path == "/health/live":
                        self.assertEqual((status, facts["status"]), (503, "stuck"))
                        self.assertIn("hold_everybody_up", facts["line"])
                        self.assertIn("standstill.tac", facts["line"])
                time.sleep(_BETWEEN_TRIALS)
            self.go_on()
            for path, all_times in times.items():
                # This machine may be busy. Whoever waited for the reactor would have
                # had no answer at all.
                self.assertLess(min(all_times), WITHIN, path)
            self.wait_until("/health/live", "alive")
            stall = json.loads(self.rumctl("heap", "lag", "--json"))["slowest"][0]
            self.assertIn("hold_everybody_up", stall["line"])
            self.assertGreaterEqual(stall["seconds"], STANDS_FOR)


class QuestionTests(AdminTestCase):
    """A server that goes round."""

    def test_over_http(self) -> None:
        """Each page has its facts."""
        with self.serve():
            names = {owner["name"] for owner in self.get("/owners.json")[1]["owners"]}
            self.assertLessEqual(
                {
                    *("connections", "outboxes", "turn", "airspace", "roster"),
                    *("flight plans", "logons", "throttle", "weather", "control"),
                    "admin",
                },
                names,
            )
            self.assertGreater(self.first_sample()["gauges"]["rss"], 10 << 20)
            self.assertGreater(self.get("/heap/census.json")[1]["frozen"], 10_000)
            self.assertIn(b"MainThread", self.get_bytes("/stacks")[1])
            self.assertEqual(self.get_bytes("/nothing")[0], 404)

    def first_sample(self) -> Any:
        """Return the sample that is taken right after the start."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            samples = self.get("/samples.json")[1]["samples"]
            if samples:
                return samples[0]
            time.sleep(_BETWEEN_TRIALS)
        raise AssertionError("there is no sample")

    def test_very_many_objects(self) -> None:
        """They are counted by walk, which meets what the start has left as well."""
        number = MOST_LISTED + 20_000
        with self.serve():
            self.first_sample()
            few = json.loads(self.rumctl("heap", "census", "--json"))
            self.assertEqual(few["method"], "list")
            marked = json.loads(self.rumctl("heap", "mark", "--json"))
            self.assertGreater(marked["objects"], few["frozen"] / 2)
            line = f"import sys; sys.many = [[n] for n in range({number})]\n"
            self.rumctl("manhole", typed=line)
            many = json.loads(self.rumctl("heap", "census", "--json"))
            self.assertEqual(many["method"], "walk")
            self.assertGreater(many["objects"], number + few["frozen"] / 2)
            self.assertIn("among them", self.rumctl("heap", "census"))
            growth = json.loads(self.rumctl("heap", "growth", "--json"))
            names = [each["name"] for each in growth["types"][:2]]
            lists = growth["types"][names.index("list")]
            self.assertTrue(number <= lists["count"] < number + 2000)

    def test_over_the_socket_file(self) -> None:
        """Each command of ``rumctl heap`` has an answer, in words and as JSON."""
        with self.serve():
            self.rumctl("heap", "mark")
            for words in (
                "owners",
                "heap owners",
                "heap census --lines 3",
                "heap growth",
                "heap growth --minutes 5",
                "heap who dict",
                "heap gc --collect",
                "heap lag",
                "heap trace start --seconds 30 --yes",
                "heap trace top",
                "heap trace stop",
            ):
                self.assertTrue(self.rumctl(*words.split()), words)
            owners = json.loads(self.rumctl("owners", "--json"))["owners"]
            self.assertIn("connections", [owner["name"] for owner in owners])
            growth = json.loads(self.rumctl("heap", "growth", "--json"))
            self.assertLess(growth["seconds"], PATIENCE * 20)
            dump = self.folder / "dump.json"
            self.rumctl("heap", "dump", str(dump))
            self.assertIn("connections", self.rumctl("heap", "show", str(dump)))
        audit = (self.folder / "data" / "audit.jsonl").read_text().splitlines()
        self.assertEqual(
            [json.loads(line)["whom"] for line in audit],
            ["gc --collect", "trace start", "trace stop", f"dump {dump}"],
        )
