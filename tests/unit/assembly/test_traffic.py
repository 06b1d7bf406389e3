"""What an operator asks and decides about services, by way of one process."""

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.memorylogbook import MemoryLogbook
from rum_twisted.assembly.operated import Notes
from rum_twisted.assembly.traffic import Traffic
from rum_twisted.control.lines import Refused
from rum_twisted.discovery.errors import EtcdUnavailable
from rum_twisted.discovery.interfaces import Overview
from rum_twisted.discovery.memory import MemoryRegistry
from rum_twisted.discovery.service import DiscoveryClient
from rum_twisted.discovery.static import static_registry
from rum_twisted.rpc.errors import Code
from rum_twisted.rpc.judge import Judge
from rum_twisted.rpc.metrics import CallMetrics
from rum_twisted.session.interfaces import StaffAct
from rum_twisted.terms.instance import InstanceState
from rum_twisted.terms.rule import RuleState
from rum_twisted.terms.units import Seconds
from tests.support.fabric import make_instance
from tests.support.rules import CANARY, make_rule
from tests.unit.rpc.test_quality import observe

NOW = Seconds(1_790_000_000.0)


class TrafficTests(SynchronousTestCase):
    """A process with a registry of its own."""

    @override
    def setUp(self) -> None:
        """Begin with nobody."""
        self.registry = MemoryRegistry()
        self.use(DiscoveryClient(self.registry))

    def use(self, discovery: DiscoveryClient) -> None:
        """Ask by way of this one."""
        self.discovery = discovery
        discovery.startService()
        self.metrics = CallMetrics()
        rules: Any = discovery
        judge = Judge(
            rules, self.metrics, Clock(), lambda: NOW, name=lambda: "pergola-1"
        )
        judge.startService()
        self.addCleanup(judge.stopService)
        self.traffic = Traffic(
            discovery, self.metrics, judge, lambda: "pergola-1", lambda: NOW
        )

    def say(self, command: str, **arguments: Any) -> Any:
        """Do as an operator says; return the answer."""
        answer = self.traffic.commands[command]({"by": "root", **arguments})
        if isinstance(answer, Deferred):
            return self.successResultOf(answer)
        return answer

    def refuse(self, words: str, command: str, **arguments: Any) -> None:
        """Assert that something is not done, and why."""
        answer = self.traffic.commands[command]({"by": "root", **arguments})
        failure = self.failureResultOf(answer, Refused)
        self.assertIn(words, str(failure.value))

    def set_rule(self, version: str = CANARY, **arguments: Any) -> Any:
        """Try a version of weather."""
        return self.say("canary.set", service="weather", version=version, **arguments)

    def play(self, name: str, version: str, **fields: Any) -> None:
        """Let an instance be there."""
        self.discovery.register(
            make_instance(name, f"127.0.0.1:{name}", version=version, **fields)
        )

    @property
    def rule(self) -> Any:
        """The rule that stands."""
        (posted,) = self.discovery.rules()
        return posted.rule

    def test_instances_and_how_they_answer(self) -> None:
        """Each is told of, with what was counted about its address."""
        self.play("7001", "4.0.0", group="g", zone="z", weight=7)
        self.play("7002", CANARY, state=InstanceState.DRAINING)
        observe(self.metrics, CANARY, Code.OK, Code.INTERNAL, address="127.0.0.1:7002")
        observe(self.metrics, "", Code.OK, address="127.0.0.1:7002", service="passport")
        answer = self.say("services.list")
        self.assertEqual((answer["process"], answer["trouble"]), ("pergola-1", ""))
        old, new = answer["instances"]
        self.assertEqual(
            [old[key] for key in ("name", "version", "group", "zone", "weight")],
            ["7001", "4.0.0", "g", "z", 7],
        )
        self.assertEqual((old["calls"], old["state"]), (0, "up"))
        self.assertEqual((new["calls"], new["errors"]), (2, 1))
        self.assertEqual(new["state"], "draining")
        self.assertEqual(sum(new["buckets"]), 2)

    def test_etcd_is_away(self) -> None:
        """What was known last is told, and that it is; nothing is decided."""
        self.play("7001", "4.0.0")

        def away() -> Deferred[Overview]:
            return fail(EtcdUnavailable("h:1: no answer"))

        self.patch(self.registry, "look", away)
        answer = self.say("services.list")
        self.assertEqual(answer["trouble"], "h:1: no answer")
        self.assertEqual([each["name"] for each in answer["instances"]], ["7001"])
        for command in ("canary.list", "canary.set", "canary.end", "canary.clear"):
            self.refuse(
                "etcd: h:1", command, service="weather", version="4", how="abort"
            )

    def test_rule_is_set_and_changed(self) -> None:
        """What is not said stays as it was."""
        self.set_rule(share=10, cids=["ABC"], limits={"error_points": 5.0})
        self.assertEqual((self.rule.by, self.rule.changed), ("root", NOW))
        self.set_rule(share=30.5)
        self.set_rule(limits={"p99_ratio": 3.0, "window": None})
        rule = self.rule
        self.assertEqual((rule.share, rule.cids), (30.5, frozenset({"abc"})))
        assert rule.limits is not None
        self.assertEqual((rule.limits.error_points, rule.limits.p99_ratio), (5.0, 3.0))
        self.set_rule(cids=[], zones=["east"])
        self.assertEqual((self.rule.cids, self.rule.zones), (set(), {"east"}))

    def test_nonsense(self) -> None:
        """It is refused, with what was due."""
        for words, arguments in (
            ("share", {"share": 101}),
            ("share", {"share": "10"}),
            ("version", {"version": "a b"}),
            ("version", {"version": ""}),
            ("service", {"service": "a/b"}),
            ("service", {"service": 7}),
            ("nobody calls a pergola", {"service": "pergola"}),
            ("cids", {"cids": ["x" * 65]}),
            ("window", {"limits": {"error_points": 5, "window": 1}}),
            ("limits", {"limits": {"window": 60}}),
            ("by", {"by": "two\nlines"}),
        ):
            self.refuse(
                words,
                "canary.set",
                **{"service": "weather", "version": CANARY, **arguments},
            )
        self.assertEqual(self.discovery.rules(), ())

    def test_ends_of_a_trial(self) -> None:
        """Promoted by who has it played; aborted at any time, with the reason."""
        self.refuse("no rule", "canary.end", service="weather", how="abort")
        self.refuse("no rule", "canary.clear", service="weather")
        answer = self.set_rule(share=10)
        self.assertEqual(answer["instances"], {"canary": 0, "others": 0})
        self.refuse("how", "canary.end", service="weather", how="well")
        self.say("canary.end", service="weather", how="abort", reason="winds")
        self.assertEqual(
            (self.rule.state, self.rule.reason), (RuleState.ABORTED, "winds")
        )
        self.refuse("nobody plays", "canary.end", service="weather", how="promote")
        self.play("7002", CANARY)
        self.set_rule()
        self.assertEqual((self.rule.state, self.rule.reason), (RuleState.ACTIVE, ""))
        self.say("canary.end", service="weather", how="promote")
        self.assertIs(self.rule.state, RuleState.PROMOTED)
        self.assertEqual(self.rule.share, 10.0)

    def test_nobody_comes_back_by_accident(self) -> None:
        """A rule is not taken away from a version that it keeps calls from."""
        self.play("7001", "4.0.0")
        self.play("7002", CANARY)
        self.set_rule(share=10)
        self.refuse(CANARY, "canary.clear", service="weather")
        self.refuse(CANARY, "canary.set", service="weather", version="4.2.0")
        self.say("canary.end", service="weather", how="promote")
        self.refuse("not of", "canary.clear", service="weather")
        self.play("7001", "4.0.0", state=InstanceState.DRAINING)
        self.say("canary.clear", service="weather")
        self.assertEqual(self.discovery.rules(), ())
        self.set_rule(share=10)
        self.say("canary.clear", service="weather", force=True)
        self.assertEqual(self.discovery.rules(), ())

    def test_somebody_was_faster(self) -> None:
        """The rule that was read is another by now: look again."""
        self.set_rule(share=10)
        look = self.registry.look

        def look_too_early() -> Deferred[Overview]:
            found = look()
            (posted,) = self.discovery.rules()
            self.registry.post("weather", make_rule(50.0), posted.revision)
            return found

        self.patch(self.registry, "look", look_too_early)
        for command in ("canary.set", "canary.end", "canary.clear"):
            self.refuse(
                "changed meanwhile",
                command,
                service="weather",
                version=CANARY,
                how="abort",
            )
        self.assertEqual(self.rule.share, 50.0)

    def test_sights(self) -> None:
        """Rules are told of, with what this process has seen of them."""
        self.set_rule(share=10)
        observe(self.metrics, CANARY, Code.OK, Code.INTERNAL)
        answer = self.say("canary.list")
        (rule,), (sight,) = answer["rules"], answer["sights"]
        self.assertEqual((rule["service"], rule["share"]), ("weather", 10.0))
        self.assertEqual(sight["canary"]["errors"], 1)
        self.assertEqual(sight["others"]["calls"], 0)

    def test_list_of_addresses(self) -> None:
        """It has no place for rules, and the refusal says what has."""
        self.use(DiscoveryClient(static_registry(("weather=h:1",))))
        self.refuse("etcd", "canary.set", service="weather", version="4")


