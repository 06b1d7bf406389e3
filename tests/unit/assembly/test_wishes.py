"""What an operator wants of processes that he cannot ask himself."""

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.assembly.wishes import Wishes
from rum_twisted.control.lines import Refused
from rum_twisted.discovery.errors import EtcdUnavailable
from rum_twisted.discovery.interfaces import Overview
from rum_twisted.discovery.memory import MemoryRegistry
from rum_twisted.discovery.service import DiscoveryClient
from rum_twisted.discovery.static import static_registry
from rum_twisted.terms.instance import InstanceState
from rum_twisted.terms.units import Seconds
from rum_twisted.terms.wish import WishKind
from tests.support.fabric import make_instance
from tests.support.wishes import WishfulRegistry, make_wish

NOW = Seconds(1_790_000_000.0)


class WishesTests(SynchronousTestCase):
    """A process with a registry in which others stand."""

    @override
    def setUp(self) -> None:
        """Let a weather and a pergola be there."""
        self.registry = WishfulRegistry()
        self.use(self.registry)
        self.discovery.register(make_instance("w-1"))
        self.discovery.register(make_instance("p-1", service="pergola"))
        self.discovery.register(make_instance("p-1", service="passport"))

    def use(self, registry: MemoryRegistry) -> None:
        """Ask by way of this one."""
        self.discovery = DiscoveryClient(registry)
        self.discovery.startService()
        self.wishes = Wishes(self.discovery, lambda: NOW)

    def say(self, command: str, **arguments: Any) -> Any:
        """Do as an operator says; return what comes of it."""
        words = {"name": "w-1", "by": "root", "where": "10.0.0.9", **arguments}
        answer = self.wishes.commands[f"wish.{command}"](words)
        assert isinstance(answer, Deferred)
        return answer

    def refuse(self, words: str, **arguments: Any) -> None:
        """Assert that a wish is not written, and why."""
        answer = self.say("make", **{"kind": "end", **arguments})
        failure = self.failureResultOf(answer, Refused)
        self.assertIn(words, str(failure.value))
        self.assertEqual(self.registry.wishes, {})

    def test_wish_and_what_comes_of_it(self) -> None:
        """It stands in the registry with who wants it, and is looked after there."""
        made = self.successResultOf(self.say("make", kind="stay"))
        self.assertEqual(made, {"name": "w-1", "state": "up", "services": ["weather"]})
        due = make_wish("w-1", WishKind.STAY, asked=NOW)
        self.assertEqual(self.registry.wishes, {"w-1": due})
        for state, is_heard in (("up", False), ("draining", True)):
            self.assertEqual(
                self.successResultOf(self.say("look")),
                {"name": "w-1", "state": state, "is_heard": is_heard},
            )
            self.registry.wishes.clear()
            self.discovery.register(make_instance("w-1", state=InstanceState.DRAINING))
        self.assertEqual(
            self.successResultOf(self.say("look", name="w-2"))["state"], "gone"
        )

    def test_what_cannot_be(self) -> None:
        """It is refused, and the reason told."""
        self.refuse("nobody in the registry", name="w-2")
        self.refuse("pilots", name="p-1")
        self.refuse("not drained", kind="serve")
        self.refuse("kind", kind="fly")
        self.refuse("where", where="x" * 201)
        self.refuse("by", by="two\nlines")

    def test_nobody_would_hear(self) -> None:
        """Where there is no etcd, that is said first."""
        for registry in (MemoryRegistry(), static_registry(("weather=h:1",))):
            self.use(registry)
            self.refuse("run rumctl on its machine")

    def test_etcd_is_away(self) -> None:
        """Nothing is wanted of anybody."""

        def away() -> Deferred[Overview]:
            return fail(EtcdUnavailable("h:1: no answer"))

        self.patch(self.registry, "look", away)
        self.refuse("etcd: h:1")
