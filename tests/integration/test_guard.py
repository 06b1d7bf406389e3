"""A real server with two hundred pilots, in a small box, with a part that leaks."""

import contextlib
import json
import select
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

from typing_extensions import override

from rum_twisted.admin.dump import read_dump
from tests.integration.test_admin import AdminTestCase
from tests.support.memory_box import NoBox, memory_box
from tests.support.twistd import PATIENCE, ROOT

LIMIT: Final = 96 << 20
PILOTS: Final = 200
AT_ONCE: Final = 25  # MB that leak at once, so that the test is not a minute longer
RATE: Final = 1.5  # MB a second from then on
LONGEST: Final = 240.0  # seconds; a leak takes 15 until the last resort
PLUGIN: Final = ROOT / "tests" / "support" / "leaky.py"
INTERVAL: Final = 5.0  # seconds between two reports of a pilot
RUNGS: Final = ["shrink", "thin", "observers", "logons", "cut", "last"]
_BETWEEN_TRIALS: Final = 0.05  # seconds
_CHUNK: Final = 1 << 16


class Pilots:
    """Pilots who fly, in a thread: each reports, and reads what he is sent."""

    def __init__(self, port: int) -> None:
        self.sockets = [self._log_on(port, number) for number in range(PILOTS)]
        self.gone: list[int] = []  # the server has hung up
        self.heard = [0] * PILOTS  # bytes
        self.texts = b""  # what the last one has read
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._fly, daemon=True)
        self._thread.start()

    def _log_on(self, port: int, number: int) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        client.sendall(b"#APPIL%d:SERVER:1000001:pw01:1:9:2:Joe\r\n" % number)
        heard = b""
        while b"#TM" not in heard:
            heard += client.recv(_CHUNK) or self._fail(heard)
        client.settimeout(0)
        return client

    @staticmethod
    def _fail(heard: bytes) -> bytes:
        raise AssertionError(f"not let in: {heard!r}")

    def _fly(self) -> None:
        poll = select.poll()
        places = {one.fileno(): place for place, one in enumerate(self.sockets)}
        for one in self.sockets:
            poll.register(one, select.POLLIN)
        place = 0
        while not self._end.is_set():
            report = f"@N:PIL{place}:2000:1:{48 + place / 100:.3f}:2.0:35000:250:8:1"
            with contextlib.suppress(OSError):
                self.sockets[place].sendall(report.encode() + b"\r\n")
            place = (place + 1) % PILOTS
            deadline = time.monotonic() + INTERVAL / PILOTS
            while (left := deadline - time.monotonic()) > 0:
                for number, _ in poll.poll(left * 1000):
                    self._read(poll, places[number])

    def _read(self, poll: select.poll, place: int) -> None:
        try:
            data = self.sockets[place].recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.gone.append(place)
            poll.unregister(self.sockets[place])
        self.heard[place] += len(data)
        if place == PILOTS - 1:
            self.texts += b"".join(
                line + b"\n" for line in data.splitlines() if line.startswith(b"#TM")
            )

    def land(self) -> None:
        """End it."""
        self._end.set()
        self._thread.join(PATIENCE)
        for one in self.sockets:
            one.close()


