"""Plugins across processes: both streams of ``plugin.proto``, in our own values.

What the two ends of a stream say is a value here, and a message on the way. Who says
what, and when, is the room `plugins`' affair.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar

from rum_twisted.rpc.channels import Endpoint
from rum_twisted.rpc.conversation import (
    ClientConversation,
    Conversation,
    ServerConversation,
)
from rum_twisted.rpc.convert import Unreadable
from rum_twisted.rpc.errors import Code
from rum_twisted.rpc.generated import plugin_pb2 as pb2
from rum_twisted.rpc.method import Method
from rum_twisted.rpc.plugin_convert import (
    event_of,
    hooks_of,
    known_hooks_of,
    numbers_of_hooks,
    write_coming,
    write_event,
)
from rum_twisted.rpc.servicing import Conversing, Refusal
from rum_twisted.session.hooks import (
    Ask,
    Hook,
    Kick,
    LoggedOn,
    Subscription,
    Tell,
    Verdict,
)

__all__ = [
    "FindMetar",
    "FromHost",
    "FromPlugin",
    "FromRole",
    "FromServer",
    "Hello",
    "HelloOption",
    "HostServicer",
    "OptionValue",
    "RoleServicer",
    "Talk",
    "attend",
]

MESSAGE_SIZE: Final = 900_000  # bytes; what is larger goes in parts
_ROLE: Final = pb2.DESCRIPTOR.services_by_name["PluginRole"]
_HOST: Final = pb2.DESCRIPTOR.services_by_name["PluginHost"]
_ATTEND: Final = Method.of(
    _ROLE, "Attend", pb2.ServerMessage, pb2.RoleMessage, may_repeat=False
)
_ATTACH: Final = Method.of(
    _HOST, "Attach", pb2.PluginMessage, pb2.HostMessage, may_repeat=False
)

S = TypeVar("S")  # what is said
H = TypeVar("H")  # what is heard
OptionValue: TypeAlias = bool | int | float | str | tuple[str, ...]


class FindMetar(NamedTuple):
    """Somebody wants a report."""

    number: int
    station: str


class FromServer(NamedTuple):
    """What a server says."""

    server: str = ""  # its name, in the first message
    events: Sequence[Ask] = ()
    metars: Sequence[tuple[int, str]] = ()  # number, and report or nothing
    leaves: bool = False  # no more events, and its clients stay online


class FromRole(NamedTuple):
    """What the role says to a server."""

    subscription: Subscription | None = None
    verdicts: Sequence[tuple[int, Verdict]] = ()
    acts: Sequence[Tell | Kick | FindMetar] = ()


class HelloOption(NamedTuple):
    """A setting that a plugin understands, unchecked."""

    name: str
    default: OptionValue | None  # ``None``: it tells no kind
    about: str
    least: float | None
    most: float | None
    is_required: bool
    is_secret: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What a plugin declares, unchecked."""

    name: str
    hooks: frozenset[Hook]
    commands: tuple[str, ...]
    prefixes: tuple[str, ...]
    options: tuple[HelloOption, ...]
    budget: float  # seconds; 0: the usual


class FromPlugin(NamedTuple):
    """What a plugin says."""

    hello: Hello | None = None
    verdicts: Sequence[tuple[int, Verdict]] = ()
    acts: Sequence[Tell | Kick | FindMetar] = ()


class FromHost(NamedTuple):
    """What a plugin is told."""

    settings: Mapping[str, OptionValue] | None = None  # in the first message
    online: Sequence[LoggedOn] = ()  # likewise
    events: Sequence[Ask] = ()
    metars: Sequence[tuple[int, str]] = ()


