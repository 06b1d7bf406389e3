"""Who sees and hears whom: every row of the truth table, written out.

What is expected here is taken from docs/protocol.md, "Ranges", and not from the
table under test: a slip of one word there would send pilots' messages to the wrong
people, and nobody would notice.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.units import Feet, NauticalMiles
from rum_twisted.world.client import Client
from rum_twisted.world.visibility import RULES, Channel, Rule, is_in_range, reach
from tests.support.builders import make_controller, make_pilot
from tests.unit.world.places import NULL_ISLAND, away, place, put

A_LITTLE = 0.001  # NM, six feet


def low_pilot() -> Client:
    """Return a pilot at 1,000 feet: his radio carries 54 miles."""
    pilot = put(make_pilot("LOW1"), NULL_ISLAND)
    pilot.altitude = Feet(1000)
    return pilot


def high_pilot() -> Client:
    """Return a pilot at 10,000 feet: his radio carries 151 miles."""
    pilot = put(make_pilot("HIGH1"), NULL_ISLAND)
    pilot.altitude = Feet(10_000)
    return pilot


def tower() -> Client:
    """Return a tower, heard for 30 miles, which sees 70."""
    controller = put(make_controller("EHAM_TWR"), NULL_ISLAND)
    controller.facility = 4
    controller.visual_range = NauticalMiles(70)
    return controller


def center() -> Client:
    """Return a center, heard for 400 miles, which sees 250."""
    controller = put(make_controller("EHAA_CTR"), NULL_ISLAND)
    controller.facility = 6
    controller.visual_range = NauticalMiles(250)
    return controller


class LimitTestCase(SynchronousTestCase):
    """What the truth table's tests share."""

    def assert_limit(
        self, channel: Channel, sender: Client, receiver: Client, miles: int
    ) -> None:
        """Check that ``receiver`` gets what is sent up to so many miles away."""
        start = place(10.0, 20.0)
        put(sender, start)
        for bearing in (0.0, 77.0, 180.0, 301.0):
            put(receiver, away(start, miles - A_LITTLE, bearing))
            self.assertTrue(is_in_range(channel, sender, receiver))
            put(receiver, away(start, miles + A_LITTLE, bearing))
            self.assertFalse(is_in_range(channel, sender, receiver))


class PositionTests(LimitTestCase):
    """Who sees whose position: ``@`` and ``%``."""

    def test_pilot_sees_pilot_within_the_sum_of_their_radios(self) -> None:
        """54 and 151 miles make 205, whoever of the two reports."""
        self.assert_limit(Channel.POSITION, low_pilot(), high_pilot(), 205)
        self.assert_limit(Channel.POSITION, high_pilot(), low_pilot(), 205)
        self.assert_limit(Channel.POSITION, low_pilot(), low_pilot(), 108)

    def test_controller_sees_pilot_within_his_visual_range(self) -> None:
        """The tower sees 70 miles, high and low alike; the center 250."""
        self.assert_limit(Channel.POSITION, low_pilot(), tower(), 70)
        self.assert_limit(Channel.POSITION, high_pilot(), tower(), 70)
        self.assert_limit(Channel.POSITION, low_pilot(), center(), 250)

    def test_pilot_sees_controller_within_the_larger_radio(self) -> None:
        """The tower's 30 miles give way to the pilot's, which give way to a center."""
        self.assert_limit(Channel.POSITION, tower(), low_pilot(), 54)
        self.assert_limit(Channel.POSITION, tower(), high_pilot(), 151)
        self.assert_limit(Channel.POSITION, center(), high_pilot(), 400)

    def test_controller_sees_controller_within_his_visual_range(self) -> None:
        """What the receiver has declared counts, whoever reports."""
        self.assert_limit(Channel.POSITION, center(), tower(), 70)
        self.assert_limit(Channel.POSITION, tower(), center(), 250)
        self.assert_limit(Channel.POSITION, tower(), tower(), 70)


class TextTests(LimitTestCase):
    """Who hears whose text on a frequency: ``#TM``."""

    def test_pilot_hears_pilot_within_the_sum_of_their_radios(self) -> None:
        """54 and 151 miles make 205, whoever of the two speaks."""
        self.assert_limit(Channel.TEXT, low_pilot(), high_pilot(), 205)
        self.assert_limit(Channel.TEXT, high_pilot(), low_pilot(), 205)

    def test_controller_hears_pilot_within_the_larger_radio(self) -> None:
        """The pilot's 54 miles outdo the tower's 30; the center's 400 outdo both."""
        self.assert_limit(Channel.TEXT, low_pilot(), tower(), 54)
        self.assert_limit(Channel.TEXT, high_pilot(), tower(), 151)
        self.assert_limit(Channel.TEXT, high_pilot(), center(), 400)

    def test_pilot_hears_controller_within_the_larger_radio(self) -> None:
        """It is the same the other way."""
        self.assert_limit(Channel.TEXT, tower(), low_pilot(), 54)
        self.assert_limit(Channel.TEXT, tower(), high_pilot(), 151)
        self.assert_limit(Channel.TEXT, center(), high_pilot(), 400)

    def test_controller_hears_controller_within_the_larger_radio(self) -> None:
        """What they see does not matter to what they hear."""
        self.assert_limit(Channel.TEXT, tower(), tower(), 30)
        self.assert_limit(Channel.TEXT, tower(), center(), 400)
        self.assert_limit(Channel.TEXT, center(), tower(), 400)