class LeakTests(AdminTestCase):
    """What becomes of everybody when a part of the process leaks."""

    @override
    def setUp(self) -> None:
        """Have it run a plugin with a mistake."""
        super().setUp()
        folder = self.folder / "data" / "plugins"
        folder.mkdir()
        shutil.copy(PLUGIN, folder / "leaky.py")
        self.more_settings = (
            f'data_dir="{self.folder / "data"}"',
            'plugins.enabled=["leaky"]',
        )

    @contextlib.contextmanager
    def box(self) -> Iterator[None]:
        """Limit the server's memory for real, or else by a setting."""
        with contextlib.ExitStack() as stack:
            try:
                self.prefix = stack.enter_context(memory_box(LIMIT))
            except NoBox:
                self.more_settings += (f"guard.memory_limit={LIMIT}",)
            yield

    def guard(self) -> Any:
        """Return what the guard tells."""
        return self.get("/guard.json")[1]

    def until(self, rung: str) -> Any:
        """Return what the guard tells when it has entered a rung."""
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline:
            facts = self.guard()
            if any(each["name"] == rung and each["times"] for each in facts["rungs"]):
                return facts
            time.sleep(_BETWEEN_TRIALS)
        raise AssertionError(f"{rung} is not reached: {facts}\n{self.log}")

    @property
    def log(self) -> str:
        """What the server has logged."""
        return (self.folder / "output.txt").read_text("utf-8", "replace")

    def try_to_log_on(self) -> bytes:
        """Return what a newcomer reads, until he is disconnected."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as newcomer:
            newcomer.sendall(b"#APNEW1:SERVER:1000001:pw01:1:9:2:Joe\r\n")
            heard = b""
            while data := newcomer.recv(_CHUNK):
                heard += data
            return heard

    def test_the_ladder(self) -> None:
        """The leak is named at once, and ended at last; pilots who fly stay."""
        with self.box(), self.serve() as process:
            pilots = Pilots(self.port)
            try:
                facts = self.until_sampled()
                self.assertEqual(facts["memory"]["limit"], LIMIT)
                self.assertEqual(facts["in_force"], [])
                (self.folder / "leak").write_text(f"{AT_ONCE} {RATE}")
                self.until("logons")
                refused = self.try_to_log_on()
                self.assertIn(b":The server is short of memory", refused)
                self.assertIn(b"$ERserver:unknown:012:", refused)
                self.until("last")
                self.wait_for("guard: plugin leaky is ended")
                self.check_the_end(pilots)
                self.assertIsNone(process.poll(), "the process has died")
            finally:
                pilots.land()

    def until_sampled(self) -> Any:
        """Return what the guard tells when a first sample can be compared with."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            facts = self.guard()
            if facts["memory"] and self.get("/samples.json")[1]["samples"]:
                return facts
            time.sleep(_BETWEEN_TRIALS)
        raise AssertionError("no limit, or no sample")

    def wait_for(self, words: str) -> None:
        """Return when the log says something."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.log:
            if time.monotonic() > deadline:
                raise AssertionError(f"not said: {words}\n{self.log}")
            time.sleep(_BETWEEN_TRIALS)

    def check_the_end(self, pilots: Pilots) -> None:
        """Check what was done, in which order, and what is left."""
        warnings = [line for line in self.log.splitlines() if "guard: shrink" in line]
        self.assertIn("owner 'plugin leaky' has grown", warnings[0])
        facts = self.guard()
        entered = [
            event["rung"] for event in facts["events"] if "memory at" in event["text"]
        ]
        self.assertEqual(entered[:6], RUNGS)
        self.assertEqual(facts["did"]["ended"], ["plugin leaky"])
        self.assertGreater(facts["did"]["logons_refused"], 0)
        self.assertEqual(facts["did"]["clients_cut"], 0)
        # Everybody still flies, and hears of it and of the others; there is room again.
        before = list(pilots.heard)
        deadline = time.monotonic() + PATIENCE
        while (
            b"out of memory" not in pilots.texts
            or any(now == then for now, then in zip(pilots.heard, before, strict=True))
            or self.get("/owners.json")[1]["rss"] > LIMIT * 0.7
        ):
            self.assertLess(time.monotonic(), deadline, "nothing is heard, or freed")
            time.sleep(_BETWEEN_TRIALS)
        self.assertEqual(pilots.gone, [])
        self.assertIn("last", self.rumctl("guard"))
        dumps = sorted((self.folder / "data" / "dumps").glob("*.json"))
        self.assertGreaterEqual(len(dumps), 2)
        owners = read_dump(dumps[-1])["owners"]["owners"]
        self.assertEqual(owners[0]["name"], "plugin leaky")

    def test_a_rehearsal(self) -> None:
        """An operator closes the door for a while, and opens it again."""
        with self.serve():
            self.rumctl("guard", "rehearse", "logons", "--yes", "--seconds", "600")
            self.assertIn(b":012:", self.try_to_log_on())
            facts = json.loads(self.rumctl("guard", "--json"))
            self.assertEqual(facts["rehearsal"]["rung"], "logons")
            self.assertIn("rehearsed", self.rumctl("guard"))
            self.rumctl("guard", "end")
            self.assertEqual(self.guard()["in_force"], [])
            self.assertIn("rehearsal of logons for 600 s, asked for by", self.log)
