"""Pilots, controllers and whole networks, ready made.

What a test says about them stands in the test; everything else is plausible and of
no weight. A builder makes the real thing, never a stand-in.
"""

from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.task import Clock

from rum_twisted.accounts.memory import MemoryAccounts
from rum_twisted.accounts.memorylogbook import MemoryLogbook
from rum_twisted.pergola.fanout import Fanout
from rum_twisted.pergola.limits import Limits
from rum_twisted.session.interfaces import IAccounts, IDelivery, ILogbook, IWeather
from rum_twisted.session.network import Network
from rum_twisted.terms.identity import Callsign, ClientKind, Rating
from rum_twisted.terms.permissions import NO_PERMISSIONS, Permission
from rum_twisted.terms.units import Seconds
from rum_twisted.weather.memory import MemoryWeather
from rum_twisted.world.client import Client
from rum_twisted.world.roster import Roster

__all__ = [
    "ACCOUNTS",
    "GREETING",
    "NOON",
    "REPORTS",
    "make_client",
    "make_controller",
    "make_limits",
    "make_network",
    "make_pilot",
]

NOON: Final = Seconds(1795262400.0)  # 2026-11-21 12:00 UTC

ACCOUNTS: Final = {
    "1000000": ("pw00", Rating.SUSPENDED),
    "1000001": ("pw01", Rating.OBSERVER),
    "1000002": ("pw02", Rating.STUDENT1),
    "1000005": ("pw05", Rating.CONTROLLER1),
    "1000010": ("pw10", Rating.INSTRUCTOR3),
    "1000011": ("pw11", Rating.SUPERVISOR),
    "1000012": ("pw12", Rating.ADMINISTRATOR),
    "AlphaCid": ("MixedCase", Rating.CONTROLLER1),
}
"""The members of the network: password and highest rating by CID."""

REPORTS: Final = {
    "EHAM": "EHAM 101225Z 24012G22KT 9999 FEW018 BKN030 12/08 Q1013 NOSIG",
    "KJFK": "KJFK 101151Z 31015KT 10SM -RA SCT025 OVC080 07/M02 A2992 RMK AO2",
}
"""The weather of two stations; there is none of others."""

GREETING: Final = ("Example server", "Welcome: have fun", "")
"""What is said to everybody who logs on; a colon and an empty line are in it."""


def make_client(
    callsign: str = "KLM1",
    *,
    kind: ClientKind = ClientKind.PILOT,
    rating: Rating = Rating.OBSERVER,
    cid: str = "1000001",
    permissions: frozenset[Permission] = NO_PERMISSIONS,
) -> Client:
    """Return somebody who has just logged on."""
    return Client(
        callsign=Callsign(callsign),
        cid=cid,
        kind=kind,
        rating=rating,
        real_name="Joe Pilot" if kind is ClientKind.PILOT else "Ann Controller",
        protocol_revision="9",
        permissions=permissions,
        simulator=2 if kind is ClientKind.PILOT else -1,
        logged_on_at=NOON,
    )


def make_pilot(callsign: str = "KLM1") -> Client:
    """Return a pilot who has just logged on."""
    return make_client(callsign)


def make_controller(
    callsign: str = "EHAM_TWR", *, rating: Rating = Rating.CONTROLLER1
) -> Client:
    """Return a controller who has just logged on."""
    return make_client(
        callsign, kind=ClientKind.CONTROLLER, rating=rating, cid="1000005"
    )


def make_limits(*, max_line: int = 2048) -> Limits:
    """Return the usual bounds of a connection."""
    return Limits(
        max_line=max_line,
        idle_timeout=Seconds(500.0),
        login_timeout=Seconds(500.0),
        flood_limit=100_000,
        outbox_bytes=262_144,
        send_buffer=65_536,
        stall_timeout=Seconds(60.0),
    )


def make_network(
    *,
    accounts: IAccounts | None = None,
    weather: IWeather | None = None,
    logbook: ILogbook | None = None,
    roster: Roster | None = None,
    delivery: IDelivery | None = None,
    greeting: Callable[[], Sequence[str]] = lambda: GREETING,
) -> Network:
    """Return a network of the members and reports above, with nobody on it.

    Its fan-out runs on a clock of its own unless a ``delivery`` is given.
    """
    # What is empty counts as false, and must be taken as it is all the same.
    if roster is None:
        roster = Roster()
    if delivery is None:
        delivery = Fanout(Clock(), float, Seconds(0.1), roster)
    return Network(
        roster=roster,
        delivery=delivery,
        accounts=MemoryAccounts(ACCOUNTS) if accounts is None else accounts,
        logbook=MemoryLogbook() if logbook is None else logbook,
        weather=MemoryWeather(REPORTS) if weather is None else weather,
        greeting=greeting,
        now=lambda: NOON,
    )