class Talk(Generic[S, H]):
    """One end of a stream, in our own values.

    Args:
        stream: what carries the messages.
        write: makes messages of what is said.
        read: reads what is heard.
    """

    def __init__(
        self,
        stream: Conversation[Any, Any],
        write: Callable[[S], Iterable[Any]],
        read: Callable[[Any], H],
    ) -> None:
        self._stream = stream
        self._write = write
        self._read = read

    async def say(self, what: S) -> None:
        """Say something; returns when it is on the way.

        Raises:
            RpcError: the stream has failed, or has ended.
        """
        for message in self._write(what):
            await self._stream.write(message)

    async def hear(self) -> H | None:
        """Return what is said next; ``None``: the other end has ended.

        Raises:
            RpcError: the stream has failed.
            Unreadable: what was said is nothing.
        """
        message = await self._stream.read()
        return None if message is None else self._read(message)

    def close(self) -> None:
        """End the stream at once; for the end that has begun it."""
        if isinstance(self._stream, ClientConversation):
            self._stream.close()


def attend(endpoint: Endpoint) -> Talk[FromServer, FromRole]:
    """Begin to talk to the role at an endpoint."""
    return Talk(endpoint.converse(_ATTEND), _messages_of_server, _said_by_role)


class RoleServicer:
    """Lets servers give what happens.

    Args:
        converse: talks to one of them, and returns when that is over.
    """

    name: str = _ROLE.full_name

    def __init__(
        self, converse: Callable[[Talk[FromRole, FromServer]], Awaitable[None]]
    ) -> None:
        self._talk = converse
        self.answers = (Conversing(_ATTEND, self._attend),)

    async def _attend(self, stream: ServerConversation[Any, Any]) -> None:
        try:
            await self._talk(Talk(stream, _messages_of_role, _said_by_server))
        except Unreadable as error:
            raise Refusal(Code.INVALID_ARGUMENT, str(error)) from error


class HostServicer:
    """Lets plugins join.

    Args:
        converse: talks to one of them, and returns when that is over.
    """

    name: str = _HOST.full_name

    def __init__(
        self, converse: Callable[[Talk[FromHost, FromPlugin]], Awaitable[None]]
    ) -> None:
        self._talk = converse
        self.answers = (Conversing(_ATTACH, self._attach),)

    async def _attach(self, stream: ServerConversation[Any, Any]) -> None:
        try:
            await self._talk(Talk(stream, _messages_of_host, _said_by_plugin))
        except Unreadable as error:
            raise Refusal(Code.INVALID_ARGUMENT, str(error)) from error


# Writing.


def _messages_of_server(said: FromServer) -> Iterator[pb2.ServerMessage]:
    if said.events:
        message = pb2.ServerMessage(server=said.server)
        add = message.events.add
        for number, event in said.events:
            write_event(add(), number, event)
        yield from _fitting(message)
    if said.metars or not said.events:
        yield pb2.ServerMessage(
            server=said.server, metars=_metars(said.metars), leaves=said.leaves
        )


def _messages_of_host(said: FromHost) -> Iterator[pb2.HostMessage]:
    if said.settings is not None:
        message = pb2.HostMessage(welcome=pb2.Welcome())
        for name, value in said.settings.items():
            _write_value(message.welcome.settings[name], value)
        for client in said.online:
            write_coming(message.welcome.online.add(), client)
        yield message
    if said.events:
        message = pb2.HostMessage()
        for number, event in said.events:
            write_event(message.events.add(), number, event)
        yield from _fitting(message)
    if said.metars:
        yield pb2.HostMessage(metars=_metars(said.metars))


def _messages_of_role(said: FromRole) -> Iterator[pb2.RoleMessage]:
    message = pb2.RoleMessage(
        verdicts=[_message_of_verdict(*each) for each in said.verdicts],
        acts=[_message_of_act(act) for act in said.acts],
    )
    if said.subscription is not None:
        message.subscription.CopyFrom(
            pb2.Subscription(
                hooks=numbers_of_hooks(said.subscription.hooks),
                prefixes=sorted(said.subscription.prefixes),
                commands=sorted(said.subscription.commands),
            )
        )
    yield message


def _fitting(message: Any) -> Iterator[Any]:
    """Yield a message, in parts if it is too large for one."""
    if message.ByteSize() <= MESSAGE_SIZE or len(message.events) == 1:
        yield message
        return
    middle = len(message.events) // 2
    second = type(message)(events=message.events[middle:])
    del message.events[middle:]
    yield from _fitting(message)
    yield from _fitting(second)


