"""Clients: who is on, what is said to them, who is slow, and one as he speaks.

Source: docs/console.md, "Commands".
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from rum_twisted.console.console import Console, Lines, Words
from rum_twisted.console.interfaces import Backlogged
from rum_twisted.session.replies import ANNOUNCER, SERVER, text_line
from rum_twisted.terms.place import Position
from rum_twisted.terms.units import Seconds
from rum_twisted.wire.codec import encode
from rum_twisted.wire.messages.control import Kill
from rum_twisted.wire.messages.text import TextMessage
from rum_twisted.world.client import Client
from rum_twisted.world.geodesy import distance
from rum_twisted.world.routing import Audience, audience_of, members_of

__all__ = [
    "kill",
    "queues",
    "say",
    "show_clients",
    "show_distance",
    "show_range",
    "slow",
    "trace",
    "wall",
]

_NO_FREQUENCY: Final = 100_000  # from here on it is none
_HEAD: Final = "Call-sign    CID     Online   Idle     Type  Server     Frequency"
_RULE: Final = "-" * 65
_QUEUE_HEAD: Final = "Call-sign       In-Q    Out-Q  Dropped  Idle"
_QUEUE_RULE: Final = "-" * 45
_LINES_PER_SECOND: Final = 200  # of a trace; more is not for eyes
_SECOND: Final = Seconds(1.0)


def show_clients(console: Console, words: Words) -> Lines:
    """List who is on; who is meant alone is shown in detail."""
    server = console.server
    everybody = list(server.network.roster)
    now, idle = server.network.now(), server.front.idle_times()
    if words:
        text = words[0]
        everybody = [
            one for one in everybody if text in one.callsign or text in one.cid
        ]
        if not everybody:
            return ("No match.",)
        if len(everybody) == 1:
            return _details(everybody[0], now, idle)
    return _table(everybody, now, idle, server.identity.ident)


def say(console: Console, words: Words) -> Lines:
    """Send a text to a client, a group, or to everybody on whatever frequency."""
    destination, *rest = words
    network = console.server.network
    line = encode(TextMessage(SERVER, destination, " ".join(rest)))
    audience = audience_of(destination)
    if audience.is_group:
        # The server is nowhere, so a frequency of it has no range.
        is_frequency = audience is Audience.FREQUENCY
        group = Audience.EVERYBODY if is_frequency else audience
        network.delivery.multicast(line, list(members_of(group, network.roster)))
        return ()
    receiver = network.roster.find(destination)
    if receiver is None:
        return (f"client '{destination}' unknown.",)
    network.delivery.send(line, receiver)
    return ()


def wall(console: Console, words: Words) -> Lines:
    """Send a text to every client, addressed to himself."""
    network = console.server.network
    text = " ".join(words)
    for client in list(network.roster):
        network.delivery.send(text_line(client.callsign, text), client)
    return ()


def kill(console: Console, words: Words) -> Lines:
    """End somebody's session, and tell him why."""
    network = console.server.network
    client = network.roster.find(words[0])
    if client is None:
        return (f"Could not find client '{words[0]}'",)
    reason = " ".join(words[1:])
    network.delivery.send(encode(Kill(ANNOUNCER, client.callsign, reason)), client)
    network.delivery.disconnect(client)
    return ("Killed",)


def show_distance(console: Console, words: Words) -> Lines:
    """Tell how far two clients are apart."""
    places: list[Position] = []
    roster = console.server.network.roster
    found = [(word, roster.find(word)) for word in words[:2]]
    for word, client in found:
        if client is None:
            return (f"client '{word}' not found.",)
    for word, client in found:
        if client is None or client.position is None:
            return (f"client '{word}' did not send a position report.",)
        places.append(client.position)
    return (f"{distance(*places):f} NM.",)


def show_range(console: Console, words: Words) -> Lines:
    """Tell how far a client's radio carries."""
    client = console.server.network.roster.find(words[0])
    if client is None:
        return ("No such callsign.",)
    return (f"Range : {client.radio_range} NM.",)


def queues(console: Console, words: Words) -> Lines:
    """List the connections with something that waits."""
    return _queue_table(console.server.front.backlogged())


def slow(console: Console, words: Words) -> Lines:
    """List who reads slowly."""
    waiting = console.server.front.backlogged()
    return _queue_table([one for one in waiting if one.is_slow])


