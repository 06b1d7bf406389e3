"""How wrong passwords are counted, and who has to wait."""

from ipaddress import ip_network

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.throttle import (
    Counted,
    Limits,
    Lockout,
    Throttle,
    address_key,
)
from rum_twisted.terms.units import Seconds

LIMITS = Limits(free_per_cid=2, free_per_address=4, longest=Seconds(60.0), capacity=8)
HOME, CAFE, OFFICE = "192.0.2.1", "198.51.100.7", "2001:db8:1:2::3"
NOW = Seconds(1000.0)


class AddressTests(SynchronousTestCase):
    """What counts as one address."""

    def test_ipv4_counts_as_it_is(self) -> None:
        """Each address of the old kind is somebody of his own."""
        self.assertEqual(address_key("192.0.2.1"), "192.0.2.1")

    def test_ipv6_counts_by_64(self) -> None:
        """A subscriber has all addresses of a /64, and counts once."""
        for address in ("2001:db8::1", "2001:DB8:0:0:ffff::", "2001:db8::1%eth0"):
            self.assertEqual(address_key(address), "2001:db8::/64")
        self.assertEqual(address_key("2001:db8:0:1::1"), "2001:db8:0:1::/64")

    def test_ipv4_in_ipv6_is_ipv4(self) -> None:
        """A server that listens on :: sees those of the old kind so."""
        self.assertEqual(address_key("::ffff:192.0.2.1"), "192.0.2.1")

    def test_what_is_no_address_counts_as_text(self) -> None:
        """Something else names somebody too, and is not kept at any length."""
        self.assertEqual(address_key("a proxy"), "a proxy")
        self.assertEqual(address_key(""), "")
        self.assertEqual(address_key("x" * 1000), "x" * 64)


