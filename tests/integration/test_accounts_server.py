"""The real ``twistd rum`` with its accounts in a database, from the first start on."""

import re
import socket
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.control.client import ControlClient, Refused
from tests.support.postgres import Postgres
from tests.support.twistd import PATIENCE, Server, run_twistd, serve

CID = "1000000"
FIRST = re.compile(r"password: +(\S+)  \(shown once\)")
SECONDS_TO_END = 20.0  # most of it is for a busy machine; it takes a moment
BRIEF = ("--set", "accounts.write_interval=0.2")
# A database that fails is noticed at once; one that is slow here is none that fails.
PATIENT = (
    *("--set", "pergola.login_timeout=300"),
    *("--set", "accounts.answer_within=240"),
    *("--set", "accounts.query_timeout=30"),
)


class Client:
    """A client of the classic kind, on a socket that blocks.

    Args:
        port: of the server.
        home: the address of loopback that he comes from.
    """

    def __init__(self, port: int, home: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection(
            ("127.0.0.1", port), timeout=PATIENCE, source_address=(home, 0)
        )
        self._lines = self._socket.makefile("rb")

    def say(self, line: str) -> None:
        """Send a line."""
        self._socket.sendall(line.encode("latin-1") + b"\r\n")

    def read(self) -> str:
        """Return the next line; empty at the end of the connection."""
        return self._lines.readline().decode("latin-1").rstrip("\r\n")

    def read_until(self, begin: str) -> str:
        """Return the next line that begins so."""
        while not (line := self.read()).startswith(begin):
            if not line:
                raise EOFError(begin)
        return line

    def read_all(self) -> list[str]:
        """Return all lines up to the end of the connection."""
        return [line.decode("latin-1").rstrip("\r\n") for line in self._lines]

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()


def logon(callsign: str, password: str, *, rating: int = 12) -> str:
    """Return the line with which the administrator logs on as a controller."""
    return f"#AA{callsign}:SERVER:Ann:{CID}:{password}:{rating}:9"


class DatabaseTestCase(SynchronousTestCase):
    """A server with an SQLite file in a folder of its own."""

    def folder(self) -> Path:
        """Return a new folder to start a server in."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        return folder

    @contextmanager
    def first_start(self, *options: str) -> Iterator[tuple[Server, str]]:
        """Start a server in a new folder; give it and the administrator's password."""
        with serve(self.folder(), "rum", *BRIEF, *options, daemon=False) as server:
            server.wait_for("(shown once)")
            found = FIRST.search(server.terminal)
            assert found is not None, server.terminal
            yield server, found[1]

    @contextmanager
    def connect(self, server: Server, home: str = "127.0.0.1") -> Iterator[Client]:
        """Give the client's end of a new connection."""
        with closing(Client(server.port, home)) as client:
            yield client

    def rows(self, server: Server, statement: str) -> list[tuple[object, ...]]:
        """Return what a look into the database of a server finds."""
        with closing(sqlite3.connect(server.folder / "data" / "rum.sqlite")) as look:
            return look.execute(statement).fetchall()

    def assert_it_ends_well(self, server: Server) -> None:
        """Assert that it ends soon, without a traceback, and leaves no socket file."""
        self.assertLess(server.terminate(), SECONDS_TO_END)
        self.assertNotIn("Traceback", server.log)
        self.assertFalse((server.folder / "data" / "control.sock").exists())


class FirstStartTests(DatabaseTestCase):
    """A server that is started for the first time, without any setting."""

    def test_the_administrator_can_log_on(self) -> None:
        """With the password that the terminal showed, and with no other."""
        with self.first_start() as (server, password):
            with self.connect(server) as client:
                client.say(logon("EHAM_SUP", password))
                self.assertTrue(client.read().startswith("#TMserver:EHAM_SUP:"))
            with self.connect(server) as client:
                client.say(logon("EHAM_TWR", password.upper()))
                self.assertEqual(
                    client.read_all(),
                    [f"$ERserver:unknown:006:{CID}:Invalid CID/password"],
                )
            self.assert_it_ends_well(server)

    def test_the_password_is_nowhere_else(self) -> None:
        """Neither in the log nor, readable, in the database, which is the owner's."""
        with self.first_start() as (server, password):
            self.assertNotIn(password, server.log)
            data = server.folder / "data"
            for path in data.iterdir():
                if path.is_file():
                    self.assertNotIn(password.encode(), path.read_bytes(), path)
            mode = stat.S_IMODE((data / "rum.sqlite").stat().st_mode)
            self.assertEqual(mode, 0o600)

    def test_the_second_start_makes_nobody(self) -> None:
        """The administrator stays as he is."""
        with self.first_start() as (server, password):
            server.terminate()
        with serve(server.folder, "rum", daemon=False) as second:
            second.wait_for("rum.sqlite is open")
            with self.connect(second) as client:
                client.say(logon("EHAM_SUP", password))
                self.assertTrue(client.read().startswith("#TMserver:EHAM_SUP:"))
            self.assertNotIn("First start", second.terminal)

    def test_a_daemon_shows_no_password(self) -> None:
        """It has no terminal; its log says how to set another one."""
        with serve(self.folder(), "rum", daemon=True) as server:
            server.wait_for("administrator 1000000 was made")
            self.assertNotIn("password: ", server.log)
            self.assertIn(f"rumctl account passwd {CID}", server.log)
            self.assert_it_ends_well(server)

    def test_an_account_file_in_the_data_folder_is_taken(self) -> None:
        """Who comes with his cert.txt needs no setting, and no database is made."""
        folder = self.folder()
        (folder / "data").mkdir()
        (folder / "data" / "cert.txt").write_text(f"{CID} secret 12\n")
        with serve(folder, "rum", daemon=False) as server:
            self.assertIn("cert.txt", server.terminal)
            with self.connect(server) as client:
                client.say(logon("EHAM_SUP", "SECRET"))
                self.assertTrue(client.read().startswith("#TMserver:EHAM_SUP:"))
            self.assertFalse((folder / "data" / "rum.sqlite").exists())
            self.assert_it_ends_well(server)

    def test_a_database_url_that_cannot_be_used(self) -> None:
        """It is refused before the start, and its password is not shown."""
        url = "postgresql+asyncpg://rum:secret@localhost:port/rum"
        finished = run_twistd(
            self.folder(), "--nodaemon", "rum", "--set", f'accounts.database="{url}"'
        )
        self.assertEqual(finished.status, 1, finished.printed)
        self.assertIn("accounts.database: not a database URL", finished.printed)
        self.assertNotIn("secret", finished.printed)
        self.assertNotIn("Traceback", finished.printed)


class LogbookTests(DatabaseTestCase):
    """What the server writes down."""

    def test_a_visit_and_a_kill_are_kept(self) -> None:
        """Who was on, until when, and what a supervisor did, after the server's end."""
        with self.first_start() as (server, password):
            with (
                self.connect(server) as supervisor,
                self.connect(server) as other,
            ):
                supervisor.say(logon("EHAM_SUP", password))
                supervisor.read_until("#TM")
                other.say(logon("EHAM_TWR", password, rating=5))
                supervisor.read_until("#AAEHAM_TWR")
                supervisor.say("$!!EHAM_SUP:EHAM_TWR:no reason")
                other.read_all()
                self.assert_it_ends_well(server)
            sessions = self.rows(
                server, "SELECT callsign, address, is_open FROM rum_sessions ORDER BY 1"
            )
            self.assertEqual(
                sessions, [("EHAM_SUP", "127.0.0.1", 0), ("EHAM_TWR", "127.0.0.1", 0)]
            )
            (kill,) = self.rows(
                server,
                "SELECT by_whom, act, whom, detail, address FROM rum_audit"
                " WHERE act = 'kill'",
            )
            self.assertEqual(
                kill,
                (
                    f"{CID} EHAM_SUP",
                    "kill",
                    f"{CID} EHAM_TWR",
                    "no reason",
                    "127.0.0.1",
                ),
            )


class LockoutTests(DatabaseTestCase):
    """Guessing passwords."""

    def test_a_guesser_waits_until_he_is_let_go(self) -> None:
        """The right password waits, too; the operator sees it, and lifts it."""
        few = ("--set", "accounts.failures_per_cid=2")
        with self.first_start(*few) as (server, password):
            for _ in range(3):
                self.assertEqual(len(self.try_once(server, "wrong")), 1)
            notice, error = self.try_once(server, password)
            self.assertIn("#TMserver:EHAM_SUP:too many wrong passwords", notice)
            self.assertEqual(error, f"$ERserver:unknown:006:{CID}:Invalid CID/password")

            control = ControlClient(server.folder / "data" / "control.sock")
            (lockout,) = control.ask("lockouts.list")
            self.assertEqual(
                (lockout["key"], lockout["counted"], lockout["failures"]),
                (CID, "cid", 3),
            )
            control.ask("lockouts.lift", key=CID)
            self.assertEqual(control.ask("lockouts.list"), [])
            with self.assertRaisesRegex(Refused, "nobody is kept waiting"):
                control.ask("lockouts.lift", key=CID)
            with self.connect(server) as client:
                client.say(logon("EHAM_SUP", password))
                self.assertTrue(client.read().startswith("#TMserver:EHAM_SUP:"))

    def test_a_member_is_at_home_after_a_restart(self) -> None:
        """What a stranger types for him does not matter where he was before."""
        few = ("--set", "accounts.failures_per_cid=1")
        with self.first_start(*few) as (server, password):
            with self.connect(server) as client:
                client.say(logon("EHAM_SUP", password))
                client.read_until("#TM")
            server.terminate()
        with serve(server.folder, "rum", *few, daemon=False) as second:
            second.wait_for("rum.sqlite is open")
            for _ in range(2):
                self.try_once(second, "wrong", "127.0.0.2")
            (notice, _) = self.try_once(second, password, "127.0.0.3")
            self.assertIn("too many wrong passwords", notice)
            with self.connect(second) as client:
                client.say(logon("EHAM_SUP", password))
                client.read_until("#TMserver:EHAM_SUP:")
            self.assert_it_ends_well(second)

    def try_once(
        self, server: Server, password: str, home: str = "127.0.0.1"
    ) -> list[str]:
        """Return what somebody reads whose logon is refused."""
        with self.connect(server, home) as client:
            client.say(logon("EHAM_SUP", password))
            return client.read_all()


class OutageTests(DatabaseTestCase):
    """A PostgreSQL that fails while people are on."""

    def test_nobody_online_notices_and_who_waits_gets_in(self) -> None:
        """It is killed and started again; a visit that began meanwhile is kept."""
        postgres = Postgres.serving()
        self.addCleanup(postgres.remove)
        url = postgres.new_database()
        setting = ("--set", f'accounts.database="{url}"')
        with self.first_start(*setting, *PATIENT) as (server, password):
            self.assertFalse((server.folder / "data" / "rum.sqlite").exists())
            self.assertNotIn(urlsplit(url).password, server.log + server.terminal)
            with self.connect(server) as early, self.connect(server) as late:
                early.say(logon("EHAM_SUP", password))
                early.read_until("#TM")
                postgres.kill()
                late.say(logon("EHAM_TWR", password))
                server.wait_for("does not answer")
                early.say("$PIEHAM_SUP:SERVER:1")
                early.read_until("$POserver:EHAM_SUP:1")
                early.say("#DAEHAM_SUP")
                early.read_all()
                postgres.start()
                late.read_until("#TMserver:EHAM_TWR:")
                server.wait_for("answers again")
                self.assert_it_ends_well(server)
        name = urlsplit(url).path.removeprefix("/")
        found = postgres.query(
            "SELECT callsign, is_open FROM rum_sessions ORDER BY callsign",
            database=name,
        )
        self.assertEqual(found.split(), ["EHAM_SUP|f", "EHAM_TWR|f"])

    def test_killed_in_the_middle_of_a_storm(self) -> None:
        """Those who fly see each other all along; all others get in; no visit is lost.

        Half of the storm comes before it is killed and half while it is away. What
        one flyer reports reaches the other before it is started again.
        """
        postgres = Postgres.serving()
        self.addCleanup(postgres.remove)
        url = postgres.new_database()
        settings = (
            *("--set", f'accounts.database="{url}"'),
            *("--set", "accounts.verified_cache=0"),  # each logon costs a hash
            *PATIENT,
        )
        with self.first_start(*settings) as (server, password), ExitStack() as stack:

            def come(callsign: str) -> Client:
                client = stack.enter_context(self.connect(server))
                client.say(logon(callsign, password))
                return client

            flyers = come("FLY_1"), come("FLY_2")
            for flyer in flyers:
                flyer.read_until("#TM")
            self.fly(*flyers, frequency=18000)
            early = {f"E{number}_CTR": come(f"E{number}_CTR") for number in range(20)}
            early["E5_CTR"].read_until("#TMserver:E5_CTR:")
            postgres.kill()
            late = {f"L{number}_CTR": come(f"L{number}_CTR") for number in range(20)}
            self.fly(*flyers, frequency=18100)
            server.wait_for("does not answer")
            self.fly(*flyers, frequency=18200)
            postgres.start()
            for callsign, client in (early | late).items():
                if callsign != "E5_CTR":  # he has read it
                    client.read_until(f"#TMserver:{callsign}:")
            self.fly(*flyers, frequency=18300)
            self.assert_it_ends_well(server)
        self.assertEqual(server.log.count("does not answer"), 1)
        found = postgres.query(
            "SELECT callsign, is_open FROM rum_sessions",
            database=urlsplit(url).path.removeprefix("/"),
        )
        callsigns = {"FLY_1", "FLY_2", *early, *late}
        self.assertCountEqual(found.split(), [f"{one}|f" for one in callsigns])

    def fly(self, sender: Client, receiver: Client, *, frequency: int) -> None:
        """Have one controller report where he is, and the other read it."""
        place = f"{frequency}:6:100:12:52.3:4.7:0"
        receiver.say(f"%FLY_2:{place}")
        receiver.say(f"$PIFLY_2:SERVER:{frequency}")
        receiver.read_until(f"$POserver:FLY_2:{frequency}")
        sender.say(f"%FLY_1:{place}")
        receiver.read_until(f"%FLY_1:{frequency}:")

    def test_a_logon_that_waits_too_long_reads_why(self) -> None:
        """Its bound is kept, and then it is told in words, and by error 012."""
        postgres = Postgres.serving()
        self.addCleanup(postgres.remove)
        url = postgres.new_database()
        settings = (
            *("--set", f'accounts.database="{url}"'),
            *("--set", "accounts.answer_within=1", "--set", "accounts.query_timeout=1"),
        )
        with self.first_start(*settings) as (server, password):
            postgres.freeze()
            with self.connect(server) as client:
                client.say(logon("EHAM_SUP", password))
                notice, error = client.read_all()
            postgres.thaw()
            self.assertTrue(notice.startswith("#TMserver:EHAM_SUP:"), notice)
            self.assertEqual(error, "$ERserver:unknown:012::Too many clients connected")
            self.assert_it_ends_well(server)

    def test_a_server_starts_without_its_database(self) -> None:
        """Who comes early waits; nothing has to be started again."""
        postgres = Postgres()
        self.addCleanup(postgres.remove)
        postgres.initialize()
        postgres.start()
        url = postgres.new_database()
        postgres.stop()
        setting = ("--set", f'accounts.database="{url}"')
        with serve(self.folder(), "rum", *setting, daemon=True) as server:
            server.wait_for("does not answer")
            postgres.start()
            server.wait_for("administrator 1000000 was made")
            self.assert_it_ends_well(server)
