"""The text of the status file, ``whazzup.txt``: who is online, for maps and sites.

Nothing here writes a file; `rum_twisted.web.whazzup` does.

Text is bytes read as Latin-1 and leaves as the same bytes. The format has no
quoting, so two kinds of signs do not pass, whoever wrote them: a colon becomes
a semicolon and a control code a blank. Thus no name and no plan can add a field or
a line. (UTF-8 and GBK have neither inside a letter, so no letter breaks.)

Source: docs/protocol.md, "Status file".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import gmtime, strftime
from typing import Final

from rum_twisted.terms.identity import fold
from rum_twisted.world.client import Client
from rum_twisted.world.flightplan import FlightPlan

__all__ = ["ServerIdentity", "client_line", "head", "render", "tail"]

_UNLISTED_HOSTNAME: Final = "n/a"
_NO_POSITION: Final = ":::"
_NO_AIRCRAFT: Final = "::::"
_NO_PLAN: Final = "::::::::::"
_HIGHEST_ALTITUDE: Final = 100_000  # feet; as high or higher is no place to draw
_HIGHEST_FREQUENCY: Final = 100_000  # of the five digits after the leading 1
_CONTROLS: Final = bytes(range(0x20)) + b"\x7f"
_BLANK_CONTROLS: Final = bytes.maketrans(_CONTROLS, b" " * len(_CONTROLS))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerIdentity:
    """How the server presents itself; text is bytes read as Latin-1."""

    ident: str  # short, unique in the network
    hostname: str  # "n/a": not to be listed
    location: str
    name: str


def render(clients: Sequence[Client], server: ServerIdentity, now: float) -> bytes:
    """Return the whole status file.

    Args:
        clients: who is online, in the order in which they are listed.
        server: the one server of this network.
        now: seconds since the Unix epoch, UTC.
    """
    lines = b"".join(client_line(client, server.ident) for client in clients)
    return head(len(clients), server, now) + lines + tail(server)


def head(client_count: int, server: ServerIdentity, now: float) -> bytes:
    """Return the lines before the first client."""
    moment = gmtime(now)
    return (
        f"![DateStamp]{strftime('%d/%m/%Y %H:%M', moment)}\n"
        "!GENERAL\n"
        "VERSION = 1\n"
        "RELOAD = 1\n"
        f"UPDATE = {strftime('%Y%m%d%H%M%S', moment)}\n"
        f"CONNECTED CLIENTS = {client_count}\n"
        f"CONNECTED SERVERS = {int(_is_listed(server))}\n"
        "!CLIENTS\n"
    ).encode("ascii")


def tail(server: ServerIdentity) -> bytes:
    """Return the lines after the last client."""
    if not _is_listed(server):
        return b"!SERVERS\n"
    texts = (server.ident, server.hostname, server.location, server.name)
    return b"!SERVERS\n" + _line(":".join(map(_field, texts)) + ":1")


def client_line(client: Client, server_ident: str) -> bytes:
    """Return the line of one client: 38 fields.

    Example: ``KLM1:1000001:Joe Pilot:PILOT::50.500000:-5.250000:12000:250:B738/L:``
    ``420:EHAM:FL350:EDDF:FSD:9:1:4521:0:40:0:I:1230:1235:1:30:3:15:EDDL:rmk:DCT ABC``
    ``:::::::20261123041136``
    """
    plan = client.plan
    return _line(
        f"{_field(client.callsign)}:{_field(client.cid)}:{_field(client.real_name)}:"
        f"{'PILOT' if client.is_pilot else 'ATC'}:{_frequency(client.frequency)}:"
        f"{_position(client)}:{_aircraft(plan) if plan else _NO_AIRCRAFT}:"
        f"{_field(server_ident)}:{_field(client.protocol_revision)}:"
        f"{client.rating:d}:{client.squawk}:{client.facility}:{client.visual_range}:"
        f"{_plan(plan) if plan else _NO_PLAN}:::::::"
        f"{strftime('%Y%m%d%H%M%S', gmtime(client.logged_on_at))}"
    )


def _frequency(frequency: int) -> str:
    """Return megahertz, or nothing if no radio has such a frequency."""
    if not 0 < frequency < _HIGHEST_FREQUENCY:
        return ""
    return f"1{frequency // 1000:02d}.{frequency % 1000:03d}"


def _position(client: Client) -> str:
    """Return latitude, longitude, altitude and groundspeed, or four empty fields.

    The format takes a latitude or longitude of exactly 0 for "not known".
    """
    place = client.position
    if place is None or client.altitude >= _HIGHEST_ALTITUDE:
        return _NO_POSITION
    if not (place.latitude and place.longitude):
        return _NO_POSITION
    return (
        f"{place.latitude:.6f}:{place.longitude:.6f}:"
        f"{client.altitude}:{client.groundspeed}"
    )


def _aircraft(plan: FlightPlan) -> str:
    """Return aircraft, airspeed, departure, cruise altitude and destination."""
    return (
        f"{_field(plan.aircraft)}:{plan.true_airspeed}:{_field(plan.departure)}:"
        f"{_field(plan.cruise_altitude)}:{_field(plan.destination)}"
    )


def _plan(plan: FlightPlan) -> str:
    """Return the eleven fields from the revision to the route."""
    return (
        f"{plan.revision}:{_field(plan.rules)}:"
        f"{plan.departure_time}:{plan.actual_departure_time}:"
        f"{plan.hours_enroute}:{plan.minutes_enroute}:"
        f"{plan.hours_fuel}:{plan.minutes_fuel}:"
        f"{_field(plan.alternate)}:{_field(plan.remarks)}:{_field(plan.route)}"
    )


def _is_listed(server: ServerIdentity) -> bool:
    return fold(server.hostname) != _UNLISTED_HOSTNAME


def _field(text: str) -> str:
    """Return ``text`` without colons; control codes are the line's to blank."""
    return text.replace(":", ";")


def _line(text: str) -> bytes:
    """Return fields joined with colons as a line that cannot be broken."""
    # A sign outside Latin-1 is a slip of ours, and no reason to list nobody.
    return text.encode("latin-1", "replace").translate(_BLANK_CONTROLS) + b"\n"
