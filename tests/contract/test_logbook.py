"""What every logbook promises, whatever it writes into."""

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface.verify import verifyObject

from rum_twisted.accounts.memorylogbook import MemoryLogbook
from rum_twisted.accounts.nologbook import NoLogbook
from rum_twisted.session.interfaces import ILogbook, StaffAct
from tests.support.builders import make_controller, make_pilot

KILL = StaffAct(
    who_cid="1000011",
    who_callsign="EHAM_SUP",
    act="kill",
    whom="1000001 KLM1",
    detail="read the rules, 联飞",
    where="2001:db8::1",
)


class Contract:
    """Keeps the suite itself out of the test loader's sight."""

    class LogbookTests(SynchronousTestCase):
        """The promises of `ILogbook`."""

        def make_logbook(self) -> ILogbook:
            """Return the logbook under test."""
            raise NotImplementedError

        @override
        def setUp(self) -> None:
            """Make a new logbook for each test."""
            self.logbook = self.make_logbook()

        def test_interface_is_whole(self) -> None:
            """A logbook has every method of the interface."""
            self.assertTrue(verifyObject(ILogbook, self.logbook))

        def test_nothing_fails(self) -> None:
            """Visits of both kinds, of one callsign after the other, and acts."""
            for client in (make_pilot("KLM1"), make_controller(), make_pilot("KLM1")):
                self.logbook.logged_on(client, "192.0.2.1")
                self.logbook.acted(KILL)
                self.logbook.logged_off(client)

        def test_an_address_need_not_be_known(self) -> None:
            """A client on a socket file has none."""
            client = make_pilot()
            self.logbook.logged_on(client, "")
            self.logbook.logged_off(client)


class MemoryLogbookTests(Contract.LogbookTests):
    """The promises, kept in memory."""

    @override
    def make_logbook(self) -> ILogbook:
        """Return an empty logbook."""
        return MemoryLogbook()

    def test_memory_is_bounded(self) -> None:
        """After a thousand visits the oldest are forgotten."""
        logbook = MemoryLogbook()
        pilots = [make_pilot(f"KLM{number}") for number in range(1001)]
        for pilot in pilots:
            logbook.logged_on(pilot, "192.0.2.1")
            logbook.logged_off(pilot)
            logbook.acted(KILL)
        self.assertEqual(len(logbook.acts), 1000)
        self.assertEqual([client for client, _ in logbook.visits], pilots[1:])
        self.assertEqual(logbook.online, {})


class NoLogbookTests(Contract.LogbookTests):
    """The promises, kept by forgetting."""

    @override
    def make_logbook(self) -> ILogbook:
        """Return the logbook of a server without a database."""
        return NoLogbook()
