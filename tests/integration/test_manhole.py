"""The manhole on a real socket file, over real SSH, and from a real ``rumctl``."""

import contextlib
import fcntl
import json
import os
import pty
import pwd
import select
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.error import ConchError
from twisted.conch.ssh.keys import FingerprintFormats, Key
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, LogLevel, capturedLogs
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase
from typing_extensions import override

from rum_twisted.admin.manhole.limit import Limit
from rum_twisted.admin.manhole.lines import (
    INTERRUPT,
    LONGEST_LINE,
    read_line,
    write_line,
)
from rum_twisted.admin.manhole.seats import MOST_OPERATORS
from rum_twisted.admin.manhole.server import IsAsked, ManholeSocket
from rum_twisted.admin.manhole.shell import Shell
from rum_twisted.admin.manhole.ssh import KeyFile, SSHManhole
from rum_twisted.terms.units import Seconds
from tests.support.ssh import SSHTerminal, connect_ssh
from tests.support.twistd import PATIENCE, ROOT, Server, serve

reactor: Any = installed_reactor

_LIMIT: Final = Seconds(60.0)
# What a line may take where it is not ended by its time: this machine may be busy.
_UNHURRIED: Final = ("--set", "manhole.limit=60")
_RUMCTL: Final = (
    sys.executable,
    "-c",
    "from rum_twisted.cli.main import main; main()",
)


