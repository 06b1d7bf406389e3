"""Callsigns, kinds, ratings and facilities."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.terms.errors import ErrorCode
from rum_twisted.terms.identity import (
    Callsign,
    InvalidCallsign,
    Rating,
    fold,
    radio_range_of_facility,
)

latin1_text = st.text(st.characters(max_codepoint=255))


class FoldTests(SynchronousTestCase):
    """How names are compared."""

    def test_letters_are_compared_without_case(self) -> None:
        """KLM123 and klm123 are the same client."""
        self.assertEqual(fold("KLm123_ABZ@[`{"), "klm123_abz@[`{")

    @given(latin1_text)
    def test_only_ascii_letters_change(self, text: str) -> None:
        """Bytes of GBK, UTF-8 and Latin-1 text stay, whatever case they look like."""
        self.assertEqual(fold(text).encode("latin-1"), text.encode("latin-1").lower())


class CallsignTests(SynchronousTestCase):
    """What a client may be called."""

    def assert_refused(self, text: str) -> None:
        """Check that ``text`` is no callsign, and how the client is told."""
        error = self.assertRaises(InvalidCallsign, Callsign, text)
        self.assertIs(error.code, ErrorCode.INVALID_CALLSIGN)
        self.assertEqual(error.parameter, "")

    def test_callsign_is_kept_as_typed(self) -> None:
        """The case of the logon is the case that everybody reads."""
        self.assertEqual(Callsign("Lfpg_Twr"), "Lfpg_Twr")

    def test_length_is_two_to_twelve(self) -> None:
        """Two bytes are a callsign, and twelve; one and thirteen are none."""
        for text in ("AB", "ABCDEFGHIJKL"):
            self.assertEqual(Callsign(text), text)
        for text in ("", "A", "ABCDEFGHIJKLM", "A" * 5000):
            self.assert_refused(text)

    def test_length_is_counted_in_bytes(self) -> None:
        """Four Chinese signs of UTF-8 are twelve bytes; a fifth is too many."""
        four = "上海进近".encode().decode("latin-1")
        self.assertEqual(Callsign(four), four)
        self.assert_refused(four + "一".encode().decode("latin-1"))

    def test_signs_with_a_meaning_are_refused(self) -> None:
        """No name may look like a destination, a packet or two fields."""
        for sign in "!@#$%*&:":
            for text in (f"{sign}LM1", f"K{sign}M1", f"KLM{sign}"):
                self.assert_refused(text)

    def test_blanks_and_control_codes_are_refused(self) -> None:
        """No name may break the lines of a status file or of other clients."""
        for code in (*range(33), 127):
            self.assert_refused(f"KL{chr(code)}1")

    def test_other_signs_are_welcome(self) -> None:
        """Hyphens, underscores and bytes beyond ASCII are parts of names."""
        for text in ("D-ABCD", "EHAM_1_TWR", "N1.2/3", "\x80\xff", "a(b)~"):
            self.assertEqual(Callsign(text), text)

    def test_nobody_is_called_as_the_server(self) -> None:
        """SERVER is taken, in any case; names that only begin so are not."""
        for text in ("SERVER", "server", "SeRvEr"):
            self.assert_refused(text)
        self.assertEqual(Callsign("SERVER1"), "SERVER1")


class RatingTests(SynchronousTestCase):
    """The scale that pilots and controllers share."""

    def test_scale_runs_from_suspended_to_administrator(self) -> None:
        """There are thirteen ratings, and supervisors stand at 11."""
        self.assertEqual([int(rating) for rating in Rating], list(range(13)))
        self.assertEqual(Rating.SUSPENDED, 0)
        self.assertEqual(Rating.OBSERVER, 1)
        self.assertEqual(Rating.CONTROLLER1, 5)
        self.assertEqual(Rating.INSTRUCTOR1, 8)
        self.assertEqual(Rating.SUPERVISOR, 11)
        self.assertEqual(Rating.ADMINISTRATOR, 12)


class RadioRangeOfFacilityTests(SynchronousTestCase):
    """How far a controller is heard."""

    def test_range_belongs_to_the_facility(self) -> None:
        """A tower is heard for 30 miles, a center for 400."""
        ranges = {0: 40, 1: 1500, 2: 5, 3: 5, 4: 30, 5: 100, 6: 400, 7: 1500}
        for facility, miles in ranges.items():
            self.assertEqual(radio_range_of_facility(facility), miles)

    def test_unknown_facility_is_an_observer(self) -> None:
        """Whatever else a client sends is heard for 40 miles."""
        for facility in (-1, 8, 12, 2**31 - 1, -(2**31)):
            self.assertEqual(radio_range_of_facility(facility), 40)
