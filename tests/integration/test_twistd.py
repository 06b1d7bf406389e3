"""The real ``twistd rum``: how it starts, where it runs, how it ends."""

import signal
import socket
import ssl
from pathlib import Path

from OpenSSL.crypto import FILETYPE_PEM
from twisted.internet.ssl import KeyPair
from twisted.trial.unittest import SynchronousTestCase

from tests.support.twistd import PATIENCE, Server, run_twistd, serve

LIBRARIES = ("OpenSSL", "cryptography")  # parts of the names of mapped files
SECONDS_TO_END = 20.0  # most of it is for a busy machine; it takes a moment

# Python imports this at its start. The time of day is another one as soon as there is
# a file ``jump``, which says by how many seconds.
JUMPING = """
import time
from pathlib import Path

real, file = time.time, Path({folder!r}, "jump")
time.time = lambda: real() + (float(file.read_text()) if file.exists() else 0.0)
"""


class TwistdTestCase(SynchronousTestCase):
    """A folder for each test."""

    def folder(self) -> Path:
        """Return a new folder to start a server in."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        return folder


class ServingTests(TwistdTestCase):
    """A server that was started well."""

    def assert_it_ends_well(self, server: Server) -> None:
        """Assert that SIGTERM ends it soon, and that it leaves nothing behind."""
        self.assertTrue(server.pidfile.exists())
        self.assertLess(server.terminate(), SECONDS_TO_END)
        self.assertFalse(server.pidfile.exists())
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        self.assertIn("Server Shut Down", server.log)
        self.assertNotIn("Traceback", server.log)

    def test_in_the_foreground(self) -> None:
        """It runs on asyncio's loop, tells the operator about itself, and ends."""
        with serve(self.folder(), "rum", daemon=False) as server:
            self.assertIn("AsyncioSelectorReactor", server.log)
            self.assertIn(str(server.port), server.terminal)
            self.assertIn(str(server.folder / "data"), server.terminal)
            self.assert_it_ends_well(server)

    def test_as_a_daemon(self) -> None:
        """It survives the fork, and the log has what the terminal had."""
        with serve(self.folder(), "rum", daemon=True) as server:
            self.assertIn("AsyncioSelectorReactor", server.log)
            self.assertIn(str(server.folder / "data"), server.log)
            self.assertEqual(server.terminal, "")
            self.assert_it_ends_well(server)

    def test_two_signals(self) -> None:
        """Who is impatient, and ends it twice, reads that; nothing else comes of it."""
        # Tests that run in a shell's background ignore Ctrl-C, and so would it.
        mine = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, mine)
        with serve(self.folder(), "rum", daemon=False) as server:
            server.terminate(signal.SIGINT, signal.SIGTERM)
            self.assertEqual(server.log.count("already stopping"), 1)
            self.assertIn("Server Shut Down", server.log)
            self.assertNotIn("Traceback", server.log)

    def test_another_reactor(self) -> None:
        """Who asks twistd for another reactor gets it, with accounts in a file."""
        settings = ("rum", "--set", 'accounts.store="cert"')
        with serve(self.folder(), "--reactor=epoll", *settings, daemon=False) as server:
            self.assertIn("EPollReactor", server.log)
            self.assert_it_ends_well(server)

    def test_without_tls_there_is_no_openssl(self) -> None:
        """It would cost 12 MB; both in the foreground and in a daemon."""
        for daemon in (False, True):
            folder = self.folder()
            run_twistd(folder, "--help")  # has twistd write its list of plugins
            with serve(folder, "rum", daemon=daemon) as server:
                for library in LIBRARIES:
                    self.assertNotIn(library, server.maps)

    def test_a_tls_listener(self) -> None:
        """An encrypted port brings OpenSSL with it, and clients can talk over it."""
        folder = self.folder()
        certificate = KeyPair.generate(size=2048).selfSignedCert(1, CN="localhost")
        (folder / "server.pem").write_bytes(
            certificate.dumpPEM() + certificate.privateKey.dump(FILETYPE_PEM)
        )
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # nobody has signed it but itself
        with serve(folder, "rum", daemon=True, listen="ssl:{port}") as server:
            address = ("127.0.0.1", server.port)
            with (
                socket.create_connection(address, timeout=PATIENCE) as plain,
                context.wrap_socket(plain) as secure,
            ):
                secure.sendall(b"#APAFR1:SERVER:nobody:wrong:1:9:2:Joe\r\n")
                self.assertEqual(secure.recv(3), b"$ER")
            self.assertIn("cryptography", server.maps)
            self.assert_it_ends_well(server)

    def test_two_servers_in_a_row(self) -> None:
        """What the first one leaves behind does not hinder the second."""
        folder = self.folder()
        for _ in range(2):
            with serve(folder, "rum", daemon=True) as server:
                self.assert_it_ends_well(server)


