"""The table of commands, walked row by row.

What each packet does stands in ``tests/conversations``; here, what is common to all.
"""

from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase
from typing_extensions import override

from rum_twisted.accounts.memory import MemoryAccounts
from rum_twisted.session.commands import COMMANDS, receive
from rum_twisted.session.phases import Phase
from rum_twisted.wire.packets import FROM_CLIENT, Packet
from tests.support.builders import ACCOUNTS
from tests.support.later import LaterAccounts
from tests.support.server import MemoryServer, Terminal, pilot_logon

LOGONS = ("#AA", "#AP")


def make_line(packet: Packet, source: str, *, short: bool = False) -> str:
    """Return a packet in the name of ``source``.

    Args:
        packet: its row of the table.
        source: who is said to speak.
        short: leave the last field out that must be there.
    """
    words = [
        source if field.name in ("source", "callsign") else f"{place}"
        for place, field in enumerate(packet.fields)
    ]
    words += [""] * (packet.minimum - len(words))
    return packet.prefix + ":".join(words[: packet.minimum - short])


def spoken() -> Iterator[Packet]:
    """Go through what a client may send once he is on."""
    for packet in FROM_CLIENT.values():
        if packet.message is not None and packet.prefix not in LOGONS:
            yield packet


def server_only() -> Iterator[Packet]:
    """Go through what is known, but for servers to send."""
    for packet in FROM_CLIENT.values():
        if packet.message is None:
            yield packet


