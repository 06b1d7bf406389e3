"""Which calls a traffic rule sends to a new version."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.rule import (
    LONGEST_REASON,
    MOST_CIDS,
    MOST_WORDS,
    BackOut,
    InvalidRule,
    RuleState,
)
from rum_twisted.terms.units import Seconds
from tests.support.rules import make_rule

CIDS = [str(1_000_000 + number) for number in range(5_000)]
PLACE = 46.10965510821022  # of member 1000001, in the trial of weather 4.1.0


class RuleTests(SynchronousTestCase):
    """One rule, and members who call."""

    def count(self, share: float) -> int:
        """Return how many of all members the new version serves."""
        rule = make_rule(share)
        return sum(map(rule.is_for_canary, CIDS))

    def test_share_is_kept(self) -> None:
        """Within two points, of 5,000 members."""
        for share in (1.0, 10.0, 33.3, 50.0, 90.0):
            reached = 100 * self.count(share) / len(CIDS)
            self.assertLess(abs(reached - share), 2.0)

    def test_none_and_all(self) -> None:
        """A share of 0 is nobody, one of 100 everybody."""
        self.assertEqual(self.count(0.0), 0)
        self.assertEqual(self.count(100.0), len(CIDS))

    @given(st.text(max_size=20), st.floats(0, 100), st.floats(0, 100))
    def test_higher_share_only_adds_members(
        self, who: str, one: float, other: float
    ) -> None:
        """Who is served by the new version stays so while the share grows."""
        low, high = sorted((one, other))
        if make_rule(low).is_for_canary(who):
            self.assertTrue(make_rule(high).is_for_canary(who))

    def test_case_does_not_matter(self) -> None:
        """A CID is the same member however it is typed."""
        for number in range(100):
            rule = make_rule(50.0)
            self.assertEqual(
                rule.is_for_canary(f"abc{number}"), rule.is_for_canary(f"ABC{number}")
            )

    def test_place_is_the_same_in_every_process(self) -> None:
        """It is a hash that does not change with the process or the version of Rum."""
        self.assertAlmostEqual(make_rule().place("1000001"), PLACE, places=9)

    def test_each_trial_begins_with_others(self) -> None:
        """The members of one trial are not those of all."""
        first = {cid for cid in CIDS if make_rule().is_for_canary(cid)}
        later = make_rule(version="4.2.0")
        again = {cid for cid in first if later.is_for_canary(cid)}
        self.assertLess(len(again), len(first) / 4)

    def test_members_by_name(self) -> None:
        """They are served by it, whatever the share and the case."""
        rule = make_rule(0.0, cids=frozenset({"abc1"}))
        self.assertTrue(rule.is_for_canary("ABC1"))
        self.assertFalse(rule.is_for_canary("abc2"))

    def test_groups_and_zones_of_callers(self) -> None:
        """All calls of such processes go there, and of no others."""
        rule = make_rule(
            0.0, groups=frozenset({"trial"}), zones=frozenset({"east", "west"})
        )
        self.assertTrue(rule.is_for_canary("1", "trial", ""))
        self.assertTrue(rule.is_for_canary("1", "", "west"))
        self.assertFalse(rule.is_for_canary("1", "", ""))
        self.assertFalse(rule.is_for_canary("1", "east", "trial"))

    def test_ends_of_a_trial(self) -> None:
        """Promoted, everybody goes there; otherwise nobody does, named or not."""
        rule = make_rule(10.0, cids=frozenset({"1"}), groups=frozenset({"g"}))
        promoted = replace(rule, state=RuleState.PROMOTED)
        self.assertTrue(all(map(promoted.is_for_canary, CIDS)))
        self.assertTrue(promoted.may_stand_in)
        for state in (RuleState.ABORTED, RuleState.BACKED_OUT):
            ended = replace(rule, state=state, share=100.0)
            self.assertFalse(ended.is_for_canary("1", "g"))
            self.assertFalse(ended.may_stand_in)

    def test_whether_it_stands_in(self) -> None:
        """A version that serves nobody, or the named alone, does not."""
        self.assertTrue(make_rule(0.1).may_stand_in)
        self.assertFalse(make_rule(0.0, cids=frozenset({"1"})).may_stand_in)

    def test_out_of_range(self) -> None:
        """It is refused, and the field named."""
        cases: dict[str, tuple[Any, ...]] = {
            "service": ("", "a/b", "a b", "x" * 65),
            "version": ("", "a b", "ü", "x" * 65),
            "share": (-0.1, 100.1, float("nan")),
            "cids": (
                frozenset({""}),
                frozenset({"x" * 65}),
                frozenset({"ABC"}),
                frozenset(map(str, range(MOST_CIDS + 1))),
            ),
            "groups": (frozenset(map(str, range(MOST_WORDS + 1))),),
            "zones": (frozenset({""}),),
            "reason": ("x" * (LONGEST_REASON + 1),),
            "changed": (Seconds(-1.0), Seconds(float("nan"))),
        }
        for field, values in cases.items():
            for value in values:
                with self.assertRaises(InvalidRule, msg=repr(value)) as caught:
                    make_rule(**{field: value})
                self.assertIn(field, str(caught.exception))

    def test_at_the_bounds(self) -> None:
        """What is just in range is taken."""
        make_rule(
            100.0,
            service="x" * 64,
            version="x" * 64,
            cids=frozenset(map(str, range(MOST_CIDS))),
            groups=frozenset(map(str, range(MOST_WORDS))),
            reason="x" * LONGEST_REASON,
        )


class BackOutTests(SynchronousTestCase):
    """Limits."""

    def test_out_of_range(self) -> None:
        """They are refused, and the field named."""
        cases: tuple[tuple[str, Any], ...] = (
            ("error_points", -1.0),
            ("error_points", 100.5),
            ("p99_ratio", 0.9),
            ("p99_ratio", 1000.5),
            ("least_calls", 0),
            ("window", Seconds(4.9)),
            ("window", Seconds(3601.0)),
        )
        for field, value in cases:
            with self.assertRaises(InvalidRule) as caught:
                BackOut(**{"error_points": 1.0, field: value})
            self.assertIn(field, str(caught.exception))

    def test_nothing_is_limited(self) -> None:
        """Such limits would never say anything."""
        with self.assertRaises(InvalidRule):
            BackOut()