class Operator:
    """An operator's end of a socket file; it blocks, so threads use it.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.stream.settimeout(PATIENCE)
        self.stream.connect(str(path))
        self.lines = self.stream.makefile("rb")

    def close(self) -> None:
        """Go."""
        self.lines.close()
        self.stream.close()

    def send(self, **content: object) -> None:
        """Send a line."""
        self.stream.sendall(write_line(content))

    def read(self) -> tuple[str, Any]:
        """Return what comes next.

        Raises:
            EOFError: the server has hung up.
        """
        line = self.lines.readline()
        if not line:
            raise EOFError
        return read_line(line)

    def read_to_end(self) -> None:
        """Return when the server has hung up."""
        with contextlib.suppress(EOFError, ConnectionResetError):
            while True:
                self.read()

    def answer(self) -> str:
        """Return what is said until the next prompt, and that prompt."""
        said = ""
        while True:
            what, content = self.read()
            said += str(content)
            if what == "prompt":
                return said

    def run(self, line: str) -> str:
        """Have a line run, and return what is said of it."""
        self.send(run=line)
        return self.answer()


class SocketTests(TestCase):
    """Lines over a socket file."""

    timeout = 240.0

    @override
    def setUp(self) -> None:
        """Open a manhole with a Deferred at hand."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        self.path = folder / "data" / "manhole.sock"
        self.noted: list[tuple[str, str, str]] = []
        self.waiting: Deferred[object] = Deferred()
        self.begun = threading.Event()
        self.service = ManholeSocket(self.path, reactor, self.open_shell, self.note)
        self.service.startService()
        self.addCleanup(self.service.stopService)

    def note(self, who: str, line: str, where: str) -> None:
        """Take what is for the audit log."""
        self.noted.append((who, line, where))

    def open_shell(self, say: Any, is_asked: IsAsked, ready: Any) -> Shell:
        """Return a shell whose lines may run for a minute."""
        names = {
            "waiting": self.waiting,
            "service": self.service,
            "begun": self.begun,
        }
        return Shell(names, say, Limit(_LIMIT, is_asked), ready)

    async def connect(self) -> Operator:
        """Return an operator who has been greeted."""
        operator = Operator(self.path)
        self.addCleanup(operator.close)
        greeting = await deferToThread(operator.answer)
        self.assertIn("help()", greeting)
        return operator

    async def test_a_line_is_run(self) -> None:
        """And a block, and the log has who ran what."""
        operator = await self.connect()
        with capturedLogs() as events:
            self.assertEqual(await deferToThread(operator.run, "1 + 1"), "2\n>>> ")
        self.assertEqual(await deferToThread(operator.run, "if 1:"), "... ")
        self.assertEqual(await deferToThread(operator.run, "  7"), "... ")
        self.assertEqual(await deferToThread(operator.run, ""), "7\n>>> ")
        (event,) = events
        self.assertEqual(event["line"], "1 + 1")
        name = pwd.getpwuid(os.getuid()).pw_name
        self.assertEqual(event["who"], name)
        self.assertEqual(self.noted[0], (name, "1 + 1", "ourselves"))
        self.assertEqual([line for _, line, _ in self.noted[1:]], ["if 1:", "  7"])

    async def test_completion(self) -> None:
        """As the shell has it."""
        operator = await self.connect()
        operator.send(complete="service.measu")
        what, found = await deferToThread(operator.read)
        self.assertEqual(what, "completions")
        self.assertEqual(found, ["service.measure", "service.measures"])

    async def test_a_result_is_waited_for(self) -> None:
        """The prompt comes with it; until then nothing else is run."""
        operator = await self.connect()
        operator.send(run="waiting")
        operator.send(run="1")
        what, said = await deferToThread(operator.read)
        self.assertEqual(what, "say")
        self.assertIn("wait for the prompt", said)
        self.waiting.callback(5)
        self.assertEqual(await deferToThread(operator.answer), "5\n>>> ")

    async def test_an_interrupt_waits_no_more(self) -> None:
        """One interrupt, one prompt."""
        operator = await self.connect()
        operator.send(run="waiting")
        operator.stream.sendall(INTERRUPT)
        self.assertEqual(await deferToThread(operator.answer), ">>> ")
        self.assertEqual(await deferToThread(operator.run, "3"), "3\n>>> ")

    async def test_an_interrupt_ends_a_loop(self) -> None:
        """It is noticed while the reactor has no time to read it."""
        operator = await self.connect()
        answer = await deferToThread(self.begin_and_interrupt, operator)
        self.assertIn("interrupted: as asked", answer)
        self.assertEqual(await deferToThread(operator.run, "3"), "3\n>>> ")

    def begin_and_interrupt(self, operator: Operator) -> str:
        """Have a loop run, and ask for its end when it has begun."""
        operator.send(run="if not begun.set():\n  while True: pass\n")
        self.begun.wait(PATIENCE)
        operator.stream.sendall(INTERRUPT)
        return operator.answer()

    async def test_an_interrupt_right_behind_a_line(self) -> None:
        """It ends the line, though both have been read at once; it ends no other."""
        operator = await self.connect()
        loop = write_line({"run": "while True: pass\n"})
        three = write_line({"run": "3"})
        operator.stream.sendall(INTERRUPT + three + loop + INTERRUPT + three)
        self.assertEqual(await deferToThread(operator.answer), "3\n>>> ")
        self.assertIn("as asked", await deferToThread(operator.answer))
        self.assertEqual(await deferToThread(operator.answer), "3\n>>> ")

    async def test_many_lines_at_once(self) -> None:
        """All are run, each in a turn of its own, and others have theirs."""
        turns: list[None] = []
        turning = LoopingCall(turns.append, None)
        turning.clock = reactor
        turning.start(0)
        self.addCleanup(turning.stop)
        operator = await self.connect()
        turns.clear()
        many = 500
        lines = b"".join(write_line({"run": f"{n} * 2"}) for n in range(many))
        sending = deferToThread(operator.stream.sendall, lines)
        for n in range(many):
            answer = await deferToThread(operator.answer)
            self.assertEqual(answer, f"{n * 2}\n>>> ")
        await sending
        self.assertEqual(len(self.noted), many)
        self.assertGreaterEqual(len(turns), many)

    async def test_one_who_does_not_read(self) -> None:
        """His lines wait until he does, and nobody else is kept."""
        operator = await self.connect()
        other = await self.connect()
        flood = write_line({"run": "print('x' * 60_000)"}) * 200
        sending = deferToThread(operator.stream.sendall, flood)
        while len(self.noted) < 3:
            self.assertEqual(await deferToThread(other.run, "3"), "3\n>>> ")
        ran = -1
        while ran < len(self.noted):  # until nothing more of his is run
            ran = len(self.noted) + 20
            for _ in range(20):
                await deferToThread(other.run, "3")
        self.assertLess(ran - self.lines_of_others(), 200)
        for _ in range(200):
            self.assertGreater(len(await deferToThread(operator.answer)), 60_000)
        await sending

    def lines_of_others(self) -> int:
        """Return how many lines were but numbers."""
        return sum(line == "3" for _, line, _ in self.noted)

    async def test_hanging_up_ends_a_loop(self) -> None:
        """Whoever goes leaves nothing running."""
        operator = await self.connect()
        operator.send(run="while True: pass\n")
        operator.close()
        other = await self.connect()
        self.assertEqual(await deferToThread(other.run, "3"), "3\n>>> ")

    async def test_what_is_no_line(self) -> None:
        """It is told what was due."""
        operator = await self.connect()
        for line in (b"hello\n", b'{"run": 1}\n', b'{"fly": "up"}\n', b"[1]\n"):
            operator.stream.sendall(line)
            what, said = await deferToThread(operator.read)
            self.assertEqual(what, "say")
            self.assertIn("due", said)

    async def test_a_line_that_is_too_long(self) -> None:
        """It is the last."""
        operator = await self.connect()
        operator.stream.sendall(b"x" * 100_000)
        with self.assertRaises((EOFError, ConnectionResetError)):
            while True:
                await deferToThread(operator.read)

    async def test_not_too_many(self) -> None:
        """One more is hung up on, until somebody goes."""
        operators = [await self.connect() for _ in range(MOST_OPERATORS)]
        one_more = Operator(self.path)
        self.addCleanup(one_more.close)
        with self.assertRaises((EOFError, ConnectionResetError)):
            await deferToThread(one_more.read)
        self.assertEqual(self.service.measure().count, MOST_OPERATORS)
        operators[0].close()
        while self.service.measure().count == MOST_OPERATORS:
            await deferToThread(lambda: None)
        await self.connect()

    async def test_only_the_owner_may_open_it(self) -> None:
        """Neither group nor others have any right to the file."""
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    async def test_it_stops_and_starts(self) -> None:
        """Operators are hung up on, and the file is gone until it starts again."""
        operator = await self.connect()
        await self.service.stopService()
        with self.assertRaises((EOFError, ConnectionResetError)):
            await deferToThread(operator.read)
        self.assertFalse(self.path.exists())
        self.service.startService()
        await self.connect()

    async def test_a_line_that_closes_the_door(self) -> None:
        """It ends well, and nothing is left open."""
        operator = await self.connect()
        operator.send(run="service.stopService()")
        await deferToThread(operator.read_to_end)
        await self.service.stopService()
        self.assertFalse(self.path.exists())
        self.assertEqual(self.service.measure().count, 0)

    async def test_it_stops_while_a_result_is_due(self) -> None:
        """Nobody is told of it when it comes; whoever else waits has it."""
        operator = await self.connect()
        operator.send(run="waiting")
        operator.send(run="1")
        await deferToThread(operator.read)  # that it has to wait
        await self.service.stopService()
        self.waiting.callback(5)
        self.assertEqual(await self.waiting, 5)

    async def test_a_place_that_is_taken(self) -> None:
        """The log says so, and the server goes on."""
        other = ManholeSocket(self.path, reactor, self.open_shell, self.note)
        with capturedLogs() as events:
            other.startService()
        self.assertIn("another server listens there", events[0]["trouble"])
        await other.stopService()
        await self.connect()


