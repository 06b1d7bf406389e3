"""Numbers, as C reads them: the classic server is written in it, and clients know."""

from ctypes import CDLL, c_char_p, c_double, c_int, c_ulong
from typing import Final

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.wire.fields import (
    read_coordinate,
    read_integer,
    read_unsigned,
    write_coordinate,
)

_C: Final = CDLL(None)
_C.atoi.argtypes = [c_char_p]
_C.atoi.restype = c_int
_C.strtoul.argtypes = [c_char_p, c_char_p, c_int]
_C.strtoul.restype = c_ulong
_C.strtod.argtypes = [c_char_p, c_char_p]
_C.strtod.restype = c_double

_ENDS: Final = (
    *(2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**33 + 5),
    *(2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**64 + 1, 10**30),
)

# Blanks, signs, digits and what may stand behind them, in any order.
scribble = st.text(st.sampled_from("0123456789+-. \t\n\v\f\r\xa0\x85\xb2ab"))
number_like = st.builds(
    "{}{}{}{}".format,
    st.text(st.sampled_from(" \t\n\v\f\r"), max_size=3),
    st.sampled_from(("", "+", "-", "+-", "- ")),
    st.one_of(st.integers(0, 10**22), st.sampled_from(_ENDS)),
    scribble,
)
integer_like = st.one_of(
    number_like, scribble, st.text(st.characters(max_codepoint=255))
)
# C would read hexadecimal numbers, INF and NAN as well: no letters but the exponent's.
decimal_like = st.text(st.sampled_from("0123456789+-.eE \t\xa0"), max_size=20)


class ReadIntegerTests(SynchronousTestCase):
    """Integers."""

    @given(integer_like)
    @example("0021")
    @example("1999.9")
    @example("")
    @example("\x00123")
    @example("12\x003")
    @example("²")
    @example("+ 1")
    def test_integer_is_what_atoi_reads(self, text: str) -> None:
        """Whatever a client types, C's atoi and we read the same number."""
        self.assertEqual(read_integer(text), _C.atoi(text.encode("latin-1")))

    def test_ends_of_the_machine_are_those_of_atoi(self) -> None:
        """A number past 32 or 64 bits is cut as C cuts it."""
        for value in _ENDS:
            for text in (f"{value}", f"-{value}", f" +{value}kt"):
                self.assertEqual(read_integer(text), _C.atoi(text.encode()), text)

    def test_text_without_digits_is_zero(self) -> None:
        """A word, a blank, a sign alone and an empty field are 0."""
        for text in ("", " ", "abc", "-", "+", "--1", ".5", "\xff"):
            self.assertEqual(read_integer(text), 0, text)

    def test_what_follows_the_digits_is_ignored(self) -> None:
        """12kt is 12, and 1999.9 is 1999."""
        self.assertEqual(read_integer("12kt"), 12)
        self.assertEqual(read_integer("1999.9"), 1999)
        self.assertEqual(read_integer("0x10"), 0)

    def test_very_long_numbers_are_numbers(self) -> None:
        """A line full of digits is a number too big, and harms nobody."""
        digits = "9" * 60_000
        self.assertEqual(read_integer(digits), -1)
        self.assertEqual(read_integer("-" + digits), 0)
        self.assertEqual(read_integer("0" * 60_000 + "7"), 7)


