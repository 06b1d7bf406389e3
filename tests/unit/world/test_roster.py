"""Who is on."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.errors import ErrorCode
from rum_twisted.terms.identity import ClientKind, Rating
from rum_twisted.terms.permissions import Permission
from rum_twisted.world.client import Client
from rum_twisted.world.roster import CallsignInUse, NoSuchCallsign, Roster
from tests.support.builders import make_client, make_controller, make_pilot

# Few names in several cases: most steps meet somebody who is on already.
names = st.sampled_from(("KLM1", "klm1", "Klm1", "KLM2", "EHAM_TWR", "eham_twr", "É1"))
steps = st.lists(
    st.tuples(names, st.sampled_from(ClientKind), st.sampled_from(Rating)), max_size=30
)


class RosterTests(SynchronousTestCase):
    """Coming and going."""

    def assert_holds(self, roster: Roster, clients: list[Client]) -> None:
        """Check that exactly ``clients`` are on, in this order, in their groups."""
        self.assertEqual(list(roster), clients)
        self.assertEqual(len(roster), len(clients))
        pilots = [one for one in clients if one.kind is ClientKind.PILOT]
        controllers = [one for one in clients if one.kind is ClientKind.CONTROLLER]
        self.assertEqual(list(roster.pilots), pilots)
        self.assertEqual(list(roster.controllers), controllers)
        staff = [one for one in clients if one.rating in (11, 12)]
        self.assertEqual(list(roster.supervisors), staff)
        for client in clients:
            for callsign in (client.callsign, client.callsign.swapcase()):
                if callsign.isascii():
                    self.assertIs(roster.find(callsign), client)
                    self.assertTrue(roster.is_online(callsign))

    @given(steps)
    def test_order_is_kept_whatever_happens(
        self, changes: list[tuple[str, ClientKind, Rating]]
    ) -> None:
        """Clients come and go in any order, and every list is right at each step."""
        roster = Roster()
        clients: list[Client] = []
        for callsign, kind, rating in changes:
            client = make_client(callsign, kind=kind, rating=rating)
            holder = roster.find(callsign)
            if holder is None:
                roster.add(client)
                clients.append(client)
            else:
                self.assertRaises(CallsignInUse, roster.add, client)
                self.assert_holds(roster, clients)
                roster.remove(holder)
                clients.remove(holder)
                self.assertFalse(roster.is_online(callsign))
            self.assert_holds(roster, clients)

    def test_callsign_has_one_holder(self) -> None:
        """A second client of the same name is refused, in any case of its letters."""
        roster = Roster()
        holder = make_pilot("KLM1")
        roster.add(holder)
        for callsign in ("KLM1", "klm1", "Klm1"):
            rival = make_controller(callsign)
            error = self.assertRaises(CallsignInUse, roster.add, rival)
            self.assertIs(error.code, ErrorCode.CALLSIGN_IN_USE)
        self.assert_holds(roster, [holder])

    def test_case_is_that_of_ascii_only(self) -> None:
        """Bytes beyond ASCII are different however alike they look."""
        roster = Roster()
        roster.add(make_pilot("É1"))
        self.assertFalse(roster.is_online("é1"))

    def test_callsign_is_free_at_once(self) -> None:
        """People reconnect within seconds."""
        roster = Roster()
        for _ in range(3):
            client = make_pilot("KLM1")
            roster.add(client)
            roster.remove(client)
        self.assert_holds(roster, [])
        self.assertIsNone(roster.find("KLM1"))

    def test_nobody_is_found_under_an_unknown_name(self) -> None:
        """No name, the server's and a stranger's are held by nobody."""
        roster = Roster()
        roster.add(make_pilot("KLM1"))
        for callsign in ("", "SERVER", "*", "KLM12", "KLM1 ", "KLM"):
            self.assertIsNone(roster.find(callsign))
            self.assertFalse(roster.is_online(callsign))

    def test_supervisors_are_of_both_kinds(self) -> None:
        """A pilot may be a supervisor; an instructor is none."""
        roster = Roster()
        staff = [
            make_client("KLM1", rating=Rating.SUPERVISOR),
            make_controller("EHAM_SUP", rating=Rating.ADMINISTRATOR),
        ]
        for client in (*staff, make_controller(rating=Rating.INSTRUCTOR3)):
            roster.add(client)
        self.assertEqual(list(roster.supervisors), staff)

    def test_staff_is_who_is_told(self) -> None:
        """Supervisors, and whoever has the permission; another one is not enough."""
        roster = Roster()
        told = [
            make_client("KLM1", rating=Rating.SUPERVISOR),
            make_client("KLM2", permissions=frozenset({Permission.NOTICES})),
        ]
        kicker = make_client("KLM3", permissions=frozenset({Permission.KICK}))
        for client in (*told, kicker, make_pilot("KLM4")):
            roster.add(client)
        self.assertEqual(list(roster.staff), told)
        self.assertEqual(list(roster.supervisors), told[:1])
        for client in (*told, kicker):
            roster.remove(client)
        self.assertEqual(list(roster.staff), [])

    def test_missing_callsign_is_given_back_as_typed(self) -> None:
        """Error 007 tells which name it was."""
        error = NoSuchCallsign("nobody")
        self.assertIs(error.code, ErrorCode.NO_SUCH_CALLSIGN)
        self.assertEqual(error.parameter, "nobody")

    def test_it_tells_how_many_are_on(self) -> None:
        """Whoever looks at the living server reads a number."""
        roster = Roster()
        roster.add(make_pilot())
        self.assertEqual(repr(roster), "<Roster of 1>")
