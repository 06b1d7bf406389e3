"""A few operators at a time, and who makes room for another."""

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.admin.manhole.seats import IDLE, MOST_OPERATORS, Seats


class Guest:
    """An operator's connection."""

    def __init__(self, *, is_known: bool = True) -> None:
        self.is_known = is_known
        self.is_ended = False

    def abort(self) -> None:
        """End."""
        self.is_ended = True


class SeatsTests(SynchronousTestCase):
    """Places at a door."""

    @override
    def setUp(self) -> None:
        """Have all seats taken, one second after the other."""
        self.clock = Clock()
        self.seats = Seats(self.clock.seconds)
        self.guests = [Guest() for _ in range(MOST_OPERATORS)]
        for guest in self.guests:
            self.assertTrue(self.seats.take(guest))
            self.clock.advance(1)

    def test_one_more_has_no_room(self) -> None:
        """Until somebody goes."""
        more = Guest()
        self.assertFalse(self.seats.take(more))
        self.seats.leave(self.guests[2])
        self.seats.leave(self.guests[2])
        self.assertTrue(self.seats.take(more))
        self.assertEqual(len(self.seats), MOST_OPERATORS)

    def test_whoever_is_idle_makes_room(self) -> None:
        """After ten minutes, and not a moment before; the log says who had to go."""
        self.clock.advance(IDLE - MOST_OPERATORS - 0.5)
        self.assertFalse(self.seats.take(Guest()))
        self.clock.advance(0.5)
        self.seats.use(self.guests[0])
        self.assertFalse(self.seats.take(Guest()))
        self.clock.advance(1)
        with capturedLogs() as events:
            self.assertTrue(self.seats.take(Guest()))
        self.assertEqual(
            [guest.is_ended for guest in self.guests], [False, True, False, False]
        )
        self.assertIs(events[0]["operator"], self.guests[1])
        self.assertEqual(len(self.seats), MOST_OPERATORS)

    def test_a_stranger_makes_room_at_once(self) -> None:
        """The one who came first, however much he says."""
        strangers = [Guest(is_known=False) for _ in range(2)]
        for guest, stranger in zip(self.guests, strangers, strict=False):
            self.seats.leave(guest)
            self.seats.take(stranger)
            self.clock.advance(1)
        self.assertTrue(self.seats.take(Guest()))
        self.assertEqual([each.is_ended for each in strangers], [True, False])
        self.assertFalse(any(guest.is_ended for guest in self.guests))

    def test_who_has_gone_does_nothing_more(self) -> None:
        """A late line of his gives him no seat."""
        self.seats.leave(self.guests[0])
        self.seats.use(self.guests[0])
        self.assertNotIn(self.guests[0], list(self.seats))