class CommandTests(SynchronousTestCase):
    """Every row, in every phase."""

    @override
    def setUp(self) -> None:
        """Put a witness on, who must not notice anything."""
        self.server = MemoryServer()
        self.witness = self.server.log_on_controller("EHAM_TWR", rating=11)
        self.witness.say("%EHAM_TWR:18100:4:500:5:50.0:5.0:0")

    def assert_silent(self, terminal: Terminal, line: str) -> None:
        """Check that a line comes to nothing."""
        terminal.say(line)
        self.assertEqual(terminal.read(), [], line)
        self.assertEqual(self.witness.read(), [], line)

    def assert_refused(self, terminal: Terminal, line: str, error: str) -> None:
        """Check that a line is answered with an error, and comes to nothing."""
        terminal.say(line)
        self.assertEqual(terminal.read(), [f"$ERserver:{error}"], line)
        self.assertEqual(self.witness.read(), [], line)
        self.assertFalse(terminal.is_closed, line)

    def test_every_packet_has_its_row_and_no_other(self) -> None:
        """What can be read can be handled, and the other way round."""
        self.assertEqual(set(COMMANDS), set(FROM_CLIENT))

    def test_only_logons_are_heard_before_a_logon(self) -> None:
        """Whatever else is known is ignored, whole or too short."""
        terminal = self.server.connect()
        for packet in (*spoken(), *server_only()):
            self.assert_silent(terminal, make_line(packet, "KLM1"))
            if packet.minimum:
                self.assert_silent(terminal, make_line(packet, "KLM1", short=True))

    def test_logons_are_refused_after_a_logon(self) -> None:
        """A second logon is error 003, whole or too short, in any name."""
        terminal = self.server.log_on_pilot("KLM1")
        self.witness.read()
        for prefix in LOGONS:
            for name in ("KLM1", "AFR2", ""):
                for short in (False, True):
                    line = make_line(FROM_CLIENT[prefix], name, short=short)
                    self.assert_refused(terminal, line, "KLM1:003::Already registered")

    def test_nothing_is_handled_while_the_password_is_checked(self) -> None:
        """No row lists that phase: what gets past the hold is ignored or refused."""
        accounts = LaterAccounts(MemoryAccounts(ACCOUNTS))
        server = MemoryServer(accounts=accounts)
        terminal = server.connect()
        terminal.say(pilot_logon("KLM1"))
        self.assertIs(terminal.session.phase, Phase.AUTHENTICATING)
        for packet in (*spoken(), *server_only()):
            receive(terminal.session, make_line(packet, "KLM1").encode())
        server.turn()
        self.assertEqual(terminal.read(), [])
        for prefix in LOGONS:
            self.assertIsNot(COMMANDS[prefix].phase, Phase.AUTHENTICATING)
        self.assertEqual(len(accounts), 1)

    def test_nothing_is_handled_after_the_end(self) -> None:
        """Whoever has left says nothing more, not even something wrong."""
        terminal = self.server.log_on_pilot("KLM1")
        terminal.say("#DPKLM1")
        self.witness.read()
        for packet in FROM_CLIENT.values():
            receive(terminal.session, make_line(packet, "KLM1").encode())
        receive(terminal.session, b"no packet at all")
        self.server.turn()
        self.assertEqual(terminal.read(), [])
        self.assertEqual(self.witness.read(), [])
        self.assertEqual(len(self.server.roster), 1)

    def test_every_packet_checks_its_source(self) -> None:
        """Speaking in another's name is error 005, whatever the packet."""
        terminal = self.server.log_on_pilot("KLM1")
        for packet in spoken():
            for name in ("EHAM_TWR", "NOBODY", "", "KLM1 ", "server"):
                self.assert_refused(
                    terminal,
                    make_line(packet, name),
                    f"KLM1:005:{name}:Invalid source callsign",
                )

    def test_every_packet_takes_its_source_in_any_case(self) -> None:
        """No packet is refused because its source is in small letters."""
        for packet in spoken():
            server = MemoryServer()
            terminal = server.log_on_pilot("KLM1")
            terminal.say(make_line(packet, "klm1"))
            for line in terminal.read():
                self.assertNotIn(":005:", line, packet.prefix)

    def test_every_packet_needs_its_fields(self) -> None:
        """One field too few is error 004, and the conversation goes on."""
        terminal = self.server.log_on_pilot("KLM1")
        for packet in spoken():
            if packet.minimum > 1:
                line = make_line(packet, "KLM1", short=True)
                self.assert_refused(terminal, line, "KLM1:004::Syntax error")

    def test_server_packets_are_refused(self) -> None:
        """What only servers may send is error 004 from a client."""
        terminal = self.server.log_on_pilot("KLM1")
        for packet in server_only():
            for line in (packet.prefix, f"{packet.prefix}KLM1:EHAM_TWR:1:2:3"):
                self.assert_refused(terminal, line, "KLM1:004::Syntax error")

    def test_hundred_thousand_fields_are_no_burden(self) -> None:
        """Where lines may be long, the first hundred fields count, and no more."""
        server = MemoryServer(max_line=1_000_000)
        terminal = server.log_on_pilot("KLM1")
        for packet in FROM_CLIENT.values():
            if packet.prefix not in ("#DA", "#DP"):
                terminal.say(make_line(packet, "KLM1") + ":x" * 100_000)
        for line in terminal.read():
            self.assertLess(len(line), 300)
        terminal.say("$PIKLM1:SERVER:still here")
        self.assertEqual(terminal.read(), ["$POserver:KLM1:still here"])

    def test_numbers_of_a_whole_line_are_no_burden(self) -> None:
        """Where lines may be long, a number of 60,000 digits is just a big one."""
        server = MemoryServer(max_line=65_536)
        digits = "9" * 60_000
        terminal = server.log_on_pilot("KLM1")
        witness = server.log_on_controller("EHAM_TWR")
        witness.say("%EHAM_TWR:18100:4:50:5:50.0:5.0:0")
        for number in (digits, f"-{digits}", f"{'0' * 60_000}7", f"{digits}x"):
            terminal.say(f"@N:KLM1:{number}:1:50.0:5.0:0:0:0:0")
            self.assertEqual(len(witness.read()), 1)
            terminal.say(f"@N:KLM1:0:1:50.0:5.0:0:0:{number}:0")
            self.assertEqual(len(witness.read()), 1)
            terminal.say(f"@N:KLM1:0:1:{number}:5.0:0:0:0:0")
            self.assertEqual(terminal.read(), [])
            witness.read()
        for place in (5, 6):  # rating and revision of a logon
            fields = pilot_logon("AFR2").split(":")
            fields[place - 1] = digits
            newcomer = server.connect()
            newcomer.say(":".join(fields))
            self.assertTrue(newcomer.is_closed)
        self.assertEqual(self.flushLoggedErrors(), [])
