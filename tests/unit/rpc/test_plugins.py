"""What is said on the streams of plugins, there and back."""

from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.rpc.convert import Unreadable
from rum_twisted.rpc.generated import plugin_pb2 as pb2
from rum_twisted.rpc.plugin_convert import event_of, hooks_of, write_event
from rum_twisted.rpc.plugins import (
    MESSAGE_SIZE,
    FindMetar,
    FromHost,
    FromPlugin,
    FromRole,
    FromServer,
    HostServicer,
    OptionValue,
    RoleServicer,
    Talk,
    attend,
)
from rum_twisted.session.hooks import (
    FAILED,
    Command,
    Connected,
    Event,
    Gone,
    Hook,
    Kick,
    Line,
    LoggedOn,
    LoggingOn,
    PlanFiled,
    PositionSample,
    Service,
    Subscription,
    Tell,
    Text,
    Verdict,
)
from rum_twisted.terms.identity import ClientKind

WHO: dict[str, Any] = {
    "callsign": "KLM1",
    "cid": "1000001",
    "kind": ClientKind.CONTROLLER,
    "rating": 5,
    "real_name": "Zo\xeb",
    "address": "::1",
}
EVENTS: tuple[Event, ...] = (
    Connected(""),
    Connected("192.0.2.1"),
    LoggingOn(**WHO),
    LoggedOn(**WHO, is_new=True),
    Line("KLM1", "#TMKLM1:*:\xff\x80"),
    PositionSample("KLM1", -52.3, 180.0, -1, 420, 2**31 - 1),
    Text("KLM1", "@18100", "a:b"),
    Command("KLM1", "metar", ""),
    PlanFiled(
        "KLM1", 3, "I", "B738", -1, "EHAM", 30, "FL350", "EDDF", "", "/V/", "DCT"
    ),
    Gone("KLM1"),
    Service("a", is_there=False),
)


class _Wire:
    """A stream that keeps what is written, and has it read."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def write(self, message: Any) -> None:
        """Keep a message, as its bytes would be read."""
        self.messages.append(type(message).FromString(message.SerializeToString()))

    async def read(self) -> Any:
        """Return the oldest."""
        return self.messages.pop(0) if self.messages else None


class _Endpoint:
    """Where a stream begins."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def converse(self, method: object) -> _Wire:
        """Begin it."""
        return self._wire