class SSHTests(TestCase):
    """Keys let in, and nothing else."""

    timeout = 240.0

    @override
    def setUp(self) -> None:
        """Listen, with one key that lets in."""
        self.noted: list[tuple[str, str, str]] = []
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.key = Key(Ed25519PrivateKey.generate())
        self.keys = self.folder / "authorized_keys"
        self.keys.write_bytes(self.key.public().toString("openssh") + b"\n")
        self.host_key = self.folder / "data" / "host_key"
        self.service = self.make()
        self.service.startService()
        self.addCleanup(self.service.stopService)

    def make(self) -> SSHManhole:
        """Return a manhole on a free port."""
        return SSHManhole(
            ("127.0.0.1", 0),
            reactor,
            self.open_shell,
            self.note,
            keys=KeyFile(self.keys),
            host_key=self.host_key,
        )

    def note(self, who: str, line: str, where: str) -> None:
        """Take what is for the audit log."""
        self.noted.append((who, line, where))

    def open_shell(self, say: Any, is_asked: IsAsked, ready: Any) -> Shell:
        """Return a shell whose lines may run for a second."""
        return Shell({"fleet": [1]}, say, Limit(Seconds(1.0), is_asked), ready)

    async def connect(self, key: Key) -> SSHTerminal:
        """Return a terminal; the test closes it."""
        terminal = await connect_ssh(reactor, self.service.port, key)
        self.addCleanup(terminal.close)
        return terminal

    async def test_a_key_lets_in(self) -> None:
        """And there is a prompt."""
        terminal = await self.connect(self.key)
        await terminal.until(">>> ")
        terminal.type("6 * 7\r")
        await terminal.until("\n42")
        await terminal.until(">>> ")
        terminal.type("for n in fleet: print('n is', n)\r")
        await terminal.until("... ")
        terminal.type("\r")
        self.assertIn("n is 1", await terminal.until(">>> "))

    async def test_what_is_run_is_noted(self) -> None:
        """With the key that let in: the name is only what somebody calls himself."""
        terminal = await self.connect(self.key)
        await terminal.until(">>> ")
        terminal.type("fleet\r")
        await terminal.until("[1]")
        ((who, line, where),) = self.noted
        kind = FingerprintFormats.SHA256_BASE64
        self.assertEqual(who, f"operator (key SHA256:{self.key.fingerprint(kind)})")
        self.assertEqual((line, where), ("fleet", "SSH"))

    async def test_strangers_keep_nobody_out(self) -> None:
        """Whoever shows no key makes room, at the latest when somebody comes."""
        strangers = []
        for _ in range(MOST_OPERATORS + 3):
            stranger = socket.create_connection(("127.0.0.1", self.service.port))
            self.addCleanup(stranger.close)
            stranger.settimeout(PATIENCE)
            await deferToThread(stranger.recv, 1)
            strangers.append(stranger)
        await (await self.connect(self.key)).until(">>> ")
        with contextlib.suppress(ConnectionResetError):
            while await deferToThread(strangers[0].recv, 4096):
                pass

    async def test_a_paste(self) -> None:
        """Its lines are run one after the other; Ctrl-C forgets those that wait."""
        terminal = await self.connect(self.key)
        await terminal.until(">>> ")
        terminal.type("".join(f"print('n', {n})\r" for n in range(50)))
        for n in range(50):
            await terminal.until(f"n {n}")
        terminal.type("while True: pass\r\r" * 20)
        await terminal.until("longer than 1 s")
        terminal.type("\x03")
        terminal.type("'still ' + 'here'\r")
        await terminal.until("'still here'")
        self.assertLess(len(self.noted), 75)

    async def test_a_paste_without_end(self) -> None:
        """The line takes what it has room for; the arrows go back so far only."""
        terminal = await self.connect(self.key)
        await terminal.until(">>> ")
        terminal.type("#" * (LONGEST_LINE + 10) + "\r")
        while not self.noted:
            await terminal.until(">>> ")
        ((_, line, _),) = self.noted
        self.assertEqual(len(line), LONGEST_LINE)

    async def test_completion_and_history(self) -> None:
        """Tab goes on with a word, the arrow goes back to a line."""
        terminal = await self.connect(self.key)
        await terminal.until(">>> ")
        terminal.type("fl\t\r")
        self.assertIn("[1]", await terminal.until("]"))
        await terminal.until(">>> ")
        terminal.type("fleet.cle\t()\r")
        await terminal.until(">>> ")
        terminal.type("fleet.\t")
        await terminal.until("append  clear")
        terminal.type("\x03")
        await terminal.until(">>> ")
        terminal.type("\x1b[A\r")
        await terminal.until("fleet.clear()")

    async def test_a_loop_is_ended(self) -> None:
        """Ctrl-C cannot be read while it runs, but the limit ends it."""
        terminal = await self.connect(self.key)
        await terminal.until(">>> ")
        terminal.type("while True: pass\r")
        await terminal.until("... ")
        terminal.type("\r")
        await terminal.until("longer than 1 s")
        terminal.type("\x03")
        await terminal.until(">>> ")

    async def test_another_key_does_not(self) -> None:
        """Nor one that has been struck out."""
        stranger = Key(Ed25519PrivateKey.generate())
        await self.assertFailure(self.attempt(stranger), ConchError)
        self.keys.write_text("")
        await self.assertFailure(self.attempt(self.key), ConchError)

    async def test_without_a_file_of_keys(self) -> None:
        """Nobody comes in, and the log says why."""
        self.keys.unlink()
        with capturedLogs() as events:
            await self.assertFailure(self.attempt(self.key), ConchError)
        told = [event for event in events if "path" in event]
        self.assertEqual(told[0]["path"], self.keys)

    async def test_its_own_key_stays(self) -> None:
        """Made once, for its owner only, and the same at the next start."""
        self.assertEqual(stat.S_IMODE(self.host_key.stat().st_mode), 0o600)
        before = self.host_key.read_bytes()
        await self.service.stopService()
        self.assertEqual(self.service.port, 0)
        self.service.startService()
        self.assertEqual(self.host_key.read_bytes(), before)
        await (await self.connect(self.key)).until(">>> ")

    async def test_a_broken_key_of_its_own(self) -> None:
        """It does not listen, and the log says why; the server goes on."""
        await self.service.stopService()
        self.host_key.write_text("no key")
        with capturedLogs() as events:
            self.service.startService()
        self.assertEqual(self.service.port, 0)
        self.assertIn("cannot be had", events[0]["log_format"])

    async def test_the_real_ssh(self) -> None:
        """Without a terminal its lines are run, and that is all it can do here."""
        if shutil.which("ssh") is None:
            raise SkipTest("there is no ssh")
        own = self.folder / "key"
        own.touch(0o600)
        own.write_bytes(self.key.toString("openssh"))
        lines = "fleet\n'é' * 3\nfor n in fleet: print('n is', n)\n"
        done = await deferToThread(self.ssh, lines, "-T")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for said in ("[1]", "'ééé'", "n is 1"):
            self.assertIn(said, done.stdout)
        done = await deferToThread(self.ssh, "1\n", "-tt")
        self.assertEqual(done.returncode, 0)
        with capturedLogs() as events:
            done = await deferToThread(self.ssh, "", "", "ls")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("commands are not run", done.stderr)
        self.assertEqual(self.worse_than_info(events), [])

    def worse_than_info(self, events: Sequence[LogEvent]) -> list[LogEvent]:
        """Return what an operator would have to look at."""
        return [event for event in events if event["log_level"] > LogLevel.info]

    def ssh(
        self, lines: str, option: str, *command: str
    ) -> subprocess.CompletedProcess[str]:
        """Run OpenSSH's client; threads do, since it takes its time."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null")
        return subprocess.run(  # noqa: S603 - nothing comes from outside
            (
                *("ssh", "-F", "/dev/null", "-q", "-p", str(self.service.port)),
                *("-i", str(self.folder / "key")),
                *(part for each in options for part in ("-o", each)),
                *filter(None, (option, "ann@127.0.0.1", *command)),
            ),
            input=lines,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def attempt(self, key: Key) -> Deferred[SSHTerminal]:
        """Try to come in."""
        return connect_ssh(reactor, self.service.port, key)


class RumctlTests(SynchronousTestCase):
    """The real rumctl at the door of a real server."""

    def server_folder(self) -> Path:
        """Return a folder, short enough for the kernel, with an account file."""
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        (folder / "data").mkdir()
        (folder / "data" / "cert.txt").write_text("1000001 pw01 1\n")
        return folder

    def environ(self, folder: Path) -> dict[str, str]:
        """Return what rumctl is started with."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("RUM_")
        }
        home = str(folder)
        python = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8:strict"}
        return {**kept, **python, "TERM": "xterm", "HOME": home}

    def piped(self, server: Server, lines: str, *arguments: str) -> str:
        """Return what is said of lines that come through a pipe."""
        done = subprocess.run(  # noqa: S603 - nothing comes from outside
            (*_RUMCTL, "manhole", *arguments),
            cwd=server.folder,
            env=self.environ(server.folder),
            input=lines,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=PATIENCE,
            check=False,
        )
        return done.stdout + done.stderr

    def test_lines_through_a_pipe(self) -> None:
        """Everything lies at hand, in a daemon too."""
        folder = self.server_folder()
        with serve(folder, "rum", *_UNHURRIED, daemon=True) as server:
            said = self.piped(
                server,
                "rum\nclients\nowners\nguard\nheap.census(3)\nservices['pergola']\n"
                "for n in (1, 2): print('n is', n)\n",
            )
            for word in ("RumService", "0 online", "airspace", "objects", "n is 2"):
                self.assertIn(word, said)
            self.assertIn("what is done", said)
            audit = (folder / "data" / "audit.jsonl").read_text().splitlines()
            acts = [json.loads(line) for line in audit]
            self.assertEqual({act["act"] for act in acts}, {"manhole"})
            self.assertEqual(acts[0]["detail"], "rum")
            self.assertIn("process ", acts[0]["where"])
            self.assertIn("inside", self.piped(server, "", "pergola"))
            self.assertIn("no UTF-8", self.piped(server, "'\udce9'\n"))
            self.assertIn("nobody plays radar", self.piped(server, "", "radar"))
            server.wait_for("manhole: root" if os.getuid() == 0 else "manhole: ")
        self.assertIn("no server listens", self.piped(server, ""))

    def test_a_server_that_is_told_to_end(self) -> None:
        """It does when the line that runs has been ended, and leaves nothing."""
        folder = self.server_folder()
        with serve(folder, "rum", daemon=False) as server:
            said = self.piped(
                server,
                "import os, signal, time\n"
                "os.kill(os.getpid(), signal.SIGTERM) or time.sleep(60)\n",
            )
            self.assertIn("longer than 2 s", said)
            server.wait_for("Server Shut Down.")
            self.assertNotIn("Traceback", server.log)
        self.assertFalse((folder / "data" / "manhole.sock").exists())

    def test_on_a_terminal(self) -> None:
        """With completion, Ctrl-C and history."""
        folder = self.server_folder()
        with serve(folder, "rum", *_UNHURRIED, daemon=False) as server:
            with Terminal(server.folder, self.environ(folder)) as terminal:
                terminal.until(">>> ")
                terminal.type("heap.cen\t(1)\n")
                terminal.until("heap.census(1)")
                terminal.until("objects")
                terminal.until(">>> ")
                terminal.type("[0 for _ in iter(int, 1)]\n")
                server.wait_for("runs: [0 for")
                terminal.type("\x03")
                terminal.until("interrupted: ")
                terminal.until(">>> ")
                # While the terminal is full of what is said, too.
                terminal.type("print('x' * 60_000)\n")
                terminal.until("xxx")
                terminal.type("\x03")
                terminal.until(">>> ")
                terminal.type("'still ' + 'here'\n")
                terminal.until("'still here'")
                terminal.until(">>> ")
                terminal.type("\x04")
                self.assertEqual(terminal.wait(), 0)
            history = folder / ".rum_manhole_history"
            self.assertIn("iter(int, 1)", history.read_text())
            self.assertEqual(stat.S_IMODE(history.stat().st_mode), 0o600)


class Terminal:
    """``rumctl manhole`` on a terminal of its own.

    Args:
        folder: where it is started.
        environ: what it is started with.
    """

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(  # noqa: S603 - nothing comes from outside
            (*_RUMCTL, "manhole"),
            cwd=folder,
            env=environ,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - Ctrl-C is for it alone
        )
        os.close(slave)
        self._shown = ""

    def __enter__(self) -> "Terminal":
        """Use it."""
        return self

    def __exit__(self, *error: object) -> None:
        """End it if it still runs."""
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def type(self, keys: str) -> None:
        """Hit keys."""
        os.write(self._master, keys.encode())

    def until(self, text: str) -> None:
        """Return when ``text`` is shown; what was shown before it is forgotten."""
        deadline = time.monotonic() + PATIENCE
        while text not in self._shown:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._master], [], [], left)[0]:
                raise AssertionError(f"not shown: {text!r}; shown: {self._shown!r}")
            self._shown += os.read(self._master, 4096).decode("utf-8", "replace")
        self._shown = self._shown.partition(text)[2]

    def wait(self) -> int:
        """Return its exit status."""
        return self._process.wait(PATIENCE)


def _take_terminal() -> None:
    """Make standard input the terminal whose keys are signals."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
