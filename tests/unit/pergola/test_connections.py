"""Who is connected, and who is on the way out."""

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.pergola.connections import (
    LINGER,
    MOST_GOES,
    SWEPT_AT_ONCE,
    Connections,
)
from rum_twisted.session.tally import Closing


class Guest:
    """A connection that notes what is done to it."""

    def __init__(self) -> None:
        self.transport = StringTransport()
        self.checks: list[float] = []
        self.waiting_in = 30
        self.waiting_out = 0
        self.is_needed = False
        self.cuts: list[str] = []
        self.queued = 0

    @property
    def name(self) -> str:
        """Return how he is addressed."""
        return f"guest {id(self)}"

    @property
    def is_aborted(self) -> bool:
        """Tell whether the socket was dropped."""
        return bool(self.transport.disconnected)

    def check(self, now: float) -> None:
        """Note when it was looked after."""
        self.checks.append(now)

    def say(self, text: str) -> None:
        """Say nothing."""

    def disconnect(self, why: Closing = Closing.KILLED) -> None:
        """End nothing."""

    def cut(self, reason: str, why: Closing = Closing.OVERFLOW) -> None:
        """Note that he was cut."""
        self.cuts.append(reason)


class ConnectionsTests(SynchronousTestCase):
    """A server that admits two."""

    @override
    def setUp(self) -> None:
        """Begin with nobody."""
        self.clock = Clock()
        self.connections = Connections(self.clock, 2)
        self.guests = [Guest() for _ in range(3)]

    def admit(self, *guests: Guest) -> list[bool]:
        """Let guests come, and tell who was admitted."""
        return [self.connections.admit(guest) for guest in guests]

    def sweep(self) -> None:
        """Look after everybody, of whom there are few."""
        self.connections.begin_round()
        self.connections.sweep()
        self.assertEqual(self.connections.unswept, 0)

    def test_at_the_bound_and_one_past_it(self) -> None:
        """The third is told that the server is full."""
        self.assertEqual(self.admit(*self.guests), [True, True, False])
        self.assertEqual(list(self.connections.open), self.guests[:2])

    def test_who_goes_makes_room(self) -> None:
        """Be he dismissed or gone by himself."""
        first, second, third = self.guests
        self.admit(first, second)
        self.connections.dismiss(first)
        self.assertEqual(self.admit(third), [True])
        self.connections.forget(second)
        self.assertEqual(self.admit(Guest()), [True])

    def test_the_sweep_looks_after_those_who_are_here(self) -> None:
        """And not after those who were dismissed."""
        first, second, _ = self.guests
        self.admit(first, second)
        self.connections.dismiss(first)
        self.clock.advance(1.0)
        self.sweep()
        self.assertEqual((first.checks, second.checks), ([], [1.0]))

    def test_last_words_have_a_moment(self) -> None:
        """A dismissed client has time to read them, then his socket is dropped."""
        first = self.guests[0]
        self.admit(first)
        self.connections.dismiss(first)
        self.clock.advance(LINGER - 0.1)
        self.sweep()
        self.assertFalse(first.is_aborted)
        self.clock.advance(0.1)
        self.sweep()
        self.assertTrue(first.is_aborted)

    def test_who_was_never_admitted_lingers_too(self) -> None:
        """He has to read that the server is full."""
        third = self.guests[2]
        self.connections.dismiss(third)
        self.sweep()
        self.assertFalse(third.is_aborted)
        self.clock.advance(LINGER)
        self.sweep()
        self.assertTrue(third.is_aborted)

    def test_a_storm_of_dismissals(self) -> None:
        """A thousand linger; where there are more, the oldest are dropped."""
        guests = [Guest() for _ in range(1001)]
        for guest in guests:
            self.connections.dismiss(guest)
        self.assertEqual([guest.is_aborted for guest in guests[:2]], [True, False])

    def test_all_are_gone_when_nobody_was_here(self) -> None:
        """There is nothing to wait for."""
        self.successResultOf(self.connections.when_all_gone())

    def test_all_are_gone(self) -> None:
        """Those who linger are waited for as well."""
        first, second, _ = self.guests
        self.admit(first, second)
        self.connections.dismiss(second)
        gone = self.connections.when_all_gone()
        self.connections.forget(first)
        self.assertNoResult(gone)
        self.connections.forget(second)
        self.assertIsNone(self.successResultOf(gone))

    def test_the_wait_can_be_given_up(self) -> None:
        """And begun anew."""
        first = self.guests[0]
        self.admit(first)
        gone = self.connections.when_all_gone()
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        gone = self.connections.when_all_gone()
        self.connections.forget(first)
        self.successResultOf(gone)

    def test_to_drop_everybody(self) -> None:
        """Those who are here and those who linger."""
        first, second, _ = self.guests
        self.admit(first, second)
        self.connections.dismiss(second)
        self.connections.abort_all()
        self.assertTrue(first.is_aborted)
        self.assertTrue(second.is_aborted)

    def test_to_forget_twice(self) -> None:
        """The second time is harmless."""
        self.admit(self.guests[0])
        self.connections.forget(self.guests[0])
        self.connections.forget(self.guests[0])

    def test_repr(self) -> None:
        """The manhole shows how many there are."""
        self.admit(*self.guests[:2])
        self.connections.dismiss(self.guests[0])
        self.assertEqual(repr(self.connections), "<Connections: 1 open, 1 closing>")

    def test_memory(self) -> None:
        """Connections on their way out count, and so does what waits for anybody."""
        staying, leaving = Guest(), Guest()
        self.admit(staying, leaving)
        idle = self.connections.measure()
        self.connections.dismiss(leaving)
        self.assertEqual(self.connections.measure(), idle)
        self.assertEqual(idle.count, 2)
        staying.waiting_in = 5030
        self.assertEqual(self.connections.measure().bytes, idle.bytes + 5000)
        self.assertEqual(self.connections.measure_outboxes().count, 0)
        leaving.waiting_out = 700
        waiting = self.connections.measure_outboxes()
        self.assertEqual((waiting.count, waiting.bytes), (1, 700))


