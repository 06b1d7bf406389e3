"""A line becomes a message, and a message becomes a line."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.errors import WireError
from rum_twisted.wire.codec import LINE_END, MAX_FIELDS, decode, encode, recognize
from rum_twisted.wire.errors import ServerOnlyPacket, TooFewFields, UnknownPacket
from rum_twisted.wire.messages.clientdata import PilotData
from rum_twisted.wire.messages.control import Ping
from rum_twisted.wire.messages.text import TextMessage
from rum_twisted.wire.packets import FROM_CLIENT, FROM_SERVER, Packet

# Any byte but those that would end the line.
line_bytes = st.binary(max_size=300).map(
    lambda line: line.translate(None, delete=b"\r\n")
)
field_bytes = line_bytes.map(lambda line: line.translate(None, delete=b":"))


def readable_rows() -> Iterator[Packet]:
    """Go through the packets that a client may send."""
    return (row for row in FROM_CLIENT.values() if row.message is not None)


def line_of(row: Packet, count: int, field: bytes = b"1") -> bytes:
    """Return a line of ``count`` equal fields."""
    return row.prefix.encode("latin-1") + b":".join([field] * count)


class RecognizeTests(SynchronousTestCase):
    """Which packet a line holds."""

    def test_packet_is_known_by_its_prefix(self) -> None:
        """The first sign, or the first three, tell what a line is."""
        for prefix, row in FROM_CLIENT.items():
            self.assertIs(recognize(prefix.encode("latin-1") + b"KLM123:x"), row)
            self.assertIs(recognize(prefix.encode("latin-1")), row)

    def test_unknown_prefixes_are_refused(self) -> None:
        """Nonsense, half a prefix and later dialects are unknown."""
        for line in (
            b"",
            b"#",
            b"$",
            b"#T",
            b"$I",
            b"hello",
            b":",
            b"\x00",
            b"\xff\xfe",
            b"$DISERVER:CLIENT:x:00",
            b"$IDKLM123:SERVER:88e4:x:3:2:1000001:0",
            b"^KLM123:1:2",
            b"$ZCKLM123:SERVER:00",
            b"$SXKLM123:SERVER",
        ):
            self.assertRaises(UnknownPacket, recognize, line)
            self.assertRaises(UnknownPacket, decode, line)

    def test_case_of_a_prefix_counts(self) -> None:
        """#tm is no text message."""
        self.assertRaises(UnknownPacket, recognize, b"#tmKLM123:AFR456:hello")
        self.assertRaises(UnknownPacket, recognize, b"$cqKLM123:SERVER:FP:X")

    def test_prefix_stands_at_the_very_start(self) -> None:
        """A blank in front makes a line unknown."""
        for blank in (b" ", b"\t", b"\x00"):
            line = blank + b"#TMKLM123:AFR456:hello"
            self.assertRaises(UnknownPacket, recognize, line)


