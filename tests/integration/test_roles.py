"""Roles in processes of their own: over a list of addresses, and over a real etcd."""

import re
from contextlib import closing
from functools import partial
from pathlib import Path
from sqlite3 import connect
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.control.client import ControlClient
from rum_twisted.rpc.health import is_serving
from rum_twisted.terms.units import Seconds
from tests.support.certificates import Authority, Identity
from tests.support.etcd import PATIENCE, Etcd
from tests.support.roles import Pilot, Role, Roles, wait_until
from tests.support.twistd import free_port, run_twistd

PASSWORD = "secret"
MEMBERS = f"1000001 {PASSWORD} 1\n1000005 {PASSWORD} 5\n1000011 {PASSWORD} 11\n"
REPORT = "EHAM 101225Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG"
PLAN = "I:B738/L:420:EHAM:1230:1235:FL350:EDDF:1:30:3:15:EDDL:rmk:DCT SUGOL"
ALL = ("pergola", "passport", "weather")
TTL = 2  # seconds, of the processes' leases
NOT_YET = 1.0  # seconds, in which an answer would have come
LOCKED_AFTER = 5  # wrong passwords
# Who logs on while there is no passport waits as long as this machine needs.
PATIENT = ("pergola.login_timeout=300", "accounts.answer_within=240")
HEAVY = ("_sqlalchemy", "sqlalchemy", "_argon2", "OpenSSL", "cryptography")


def answers(address: str, ca: Path, identity: Identity | None) -> bool:
    """Tell whether an endpoint answers over TLS somebody who shows this, or nothing."""
    key, cert = None, None
    if identity is not None:
        key, cert = identity.key.read_bytes(), identity.cert.read_bytes()
    credentials = grpc.ssl_channel_credentials(ca.read_bytes(), key, cert)
    with grpc.secure_channel(address, credentials) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE, error
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


