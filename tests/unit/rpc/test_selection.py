"""Who is asked, in each way to select."""

from collections import Counter
from dataclasses import dataclass, field

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.rpc.options import CallOptions, SelectMode
from rum_twisted.rpc.selection import (
    HALF_LIFE,
    PENALTY,
    Closest,
    ConsistentHash,
    Load,
    PowerOfTwoChoices,
    RandomSelect,
    RoundRobin,
    Selector,
    WeightedRoundRobin,
    make_selector,
)
from rum_twisted.terms.instance import Instance
from rum_twisted.terms.units import Seconds
from tests.support.fabric import chance, make_instance

NOW = Seconds(1000.0)


@dataclass
class Asked:
    """An instance that counts nothing but its load."""

    instance: Instance
    load: Load = field(default_factory=Load)

    @property
    def name(self) -> str:
        """Of the instance."""
        return self.instance.name


def make(*names: str, **fields: int) -> list[Asked]:
    """Return instances of these names; ``fields`` are weights by name."""
    return [Asked(make_instance(name, weight=fields.get(name, 100))) for name in names]


def picks(
    selector: Selector, able: list[Asked], count: int, key: str = ""
) -> Counter[str]:
    """Return how often each is picked."""
    return Counter(selector.select(able, key, NOW).name for _ in range(count))


class RandomSelectTests(SynchronousTestCase):
    """Any of them."""

    def test_each_is_picked_as_often(self) -> None:
        """Of 3,000 calls each of three gets about a third."""
        found = picks(RandomSelect(chance(1)), make("a", "b", "c"), 3000)
        for name in "abc":
            self.assertApproximates(found[name], 1000, 100)


class RoundRobinTests(SynchronousTestCase):
    """One after the other."""

    def test_they_take_turns(self) -> None:
        """After the last comes the first."""
        selector, able = RoundRobin(), make("a", "b", "c")
        order = "".join(selector.select(able, "", NOW).name for _ in range(7))
        self.assertEqual(order, "abcabca")

    def test_turns_go_on_when_one_is_left_out(self) -> None:
        """One fewer does not disturb the others' turns."""
        selector, able = RoundRobin(), make("a", "b", "c")
        picks(selector, able, 3)
        self.assertEqual(picks(selector, able[:2], 100), Counter(a=50, b=50))


class WeightedRoundRobinTests(SynchronousTestCase):
    """As often as they weigh."""

    def test_shares_are_exact_and_spread(self) -> None:
        """Weights of 5, 1 and 1 give seven turns, the heavy one's not all at once."""
        selector, able = WeightedRoundRobin(), make("a", "b", "c", a=5, b=1, c=1)
        selector.change(able)
        order = "".join(selector.select(able, "", NOW).name for _ in range(7))
        self.assertEqual(Counter(order), Counter(a=5, b=1, c=1))
        self.assertNotIn("aaaa", order)

    def test_those_who_stay_keep_their_credit(self) -> None:
        """A change of members is no reason to favor the first again."""
        selector, able = WeightedRoundRobin(), make("a", "b")
        selector.change(able)
        self.assertEqual(selector.select(able, "", NOW).name, "a")
        grown = [*able, *make("c")]
        selector.change(grown)
        self.assertEqual(selector.select(grown, "", NOW).name, "b")

    def test_those_who_may_not_be_asked_are_left_out(self) -> None:
        """The others share what is left by their weights."""
        selector = WeightedRoundRobin()
        able = make("a", "b", "c", a=3, b=1, c=4)
        selector.change(able)
        self.assertEqual(picks(selector, able[:2], 400), Counter(a=300, b=100))


class LoadTests(SynchronousTestCase):
    """How busy an instance seems."""

    @override
    def setUp(self) -> None:
        """Begin with nothing known."""
        self.load = Load()

    def test_slow_answer_counts_at_once(self) -> None:
        """One slow answer is taken for what it is."""
        self.load.measure(0.010, NOW)
        self.load.measure(0.500, NOW)
        self.assertAlmostEqual(self.load.latency(NOW), 0.5)

    def test_quick_answer_counts_in_part(self) -> None:
        """After a slow one, a quick one is not believed at once."""
        self.load.measure(0.500, NOW)
        self.load.measure(0.100, NOW)
        self.assertAlmostEqual(self.load.latency(NOW), 0.38)

    def test_measurements_fade(self) -> None:
        """What was measured some time ago counts less, so all are tried again."""
        self.load.measure(0.8, NOW)
        later = Seconds(NOW + 2 * HALF_LIFE)
        self.assertAlmostEqual(self.load.latency(later), 0.2)

    def test_clock_put_back_is_no_trouble(self) -> None:
        """What was measured fades from then on, and not when the old time comes."""
        self.load.measure(0.8, NOW)
        before = Seconds(NOW - 3600)
        self.assertEqual(self.load.latency(before), 0.8)
        self.assertAlmostEqual(self.load.latency(Seconds(before + HALF_LIFE)), 0.4)

    def test_calls_under_way_count(self) -> None:
        """Of two as quick, the one with more to do scores higher."""
        busy = Load()
        busy.in_flight = 3
        self.assertGreater(busy.score(NOW, 100), self.load.score(NOW, 100))
        self.assertLess(busy.score(NOW, 1000), self.load.score(NOW, 100))