class NotesTests(SynchronousTestCase):
    """The way to the audit log."""

    @override
    def setUp(self) -> None:
        """Begin with an empty one."""
        self.logbook = MemoryLogbook()
        self.notes = Notes(self.logbook, lambda: "pergola-1")

    def test_what_another_process_has_done(self) -> None:
        """It is noted as it was said."""
        words = {
            "by": "root",
            "act": "drain",
            "whom": "weather a-1",
            "detail": "ends",
            "where": "pts/0",
        }
        self.notes.commands["audit.note"](words)
        self.assertEqual(
            list(self.logbook.acts),
            [
                StaffAct(
                    who_cid="root",
                    who_callsign="",
                    act="drain",
                    whom="weather a-1",
                    detail="ends",
                    where="pts/0",
                )
            ],
        )
        for name in words:
            for value in (None, "two\nlines", "x" * 501):
                with self.assertRaises(Refused):
                    self.notes.commands["audit.note"]({**words, name: value})

    def test_what_this_process_has_done(self) -> None:
        """A trial that was backed out is an act of the server."""
        self.notes.backed_out(make_rule(reason="20 %"))
        (act,) = self.logbook.acts
        self.assertEqual(
            (act.who_cid, act.act, act.whom, act.detail, act.where),
            ("server", "back-out", f"weather {CANARY}", "20 %", "pergola-1"),
        )
