"""docs/protocol.md against the code: what the page says is what happens."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.session.replies import error_line
from rum_twisted.terms.errors import ErrorCode, RumError
from rum_twisted.terms.identity import ClientKind, Rating, radio_range_of_facility
from rum_twisted.wire.codec import ENCODING, LINE_END, decode, encode, recognize
from rum_twisted.wire.errors import ServerOnlyPacket
from rum_twisted.wire.messages.weather import CloudData, TemperatureData, WindData
from rum_twisted.wire.packets import FROM_CLIENT, FROM_SERVER, Packet
from rum_twisted.world.visibility import RULES, Channel, Rule
from tests.unit.wire.page import EXAMPLES, ROOT, Example, headings, table_under

_CITED: Final = re.compile(
    r'docs/protocol\.md, ("[^"]+"(?:(?:, and|,| and) "[^"]+")*)',
)
_WRITTEN_ONLY: Final = (TemperatureData, WindData, CloudData)

# The example of the page: a breezy autumn day at Schiphol.
_SCHIPHOL: Final = (
    TemperatureData(
        "server", "KLM123", (100, 12, 10000, -6, 18000, -20, 35000, -58), 2992
    ),
    WindData(
        "server",
        "KLM123",
        (
            *(2500, 0, 240, 12, 1, 0),
            *(10400, 2500, 354, 6, 0, 0),
            *(22600, 10400, 16, 0, 0, 0),
            *(90000, 22700, 347, 0, 0, 0),
        ),
    ),
    CloudData(
        "server",
        "KLM123",
        (2400, 1800, 1, 0, 3, 6000, 3000, 5, 0, 17, -1, -1, 0, 0, 0),
        15.0,
    ),
)


def row_of(example: Example) -> Packet | None:
    """Return the row of the table that an example belongs to."""
    table = {packet.prefix: packet for packet in FROM_SERVER.values()}
    if example.is_from_client:
        table = dict(FROM_CLIENT)
    prefix = example.line[:3].decode(ENCODING)
    return table.get(prefix) or table.get(prefix[:1])


def sources() -> Iterator[Path]:
    """Go through all modules, tests among them."""
    for folder in ("rum_twisted", "tests", "bench", "twisted"):
        yield from (ROOT / folder).rglob("*.py")


class ExampleTests(SynchronousTestCase):
    """The examples of the page."""

    def test_every_packet_has_an_example(self) -> None:
        """A reader finds each packet of the table, in each direction, on the page."""
        shown = {
            is_from_client: {
                row.prefix
                for example in EXAMPLES
                if example.is_from_client is is_from_client and (row := row_of(example))
            }
            for is_from_client in (True, False)
        }
        self.assertEqual(shown[True], set(FROM_CLIENT))
        self.assertEqual(
            shown[False], {packet.prefix for packet in FROM_SERVER.values()}
        )

    def test_every_example_is_of_a_known_packet(self) -> None:
        """No example shows a packet that does not exist."""
        unknown = [example for example in EXAMPLES if row_of(example) is None]
        self.assertEqual(unknown, [])

    def test_examples_of_clients_are_read(self) -> None:
        """What the page lets a client say is understood, but for the server's own."""
        for example in EXAMPLES:
            row = row_of(example)
            if not example.is_from_client or row is None:
                continue
            if row.message is None:
                self.assertRaises(ServerOnlyPacket, decode, example.line)
            else:
                self.assertIs(recognize(example.line), row)
                self.assertIsInstance(decode(example.line), row.message)

    def test_examples_of_the_server_are_printed_again(self) -> None:
        """Reader and writer agree: what was read is printed as it stands."""
        for example in EXAMPLES:
            row = row_of(example)
            if example.is_from_client or row is None or row.message in _WRITTEN_ONLY:
                continue
            message = decode(example.line, row)
            self.assertEqual(encode(message), example.line + LINE_END)

    def test_layers_are_printed_as_on_the_page(self) -> None:
        """Weather in layers, which nobody but a client reads, has the page's form."""
        lines = [example.line + LINE_END for example in EXAMPLES]
        for message in _SCHIPHOL:
            self.assertIn(encode(message), lines)

    def test_normalized_lines_stay_as_they_are(self) -> None:
        """What was passed on once is passed on unchanged a second time."""
        for example in EXAMPLES:
            if not example.is_from_client or not is_passed_on(row_of(example)):
                continue
            once = encode(decode(example.line))
            self.assertEqual(encode(decode(once.removesuffix(LINE_END))), once)


