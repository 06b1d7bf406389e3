"""The console of the real ``twistd rum``, over TCP."""

import json
import re
import resource
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.support.members import sqlite_rows
from tests.support.roles import Pilot, Roles, wait_until
from tests.support.twistd import PATIENCE, ROOT, free_port, run_twistd, serve

PASSWORD = "sesame"
REPORT = "EHAM 101225Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG"
MEMBERS = "1000001 secret 1\n"
RUMCTL = (sys.executable, "-c", "from rum_twisted.cli.main import main; main()")
MANY = 1000  # connections that are only held
GUESSES = 100
MEGABYTES = 10


class Telnet:
    """An operator's end: each call waits.

    Args:
        port: where the console listens.
    """

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.shown = b""
        self.until(b"> ")

    def until(self, end: bytes) -> str:
        """Return what is shown, up to ``end``.

        Raises:
            EOFError: the connection ended before.
        """
        while end not in self.shown:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(self.shown)
            self.shown += data
        text, self.shown = self.shown, b""
        return text.decode("latin-1")

    def ask(self, command: str) -> str:
        """Return the answer to a command."""
        self.socket.sendall(command.encode("latin-1") + b"\r\n")
        return self.until(b"> ")

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


class ConsoleTestCase(SynchronousTestCase):
    """A folder with a member, a report and a password."""

    def folder(self) -> Path:
        """Return it."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        (folder / "members.txt").write_text(MEMBERS, "ascii")
        (folder / "metar.txt").write_text(f"{REPORT}\n", "ascii")
        password = folder / "password.txt"
        password.write_text(f"{PASSWORD}\n", "ascii")
        password.chmod(0o600)
        self.port = free_port()
        return folder

    def settings(self, *more: str) -> list[str]:
        """Return the options of a server with a console."""
        words = (
            f'console.listen="tcp:{self.port}:interface=127.0.0.1"',
            'weather.file="metar.txt"',
            *(more or ('console.password_file="password.txt"',)),
        )
        return [part for word in words for part in ("--set", word)]

    def operator(self) -> Telnet:
        """Return the end of an operator who has given the password."""
        operator = Telnet(self.port)
        self.addCleanup(operator.close)
        self.assertIn("Password correct.", operator.ask(f"pwd {PASSWORD}"))
        return operator

    def pilot(self, port: int) -> Pilot:
        """Return the end of a pilot who is on."""
        pilot = Pilot(port)
        self.addCleanup(pilot.close)
        pilot.log_on("KLM1", "1000001", "secret")
        pilot.until("#TMserver:KLM1")
        return pilot

    def assert_profile_reaches(self, pilot: Pilot) -> None:
        """Assert that he is told of the profile, in both ways."""
        pilot.say("$AXKLM1:SERVER:METAR:EHAM")
        self.assertIn("Z 24033KT 15SM FEW018", pilot.until("$AR", "$ER"))
        pilot.say("#WXKLM1:SERVER:EHAM")
        self.assertIn(":2500:0:240:33:", pilot.until("#WD", "$ER"))


class ServerTests(ConsoleTestCase):
    """One process."""

    def test_strangers_do_the_server_no_harm(self) -> None:
        """A thousand connections, guesses, 10 MB in a line, a word of 300 letters.

        Pilots and operators notice nothing, and the log has a line a minute of it all.
        """
        folder = self.folder()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # often 1024
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        cert = ("--set", 'accounts.cert_file="members.txt"')
        with (
            serve(folder, "rum", *cert, *self.settings(), daemon=False) as server,
            ExitStack() as held,
        ):
            begun = time.monotonic()
            pilot, operator = self.pilot(server.port), self.operator()
            for _ in range(MANY):
                held.enter_context(
                    closing(socket.create_connection(("127.0.0.1", self.port)))
                )
            self.assertTrue(pilot.is_online())
            for _ in range(GUESSES):
                with closing(Telnet(self.port)) as stranger:
                    self.assertIn("incorrect", stranger.ask("pwd guess"))
            with closing(Telnet(self.port)) as stranger:
                self.assertEqual(stranger.ask("help " + "x" * 300), "RUM> ")
                for _ in range(MEGABYTES):
                    stranger.socket.sendall(b"x" * (1 << 20))
                self.assertIn("Syntax error.", stranger.ask(""))
            self.assertTrue(pilot.is_online())
            self.assertIn("KLM1", operator.ask("clients"))
            self.assertIn("interface.system.peak=16", operator.ask("stat system"))
            server.terminate()
            lines = [line for line in server.log.splitlines() if " console: " in line]
            told = re.findall(r"(\d+) wrong passwords", "\n".join(lines))
            self.assertEqual(sum(map(int, told)), GUESSES, lines)
            minutes = (time.monotonic() - begun) / 60
            self.assertLessEqual(len(told), 1 + minutes, lines)
            self.assertTrue(any("lines too long" in line for line in lines), lines)
            self.assertNotIn("Traceback", server.log)

    def test_profiles_outlive_a_restart(self) -> None:
        """Who asks after it is told of them."""
        folder = self.folder()
        options = ("rum", "--set", 'accounts.cert_file="members.txt"', *self.settings())
        with serve(folder, *options, daemon=True) as server:
            operator = self.operator()
            operator.ask("wp create EHAM")
            operator.ask("wp set EHAM winds.1.speed 33")
            operator.ask("wp activate EHAM")
            self.assert_profile_reaches(self.pilot(server.port))
            server.terminate()
        with serve(folder, *options, daemon=True) as server:
            self.assert_profile_reaches(self.pilot(server.port))
            self.assertIn("profiles are in effect: EHAM", server.log)

    def test_a_hashed_password_and_a_database(self) -> None:
        """What rumctl prints lets in; changes last, and are in the audit log."""
        folder = self.folder()
        made = subprocess.run(  # noqa: S603 - nothing from outside
            (*RUMCTL, "console", "passwd", "--password-stdin", "--json"),
            capture_output=True,
            check=True,
            cwd=ROOT,
            input=f"{PASSWORD}\n",
            text=True,
            timeout=PATIENCE,
        )
        stored = json.loads(made.stdout)["hash"]
        settings = self.settings(f'console.password="{stored}"')
        with serve(folder, "rum", *settings, daemon=False) as server:
            server.wait_for("is open")  # the database
            operator = self.operator()
            added = operator.ask("cert add X1 geheim SUPERVISOR")
            self.assertIn("be permanent.", added)
            self.assertIn("SUPERVISOR", operator.ask("cert x1"))
            self.assertIn("already exists", operator.ask("cert add x1 y SUPERVISOR"))
            operator.ask("cert modify x1 STUDENT1")
            unfit = operator.ask(f"cert add {'x' * 65} y STUDENT1")
            self.assertIn("Not changed: cid", unfit)
            operator.ask("cert delete x1")
            self.assertIn("does not exist", operator.ask("cert delete x1"))
            server.terminate()
            self.assertNotIn("Traceback", server.log)
            self.assertNotIn("geheim", server.log)
        acts = sqlite_rows(
            folder / "data" / "rum.sqlite",
            "SELECT act, whom FROM rum_audit WHERE by_whom LIKE 'console%'",
        )
        for act in ("add", "change", "delete"):
            self.assertIn((act, "x1"), acts)
        self.assertIn(("cert-delete", "x1"), acts)

    def test_no_way_in_without_a_password(self) -> None:
        """A server with a console and no password does not start."""
        folder = self.folder()
        finished = run_twistd(
            folder, "--nodaemon", "rum", *self.settings('pergola.http=""')
        )
        self.assertNotEqual(finished.status, 0)
        self.assertIn("console.password: there is no console", finished.printed)

    def test_a_port_that_is_taken(self) -> None:
        """There is no console, and all else is as ever."""
        folder = self.folder()
        cert = ("--set", 'accounts.cert_file="members.txt"')
        with (
            socket.create_server(("127.0.0.1", self.port)),
            serve(folder, "rum", *cert, *self.settings(), daemon=False) as server,
        ):
            server.wait_for("there is no console")
            self.assertTrue(self.pilot(server.port).is_online())


class RolesTests(ConsoleTestCase):
    """Each role in its own process."""

    def roles(self, *settings: str) -> Roles:
        """Start them, with these settings of the passport."""
        folder = self.folder()
        roles = Roles(
            folder,
            'accounts.cert_file="members.txt"',
            'weather.file="metar.txt"',
            'console.password_file="password.txt"',
            f'console.listen="tcp:{self.port}:interface=127.0.0.1"',
        )
        self.addCleanup(roles.kill)
        processes = (
            roles.start("passport", *settings),
            roles.start("weather"),
            roles.start("pergola"),
        )
        for process in processes:
            process.ready()
        return roles

    def is_shown(self, operator: Telnet, place: str) -> bool:
        """Tell whether the services have an address."""
        return place in operator.ask("services")

    def test_what_a_console_asks_of_others(self) -> None:
        """Weather, and accounts where the passport allows it; and who plays what."""
        roles = self.roles("accounts.remote_changes=true")
        operator = self.operator()
        self.assertIn(REPORT, operator.ask("metar EHAM"))
        operator.ask("wp create EHAM")
        operator.ask("wp set EHAM winds.1.speed 33")
        operator.ask("wp activate EHAM")
        self.assertIn("certificates in the network: 1", operator.ask("info"))
        self.assertIn("be permanent.", operator.ask("cert add X1 y SUPERVISOR"))
        self.assertIn("certificates in the network: 2", operator.ask("info"))
        self.assert_profile_reaches(self.pilot(roles.port))
        for role in ("passport", "weather"):
            place = f"127.0.0.1:{roles.grpc_ports[role]}"
            wait_until(partial(self.is_shown, operator, place), f"{role} is known")
        self.assertIn("ask the process that plays passport", operator.ask("guard"))
        self.assertIn("doesn't use a local METAR", operator.ask("refreshmetar"))

    def test_a_passport_that_does_not_allow_it(self) -> None:
        """The operator reads that, and logons go on."""
        roles = self.roles()
        operator = self.operator()
        for command in ("cert", "cert add X1 y SUPERVISOR", "cert delete 1000001"):
            self.assertIn("does not allow it", operator.ask(command))
        self.assertIn("certificates in the network: unknown", operator.ask("info"))
        self.assertTrue(self.pilot(roles.port).is_online())