class TalkTests(SynchronousTestCase):
    """Both ends of both streams; what lies between keeps bytes and nothing else."""

    @override
    def setUp(self) -> None:
        """Lay a wire."""
        self.wire = _Wire()
        self.talks: list[Talk[Any, Any]] = []

    def at_server(self) -> Talk[Any, Any]:
        """Return a server's end."""
        return attend(cast(Any, _Endpoint(self.wire)))

    def at_role(self) -> Talk[Any, Any]:
        """Return the role's end to a server."""
        return self.end_of(RoleServicer(self.keep))

    def at_host(self) -> Talk[Any, Any]:
        """Return the role's end to a plugin."""
        return self.end_of(HostServicer(self.keep))

    async def keep(self, talk: Talk[Any, Any]) -> None:
        """Take what a servicer gives us to talk to."""
        self.talks.append(talk)

    def end_of(self, servicer: Any) -> Talk[Any, Any]:
        """Return what a servicer talks through."""
        (conversing,) = servicer.answers
        self.run_to_end(conversing.converse(self.wire))
        return self.talks.pop()

    def run_to_end(self, coroutine: Any) -> Any:
        """Run what waits for nobody."""
        try:
            coroutine.send(None)
        except StopIteration as done:
            return done.value
        raise AssertionError("it waits")

    def test_every_event(self) -> None:
        """It reaches the role as it was, with the number of its question."""
        said = FromServer(
            "me", [(7, event) for event in EVENTS], [(1, "EHAM"), (2, "")]
        )
        self.run_to_end(self.at_server().say(said))
        role = self.at_role()
        first = self.run_to_end(role.hear())
        self.assertEqual(first, FromServer("me", list(said.events), []))
        second = self.run_to_end(role.hear())
        self.assertEqual(second.metars, [(1, "EHAM"), (2, "")])
        self.assertIsNone(self.run_to_end(role.hear()))

    def test_every_kind_of_event_is_tried(self) -> None:
        """One that is new has to be added above."""
        self.assertEqual({type(event) for event in EVENTS}, set(Event.__args__))

    def test_name_alone(self) -> None:
        """The first message of a server without clients is no silence."""
        self.run_to_end(self.at_server().say(FromServer("me")))
        self.assertEqual(self.run_to_end(self.at_role().hear()).server, "me")

    def test_more_than_fits_into_a_message(self) -> None:
        """It goes in parts, in its order."""
        events = [(number, Text("KLM1", "*", "\xff" * 3000)) for number in range(400)]
        self.run_to_end(self.at_server().say(FromServer("me", events)))
        sizes = [message.ByteSize() for message in self.wire.messages]
        self.assertGreater(len(sizes), 1)
        self.assertLessEqual(max(sizes), MESSAGE_SIZE)
        role, heard = self.at_role(), []
        while (said := self.run_to_end(role.hear())) is not None:
            heard += said.events
        self.assertEqual(heard, events)

    def test_what_the_role_says(self) -> None:
        """Subscriptions, answers and acts; a silence about a subscription is none."""
        subscription = Subscription(
            frozenset(Hook), frozenset({"#TM"}), frozenset({"w"})
        )
        acts: list[Tell | Kick | FindMetar] = [
            Tell("KLM1", "語"),
            Kick("KLM1", "why", "bad"),
            FindMetar(3, "EHAM"),
        ]
        verdicts = [(5, Verdict(stops=True, text="no")), (6, FAILED)]
        for said in (FromRole(subscription), FromRole(None, verdicts, acts)):
            self.run_to_end(self.at_role().say(said))
            heard = self.run_to_end(self.at_server().hear())
            self.assertEqual(
                heard,
                FromRole(said.subscription, verdicts, acts)
                if said.acts
                else FromRole(subscription, [], []),
            )

    def test_hook_of_a_newer_role(self) -> None:
        """A server leaves it out: it has no such events to build."""
        message = pb2.RoleMessage(
            subscription=pb2.Subscription(hooks=[cast(Any, 999), pb2.TEXT])
        )
        self.wire.messages.append(message)
        heard = self.run_to_end(self.at_server().hear())
        self.assertEqual(heard.subscription.hooks, frozenset({Hook.TEXT}))

    def test_what_a_plugin_is_told(self) -> None:
        """Settings of every kind, who is online, and events."""
        coming = LoggedOn(**WHO, is_new=False)
        settings: dict[str, OptionValue] = {
            "a": True,
            "b": 3,
            "c": 2.5,
            "d": "text",
            "e": ("x", "y"),
            "f": (),
        }
        self.run_to_end(
            self.at_host().say(FromHost(settings, [coming], [(0, EVENTS[1])]))
        )
        welcome = self.wire.messages[0].welcome
        kinds = {
            name: value.WhichOneof("value") for name, value in welcome.settings.items()
        }
        self.assertEqual(
            kinds,
            {
                "a": "switch",
                "b": "integer",
                "c": "number",
                "d": "text",
                "e": "texts",
                "f": "texts",
            },
        )
        self.assertEqual(welcome.online[0].callsign, "KLM1")
        self.assertEqual(self.wire.messages[1].events[0].connected.address, "192.0.2.1")

    def test_what_a_plugin_says(self) -> None:
        """A Hello with settings; then answers."""
        hello = pb2.Hello(
            name="n",
            hooks=[pb2.COMMAND],
            commands=["w"],
            budget=0.5,
            options=[
                pb2.Option(name="o", default=pb2.OptionValue(integer=3), least=1),
                pb2.Option(name="p", is_required=True),
            ],
        )
        self.wire.messages.append(pb2.PluginMessage(hello=hello))
        heard: FromPlugin = self.run_to_end(self.at_host().hear())
        assert heard.hello is not None
        first, second = heard.hello.options
        self.assertEqual((first.default, first.least, first.most), (3, 1.0, None))
        self.assertEqual((second.default, second.is_required), (None, True))
        self.assertEqual(heard.hello.budget, 0.5)

    def test_what_is_nothing(self) -> None:
        """An act or an event without content, and an unknown hook, end a stream."""
        self.wire.messages.append(pb2.PluginMessage(acts=[pb2.Act()]))
        with self.assertRaises(Unreadable):
            self.run_to_end(self.at_host().hear())
        with self.assertRaises(Unreadable):
            event_of(pb2.Event())
        with self.assertRaises(Unreadable):
            hooks_of([0])

    def test_number_of_an_event_that_is_no_question(self) -> None:
        """It is 0."""
        message = pb2.Event()
        write_event(message, 0, Gone("KLM1"))
        self.assertEqual(message.question, 0)