class Pilot:
    """A pilot over Amsterdam, on a socket that blocks."""

    def __init__(self, port: int, callsign: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._lines = self._socket.makefile("r", encoding="ascii", newline="\r\n")
        self._callsign = callsign
        self.say(f"#AP{callsign}:SERVER:1000001:secret:1:9:2:Joe")
        self.until("#TM")

    def say(self, line: str) -> None:
        """Send a line."""
        self._socket.sendall(f"{line}\r\n".encode())

    def until(self, beginning: str) -> str:
        """Return the next line that begins so."""
        for line in self._lines:
            if line.startswith(beginning):
                return line
        raise EOFError(f"{self._callsign} is cut off")

    def report(self, squawk: int) -> None:
        """Say where he is."""
        self.say(f"@N:{self._callsign}:{squawk}:1:52.3:4.7:35000:450:0:0")

    def close(self) -> None:
        """Hang up."""
        self._lines.close()
        self._socket.close()


class ClockTests(TwistdTestCase):
    """Somebody sets the clock of the machine while people fly."""

    def test_a_clock_that_jumps(self) -> None:
        """Nobody is cut off, and positions go on, by an hour back or a day forth."""
        folder = self.folder()
        (folder / "data").mkdir()
        (folder / "data" / "cert.txt").write_text("1000001 secret 1\n")
        path = self.folder()
        (path / "sitecustomize.py").write_text(JUMPING.format(folder=str(folder)))
        with serve(folder, "rum", daemon=False, path=path) as server:
            pilots = Pilot(server.port, "KLM1"), Pilot(server.port, "AFR2")
            for pilot in pilots:
                pilot.report(1000)
                self.addCleanup(pilot.close)
            for squawk, seconds in ((2001, -3600), (2002, 86_400), (2003, -86_400)):
                (folder / "next").write_text(str(seconds))
                (folder / "next").rename(folder / "jump")  # whole from the first moment
                for _ in range(3):  # the first one after a quiet moment leaves at once
                    pilots[0].report(1000)
                pilots[0].report(squawk)
                pilots[1].until(f"@N:KLM1:{squawk}:")
                pilots[0].say("$PIKLM1:SERVER:1")
                pilots[0].until("$POserver:KLM1:1")
            self.assertLess(server.terminate(), SECONDS_TO_END)
            self.assertNotIn("Traceback", server.log)


class RefusalTests(TwistdTestCase):
    """A server that cannot start says why, and no traceback hides it."""

    def assert_refused(self, *arguments: str, why: str) -> None:
        """Assert that twistd ends with status 1 and says ``why``."""
        finished = run_twistd(self.folder(), *arguments)
        self.assertEqual(finished.status, 1, finished.printed)
        self.assertIn(why, finished.printed)
        self.assertNotIn("Traceback", finished.printed)

    def test_a_mistake_in_the_settings(self) -> None:
        """The nearest known key is named."""
        for daemon in ([], ["--nodaemon"]):
            self.assert_refused(
                *daemon,
                "rum",
                "--set",
                "pergola.max_client=5",
                why="did you mean pergola.max_clients?",
            )

    def test_a_missing_configuration(self) -> None:
        """A file that is named has to be there."""
        self.assert_refused(
            "rum", "--config", "none.toml", why="none.toml: cannot be read"
        )

    def test_a_check_of_bad_settings(self) -> None:
        """It prints the mistakes."""
        self.assert_refused(
            "rum", "--check-config", "--set", "status.interval=0", why="status.interval"
        )

    def test_a_reactor_that_the_database_cannot_use(self) -> None:
        """The operator reads what to leave away, or what to set."""
        self.assert_refused(
            "--reactor=epoll",
            "--nodaemon",
            "rum",
            why="needs the asyncio reactor: leave the option away",
        )

    def test_a_port_in_use(self) -> None:
        """The operator reads which one it is."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            listen = f'pergola.listen=["tcp:{port}:interface=127.0.0.1"]'
            self.assert_refused("--nodaemon", "rum", "--set", listen, why=f"tcp:{port}")