def is_passed_on(row: Packet | None) -> bool:
    """Tell whether the server sends the packet in the shape in which it came."""
    return row is not None and row is FROM_SERVER.get(row.message or object)


class HeadingTests(SynchronousTestCase):
    """The page as the authority that code cites."""

    def test_every_cited_heading_exists(self) -> None:
        """A source that a docstring names can be found."""
        known = set(headings())
        for path in sources():
            text = " ".join(path.read_text(encoding="utf-8").split())
            for citation in _CITED.finditer(text):
                for heading in re.findall(r'"([^"]+)"', citation[1]):
                    self.assertIn(heading, known, f"cited in {path}")

    def test_headings_are_unique(self) -> None:
        """A citation names one place."""
        self.assertEqual(len(set(headings())), len(headings()))


class TableTests(SynchronousTestCase):
    """The tables of the page, row by row."""

    def test_packets_and_minima_are_those_of_the_code(self) -> None:
        """The page lists every packet, who sends it, and how many fields it needs."""
        from_server = {packet.prefix for packet in FROM_SERVER.values()}
        page = {row[0]: row[1:3] for row in table_under("Packets")}
        self.assertEqual(set(page), set(FROM_CLIENT) | from_server)
        for prefix, (senders, minimum) in page.items():
            row = FROM_CLIENT[prefix]
            self.assertEqual("C" in senders, row.message is not None, prefix)
            self.assertEqual("S" in senders, prefix in from_server, prefix)
            self.assertEqual(senders == "CS", is_passed_on(row), prefix)
            self.assertEqual(minimum, str(row.minimum or ""), prefix)

    def test_errors_are_those_that_are_sent(self) -> None:
        """Number and text of each error are what a client reads."""
        page = {int(row[0]): row[1] for row in table_under("Error codes")}
        self.assertEqual(sorted(page), [int(code) for code in ErrorCode])
        for code in ErrorCode:
            error = type("Case", (RumError,), {"code": code})()
            _, _, sent = error_line(error).decode(ENCODING).partition(":")
            self.assertEqual(sent, f"unknown:{code:03d}::{page[code]}\r\n")

    def test_ratings_are_those_of_the_code(self) -> None:
        """Each rating has the number and the name that the code gives it."""
        page: dict[int, str] = {}
        for row in table_under("Ratings"):
            for number, name in (row[0:2], row[3:5]):
                if number:
                    page[int(number)] = name
        self.assertEqual(page, {int(rating): rating.name for rating in Rating})

    def test_facilities_have_the_ranges_of_the_code(self) -> None:
        """Each facility is heard as far as the page says."""
        for facility, _, miles in table_under("Facilities"):
            number = int(facility) if facility.isdigit() else -1
            self.assertEqual(radio_range_of_facility(number), int(miles))

    def test_ranges_are_the_rules_of_the_code(self) -> None:
        """The page's limit for each packet, sender and receiver is what is applied."""
        channels = {
            "position": Channel.POSITION,
            "text": Channel.TEXT,
            "other": Channel.DATA,
        }
        limits = {
            "sum of both radio ranges": Rule.SUM_OF_RADIOS,
            "the larger radio range": Rule.LARGER_RADIO,
            "the sender's radio range": Rule.SENDERS_RADIO,
            "the receiver's visual range": Rule.RECEIVERS_SIGHT,
        }
        page: dict[Any, Rule] = {}
        for packet, sender, to_pilot, to_controller in table_under("Ranges"):
            key = channels[packet], ClientKind(sender)
            page[*key, ClientKind.PILOT] = limits[to_pilot]
            page[*key, ClientKind.CONTROLLER] = limits[to_controller]
        self.assertEqual(page, RULES)
