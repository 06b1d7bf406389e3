"""What a session writes down: who came, who left, and what the staff did."""

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.memory import MemoryAccounts
from rum_twisted.session.interfaces import StaffAct
from rum_twisted.terms.permissions import Permission
from tests.support.builders import ACCOUNTS, NOON
from tests.support.server import MemoryServer, Terminal, pilot_logon

ADDRESS = "192.168.1.1"  # of everybody, in memory


class VisitTests(SynchronousTestCase):
    """Each visit is noted at its begin and at its end."""

    @override
    def setUp(self) -> None:
        """Start a server."""
        self.server = MemoryServer()
        self.logbook = self.server.logbook

    def test_a_logon_is_noted_with_its_address(self) -> None:
        """Who it was, under which callsign, since when, and from where."""
        self.server.log_on_pilot("KLM1")
        ((client, address),) = self.logbook.online.items()
        self.assertEqual(
            (client.callsign, client.cid, client.logged_on_at, address),
            ("KLM1", "1000001", NOON, ADDRESS),
        )
        self.assertEqual(len(self.logbook.visits), 0)

    def test_a_refused_logon_is_no_visit(self) -> None:
        """Neither a wrong password nor a callsign in use leaves a trace."""
        self.server.log_on_pilot("KLM1")
        for line in (pilot_logon("KLM1"), pilot_logon("KLM2").replace("pw01", "bad")):
            self.server.connect().say(line)
        self.assertEqual(len(self.logbook.online), 1)
        self.assertEqual(len(self.logbook.visits), 0)

    def assert_left_once(self, terminal: Terminal) -> None:
        """Assert that this client, and nobody else, was noted as gone."""
        ((client, _),) = self.logbook.visits
        self.assertIs(client, terminal.session.client)
        self.assertNotIn(client, self.logbook.online)

    def test_every_way_of_leaving_is_noted_once(self) -> None:
        """Logging off, hanging up, a kill, silence, a cut, a bug: all are ends."""
        self.server.log_on_controller("EHAM_SUP", rating=11)
        supervisor = self.server.terminals[0]
        ways = {
            "logs off": lambda one: one.say("#DPKLM1"),
            "hangs up": lambda one: one.hang_up(),
            "is killed": lambda _: supervisor.say("$!!EHAM_SUP:KLM1:bye"),
            "is silent": lambda one: one.protocol.check(1e9),
            "is cut": lambda one: one.protocol.cut("he reads nothing"),
            "is disconnected": lambda one: one.protocol.disconnect(),
        }
        for way, leave in ways.items():
            self.logbook.visits.clear()
            terminal = self.server.log_on_pilot("KLM1")
            leave(terminal)
            self.server.turn()
            self.assertFalse(self.server.roster.is_online("KLM1"), way)
            self.assert_left_once(terminal)
            terminal.hang_up()  # whatever comes after the end adds nothing
            self.assert_left_once(terminal)


class StaffActTests(SynchronousTestCase):
    """What the staff does to others is noted."""

    @override
    def setUp(self) -> None:
        """Put a member on who has the permission to kick, and one who is kicked."""
        self.server = MemoryServer(
            accounts=MemoryAccounts(
                ACCOUNTS,
                permissions={"1000005": frozenset({Permission.KICK})},
            )
        )
        self.staff = self.server.log_on_controller("EHAM_TWR")
        self.pilot = self.server.log_on_pilot("KLM1")

    def test_a_kill_is_noted(self) -> None:
        """Who did it, to whom, why, and from where."""
        self.staff.say("$!!EHAM_TWR:klm1:联飞".encode().decode("latin-1"))
        self.assertTrue(self.pilot.is_closed)
        self.assertEqual(
            list(self.server.logbook.acts),
            [
                StaffAct(
                    who_cid="1000005",
                    who_callsign="EHAM_TWR",
                    act="kill",
                    whom="1000001 KLM1",
                    detail="联飞",
                    where=ADDRESS,
                )
            ],
        )

    def test_a_reason_of_an_older_encoding_is_noted_as_it_can_be(self) -> None:
        """Its control codes are blanks: it is shown on terminals, some day."""
        reason = "联飞".encode("gbk").decode("latin-1")
        self.staff.say(f"$!!EHAM_TWR:KLM1:{reason}\x00\x1b[2J")
        (act,) = self.server.logbook.acts
        self.assertEqual(act.detail, f"{reason}  [2J")

    def test_a_kill_that_is_refused_is_noted_once(self) -> None:
        """Who may not kill has tried to; however often, that is one line a session."""
        for reason in ("revenge", "again", "and again"):
            self.pilot.say(f"$!!KLM1:EHAM_TWR:{reason}")
        (act,) = self.server.logbook.acts
        self.assertEqual(
            (act.who_callsign, act.act, act.whom, act.detail),
            ("KLM1", "refused-kill", "1000005 EHAM_TWR", "revenge"),
        )
        self.assertFalse(self.staff.is_closed)

    def test_a_kill_of_nobody_is_not_noted(self) -> None:
        """Nothing has been done, and nothing was refused."""
        self.staff.say("$!!EHAM_TWR:AFR2:nobody")
        self.assertEqual(len(self.server.logbook.acts), 0)
