"""Traffic rules as they stand in etcd, and who is told of them."""

import json

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface.verify import verifyObject

from rum_twisted.discovery.etcd import EtcdRegistry
from rum_twisted.discovery.interfaces import Put
from rum_twisted.discovery.keys import rule_key, service_of_rule
from rum_twisted.discovery.rulebook import RuleBook
from rum_twisted.discovery.rules import (
    LONGEST_RULE,
    UnreadableRule,
    decode_rule,
    encode_rule,
)
from rum_twisted.discovery.service import DiscoveryClient
from rum_twisted.rpc.interfaces import IRules, IWatch
from rum_twisted.terms.instance import Instance
from rum_twisted.terms.rule import BackOut, InvalidRule, Posted, RuleState
from rum_twisted.terms.units import Seconds
from tests.support.fabric import chance
from tests.support.instances import make_instance
from tests.support.memory_etcd import MemoryEtcd, MemoryStore
from tests.support.rules import LIMITS, make_rule

KEY = "/rum/rules/weather"
TTL = Seconds(10.0)


class CodecTests(SynchronousTestCase):
    """Values that mixed versions of Rum can read."""

    def refuse(self, value: bytes, key: str = KEY) -> None:
        """Assert that a value is no rule."""
        with self.assertRaises(UnreadableRule):
            decode_rule("/rum", key, value)

    def test_everything_comes_back(self) -> None:
        """What was written is read."""
        rule = make_rule(
            12.5,
            cids=frozenset({"1", "ab\xe9"}),
            groups=frozenset({"trial"}),
            zones=frozenset({"east"}),
            state=RuleState.BACKED_OUT,
            reason="20 % failed",
            by="ams1-1",
            changed=Seconds(1_790_000_000.5),
            limits=BackOut(error_points=5.0, p99_ratio=3.0),
        )
        self.assertEqual(decode_rule("/rum", KEY, encode_rule(rule)), rule)

    def test_missing_fields_have_defaults(self) -> None:
        """An operator may write a rule by hand, and a later version leave some out."""
        rule = decode_rule("/rum", KEY, b'{"version":"4.1.0","share":10}')
        self.assertEqual(rule, make_rule(10.0))

    def test_unknown_fields_are_passed_over_and_kept(self) -> None:
        """An older process that ends a trial takes nothing away from it."""
        value = b'{"version":"4.1.0","ratings":[3],"share":10}'
        rule = decode_rule("/rum", KEY, value)
        written = json.loads(encode_rule(rule, value))
        self.assertEqual(written["ratings"], [3])
        other = json.loads(encode_rule(make_rule(version="4.2.0"), value))
        self.assertNotIn("ratings", other)
        for odd in (b"", b"[]", b"{", b"7"):
            self.assertEqual(encode_rule(rule, odd), encode_rule(rule))

    def test_unknown_state_sends_nobody(self) -> None:
        """What a later version invented is no reason to call the new version."""
        rule = decode_rule("/rum", KEY, b'{"version":"4.1.0","share":10,"state":"?"}')
        self.assertIs(rule.state, RuleState.ABORTED)

    def test_limits_of_a_later_version(self) -> None:
        """Those that we do not know we do not look at; the rule holds."""
        value = b'{"version":"4.1.0","share":10,"limits":{"p50_ratio":2}}'
        self.assertEqual(decode_rule("/rum", KEY, value), make_rule(10.0))

    def test_cids_are_folded(self) -> None:
        """Somebody may have written them by hand."""
        rule = decode_rule("/rum", KEY, b'{"version":"4.1.0","cids":["ABC"]}')
        self.assertEqual(rule.cids, frozenset({"abc"}))

    def test_no_rules(self) -> None:
        """What is none is refused."""
        for value in (
            *(b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000),
            *(b"{}", b'{"version":7}', b'{"version":"4","share":"10"}'),
            *(b'{"version":"4","share":true}', b'{"version":"4","share":NaN}'),
            *(b'{"version":"4","share":101}', b'{"version":"4","cids":"1"}'),
            *(b'{"version":"4","cids":[1]}', b'{"version":"4","limits":7}'),
            b'{"version":"4","limits":{"error_points":-1}}',
            b'{"version":"4","share":1' + b"0" * 400 + b"}",
            b'{"version":"4","reason":"' + b"x" * LONGEST_RULE + b'"}',
        ):
            self.refuse(value)
        for key in ("/rum/rules/", "/rum/rules/a/b", "/rum/services/a", "/rum"):
            self.refuse(b'{"version":"4"}', key)

    def test_too_long(self) -> None:
        """A rule that nobody would read is not written."""
        cids = frozenset(f"{number:03}" + "é" * 20 for number in range(200))
        with self.assertRaises(InvalidRule):
            encode_rule(make_rule(cids=cids))

    def test_keys(self) -> None:
        """Each service has one."""
        self.assertEqual(rule_key("/rum", "weather"), KEY)
        self.assertEqual(service_of_rule("/rum", KEY), "weather")