class RolesTestCase(SynchronousTestCase):
    """A folder with members and a report, and the processes of one network."""

    def network(self, *settings: str) -> Roles:
        """Return a network with an account file; its processes end with the test."""
        roles = self.empty_network(
            'accounts.cert_file="members.txt"', 'weather.file="metar.txt"', *settings
        )
        (roles.folder / "members.txt").write_text(MEMBERS, "ascii")
        (roles.folder / "metar.txt").write_text(f"{REPORT}\n", "ascii")
        return roles

    def empty_network(self, *settings: str) -> Roles:
        """Return a network; its processes end with the test."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        roles = Roles(folder, *settings)
        self.addCleanup(roles.kill)
        return roles

    def over_etcd(self, *settings: str) -> Roles:
        """Return a network whose processes find each other in an etcd."""
        self.etcd = Etcd(Path(self.mktemp()))
        self.addCleanup(self.etcd.kill)
        self.etcd.start_and_wait()
        return self.network(
            'discovery.backend="etcd"',
            f'discovery.endpoints=["{self.etcd.endpoint}"]',
            f"discovery.lease_ttl={TTL}",
            *settings,
        )

    def over_tls(self, authority: Authority) -> Roles:
        """Return a network whose etcd and processes use TLS in both directions."""
        server, client = authority.issue("etcd"), authority.issue("rum")
        self.etcd = Etcd(
            Path(self.mktemp()),
            f"--cert-file={server.cert}",
            f"--key-file={server.key}",
            f"--trusted-ca-file={authority.ca}",
            "--client-cert-auth",
            scheme="https",
            ca=authority.ca,
        )
        self.addCleanup(self.etcd.kill)
        self.etcd.start_and_wait()
        return self.network(
            'discovery.backend="etcd"',
            f'discovery.endpoints=["{self.etcd.endpoint}"]',
            *(
                f'{table}.tls_{part}="{path}"'
                for table in ("discovery", "services")
                for part, path in (
                    ("ca", authority.ca),
                    ("cert", client.cert),
                    ("key", client.key),
                )
            ),
        )

    def each_alone(self, roles: Roles, *, daemon: bool = False) -> dict[str, Role]:
        """Start a process for each role; return them when all serve."""
        started = {role: roles.start(role, daemon=daemon) for role in ALL}
        return {role: process.ready() for role, process in started.items()}

    def pilot(self, roles: Roles, callsign: str = "KLM1") -> Pilot:
        """Return the end of a pilot who has asked to log on."""
        return self.caller(roles, callsign, "1000001")

    def caller(
        self, roles: Roles, callsign: str, cid: str, password: str = PASSWORD
    ) -> Pilot:
        """Return the end of somebody who has asked to log on."""
        caller = Pilot(roles.port)
        self.addCleanup(caller.close)
        ratings = {"1000001": 1, "1000005": 5, "1000011": 11}
        caller.log_on(callsign, cid, password, ratings.get(cid, 1))
        return caller

    def assert_it_works(self, roles: Roles) -> None:
        """Assert that members log on, read reports and file plans."""
        controller = self.caller(roles, "EHAM_TWR", "1000005")
        controller.until("#TMserver:EHAM_TWR")
        pilot = self.pilot(roles)
        pilot.until("#TMserver:KLM1")
        wait_until(partial(self.reads_weather, pilot), "the weather is known here")
        pilot.say("#WXKLM1:SERVER:EHAM")
        pilot.until("#TDserver:KLM1")
        pilot.say(f"$FPKLM1:SERVER:{PLAN}")
        self.assertEqual(controller.until("$FP"), f"$FPKLM1:*A:{PLAN}")
        refused = self.caller(roles, "AFR2", "1000005", "wrong")
        self.assertIn(":006:", refused.until("$ER"))

    def reads_weather(self, pilot: Pilot) -> bool:
        """Tell whether a pilot reads a report; while nobody plays it, there is none."""
        pilot.say(f"$AX{pilot.callsign}:SERVER:METAR:EHAM")
        answer = pilot.until("$AR", "$ER")
        return answer == f"$ARserver:{pilot.callsign}:METAR:{REPORT}"

    def assert_clean(self, *processes: Role) -> None:
        """Assert that no process has met a bug."""
        for process in processes:
            self.assertNotIn("Traceback", process.log)


class StaticTests(RolesTestCase):
    """Three processes that find each other by a list."""

    def test_one_network_in_three_processes(self) -> None:
        """Logons, reports and plans; and each process ends well, in any order."""
        roles = self.network()
        processes = self.each_alone(roles)
        self.assert_it_works(roles)
        for role in ("weather", "pergola", "passport"):
            processes[role].end()
        self.assert_clean(*processes.values())

    def test_daemons(self) -> None:
        """So they do in the background: nothing of gRPC is opened before the fork."""
        roles = self.network()
        processes = self.each_alone(roles, daemon=True)
        self.assert_it_works(roles)
        for role in ALL:
            processes[role].end()
        self.assert_clean(*processes.values())

    def test_two_roles_in_one_process(self) -> None:
        """Moving a role is a change of configuration: here the weather moves in."""
        roles = self.network()
        processes = [roles.start("pergola,weather"), roles.start("passport")]
        for process in processes:
            process.ready()
        self.assert_it_works(roles)
        self.assert_clean(*processes)

    def test_what_a_role_does_not_use_is_not_there(self) -> None:
        """A front has no database, a passport neither port nor status file."""
        roles = self.network()
        passport = roles.start("passport").ready()
        with self.assertRaises(ConnectionRefusedError):
            Pilot(roles.port)
        self.assertNotIn("FSD clients", passport.terminal)
        self.assertFalse((roles.folder / "data" / "whazzup.txt").exists())
        pergola = roles.start("pergola").ready()
        for library in HEAVY:
            self.assertNotIn(library, pergola.maps)

    def test_killed_passport(self) -> None:
        """Who is online stays; who logs on meanwhile waits until it is back."""
        roles = self.network(*PATIENT)
        processes = self.each_alone(roles)
        online = self.pilot(roles)
        online.until("#TMserver:KLM1")
        processes["passport"].kill()
        late = self.pilot(roles, "KLM2")
        self.assertTrue(late.reads_nothing(NOT_YET))
        self.assertTrue(online.is_online())
        roles.start("passport").ready()
        late.until("#TMserver:KLM2")
        self.assertTrue(online.is_online())
        self.assert_clean(processes["pergola"])

    def test_nobody_has_the_accounts_for_too_long(self) -> None:
        """A logon waits for as long as the settings say; then it reads why."""
        roles = self.network()
        roles.start("pergola", "accounts.answer_within=0.5").ready()
        pilot = self.pilot(roles)
        self.assertIn(":012:", pilot.until("$ER"))

    def test_guesses_are_counted_where_passwords_are(self) -> None:
        """The staff online is told all the same, and an operator asks the passport."""
        roles = self.network()
        self.each_alone(roles)
        staff = self.caller(roles, "BOSS_SUP", "1000011")
        staff.until("#TMserver:BOSS_SUP")
        for _ in range(LOCKED_AFTER + 1):
            self.caller(roles, "KLM1", "1000001", "guess").until("$ER")
        waits = self.caller(roles, "KLM1", "1000001")
        self.assertIn("too many", waits.until("#TM", "$ER"))
        self.assertIn("1000001", staff.until("#TMserver:BOSS_SUP:too many"))
        control = ControlClient(roles.folder / "data" / "control-passport.sock")
        keys = [lockout["key"] for lockout in control.ask("lockouts.list")]
        self.assertIn("1000001", keys)
        control.ask("lockouts.lift", key="1000001")
        self.caller(roles, "KLM1", "1000001").until("#TMserver:KLM1")

    def test_first_start_of_a_passport(self) -> None:
        """It shows the administrator, who can log on; his visit is in its database."""
        roles = self.empty_network()
        database = 'accounts.store="database"'
        passport = roles.start("passport", database).ready()
        wait_until(lambda: passport.said("password:"), "administrator is shown")
        shown = re.search(r"password: +(\S+)", passport.terminal)
        assert shown is not None, passport.terminal
        pergola = roles.start("pergola").ready()
        pilot = self.caller(roles, "KLM1", "1000000", shown[1])
        pilot.until("#TMserver:KLM1")
        pergola.end()
        passport.end()
        with closing(connect(roles.folder / "data" / "rum.sqlite")) as database_file:
            visits = database_file.execute(
                "SELECT cid, callsign, is_open FROM rum_sessions"
            ).fetchall()
        self.assertEqual(visits, [("1000000", "KLM1", 0)])

    def test_settings_that_leave_a_role_alone(self) -> None:
        """They are refused before anything starts, with what was due."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        finished = run_twistd(folder, "--nodaemon", "rum", "--role", "pergola")
        self.assertEqual(finished.status, 1)
        self.assertIn("discovery.backend", finished.printed)
        self.assertNotIn("Traceback", finished.printed)

    def test_port_that_is_taken(self) -> None:
        """The operator reads one line, and no traceback."""
        roles = self.network()
        roles.start("passport").ready()
        address = f'services.listen="127.0.0.1:{roles.grpc_ports["passport"]}"'
        second = roles.start("passport", address, name="second")
        wait_until(lambda: second.said("rum: services.listen"), "line")
        self.assertNotIn("Traceback", second.terminal)


