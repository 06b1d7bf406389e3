"""Messages of ``plugin.proto``, made from our own values and read back into them.

Writing an event is the one part that a busy server pays for: fields are set in place,
in half of the time that it takes to make a message and put it into another.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from rum_twisted.rpc.convert import Unreadable
from rum_twisted.rpc.generated import plugin_pb2 as pb2
from rum_twisted.session.hooks import (
    Command,
    Connected,
    Event,
    Gone,
    Hook,
    Line,
    LoggedOn,
    LoggingOn,
    PlanFiled,
    PositionSample,
    Service,
    Text,
)
from rum_twisted.terms.identity import ClientKind

__all__ = [
    "event_of",
    "hooks_of",
    "known_hooks_of",
    "numbers_of_hooks",
    "write_coming",
    "write_event",
]

_KINDS: Final[Mapping[ClientKind, Any]] = {
    ClientKind.PILOT: pb2.PILOT,
    ClientKind.CONTROLLER: pb2.CONTROLLER,
}
_HOOKS: Final[Mapping[Hook, Any]] = {hook: getattr(pb2, hook.name) for hook in Hook}
_HOOKS_BACK: Final = {number: hook for hook, number in _HOOKS.items()}


def numbers_of_hooks(hooks: frozenset[Hook]) -> list[Any]:
    """Write hooks."""
    return sorted(_HOOKS[hook] for hook in hooks)


def known_hooks_of(numbers: Any) -> frozenset[Hook]:
    """Read hooks; those that are not known here are left out."""
    return frozenset(_HOOKS_BACK[number] for number in numbers if number in _HOOKS_BACK)


def hooks_of(numbers: Any) -> frozenset[Hook]:
    """Read hooks.

    Raises:
        Unreadable: one is not known here.
    """
    try:
        return frozenset(_HOOKS_BACK[number] for number in numbers)
    except KeyError as error:
        raise Unreadable(f"hook {error}: due is one of the contract's") from error


def _write_connected(target: pb2.Event, event: Connected) -> None:
    # A message whose fields are empty is not there unless somebody says so.
    target.connected.SetInParent()
    target.connected.address = event.address


def _write_logging_on(target: pb2.Event, event: LoggingOn) -> None:
    message = target.logging_on
    message.callsign = event.callsign
    message.cid = event.cid
    message.kind = _KINDS[event.kind]
    message.rating = event.rating
    message.real_name = event.real_name
    message.address = event.address


def write_coming(message: pb2.LoggedOn, event: LoggedOn) -> None:
    """Write somebody who is online."""
    message.callsign = event.callsign
    message.cid = event.cid
    message.kind = _KINDS[event.kind]
    message.rating = event.rating
    message.real_name = event.real_name
    message.address = event.address
    message.is_new = event.is_new


def _write_logged_on(target: pb2.Event, event: LoggedOn) -> None:
    write_coming(target.logged_on, event)


def _write_line(target: pb2.Event, event: Line) -> None:
    message = target.line
    message.callsign, message.line = event


def _write_position(target: pb2.Event, event: PositionSample) -> None:
    message = target.position
    (
        message.callsign,
        message.latitude,
        message.longitude,
        message.altitude,
        message.groundspeed,
        message.squawk,
    ) = event


def _write_text(target: pb2.Event, event: Text) -> None:
    message = target.text
    message.callsign, message.destination, message.text = event


def _write_command(target: pb2.Event, event: Command) -> None:
    message = target.command
    message.callsign, message.word, message.rest = event


def _write_plan(target: pb2.Event, event: PlanFiled) -> None:
    message = target.plan
    (
        message.callsign,
        message.revision,
        message.rules,
        message.aircraft,
        message.true_airspeed,
        message.departure,
        message.departure_time,
        message.cruise_altitude,
        message.destination,
        message.alternate,
        message.remarks,
        message.route,
    ) = event


def _write_gone(target: pb2.Event, event: Gone) -> None:
    target.gone.callsign = event.callsign


def _write_service(target: pb2.Event, event: Service) -> None:
    message = target.service
    message.server, message.is_there = event


_WRITERS: Final[Mapping[type[Any], Callable[[pb2.Event, Any], None]]] = {
    Connected: _write_connected,
    LoggingOn: _write_logging_on,
    LoggedOn: _write_logged_on,
    Line: _write_line,
    PositionSample: _write_position,
    Text: _write_text,
    Command: _write_command,
    PlanFiled: _write_plan,
    Gone: _write_gone,
    Service: _write_service,
}


def write_event(target: pb2.Event, number: int, event: Event) -> None:
    """Write an event into an empty message.

    Args:
        target: the message.
        number: of a question, or 0.
        event: what it is to tell.

    Raises:
        ValueError: a number in it is larger than the contract has room for.
    """
    if number:
        target.question = number
    _WRITERS[type(event)](target, event)


def event_of(message: pb2.Event) -> Event:
    """Read an event.

    Raises:
        Unreadable: it is none, or one that is not known here.
    """
    reader = _READERS.get(message.WhichOneof("what") or "")
    if reader is None:
        raise Unreadable("an event without content")
    return reader(message)


def _logging_on_of(event: pb2.Event) -> LoggingOn:
    message = event.logging_on
    return LoggingOn(
        callsign=message.callsign,
        cid=message.cid,
        kind=_kind_of(message.kind),
        rating=message.rating,
        real_name=message.real_name,
        address=message.address,
    )


def _logged_on_of(event: pb2.Event) -> LoggedOn:
    message = event.logged_on
    return LoggedOn(
        callsign=message.callsign,
        cid=message.cid,
        kind=_kind_of(message.kind),
        rating=message.rating,
        real_name=message.real_name,
        address=message.address,
        is_new=message.is_new,
    )


def _position_of(event: pb2.Event) -> PositionSample:
    message = event.position
    return PositionSample(
        callsign=message.callsign,
        latitude=message.latitude,
        longitude=message.longitude,
        altitude=message.altitude,
        groundspeed=message.groundspeed,
        squawk=message.squawk,
    )


def _plan_of(event: pb2.Event) -> PlanFiled:
    message = event.plan
    return PlanFiled(
        callsign=message.callsign,
        revision=message.revision,
        rules=message.rules,
        aircraft=message.aircraft,
        true_airspeed=message.true_airspeed,
        departure=message.departure,
        departure_time=message.departure_time,
        cruise_altitude=message.cruise_altitude,
        destination=message.destination,
        alternate=message.alternate,
        remarks=message.remarks,
        route=message.route,
    )


_READERS: Final[Mapping[str, Callable[[pb2.Event], Event]]] = {
    "connected": lambda event: Connected(event.connected.address),
    "logging_on": _logging_on_of,
    "logged_on": _logged_on_of,
    "line": lambda event: Line(event.line.callsign, event.line.line),
    "position": _position_of,
    "text": lambda event: Text(
        event.text.callsign, event.text.destination, event.text.text
    ),
    "command": lambda event: Command(
        event.command.callsign, event.command.word, event.command.rest
    ),
    "plan": _plan_of,
    "gone": lambda event: Gone(event.gone.callsign),
    "service": lambda event: Service(event.service.server, event.service.is_there),
}


def _kind_of(number: int) -> ClientKind:
    return ClientKind.CONTROLLER if number == pb2.CONTROLLER else ClientKind.PILOT
