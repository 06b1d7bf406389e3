"""The way in, while it is closed to some."""

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.session.door import ClosedTo, Door, is_observer
from rum_twisted.session.errors import ServerFull
from rum_twisted.terms.identity import ClientKind
from tests.support.server import MemoryServer, controller_logon, pilot_logon

WHY = "the server is short of memory, try again in a few minutes"
REFUSED = [
    f"#TMserver:{{}}:{WHY}",
    "$ERserver:unknown:012::Too many clients connected",
]

# Who, by kind, callsign and rating, and whom a door that is closed to observers and one
# that is closed to newcomers lets in.
VISITORS = (
    (ClientKind.PILOT, "KLM1", 1, True, False),
    (ClientKind.PILOT, "KLM_OBS", 1, True, False),
    (ClientKind.CONTROLLER, "EDDF_OBS", 5, False, False),
    (ClientKind.CONTROLLER, "EDDF_obs", 5, False, False),
    (ClientKind.CONTROLLER, "EDDF_TWR", 1, False, False),
    (ClientKind.CONTROLLER, "EDDF_TWR", 2, True, False),
    (ClientKind.CONTROLLER, "EDDF_OBS", 11, True, True),
    (ClientKind.PILOT, "KLM1", 11, True, True),
    (ClientKind.PILOT, "KLM1", 10, True, False),
)


class DoorTests(SynchronousTestCase):
    """Who is let in."""

    def test_the_table(self) -> None:
        """Each kind of visitor, at each state of the door."""
        for kind, callsign, rating, *expected in VISITORS:
            for closed_to, is_let_in in zip(ClosedTo, (True, *expected), strict=True):
                door = Door()
                if closed_to is not ClosedTo.NOBODY:
                    door.close(closed_to, WHY)
                case = (callsign, rating, closed_to)
                try:
                    door.check(kind, callsign, rating)
                except ServerFull as error:
                    self.assertFalse(is_let_in, case)
                    self.assertEqual(error.notice, WHY)
                else:
                    self.assertTrue(is_let_in, case)
                self.assertEqual(door.refused, not is_let_in, case)

    def test_it_opens_again(self) -> None:
        """To everybody."""
        door = Door()
        door.close(ClosedTo.NEWCOMERS, WHY)
        self.assertIn("newcomers", repr(door))
        door.open()
        door.check(ClientKind.PILOT, "KLM1", 1)
        self.assertEqual(door.reason, "")

    def test_observers(self) -> None:
        """By the rating or by the callsign."""
        self.assertTrue(is_observer("EDDF_OBS", 5))
        self.assertTrue(is_observer("EDDF_TWR", 1))
        self.assertFalse(is_observer("EDDF_TWR", 2))


class LogonTests(SynchronousTestCase):
    """What somebody reads who is not let in."""

    @override
    def setUp(self) -> None:
        """Put a pilot on, and close the door."""
        self.server = MemoryServer()
        self.pilot = self.server.log_on_pilot("AFR2")
        self.door = self.pilot.session.network.door
        self.door.close(ClosedTo.NEWCOMERS, WHY)

    def test_why(self) -> None:
        """A text with the reason, error 012, and the end; the log has it."""
        for line in (pilot_logon("KLM1"), controller_logon("KLM1")):
            with capturedLogs() as events:
                newcomer = self.server.connect()
                newcomer.say(line)
                self.server.turn()
            self.assertEqual(newcomer.read(), [each.format("KLM1") for each in REFUSED])
            self.assertTrue(newcomer.is_closed)
            self.assertIn("SERVER_FULL", str(events[-1]["code"]))

    def test_no_password_is_looked_at(self) -> None:
        """That would take memory; so a wrong one is answered the same."""
        newcomer = self.server.connect()
        newcomer.say(pilot_logon("KLM1").replace("pw01", "wrong"))
        self.server.turn()
        self.assertIn(":012:", newcomer.read()[-1])

    def test_who_is_online_stays(self) -> None:
        """And is answered."""
        self.pilot.say("$PIAFR2:SERVER:1")
        self.server.turn()
        self.assertEqual(self.pilot.read(), ["$POserver:AFR2:1"])

    def test_supervisors_come_in(self) -> None:
        """They are needed."""
        supervisor = self.server.log_on_controller("EDDF_SUP", rating=11)
        self.assertFalse(supervisor.is_closed)
