"""What is counted of clients and their lines."""

import re
from collections import Counter
from random import Random

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.queue import TooManyLogons
from rum_twisted.accounts.remote import AccountsAway
from rum_twisted.session.errors import InvalidRevision, ServerFull
from rum_twisted.session.hooks import RefusedByPlugin
from rum_twisted.session.interfaces import (
    AccountsUnavailable,
    InvalidCredentials,
    TooManyFailures,
)
from rum_twisted.session.phases import Phase
from rum_twisted.session.tally import ADMITTED, OTHER, Closing, Tally
from rum_twisted.terms.errors import RumError
from rum_twisted.terms.identity import InvalidCallsign
from rum_twisted.wire.packets import FROM_CLIENT, FROM_SERVER
from rum_twisted.world.policy import AccountSuspended, RatingTooHigh
from rum_twisted.world.roster import CallsignInUse
from tests.support.server import MemoryServer, Terminal, pilot_logon
from tests.support.twistd import ROOT

PLACE = "@N:{}:1000:1:48.00000:2.00000:1000:100:4261414408:0"


class TallyTests(SynchronousTestCase):
    """A server of its own, and what it has counted."""

    @override
    def setUp(self) -> None:
        """Begin with nothing."""
        self.server = MemoryServer()
        self.tally = self.server.fanout.tally

    def test_every_packet_has_a_place_from_the_start(self) -> None:
        """So that no table grows by what a client sends."""
        prefixes = {packet.prefix for packet in FROM_CLIENT.values()}
        prefixes |= {packet.prefix for packet in FROM_SERVER.values()}
        self.assertEqual(set(self.tally.lines_in), prefixes | {OTHER})
        self.assertEqual(set(self.tally.lines_out), prefixes | {OTHER})
        self.assertEqual(set(self.tally.closings), set(Closing))

    def test_odd_lines_make_no_new_keys(self) -> None:
        """Ten thousand prefixes that nobody knows are one count."""
        before = len(self.tally.lines_in)
        terminal = self.server.log_on_pilot("KLM1")
        lines = [f"{chr(33 + number % 90)}{number}:x" for number in range(10_000)]
        unknown = [line for line in lines if line[0] not in "@%#$"]
        terminal.say(*unknown)
        self.assertEqual(self.tally.lines_in[OTHER], len(unknown))
        self.assertEqual(len(self.tally.lines_in), before)
        self.tally.count_out(b"?what:is:this\r\n", 3)
        self.assertEqual(self.tally.lines_out[OTHER], 3)

    def test_lines_by_packet(self) -> None:
        """A report counts once in, and once for each who sees it out."""
        pilots = [self.server.log_on_pilot(f"KLM{number}") for number in range(4)]
        for number, pilot in enumerate(pilots):
            pilot.say(PLACE.format(f"KLM{number}"))
        heard = sum(line[0] == "@" for pilot in pilots for line in pilot.read())
        before = self.tally.lines_out["@"]
        self.assertEqual(before, heard)
        pilots[0].say(PLACE.format("KLM0"), "#TMKLM0:KLM1:hello", "$PIKLM0:SERVER:1")
        heard = sum(line[0] == "@" for pilot in pilots for line in pilot.read())
        self.assertEqual(heard, 3)
        self.assertEqual(self.tally.lines_out["@"], before + 3)
        self.assertEqual(self.tally.lines_in["@"], 5)
        self.assertEqual(
            (self.tally.lines_in["#TM"], self.tally.lines_in["$PI"]), (1, 1)
        )
        self.assertEqual(self.tally.lines_out["$PO"], 1)
        self.assertEqual(self.tally.receivers.count, 5)

    def test_bytes(self) -> None:
        """All that came and all that went, to the last byte."""
        pilots = [self.server.log_on_pilot(f"KLM{number}") for number in range(3)]
        came = self.tally.bytes_in
        sent = self.tally.bytes_out
        lines = [PLACE.format(f"KLM{number}") for number in range(3)]
        for pilot, line in zip(pilots, lines, strict=True):
            pilot.say(line)
        self.assertEqual(self.tally.bytes_in - came, sum(len(one) + 2 for one in lines))
        heard = sum(len(line) + 2 for pilot in pilots for line in pilot.read())
        self.assertEqual(self.tally.bytes_out - sent, heard)

    def test_news_count_for_everybody_else(self) -> None:
        """A logon is told to those who are on already."""
        for number in range(4):
            self.server.log_on_pilot(f"KLM{number}")
        self.assertEqual(self.tally.lines_out["#AP"], 0 + 1 + 2 + 3)
        self.assertEqual(self.tally.delays.news.count, 4)

    def test_delays(self) -> None:
        """From the reading to the writing, by class."""
        server = self.server
        first = server.log_on_pilot("KLM1")
        server.log_on_pilot("KLM2")
        delays = self.tally.delays
        before = delays.report.count
        direct = delays.direct.count
        first.protocol.dataReceived(PLACE.format("KLM1").encode() + b"\r\n")
        first.protocol.dataReceived(b"#TMKLM1:KLM2:hello\r\n")
        self.assertEqual(delays.direct.count, direct + 1)
        server.clock.advance(0.08)
        server.turn()
        self.assertEqual(delays.report.count, before + 1)
        self.assertLessEqual(delays.report.sum, 0.1)

    def test_logons_by_result(self) -> None:
        """The error's name, or that he is in."""
        server = self.server
        server.log_on_pilot("KLM1")
        for line in (
            pilot_logon("KLM1"),
            pilot_logon("KLM2").replace("pw01", "wrong"),
            pilot_logon("K:M2"),
        ):
            server.connect().say(line)
        self.assertEqual(self.tally.results()[ADMITTED], 1)
        self.assertEqual(self.tally.results()["CallsignInUse"], 1)
        self.assertEqual(self.tally.results()["InvalidCredentials"], 1)
        self.assertEqual(self.tally.closings[Closing.REFUSED], 3)

    def test_every_result_is_there_from_the_start(self) -> None:
        """An alert on how much a count has grown sees the first one, too."""
        kinds = (
            *(AccountSuspended, AccountsUnavailable, CallsignInUse, InvalidCallsign),
            *(InvalidCredentials, InvalidRevision, RatingTooHigh, RefusedByPlugin),
            *(ServerFull, TooManyFailures, TooManyLogons),
        )
        tally = Tally()
        names = {kind.__name__ for kind in kinds}
        self.assertEqual(set(tally.results()), names | {ADMITTED, OTHER})
        self.assertEqual(set(tally.results().values()), {0})

    def test_a_kind_of_a_known_error(self) -> None:
        """It counts as that: who plays passport may be away in several ways."""
        tally = Tally()
        tally.count_refusal(AccountsAway())
        tally.count_refusal(RumError())
        self.assertEqual(tally.results()["AccountsUnavailable"], 1)
        self.assertEqual(tally.results()[OTHER], 1)

    def test_alerts_name_results_that_there_are(self) -> None:
        """Otherwise they could never fire."""
        rules = (ROOT / "etc" / "rum.rules.yml").read_text("utf-8")
        named = re.findall(r'rum_logons_total\{result=~?"([^"]+)"', rules)
        self.assertTrue(named)
        for words in named:
            self.assertLessEqual(set(words.split("|")), set(Tally().results()))

    def test_closings_by_reason(self) -> None:
        """Each session that ends counts once."""
        server = self.server
        server.log_on_pilot("KLM1").say("#DPKLM1")
        server.log_on_pilot("KLM2").hang_up()
        server.log_on_pilot("KLM3").protocol.disconnect()
        server.log_on_pilot("KLM4").protocol.cut("too much")
        closings = self.tally.closings
        self.assertEqual(
            {why for why, count in closings.items() if count},
            {Closing.LOGOFF, Closing.LOST, Closing.KILLED, Closing.OVERFLOW},
        )
        self.assertEqual(sum(closings.values()), 4)
        self.assertEqual(self.tally.accepted, 4)

    def test_closings_of_those_who_are_looked_after(self) -> None:
        """Who says nothing, too much, or takes nothing; each counts as that."""
        server = self.server
        server.connect()
        server.log_on_pilot("KLM1")
        self.look(501.0)
        flooding = server.log_on_pilot("KLM2")
        flooding.protocol.traffic.count(60_000_000)  # bytes, that are not made here
        self.look(200.0)
        stalled = self.frozen("KLM3")
        for _ in range(62):
            self.look(1.0)
        self.assertTrue(stalled.session.phase is Phase.CLOSED)
        self.frozen("KLM4")
        cut = server.connections.cut_largest(
            8, least=1, needed=False, reason="memory is short"
        )
        self.assertEqual(cut, ["KLM4"])
        found = {why for why, count in self.tally.closings.items() if count == 1}
        self.assertEqual(
            found,
            {
                *(Closing.NO_LOGON, Closing.SILENCE, Closing.FLOODING),
                *(Closing.STALLED, Closing.MEMORY),
            },
        )
        self.assertEqual(sum(self.tally.closings.values()), 5)
        self.assertGreater(self.tally.dropped["gone"], 0)

    def look(self, seconds: float) -> None:
        """Let time pass, and have all connections looked after."""
        self.server.clock.advance(seconds)
        self.server.connections.begin_round()
        self.server.connections.sweep()
        self.server.turn()

    def frozen(self, callsign: str) -> Terminal:
        """Return the end of a pilot for whom a text waits that he does not take."""
        pilot = self.server.log_on_pilot(callsign)
        pilot.protocol.outbox.pauseProducing()
        pilot.say(f"$PI{callsign}:SERVER:1")
        return pilot

    def test_whatever_happens(self) -> None:
        """What was counted is what went through, to the line and the byte."""
        for seed in range(6):
            random = Random(seed)  # noqa: S311 - a test's
            self.server = MemoryServer(max_clients=12)
            everybody = [self.server.connect()]
            heard: Counter[str] = Counter()
            size = 0
            for _ in range(150):
                if random.random() < 0.15:
                    everybody.append(self.server.connect())
                self.act(random, random.choice(everybody))
                for terminal in everybody:
                    for line in terminal.read():
                        heard[line[0] if line[0] in "@%" else line[:3]] += 1
                        size += len(line) + 2
            tally = self.server.fanout.tally
            sent = {prefix: count for prefix, count in tally.lines_out.items() if count}
            self.assertEqual(sent, dict(heard))
            self.assertEqual(tally.bytes_out, size)
            self.assertEqual(tally.accepted, len(everybody))
            ended = sum(tally.closings.values())
            self.assertEqual(ended + len(self.server.connections.open), len(everybody))
            self.assertEqual(tally.delays.report.count, tally.receivers.count)

    def act(self, random: Random, terminal: Terminal) -> None:
        """Have one client do something."""
        name = f"K{self.server.terminals.index(terminal)}"
        place = f"@N:{name}:1000:1:{random.uniform(40, 41):.5f}:2.0:1000:100:0:0"
        line = random.choice(
            (
                *(pilot_logon(name), pilot_logon("K1").replace("pw01", "wrong")),
                *(place, place, place, "junk", "$FPbad", f"#DP{name}"),
                *(f"#TM{name}:*:x", f"#TM{name}:K1:hi", f"#TM{name}:@22800:hello"),
                *(f"$PI{name}:SERVER:1", f"#WX{name}:SERVER:EHAM", ""),
            )
        )
        if line:
            terminal.say(line)
        else:
            terminal.hang_up()

    def test_a_full_server(self) -> None:
        """Who finds no room is counted so."""
        server = MemoryServer(max_clients=1)
        server.connect()
        server.connect()
        self.assertEqual(server.fanout.tally.closings[Closing.FULL], 1)
        self.assertIn("2 connections", repr(server.fanout.tally))
