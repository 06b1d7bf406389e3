"""Pings, kills and errors."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.wire.codec import decode, encode
from rum_twisted.wire.errors import TooFewFields
from rum_twisted.wire.messages.control import ErrorMessage, Kill, Ping, Pong


class PingTests(SynchronousTestCase):
    """Signs of life."""

    def test_data_is_kept_digit_by_digit(self) -> None:
        """Clients subtract what comes back from the time: not a digit may change."""
        for data in ("1668012345678", "0012", "12:34", "", "-1.5e3", " x "):
            line = f"$PIKLM123:SERVER:{data}".encode()
            self.assertEqual(decode(line), Ping("KLM123", "SERVER", data))
            self.assertEqual(encode(decode(line)), line + b"\r\n")

    def test_ping_without_data_is_answered_with_a_colon(self) -> None:
        """Two fields become three, the last of them empty."""
        self.assertEqual(encode(decode(b"$PIA1:B1")), b"$PIA1:B1:\r\n")
        self.assertEqual(decode(b"$POA1:B1"), Pong("A1", "B1", ""))

    def test_answer_to_nobody_is_read(self) -> None:
        """A client answers a short ping with an empty destination."""
        self.assertEqual(decode(b"$POKLM123::"), Pong("KLM123", "", ""))


class KillTests(SynchronousTestCase):
    """The end of a session."""

    def test_colon_cuts_the_reason(self) -> None:
        """The reason is one field."""
        self.assertEqual(
            decode(b"$!!EHAM_SUP:KLM123:Read the rules: now"),
            Kill("EHAM_SUP", "KLM123", "Read the rules"),
        )

    def test_reason_may_be_empty_but_not_missing(self) -> None:
        """A kill needs three fields."""
        self.assertEqual(decode(b"$!!S1:K1:").reason, "")
        self.assertRaises(TooFewFields, decode, b"$!!S1:K1")


class ErrorMessageTests(SynchronousTestCase):
    """What went wrong."""

    def test_code_has_three_digits(self) -> None:
        """Some clients compare the code as text."""
        error = ErrorMessage("server", "KLM123", 7, "NOBODY", "No such callsign")
        line = b"$ERserver:KLM123:007:NOBODY:No such callsign\r\n"
        self.assertEqual(encode(error), line)

    def test_all_five_fields_are_there(self) -> None:
        """Clients read an error of fewer fields as number 0."""
        error = ErrorMessage("server", "unknown", 13, "", "CID/PID was suspended")
        self.assertEqual(
            encode(error), b"$ERserver:unknown:013::CID/PID was suspended\r\n"
        )