class ThrottleTests(SynchronousTestCase):
    """Two wrong passwords of a CID are free, and four from an address."""

    @override
    def setUp(self) -> None:
        """Begin with nothing counted."""
        self.throttle = Throttle(LIMITS)

    def mistype(
        self, times: int, cid: str = "", address: str = "", at: float = NOW
    ) -> None:
        """Count so many wrong passwords at one time."""
        for _ in range(times):
            self.throttle.fail(cid, address, Seconds(at))

    def wait(self, cid: str = "", address: str = "", at: float = NOW) -> float:
        """Return how long somebody has to wait."""
        return self.throttle.wait(cid, address, Seconds(at))

    def test_some_failures_are_free(self) -> None:
        """Everybody mistypes twice; the third wrong password costs a wait."""
        self.mistype(2, "ann")
        self.assertEqual(self.wait("ann"), 0.0)
        self.mistype(1, "ann")
        self.assertEqual(self.wait("ann"), 2.0)

    def test_each_further_failure_doubles_the_wait(self) -> None:
        """2 s, 4 s, 8 s and so on, up to the bound, however many follow."""
        self.mistype(2, "ann")
        waits = []
        for _ in range(7):
            self.mistype(1, "ann")
            waits.append(self.wait("ann"))
        self.assertEqual(waits, [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0])
        self.mistype(5000, "ann")
        self.assertEqual(self.wait("ann"), 60.0)

    def test_wait_ends(self) -> None:
        """Time passes; then the next try may come."""
        self.mistype(4, "ann")
        self.assertEqual(self.wait("ann", at=NOW + 3.5), 0.5)
        self.assertEqual(self.wait("ann", at=NOW + 4.0), 0.0)

    def test_failures_are_forgotten_after_the_longest_wait(self) -> None:
        """A minute without a failure, when none has to be waited for: all is free."""
        self.mistype(4, "ann")  # a wait of 4 s
        self.mistype(1, "ann", at=NOW + 63.9)
        self.assertEqual(self.wait("ann", at=NOW + 63.9), 8.0)
        self.mistype(2, "ann", at=NOW + 63.9 + 68.0)
        self.assertEqual(self.wait("ann", at=NOW + 63.9 + 68.0), 0.0)

    def test_address_has_failures_of_its_own(self) -> None:
        """Who tries one CID after the other is known by where he is."""
        for cid in ("ann", "bob", "eve", "joe"):
            self.mistype(1, cid, CAFE)
        self.assertEqual(self.wait("zoe", CAFE), 0.0)
        self.mistype(1, "kim", CAFE)
        self.assertEqual(self.wait("zoe", CAFE), 2.0)
        self.assertEqual(self.wait("zoe", HOME), 0.0)

    def test_one_subscriber_counts_once(self) -> None:
        """Another address of the same /64 is no new start."""
        for number in range(5):
            self.mistype(1, f"cid{number}", f"2001:db8::{number}")
        self.assertEqual(self.wait("zoe", "2001:db8::ffff"), 2.0)
        self.assertEqual(self.wait("zoe", "2001:db8:0:1::1"), 0.0)

    def test_case_of_a_cid_does_not_count(self) -> None:
        """ANN and ann are one member; so are her wrong passwords."""
        for cid in ("ann", "ANN", "Ann"):
            self.mistype(1, cid)
        self.assertEqual(self.wait("aNN"), 2.0)

    def test_success_clears_the_cid_and_not_the_address(self) -> None:
        """One good account is no licence to try all others."""
        self.mistype(5, "ann", CAFE)
        self.throttle.succeed("ann", HOME)
        self.assertEqual(self.wait("ann", OFFICE), 0.0)
        self.throttle.succeed("zoe", CAFE)
        self.assertEqual(self.wait("bob", CAFE), 2.0)

    def test_stranger_cannot_lock_a_member_out(self) -> None:
        """Where a member has logged on before, what others type is no bar to him."""
        self.throttle.succeed("ann", HOME)
        self.throttle.succeed("Ann", OFFICE)
        self.mistype(9, "ann", CAFE)
        self.assertEqual(self.wait("ann", HOME), 0.0)
        self.assertEqual(self.wait("ann", "2001:db8:1:2::99"), 0.0)
        self.assertGreater(self.wait("ann", "203.0.113.5"), 0.0)
        self.assertGreater(self.wait("ann"), 0.0)

    def test_home_is_no_licence_to_guess(self) -> None:
        """Even where a member is known, the address has its own count."""
        self.throttle.succeed("ann", HOME)
        self.mistype(5, "ann", HOME)
        self.assertEqual(self.wait("ann", HOME), 2.0)

    def test_homes_of_a_former_run_can_be_told(self) -> None:
        """A store that keeps addresses spares its members a start from nothing."""
        self.assertTrue(self.throttle.recall("Ann", HOME))
        self.assertTrue(self.throttle.recall("ann", OFFICE))
        self.assertTrue(self.throttle.recall("bob", ""))
        self.mistype(9, "ann", CAFE)
        self.mistype(9, "bob", CAFE)
        self.assertEqual(self.wait("ann", HOME), 0.0)
        self.assertEqual(self.wait("ann", OFFICE), 0.0)
        self.assertGreater(self.wait("ann"), 0.0)
        self.assertGreater(self.wait("bob"), 0.0)

    def test_what_is_new_counts_more_than_a_former_run(self) -> None:
        """Who has logged on already keeps that home, and the last of those before."""
        self.throttle.succeed("ann", CAFE)
        for number in range(9):
            self.throttle.recall("ann", f"192.0.2.{100 + number}")
        self.throttle.recall("bob", HOME)
        self.throttle.succeed("bob", OFFICE)
        for cid in ("ann", "bob"):
            self.mistype(9, cid, "203.0.113.5")
        for number in range(7):
            self.assertEqual(self.wait("ann", f"192.0.2.{100 + number}"), 0.0)
        for number in (107, 108):
            self.assertGreater(self.wait("ann", f"192.0.2.{number}"), 0.0)
        self.assertEqual(self.wait("ann", CAFE), 0.0)
        self.assertEqual(self.wait("bob", HOME), 0.0)
        self.assertEqual(self.wait("bob", OFFICE), 0.0)

    def test_former_run_fills_no_more_than_there_is_room_for(self) -> None:
        """The newest are known; whoever logs on takes the place of the oldest."""
        for number in range(7):
            self.assertTrue(self.throttle.recall(f"cid{number}", HOME))
        self.assertFalse(self.throttle.recall("cid7", HOME))
        self.assertFalse(self.throttle.recall("cid8", HOME))
        self.assertFalse(self.throttle.recall("cid7", OFFICE))
        self.throttle.succeed("ann", HOME)
        for number in (0, 6, 7, 8):
            self.mistype(3, f"cid{number}")
        for number in (0, 6):
            self.assertEqual(self.wait(f"cid{number}", HOME), 0.0)
        for number in (7, 8):
            self.assertEqual(self.wait(f"cid{number}", HOME), 2.0)
        self.assertEqual(self.throttle.measure().count, 8 + 4)

    def test_member_keeps_eight_homes(self) -> None:
        """Who logs on from everywhere crowds out nobody but himself."""
        self.throttle.succeed("bob", HOME)
        for number in range(9):
            self.throttle.succeed("ann", f"192.0.2.{100 + number}")
        self.mistype(9, "ann")
        self.mistype(9, "bob")
        self.assertGreater(self.wait("ann", "192.0.2.100"), 0.0)
        for number in range(1, 9):
            self.assertEqual(self.wait("ann", f"192.0.2.{100 + number}"), 0.0)
        self.assertEqual(self.wait("bob", HOME), 0.0)

    def test_unknown_place_is_nobodys_home(self) -> None:
        """Who comes from nowhere is counted by his CID alone."""
        self.throttle.succeed("ann", "")
        self.mistype(3, "ann")
        self.assertEqual(self.wait("ann"), 2.0)
        self.mistype(9, "bob")
        self.assertEqual(self.wait("zoe"), 0.0)

    def test_no_cid_is_nobodys(self) -> None:
        """Logons without a CID count for their address only."""
        self.mistype(5, "", CAFE)
        self.assertEqual(self.wait("", HOME), 0.0)
        self.assertEqual(self.wait("", CAFE), 2.0)

    def test_allowed_networks_are_neither_counted_nor_refused(self) -> None:
        """What an operator trusts locks nobody out, and is never locked out."""
        allow = (ip_network("192.0.2.0/24"), ip_network("2001:db8:1::/48"))
        self.throttle = Throttle(LIMITS, allow)
        for address in (HOME, "::ffff:192.0.2.9", OFFICE):
            self.mistype(50, "ann", address)
            self.assertEqual(self.wait("ann", address), 0.0)
        self.assertEqual(self.wait("ann", CAFE), 0.0)
        self.mistype(50, "ann", CAFE)
        self.assertEqual(self.wait("ann", HOME), 0.0)
        self.assertEqual(self.wait("ann", CAFE), 60.0)

    def test_lockout_is_told_when_it_begins(self) -> None:
        """The failure that ends the free ones says so; later ones do not."""
        told = [self.throttle.fail("ann", CAFE, NOW) for _ in range(6)]
        self.assertEqual(told, [(), (), (Counted.CID,), (), (Counted.ADDRESS,), ()])

    def test_lockouts_are_listed(self) -> None:
        """An operator sees who waits, the longest first."""
        self.mistype(2, "bob", HOME)
        self.mistype(4, "Ann", CAFE)
        self.mistype(1, "eve", CAFE)
        self.assertEqual(
            self.throttle.lockouts(NOW),
            (
                Lockout(
                    counted=Counted.CID, key="ann", failures=4, seconds=Seconds(4.0)
                ),
                Lockout(
                    counted=Counted.ADDRESS, key=CAFE, failures=5, seconds=Seconds(2.0)
                ),
            ),
        )
        self.assertEqual(
            [one.seconds for one in self.throttle.lockouts(Seconds(NOW + 9.0))],
            [0.0, 0.0],
        )
        self.assertEqual(self.throttle.lockouts(Seconds(NOW + 99.0)), ())

    def test_lockouts_are_lifted(self) -> None:
        """An operator lets a CID or an address try again, as new."""
        self.mistype(9, "ann", OFFICE)
        self.assertTrue(self.throttle.lift("ANN"))
        self.assertEqual(self.wait("ann", CAFE), 0.0)
        self.assertGreater(self.wait("ann", OFFICE), 0.0)
        self.assertTrue(self.throttle.lift("2001:db8:1:2::/64"))
        self.assertEqual(self.wait("ann", OFFICE), 0.0)
        self.mistype(5, "bob", OFFICE)
        self.assertTrue(self.throttle.lift(OFFICE))
        self.assertEqual(self.wait("zoe", OFFICE), 0.0)
        self.assertFalse(self.throttle.lift("nobody"))

    def test_oldest_failures_are_forgotten_first(self) -> None:
        """Whoever fills the table fills it with himself."""
        self.mistype(3, "ann")
        self.mistype(3, "bob", at=NOW + 0.1)
        for number in range(6):
            self.mistype(1, f"cid{number}", at=NOW + 0.2)
        self.assertEqual(self.wait("ann", at=NOW + 0.5), 1.5)
        self.mistype(1, "bob", at=NOW + 0.3)
        self.mistype(1, "one more", at=NOW + 0.4)
        self.assertEqual(self.wait("ann", at=NOW + 0.5), 0.0)
        self.assertGreater(self.wait("bob", at=NOW + 0.5), 0.0)

    def test_oldest_home_is_forgotten_first(self) -> None:
        """Of more members than there is room for, the last ones are known."""
        self.throttle.succeed("ann", HOME)
        for number in range(8):
            self.throttle.succeed(f"cid{number}", HOME)
        self.mistype(3, "ann")
        self.mistype(3, "cid0")
        self.assertEqual(self.wait("ann", HOME), 2.0)
        self.assertEqual(self.wait("cid0", HOME), 0.0)

    def test_long_names_are_kept_short(self) -> None:
        """A CID of a whole line fills no more than another."""
        self.mistype(3, "x" * 2000)
        (lockout,) = self.throttle.lockouts(NOW)
        self.assertEqual(len(lockout.key), 64)

    def test_clock_set_back_prolongs_no_wait(self) -> None:
        """A machine that corrects its clock by a day keeps nobody out for one."""
        self.mistype(3, "ann")
        self.assertEqual(self.wait("ann", at=NOW - 86400.0), 2.0)
        self.assertEqual(self.wait("ann", at=NOW - 86398.0), 0.0)

    def test_what_it_keeps_is_measured(self) -> None:
        """Who watches the memory reads how much failures and homes take."""
        self.assertEqual(self.throttle.measure().count, 0)
        self.mistype(1, "ann", CAFE)
        self.throttle.succeed("bob", HOME)
        one_home = self.throttle.measure()
        self.throttle.succeed("bob", OFFICE)
        two_homes = self.throttle.measure()
        self.assertEqual((one_home.count, two_homes.count), (3, 3))
        self.assertEqual(one_home.bound, 3 * LIMITS.capacity)
        self.assertGreater(two_homes.bytes, one_home.bytes)

    def test_looking_at_it_tells_sizes(self) -> None:
        """In the manhole one line says how much is counted."""
        self.mistype(1, "ann", CAFE)
        self.assertEqual(
            repr(self.throttle), "<Throttle: failures of 1 CIDs and 1 addresses>"
        )

    @settings(max_examples=100)
    @given(
        st.lists(st.integers(0, 200), max_size=60),
        st.integers(0, 3),
    )
    def test_patient_guesser_gets_few_guesses(
        self, pauses: list[int], free: int
    ) -> None:
        """Whenever he comes: what the waits allow is what he gets.

        Between two moments when all was forgotten he has the free guesses, and one
        for each wait that he sat out in full.
        """
        throttle = Throttle(Limits(free_per_cid=free, longest=Seconds(60.0)))
        now, guesses, sat_out = 0, 0, 0.0
        for pause in pauses:
            now += pause
            if throttle.wait("ann", "", Seconds(now)) > 0:
                continue
            if now - sat_out >= 60.0:
                guesses = 0
            throttle.fail("ann", "", Seconds(now))
            guesses += 1
            wait = throttle.wait("ann", "", Seconds(now))
            due = 0.0 if guesses <= free else min(2.0 * 2 ** (guesses - free - 1), 60.0)
            self.assertEqual(wait, due)
            sat_out = now + wait


