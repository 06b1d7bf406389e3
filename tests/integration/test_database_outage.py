"""The database fails in every way that it has, with real logons and real sessions."""

import asyncio
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, Final

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import TestCase
from typing_extensions import override

from rum_twisted.accounts.database import DatabaseAccounts
from rum_twisted.accounts.directory import AccountDirectory
from rum_twisted.accounts.engine import database_url, make_engine
from rum_twisted.accounts.hashing import HashingPool
from rum_twisted.accounts.logbook import DatabaseLogbook
from rum_twisted.accounts.migrate import Outcome, upgrade
from rum_twisted.accounts.passwords import Argon2Parameters, Hasher
from rum_twisted.accounts.patient import PatientDatabase
from rum_twisted.accounts.schema import REVISION
from rum_twisted.accounts.spool import Spool
from rum_twisted.accounts.upgrader import migrate_in_child
from rum_twisted.accounts.verified import VerifiedLogons
from rum_twisted.rpc.bridge import deferred, future
from rum_twisted.session.interfaces import Account, AccountsUnavailable
from rum_twisted.terms.units import Seconds
from rum_twisted.world.client import Client
from tests.support.builders import NOON, make_client
from tests.support.loopclock import LoopClock, RunningLoopTestCase
from tests.support.members import STAFF, make_member
from tests.support.postgres import Postgres, shared_postgres
from tests.support.twistd import free_port

QUERY_TIMEOUT: Final = Seconds(2.0)
UNHURRIED: Final = Seconds(30.0)  # the same, where no answer is to be late
WITHIN: Final = Seconds(120.0)
PATIENCE: Final = 200.0  # seconds until a test gives up
INTERVAL: Final = Seconds(0.2)
LONGEST_TURN: Final = 1.0  # seconds; far above what a turn takes, below any wait
SCHEDULER: Final = Path("/proc/thread-self/schedstat")
PASSWORD: Final = "pw"

