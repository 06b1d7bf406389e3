"""What the server tells its staff."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.accounts.memory import MemoryAccounts
from rum_twisted.session.staff import is_needed, tell_staff
from rum_twisted.terms.identity import Rating
from rum_twisted.terms.permissions import Permission
from tests.support.builders import ACCOUNTS, make_client, make_controller, make_pilot
from tests.support.server import MemoryServer


class TellStaffTests(SynchronousTestCase):
    """Who reads it."""

    def test_supervisors_and_holders_of_the_permission_read_it(self) -> None:
        """A member without either, and one who may only kick, read nothing."""
        server = MemoryServer(
            accounts=MemoryAccounts(
                ACCOUNTS,
                permissions={
                    "1000002": frozenset({Permission.NOTICES}),
                    "1000005": frozenset({Permission.KICK}),
                },
            )
        )
        terminals = {
            "EHAM_SUP": server.log_on_controller("EHAM_SUP", rating=11),
            "EHAM_TWR": server.log_on_controller("EHAM_TWR", rating=5),
            "KLM1": server.log_on_pilot("KLM1", rating=1),
            "KLM2": server.log_on_pilot("KLM2", rating=2),
        }
        for terminal in terminals.values():
            terminal.read()
        tell_staff(server.roster, server.fanout, "somebody guesses passwords")
        server.fanout.settle()
        self.assertEqual(
            {callsign: one.read() for callsign, one in terminals.items()},
            {
                "EHAM_SUP": ["#TMserver:EHAM_SUP:somebody guesses passwords"],
                "EHAM_TWR": [],
                "KLM1": [],
                "KLM2": ["#TMserver:KLM2:somebody guesses passwords"],
            },
        )


class NeededTests(SynchronousTestCase):
    """Whom others rely on."""

    def test_supervisors_and_working_controllers(self) -> None:
        """Neither other pilots nor those who only look on."""
        self.assertTrue(is_needed(make_controller("EHAM_TWR")))
        self.assertTrue(is_needed(make_client("KLM1", rating=Rating.SUPERVISOR)))
        self.assertFalse(is_needed(make_pilot()))
        self.assertFalse(is_needed(make_controller("EHAM_OBS")))
        observer = make_controller("EHAM_TWR", rating=Rating.OBSERVER)
        self.assertFalse(is_needed(observer))
