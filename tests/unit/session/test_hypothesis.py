"""Whatever clients send, cut in whatever way, the world stays whole.

Several clients share a server. Generated lines, right and wrong, are thrown at it in
generated segments; after each burst everything that everybody has read is looked at,
and so are the world's indexes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.accounts.memory import MemoryAccounts
from rum_twisted.session.phases import Phase
from rum_twisted.terms.identity import Rating, fold
from rum_twisted.weather.memory import MemoryWeather
from rum_twisted.world.client import Client
from rum_twisted.world.geodesy import distance
from rum_twisted.world.visibility import RULES, Channel, is_in_range, reach
from tests.support.builders import ACCOUNTS, REPORTS
from tests.support.chatter import (
    CALLSIGNS,
    FIRST_LOGONS,
    LOWER_ME,
    ME,
    PROFILE,
    Burst,
    bursts,
)
from tests.support.later import LaterAccounts, LaterWeather
from tests.support.segments import cut_at
from tests.support.server import MemoryServer, Terminal


@dataclass(slots=True)
class Seat:
    """Somebody who sits before a terminal, and believes what he reads."""

    terminal: Terminal
    present: set[str] = field(default_factory=set)  # who else is on, as he was told


def sender_of(line: str) -> str:
    """Return in whose name a line is."""
    if line[0] == "@":
        return line.split(":", 2)[1]
    return line[1 if line[0] == "%" else 3 :].partition(":")[0]


def pairs(clients: list[Client]) -> Iterator[tuple[Client, Client]]:
    """Go through all pairs of different clients, both ways round."""
    return ((one, two) for one in clients for two in clients if one is not two)


def is_doubtful(channel: Channel, sender: Client, receiver: Client) -> bool:
    """Tell whether rounding may decide if a receiver is in range."""
    here, there = sender.position, receiver.position
    if here is None or there is None:
        return False
    if max(map(abs, (here.longitude, there.longitude, here.latitude))) > 1000:
        return True
    limit = reach(
        RULES[channel, sender.kind, receiver.kind],
        sender.radio_range,
        receiver.radio_range,
        receiver.visual_range,
    )
    return abs(distance(here, there) - limit) < 0.001 or abs(there.latitude) > 1000


class Theater:
    """A server, four seats, and the checks after each burst."""

    def __init__(self, case: SynchronousTestCase) -> None:
        self.case = case
        self.accounts = LaterAccounts(MemoryAccounts(ACCOUNTS))
        self.weather = LaterWeather(MemoryWeather(REPORTS))
        self.server = MemoryServer(accounts=self.accounts, weather=self.weather)
        self.seats = [Seat(self.server.connect()) for _ in range(4)]

    def play(self, burst: Burst) -> None:
        """Let one client do something, and look at what came of it."""
        seat = self.seats[burst.seat]
        if seat.terminal.is_closed or seat.terminal.session.phase is Phase.CLOSED:
            self.server.terminals.remove(seat.terminal)
            seat = self.seats[burst.seat] = Seat(self.server.connect())
        before = {client.callsign for client in self.server.roster}
        was_on = seat.terminal.session.client is not None
        self._speak(seat.terminal, burst)
        if not was_on and seat.terminal.session.client is not None:
            seat.present = set(before)
        self._look_at_lines(seat)
        self._look_at_world()

    def _speak(self, terminal: Terminal, burst: Burst) -> None:
        client = terminal.session.client
        name = client.callsign if client else CALLSIGNS[burst.seat]
        if burst.logon is not None:
            terminal.say(burst.logon)
            name = burst.logon[3:].partition(":")[0]
        text = "".join(line + end for line, end in burst.said)
        text = text.replace(ME, name).replace(LOWER_ME, fold(name))
        terminal.feed(cut_at(text.encode("latin-1"), burst.cuts))
        if burst.hangs_up:
            terminal.hang_up()
        while len(self.accounts) or len(self.weather):
            self.accounts.release_all()
            self.weather.release_all()
            self.server.turn()

    def _look_at_lines(self, speaker: Seat) -> None:
        """Check what everybody has read because of one speaker."""
        client = speaker.terminal.session.client
        name = client.callsign if client else None
        for seat in self.seats:
            for line in seat.terminal.read():
                if line.startswith(("#AP", "#AA")):
                    self.case.assertEqual(sender_of(line), name)
                    self.case.assertNotIn(name, seat.present)
                    seat.present.add(sender_of(line))
                elif line.startswith(("#DP", "#DA")):
                    # Told twice, or of somebody unknown: a KeyError.
                    seat.present.remove(sender_of(line))
                elif seat is not speaker:
                    self._look_at_relayed(seat, line, name)
                elif sender_of(line) == name:
                    self.case.assertTrue(line.startswith("$FP"), line)

    def _look_at_relayed(self, seat: Seat, line: str, name: str | None) -> None:
        """Check a line that came because another client spoke."""
        self.case.assertFalse(line.startswith("$ER"), line)
        if line.startswith("$!!"):
            self.case.assertEqual(sender_of(line), "SERVER")
            self.case.assertIs(seat.terminal.session.phase, Phase.CLOSED)
        else:
            self.case.assertEqual(sender_of(line), name, line)

    def _look_at_world(self) -> None:
        """Check that all indexes agree on who is on, and where."""
        case, roster = self.case, self.server.roster
        case.assertEqual(case.flushLoggedErrors(), [])
        on = [seat for seat in self.seats if is_on(seat)]
        clients = [client for seat in on if (client := seat.terminal.session.client)]
        case.assertEqual(set(clients), set(roster))
        case.assertEqual(
            len({fold(client.callsign) for client in clients}), len(roster)
        )
        for client in clients:
            case.assertIs(roster.find(client.callsign), client)
            case.assertEqual(client in roster.pilots, client.is_pilot)
            case.assertEqual(client in roster.controllers, not client.is_pilot)
            is_staff = client.rating >= Rating.SUPERVISOR
            case.assertEqual(client in roster.supervisors, is_staff)
        for seat in on:
            client = seat.terminal.session.client
            others = {one.callsign for one in clients if one is not client}
            case.assertEqual(seat.present, others)
        for seat in self.seats:
            case.assertEqual(seat.terminal.protocol.outbox.waiting, 0)
            case.assertFalse(seat.terminal.is_closed and is_open(seat))
        self._look_at_ranges(clients)

    def _look_at_ranges(self, clients: list[Client]) -> None:
        """Check that the airspace answers as the plain formula does."""
        for channel in Channel:
            for sender, receiver in pairs(clients):
                if not is_doubtful(channel, sender, receiver):
                    self.case.assertEqual(
                        receiver in self.server.fanout.in_range(sender, channel),
                        is_in_range(channel, sender, receiver),
                        (channel, sender, receiver),
                    )


def is_on(seat: Seat) -> bool:
    """Tell whether somebody is logged on."""
    return seat.terminal.session.phase is Phase.LOGGED_ON


def is_open(seat: Seat) -> bool:
    """Tell whether the server still talks to somebody."""
    return seat.terminal.session.phase is not Phase.CLOSED


class AnythingTests(SynchronousTestCase):
    """Whatever is sent, nobody else notices more than he should."""

    @PROFILE
    @given(st.sampled_from((4, 4, 3, 0)), st.lists(bursts, min_size=8, max_size=16))
    def test_world_stays_whole(self, seated: int, script: list[Burst]) -> None:
        """Generated clients log on, talk, lie, stammer and leave; all stays well."""
        theater = Theater(self)
        for seat, logon in enumerate(FIRST_LOGONS[:seated]):
            place = (f"@N:{ME}:2200:1:50.0:5.0:{seat}000:0:0:0", "\r\n")
            theater.play(Burst(seat, logon, [place], [], hangs_up=False))
        for burst in script:
            theater.play(burst)
