"""What the server itself says."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.session.errors import (
    AlreadyRegistered,
    InvalidRevision,
    InvalidSource,
    NoFlightPlan,
    NoSuchWeather,
    ServerFull,
)
from rum_twisted.session.interfaces import InvalidCredentials
from rum_twisted.session.replies import (
    NOTICE_LENGTH,
    TIMEOUT_WARNING,
    error_line,
    notice_line,
    text_line,
)
from rum_twisted.terms.errors import ErrorCode, RumError
from rum_twisted.terms.identity import InvalidCallsign
from rum_twisted.wire.errors import TooFewFields
from rum_twisted.world.policy import AccountSuspended, RatingTooHigh
from rum_twisted.world.roster import CallsignInUse, NoSuchCallsign

ERRORS: dict[RumError, bytes] = {
    CallsignInUse(): b"001::Callsign in use",
    InvalidCallsign(): b"002::Invalid callsign",
    AlreadyRegistered(): b"003::Already registered",
    TooFewFields(): b"004::Syntax error",
    InvalidSource("LIAR"): b"005:LIAR:Invalid source callsign",
    InvalidCredentials("12345"): b"006:12345:Invalid CID/password",
    NoSuchCallsign("NOBODY"): b"007:NOBODY:No such callsign",
    NoFlightPlan(): b"008::No flightplan",
    NoSuchWeather("ZZZZ"): b"009:ZZZZ:No such weather profile",
    InvalidRevision(): b"010::Invalid protocol revision",
    RatingTooHigh("12"): b"011:12:Requested level too high",
    ServerFull(): b"012::Too many clients connected",
    AccountSuspended(): b"013::CID/PID was suspended",
}


class ErrorLineTests(SynchronousTestCase):
    """``$ER``, for each of the thirteen errors."""

    def test_each_error_has_its_number_and_wording(self) -> None:
        """A client reads the number with three digits, and the classic words."""
        for error, line in ERRORS.items():
            self.assertEqual(
                error_line(error, "KLM1"), b"$ERserver:KLM1:" + line + b"\r\n"
            )

    def test_no_number_is_missing(self) -> None:
        """Every code has an error that carries it."""
        self.assertEqual({error.code for error in ERRORS}, set(ErrorCode))

    def test_nobody_in_particular_is_unknown(self) -> None:
        """Before a logon the receiver is called unknown."""
        self.assertTrue(error_line(TooFewFields()).startswith(b"$ERserver:unknown:"))

    def test_parameter_passes_as_it_was_typed(self) -> None:
        """Bytes beyond ASCII come back as they were sent."""
        self.assertIn(b":\xc4\xe3\x00:", error_line(InvalidSource("\xc4\xe3\x00")))


class TextLineTests(SynchronousTestCase):
    """What the server says in words."""

    def test_server_speaks_in_lower_case(self) -> None:
        """Some clients wait for a text from ``server``."""
        self.assertEqual(text_line("KLM1", "a: b"), b"#TMserver:KLM1:a: b\r\n")
        self.assertEqual(text_line("KLM1", ""), b"#TMserver:KLM1:\r\n")

    def test_a_notice_is_one_line_of_utf_8(self) -> None:
        """What staff wrote as a reason cannot end the line or forge another one."""
        self.assertEqual(
            notice_line("KLM1", "one\r\n$ER: 联飞\u2028\x1b[2J"),
            "#TMserver:KLM1:one $ER: 联飞 [2J\r\n".encode(),
        )

    def test_a_long_notice_is_cut_between_letters(self) -> None:
        """At the bound it is whole; past it no half letter is left."""
        frame = len(notice_line("KLM1", ""))
        whole = "é" * (NOTICE_LENGTH // 2)
        self.assertEqual(len(notice_line("KLM1", whole)), frame + NOTICE_LENGTH)
        self.assertEqual(notice_line("KLM1", whole + "é"), notice_line("KLM1", whole))
        cut = notice_line("KLM1", "x" + whole)
        self.assertEqual(len(cut), frame + NOTICE_LENGTH - 1)
        cut.decode()

    def test_silence_is_told_of_literally(self) -> None:
        """The warning is no packet but a remark."""
        self.assertEqual(TIMEOUT_WARNING, b"# Timeout\r\n")