class DataTests(LimitTestCase):
    """Who gets anything else that goes to a frequency: ``$CQ`` ``$PI`` ``$PO``."""

    def test_pilot_gets_pilots_data_within_the_senders_radio(self) -> None:
        """A low pilot reaches a high one for 54 miles, who reaches him for 151."""
        self.assert_limit(Channel.DATA, low_pilot(), high_pilot(), 54)
        self.assert_limit(Channel.DATA, high_pilot(), low_pilot(), 151)

    def test_controller_gets_pilots_data_within_the_senders_radio(self) -> None:
        """The receiver's facility and visual range do not matter."""
        self.assert_limit(Channel.DATA, low_pilot(), center(), 54)
        self.assert_limit(Channel.DATA, high_pilot(), tower(), 151)

    def test_pilot_gets_controllers_data_within_the_senders_radio(self) -> None:
        """A tower reaches 30 miles, however high the pilot."""
        self.assert_limit(Channel.DATA, tower(), high_pilot(), 30)
        self.assert_limit(Channel.DATA, center(), low_pilot(), 400)

    def test_controller_gets_controllers_data_within_the_senders_radio(self) -> None:
        """A tower reaches a center for 30 miles, which reaches it for 400."""
        self.assert_limit(Channel.DATA, tower(), center(), 30)
        self.assert_limit(Channel.DATA, center(), tower(), 400)


class IsInRangeTests(SynchronousTestCase):
    """What holds on every channel."""

    def test_table_has_a_rule_for_everything(self) -> None:
        """Three channels and two kinds on either side make twelve rows."""
        self.assertEqual(len(RULES), 12)

    def test_nobody_without_a_position_is_in_range(self) -> None:
        """Who has not said where he is hears nothing and is not heard."""
        for channel in Channel:
            for make in (low_pilot, high_pilot, tower, center):
                here, nowhere = make(), put(make(), None)
                self.assertFalse(is_in_range(channel, here, nowhere))
                self.assertFalse(is_in_range(channel, nowhere, here))
                self.assertFalse(is_in_range(channel, nowhere, put(make(), None)))

    def test_limit_itself_is_in_range(self) -> None:
        """At exactly the limit one is still in range."""
        receiver = tower()
        receiver.visual_range = NauticalMiles(5400)
        sender = put(low_pilot(), place(90.0, 0.0))
        self.assertTrue(is_in_range(Channel.POSITION, sender, receiver))

    def test_seeing_is_not_mutual(self) -> None:
        """A tower sees an aircraft at 60 miles, whose pilot does not see the tower."""
        pilot, controller = put(low_pilot(), place(1.0, 0.0)), tower()
        self.assertTrue(is_in_range(Channel.POSITION, pilot, controller))
        self.assertFalse(is_in_range(Channel.POSITION, controller, pilot))

    def test_declared_range_of_the_sender_never_matters(self) -> None:
        """Whatever a controller declares, he is seen and heard as far as before."""
        for channel in Channel:
            for receiver in (low_pilot(), center()):
                put(receiver, place(3.0, 0.0))
                sender, boaster = tower(), tower()
                boaster.visual_range = NauticalMiles(10_000)
                self.assertEqual(
                    is_in_range(channel, boaster, receiver),
                    is_in_range(channel, sender, receiver),
                )

    def test_declared_range_of_a_pilot_never_matters(self) -> None:
        """A pilot may send a controller's report: his ranges stay a pilot's."""
        pilot = put(low_pilot(), place(3.0, 0.0))
        pilot.visual_range = NauticalMiles(10_000)
        pilot.facility = 6
        for sender in (low_pilot(), tower()):
            self.assertFalse(is_in_range(Channel.POSITION, sender, pilot))

    def test_controller_sees_forty_miles_before_he_declares(self) -> None:
        """So it is from his logon to his first report."""
        controller = put(make_controller(), NULL_ISLAND)
        for miles, is_seen in ((39.9, True), (40.1, False)):
            pilot = put(high_pilot(), away(NULL_ISLAND, miles))
            self.assertIs(is_in_range(Channel.POSITION, pilot, controller), is_seen)

    def test_negative_visual_range_sees_nobody(self) -> None:
        """Not even who is at the same place."""
        controller = tower()
        controller.visual_range = NauticalMiles(-1)
        self.assertFalse(is_in_range(Channel.POSITION, low_pilot(), controller))
        self.assertTrue(is_in_range(Channel.TEXT, low_pilot(), controller))


class ReachTests(SynchronousTestCase):
    """The four rules."""

    def test_each_rule_picks_its_range(self) -> None:
        """Sum, larger, sender's, and what the receiver sees."""
        self.assertEqual(reach(Rule.SUM_OF_RADIOS, 10, 54, 40), 64)
        self.assertEqual(reach(Rule.LARGER_RADIO, 10, 54, 400), 54)
        self.assertEqual(reach(Rule.LARGER_RADIO, 54, 10, 400), 54)
        self.assertEqual(reach(Rule.SENDERS_RADIO, 10, 54, 400), 10)
        self.assertEqual(reach(Rule.RECEIVERS_SIGHT, 10, 54, -7), -7)

    @given(
        st.sampled_from(Rule),
        st.integers(0, 11_000),
        st.lists(st.integers(0, 11_000), min_size=2, max_size=2).map(sorted),
        st.lists(st.integers(-5, 11_000), min_size=2, max_size=2).map(sorted),
    )
    def test_limit_never_falls_as_the_receivers_ranges_grow(
        self, rule: Rule, sender: int, radios: list[int], sights: list[int]
    ) -> None:
        """The airspace judges many receivers at once by the bounds of their ranges."""
        low = reach(rule, sender, radios[0], sights[0])
        self.assertLessEqual(low, reach(rule, sender, radios[1], sights[0]))
        self.assertLessEqual(low, reach(rule, sender, radios[0], sights[1]))
