"""The real ``rumctl``: a process, a terminal, PostgreSQL, a server that runs."""

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from tests.support.members import sqlite_rows
from tests.support.postgres import Postgres
from tests.support.twistd import PATIENCE, ROOT, Server, serve

_PROGRAM: Final = (
    sys.executable,
    "-c",
    "from rum_twisted.cli.main import main; main()",
    "--set",
    "accounts.hash_memory=1024",
)
_PASSWORD: Final = "hunter22"
_BETWEEN_LOOKS: Final = 0.05  # seconds

OPENFSD: Final = """
    CREATE TABLE users (
        cid serial PRIMARY KEY, password char(60) NOT NULL, first_name varchar(255),
        last_name varchar(255), network_rating smallint NOT NULL
    );
    INSERT INTO users (password, first_name, network_rating)
    VALUES ('$2b$04$' || repeat('a', 53), 'Zoë', 5), ('short', '', 1)
"""
SIMPLEFSD: Final = """
    CREATE TABLE users (
        id bigserial PRIMARY KEY, username varchar(64), email varchar(128),
        cid bigint, password varchar(128), rating bigint, created_at timestamptz
    );
    INSERT INTO users (username, email, cid, password, rating, created_at)
    VALUES ('zoe', 'zoe@example.org', 7, '$2b$04$' || repeat('a', 53), 0,
        '2026-01-01T08:00+08:00')
"""


def environ() -> dict[str, str]:
    """Return an environment without settings of Rum, and without SSH's traces."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RUM_", "SSH_", "SUDO_"))
    }
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm"}


class Terminal:
    """A command on a terminal of its own, and somebody who types there."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        pid, self._descriptor = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.execvpe(_PROGRAM[0], [*_PROGRAM, *arguments], environ())  # noqa: S606
        self._pid = pid
        self.shown = ""

    def answer(self, question: str, typed: str) -> None:
        """Wait until the question is shown, and type the answer."""
        self._read_until(question)
        sent = typed.encode(errors="surrogateescape")
        os.write(self._descriptor, sent + b"\n")

    def end(self) -> int:
        """Read what is shown until it ends; returns its exit code."""
        self._read_until(None)
        os.close(self._descriptor)
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status)

    def _read_until(self, text: str | None) -> None:
        deadline = time.monotonic() + PATIENCE
        seen = len(self.shown)
        while text is None or text not in self.shown[seen:]:
            rest = deadline - time.monotonic()
            if rest <= 0 or not select.select([self._descriptor], [], [], rest)[0]:
                os.kill(self._pid, signal.SIGKILL)
                raise AssertionError(f"{text!r} has not come:\n{self.shown}")
            try:
                chunk = os.read(self._descriptor, 65536)
            except OSError:  # Linux's word for the end of a terminal
                chunk = b""
            if not chunk:
                if text is not None:
                    raise AssertionError(f"{text!r} has not come:\n{self.shown}")
                return
            self.shown += chunk.decode()


class RumctlTestCase(SynchronousTestCase):
    """A folder with a server's data, and the program beside it."""

    @override
    def setUp(self) -> None:
        """Make the folder."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def rumctl(
        self, *arguments: str, typed: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command without a terminal."""
        return subprocess.run(  # noqa: S603 - our own program
            [*_PROGRAM, *arguments],
            capture_output=True,
            check=False,
            cwd=self.folder,
            env=environ(),
            input=typed,
            text=True,
            timeout=PATIENCE * 2,
        )

    def done(self, *arguments: str, typed: str = "") -> str:
        """Run a command that succeeds, and return what it prints."""
        finished = self.rumctl(*arguments, typed=typed)
        self.assertEqual(finished.returncode, 0, finished.stderr)
        return finished.stdout

    def add(self, cid: str, *options: str) -> None:
        """Register a member with the password of all of them."""
        self.done("account", "add", cid, "--password-stdin", *options, typed=_PASSWORD)