class DecodeTests(SynchronousTestCase):
    """Reading."""

    def test_least_number_of_fields_is_enough(self) -> None:
        """A packet with exactly as many fields as it needs is read."""
        for row in readable_rows():
            message = decode(line_of(row, row.minimum))
            self.assertIsInstance(message, row.message or type(None))

    def test_one_field_less_is_too_few(self) -> None:
        """One field short, a packet is refused; so is a bare prefix."""
        for row in readable_rows():
            if row.minimum > 1:
                line = line_of(row, row.minimum - 1)
                self.assertRaises(TooFewFields, decode, line)
                self.assertRaises(TooFewFields, decode, line_of(row, 1))

    def test_empty_fields_count_as_fields(self) -> None:
        """A line of nothing but colons has all its fields."""
        for row in readable_rows():
            line = line_of(row, row.minimum, b"")
            self.assertIsInstance(decode(line), row.message or type(None))
            self.assertIsInstance(decode(line), row.message or type(None))

    def test_packets_of_the_server_are_refused(self) -> None:
        """However complete it is, a client may not send what only servers say."""
        for prefix, row in FROM_CLIENT.items():
            if row.message is None:
                for line in (prefix, prefix + "KLM123:SERVER:1:2:3"):
                    self.assertRaises(ServerOnlyPacket, decode, line.encode())

    def test_given_row_spares_the_search(self) -> None:
        """What was recognized before is read by the same row."""
        line = b"#TMKLM123:AFR456:hello"
        self.assertEqual(decode(line, recognize(line)), decode(line))

    def test_rest_keeps_its_colons(self) -> None:
        """JSON, texts and smileys arrive with all their colons."""
        self.assertEqual(
            decode(b'#TMKLM123:AFR456:{"a":{"b":1}}::'),
            TextMessage("KLM123", "AFR456", '{"a":{"b":1}}::'),
        )

    def test_missing_rest_is_empty(self) -> None:
        """What is missing beyond the minimum reads as empty."""
        self.assertEqual(decode(b"#SBKLM123:AFR456"), PilotData("KLM123", "AFR456", ""))
        self.assertEqual(encode(decode(b"#SBKLM123:AFR456")), b"#SBKLM123:AFR456:\r\n")

    def test_hundred_fields_are_kept(self) -> None:
        """The hundredth field is read, the one behind it is dropped."""
        letters = [f"{number}" for number in range(MAX_FIELDS - 2)]
        full = ":".join(letters)
        for extra in ("", ":one more", ":one:two:three", ":" * 5000):
            line = f"#TMKLM123:AFR456:{full}{extra}".encode()
            self.assertEqual(decode(line).text, full)

    def test_hundred_thousand_fields_are_no_trouble(self) -> None:
        """A line of colons alone is read as its first hundred empty fields."""
        self.assertEqual(decode(b"#TM" + b":" * 100_000).text, ":" * 97)

    def test_surplus_fields_are_dropped(self) -> None:
        """Fields behind a packet's last one mean nothing."""
        for row in readable_rows():
            if not row.fields[-1].kind.spread:
                count = len(row.fields)
                more = line_of(row, count) + b":surplus:"
                self.assertEqual(decode(more), decode(line_of(row, count)))

    def test_blanks_are_kept(self) -> None:
        """Names and texts may begin and end with blanks."""
        self.assertEqual(decode(b"#TM KLM1:AFR456 :  hi ").source, " KLM1")
        self.assertEqual(decode(b"#TM KLM1:AFR456 :  hi ").text, "  hi ")

    @given(line_bytes)
    def test_any_line_is_read_or_refused(self, line: bytes) -> None:
        """Whatever bytes come, the answer is a message or an error of the wire."""
        for prefix in ("", *FROM_CLIENT):
            try:
                decode(prefix.encode("latin-1") + line)
            except WireError:
                continue


class EncodeTests(SynchronousTestCase):
    """Printing."""

    def test_line_ends_in_cr_lf(self) -> None:
        """There are clients that split at nothing else."""
        self.assertEqual(LINE_END, b"\r\n")
        self.assertEqual(encode(Ping("A1", "B1", "7")), b"$PIA1:B1:7\r\n")

    @given(field_bytes, field_bytes, line_bytes)
    def test_bytes_pass_unchanged(
        self, source: bytes, destination: bytes, text: bytes
    ) -> None:
        """A text arrives byte by byte as it was sent."""
        line = b"#TM" + source + b":" + destination + b":" + text
        if text.count(b":") <= MAX_FIELDS - 3:
            self.assertEqual(encode(decode(line)), line + LINE_END)

    def test_every_encoding_passes(self) -> None:
        """GBK, UTF-8, Latin-1 and NUL bytes stand side by side on one network."""
        for text in (
            "进近管制".encode("gbk"),
            "进近管制 ✈".encode(),
            "Überflug".encode("latin-1"),
            b"\x00\x01\x7f\x80\x85\xa0\xff",
        ):
            line = b"#TMKLM123:@22800:" + text
            self.assertEqual(encode(decode(line)), line + LINE_END)

    def test_every_row_is_stable(self) -> None:
        """What was passed on once is passed on unchanged the next time."""
        for message, row in FROM_SERVER.items():
            if FROM_CLIENT.get(row.prefix) is not row:
                continue
            for field in (b"0021", b"-1", b"1999.9kt", b"5.5e0"):
                once = encode(decode(line_of(row, 17, field)))
                self.assertIsInstance(decode(once.rstrip(b"\r\n")), message)
                self.assertEqual(encode(decode(once.rstrip(b"\r\n"))), once)
