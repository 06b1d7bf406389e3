"""Text messages."""

from twisted.trial.unittest import SynchronousTestCase

from rum_twisted.wire.codec import decode, encode
from rum_twisted.wire.errors import TooFewFields
from rum_twisted.wire.messages.text import TextMessage


class TextMessageTests(SynchronousTestCase):
    """Something said."""

    def test_colons_are_part_of_the_text(self) -> None:
        """Times and smileys arrive as they were typed."""
        line = b"#TMKLM123:@18100&@22800:ETA 12:30 :-)"
        message = TextMessage("KLM123", "@18100&@22800", "ETA 12:30 :-)")
        self.assertEqual(decode(line), message)
        self.assertEqual(encode(message), line + b"\r\n")

    def test_empty_text_is_a_text(self) -> None:
        """An empty line of the message of the day is one; a missing text is none."""
        self.assertEqual(decode(b"#TMA1:B1:"), TextMessage("A1", "B1", ""))
        self.assertRaises(TooFewFields, decode, b"#TMA1:B1")