LEAST = 10_000  # bytes


class RoundTests(SynchronousTestCase):
    """Very many connections are looked after some at a time."""

    def admit(self, count: int) -> list[Guest]:
        """Begin with so many."""
        self.connections = Connections(Clock(), count + 1)
        guests = [Guest() for _ in range(count)]
        for guest in guests:
            self.connections.admit(guest)
        return guests

    def sweep(self, guests: list[Guest]) -> int:
        """Do one go, and return how many checks there have been by then."""
        self.connections.sweep()
        return sum(len(guest.checks) for guest in guests)

    def test_each_once_in_a_round(self) -> None:
        """Whoever is checked is not checked again before the next round."""
        guests = self.admit(3 * SWEPT_AT_ONCE - 10)
        for number in range(2):
            self.connections.begin_round()
            found = [self.sweep(guests) - number * len(guests) for _ in range(4)]
            most = SWEPT_AT_ONCE
            self.assertEqual(found, [most, 2 * most, len(guests), len(guests)])
        self.assertEqual({len(guest.checks) for guest in guests}, {2})

    def test_a_round_has_an_end(self) -> None:
        """Of ever more, more are looked after in one go."""
        guests = self.admit(MOST_GOES * SWEPT_AT_ONCE + 1)
        self.connections.begin_round()
        self.assertGreater(self.sweep(guests), SWEPT_AT_ONCE)
        for _ in range(MOST_GOES - 1):
            self.sweep(guests)
        self.assertEqual(self.connections.unswept, 0)

    def test_who_is_left_of_a_round_comes_first(self) -> None:
        """And once more: nobody is looked after less often, however late it is."""
        guests = self.admit(2 * SWEPT_AT_ONCE)
        self.connections.begin_round()
        self.sweep(guests)
        left = [guest for guest in guests if not guest.checks]
        self.connections.begin_round()
        self.sweep(guests)
        self.assertEqual({len(guest.checks) for guest in left}, {1})
        while self.connections.unswept:
            self.sweep(guests)
        self.assertEqual({len(guest.checks) for guest in guests}, {2})

    def test_who_goes_in_the_middle(self) -> None:
        """He is not looked after any more, and who has come waits for the next."""
        guests = self.admit(2 * SWEPT_AT_ONCE)
        self.connections.begin_round()
        self.sweep(guests)
        left = [guest for guest in guests if not guest.checks]
        self.connections.dismiss(left[0])
        self.connections.forget(left[1])
        late = Guest()
        self.connections.admit(late)
        self.sweep(guests)
        self.assertEqual([len(guest.checks) for guest in left[:3]], [0, 0, 1])
        self.assertEqual(late.checks, [])

    def test_one_bad_check(self) -> None:
        """Only he is lost, and the next go has the rest."""
        guests = self.admit(10)
        guests[6].check = None  # type: ignore[assignment, method-assign]
        self.connections.begin_round()
        self.assertRaises(TypeError, self.connections.sweep)
        self.assertEqual(self.sweep(guests), 9)

    def test_the_end(self) -> None:
        """Who waits for all to be gone keeps nobody for the round."""
        guests = self.admit(2 * SWEPT_AT_ONCE)
        self.connections.begin_round()
        self.sweep(guests)
        self.connections.when_all_gone()
        self.assertEqual(self.connections.unswept, 0)