CIDS = st.sampled_from([f"cid{number}" for number in range(12)])
PLACES = st.sampled_from(
    ["", *(f"192.0.2.{number}" for number in range(12)), "2001:db8::1", "10.0.0.1"]
)


class Crowd(RuleBasedStateMachine):
    """Members and strangers come from everywhere, at all times."""

    def __init__(self) -> None:
        super().__init__()
        self.throttle = Throttle(LIMITS, [ip_network("10.0.0.0/8")])
        self.now = 0.0

    @rule(seconds=st.floats(-50.0, 100.0))
    def pass_time(self, seconds: float) -> None:
        """Let time pass; sometimes it is set back."""
        self.now += seconds

    @rule(cid=CIDS, place=PLACES, times=st.integers(1, 8))
    def mistype(self, cid: str, place: str, times: int) -> None:
        """Somebody guesses, as often as he is let."""
        for _ in range(times):
            if self.throttle.wait(cid, place, Seconds(self.now)) > 0:
                return
            self.throttle.fail(cid, place, Seconds(self.now))

    @rule(cid=CIDS, place=PLACES)
    def log_on(self, cid: str, place: str) -> None:
        """A member logs on; nothing that is counted for his CID is left."""
        self.throttle.succeed(cid, place)
        keys = [
            lockout.key
            for lockout in self.throttle.lockouts(Seconds(self.now))
            if lockout.counted is Counted.CID
        ]
        assert cid not in keys

    @rule(cid=CIDS, place=PLACES)
    def recall(self, cid: str, place: str) -> None:
        """A store tells where a member was at home."""
        self.throttle.recall(cid, place)

    @rule(key=st.one_of(CIDS, PLACES))
    def lift(self, key: str) -> None:
        """An operator lets somebody go."""
        self.throttle.lift(key)
        keys = [one.key for one in self.throttle.lockouts(Seconds(self.now))]
        assert not key or address_key(key) not in keys

    @invariant()
    def table_is_bounded(self) -> None:
        """Never more than eight of a kind are kept, whoever comes."""
        tables = vars(self.throttle)
        homes, earlier = tables["_homes"], tables["_earlier"]
        assert len(tables["_cids"]) <= LIMITS.capacity
        assert len(tables["_addresses"]) <= LIMITS.capacity
        assert len(homes) + len(earlier) <= LIMITS.capacity
        assert not homes.keys() & earlier.keys()
        assert max(map(len, (*homes.values(), *earlier.values())), default=0) <= 8

    @invariant()
    def waits_are_bounded(self) -> None:
        """Nobody waits longer than the bound, and who is allowed never does."""
        for one in self.throttle.lockouts(Seconds(self.now)):
            assert 0.0 <= one.seconds <= LIMITS.longest
        assert self.throttle.wait("cid1", "10.0.0.1", Seconds(self.now)) == 0.0

    @invariant()
    def listed_are_those_who_wait(self) -> None:
        """What an operator sees is what members meet."""
        listed = {one.key for one in self.throttle.lockouts(Seconds(self.now))}
        for number in range(12):
            cid = f"cid{number}"
            if self.throttle.wait(cid, "", Seconds(self.now)) > 0:
                assert cid in listed


class CrowdTests(SynchronousTestCase):
    """What holds whoever comes, in whatever order."""

    def test_crowd_keeps_the_promises(self) -> None:
        """Bounds hold, and lists tell the truth, after every step."""
        run_state_machine_as_test(
            Crowd,
            settings=settings(max_examples=60, stateful_step_count=40, deadline=None),
        )