# Holds an SQLite file so that nobody may even read it, until its input ends.
LOCKER: Final = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA locking_mode=EXCLUSIVE")
connection.execute("BEGIN EXCLUSIVE")
connection.execute("UPDATE rum_members SET notes = 'locked'")
print("locked", flush=True)
sys.stdin.read()
connection.execute("COMMIT")
"""


def time_of_our_own() -> float:
    """Return a time that stands still while this thread only waits for a CPU."""
    try:
        in_line = int(SCHEDULER.read_text("ascii").split()[1])
    except OSError:
        in_line = 0  # not Linux: a busy machine counts as ours
    return time.monotonic() - in_line / 1e9


class Server:
    """What a server has of accounts, on the running loop."""

    def __init__(
        self,
        url: str,
        folder: Path,
        within: Seconds = WITHIN,
        query_timeout: Seconds = QUERY_TIMEOUT,
    ) -> None:
        self.clock = LoopClock()
        self.url = database_url(url, folder)
        self.directory = AccountDirectory(
            make_engine(self.url, query_timeout=query_timeout), self.now
        )
        self.database = PatientDatabase(
            self.url,
            self.directory,
            self.clock,
            query_timeout=query_timeout,
            migrate=lambda: deferred(self._upgrade()),
            random=Random(1),  # noqa: S311 - for jitter
        )
        cheap = Hasher(Argon2Parameters(memory=64, passes=1))
        self.pool = HashingPool(cheap, self.clock)
        self.accounts = DatabaseAccounts(
            self.database,
            self.pool,
            VerifiedLogons(0),
            self.now,
            answer_within=within,
            longest=2000,
        )
        self.logbook = DatabaseLogbook(
            self.database,
            Spool(folder / "spool"),
            self.clock,
            self.now,
            server="RUM",
            interval=INTERVAL,
            retention=None,
            in_thread=lambda work: deferred(asyncio.to_thread(work)),
        )
        self.online: list[Client] = []
        self.longest_turn = 0.0
        self._watch = asyncio.create_task(self._watch_turns())
        for service in (self.pool, self.database, self.accounts, self.logbook):
            service.startService()

    def now(self) -> Seconds:
        """Tell the time; it is past noon."""
        return Seconds(NOON + self.clock.seconds())

    async def _upgrade(self) -> tuple[Outcome, str]:
        await upgrade(self.url)
        return Outcome.DONE, "done"

    async def _watch_turns(self) -> None:
        """Measure how long whoever is online would have had to wait."""
        while True:
            begun = time_of_our_own()
            await asyncio.sleep(0.01)
            waited = time_of_our_own() - begun - 0.01
            self.longest_turn = max(self.longest_turn, waited)

    async def add_members(self, count: int) -> None:
        """Register some, with cheap passwords."""
        stored = Hasher(Argon2Parameters(memory=64, passes=1)).hash(PASSWORD)
        await future(self.database.when_there())
        await self.directory.insert_batch(
            [make_member(f"{n}", password_hash=stored) for n in range(count)], STAFF
        )

    def ask(self, number: int) -> "asyncio.Future[Account]":
        """Begin a logon."""
        return future(self.accounts.authenticate(f"{number}", PASSWORD))

    async def log_on(self, number: int) -> None:
        """Log somebody on, and note his session."""
        await self.ask(number)
        client = make_client(f"KLM{number}", cid=f"{number}")
        client.logged_on_at = self.now()
        self.online.append(client)
        self.logbook.logged_on(client, "192.0.2.1")

    def log_off(self) -> None:
        """Log off who came first."""
        self.logbook.logged_off(self.online.pop(0))

    async def stop(self) -> None:
        """Stop everything in order."""
        self._watch.cancel()
        await future(self.logbook.stopService())
        self.accounts.stopService()
        await future(self.pool.stopService() or _done())
        await future(self.database.stopService())

    async def die(self) -> None:
        """End as a process that is killed: nothing is written any more."""
        ticks = self.logbook._ticks  # noqa: SLF001 - no such thing is public
        assert ticks is not None
        ticks.stop()
        self.logbook._ticks = None  # noqa: SLF001
        await self.stop()


def _done() -> Deferred[None]:
    done: Deferred[None] = Deferred()
    done.callback(None)
    return done


class OutageTestCase(RunningLoopTestCase):
    """A folder, and servers that are stopped in the end."""

    @override
    def setUp(self) -> None:
        """Make the folder."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)

    def run_with_server(
        self,
        url: str,
        work: Callable[[Server], Awaitable[None]],
        **bounds: Seconds,
    ) -> None:
        """Run a test with a server."""

        async def run() -> None:
            server = Server(url, self.folder, **bounds)
            try:
                await work(server)
            finally:
                await server.stop()
            self.assertLess(server.longest_turn, LONGEST_TURN)

        self.run_on_loop(run(), within=PATIENCE)

    async def visited(self, server: Server, count: int, still_open: int) -> None:
        """Return when so many members have one session each, so many of them open."""
        due = [1] * count, still_open
        found: object = None
        deadline = server.clock.seconds() + PATIENCE / 2
        while found != due:
            self.assertLess(server.clock.seconds(), deadline, found)
            await asyncio.sleep(INTERVAL)
            numbers, is_open = [], 0
            for number in range(count):
                sessions = await server.directory.sessions(f"{number}", 10)
                numbers.append(len(sessions))
                is_open += sum(session.is_open for session in sessions)
            found = numbers, is_open

    async def until(self, server: Server, is_so: Callable[[], object]) -> None:
        """Return when something is so."""
        deadline = server.clock.seconds() + PATIENCE / 2
        while not is_so():
            self.assertLess(server.clock.seconds(), deadline)
            await asyncio.sleep(0.02)