class ProcessTests(RumctlTestCase):
    """What a script sees."""

    def test_exit_codes(self) -> None:
        """0: done. 1: refused. 2: the command line or the settings are wrong."""
        self.assertEqual(self.rumctl("--version").returncode, 0)
        for code, arguments in (
            (0, ("account", "import", "csv", "members.csv")),
            (0, ("account", "show", "1")),
            (1, ("account", "show", "2")),
            (1, ("account", "import", "csv", "none.csv")),
            (1, ("lockouts",)),
            (2, ("account", "show")),
            (2, ("--set", "accounts.stor=1", "account", "list")),
            (2, ("--config", "none.toml", "account", "list")),
        ):
            (self.folder / "members.csv").write_text("cid,rating\n1,1\n")
            finished = self.rumctl(*arguments)
            self.assertEqual(finished.returncode, code, finished)
            self.assertNotIn("Traceback", finished.stderr)
            self.assertEqual(bool(finished.stderr), bool(code), finished)

    def test_closed_streams(self) -> None:
        """A scheduler that closes standard input gets a sentence, not a traceback."""
        self.done("database", "upgrade")
        for arguments, why in (
            (("account", "add", "1", "--password-stdin"), "the password is empty"),
            (("account", "add", "1"), "no terminal to ask on"),
        ):
            finished = subprocess.run(  # noqa: S603 - our own program
                ["/bin/sh", "-c", 'exec "$@" <&- >&-', "sh", *_PROGRAM, *arguments],
                check=False,
                cwd=self.folder,
                env=environ(),
                stderr=subprocess.PIPE,
                text=True,
                timeout=PATIENCE * 2,
            )
            self.assertEqual(finished.returncode, 1, finished.stderr)
            self.assertIn(why, finished.stderr)
            self.assertNotIn("Traceback", finished.stderr)

    def test_settings_are_those_of_the_server(self) -> None:
        """From the file, its folder and the command line."""
        (self.folder / "etc").mkdir()
        config = self.folder / "etc" / "rum.toml"
        config.write_text('data_dir = "../members"\n', encoding="utf-8")
        self.done("--config", str(config), "database", "upgrade")
        self.assertTrue((self.folder / "members" / "rum.sqlite").exists())
        self.done("--set", 'data_dir="others"', "database", "upgrade")
        self.assertTrue((self.folder / "others" / "rum.sqlite").exists())

    def test_asking_the_server_loads_no_database(self) -> None:
        """It is done in a moment, also on a small machine."""
        program = (
            "import sys; from rum_twisted.cli.main import rumctl\n"
            "try: rumctl(['lockouts'])\n"
            "except SystemExit: print(*sys.modules)"
        )
        finished = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            cwd=self.folder,
            env=environ(),
            text=True,
        )
        for library in ("sqlalchemy", "alembic", "argon2", "bcrypt", "twisted"):
            self.assertNotIn(library, finished.stdout.split(), library)

    def test_what_is_printed_can_be_cut_off(self) -> None:
        """``rumctl account list | head`` is no error."""
        self.add("1")
        program = " ".join(f"'{word}'" for word in _PROGRAM)
        for command in ("account list --json", "account export", "account list"):
            finished = subprocess.run(  # noqa: S602 - our own program
                f"{program} {command} | true",
                shell=True,
                capture_output=True,
                check=False,
                cwd=self.folder,
                env=environ(),
                text=True,
            )
            self.assertNotIn("Traceback", finished.stderr)
            self.assertNotIn("database", finished.stderr)

    def test_an_import_goes_on_after_an_interruption(self) -> None:
        """Ctrl-C ends it without a traceback; begun again, it does the rest."""
        rows = "".join(f"{number} pw{number} 1\n" for number in range(3000))
        (self.folder / "cert.txt").write_text(rows)
        arguments = (
            *(
                "--set",
                'accounts.store="database"',
                "--set",
                "accounts.hash_memory=4096",
            ),
            *("account", "import", "cert", "cert.txt", "--hash", "--threads", "1"),
        )
        self.done(*arguments[:2], "database", "upgrade")
        # Where a shell runs the tests in the background, Ctrl-C is ignored, and
        # would be by the program as well.
        mine = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, mine)
        with subprocess.Popen(  # noqa: S603 - our own program
            [*_PROGRAM, *arguments],
            cwd=self.folder,
            env=environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                deadline = time.monotonic() + PATIENCE * 3  # a hash may be slow
                while self.members() < 200:
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(_BETWEEN_LOOKS)
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=PATIENCE * 3)
            finally:
                process.kill()  # or the end of the block would wait for all of them
        self.assertEqual(process.returncode, 1)
        self.assertRegex(errors, r"^interrupted: imported so far: \d+; begin again")
        self.assertNotIn("Traceback", errors)
        before = self.members()
        self.assertLess(before, 3000)
        # The rest, without hashes: what counts is that nobody comes twice.
        finished = self.done(*arguments[:2], "account", "import", "cert", "cert.txt")
        self.assertIn(
            f"imported: {3000 - before}, registered already: {before}", finished
        )

    def members(self) -> int:
        """Return how many members there are."""
        ((count,),) = sqlite_rows(
            self.folder / "data" / "rum.sqlite", "SELECT count(*) FROM rum_members"
        )
        return int(count)