class EtcdTests(RolesTestCase):
    """Processes that find each other in a real etcd, on ports that nobody chose."""

    def listed(self, role: str) -> int:
        """Return how many play a role, as etcd has it."""
        prefix = f"/rum/services/{role}/"
        keys = self.etcd.control("get", "--prefix", "--keys-only", prefix)
        return keys.count(prefix)

    def is_listed(self, role: str) -> bool:
        """Tell whether exactly one plays a role."""
        return self.listed(role) == 1

    def test_one_network_in_three_processes(self) -> None:
        """Logons, reports and plans; who ends well leaves the list at once."""
        roles = self.over_etcd()
        processes = self.each_alone(roles)
        for role in ALL:
            wait_until(partial(self.is_listed, role), f"{role} is listed")
        self.assert_it_works(roles)
        for role in ALL:
            processes[role].end()
            self.assertEqual(self.listed(role), 0)
        self.assert_clean(*processes.values())

    def test_daemons(self) -> None:
        """So it is in the background."""
        roles = self.over_etcd()
        processes = self.each_alone(roles, daemon=True)
        for role in ALL:
            wait_until(partial(self.is_listed, role), f"{role} is listed")
        self.assert_it_works(roles)
        for role in ALL:
            processes[role].end()
            self.assertEqual(self.listed(role), 0)
        self.assert_clean(*processes.values())

    def test_tls_between_all(self) -> None:
        """Each process shows etcd and the others a certificate, or is not let in."""
        authority = Authority(Path(self.mktemp()).absolute(), "ours")
        roles = self.over_tls(authority)
        processes = self.each_alone(roles, daemon=True)
        self.assert_it_works(roles)
        self.assert_clean(*processes.values())
        member = authority.issue("member")
        stranger = Authority(Path(self.mktemp()).absolute(), "theirs").issue("stranger")
        for role in ALL:
            address = processes[role].endpoint
            self.assertTrue(answers(address, authority.ca, member), role)
            self.assertFalse(answers(address, authority.ca, None), role)
            self.assertFalse(answers(address, authority.ca, stranger), role)
            self.assertFalse(is_serving(address, Seconds(2.0)), role)  # without TLS

    def test_front_of_another_authority(self) -> None:
        """It serves, but nobody answers it, and so nobody logs on there."""
        authority = Authority(Path(self.mktemp()).absolute(), "ours")
        roles = self.over_tls(authority)
        passport = roles.start("passport").ready()
        theirs = Authority(Path(self.mktemp()).absolute(), "theirs").issue("front")
        front = roles.start(
            "pergola",
            f'services.tls_cert="{theirs.cert}"',
            f'services.tls_key="{theirs.key}"',
            "accounts.answer_within=2",
        ).ready()
        pilot = self.pilot(roles)
        self.assertIn(":012:", pilot.until("$ER"))
        self.assert_clean(passport, front)

    def test_killed_passport(self) -> None:
        """Logons wait for the next one, wherever it is started."""
        roles = self.over_etcd(*PATIENT)
        processes = self.each_alone(roles)
        online = self.pilot(roles)
        online.until("#TMserver:KLM1")
        processes["passport"].kill()
        late = self.pilot(roles, "KLM2")
        wait_until(lambda: self.listed("passport") == 0, "it leaves the list")
        self.assertTrue(online.is_online())
        roles.start("passport", name="next").ready()
        late.until("#TMserver:KLM2")
        self.assertTrue(online.is_online())

    def test_second_passport_takes_over(self) -> None:
        """With two, nobody waits long when one is killed."""
        roles = self.over_etcd(*PATIENT)
        self.each_alone(roles)
        second = roles.start("passport", name="second").ready()
        wait_until(lambda: self.listed("passport") == len(ALL) - 1, "both are listed")
        second.kill()
        for number in range(4):
            self.pilot(roles, f"KLM{number}").until(f"#TMserver:KLM{number}")

    def test_everything_in_one_process_and_called_by_another(self) -> None:
        """A whole server lends its accounts and its weather to a second front."""
        roles = self.over_etcd()
        whole = roles.start(",".join(ALL), name="whole").ready()
        roles.port = free_port()
        front = roles.start("pergola", 'status.whazzup=""', name="front").ready()
        self.assert_it_works(roles)
        self.assert_clean(whole, front)

    def test_etcd_is_down_at_the_start(self) -> None:
        """A front serves anyway: clients read why they cannot log on yet, or wait."""
        roles = self.over_etcd(*PATIENT)
        self.etcd.kill()
        started = [roles.start(role) for role in ALL]
        for process in started:
            process.ready()
        pilot = self.pilot(roles)
        self.etcd.start_and_wait()
        pilot.until("#TMserver:KLM1")