class RuleBookTests(SynchronousTestCase):
    """Who is told of rules."""

    @override
    def setUp(self) -> None:
        """Begin with an empty book."""
        self.book = RuleBook()
        self.told: list[tuple[Posted, ...]] = []

    def test_changes_are_told_once(self) -> None:
        """And no more after the watch was stopped."""
        watch = self.book.watch(self.told.append)
        self.assertTrue(verifyObject(IWatch, watch, tentative=True))
        rules = (Posted(make_rule(), 1),)
        self.book.replace(rules)
        self.book.replace(rules)
        self.assertEqual(self.told, [rules])
        watch.stop()
        watch.stop()
        self.book.replace(())
        self.assertEqual(len(self.told), 1)

    def test_one_that_fails_does_not_silence_others(self) -> None:
        """The failure is logged."""

        def fail(_: object) -> None:
            raise RuntimeError("a bug")

        self.book.watch(fail)
        self.book.watch(self.told.append)
        self.book.replace((Posted(make_rule(), 1),))
        self.assertEqual(len(self.told), 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_each_change_is_logged(self) -> None:
        """An operator finds in every log what calls went by, and since when."""
        with capturedLogs() as events:
            self.book.replace((Posted(make_rule(), 1),))
            self.book.replace((Posted(make_rule(20.0, reason="why"), 2),))
            self.book.replace(())
        self.assertEqual(len(events), 3)
        self.assertEqual([each.get("share") for each in events], [10.0, 20.0, None])


class RulesInEtcdTests(SynchronousTestCase):
    """Rules that come with the watch that instances come with."""

    @override
    def setUp(self) -> None:
        """Make a process; nothing is started."""
        self.clock = Clock()
        self.store = MemoryStore(self.clock)
        self.client = self.make()
        self.order: list[str] = []

    def make(self) -> DiscoveryClient:
        """Return another process."""
        client = DiscoveryClient(
            EtcdRegistry(
                MemoryEtcd(self.clock, self.store),
                self.clock,
                chance(),
                base_path="/rum",
                ttl=TTL,
            )
        )
        self.addCleanup(client.stopService)
        return client

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in small steps."""
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)

    def put(self, key: str, value: bytes) -> None:
        """Write a key, as somebody else does."""
        self.store.change((Put(key=key, value=value),), ())

    def shares(self) -> list[float]:
        """Return the shares of the rules that are known."""
        return [posted.rule.share for posted in self.client.rules()]

    def test_interface(self) -> None:
        """It is what clients of services ask for rules."""
        self.assertTrue(verifyObject(IRules, self.client, tentative=True))

    def test_one_watch_for_both(self) -> None:
        """Rules cost etcd no watch, no lease and no connection more."""
        self.client.startService()
        self.client.rules()
        self.client.instances("weather")
        self.clock.advance(0)
        self.assertEqual(
            (self.client.health.watches, self.client.health.leases), (1, 0)
        )

    def test_change_is_told(self) -> None:
        """What one process writes, the other knows at once."""
        self.client.startService()
        self.assertEqual(self.shares(), [])
        other = self.make()
        other.startService()
        self.assertTrue(self.successResultOf(other.post("weather", make_rule(), 0)))
        self.pass_time(0.1)
        self.assertEqual(self.shares(), [10.0])
        (posted,) = self.client.rules()
        done = self.client.post("weather", None, posted.revision)
        self.assertTrue(self.successResultOf(done))
        self.pass_time(0.1)
        self.assertEqual(self.shares(), [])

    def test_rules_are_known_before_instances(self) -> None:
        """So a new version is called by nobody for lack of its rule."""
        self.client.watch_rules(lambda _: self.order.append("rules"))

        def changed(_: tuple[Instance, ...]) -> None:
            self.order.append("instances")

        self.client.watch("passport", changed)
        other = self.make()
        other.startService()
        other.post("passport", make_rule(service="passport"), 0)
        other.register(make_instance())
        self.client.startService()
        self.pass_time(0.1)
        self.assertEqual(self.order, ["rules", "instances"])

    def test_of_two_who_write_one_succeeds(self) -> None:
        """The one who comes second is told so, and the first one's rule stands."""
        self.client.startService()
        self.client.post("weather", make_rule(), 0)
        overview = self.successResultOf(self.client.look())
        (posted,) = overview.rules
        other = self.make()
        other.startService()
        outcomes = [
            self.successResultOf(
                each.post("weather", make_rule(share), posted.revision)
            )
            for each, share in ((self.client, 20.0), (other, 30.0))
        ]
        self.assertEqual(outcomes, [True, False])
        self.client.rules()
        self.pass_time(0.1)
        self.assertEqual(self.shares(), [20.0])

    def test_rules_stay_while_etcd_is_away(self) -> None:
        """As instances do."""
        self.client.startService()
        self.client.post("weather", make_rule(limits=LIMITS), 0)
        self.client.rules()
        self.clock.advance(0)
        self.store.cut()
        self.pass_time(3600)
        self.assertEqual(self.shares(), [10.0])

    def test_rules_outlive_the_data_of_etcd(self) -> None:
        """A bad version must not come back because a disk was lost."""
        self.client.startService()
        for number in range(5):
            self.client.post(f"other-{number}", make_rule(service="other"), 0)
        self.client.post("weather", make_rule(), 0)
        self.client.rules()
        self.clock.advance(0)
        with capturedLogs() as events:
            self.store.cut()
            self.store.wipe()
            self.store.mend()
            self.pass_time(60)
        self.assertEqual(len(self.shares()), 6)
        lost = [each for each in events if "lost its data" in each["log_format"]]
        self.assertEqual(len(lost), 6)
        self.client.post("weather", make_rule(20.0), 0)
        self.pass_time(1)
        self.assertIn(20.0, self.shares())

    def test_what_is_no_rule_changes_nothing(self) -> None:
        """The rule that was known stays: a typing error must not bring a version in."""
        self.client.startService()
        self.client.post("weather", make_rule(), 0)
        self.client.rules()
        self.clock.advance(0)
        with capturedLogs() as events:
            self.put(KEY, b"{")
            self.pass_time(1)
        self.assertEqual(self.shares(), [10.0])
        self.assertTrue(any("passed over" in each["log_format"] for each in events))
        overview = self.successResultOf(self.client.look())
        self.assertEqual(overview.rules, ())

    def test_what_a_later_version_keeps_is_passed_over(self) -> None:
        """Without a word: it is no mistake."""
        self.client.startService()
        self.client.rules()
        with capturedLogs() as events:
            self.put("/rum/something/new", b"7")
            self.pass_time(1)
        self.assertEqual(events, [])
        overview = self.successResultOf(self.client.look())
        self.assertEqual((overview.instances, overview.rules), ((), ()))

    def test_looking_opens_no_watch(self) -> None:
        """A process that calls nobody stays as cheap after it was asked."""
        self.client.startService()
        self.client.register(make_instance())
        overview = self.successResultOf(self.client.look())
        self.assertEqual([each.name for each in overview.instances], ["a-1"])
        self.assertEqual(self.client.health.watches, 0)
