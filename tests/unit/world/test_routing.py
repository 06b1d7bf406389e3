"""The destination word of a packet."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.identity import Rating
from rum_twisted.world.roster import Roster
from rum_twisted.world.routing import Audience, audience_of, members_of
from tests.support.builders import make_client, make_controller, make_pilot


class AudienceOfTests(SynchronousTestCase):
    """Whom a word names."""

    def test_words_are_those_of_the_reference(self) -> None:
        """Each kind of destination is told from the others."""
        for word, audience in {
            "SERVER": Audience.SERVER,
            "server": Audience.SERVER,
            "SeRvEr": Audience.SERVER,
            "KLM123": Audience.ONE,
            "SERVER1": Audience.ONE,
            "": Audience.ONE,
            " ": Audience.ONE,
            "A*": Audience.ONE,
            "@22800": Audience.FREQUENCY,
            "@19600&@20950": Audience.FREQUENCY,
            "@": Audience.FREQUENCY,
            "@SERVER": Audience.FREQUENCY,
            "*": Audience.EVERYBODY,
            "*A": Audience.CONTROLLERS,
            "*P": Audience.PILOTS,
            "*S": Audience.SUPERVISORS,
        }.items():
            self.assertIs(audience_of(word), audience, word)

    def test_other_groups_are_everybody(self) -> None:
        """The letter counts with its case, and nothing may stand behind it."""
        for word in ("*a", "*p", "*s", "*X", "*AA", "*A ", "* A", "**", "*\xff"):
            self.assertIs(audience_of(word), Audience.EVERYBODY, word)

    def test_groups_are_told_from_single_receivers(self) -> None:
        """The server and one callsign are no group."""
        single = {audience for audience in Audience if not audience.is_group}
        self.assertEqual(single, {Audience.SERVER, Audience.ONE})


class MembersOfTests(SynchronousTestCase):
    """Who belongs to a group."""

    def test_members_are_those_of_the_roster(self) -> None:
        """All controllers, all pilots, all supervisors, everybody."""
        roster = Roster()
        pilot, tower = make_pilot("KLM1"), make_controller("EHAM_TWR")
        flying_supervisor = make_client("KLM2", rating=Rating.SUPERVISOR)
        for client in (pilot, tower, flying_supervisor):
            roster.add(client)
        for audience, members in {
            Audience.CONTROLLERS: [tower],
            Audience.PILOTS: [pilot, flying_supervisor],
            Audience.SUPERVISORS: [flying_supervisor],
            Audience.EVERYBODY: [pilot, tower, flying_supervisor],
        }.items():
            self.assertEqual(list(members_of(audience, roster)), members)

    def test_others_have_no_members(self) -> None:
        """A frequency needs a place, a callsign is one, the server is nobody."""
        for audience in (Audience.SERVER, Audience.ONE, Audience.FREQUENCY):
            self.assertRaises(ValueError, members_of, audience, Roster())