class TerminalTests(RumctlTestCase):
    """What a person sees."""

    def test_a_password_is_asked_for_twice_and_not_shown(self) -> None:
        """A slip is noticed before it locks somebody out."""
        terminal = Terminal(self.folder, "account", "add", "1000001")
        terminal.answer("New password: ", _PASSWORD)
        terminal.answer("Repeat for confirmation: ", "another")
        terminal.answer("New password: ", _PASSWORD)
        terminal.answer("Repeat for confirmation: ", _PASSWORD)
        self.assertEqual(terminal.end(), 0, terminal.shown)
        self.assertNotIn(_PASSWORD, terminal.shown)
        (entry,) = json.loads(self.done("audit", "--json"))
        self.assertIn("pts/", entry["address"])

    def test_a_password_that_is_no_text(self) -> None:
        """Whose terminal sends Latin-1 reads so, and no traceback."""
        terminal = Terminal(self.folder, "account", "add", "1000001")
        terminal.answer("New password: ", "M\udcfcller")
        self.assertEqual(terminal.end(), 1)
        self.assertIn("is not UTF-8 text", terminal.shown)
        self.assertNotIn("Traceback", terminal.shown)

    def test_a_question_can_be_answered_no(self) -> None:
        """And nobody is deleted; with y he is."""
        self.add("1000001")
        for answer, code in (("n", 1), ("y", 0)):
            terminal = Terminal(self.folder, "account", "delete", "1000001")
            terminal.answer("Delete 1000001? [y/N]: ", answer)
            self.assertEqual(terminal.end(), code, terminal.shown)
        self.assertEqual(self.rumctl("account", "show", "1000001").returncode, 1)

    def test_a_long_import_shows_how_far_it_is(self) -> None:
        """On the terminal, and gone when it is done."""
        rows = "".join(f"{number},1\n" for number in range(3000))
        (self.folder / "members.csv").write_text("cid,rating\n" + rows)
        terminal = Terminal(self.folder, "account", "import", "csv", "members.csv")
        self.assertEqual(terminal.end(), 0, terminal.shown)
        self.assertIn("importing", terminal.shown)
        self.assertIn("3000/3000", terminal.shown)
        self.assertIn("imported: 3000", terminal.shown)

    def as_member(self, cid: str, password: str, *arguments: str) -> tuple[int, str]:
        """Run a command in the name of a member; returns exit code and output."""
        terminal = Terminal(self.folder, "--as", cid, *arguments)
        terminal.answer(f"Password of {cid}: ", password)
        return terminal.end(), terminal.shown

    def test_acting_as_a_member(self) -> None:
        """Who may, and knows his password, stands in the audit log himself."""
        self.add("1000012", "--rating", "12", "--permit", "accounts")
        self.add("1000011", "--rating", "11")
        act = ("account", "rating", "1000011", "3")
        self.assertEqual(self.as_member("1000012", _PASSWORD, *act)[0], 0)
        entry = json.loads(self.done("audit", "--json", "--limit", "1"))[0]
        self.assertEqual((entry["by"], entry["act"]), ("1000012", "change"))
        for cid, password, why in (
            ("1000012", "wrong", "wrong CID or password"),
            ("1000099", _PASSWORD, "wrong CID or password"),
            ("1000011", _PASSWORD, "may not manage accounts"),
        ):
            code, shown = self.as_member(cid, password, *act)
            self.assertEqual(code, 1)
            self.assertIn(why, shown)
        self.done("account", "suspend", "1000012", "--reason", "x")
        code, shown = self.as_member("1000012", _PASSWORD, *act)
        self.assertEqual(code, 1)
        self.assertIn("may not manage accounts", shown)