class ReadUnsignedTests(SynchronousTestCase):
    """The packed pitch, bank and heading."""

    @given(integer_like)
    def test_word_is_the_lower_half_of_strtoul(self, text: str) -> None:
        """Whatever a client types, it is C's unsigned number, cut to 32 bits."""
        long = _C.strtoul(text.encode("latin-1"), None, 10)
        self.assertEqual(read_unsigned(text), long & 0xFFFFFFFF)

    def test_ends_of_the_machine_are_those_of_strtoul(self) -> None:
        """A word past 32 or 64 bits is cut as C cuts it."""
        for value in _ENDS:
            for text in (f"{value}", f"-{value}"):
                long = _C.strtoul(text.encode(), None, 10)
                self.assertEqual(read_unsigned(text), long & 0xFFFFFFFF, text)

    def test_minus_one_is_all_bits(self) -> None:
        """Clients that print a signed word are understood."""
        self.assertEqual(read_unsigned("-1"), 4294967295)
        self.assertEqual(read_unsigned("-4194312"), 4290772984)
        self.assertEqual(read_unsigned("4290772984"), 4290772984)

    def test_text_without_digits_is_zero(self) -> None:
        """An aircraft that tells nothing flies level, to the north."""
        for text in ("", "x", "-", "\xff"):
            self.assertEqual(read_unsigned(text), 0)

    def test_very_long_words_are_all_bits(self) -> None:
        """A line full of digits is a word too big, and harms nobody."""
        for sign in ("", "-"):
            self.assertEqual(read_unsigned(sign + "9" * 60_000), 4294967295)


class ReadCoordinateTests(SynchronousTestCase):
    """Latitudes and longitudes."""

    @given(st.one_of(decimal_like, st.floats(-1e9, 1e9).map(repr)))
    def test_coordinate_is_what_strtod_reads(self, text: str) -> None:
        """Decimal numbers and exponents are read as C reads them."""
        value = read_coordinate(text)
        self.assertEqual(value or 0.0, finite_or_zero(text))

    def test_decimal_degrees_are_understood(self) -> None:
        """Signs, exponents, blanks and trailing text are no trouble."""
        cases = {
            "52.308": 52.308,
            "-5.25": -5.25,
            "+4": 4.0,
            "5.5e0": 5.5,
            "5.5E1x": 55.0,
            " 50.2N": 50.2,
            ".5": 0.5,
            "7.": 7.0,
            "1e": 1.0,
            "1e+": 1.0,
            "-0": 0.0,
            "95": 95.0,
        }
        for text, degrees in cases.items():
            self.assertEqual(read_coordinate(text), degrees, text)

    def test_no_number_is_none(self) -> None:
        """Where no number stands, the client's last coordinate remains."""
        for text in ("", " ", "N50", "-", ".", "e5", "--5", "\x00", "\xb2", "\xa050"):
            self.assertIsNone(read_coordinate(text), text)

    def test_no_place_on_earth_is_none(self) -> None:
        """NaN, infinity and numbers too large for one are no coordinates."""
        for text in (
            "nan",
            "NaN",
            "-nan",
            "inf",
            "INFINITY",
            "-inf",
            "1e999",
            "-1e999",
        ):
            self.assertIsNone(read_coordinate(text), text)

    def test_very_long_numbers_are_none(self) -> None:
        """A line full of digits is no place on the earth, and harms nobody."""
        self.assertIsNone(read_coordinate("9" * 60_000))
        self.assertEqual(read_coordinate("0." + "0" * 60_000 + "1"), 0.0)


class WriteCoordinateTests(SynchronousTestCase):
    """Coordinates as everybody reads them."""

    def test_five_decimals_are_printed(self) -> None:
        """A coordinate has five decimals, about a yard, whatever was sent."""
        cases = {
            50.1234567: "50.12346",
            5.5: "5.50000",
            -0.000004: "-0.00000",
            180.0: "180.00000",
            0.0: "0.00000",
        }
        for degrees, text in cases.items():
            self.assertEqual(write_coordinate(degrees), text)

    @given(st.floats(-1e6, 1e6))
    def test_printed_coordinate_is_stable(self, degrees: float) -> None:
        """What was printed once is read and printed the same again."""
        text = write_coordinate(degrees)
        value = read_coordinate(text)
        assert value is not None
        self.assertEqual(write_coordinate(value), text)
        self.assertLess(abs(value - degrees), 0.0000051)


def finite_or_zero(text: str) -> float:
    """Return what C reads, with 0 for infinity: both are no number here."""
    value = float(_C.strtod(text.encode("latin-1"), None))
    return value if abs(value) != float("inf") else 0.0
