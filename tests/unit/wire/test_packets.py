"""The table of packets."""

from dataclasses import fields as fields_of
from dataclasses import is_dataclass

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.session.commands import COMMANDS
from rum_twisted.wire.packets import FROM_CLIENT, FROM_SERVER

POSITIONS = {"@", "%"}
ONLY_FROM_SERVER = {"#RW", "#TD", "#WD", "#CD", "$AR", "$ER", "#DL"}
MINIMA = {
    "#AA": 7,
    "#AP": 8,
    "#DA": 1,
    "#DP": 1,
    "@": 10,
    "%": 8,
    "#TM": 3,
    "$PI": 2,
    "$PO": 2,
    "$CQ": 3,
    "$CR": 4,
    "$FP": 17,
    "$HO": 3,
    "$HA": 3,
    "#SB": 2,
    "#PC": 2,
    "$C?": 2,
    "$CI": 3,
    "$AX": 3,
    "#WX": 3,
    "$!!": 3,
}


class PacketTests(SynchronousTestCase):
    """What holds of every row."""

    def test_client_may_send_what_the_reference_lists(self) -> None:
        """Each packet of a client has the least number of fields it is known by."""
        self.assertEqual(
            {
                prefix: row.minimum
                for prefix, row in FROM_CLIENT.items()
                if row.message is not None
            },
            MINIMA,
        )

    def test_packets_of_the_server_are_known(self) -> None:
        """Nobody but the server may send these, which differs from unknown ones."""
        refused = {prefix for prefix, row in FROM_CLIENT.items() if row.message is None}
        self.assertEqual(refused, ONLY_FROM_SERVER)

    def test_prefixes_have_one_sign_or_three(self) -> None:
        """Positions have one sign; so no prefix begins another."""
        for row in (*FROM_CLIENT.values(), *FROM_SERVER.values()):
            self.assertEqual(len(row.prefix), 1 if row.prefix in POSITIONS else 3)

    def test_each_prefix_of_the_server_is_one_row(self) -> None:
        """A receiver can tell what a line of the server is."""
        prefixes = [row.prefix for row in FROM_SERVER.values()]
        self.assertEqual(len(set(prefixes)), len(prefixes))

    def test_fields_are_the_attributes_of_the_message(self) -> None:
        """Every field of the line has a place in the message, and the other way."""
        for row in (*FROM_CLIENT.values(), *FROM_SERVER.values()):
            message = row.message
            if message is not None and is_dataclass(message):
                attributes = {field.name for field in fields_of(message)}
                names = [field.name for field in row.fields]
                self.assertEqual(sorted(names), sorted(attributes), row.prefix)

    def test_only_the_last_field_takes_the_rest(self) -> None:
        """There is no quoting: colons may stand at a packet's end only."""
        for row in (*FROM_CLIENT.values(), *FROM_SERVER.values()):
            before = row.fields[:-1]
            self.assertFalse(any(field.kind.spread for field in before), row.prefix)

    def test_minimum_is_no_more_than_a_row_and_its_rest(self) -> None:
        """What is needed is also read; an answer needs a field behind its topic."""
        for row in FROM_CLIENT.values():
            if row.message is not None and row.prefix != "$CR":
                self.assertLessEqual(row.minimum, len(row.fields), row.prefix)

    def test_every_packet_has_a_command(self) -> None:
        """Whatever can be read is handled, and nothing else is."""
        self.assertEqual(set(COMMANDS), set(FROM_CLIENT))

    def test_row_tells_what_it_is(self) -> None:
        """Whoever looks at the living server sees which packet a row is of."""
        self.assertEqual(repr(FROM_CLIENT["#TM"]), "<Packet #TM>")