class PowerOfTwoChoicesTests(SynchronousTestCase):
    """Of two at random, the one with less to do."""

    def test_quicker_one_is_asked(self) -> None:
        """Of two, the slow one is not asked."""
        able = make("slow", "quick")
        able[0].load.measure(0.5, NOW)
        able[1].load.measure(0.01, NOW)
        found = picks(PowerOfTwoChoices(chance(1)), able, 100)
        self.assertEqual(found, Counter(quick=100))

    def test_worst_of_many_is_never_asked(self) -> None:
        """Two different ones are compared, so whoever is the slowest loses always."""
        able = make("a", "b", "c", "d")
        able[2].load.measure(PENALTY, NOW)
        found = picks(PowerOfTwoChoices(chance(1)), able, 1000)
        self.assertEqual(found["c"], 0)
        self.assertEqual(set(found), {"a", "b", "d"})

    def test_slow_one_is_tried_again(self) -> None:
        """When its measurement has faded, it gets its share."""
        able = make("slow", "quick")
        able[0].load.measure(0.5, NOW)
        selector, later = PowerOfTwoChoices(chance(1)), Seconds(NOW + 20 * HALF_LIFE)
        able[1].load.measure(0.01, later)
        self.assertEqual(selector.select(able, "", later).name, "slow")

    def test_single_one_is_asked(self) -> None:
        """With one, there is nothing to choose."""
        self.assertEqual(picks(PowerOfTwoChoices(chance(1)), make("a"), 3)["a"], 3)

    def test_calls_under_way_even_out(self) -> None:
        """When nothing is answered, nobody gets many more calls than the others."""
        able = make("a", "b", "c")
        selector = PowerOfTwoChoices(chance(1))
        for _ in range(300):
            selector.select(able, "", NOW).load.in_flight += 1
        for each in able:
            self.assertApproximates(each.load.in_flight, 100, 5)


class ConsistentHashTests(SynchronousTestCase):
    """The same one for the same key."""

    def owners(self, selector: ConsistentHash, able: list[Asked]) -> dict[str, str]:
        """Return who is picked for each of a thousand keys."""
        return {
            key: selector.select(able, key, NOW).name
            for key in (f"10{number:05}" for number in range(1000))
        }

    def test_same_key_is_the_same_instance(self) -> None:
        """In this process and in any other."""
        able = make("a", "b", "c")
        one, other = ConsistentHash(), ConsistentHash()
        one.change(able)
        other.change(able[::-1])
        self.assertEqual(self.owners(one, able), self.owners(other, able[::-1]))

    def test_keys_are_spread(self) -> None:
        """Each of three gets its share of a thousand keys."""
        able = make("a", "b", "c")
        selector = ConsistentHash()
        selector.change(able)
        found = Counter(self.owners(selector, able).values())
        for name in "abc":
            self.assertGreater(found[name], 200)

    def test_heavier_one_has_more_keys(self) -> None:
        """Weight decides how much of the ring is whose."""
        able = make("a", "b", a=900)
        selector = ConsistentHash()
        selector.change(able)
        found = Counter(self.owners(selector, able).values())
        self.assertGreater(found["a"], 3 * found["b"])

    def test_only_the_keys_of_who_goes_move(self) -> None:
        """Whether he is gone or only must not be asked."""
        able = make("a", "b", "c")
        selector = ConsistentHash()
        selector.change(able)
        before = self.owners(selector, able)
        while_out = self.owners(selector, able[1:])
        selector.change(able[1:])
        after = self.owners(selector, able[1:])
        self.assertEqual(while_out, after)
        for key, owner in before.items():
            if owner != "a":
                self.assertEqual(after[key], owner)


class ClosestTests(SynchronousTestCase):
    """Those in our own zone first."""

    @override
    def setUp(self) -> None:
        """Make one near and two far ones."""
        self.near = Asked(make_instance("near", zone="ams"))
        self.far = [Asked(make_instance(name, zone="nyc")) for name in ("x", "y")]
        self.selector = Closest("ams", chance(1))

    def test_near_one_is_asked(self) -> None:
        """Even if it is the slowest."""
        self.near.load.measure(0.5, NOW)
        found = picks(self.selector, [*self.far, self.near], 100)
        self.assertEqual(found, Counter(near=100))

    def test_far_ones_are_better_than_none(self) -> None:
        """When nobody near may be asked, all others share the calls."""
        found = picks(self.selector, self.far, 100)
        self.assertEqual(set(found), {"x", "y"})


class ModeTests(SynchronousTestCase):
    """The names in the settings."""

    def test_every_mode_selects(self) -> None:
        """Each has a selector, which picks among those that it is given."""
        able = make("a", "b")
        for mode in SelectMode:
            selector = make_selector(mode, "ams", chance(1))
            selector.change(able)
            self.assertIn(selector.select(able, "key", NOW), able, mode)

    def test_options_out_of_range_are_refused(self) -> None:
        """A value that makes no sense is named, with what is due."""
        for name, value in (
            ("retries", -1),
            ("retries", 11),
            ("retry_ratio", 1.5),
            ("timeout", 0.0),
            ("retry_pause", -1.0),
            ("backup_delay", 0.0),
        ):
            options = {name: value}
            error = self.assertRaises(ValueError, CallOptions, **options)
            self.assertIn(f"{name} {value}: due is", str(error))
        CallOptions(retries=10, retry_ratio=1.0)
