"""Logon and logoff."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.wire.codec import decode, encode
from rum_twisted.wire.messages.logon import (
    ControllerAnnouncement,
    ControllerDeparture,
    ControllerLogoff,
    ControllerLogon,
    PilotAnnouncement,
    PilotDeparture,
    PilotLogoff,
    PilotLogon,
)


class PilotLogonTests(SynchronousTestCase):
    """A pilot asks to come online."""

    def test_logon_is_read(self) -> None:
        """Each field is where the reference has it, and stays as typed."""
        self.assertEqual(
            decode(b"#APklm123:SERVER:AbC:pw01:01:9x:2:Joe Pilot EHAM"),
            PilotLogon(
                callsign="klm123",
                destination="SERVER",
                cid="AbC",
                password="pw01",
                rating="01",
                protocol_revision="9x",
                simulator=2,
                real_name="Joe Pilot EHAM",
            ),
        )

    def test_rating_and_revision_are_numbers_too(self) -> None:
        """Both are compared as numbers and given back as typed."""
        logon = decode(b"#APKLM123:SERVER:1:pw: 3rd:9.1:2:Joe")
        self.assertEqual(logon.requested_rating, 3)
        self.assertEqual(logon.revision, 9)
        self.assertEqual((logon.rating, logon.protocol_revision), (" 3rd", "9.1"))

    def test_colon_cuts_the_real_name(self) -> None:
        """What stands behind the name is dropped."""
        logon = decode(b"#APKLM123:SERVER:1:pw:1:9:2:Joe:Pilot")
        self.assertEqual(logon.real_name, "Joe")

    def test_password_is_not_shown(self) -> None:
        """No log and no traceback tells a password."""
        logon = decode(b"#APKLM123:SERVER:1:hunter2:1:9:2:Joe")
        self.assertNotIn("hunter2", repr(logon))


class ControllerLogonTests(SynchronousTestCase):
    """A controller asks to come online."""

    def test_logon_is_read(self) -> None:
        """Each field is where the reference has it; the name stands earlier."""
        self.assertEqual(
            decode(b"#AAEHAM_TWR:SERVER:Ann Controller:1000005:pw05:5:9"),
            ControllerLogon(
                callsign="EHAM_TWR",
                real_name="Ann Controller",
                cid="1000005",
                password="pw05",
                rating="5",
                protocol_revision="9",
            ),
        )

    def test_rating_and_revision_are_numbers_too(self) -> None:
        """Both are compared as numbers; no number is 0."""
        logon = decode(b"#AAEHAM_TWR:SERVER:Ann:1:pw:-2:nine")
        self.assertEqual(logon.requested_rating, -2)
        self.assertEqual(logon.revision, 0)

    def test_old_clients_may_say_more(self) -> None:
        """Position and range behind the revision are ignored."""
        short = b"#AAEHAM_TWR:SERVER:Ann:1:pw:5:9"
        self.assertEqual(decode(short + b":1:50:52.3:4.7"), decode(short))

    def test_password_is_not_shown(self) -> None:
        """No log and no traceback tells a password."""
        logon = decode(b"#AAEHAM_TWR:SERVER:Ann:1:hunter2:5:9")
        self.assertNotIn("hunter2", repr(logon))


class AnnouncementTests(SynchronousTestCase):
    """What everybody else reads of a newcomer."""

    def test_announced_pilot_has_all_fields_but_the_password(self) -> None:
        """Clients index all eight fields, and read the CID as the third."""
        announcement = PilotAnnouncement(
            callsign="KLM123",
            cid="1000001",
            rating=1,
            protocol_revision="9",
            simulator=2,
            real_name="Joe Pilot",
        )
        self.assertEqual(
            encode(announcement), b"#APKLM123:SERVER:1000001::1:9:2:Joe Pilot\r\n"
        )

    def test_announced_controller_has_all_fields_but_the_password(self) -> None:
        """Clients read the CID as the fourth of seven fields."""
        announcement = ControllerAnnouncement(
            callsign="EHAM_TWR",
            real_name="Ann Controller",
            cid="1000005",
            rating=5,
            protocol_revision="9",
        )
        self.assertEqual(
            encode(announcement), b"#AAEHAM_TWR:SERVER:Ann Controller:1000005::5:9\r\n"
        )


class LogoffTests(SynchronousTestCase):
    """Who leaves says so, or somebody else does."""

    def test_logoff_needs_nothing_but_the_callsign(self) -> None:
        """A CID behind it is ignored."""
        for tail in (b"", b":1000001", b":", b":x:y"):
            self.assertEqual(decode(b"#DPKLM123" + tail), PilotLogoff("KLM123"))
            self.assertEqual(decode(b"#DAKLM123" + tail), ControllerLogoff("KLM123"))

    def test_departure_carries_the_cid(self) -> None:
        """Lists of who is on read the CID from it."""
        pilot, controller = PilotDeparture("K1", "7"), ControllerDeparture("E1", "8")
        self.assertEqual(encode(pilot), b"#DPK1:7\r\n")
        self.assertEqual(encode(controller), b"#DAE1:8\r\n")
