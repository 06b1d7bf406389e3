"""What the host of the plugins knows of the servers."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override
from zope.interface import implementer

from rum_twisted.plugins.interfaces import IFront
from rum_twisted.session.hooks import (
    Act,
    Gone,
    Hook,
    LoggedOn,
    Service,
    Subscription,
    Tell,
    Verdict,
)
from rum_twisted.terms.identity import ClientKind
from tests.support.plugins import ScriptedPlugin, add_plugin, make_host, make_manifest

JOE = LoggedOn("KLM1", "1000001", ClientKind.PILOT, 1, "Joe", "", is_new=False)
HOOKS = (Hook.LOGGED_ON, Hook.GONE, Hook.SERVICE)


@implementer(IFront)
class KeptFront:
    """A server that keeps what it is to do."""

    def __init__(self) -> None:
        self.acts: list[Act] = []

    def subscribe(self, subscription: Subscription) -> None:
        """Build nothing."""

    def answer(self, number: int, verdict: Verdict) -> None:
        """Wait for no answer."""

    def act(self, act: Act) -> None:
        """Keep it."""
        self.acts.append(act)

    def find_metar(self, station: str) -> Deferred[str | None]:
        """Know none."""
        return succeed(None)


class SameServerTests(SynchronousTestCase):
    """A server that is back before it has left."""

    @override
    def setUp(self) -> None:
        """Let it come twice, with the same pilot."""
        self.host = make_host(Clock())
        self.addCleanup(self.host.stopService)
        self.plugin = ScriptedPlugin()
        self.guard = add_plugin(self.host, self.plugin, make_manifest(*HOOKS))
        self.first, self.second = KeptFront(), KeptFront()
        self.before = self.host.attend("me", self.first)
        self.before.take([(0, JOE)])
        self.after = self.host.attend("me", self.second)

    def settle(self, do: Callable[[], Any]) -> list[Any]:
        """Do something; return what the plugin was told then."""
        self.plugin.told.clear()
        do()
        return self.plugin.told

    def test_nothing_is_done_twice(self) -> None:
        """The newest one that knows him does it."""
        act = Tell("KLM1", "hello")
        self.guard.act(act)
        self.assertEqual((self.first.acts, self.second.acts), ([act], []))
        self.after.take([(0, JOE)])
        self.guard.act(act)
        self.assertEqual((self.first.acts, self.second.acts), ([act], [act]))
        self.assertEqual(tuple(self.host.online()), (JOE,))

    def test_another_server(self) -> None:
        """One of another name may have a pilot of the same callsign, who hears it."""
        other = KeptFront()
        self.host.attend("other", other).take([(0, JOE)])
        self.guard.act(Tell("KLM1", "hello"))
        self.assertEqual((len(self.first.acts), len(other.acts)), (1, 1))
        self.assertEqual(len(tuple(self.host.online())), 2)

    def test_whoever_is_there_is_not_gone(self) -> None:
        """The end of the first stream is the end of nobody who is on the second."""
        self.after.take([(0, JOE)])
        self.assertEqual(self.settle(self.before.close), [])
        self.assertEqual(
            self.settle(self.after.close), [Gone("klm1"), Service("me", is_there=False)]
        )

    def test_parted(self) -> None:
        """Nobody is gone, and nothing is done by it any more."""
        self.assertEqual(self.settle(self.before.part), [])
        self.guard.act(Tell("KLM1", "hello"))
        self.assertEqual(self.first.acts, [])
        self.assertEqual(self.settle(self.before.close), [])