class PostgresOutageTests(OutageTestCase):
    """PostgreSQL is killed, hangs, or is not there at the start."""

    @override
    def setUp(self) -> None:
        """Start one of our own: others must not notice."""
        super().setUp()
        self.postgres = Postgres.serving()
        self.addCleanup(self.postgres.remove)

    def test_killed_in_the_middle_of_a_storm(self) -> None:
        """All logons succeed, no session is lost, and the log has two lines."""
        count = 300

        async def storm(server: Server) -> None:
            await server.add_members(count)
            logons = []
            with capturedLogs() as logs:
                for number in range(count):
                    logons.append(asyncio.create_task(server.log_on(number)))
                    if number == count // 3:
                        await asyncio.gather(*logons[:50])
                        await asyncio.to_thread(self.postgres.kill)
                    if number % 10 == 0:
                        await asyncio.sleep(0.01)
                for _ in range(20):
                    server.log_off()
                await self.until(server, lambda: not server.database.is_there)
                await asyncio.to_thread(self.postgres.start)
                await asyncio.gather(*logons)
                for _ in range(20):
                    server.log_off()
                await self.visited(server, count, count - 40)
            told = [
                event["log_level"]
                for event in logs
                if event.get("log_source") is server.database
            ]
            self.assertEqual(told, [LogLevel.warn, LogLevel.info])

        url = self.postgres.new_database()
        self.run_with_server(url, storm, query_timeout=UNHURRIED)

    def test_it_hangs(self) -> None:
        """Logons get their answer at the bound, nobody else waits; then all is well."""

        async def hang(server: Server) -> None:
            await server.add_members(10)
            await server.log_on(0)
            self.postgres.freeze()
            begun = server.clock.seconds()
            outcomes = await asyncio.gather(
                *(server.ask(number) for number in range(10)), return_exceptions=True
            )
            # Without that bound they would wait for ever.
            self.assertLess(server.clock.seconds() - begun, 30.0)
            for outcome in outcomes:
                self.assertIsInstance(outcome, AccountsUnavailable)
            self.postgres.thaw()
            await asyncio.gather(*(server.log_on(number) for number in range(1, 10)))
            await self.visited(server, 10, 10)

        url = self.postgres.new_database()
        self.run_with_server(url, hang, within=Seconds(4.0))

    def test_it_hangs_when_the_server_stops(self) -> None:
        """The server ends soon, and its next start writes what it could not."""
        url = self.postgres.new_database()

        async def before() -> None:
            server = Server(url, self.folder)
            await server.add_members(1)
            self.postgres.freeze()
            await server_logs_on_blindly(server, 0)
            async with asyncio.timeout(PATIENCE / 4):
                await server.stop()
            self.postgres.thaw()

        async def after(server: Server) -> None:
            await future(server.database.when_there())
            await self.visited(server, 1, 0)

        self.run_on_loop(before(), within=PATIENCE)
        self.run_with_server(url, after)

    def test_it_is_away_at_the_start(self) -> None:
        """The server serves all the same, and logons wait until it comes."""
        url = self.postgres.new_database()
        self.postgres.stop()

        async def start(server: Server) -> None:
            first = server.ask(0)
            await asyncio.sleep(1)
            self.assertFalse(first.done())
            first.cancel()
            await asyncio.to_thread(self.postgres.start)
            await server.add_members(1)
            await server.ask(0)
            self.assertEqual(await server.directory.version(), REVISION)

        self.run_with_server(url, start)

    def test_server_dies_while_it_is_away(self) -> None:
        """What came to the file is not lost; what was open gets an end."""
        url = self.postgres.new_database()

        async def before() -> None:
            server = Server(url, self.folder)
            await server.add_members(3)
            for number in range(2):
                await server.log_on(number)
            await self.visited(server, 2, 2)
            await asyncio.to_thread(self.postgres.kill)
            server.log_off()
            await server_logs_on_blindly(server, 2)
            await self.until(server, lambda: {"KLM0", "KLM2"} <= self.spooled())
            await server.die()
            await asyncio.to_thread(self.postgres.start)

        async def after(server: Server) -> None:
            await future(server.database.when_there())
            await self.visited(server, 3, 0)

        self.run_on_loop(before(), within=PATIENCE)
        self.run_with_server(url, after)

    def spooled(self) -> set[str]:
        """Return the callsigns of sessions that wait in the file."""
        path = self.folder / "spool"
        text = path.read_text("ascii") if path.exists() else ""
        return set(re.findall(r"KLM\d", text))


async def server_logs_on_blindly(server: Server, number: int) -> None:
    """Note a session without asking the database."""
    client = make_client(f"KLM{number}", cid=f"{number}")
    client.logged_on_at = server.now()
    server.logbook.logged_on(client, "192.0.2.1")