class PostgresTests(RumctlTestCase):
    """Members in PostgreSQL, and members who come from there."""

    @override
    def setUp(self) -> None:
        """Start a server."""
        super().setUp()
        self.postgres = Postgres.serving()
        self.addCleanup(self.postgres.remove)

    def store(self) -> tuple[str, ...]:
        """Return the settings for a new database."""
        return "--set", f'accounts.database="{self.postgres.new_database()}"'

    def source(self, statements: str) -> str:
        """Return the URL of a new database with other tables."""
        url = self.postgres.new_database()
        self.postgres.query(statements, database=url.rsplit("/", 1)[1])
        return url.replace("+asyncpg", "")

    def test_members_come_from_there(self) -> None:
        """As openfsd and SimpleFSD keep them in PostgreSQL."""
        self.import_from_openfsd()
        self.import_from_simplefsd()

    def test_every_command_works_there_too(self) -> None:
        """What is written is read back, and what is exported is the same."""
        store = self.store()
        (self.folder / "members.csv").write_text(
            "cid,rating,name,password\n2,3,王,pw\n1,1,Zoë,pw\n", encoding="utf-8"
        )
        self.done(*store, "account", "import", "csv", "members.csv")
        self.done(*store, "account", "suspend", "1", "--reason", "x", "--for", "7d")
        self.done(*store, "account", "permit", "2", "kick")
        self.done(*store, "account", "passwd", "2", "--generate")
        first = self.done(*store, "account", "export", "--with-hashes")
        (self.folder / "first.csv").write_text(first, encoding="utf-8")
        other = self.store()
        self.done(*other, "account", "import", "csv", "first.csv")
        self.assertEqual(self.done(*other, "account", "export", "--with-hashes"), first)
        self.done(*store, "account", "delete", "2", "--yes")
        found = json.loads(self.done(*store, "account", "list", "--json"))
        self.assertEqual([one["name"] for one in found], ["Zoë"])
        acts = json.loads(self.done(*store, "audit", "--json"))
        self.assertEqual(
            [entry["act"] for entry in acts],
            ["delete", "export", "password", "change", "suspend", "import"],
        )

    def import_from_openfsd(self) -> None:
        """Take its table over as it makes it: passwords have a fixed length."""
        url = self.source(OPENFSD)
        finished = self.rumctl("account", "import", "openfsd", url)
        self.assertEqual(finished.returncode, 1)
        self.assertIn("row 2 (2): its password cannot be used", finished.stderr)
        found = json.loads(self.done("account", "show", "1", "--json"))
        self.assertEqual((found["name"], found["rating"]), ("Zoë", 5))
        self.assertEqual(found["password"], "bcrypt")

    def import_from_simplefsd(self) -> None:
        """Take its table over as it makes it: times know their zone."""
        url = self.source(SIMPLEFSD)
        self.done("account", "import", "simplefsd", url)
        found = json.loads(self.done("account", "show", "0007", "--json"))
        self.assertEqual(found["rating"], 1)
        self.assertEqual(found["created"], "2026-01-01T00:00:00+00:00")


class ServerTests(RumctlTestCase):
    """A server that runs, and the operator beside it."""

    def log_on(self, server: Server, password: str, callsign: str = "AFR1") -> str:
        """Log on as 1000001, and return what the server says to it at first."""
        line = f"#AP{callsign}:SERVER:1000001:{password}:1:9:2:Joe\r\n"
        address = ("127.0.0.1", server.port)
        with socket.create_connection(address, timeout=PATIENCE) as client:
            client.sendall(line.encode())
            with client.makefile("r", encoding="latin-1", newline="\r\n") as lines:
                return lines.readline()

    def test_what_rumctl_changes_counts_at_once(self) -> None:
        """Lockouts, a suspension, a new password, and the sessions that were."""
        self.add("1000001")
        settings = (
            *("--set", "accounts.failures_per_cid=2"),
            *("--set", "accounts.hash_memory=1024"),
            *("--set", "accounts.write_interval=0.1"),
        )
        with serve(self.folder, "rum", *settings, daemon=False) as server:
            self.assertNotIn("$ER", self.log_on(server, _PASSWORD))
            self.done("account", "suspend", "1000001", "--reason", "spam, mostly")
            self.assertIn("spam, mostly", self.log_on(server, _PASSWORD))
            self.done("account", "lift", "1000001")
            self.done("account", "passwd", "1000001", "--password-stdin", typed="new22")
            self.assertIn("$ER", self.log_on(server, _PASSWORD))
            self.assertNotIn("$ER", self.log_on(server, "new22"))
            self.check_lockouts(server)
            self.wait_for_sessions(3)

    def check_lockouts(self, server: Server) -> None:
        """Guess too often, and be let go."""
        for _ in range(4):
            self.assertIn("$ER", self.log_on(server, "guess"))
        found = json.loads(self.done("lockouts", "--json"))
        self.assertIn("1000001", [lockout["key"] for lockout in found])
        self.assertIn("1000001", self.done("lockouts"))
        self.done("lockouts", "lift", "1000001", "--dry-run")
        self.done("lockouts", "lift", "1000001")
        (entry,) = json.loads(self.done("audit", "--json", "--limit", "1"))
        self.assertEqual((entry["act"], entry["whom"]), ("unlock", "1000001"))
        finished = self.rumctl("lockouts", "lift", "1000001")
        self.assertEqual(finished.returncode, 1)
        self.assertIn("nobody is kept waiting", finished.stderr)
        self.assertNotIn("$ER", self.log_on(server, "new22"))

    def wait_for_sessions(self, count: int) -> None:
        """Return when the member has so many sessions that have ended."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = json.loads(self.done("sessions", "1000001", "--json"))
            if len(found) == count and all(one["to"] for one in found):
                return
            self.assertLess(time.monotonic(), deadline, found)
            time.sleep(_BETWEEN_LOOKS)