def _metars(metars: Sequence[tuple[int, str]]) -> list[pb2.Metar]:
    return [pb2.Metar(number=number, report=report) for number, report in metars]


def _message_of_verdict(number: int, verdict: Verdict) -> pb2.Verdict:
    return pb2.Verdict(
        question=number,
        stops=verdict.stops,
        text=verdict.text,
        failed=verdict.failed,
    )


def _message_of_act(act: Tell | Kick | FindMetar) -> pb2.Act:
    if isinstance(act, Tell):
        return pb2.Act(tell=pb2.Tell(callsign=act.callsign, text=act.text))
    if isinstance(act, Kick):
        return pb2.Act(
            kick=pb2.Kick(callsign=act.callsign, reason=act.reason, plugin=act.plugin)
        )
    return pb2.Act(find_metar=pb2.FindMetar(number=act.number, station=act.station))


def _write_value(target: pb2.OptionValue, value: OptionValue) -> None:
    if isinstance(value, bool):
        target.switch = value
    elif isinstance(value, int):
        target.integer = value
    elif isinstance(value, float):
        target.number = value
    elif isinstance(value, str):
        target.text = value
    else:
        target.texts.SetInParent()
        target.texts.texts.extend(value)


# Reading.


def _said_by_server(message: pb2.ServerMessage) -> FromServer:
    return FromServer(
        server=message.server,
        events=[(event.question, event_of(event)) for event in message.events],
        metars=[(metar.number, metar.report) for metar in message.metars],
        leaves=message.leaves,
    )


def _said_by_role(message: pb2.RoleMessage) -> FromRole:
    subscription = None
    if message.HasField("subscription"):
        wanted = message.subscription
        subscription = Subscription(
            known_hooks_of(wanted.hooks),
            frozenset(wanted.prefixes),
            frozenset(wanted.commands),
        )
    return FromRole(
        subscription=subscription,
        verdicts=_verdicts_of(message.verdicts),
        acts=_acts_of(message.acts),
    )


def _said_by_plugin(message: pb2.PluginMessage) -> FromPlugin:
    return FromPlugin(
        hello=_hello_of(message.hello) if message.HasField("hello") else None,
        verdicts=_verdicts_of(message.verdicts),
        acts=_acts_of(message.acts),
    )


def _verdicts_of(messages: Iterable[pb2.Verdict]) -> list[tuple[int, Verdict]]:
    return [
        (each.question, Verdict(each.stops, each.text, each.failed))
        for each in messages
    ]


def _acts_of(messages: Iterable[pb2.Act]) -> list[Tell | Kick | FindMetar]:
    return [_act_of(each) for each in messages]


def _act_of(message: pb2.Act) -> Tell | Kick | FindMetar:
    match message.WhichOneof("what"):
        case "tell":
            return Tell(message.tell.callsign, message.tell.text)
        case "kick":
            kick = message.kick
            return Kick(kick.callsign, kick.reason, kick.plugin)
        case "find_metar":
            return FindMetar(message.find_metar.number, message.find_metar.station)
    raise Unreadable("an act without content")


def _hello_of(message: pb2.Hello) -> Hello:
    return Hello(
        name=message.name,
        hooks=hooks_of(message.hooks),
        commands=tuple(message.commands),
        prefixes=tuple(message.prefixes),
        options=tuple(
            HelloOption(
                name=option.name,
                default=_value_of(option.default),
                about=option.about,
                least=option.least if option.HasField("least") else None,
                most=option.most if option.HasField("most") else None,
                is_required=option.is_required,
                is_secret=option.is_secret,
            )
            for option in message.options
        ),
        budget=message.budget,
    )


def _value_of(message: pb2.OptionValue) -> OptionValue | None:
    kind = message.WhichOneof("value")
    if kind is None:
        return None
    if kind == "texts":
        return tuple(message.texts.texts)
    value: OptionValue = getattr(message, kind)
    return value