class SqliteOutageTests(OutageTestCase):
    """The SQLite file is locked, moved away, or its disk is full."""

    @override
    def setUp(self) -> None:
        """Name the file."""
        super().setUp()
        self.path = self.folder / "rum.sqlite"

    def test_locked_by_another_program(self) -> None:
        """Logons wait as long as it holds the file, and then succeed."""

        async def lock(server: Server) -> None:
            await server.add_members(20)
            await server.log_on(0)
            await self.visited(server, 1, 1)
            await server.directory.close()  # or the other program gets no lock
            locker = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                LOCKER,
                str(self.path),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert locker.stdin is not None
            assert locker.stdout is not None
            self.assertEqual(await locker.stdout.readline(), b"locked\n")
            logons = [asyncio.create_task(server.log_on(n)) for n in range(1, 20)]
            server.log_off()
            await asyncio.sleep(1.5 * QUERY_TIMEOUT)
            self.assertFalse(any(logon.done() for logon in logons))
            locker.stdin.close()
            await locker.wait()
            await asyncio.gather(*logons)
            await self.visited(server, 20, 19)

        self.run_with_server("", lock)

    def test_locked_for_writing(self) -> None:
        """Whoever writes for long keeps nobody from logging on; sessions wait."""

        async def lock(server: Server) -> None:
            await server.add_members(20)
            other = sqlite3.connect(self.path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            try:
                await asyncio.gather(*(server.log_on(n) for n in range(20)))
                self.assertTrue(server.database.is_there)
                await asyncio.sleep(1.5 * QUERY_TIMEOUT)
            finally:
                other.execute("ROLLBACK")
                other.close()
            await self.visited(server, 20, 20)

        self.run_with_server("", lock)

    def test_moved_away(self) -> None:
        """No empty file takes its place; logons wait until it is back."""

        async def move(server: Server) -> None:
            await server.add_members(1)
            await server.ask(0)
            await server.directory.close()
            hidden = self.folder / "hidden"
            shutil.move(self.path, hidden)
            logon = asyncio.ensure_future(server.ask(0))
            await asyncio.sleep(1)
            self.assertFalse(logon.done())
            self.assertFalse(self.path.exists())
            shutil.move(hidden, self.path)
            await logon

        self.run_with_server("", move)

    def test_two_servers_and_one_file(self) -> None:
        """A tool that changes members while the server writes is not refused."""

        async def both(server: Server) -> None:
            await server.add_members(200)
            tool = AccountDirectory(
                make_engine(server.url, query_timeout=Seconds(10.0)), server.now
            )
            changes = [
                tool.change(f"{number}", STAFF, name=f"name {number}")
                for number in range(200)
            ]
            await asyncio.gather(
                *(server.log_on(number) for number in range(200)),
                _one_after_the_other(changes),
            )
            await tool.close()
            await self.visited(server, 200, 200)

        self.run_with_server("", both, query_timeout=UNHURRIED)


async def _one_after_the_other(works: list[Any]) -> None:
    for work in works:
        await work


class ChildTests(TestCase):
    """The other process that makes the tables."""

    async def migrate(self, url: str) -> tuple[Outcome, str]:
        """Run it."""
        return await migrate_in_child(database_url(url, Path()), reactor)

    async def assert_it_makes_tables(self, url: str) -> None:
        """Assert that a new database gets them, and an old one is left alone."""
        done = await self.migrate(url)
        self.assertEqual(done, (Outcome.DONE, f"from revision none to {REVISION}"))
        outcome, words = await self.migrate(url)
        self.assertEqual(outcome, Outcome.DONE)
        self.assertIn("nothing to do", words)

    async def test_sqlite(self) -> None:
        """The file is made, with its tables."""
        path = Path(self.mktemp()).absolute() / "data" / "rum.sqlite"
        await self.assert_it_makes_tables(f"sqlite:///{path}")

    async def test_postgresql(self) -> None:
        """A password with odd signs gets there whole."""
        url = shared_postgres().new_database()
        await self.assert_it_makes_tables(url)

    async def test_newer_database(self) -> None:
        """It tells that it does not know it, in one line."""
        path = Path(self.mktemp()).absolute()
        url = f"sqlite:///{path}"
        await self.migrate(url)
        database = sqlite3.connect(path)
        database.execute("UPDATE rum_version SET version_num = '9999'")
        database.commit()
        database.close()
        outcome, words = await self.migrate(url)
        self.assertEqual(outcome, Outcome.WRONG)
        self.assertIn("9999", words)
        self.assertNotIn("\n", words)

    async def test_database_that_is_away(self) -> None:
        """It tells so, in one line without the password."""
        outcome, words = await self.migrate(
            f"postgresql://rum:secret@127.0.0.1:{free_port()}/rum"
        )
        self.assertEqual(outcome, Outcome.AWAY)
        self.assertNotIn("secret", words)
        self.assertNotIn("\n", words)

    async def test_wrong_password(self) -> None:
        """PostgreSQL's own words come back; somebody may be changing it just now."""
        url = database_url(shared_postgres().new_database(), Path())
        wrong = url.set(password="wrong%/?@").render_as_string(hide_password=False)
        outcome, words = await self.migrate(wrong)
        self.assertEqual(outcome, Outcome.AWAY)
        self.assertIn("password authentication failed", words)

    async def test_cancelled(self) -> None:
        """The process is ended when nobody waits for it any more."""
        path = Path(self.mktemp()).absolute()
        migration = migrate_in_child(database_url(f"sqlite:///{path}", Path()), reactor)
        migration.cancel()
        with self.assertRaises(CancelledError):
            await migration