def trace(console: Console, words: Words) -> Lines:
    """Show what a client says and hears, from now on; ``off`` ends it."""
    console.end()
    if words[0].lower() == "off":
        return ("Trace ended.",)
    network = console.server.network
    client = network.roster.find(words[0])
    if client is None:
        return ("No such callsign.",)
    shown = _Trace(console, client.callsign)
    try:
        console.stop_trace = console.server.front.trace(client, shown.take)
    except LookupError as error:
        return (f"Not traced: {error.args[0]}.",)
    return (f"Tracing {client.callsign}; 'trace off' ends it.",)


@dataclass(slots=True, eq=False)
class _Trace:
    """What a console is shown of a client; more than eyes can read is counted only."""

    console: Console
    callsign: str
    shown: int = 0  # in the second that began then
    since: Seconds = field(default=Seconds(0.0))
    missed: int = 0

    def take(self, is_input: bool, line: bytes) -> None:  # noqa: FBT001 - a callback
        """Show a line, if there is room."""
        now = self.console.server.network.now()
        if not 0 <= now - self.since < _SECOND:
            self.since, self.shown = now, 0
        if self.shown >= _LINES_PER_SECOND:
            self.missed += 1
            return
        if self.missed and self.console.terminal.show(self._gap):
            self.missed = 0
        sign = ">" if is_input else "<"
        text = f"{self.callsign} {sign} {line.decode('latin-1')}"
        if self.console.terminal.show(text):
            self.shown += 1
        else:
            self.missed += 1

    @property
    def _gap(self) -> str:
        return f"{self.callsign} ({self.missed} lines are not shown)"


def _table(
    clients: list[Client], now: Seconds, idle: Mapping[Client, Seconds], ident: str
) -> Iterator[str]:
    yield _HEAD
    yield _RULE
    for client in clients:
        kind = "PILOT" if client.is_pilot else "ATC"
        online = _clock(now - client.logged_on_at)
        silent = _clock(idle.get(client, Seconds(0.0)))
        frequency = _frequency(client)
        yield (
            f"{client.callsign:<10}   {client.cid:<7} {online} {silent} {kind:<5}"
            f" {ident:<10}{' ' if frequency else ''}{frequency}"
        )


def _details(client: Client, now: Seconds, idle: Mapping[Client, Seconds]) -> Lines:
    frequency = _frequency(client)
    lines = [f"Callsign    : {client.callsign}"]
    if client.real_name:
        lines.append(f"Real name   : {client.real_name}")
    lines += (
        f"Type        : {'pilot' if client.is_pilot else 'atc'}",
        f"Online      : {_clock(now - client.logged_on_at)}",
        f"Idle        : {_clock(idle.get(client, Seconds(0.0)))}",
    )
    if frequency:
        lines.append(f"Frequency   : {frequency}")
    if client.position is None:
        return lines
    lines += (
        f"Location    : {_place(client.position)}",
        f"Altitude    : {client.altitude}",
    )
    if not client.is_pilot:
        return (*lines, f"Facility    : {client.facility}")
    return (
        *lines,
        f"Groundspeed : {client.groundspeed}",
        f"Transponder : {client.squawk}",
    )


def _queue_table(waiting: Sequence[Backlogged]) -> Iterator[str]:
    yield _QUEUE_HEAD
    yield _QUEUE_RULE
    for one in waiting:
        yield (
            f"{one.callsign:<12} {one.waiting_in:>7} {one.waiting_out:>8}"
            f" {one.dropped:>8} {one.idle_s:>4.0f} s"
        )


def _clock(seconds: float) -> str:
    """Return a stretch of time as hours, minutes and seconds."""
    whole = max(0, int(seconds))
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _frequency(client: Client) -> str:
    """Return the frequency in MHz; empty: none is known."""
    if not 0 < client.frequency < _NO_FREQUENCY:
        return ""
    return f"1{client.frequency // 1000:02d}.{client.frequency % 1000:03d}"


def _place(position: Position) -> str:
    """Return a place in degrees, minutes and seconds.

    Example: ``N 50 30' 00" W 05 15' 00"``
    """
    north = _angle(position.latitude, "NS")
    return f"{north} {_angle(position.longitude, 'EW')}"


def _angle(degrees: float, signs: str) -> str:
    seconds = 0
    with suppress(ValueError, OverflowError):  # a client may report what is no place
        seconds = round(abs(degrees) * 3600)
    sign = signs[degrees < 0]
    return (
        f"{sign} {seconds // 3600:02d} {seconds // 60 % 60:02d}' {seconds % 60:02d}\""
    )