class LargestTests(SynchronousTestCase):
    """Who is cut when memory is short: those for whom most waits."""

    @override
    def setUp(self) -> None:
        """Let five in."""
        self.connections = Connections(Clock(), 5)
        self.guests = [Guest() for _ in range(5)]
        for guest in self.guests:
            self.connections.admit(guest)

    def wait(self, *sizes: int) -> None:
        """Let so many bytes wait for each."""
        for guest, size in zip(self.guests, sizes, strict=True):
            guest.waiting_out = size

    def cut(self, most: int = 5, *, needed: bool = False) -> list[int]:
        """Return the places of those who were cut, in this order."""
        names = [guest.name for guest in self.guests]
        asked = self.connections.largest_outboxes(most, least=LEAST, needed=needed)
        cut = self.connections.cut_largest(
            most, least=LEAST, needed=needed, reason="memory"
        )
        self.assertEqual(asked, cut)
        found = [names.index(name) for name in cut]
        told = [place for place, guest in enumerate(self.guests) if guest.cuts]
        self.assertEqual(sorted(found), told)
        return found

    def test_the_largest_first(self) -> None:
        """By powers of two, and of equals the one who came last."""
        self.wait(20_000, 250_000, 140_000, 70_000, 21_000)
        self.assertEqual(self.cut(), [2, 1, 3, 4, 0])

    def test_at_the_least_and_one_below(self) -> None:
        """Whose end would free nothing stays."""
        self.wait(LEAST, LEAST - 1, 0, 0, 0)
        self.assertEqual(self.cut(), [0])

    def test_no_more_than_so_many(self) -> None:
        """A look a second later tells whether it was enough."""
        self.wait(*[100_000] * 5)
        self.assertEqual(self.cut(2), [4, 3])

    def test_who_is_needed_stays(self) -> None:
        """Also if nobody else is left."""
        self.wait(250_000, 20_000, 0, 0, 0)
        self.guests[0].is_needed = True
        self.assertEqual(self.cut(), [1])
        self.guests[1].waiting_out = 0
        self.guests[1].cuts.clear()
        self.assertEqual(self.cut(), [])

    def test_who_is_needed_goes_after_all_others(self) -> None:
        """In the last resort, when nobody else has anything waiting."""
        self.wait(250_000, 20_000, 0, 0, 0)
        self.guests[0].is_needed = True
        self.assertEqual(self.cut(needed=True), [1])
        self.guests[1].waiting_out = 0
        self.guests[1].cuts.clear()
        self.assertEqual(self.cut(needed=True), [0])
